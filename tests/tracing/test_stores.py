"""Both kinds of store return what they were given."""

from pathlib import Path
from typing import Any

import pytest

from egrm_graph.errors import InputError
from egrm_graph.records.record import Record
from egrm_graph.tracing.encoding import encoded
from egrm_graph.tracing.filter import Filter
from egrm_graph.tracing.opening import open_store
from egrm_graph.tracing.run_summary import summary_of
from egrm_graph.tracing.store_reading import record_of, records, runs
from tests.tracing.records import STARTED, record, verification


@pytest.fixture(params=["runs.db", "runs"])
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return tmp_path / str(request.param)


def stored(path: Path, *made: Record) -> Path:
    store = open_store(path, None, None)
    for item in made:
        store.put(item)
    assert store.flush()
    store.close()
    return path


def run(run_id: str, age_s: float = 0, **changes: Any) -> Record:
    return record(run_id=run_id, started_at=STARTED - age_s, **changes)


def test_a_record_is_stored_unchanged(path: Path) -> None:
    made = record(asked=None, metadata={"<b>": "\x00\x1b\u202e ö"})
    assert record_of(stored(path, made), made["run_id"]) == made


def test_put_takes_a_snapshot(path: Path) -> None:
    store, made = open_store(path, None, None), record()
    store.put(made)
    made["ending"] = "failed"
    store.close()
    assert record_of(path, "latest")["ending"] == "ok"


def test_runs_are_listed_newest_first_with_every_column(path: Path) -> None:
    failed = run("b", 20, verification=None, ending="failed", asked=None, margin=None)
    made = [run("c", 10), failed, run("a", 30)]
    assert list(runs(stored(path, *made))) == [summary_of(item, len(encoded(item))) for item in made]


def test_many_runs_are_listed_in_order_without_duplicates(path: Path) -> None:
    made = [run(f"{i:04}", age_s=i // 7) for i in range(1203)]
    found = [row.run_id for row in runs(stored(path, *made))]
    assert found == [item["run_id"] for item in sorted(made, key=lambda it: (-it["started_at"], -int(it["run_id"])))]


def test_a_filter_selects_runs_and_records(path: Path) -> None:
    direct = run("direct", verification=verification(route="direct", correct=False))
    stored(path, run("old", 100), direct, run("slow", ms=900.0))
    assert [row.run_id for row in runs(path, Filter(route="reasoned"))] == ["slow", "old"]
    assert [row.run_id for row in runs(path, Filter(since=STARTED - 50, wrong=True))] == ["direct"]
    assert list(records(path, Filter(min_ms=500))) == [run("slow", ms=900.0)]


def test_a_run_that_is_recorded_again_replaces_the_first(path: Path) -> None:
    stored(path, run("a", ending="unfinished", verification=None), run("b", 10), run("a"))
    assert [(row.run_id, row.ending) for row in runs(path)] == [("a", "ok"), ("b", "ok")]
    assert record_of(path, "a") == run("a")


def test_a_later_process_adds_to_the_store(path: Path) -> None:
    stored(stored(path, run("a", 10)), run("b"))
    assert [row.run_id for row in runs(path)] == ["b", "a"]


def test_a_run_is_found_by_id_by_prefix_or_as_the_latest(path: Path) -> None:
    stored(path, run("abc", 1), run("abd", 2), run("ab", 3), run("x_1", 4), run("x%1", 5))
    for name, expected in {"abc": "abc", "ab": "ab", "abd": "abd", "latest": "abc", "x_": "x_1", "x%": "x%1"}.items():
        assert record_of(path, name)["run_id"] == expected


def test_an_ambiguous_prefix_names_the_runs(path: Path) -> None:
    stored(path, *(run(f"a{i}") for i in range(7)))
    with pytest.raises(InputError, match=r"several runs begin with 'a': a0, a1, a2, a3, a4, \.\.\.; give more"):
        record_of(path, "a")


def test_an_unknown_run_is_an_error(path: Path) -> None:
    stored(path, run("a"))
    with pytest.raises(InputError, match=r"no run 'zz' in .*egrm trace list"):
        record_of(path, "zz")


def test_reading_a_missing_store_is_an_error_and_creates_nothing(path: Path) -> None:
    for read in (lambda: list(runs(path)), lambda: record_of(path, "latest")):
        with pytest.raises(InputError, match=r"no store at .*--trace,"):
            read()
    assert list(path.parent.iterdir()) == []


def test_a_store_is_created_with_the_first_record(path: Path) -> None:
    store = open_store(path, None, None)
    assert store.flush()
    store.close()
    assert list(path.parent.iterdir()) == []


def test_a_record_of_a_later_version_is_an_error(path: Path) -> None:
    stored(path, record(version=2))
    with pytest.raises(InputError, match="recorded in version 2, but this package reads up to 1"):
        record_of(path, "latest")


def test_a_store_that_is_not_closed_is_written(path: Path) -> None:
    store = open_store(path, None, None)
    store.put(record())
    del store
    assert record_of(path, "latest") == record()
