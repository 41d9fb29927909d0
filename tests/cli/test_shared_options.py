import pytest
import typer
from typer.testing import CliRunner

from egrm_graph.cli.shared_options import settings_of, with_settings
from egrm_graph.errors import SettingsError
from egrm_graph.settings import Settings


def parsed(*arguments: str) -> Settings:
    """What a command with these arguments gets."""
    found: list[Settings] = []
    app = typer.Typer()

    @app.command()
    @with_settings
    def command(word: str, *, settings: Settings, number: int = 1) -> None:
        found.append(settings)

    result = CliRunner().invoke(app, ["word", *arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return found[0]


def test_without_options_the_defaults_hold() -> None:
    assert parsed() == Settings()


def test_only_what_is_given_counts_as_given() -> None:
    """A calibration's gate gives way to nothing that merely is a default."""
    assert parsed("--samples", "5").model_fields_set == {"samples"}


def test_every_option_reaches_its_setting() -> None:
    options = [
        *("--samples", "7", "--threshold", "0.6", "--measure", "vote_entropy", "--seed", "3"),
        *("--engine", "vllm", "--model", "name", "--endpoint", "completions"),
        *("--base-url", "http://a/v1", "--base-url", "http://b/v1"),
        *("--fast-temperature", "0.5", "--path-thinking", "off", "--deadline-s", "2.5"),
        *("--scorer", "folder", "--scorer-url", "http://c/v1"),
    ]
    assert parsed(*options) == Settings(
        samples=7,
        threshold=0.6,
        measure="vote_entropy",
        seed=3,
        engine="vllm",
        model="name",
        base_url=("http://a/v1", "http://b/v1"),
        endpoint="completions",
        fast_temperature=0.5,
        path_thinking="off",
        deadline_s=2.5,
        scorer="folder",
        scorer_url="http://c/v1",
    )


def test_an_option_wins_over_the_environment_and_that_over_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EGRM_SAMPLES", "7")
    monkeypatch.setenv("EGRM_PATHS", "7")
    assert parsed("--paths", "3") == Settings(samples=7, paths=3)


@pytest.mark.parametrize("option", ["--scorer", "--scorer-url", "--deadline-s", "--threshold"])
def test_none_is_a_value_that_wins_over_the_environment(option: str, monkeypatch: pytest.MonkeyPatch) -> None:
    name = option.removeprefix("--").replace("-", "_")
    monkeypatch.setenv(f"EGRM_{name.upper()}", "0.5")
    assert getattr(parsed(option, "none"), name) is None


def test_none_in_the_environment_turns_the_scorer_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EGRM_SCORER", "none")
    assert parsed().scorer is None


def test_the_api_key_comes_from_the_environment_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EGRM_API_KEY", "secret")
    key = parsed().api_key
    assert key is not None
    assert key.get_secret_value() == "secret"
    app = typer.Typer()
    app.command()(with_settings(lambda *, settings: None))
    assert "--api-key" not in CliRunner().invoke(app, ["--help-all"]).output


def test_a_value_out_of_range_names_the_setting_and_the_range() -> None:
    with pytest.raises(SettingsError, match="samples=0: Input should be greater than or equal to 1"):
        settings_of({"samples": 0})


@pytest.mark.parametrize("options", [{"base_url": ["http://a/v1"], "engine": "embedded"}, {"endpoint": "chat"}])
def test_an_option_that_would_have_no_effect_is_refused(options: dict[str, object]) -> None:
    with pytest.raises(SettingsError, match="is for a server, and the engine is embedded; add --engine vllm or"):
        settings_of(options)


def test_the_full_help_has_the_docstring_and_the_default_of_a_setting() -> None:
    app = typer.Typer()
    app.command()(with_settings(lambda *, settings: None))
    output = " ".join(CliRunner().invoke(app, ["--help-all"], env={"COLUMNS": "300"}).output.split())
    description = " ".join((Settings.model_fields["samples"].description or "").split())
    assert f"{description} [default: 5]" in output
