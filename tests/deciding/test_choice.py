from egrm_graph.deciding.choice import Choice, choose
from egrm_graph.scoring.scorer import NO_SCORER
from egrm_graph.verification import Path, Uncertainty, Vote


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


def test_direct_takes_the_vote_and_its_share_of_all_voters() -> None:
    assert choose("direct", fast(("56", 4)), [], same, rule="best_score", failed=False) == Choice("ok", "56", None, 0.8)


def test_reasoned_takes_the_best_score_not_the_majority() -> None:
    paths = [path("1", 0.2), path("1", 0.3), path("2", 0.9)]
    assert choose("reasoned", fast(("1", 2)), paths, same, rule="best_score", failed=False) == Choice("ok", "2", 2, 0.9)


def test_of_equal_scores_the_first_drawn_wins() -> None:
    paths = [path("1", 0.5), path("2", 0.5)]
    assert choose("reasoned", fast(), paths, same, rule="best_score", failed=False).best_path == 0


def test_an_unscored_path_never_wins_over_a_scored_one() -> None:
    paths = [path("1", None, "too long"), path("1", None, "too long"), path("2", 0.01)]
    assert choose("reasoned", fast(), paths, same, rule="best_score", failed=True) == Choice("degraded", "2", 2, 0.01)


def test_without_a_scorer_the_paths_vote_and_say_so() -> None:
    paths = [path("1", None, NO_SCORER), path("2", None, NO_SCORER), path("2", None, NO_SCORER), path(None)]
    expected = Choice("ok", "2", None, 0.5, ("paths voted: there is no scorer",))
    assert choose("reasoned", fast(), paths, same, rule="best_score", failed=False) == expected


def test_with_a_scorer_that_scored_nothing_the_paths_vote_and_the_result_is_degraded() -> None:
    paths = [path("1", None, "the scorer failed"), path("1", None, "the scorer failed")]
    expected = Choice("degraded", "1", None, 1.0, ("paths voted: none of them could be scored",))
    assert choose("reasoned", fast(), paths, same, rule="best_score", failed=True) == expected


def test_without_any_path_answer_the_fast_votes_are_the_best_that_is_known() -> None:
    choice = choose("reasoned", fast(("56", 2), ("57", 1)), [path(None)], same, rule="best_score", failed=False)
    assert (choice.status, choice.answer, choice.confidence) == ("degraded", "56", 0.4)
    assert "did not converge" in choice.reasons[0]


def test_with_nothing_at_all_the_result_abstains() -> None:
    expected = Choice("abstained", None, None, None, ("neither a fast answer nor a path gave an answer",))
    assert choose("reasoned", fast(), [path(None)], same, rule="best_score", failed=True) == expected


def test_equal_answers_add_their_scores_up_where_the_rule_says_so() -> None:
    paths = [path("1", 0.5), path("1", 0.6), path("2", 0.9), path("1", None, "too long")]
    chosen = choose("reasoned", fast(), paths, same, rule="weighted_vote", failed=False)
    assert chosen == Choice("ok", "1", 1, 0.6)


def test_an_unscored_path_has_no_vote() -> None:
    paths = [path("1", None, "too long"), path("1", None, "too long"), path("2", 0.1)]
    assert choose("reasoned", fast(), paths, same, rule="majority_best", failed=True).answer == "2"
