from collections.abc import Sequence
from typing import Any

import pytest

from egrm_graph.deciding.answer_decision import decide_answer
from egrm_graph.deciding.decision import Decision
from egrm_graph.deciding.findings import Findings
from egrm_graph.deciding.selection_rules import SELECTION_RULES
from egrm_graph.errors import RunError
from egrm_graph.reasons import texts
from egrm_graph.settings import RunSettings
from egrm_graph.verification import Asked, Path, Route, Uncertainty, Vote


def same(one: str, other: str) -> bool:
    return one == other


def path(answer: str | None, score: float | None = None, unscored: str | None = None) -> Path:
    return Path(
        text="",
        thinking=None,
        answer=answer,
        n_tokens=1,
        finish_reason="stop",
        seed=0,
        request_id="r",
        order=[],
        logprobs=None,
        top_logprobs=None,
        error=None,
        score=score,
        unscored=unscored,
    )


def fast(*votes: tuple[str, int], samples: int = 5) -> Uncertainty:
    counted = [Vote(answer=answer, count=count) for answer, count in votes]
    return Uncertainty(
        measure="consensus",
        value=0.0,
        threshold=0.8,
        votes=counted,
        samples=samples,
        planned=samples,
        orders_agree=None,
        contested=[],
    )


def decide(
    route: Route,
    uncertainty: Uncertainty,
    paths: Sequence[Path] = (),
    *,
    rule: str = "best_score",
    lost: bool = False,
    has_scorer: bool = True,
    reference: str | None = None,
    **changes: Any,
) -> Decision:
    asked = Asked(question="1+1", history=[], reference=reference, key="1+1", judged=None, run_id="r", started_at=0.0)
    findings = Findings(
        asked=asked,
        settings=RunSettings(),
        route=route,
        uncertainty=uncertainty,
        samples=[],
        readings=[],
        paths=paths,
        select=changes.get("select", SELECTION_RULES[rule]),
        has_scorer=has_scorer,
        scores_calibrated=True,
        lost=lost,
    )
    return decide_answer(findings, same)


def summary(decision: Decision) -> tuple[object, ...]:
    return (
        decision.status,
        decision.answer,
        decision.best_path,
        decision.confidence,
        tuple(texts(decision.reasons)),
    )


def test_the_direct_route_takes_the_top_vote_and_its_share_of_all_voters() -> None:
    assert summary(decide("direct", fast(("56", 4)))) == ("ok", "56", None, 0.8, ())


def test_the_reasoned_route_takes_the_best_score_over_the_majority() -> None:
    paths = [path("1", 0.2), path("1", 0.3), path("2", 0.9)]
    assert summary(decide("reasoned", fast(("1", 2)), paths, rule="best_score", lost=False)) == ("ok", "2", 2, 0.9, ())


def test_the_first_of_equal_scores_wins() -> None:
    paths = [path("1", 0.5), path("2", 0.5)]
    assert decide("reasoned", fast(), paths, rule="best_score", lost=False).best_path == 0


def test_an_unscored_path_never_beats_a_scored_one() -> None:
    paths = [path("1", None, "too long"), path("1", None, "too long"), path("2", 0.01)]
    assert summary(decide("reasoned", fast(), paths, rule="best_score", lost=True)) == ("degraded", "2", 2, 0.01, ())


def test_without_a_scorer_the_paths_vote_and_the_reason_says_so() -> None:
    paths = [path("1", None), path("2", None), path("2", None), path(None)]
    expected = ("ok", "2", None, 0.5, ("paths voted: the graph has no scorer",))
    assert summary(decide("reasoned", fast(), paths, has_scorer=False)) == expected


def test_if_the_scorer_scores_nothing_the_paths_vote_and_the_result_is_degraded() -> None:
    paths = [path("1", None, "the scorer failed"), path("1", None, "the scorer failed")]
    expected = ("degraded", "1", None, 1.0, ("paths voted: none of them could be scored",))
    assert summary(decide("reasoned", fast(), paths, rule="best_score", lost=True)) == expected


def test_without_a_path_answer_the_fast_votes_decide() -> None:
    decision = decide("reasoned", fast(("56", 2), ("57", 1)), [path(None)], rule="best_score", lost=False)
    assert (decision.status, decision.answer, decision.confidence) == ("degraded", "56", 0.4)
    assert "did not converge" in decision.reasons[0]["text"]


def test_without_any_answer_the_result_abstains() -> None:
    expected = ("abstained", None, None, None, ("neither a fast answer nor a path gave an answer",))
    assert summary(decide("reasoned", fast(), [path(None)], rule="best_score", lost=True)) == expected


def test_a_weighted_vote_adds_up_the_scores_of_equal_answers() -> None:
    paths = [path("1", 0.5), path("1", 0.6), path("2", 0.9), path("1", None, "too long")]
    decision = decide("reasoned", fast(), paths, rule="weighted_vote", lost=False)
    assert summary(decision) == ("ok", "1", 1, 0.6, ())


def test_paths_are_compared_by_what_their_steps_add_up_to_and_the_confidence_is_the_calibrated_score() -> None:
    paths: list[Path] = [{**path("1", 0.9), "aggregate": 0.2}, {**path("2", 0.8), "aggregate": 0.4}]
    assert summary(decide("reasoned", fast(), paths, lost=False)) == ("ok", "2", 1, 0.8, ())


def test_an_unscored_path_has_no_vote_among_scored_ones() -> None:
    paths = [path("1", None, "too long"), path("1", None, "too long"), path("2", 0.1)]
    assert decide("reasoned", fast(), paths, rule="majority_best", lost=True).answer == "2"


@pytest.mark.parametrize("chosen", [2, -1, None, 0.5])
def test_a_rule_that_returns_an_invalid_index_is_named(chosen: Any) -> None:
    with pytest.raises(RunError, match=r"'weighted_vote' returned .* for 2 paths"):
        decide("reasoned", fast(), [path("1", 0.5), path("2", 0.5)], select=lambda classes, scores: chosen)


def test_the_answer_is_compared_with_the_reference() -> None:
    assert decide("direct", fast(("56", 4)), reference="56").correct is True
    assert decide("direct", fast(("56", 4)), reference="57").correct is False
    assert decide("direct", fast(("56", 4))).correct is None
