from typing import Any

import pytest
from pydantic import SecretStr, ValidationError

from egrm_graph.errors import SettingsError
from egrm_graph.settings import RunSettings, Settings, settings_from_environment


def test_the_published_setting_is_the_default() -> None:
    settings = Settings()
    assert (settings.samples, settings.measure, settings.threshold, settings.paths) == (5, "consensus", None, 4)


@pytest.mark.parametrize("make", [Settings, RunSettings])
def test_an_unknown_name_is_an_error_that_names_the_nearest(make: type[RunSettings]) -> None:
    with pytest.raises(ValidationError, match="no setting 'treshold'; did you mean 'threshold'"):
        make.model_validate({"treshold": 0.5})


def test_only_the_fields_that_a_context_gives_are_overridden() -> None:
    built = Settings(samples=7, paths=2)
    assert built.overridden(RunSettings(threshold=0.6)) == Settings(samples=7, paths=2, threshold=0.6)


def test_a_run_cannot_override_what_the_graph_was_built_with() -> None:
    with pytest.raises(SettingsError, match="there is no setting 'model'"):
        Settings().overridden({"model": "other"})


@pytest.mark.parametrize(("stage", "count"), [("fast", "samples"), ("path", "paths")])
def test_drawing_one_deterministic_decode_many_times_is_refused(stage: str, count: str) -> None:
    greedy: dict[str, Any] = {f"{stage}_temperature": 0}
    with pytest.raises(ValidationError, match=f"{stage}_temperature=0 decodes the same text every time"):
        Settings(**greedy)
    one_sample: dict[str, Any] = {**greedy, count: 1}
    assert Settings(**one_sample)


def test_an_override_that_does_not_fit_names_value_and_range() -> None:
    with pytest.raises(SettingsError, match="samples=0: Input should be greater than or equal to 1"):
        Settings().overridden({"samples": 0})


def test_the_environment_sets_what_it_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EGRM_ENGINE", "vllm")
    monkeypatch.setenv("EGRM_BASE_URL", '["http://gpu:8000/v1"]')
    expected = Settings(engine="vllm", model="egrm-tiny", base_url=("http://gpu:8000/v1",))
    assert settings_from_environment(model="egrm-tiny") == expected
    with pytest.raises(SettingsError, match="engine='vllm' needs a model"):
        settings_from_environment()


def test_an_api_key_is_never_shown() -> None:
    assert "secret" not in repr(Settings(api_key=SecretStr("secret")))
