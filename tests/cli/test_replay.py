"""`egrm replay` as a user runs it."""

import json
import re
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from egrm_graph.cli import app
from tests.replay.logs import question, written

LOG = [question(i, ("77777", "88777", "78889")[i % 3], "77", tokens=(2, 30)) for i in range(30)]


def replayed(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["replay", *map(str, arguments)], env={"COLUMNS": "100"})


def test_tables_have_every_measure_and_size(tmp_path: Path) -> None:
    done = replayed(written(tmp_path / "log.jsonl", LOG))
    assert done.exit_code == 0, done.output
    rows = re.findall(r"^(consensus|vote_entropy) +(\d)", done.stdout, re.MULTILINE)
    assert rows == [(name, m) for _ in range(2) for name in ("consensus", "vote_entropy") for m in "35"]
    assert "log.jsonl: 30 questions" in done.stdout
    assert "Always reasoning: accuracy 1.000 [1.000, 1.000], 60.0 tokens" in done.stdout


def test_json_has_the_curves_and_null_for_nan(tmp_path: Path) -> None:
    log = written(tmp_path / "log.jsonl", [question(i, "8") for i in range(5)])
    result = json.loads(replayed(log, "--measure", "consensus", "--json").stdout)
    assert (result["questions"], result["always"]) == (5, 1.0)
    (curve,) = result["curves"]
    assert curve["auroc"] == {"value": None, "low": None, "high": None}
    assert [point["accuracy"]["value"] for point in curve["points"]] == [1.0, 0.0]


def test_the_page_has_the_curves_and_loads_nothing(tmp_path: Path) -> None:
    log = written(tmp_path / "<log>.jsonl", LOG)
    done = replayed(log, "--samples", 5, "--html", tmp_path / "page.html")
    assert done.exit_code == 0, done.output
    page = (tmp_path / "page.html").read_text()
    assert re.findall(r'src="([^"]{26})', page) == ["data:image/png;base64,iVBO"] * 2
    assert "Replay of &lt;log&gt;.jsonl" in page
    assert not re.search(r"https?://|<script|@import|url[(]", page)


def test_without_matplotlib_the_page_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "matplotlib"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    done = replayed(written(tmp_path / "log.jsonl", LOG), "--html", tmp_path / "page.html")
    assert (done.exit_code, (tmp_path / "page.html").exists()) == (2, False)
    assert "pip install 'egrm-graph[train]'" in done.stderr


def test_a_run_needs_its_questions(tmp_path: Path) -> None:
    run: dict[str, object] = {"id": "a", "route": "reasoned", "answer": "7", "confidence": 0.5, "best_path": None}
    run["uncertainty"] = {"samples": 3, "planned": 3}
    draws = [{"answer": "7", "n_tokens": 1}] * 3
    (tmp_path / "run.jsonl").write_text(json.dumps({**run, "samples": draws, "paths": draws}) + "\n")
    (tmp_path / "questions.jsonl").write_text('{"id": "a", "question": "3+4", "reference": "7"}\n')
    alone = replayed(tmp_path / "run.jsonl")
    assert (alone.exit_code, "(--questions)" in alone.stderr) == (2, True)
    result = json.loads(replayed(tmp_path / "run.jsonl", "--questions", tmp_path / "questions.jsonl", "--json").stdout)
    assert (result["questions"], result["always"]) == (1, 1.0)
