"""`egrm trace open`."""

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


def run_ids(page: Path) -> list[str]:
    """The ids of the runs in the page, in order."""
    found = re.search(r'id="index">(.*?)</script>', page.read_text("utf-8"))
    assert found is not None
    return re.findall(r'"run_id": "(\w+)"', found[1])


def test_the_page_of_a_run_is_private_and_has_only_that_run(store: Path, tmp_path: Path) -> None:
    page = tmp_path / "run.html"
    page.touch(0o644)
    done = trace("open", "b", "--store", store, "--output", page, "--no-browser")
    assert done.exit_code == 0, done.output
    assert done.stdout == f"{page}\n"
    assert run_ids(page) == ["b0000"]
    assert stat.S_IMODE(page.stat().st_mode) == 0o600


def test_without_a_run_the_page_has_the_matching_runs(store: Path, tmp_path: Path) -> None:
    page = tmp_path / "runs.html"
    done = trace("open", "--store", store, "--route", "reasoned", "--limit", "3", "--output", page, "--no-browser")
    assert run_ids(page) == ["a0000", "b0000", "c0000"]
    assert done.stderr == "The page has the newest 3 of 4 runs; raise --limit to see more.\n"


def test_without_an_output_the_page_is_a_temporary_file(store: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "egrm_graph", "trace", "open", "latest", "--store", str(store), "--no-browser"]
    done = subprocess.run(
        command, capture_output=True, text=True, check=True, env={**os.environ, "TMPDIR": str(tmp_path)}
    )
    page = Path(done.stdout.strip())
    assert page.parent == tmp_path
    assert stat.S_IMODE(page.stat().st_mode) == 0o600


def test_the_browser_opens_the_page(store: Path, tmp_path: Path) -> None:
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


def test_a_run_with_filter_options_is_an_error(store: Path) -> None:
    done = trace("open", "a0000", "--wrong", "--store", store, "--no-browser")
    assert (done.exit_code, "use one or the other" in " ".join(done.stderr.split())) == (2, True)


def test_no_matching_runs_is_an_error(store: Path) -> None:
    done = trace("open", "--task", "x", "--store", store, "--no-browser")
    assert (done.exit_code, "match; `egrm trace list` shows the runs" in " ".join(done.stderr.split())) == (2, True)
