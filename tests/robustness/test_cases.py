"""Tests that every case has its outcome, and that the page in docs/ lists all cases."""

import copy
import importlib
import inspect

import pytest

from tests.robustness.kinds import Case, Kind, read_kinds
from tests.robustness.page import PAGE, page

KINDS = read_kinds()
PROCESSES = {"child_processes", "loading_time", "preforking_servers", "server_environments", "server_lifetimes"}
"""Kinds whose cases start processes."""
CASES = [
    pytest.param(kind, case, id=f"{kind.name}-{case.name}", marks=[pytest.mark.slow] if kind.name in PROCESSES else [])
    for kind in KINDS
    for case in kind.cases
]


@pytest.mark.parametrize(("kind", "case"), CASES)
async def test_case(kind: Kind, case: Case) -> None:
    given = copy.deepcopy(case.input)  # the page shows the unchanged input
    outcome = importlib.import_module(f"tests.robustness.probes.{kind.name}").outcome(given)
    assert (await outcome if inspect.isawaitable(outcome) else outcome) == case.outcome


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_case_names_are_unique(kind: Kind) -> None:
    names = [case.name for case in kind.cases]
    assert sorted(set(names)) == sorted(names)


def test_the_page_lists_all_cases() -> None:
    assert PAGE.read_text() == page(KINDS), "run `make robustness`"
