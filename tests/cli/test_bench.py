import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from egrm_graph.benchmark.bench_methods import METHODS
from egrm_graph.cli import app
from egrm_graph.cli.bench import names_in as names

RUN = CliRunner()


@pytest.mark.slow
def test_methods_are_compared_on_a_file_of_questions(tmp_path: Path) -> None:
    questions = tmp_path / "questions.jsonl"
    questions.write_text('{"question": "1+2", "reference": "3"}\n{"question": "4+4", "reference": "8"}\n')
    options = ["--output", str(tmp_path / "out"), "--methods", "never,always,egrm,random,oracle"]
    done = RUN.invoke(app, ["bench", str(questions), *options])
    assert done.exit_code == 0, done.stderr
    assert f"written: {tmp_path / 'out' / 'results.jsonl'}, " in done.stderr
    assert all(name in done.stdout for name in ("never", "always", "egrm", "random", "oracle"))
    figures = json.loads((tmp_path / "out" / "figures.json").read_text())
    assert [row["method"] for row in figures] == ["never", "always", "egrm", "random", "oracle"]
    assert figures[0]["accuracy"]["value"] == 1.0
    again = RUN.invoke(app, ["bench", str(questions), *options])
    assert again.exit_code == 2
    assert "continue it with --resume" in again.stderr
    resumed = RUN.invoke(app, ["bench", str(questions), *options, "--resume"])
    assert resumed.exit_code == 0
    assert json.loads((tmp_path / "out" / "figures.json").read_text()) == figures


@pytest.mark.slow
def test_all_methods_are_decided_on_the_same_draws_with_the_figures_of_a_live_run(tmp_path: Path) -> None:
    methods = "never,always,egrm,egrm[paths=2,selection=best_score],random,oracle,sc@4,any@4,egrm:token_entropy=0.2"

    def bench(output: str, *options: str) -> Result:
        done = RUN.invoke(app, ["bench", "--output", str(tmp_path / output), "--methods", methods, *options])
        assert done.exit_code == 0, done.stderr
        return done

    def rows(output: str) -> list[dict[str, Any]]:
        read: list[dict[str, Any]] = json.loads((tmp_path / output / "figures.json").read_text())
        return read

    draws = ["--draws", str(tmp_path / "draws")]
    bench("live", "--sample", "6")
    bench("drawn", "--sample", "6", *draws)
    saved = (tmp_path / "draws" / "draws.jsonl").read_bytes()
    bench("decided", "--sample", "6", *draws, "--draws-only")
    assert [row["p50_s"] is None for row in rows("live")] == [name in ("random", "oracle") for name in names(methods)]
    untimed = [{**row, "p50_s": None, "p95_s": None} for row in rows("live")]
    assert rows("drawn") == rows("decided") == untimed
    seeds = [(line["seed"], line["sampling"]["logprobs"]) for line in map(json.loads, saved.splitlines())]
    assert len(seeds) == len(set(seeds))
    assert {logprobs for _, logprobs in seeds} == {0, 20}

    more = bench("more", "--sample", "8", *draws, "--draws-only")
    assert "2 questions could not be asked, and do not count" in more.stderr
    assert "not among the saved draws" in more.stderr
    assert more.stdout.startswith("6 questions, at most 32 at once")
    assert (tmp_path / "draws" / "draws.jsonl").read_bytes() == saved
    for row, fewer in zip(rows("more"), rows("decided"), strict=True):
        assert row["accuracy"] == fewer["accuracy"]

    other = ["--task", "pairwise", "--output", str(tmp_path / "other"), "--methods", "never", "--sample", "1"]
    refused = RUN.invoke(app, ["bench", *other, *draws])
    assert refused.exit_code == 2
    assert "have the model 'egrm-tiny' instead of 'egrm-tiny-judge'; name another folder" in refused.stderr


def test_draws_only_needs_a_folder(tmp_path: Path) -> None:
    done = RUN.invoke(app, ["bench", "--output", str(tmp_path / "out"), "--draws-only"])
    assert (done.exit_code, done.stderr.strip()) == (2, "egrm: --draws-only needs --draws FOLDER")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("methods", "read"),
    [
        ("never, always", ["never", "always"]),
        ("egrm[paths=8,selection=best_score],never", ["egrm[paths=8,selection=best_score]", "never"]),
        ("egrm:consensus=0.6@3+all[paths=2, seed=1] , sc@8[path_top_p=0.9]", None),
    ],
)
def test_commas_in_brackets_do_not_separate_methods(methods: str, read: list[str] | None) -> None:
    assert names(methods) == (read or ["egrm:consensus=0.6@3+all[paths=2, seed=1]", "sc@8[path_top_p=0.9]"])


def test_wrong_names_and_files_are_one_line_errors(tmp_path: Path) -> None:
    output = ["--output", str(tmp_path / "out")]
    twice = RUN.invoke(app, ["bench", *output, "--methods", "never,never"])
    assert (twice.exit_code, twice.stderr.strip()) == (2, "egrm: --methods has never twice; name each method once")
    unknown = RUN.invoke(app, ["bench", *output, "--sample", "1", "--methods", "sometimes"])
    assert unknown.exit_code == 2
    assert "unknown method 'sometimes'; choose from never, always, always@N, until@N, " in unknown.stderr
    underived = RUN.invoke(app, ["bench", *output, "--sample", "1", "--methods", "never,egrm,oracle"])
    assert underived.exit_code == 2
    assert underived.stderr.strip() == (
        "egrm: the method 'oracle' is derived from never, always, and egrm; add always"
    )  # and no model was loaded for it
    missing = RUN.invoke(app, ["bench", str(tmp_path / "none.jsonl"), *output])
    assert missing.exit_code == 2
    assert "none.jsonl" in missing.stderr


def test_it_lists_every_method() -> None:
    done = RUN.invoke(app, ["bench", "--list-methods"])
    assert done.exit_code == 0
    assert [line.split()[0] for line in done.stdout.splitlines()] == [method.name for method in METHODS]
