from egrm_graph.deciding.selection_rules import SELECTION_RULES, best_score, majority_best, weighted_vote

# Answers A A A B C with these scores: A has the most votes, B has the best score, and the sums are A 0.9, B 0.8, C 0.1.
CLASSES = [0, 0, 0, 3, 4]
SCORES = [0.2, 0.4, 0.3, 0.8, 0.1]


def test_best_score_ignores_the_votes() -> None:
    assert best_score(CLASSES, SCORES) == 3


def test_weighted_vote_adds_the_scores_of_equal_answers_and_takes_the_best_path() -> None:
    assert weighted_vote(CLASSES, SCORES) == 1


def test_one_good_path_outweighs_many_bad_ones() -> None:
    assert weighted_vote([0, 0, 0, 3], [0.1, 0.2, 0.1, 0.5]) == 3


def test_majority_best_takes_the_best_score_in_the_majority() -> None:
    assert majority_best(CLASSES, SCORES) == 1
    assert majority_best([0, 0, 0, 3], [0.1, 0.2, 0.1, 0.5]) == 1


def test_the_best_score_breaks_a_tie_of_votes() -> None:
    assert majority_best([0, 1, 0, 1], [0.2, 0.3, 0.6, 0.5]) == 2


def test_the_best_score_breaks_a_tie_of_weights() -> None:
    assert weighted_vote([0, 0, 1], [0.25, 0.5, 0.75]) == 2


def test_the_first_of_equal_paths_wins() -> None:
    assert [rule([7, 8], [0.5, 0.5]) for rule in SELECTION_RULES.values()] == [0, 0, 0]


def test_a_path_wins_even_if_all_scores_are_zero() -> None:
    assert [rule([7, 8, 8], [0.0, 0.0, 0.0]) for rule in SELECTION_RULES.values()] == [0, 0, 1]
