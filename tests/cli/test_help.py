"""`--help` fits a screen, and `--help-all` lists every setting."""

import re

import pytest
import typer
from pydantic import BaseModel
from typer.testing import CliRunner

from egrm_graph.cli import app
from egrm_graph.cli.fine_tune_generator import COMMON as COMMON_OF_GENERATORS
from egrm_graph.cli.setting_options import with_fields
from egrm_graph.cli.shared_options import COMMON, Options
from egrm_graph.cli.train import COMMON as COMMON_IN_TRAINING
from egrm_graph.cli.train import COMMON_OF_PROCESS
from egrm_graph.fine_tuning.generator_settings import GeneratorTraining
from egrm_graph.settings import Settings
from egrm_graph.training.training_settings import ProcessTraining, ScorerTraining

MAX_LINES = 60
SETTINGS = set(Options.model_fields) - {"api_key"}
COMMANDS = [
    (["ask"], COMMON.keys(), SETTINGS),
    (["verify"], COMMON.keys(), SETTINGS),
    (["demo"], COMMON.keys(), SETTINGS),
    (["bench"], COMMON.keys(), SETTINGS),
    (["rollouts"], COMMON.keys(), SETTINGS),
    (["mixture"], COMMON.keys(), SETTINGS),
    (["synthesize"], COMMON.keys(), SETTINGS),
    (["train", "scorer"], COMMON_IN_TRAINING.keys(), set(ScorerTraining.model_fields)),
    (["train", "process-reward"], COMMON_OF_PROCESS.keys(), set(ProcessTraining.model_fields)),
    (["train", "generator"], COMMON_OF_GENERATORS.keys(), set(GeneratorTraining.model_fields)),
    (
        ["train", "ablation"],
        COMMON_IN_TRAINING.keys() - {"objective"},
        set(ScorerTraining.model_fields) - {"objective"},
    ),
]
NAMES = [" ".join(command) for command, _, _ in COMMANDS]


def help_of(command: list[str], option: str = "--help", columns: int = 80) -> str:
    done = CliRunner().invoke(app, [*command, option], env={"COLUMNS": str(columns)})
    assert done.exit_code == 0, done.output
    return done.output


def listed(output: str, names: set[str]) -> set[str]:
    """The settings of these names that the output lists, as an option or as an argument."""
    found = {name.removeprefix("--").replace("-", "_") for name in re.findall(r"(?<=│ )[ *]*(--[a-z-]+)", output)}
    arguments = {name for name in ("rollouts", "data") if name.upper() in output}
    return names & (found | arguments)


@pytest.mark.parametrize(("command", "common", "settings"), COMMANDS, ids=NAMES)
def test_help_lists_the_common_settings_in_sixty_lines(
    command: list[str], common: set[str], settings: set[str]
) -> None:
    output = help_of(command)
    assert len(output.splitlines()) <= MAX_LINES
    assert listed(output, settings) == common
    assert f"Show {len(settings - common)} more settings" in output


@pytest.mark.parametrize(("command", "common", "settings"), COMMANDS, ids=NAMES)
def test_help_all_lists_every_setting(command: list[str], common: set[str], settings: set[str]) -> None:
    output = help_of(command, "--help-all", columns=300)
    assert listed(output, settings) == settings
    assert settings > common


def test_help_all_has_full_descriptions_and_choices() -> None:
    short, full = (" ".join(help_of(["ask"], option, columns=300).split()) for option in ("--help", "--help-all"))
    description = " ".join((Settings.model_fields["samples"].description or "").split())
    assert description not in short
    assert f"{description} [default: 5]" in full
    assert "<auto|embedded|vllm|openai|chat_model>" not in short
    assert "<auto|embedded|vllm|openai|chat_model>" in full


def test_help_says_what_a_default_depends_on() -> None:
    short = " ".join(help_of(["ask"], columns=300).split())
    assert "[default: by measure; 0.9 for consensus]" in short
    assert "[default: embedded; openai with --base-url]" in short
    assert "[default: http://localhost:8000/v1]" not in short
    assert "[default: http://localhost:8000/v1]" in " ".join(help_of(["ask"], "--help-all", columns=300).split())


def test_help_all_shows_what_the_command_says_after_a_form_feed() -> None:
    short, full = (" ".join(help_of(["verify"], option).split()) for option in ("--help", "--help-all"))
    assert "Blank lines and other fields are ignored." not in short
    assert "Blank lines and other fields are ignored." in full


def test_help_all_needs_no_other_argument() -> None:
    assert "Usage: " in help_of(["train", "scorer"], "--help-all")


class Fields(BaseModel):
    required: int
    common: int = 1
    rare: int = 2


def test_help_lists_a_required_field_even_if_it_is_not_common() -> None:
    app = typer.Typer()
    app.command()(with_fields(Fields, "fields", dict, common={"common": "Often set."})(lambda *, fields: None))
    output = CliRunner().invoke(app, ["--help"]).output
    assert listed(output, set(Fields.model_fields)) == {"required", "common"}


def test_a_hidden_option_still_works() -> None:
    app, received = typer.Typer(), []
    app.command()(with_fields(Fields, "fields", dict, common={})(lambda *, fields: received.append(fields)))
    done = CliRunner().invoke(app, ["--required", "3", "--rare", "4"])
    assert (done.exit_code, received) == (0, [{"required": 3, "rare": 4}])
