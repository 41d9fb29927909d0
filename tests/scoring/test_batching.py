"""Batches of paths from many runs: shared, bounded, fair, and dropped when no run waits for them."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from egrm_graph.errors import ModelError, SettingsError
from egrm_graph.scoring.batch_queue import next_batch
from egrm_graph.scoring.batching import Batcher
from egrm_graph.scoring.score_row import RowScores, ScoreRow, only_scores
from egrm_graph.scoring.scorer import Unscored

Rows = Sequence[list[int] | Unscored]


class Model:
    """Scores a row by its first token, or by those at its places, and blocks until the gate opens."""

    def __init__(self) -> None:
        self.batches: list[list[list[int]]] = []
        self.running = threading.Event()
        self.gate = threading.Event()

    def __call__(self, rows: Sequence[ScoreRow]) -> list[RowScores]:
        self.batches.append([list(row.ids) for row in rows])
        self.running.set()
        assert self.gate.wait(60)
        return [[row.ids[place] / 10 for place in row.places or (0,)] for row in rows]


class Scoring:
    def __init__(self, max_pending_paths: int = 16, max_batch_tokens: int = 6) -> None:
        self.model = Model()
        self.batcher = Batcher(
            self.model, name="fake", max_batch_tokens=max_batch_tokens, max_pending_paths=max_pending_paths
        )

    def score(self, *rows: list[int] | Unscored) -> asyncio.Task[list[float | Unscored]]:
        return asyncio.create_task(self.read(len(rows), lambda: rows))

    async def read(self, n: int, read: Callable[[], Rows], *, quick: bool = False) -> list[float | Unscored]:
        """The scores of rows that each have one."""

        def whole_rows() -> list[ScoreRow | Unscored]:
            return [row if isinstance(row, Unscored) else ScoreRow(row) for row in read()]

        return only_scores(await self.batcher.score(n, whole_rows, quick=quick))

    async def running(self) -> None:
        """Wait until a batch blocks at the gate."""
        assert await asyncio.to_thread(self.model.running.wait, 60)

    async def inside(self, n_rows: int) -> None:
        """Wait until this many rows are queued."""
        while self.batcher.n_queued != n_rows:
            await asyncio.sleep(0.001)


async def all_of(*tasks: asyncio.Task[list[float | Unscored]]) -> list[list[float | Unscored]]:
    return [await task for task in tasks]


@pytest.fixture
async def scoring() -> AsyncIterator[Scoring]:
    made = Scoring()
    yield made
    made.model.gate.set()
    await asyncio.to_thread(made.batcher.close)


@pytest.mark.parametrize(
    ("lengths", "expected"),
    [
        ([], []),
        ([9], [0]),  # alone, although it is longer than the limit
        ([2, 2, 2, 2], [0, 1, 2]),
        ([3, 1, 3], [1, 0]),
        ([1, 5, 2, 3], [0, 2]),  # 1 and 2 make 4 with padding; with 3 they would make 9
        ([3, 1, 2, 6], [0]),  # 1 and 2 go together; 3 with 6 would make 12
    ],
)
def test_rows_are_batched_by_length_and_the_batch_with_the_first_row_is_next(
    lengths: list[int], expected: list[int]
) -> None:
    assert next_batch(lengths, 6) == expected


@given(st.lists(st.integers(1, 50), min_size=1), st.integers(1, 200))
def test_a_batch_has_the_first_row_and_fits(lengths: list[int], max_tokens: int) -> None:
    batch = next_batch(lengths, max_tokens)
    assert 0 in batch
    assert len(set(batch)) == len(batch)
    assert len(batch) == 1 or len(batch) * max(lengths[i] for i in batch) <= max_tokens


async def test_waiting_requests_share_batches_of_similar_length(scoring: Scoring) -> None:
    first = scoring.score([9])
    await scoring.running()
    others = [scoring.score([1, 1, 1], [2]), scoring.score([3, 3, 3], [4])]
    await scoring.inside(4)
    scoring.model.gate.set()
    assert await all_of(first, *others) == [[0.9], [0.1, 0.2], [0.3, 0.4]]
    assert [sorted(batch) for batch in scoring.model.batches] == [[[9]], [[1, 1, 1], [3, 3, 3]], [[2], [4]]]


async def test_the_row_that_has_waited_longest_is_in_the_next_batch(scoring: Scoring) -> None:
    first = scoring.score([9])
    await scoring.running()
    long = scoring.score([1] * 6)
    await scoring.inside(1)
    short = [scoring.score([i]) for i in range(2, 6)]
    await scoring.inside(5)
    scoring.model.gate.set()
    await asyncio.gather(first, long, *short)
    assert scoring.model.batches[1] == [[1] * 6]


async def test_equal_rows_are_scored_once(scoring: Scoring) -> None:
    first = scoring.score([9])
    await scoring.running()
    others = [scoring.score([1, 2], [1, 2]), scoring.score([1, 2])]
    while scoring.batcher.n_queued < 1 or scoring.batcher.n_reading:
        await asyncio.sleep(0.001)
    scoring.model.gate.set()
    assert await all_of(first, *others) == [[0.9], [0.1, 0.1], [0.1]]
    assert scoring.model.batches == [[[9]], [[1, 2]]]


async def test_rows_with_other_places_are_scored_on_their_own(scoring: Scoring) -> None:
    first = scoring.score([9])
    await scoring.running()
    rows = [ScoreRow([1, 2, 3], (0, 2)), ScoreRow([1, 2, 3], (1,)), ScoreRow([1, 2, 3], (0, 2)), ScoreRow([1, 2, 3])]
    steps = asyncio.create_task(scoring.batcher.score(4, lambda: rows))
    await scoring.inside(3)
    scoring.model.gate.set()
    assert await steps == [[0.1, 0.3], [0.2], [0.1, 0.3], [0.1]]
    await first


async def test_unscored_rows_keep_their_places(scoring: Scoring) -> None:
    scoring.model.gate.set()
    flaw = Unscored("the path is empty")
    assert await scoring.score(flaw, [1], flaw, [2]) == [flaw, 0.1, flaw, 0.2]
    assert await scoring.score(flaw) == [flaw]


async def test_a_cancelled_request_is_removed_and_another_gets_its_permits() -> None:
    scoring = Scoring(max_pending_paths=3)
    first = scoring.score([9])
    await scoring.running()
    cancelled = scoring.score([1], [2])
    await scoring.inside(2)
    next_one = scoring.score([3])  # at most three rows may be pending
    await asyncio.sleep(0.01)
    assert scoring.batcher.n_queued == 2
    cancelled.cancel()
    await scoring.inside(1)
    scoring.model.gate.set()
    assert await all_of(first, next_one) == [[0.9], [0.3]]
    assert scoring.model.batches == [[[9]], [[3]]]
    assert cancelled.cancelled()
    await asyncio.to_thread(scoring.batcher.close)


async def test_cancelling_a_request_keeps_an_equal_row_of_another_one(scoring: Scoring) -> None:
    first = scoring.score([9])
    await scoring.running()
    cancelled, other = scoring.score([1]), scoring.score([1], [2])
    await scoring.inside(2)
    cancelled.cancel()
    await asyncio.wait([cancelled])
    scoring.model.gate.set()
    assert await all_of(first, other) == [[0.9], [0.1, 0.2]]


async def test_cancelling_a_running_request_returns_at_once(scoring: Scoring) -> None:
    running = scoring.score([1])
    await scoring.running()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    after = scoring.score([2])
    scoring.model.gate.set()
    assert await after == [0.2]


async def test_cancelling_a_request_that_waits_for_permits_removes_it() -> None:
    scoring = Scoring(max_pending_paths=1)
    first, cancelled, last = scoring.score([1]), scoring.score([2]), scoring.score([3])
    await scoring.running()
    cancelled.cancel()
    await asyncio.wait([cancelled])
    scoring.model.gate.set()
    assert await all_of(first, last) == [[0.1], [0.3]]
    assert scoring.model.batches == [[[1]], [[3]]]
    await asyncio.to_thread(scoring.batcher.close)


async def test_at_most_the_pending_limit_of_paths_is_tokenized() -> None:
    scoring = Scoring(max_pending_paths=2)
    read: list[int] = []

    def reading(i: int) -> Rows:
        read.append(i)
        return [[i]]

    tasks = [asyncio.create_task(scoring.read(1, partial(reading, i))) for i in range(1, 5)]
    await scoring.running()
    await asyncio.sleep(0.02)
    assert sorted(read) == [1, 2]
    scoring.model.gate.set()
    assert await all_of(*tasks) == [[0.1], [0.2], [0.3], [0.4]]
    await asyncio.to_thread(scoring.batcher.close)


async def test_slow_tokenization_does_not_delay_other_requests(scoring: Scoring) -> None:
    scoring.model.gate.set()
    release = threading.Event()

    def slow() -> Rows:
        assert release.wait(60)
        return [[2]]

    slow_task = asyncio.create_task(scoring.read(1, slow))
    assert await scoring.score([1]) == [0.1]
    assert not slow_task.done()
    release.set()
    assert await slow_task == [0.2]


async def test_quick_tokenization_runs_on_the_worker_while_it_is_idle(scoring: Scoring) -> None:
    readers: list[str] = []

    def reading(i: int) -> Rows:
        readers.append(threading.current_thread().name)
        return [[i]]

    first = asyncio.create_task(scoring.read(1, partial(reading, 1), quick=True))
    await scoring.running()
    second = asyncio.create_task(scoring.read(1, partial(reading, 2), quick=True))
    await scoring.inside(1)
    scoring.model.gate.set()
    assert await all_of(first, second) == [[0.1], [0.2]]
    assert readers == ["egrm-scorer_0", "egrm-scorer-reader_0"]


async def test_a_tokenization_error_affects_only_its_caller(scoring: Scoring) -> None:
    scoring.model.gate.set()

    def broken() -> Rows:
        raise ValueError("no such text")

    with pytest.raises(ValueError, match="no such text"):
        await scoring.read(1, broken)
    assert await scoring.score([1]) == [0.1]


async def test_closing_fails_running_and_queued_requests() -> None:
    scoring = Scoring(max_pending_paths=2)
    tasks = [scoring.score([i]) for i in range(1, 4)]
    await scoring.running()
    closing = asyncio.create_task(asyncio.to_thread(scoring.batcher.close))
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [ModelError] * 3
    assert str(outcomes[0]) == "the scorer 'fake' is closed; load it again"
    assert not closing.done()  # the batch still runs
    scoring.model.gate.set()
    await closing
    with pytest.raises(ModelError, match="is closed"):
        await scoring.score([1])


def test_event_loops_in_several_threads_share_batches() -> None:
    scoring = Scoring(max_pending_paths=2)
    scoring.model.gate.set()
    found: dict[int, list[float | Unscored]] = {}

    def run(i: int) -> None:
        found[i] = asyncio.run(scoring.read(1, lambda: [[i]]))

    threads = [threading.Thread(target=run, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {i: [i / 10] for i in range(8)}
    scoring.batcher.close()


def test_a_pending_limit_of_zero_is_refused() -> None:
    with pytest.raises(SettingsError, match="max_pending_paths=0"):
        Scoring(max_pending_paths=0)


def test_the_interpreter_exits_with_a_busy_scorer_open() -> None:
    code = """
import asyncio, time
from egrm_graph.scoring.batching import Batcher
from egrm_graph.scoring.score_row import ScoreRow

def slow(rows):
    time.sleep(0.2)
    return [[0.5]] * len(rows)

async def main():
    batcher = Batcher(slow, name="open", max_batch_tokens=1, max_pending_paths=100)
    tasks = [asyncio.create_task(batcher.score(1, lambda i=i: [ScoreRow([i])])) for i in range(1000)]
    await asyncio.sleep(0.1)

asyncio.run(main())
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=20, check=True)
    assert (run.stdout, run.stderr) == ("", "")
