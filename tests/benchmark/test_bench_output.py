import json
from dataclasses import replace
from pathlib import Path

from egrm_graph.benchmark.bench_figures import rows
from egrm_graph.benchmark.bench_folder import MethodResult
from egrm_graph.benchmark.bench_output import cells, markdown, plot, table, write

RESULTS = [
    MethodResult(method, f"q{i}", right, tokens, 0, method == "always", "ok", 0.5, n_fast, 1, 4, 1)
    for method, tokens, n_fast in (("never", 10, 5), ("always", 100, 0))
    for i, right in enumerate((True, False))
]
ROWS = rows(RESULTS, ["never", "always"])


def test_a_row_names_what_it_falls_short_of() -> None:
    never, always = map(cells, ROWS)
    assert never[0] == "never"
    assert never[3:] == ("10.0 [10.0, 10.0]", "0.0%", "0.0", "20.0% / 25.0%", "0.50", "0.50", "")
    assert never[2] == "+0.0 [+0.0, +0.0]"
    assert always[2] == ""
    assert always[6] == "- / 25.0%"


def test_a_time_that_was_not_measured_is_a_dash() -> None:
    untimed = rows([replace(result, seconds=None) for result in RESULTS], ["never", "always"])
    assert [cells(row)[7:9] for row in untimed] == [("-", "-"), ("-", "-")]


def test_a_derived_method_has_no_times_and_no_texts() -> None:
    gated = [replace(result, method="egrm") for result in RESULTS if result.method == "never"]
    random = cells(rows([*RESULTS, *gated], ["never", "always", "egrm", "random"])[-1])
    assert random[5:9] == ("", "", "", "")


def test_the_table_for_a_readme_has_a_line_for_each_method() -> None:
    lines = markdown(ROWS).splitlines()
    assert lines[0].startswith("| method | accuracy | ")
    assert [line.split(" | ")[0] for line in lines[2:]] == ["| never", "| always"]


def test_figures_results_and_plot_are_written(tmp_path: Path) -> None:
    written = write(tmp_path, ROWS, RESULTS)
    assert [file.name for file in written] == ["figures.json", "table.md", "results.parquet", "plot.png"]
    assert [row["method"] for row in json.loads(written[0].read_text())] == ["never", "always"]
    from pyarrow import parquet

    assert parquet.read_table(written[2]).column("completion_tokens").to_pylist() == [10, 10, 100, 100]
    assert plot(ROWS).startswith(b"\x89PNG")


def test_pairs_have_a_second_accuracy_by_rewardbench() -> None:
    scores = (1.0, 0.5, 1.0, 0.0)
    results = [replace(result, rewardbench=score) for result, score in zip(RESULTS, scores, strict=True)]
    made = rows(results, ["never", "always"])
    lines = [line.split(" | ") for line in markdown(made).splitlines()]
    assert [line[1:4] for line in lines[:1]] == [["accuracy", "by RewardBench", "points over always"]]
    assert [line[2].partition(" [")[0] for line in lines[2:]] == ["75.0 %", "50.0 %"]
    assert table(made, "").rows[0][2].startswith("75.0 %")
    assert "by RewardBench" not in markdown(ROWS)
    partly = rows([*results[:-1], RESULTS[-1]], ["never", "always"])
    assert [row.rewardbench is None for row in partly] == [False, True]
    assert markdown(partly).splitlines()[-1].split(" | ")[2] == ""
