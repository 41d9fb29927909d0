"""Tests that hints in error messages name existing parameters."""

import ast
import inspect
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

import egrm_graph.integrations
from egrm_graph import Settings
from tests.robustness.kinds import read_kinds

FOLDER = Path(egrm_graph.integrations.__file__).parent
MODULES = [f"egrm_graph.integrations.{path.stem}" for path in sorted(FOLDER.glob("*.py")) if path.stem != "__init__"]
HINT = re.compile(r"\b([a-z_]+)=|\b(?:set|give|say by|name(?:d| its key)? as) ([a-z]+_[a-z_]+)\b")


def sentences(module: Any) -> Iterator[str]:
    """Yield the text of every error that a module raises, without the inserted values."""
    for node in ast.walk(ast.parse(Path(module.__file__).read_text())):
        if isinstance(node, ast.Raise) and node.exc is not None:
            parts = [part.value for part in ast.walk(node.exc) if isinstance(part, ast.Constant)]
            yield " ".join(part for part in parts if isinstance(part, str))


def parameters() -> set[str]:
    """Return the parameters of all public functions in the integrations, and the settings."""
    names = set(Settings.model_fields)
    for module in map(import_module, MODULES):
        for name, value in vars(module).items():
            called = inspect.isfunction(value) or (inspect.isclass(value) and "__init__" in vars(value))
            if called and not name.startswith("_") and value.__module__ == module.__name__:
                names |= set(inspect.signature(value).parameters)
    return names


def hinted(text: str) -> set[str]:
    return {one or other for one, other in HINT.findall(text)}


@pytest.mark.parametrize("name", MODULES)
def test_every_hint_names_a_parameter(name: str) -> None:
    module = import_module(name)
    constants = [value for key, value in vars(module).items() if key.isupper() and isinstance(value, str)]
    texts = [*sentences(module), *constants]
    assert set().union(*map(hinted, texts)) <= parameters()


def test_every_hint_in_a_robustness_case_names_a_parameter() -> None:
    kinds = {"evaluator_values", "lost_runs", "reward_groups", "reward_messages", "verl_keywords"}
    cases = [case for kind in read_kinds() if kind.name in kinds for case in kind.cases]
    found = {name for case in cases if isinstance(case.outcome, str) for name in hinted(case.outcome)}
    assert {"fields", "missing", "question_key"} <= found <= parameters()


def test_hints_are_found_in_messages() -> None:
    found = {hint for name in MODULES for text in sentences(import_module(name)) for hint in hinted(text)}
    assert {"missing", "question_key", "reference_column", "task", "among"} <= found
    assert hinted("say by answer_key which of them to take; set reference_key to one") == {
        "answer_key",
        "reference_key",
    }
