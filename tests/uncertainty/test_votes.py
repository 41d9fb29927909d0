from egrm_graph.uncertainty.votes import Votes, classes, ranked, tally


def same_number(one: str, other: str) -> bool:
    return float(one) == float(other)


def test_equivalent_answers_form_one_class_named_after_the_first() -> None:
    counted = tally(["8", "7.0", "7", None, "7.00"], same_number)
    assert counted == Votes(answers=("7.0", "8"), counts=(3, 1), lost=1)
    assert (counted.total, counted.top) == (5, "7.0")


def test_the_first_of_equal_counts_leads() -> None:
    assert tally(["9", "8", "8", "9"], same_number).answers == ("9", "8")


def test_without_answers_there_is_no_top_answer() -> None:
    assert tally([None, None], same_number) == Votes(answers=(), counts=(), lost=2)
    assert tally([None, None], same_number).top is None


def test_classes_are_numbered_by_their_first_member() -> None:
    assert classes(["8", "7.0", None, "7", "8.0"], same_number) == [0, 1, None, 1, 0]


def test_each_answer_has_the_rank_of_its_class() -> None:
    votes, places = ranked(["8", "7.0", None, "7"], same_number)
    assert (votes.answers, places) == (("7.0", "8"), (1, 0, None, 0))
