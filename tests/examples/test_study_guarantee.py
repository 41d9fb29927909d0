"""The guarantee holds on synthetic data and on published logs, where the true risk is known."""

import os
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from guarantee import rows

from egrm_graph.replay.answer_log import LoggedQuestion, read_log
from egrm_graph.replay.answer_table import AnswerTable, table_of
from egrm_graph.replay.threshold_sequences import GateLoss
from tests.replay.logs import question

DATA = Path(os.environ.get("EGRM_DATA", Path(__file__).parents[3] / "shared" / "data"))
REWARD_BENCH = DATA / "replay" / "rewardbench2_mini_to_full.jsonl.gz"


def world(n: int, wrong_if_unanimous: float, seed: int) -> AnswerTable:
    """Half of the questions are unanimous. Of the others, half are wrong. Reasoning is always right."""
    rng = np.random.default_rng(seed)

    def drawn(i: int) -> LoggedQuestion:
        if rng.random() < 0.5:
            return question(i, "888" if rng.random() < wrong_if_unanimous else "777")
        return question(i, "887" if rng.random() < 0.5 else "778")

    return table_of([drawn(i) for i in range(n)])


def test_a_gate_just_above_the_target_is_chosen_no_more_often_than_allowed() -> None:
    """Six of a hundred are unanimous and wrong, so no gate keeps 5 %."""
    found = [row for row in rows(world(2000, 0.12, seed=1), "excess", n_sets=500) if row.target_risk == 0.05]
    assert [row.sets for row in found] == ["drawn", "split"]
    assert all(row.over.low <= 0.05 for row in found)
    assert all(row.promised == row.over.value for row in found)  # every guarantee is an error here


def test_a_safe_gate_is_found() -> None:
    found = [row for row in rows(world(2000, 0.01, seed=1), "excess", n_sets=100) if row.target_risk == 0.02]
    assert all(row.promised > 0.95 and row.direct > 0.45 and row.over.value == 0 for row in found)


@pytest.mark.skipif(not REWARD_BENCH.exists(), reason="EGRM_DATA is not a folder with the published files")
@pytest.mark.parametrize("loss", get_args(GateLoss))
def test_the_guarantee_holds_on_a_published_log_and_skips_reasoning(loss: GateLoss) -> None:
    found = list(rows(table_of(read_log(REWARD_BENCH)), loss, n_sets=500))
    assert len(found) == 6
    assert all(row.over.low <= 0.05 for row in found)
    assert all(row.held_out_over is None or row.held_out_over <= 0.07 for row in found)
    if loss == "excess":
        assert all(row.direct_low >= 0.25 for row in found if row.target_risk == 0.02)
