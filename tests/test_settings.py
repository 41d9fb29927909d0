from typing import Any

import pytest
from pydantic import SecretStr, ValidationError

from egrm_graph.errors import SettingsError
from egrm_graph.settings import RunSettings, Settings, settings_from_environment


def test_the_published_settings_are_the_defaults() -> None:
    settings = Settings()
    assert (settings.samples, settings.measure, settings.threshold, settings.paths) == (5, "consensus", None, 4)


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
