"""The choice among candidates and their rewards, against numbers worked by hand."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

import pytest

from egrm_graph.deciding.candidate_decision import UNJUDGED
from egrm_graph.deciding.decision import Decision
from egrm_graph.deciding.findings import Findings
from egrm_graph.deciding.selection_rules import weighted_vote
from egrm_graph.reasons import texts
from egrm_graph.settings import RunSettings
from egrm_graph.tasks import BestOfNTask, Judging, PairwiseTask, PointwiseTask, ToolCallsTask
from egrm_graph.uncertainty.evidence import evidence_of
from egrm_graph.verification import Asked, Judged, Path, Reading, Route, Sample, Uncertainty, Vote

AB, BA = "AB", "BA"


def near(value: float) -> Any:
    return pytest.approx(value)


def judged(n: int = 2, **changes: Any) -> Judged:
    complete = Judged(
        texts=[f"text {i}" for i in range(n)],
        unfit=[None] * n,
        same_as=list(range(n)),
        calls=[[] for _ in range(n)],
        items=list(range(n)),
        conversation=[],
        tools=None,
        rubric=None,
        code="c0de",
    )
    return {**complete, **changes}  # type: ignore[typeddict-item] # pyright checks the names


def sample(answer: str | None, order: str = AB) -> Sample:
    return Sample(
        text=answer,
        thinking=None,
        answer=answer,
        n_tokens=1,
        logprobs=None,
        top_logprobs=None,
        finish_reason="stop",
        seed=0,
        request_id="r.answer_fast.0",
        order=list(order),
        error=None,
    )


def path(answer: str | None, score: float | None = None, order: str = AB, unscored: str | None = None) -> Path:
    return cast("Path", {**sample(answer, order), "score": score, "unscored": unscored})


def reading(order: str, probabilities: Mapping[str, float] | None, samples: int = 3) -> Reading:
    return Reading(
        order=list(order),
        probabilities=None if probabilities is None else dict(probabilities),
        mass=1.0,
        samples=samples,
        request_id="r.answer_fast.0",
        error=None,
    )


def decide(
    of: Judged,
    route: Route,
    samples: Sequence[Sample],
    readings: Sequence[Reading],
    paths: Sequence[Path],
    *,
    task: Judging | None = None,
    lost: bool = False,
    has_scorer: bool = True,
    **settings: Any,
) -> Decision:
    votes = evidence_of(samples, readings, lambda one, other: one == other).votes
    uncertainty = Uncertainty(
        measure="consensus",
        value=None,
        threshold=0.8,
        votes=[Vote(answer=answer, count=n) for answer, n in zip(votes.answers, votes.counts, strict=True)],
        samples=round(votes.total),
        planned=5,
        orders_agree=None,
        contested=[],
    )
    asked = Asked(question="1+1", history=[], reference=None, key="k", judged=of, run_id="r", started_at=0.0)
    findings = Findings(
        asked=asked,
        settings=RunSettings(**settings),
        route=route,
        uncertainty=uncertainty,
        samples=samples,
        readings=readings,
        paths=paths,
        select=weighted_vote,
        has_scorer=has_scorer,
        scores_calibrated=True,
        lost=lost,
    )
    return (task or BestOfNTask()).decide(findings)


def direct(of: Judged, samples: Sequence[Sample] = (), readings: Sequence[Reading] = (), **changes: Any) -> Decision:
    return decide(of, "direct", samples, readings, [], **changes)


def reasoned(of: Judged, paths: Sequence[Path], samples: Sequence[Sample] = (), **changes: Any) -> Decision:
    return decide(of, "reasoned", samples, [], paths, **changes)


def summary(decision: Decision) -> tuple[object, ...]:
    return (
        decision.status,
        decision.answer,
        decision.best_path,
        decision.confidence,
        tuple(texts(decision.reasons)),
    )


def test_on_the_direct_route_the_votes_are_the_rewards() -> None:
    votes = [*[sample("B", AB)] * 3, *[sample("B", BA)] * 2, sample("tie", BA)]
    decision = direct(judged(), task=PairwiseTask(), samples=votes)
    assert (summary(decision), decision.winner) == (("ok", "B", None, near(5 / 6), ()), 1)
    assert (decision.rewards, decision.tie) == ([0.0, near(5 / 6)], near(1 / 6))
    assert decision.unrewarded == [None, None]


def test_label_probabilities_are_the_rewards() -> None:
    decision = direct(judged(), readings=[reading(AB, {"A": 0.75, "B": 0.25}), reading(BA, {"B": 0.0, "A": 1.0})])
    assert (decision.winner, decision.rewards) == (0, [0.875, 0.125])


def test_scored_paths_share_the_reward_that_the_fast_verdicts_leave_them() -> None:
    fast = [sample("A", "ABC"), sample("B", "BCA"), sample("C", "CAB"), sample("A", "ABC")]
    # Fast, order by order: A 1/3, B 1/3, C 1/3. Paths: A (0.9 + 0.2) / 2 = 0.55, B 0.45; of the 2/3 that C leaves.
    decision = reasoned(judged(3), [path("A", 0.9, AB), path("B", 0.8, BA)], fast)
    assert (decision.winner, decision.best_path, decision.reasons) == (0, 0, ())
    assert decision.rewards == [near(0.55 * 2 / 3), near(0.45 * 2 / 3), near(1 / 3)]


def test_the_best_path_is_the_winners_path_with_the_best_score() -> None:
    decision = reasoned(judged(), [path("B", 0.9, AB), path("A", 0.8, AB), path("A", 0.9, BA), path("A", 0.7, BA)])
    # A: order AB (0.1 + 0.8) / 2 = 0.45, order BA (0.9 + 0.7) / 2 = 0.8.
    assert (decision.winner, decision.best_path, decision.rewards) == (0, 2, [near(0.625), near(0.375)])


def test_an_exact_draw_is_reported_as_a_tie() -> None:
    decision = direct(judged(), [sample("A", AB), sample("B", BA)])
    assert (decision.winner, summary(decision)) == (None, ("ok", "tie", None, 0.5, ("a draw: A and B",)))
    assert decision.rewards == [0.5, 0.5]


def test_a_vote_for_a_tie_has_no_winner() -> None:
    decision = direct(judged(), task=PairwiseTask(), samples=[sample("tie", AB), sample("tie", BA)])
    assert (decision.winner, summary(decision), decision.tie) == (None, ("ok", "tie", None, 1.0, ()), 1.0)
    assert decision.rewards == [0.0, 0.0]


def test_equal_candidates_have_the_same_reward() -> None:
    decision = direct(judged(3, same_as=[0, 1, 0], items=[1, 0]), [sample("A", AB), sample("A", BA)])
    assert (decision.winner, decision.rewards) == (0, [1.0, 0.0, 1.0])


def test_an_unfit_candidate_has_no_reward_and_degrades_the_run() -> None:
    decision = direct(
        judged(3, unfit=[None, "it is empty", None], items=[0, 2]), [sample("C", "AC"), sample("C", "CA")]
    )
    assert (decision.winner, decision.rewards, decision.unrewarded) == (
        2,
        [0.0, None, 1.0],
        [None, "it is empty", None],
    )
    assert summary(decision) == ("degraded", "C", None, 1.0, ("B cannot be judged: it is empty",))


def test_an_order_without_a_verdict_degrades_the_run() -> None:
    decision = reasoned(judged(), [path("A", order=AB), path(None, order=BA)], has_scorer=False)
    reasons = ("paths voted: the graph has no scorer", "1 of 2 orders of the candidates gave no verdict")
    assert summary(decision) == ("degraded", "A", None, 1.0, reasons)
    decision = direct(judged(), [sample("A", AB), sample(None, BA)])
    assert summary(decision) == ("degraded", "A", None, 1.0, reasons[1:])


def test_a_lost_verdict_in_one_order_does_not_favor_the_first_place() -> None:
    decision = reasoned(judged(), [path("A", order=AB), path(None, order=AB), path("B", order=BA), path("B", order=BA)])
    assert (decision.winner, decision.rewards) == (None, [0.5, 0.5])


def test_unscored_paths_vote_and_degrade_the_run() -> None:
    decision = reasoned(judged(), [path("B", order=order, unscored="out of memory") for order in (AB, BA)])
    assert summary(decision) == ("degraded", "B", None, 1.0, ("paths voted: none of them could be scored",))


def test_an_unscored_path_is_ignored_if_others_have_scores() -> None:
    decision = reasoned(judged(), [path("A", 0.75, AB), path("A", 0.75, BA), path("B", None, BA, "too long")])
    assert decision.rewards == [0.75, 0.25]


def test_without_a_path_answer_the_fast_verdicts_decide_and_the_run_is_degraded() -> None:
    decision = reasoned(judged(), [path(None)] * 2, [sample("A", AB), sample("A", BA), sample("B", BA)])
    reason = "no path gave an answer; the fast answers decided, though they did not converge"
    assert (summary(decision), decision.rewards) == (("degraded", "A", None, 0.75, (reason,)), [0.75, 0.25])


def test_without_any_verdict_it_abstains_and_has_no_rewards() -> None:
    decision = reasoned(judged(3, unfit=[None, None, "it is empty"], items=[0, 1]), [path(None)], [sample(None)])
    assert decision.status == "abstained"
    assert (decision.winner, decision.rewards, decision.tie) == (None, [None] * 3, None)
    assert decision.unrewarded == [UNJUDGED, UNJUDGED, "it is empty"]


def test_if_all_candidates_are_equal_the_result_is_a_tie_or_the_single_one() -> None:
    reason = "all candidates are equal; nothing had to be judged"
    for tie, answer, winner in ((True, "tie", None), (False, "B", 1)):
        decision = direct(judged(2, same_as=[1, 1], items=[1]), task=PairwiseTask() if tie else None)
        assert summary(decision) == ("ok", answer, None, None, (reason,))
        assert (decision.winner, decision.rewards, decision.unrewarded, decision.tie) == (
            winner,
            [None] * 2,
            [reason] * 2,
            None,
        )


def test_a_single_fit_candidate_does_not_win_by_default() -> None:
    decision = direct(judged(2, unfit=[None, "it is empty"], items=[0]))
    assert (decision.status, decision.winner, decision.rewards) == ("abstained", None, [None, None])


CALLS = [["search"], ["search"], ["book"], []]


def by_name(*votes: str) -> Decision:
    samples = [sample(vote, "ABCD") for vote in votes]
    return direct(judged(4, calls=CALLS), samples, task=ToolCallsTask(), tool_votes="hierarchical")


def test_hierarchical_votes_choose_the_tool_first_and_then_the_call() -> None:
    assert by_name("A", "A", "B", "C", "C").winner == 0  # search 3, book 2
    assert direct(judged(4, calls=CALLS), [sample(vote, "ABCD") for vote in "AABCCC"]).winner == 2


def test_a_draw_among_the_calls_of_the_chosen_tool_names_them() -> None:
    decision = by_name("A", "B", "A", "B", "C", "C", "C")
    assert (decision.winner, decision.confidence) == (None, near(2 / 7))
    assert texts(decision.reasons) == ["a draw: A and B"]


def test_a_draw_among_tools_goes_to_their_call_with_the_most_votes() -> None:
    assert by_name("A", "A", "B", "C", "C", "C", "D", "D").winner == 2  # search 3, book 3, a reply 2
    assert by_name("A", "B", "C", "C", "D").winner == 2


def grades(*answers: str | None) -> Decision:
    samples = [sample(answer, "") for answer in answers]
    return direct(judged(1, same_as=[0]), samples, task=PointwiseTask(), lowest_grade=1, highest_grade=3)


def test_the_grade_is_the_most_likely_one_and_the_reward_the_mean() -> None:
    decision = grades("3", "3", "3", "1")
    assert (summary(decision), decision.winner) == (("ok", "3", None, 0.75, ()), None)
    assert (decision.rewards, decision.unrewarded) == ([0.75], [None])


def test_the_lower_of_two_equally_likely_grades_wins() -> None:
    assert grades("3", "2").answer == "2"


def test_an_earlier_failure_degrades_any_verdict() -> None:
    paths = [path("A", 0.5, AB), path("A", 0.75, BA)]
    assert reasoned(judged(), paths, lost=True).status == "degraded"
    assert reasoned(judged(), paths).status == "ok"
