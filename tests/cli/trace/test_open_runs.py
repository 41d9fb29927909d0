"""`egrm trace open`, as a user runs it."""

import os
import re
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.trace.tracing import run, stored, trace


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return stored(tmp_path / "runs.db", *(run(f"{name}0000", age_s) for age_s, name in enumerate("abcd")))


def held(page: Path) -> list[str]:
    """The runs in the page, in order."""
    found = re.search(r'id="index">(.*?)</script>', page.read_text("utf-8"))
    assert found is not None
    return re.findall(r'"run_id": "(\w+)"', found[1])


def test_the_page_of_a_run_holds_it_alone_and_is_its_owners(store: Path, tmp_path: Path) -> None:
    page = tmp_path / "run.html"
    page.touch(0o644)
    done = trace("open", "b", "--store", store, "--output", page, "--no-browser")
    assert done.exit_code == 0, done.output
    assert done.stdout == f"{page}\n"
    assert held(page) == ["b0000"]
    assert stat.S_IMODE(page.stat().st_mode) == 0o600


def test_without_a_run_the_page_holds_those_that_are_chosen(store: Path, tmp_path: Path) -> None:
    page = tmp_path / "runs.html"
    done = trace("open", "--store", store, "--route", "reasoned", "--limit", "3", "--output", page, "--no-browser")
    assert held(page) == ["a0000", "b0000", "c0000"]
    assert done.stderr == "The page holds 3 of 4 runs, the newest; --limit shows more.\n"


def test_without_a_name_it_goes_to_the_folder_for_temporary_files(store: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "egrm_graph", "trace", "open", "latest", "--store", str(store), "--no-browser"]
    done = subprocess.run(
        command, capture_output=True, text=True, check=True, env={**os.environ, "TMPDIR": str(tmp_path)}
    )
    page = Path(done.stdout.strip())
    assert page.parent == tmp_path
    assert stat.S_IMODE(page.stat().st_mode) == 0o600


def test_the_browser_is_given_the_page(store: Path, tmp_path: Path) -> None:
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\necho "$1" > {tmp_path}/asked\n')
    browser.chmod(0o700)
    page = tmp_path / "the page.html"
    command = [
        sys.executable,
        "-m",
        "egrm_graph",
        "trace",
        "open",
        "a0000",
        "--store",
        str(store),
        "--output",
        str(page),
    ]
    subprocess.run(command, check=True, capture_output=True, env={**os.environ, "BROWSER": f"{browser} %s"})
    assert (tmp_path / "asked").read_text() == f"{page.as_uri()}\n"


def test_a_run_and_a_choice_of_runs_exclude_one_another(store: Path) -> None:
    done = trace("open", "a0000", "--wrong", "--store", store, "--no-browser")
    assert (done.exit_code, "leave out one of the two" in done.stderr) == (2, True)


def test_where_there_are_no_such_runs_it_says_so(store: Path) -> None:
    done = trace("open", "--task", "x", "--store", store, "--no-browser")
    assert (done.exit_code, "there are no such runs" in done.stderr) == (2, True)
