"""The project's prose and names are plain American English. `python -m tests.prose --list FOLDER` prints each place."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from tests.prose import Finding, findings, in_cases, in_markdown, in_python

RECORD_FIELD = "a field of records, which are stored"

ALLOWED: dict[tuple[str, str], str] = {
    ("tests/calibrations.py", "British spelling"): "a field of calibration files",
    ("egrm_graph/records/record.py", "name: why"): RECORD_FIELD,
    ("egrm_graph/records/record_schema.py", "name: dialect"): "the field's term for a version of JSON Schema",
    ("egrm_graph/tracing/sqlite_database.py", "name: dialect"): "SQLAlchemy's name",
    ("tests/telemetry/test_span_attributes.py", "name: why"): RECORD_FIELD,
    ("tests/tracing/records.py", "name: why"): RECORD_FIELD,
    ("tests/viewing/runs.py", "name: why"): RECORD_FIELD,
    ("tests/viewing/sets.py", "name: why"): RECORD_FIELD,
    ("tests/viewing/test_hostile_page.py", "name: why"): RECORD_FIELD,
    ("tests/viewing/test_incomplete_runs_page.py", "name: why"): RECORD_FIELD,
    ("tests/viewing/test_run_text.py", "name: why"): RECORD_FIELD,
}
"""Phrases that may stay in a file, each with the reason: quotations and texts of others."""


@pytest.fixture(scope="module")
def all_findings() -> list[Finding]:
    return findings()


def test_the_prose_is_plain(all_findings: list[Finding]) -> None:
    found = [finding for finding in all_findings if (finding.path, finding.phrase) not in ALLOWED]
    assert not found, "\n" + "\n".join(f"{x.path}:{x.line}: {x.phrase}: {x.excerpt}" for x in found)


def test_every_allowance_is_used(all_findings: list[Finding]) -> None:
    assert set(ALLOWED) <= {(finding.path, finding.phrase) for finding in all_findings}


@pytest.mark.parametrize(
    ("text", "phrase"),
    [
        ("This is no picture.", "is no X"),
        ("A text beside it.", "beside"),
        ("What it was told.", "told"),
        ("It tells of the loss.", "tells of"),
        ("Read as far as it is known.", "as far as"),
        ("It ends by itself.", "by itself"),
        ("Calibrate anew.", "anew"),
        ("It waits in vain.", "in vain"),
        ("A job that can be gone on with.", "gone on"),
        ("Two texts, of which none is valid.", "of which none"),
        ("1 where it is right and 0 else.", "else, for otherwise"),
        ("All that was asked of it.", "asked of it"),
        ("It stays as it is.", "as it is"),
        ("It hands over the text.", "hand over"),
        ("It is not looked at.", "looked at"),
        ("Read it so that it ends, so that we go.", "so that, stacked"),
        ("Garbage in a circle\nstays long.", "garbage in a circle"),
        ("A colour.", "British spelling"),
        ("One \N{EM DASH} two.", "em-dash"),
    ],
)
def test_a_phrase_is_found(text: str, phrase: str) -> None:
    assert phrase in phrases(in_markdown(text, "page.md"))
    assert phrase in phrases(in_python(f'"""{text}"""', "module.py"))
    assert phrase in phrases(in_python(f"# {text.splitlines()[0]}", "module.py")) or "\n" in text


@pytest.mark.parametrize(
    "text",
    [
        "This is no longer read, and is no more than one text.",
        "None if there is no answer.",
        "That is besides the point.",
        "Nothing else, or anything else.",
        "What else?",
        "The text is read as it is in the paper.",
        "It goes on, hand in hand.",
        "Colors, labels, and normalized logits.",
        "`told` and `x = a if told else b` are code.",
    ],
)
def test_plain_text_is_not(text: str) -> None:
    assert phrases(in_markdown(text, "page.md")) == []
    assert phrases(in_python(f'"""{text}"""', "module.py")) == []


def test_a_phrase_is_found_across_lines_and_in_an_f_string() -> None:
    found = list(in_python('x = 1\n"""One.\n\nThis is\nno picture."""\ny = f"{x} is no {x}"\n', "module.py"))
    assert [(finding.line, finding.phrase) for finding in found] == [(4, "is no X"), (6, "is no X")]


@pytest.mark.parametrize(
    ("code", "phrase"),
    [
        ("told = 1", "name: told"),
        ("is_untold = 1", "name: untold"),
        ("class ServerDialect: pass", "name: dialect"),
        ("def f(*, why: str): pass", "name: why"),
        ("f(kept=1)", "name: kept"),
        ("x._shown()", "name: shown"),
    ],
)
def test_a_name_is_found(code: str, phrase: str) -> None:
    assert phrases(in_python(code, "module.py")) == [phrase]


def test_a_frame_is_found_in_the_scorer_only() -> None:
    assert phrases(in_python("frame = 1", "egrm_graph/scoring/layout.py")) == ["name: frame"]
    assert phrases(in_python("frame = 1", "egrm_graph/cli/main.py")) == []


@pytest.mark.parametrize(
    "code", ["n_kept = is_shown = 1", "whole_number = stayed = 1", "def test_why_it_is_kept(): pass"]
)
def test_a_name_that_says_enough_is_not(code: str) -> None:
    assert phrases(in_python(code, "module.py")) == []


def test_code_in_markdown_and_data_in_cases_are_not_read() -> None:
    assert phrases(in_markdown("```python\ntold = 1\n```\n\n[x](told.md)\n", "page.md")) == []
    assert phrases(in_cases('{"name": "a", "input": "told", "outcome": "told"}', "x.jsonl")) == []
    assert phrases(in_cases('{"name": "a told one", "input": "", "outcome": ""}', "x.jsonl")) == ["told"]


def phrases(found: Iterable[Finding]) -> list[str]:

    return [finding.phrase for finding in found]
