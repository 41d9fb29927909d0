from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from pydantic import SecretStr, ValidationError

from egrm_graph.clients.scripted import ScriptedClient
from egrm_graph.errors import SettingsError
from egrm_graph.parts import assemble
from egrm_graph.scoring.scorer import Unscored
from egrm_graph.settings import PUBLISHED, RunSettings, Settings, settings_from_environment
from egrm_graph.uncertainty.stopping import everything


def test_the_published_settings_are_one_word() -> None:
    settings = Settings(preset="published")
    assert {name: getattr(settings, name) for name in PUBLISHED} == PUBLISHED
    assert PUBLISHED == {"samples": 5, "measure": "consensus", "threshold": 0.8, "paths": 4, "path_stopping": "all"}
    assert Settings(preset="published", paths=2).paths == 2


@dataclass(frozen=True)
class Undecided:
    """A scorer with the same score for every path."""

    calibrated: bool
    name: str = "undecided"

    async def score(self, question: str, paths: Sequence[str]) -> list[float | Unscored]:
        return [0.5 for _ in paths]

    async def aclose(self) -> None: ...


CALIBRATED, UNCALIBRATED = Undecided(calibrated=True), Undecided(calibrated=False)


@pytest.mark.parametrize(
    ("settings", "scorer", "threshold", "stops", "paths"),
    [
        ({}, CALIBRATED, 0.9, True, 8),
        ({}, UNCALIBRATED, 0.9, False, 4),
        ({}, None, 0.9, False, 4),
        ({"path_stopping": "sequential"}, None, 0.9, True, 8),
        ({"path_stopping": "all"}, CALIBRATED, 0.9, False, 4),
        ({"paths": 3}, CALIBRATED, 0.9, True, 3),
        ({"measure": "vote_entropy"}, CALIBRATED, 0.32, True, 8),
        ({"task": "pairwise"}, CALIBRATED, 0.8, False, 4),
        ({"task": "tool_calls"}, None, 0.8, False, 4),
        ({"preset": "published"}, CALIBRATED, 0.8, False, 4),
    ],
)
def test_the_defaults_depend_on_the_task_and_the_scorer(
    settings: dict[str, Any], scorer: Undecided | None, threshold: float, stops: bool, paths: int
) -> None:
    parts = assemble(Settings(**{"task": "arithmetic", **settings}), ScriptedClient(), scorer)
    assert parts.gate(parts.settings).threshold == threshold
    assert (parts.path_stopping_rule(parts.settings) is not everything) == stops
    assert parts.most_paths(parts.settings) == paths


def test_one_run_may_change_what_the_default_number_of_paths_depends_on() -> None:
    parts = assemble(Settings(task="arithmetic"), ScriptedClient(), CALIBRATED)
    assert parts.most_paths(parts.settings.overridden({"path_stopping": "all"})) == 4


@pytest.mark.parametrize("make", [Settings, RunSettings])
def test_an_unknown_setting_is_an_error_that_names_the_nearest_one(make: type[RunSettings]) -> None:
    with pytest.raises(ValidationError, match="no setting 'treshold'; did you mean 'threshold'"):
        make.model_validate({"treshold": 0.5})


def test_a_context_overrides_only_the_fields_that_it_sets() -> None:
    built = Settings(samples=7, paths=2)
    assert built.overridden(RunSettings(threshold=0.6)) == Settings(samples=7, paths=2, threshold=0.6)


def test_a_run_cannot_override_build_settings() -> None:
    with pytest.raises(SettingsError, match="there is no setting 'model'"):
        Settings().overridden({"model": "other"})


@pytest.mark.parametrize(("stage", "count"), [("fast", "samples"), ("path", "paths")])
def test_several_samples_of_greedy_decoding_are_refused(stage: str, count: str) -> None:
    greedy: dict[str, Any] = {f"{stage}_temperature": 0}
    with pytest.raises(ValidationError, match=f"{stage}_temperature=0 decodes the same text every time"):
        Settings(**greedy)
    one_sample: dict[str, Any] = {**greedy, count: 1}
    assert Settings(**one_sample)


def test_an_invalid_override_is_an_error_with_the_value_and_the_range() -> None:
    with pytest.raises(SettingsError, match="samples=0: Input should be greater than or equal to 1"):
        Settings().overridden({"samples": 0})


def test_environment_variables_set_their_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EGRM_ENGINE", "vllm")
    monkeypatch.setenv("EGRM_BASE_URL", '["http://gpu:8000/v1"]')
    expected = Settings(engine="vllm", model="egrm-tiny", base_url=("http://gpu:8000/v1",))
    assert settings_from_environment(model="egrm-tiny") == expected
    with pytest.raises(SettingsError, match="engine='vllm' needs a model"):
        settings_from_environment()


def test_an_api_key_is_never_shown() -> None:
    assert "secret" not in repr(Settings(api_key=SecretStr("secret")))
