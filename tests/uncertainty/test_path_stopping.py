"""Stopping rules on paths: the posterior of the leading answer, on worked and on random scores."""

import itertools
import math

import numpy as np
import pytest

from egrm_graph.deciding.selection_rules import SELECTION_RULES
from egrm_graph.uncertainty.stopping import Standing, everything, exclusive, posterior

N_SEQUENCES, N_PATHS, N_CLASSES = 100_000, 8, 3


def test_the_posterior_is_the_worked_one() -> None:
    assert exclusive([[0.9]]) == pytest.approx(0.9)
    assert exclusive([[0.8, 0.8]]) == pytest.approx(16 / 17)
    assert exclusive([[0.8], [0.8]]) == pytest.approx(4 / 9)
    assert exclusive([[0.9], [0.2]]) == pytest.approx(9 / (1 + 9 + 0.25))
    assert exclusive([[0.1]]) == pytest.approx(0.1)


def test_the_posterior_is_bayes_rule_over_every_case() -> None:
    """Each path is right or wrong on its own. Possible are the cases in which at most one answer is right."""
    classes, scores = (0, 1, 0, 2), (0.7, 0.4, 0.6, 0.9)
    possible: dict[int | None, float] = {None: 0.0, 0: 0.0, 1: 0.0, 2: 0.0}
    for right in itertools.product((False, True), repeat=4):
        answers = {group for group, each in zip(classes, right, strict=True) if each}
        wrong = {group for group, each in zip(classes, right, strict=True) if not each}
        if len(answers) <= 1 and not answers & wrong:
            weight = math.prod(score if each else 1 - score for score, each in zip(scores, right, strict=True))
            possible[next(iter(answers), None)] += weight
    best = max(value for group, value in possible.items() if group is not None)
    assert exclusive([[0.7, 0.6], [0.4], [0.9]]) == pytest.approx(best / sum(possible.values()))


@pytest.mark.parametrize("scores", [[[1.0]], [[0.0]], [[1.0], [1.0]], [[0.0, 1.0]], [[1.0] * 256, [1.0] * 255]])
def test_no_score_is_certain_and_nothing_overflows(scores: list[list[float]]) -> None:
    assert 0 <= exclusive(scores) <= 1
    assert exclusive([[1.0], [1.0]]) == pytest.approx(0.5)


def test_the_posterior_stops_exactly_when_its_confidence_is_reached() -> None:
    """On 100,000 random sequences, against the same posterior computed at once for all of them."""
    rng = np.random.default_rng(0)
    classes = rng.integers(0, N_CLASSES, (N_SEQUENCES, N_PATHS))
    scores = rng.beta(0.7, 0.7, (N_SEQUENCES, N_PATHS))
    scored = rng.random((N_SEQUENCES, N_PATHS)) < 0.9
    log_odds = np.where(scored, np.log(scores) - np.log1p(-scores), 0.0)
    hit = (classes[:, :, None] == np.arange(N_CLASSES)) & scored[:, :, None]
    so_far = np.where(hit.cumsum(axis=1) > 0, (hit * log_odds[:, :, None]).cumsum(axis=1), -np.inf)
    weights = np.exp(so_far)
    sure = weights.max(axis=2) / (1 + weights.sum(axis=2)) >= 0.95
    expected = np.where(sure.any(axis=1), sure.argmax(axis=1) + 1, N_PATHS + 1)
    rule = posterior(0.95)
    for i in range(N_SEQUENCES):
        found = classes[i].tolist()
        known = [score if known else None for score, known in zip(scores[i].tolist(), scored[i].tolist(), strict=True)]
        for n in range(max(1, expected[i] - 1), min(expected[i], N_PATHS) + 1):
            assert rule(Standing(tuple(found[:n]), N_PATHS, tuple(known[:n]))) == (n == expected[i])


def test_lost_and_unscored_paths_say_nothing() -> None:
    rule = posterior(0.95)
    assert not rule(Standing((0, 1, 2), 8, (None, None, None)))
    assert not rule(Standing((None, 0), 8, (None, 0.9)))
    assert rule(Standing((None, 0, 0), 8, (None, 0.97, None)))
    assert not rule(Standing((), 8, ()))
    assert not rule(Standing((0, 0, 0), 8))  # fast answers have no scores


@pytest.mark.parametrize("selection", SELECTION_RULES)
def test_stopping_does_not_change_the_answer_if_all_scores_agree(selection: str) -> None:
    """All paths of the right answer score above one half, and all others below."""
    rng = np.random.default_rng(1)
    select, rule = SELECTION_RULES[selection], posterior(0.95)
    for _ in range(2000):
        right = rng.random(8) < 0.7
        classes = np.where(right, 0, rng.integers(1, 4, 8)).tolist()
        scores = np.where(right, rng.uniform(0.8, 1, 8), rng.uniform(0, 0.02, 8)).tolist()
        if classes.count(0) <= 4:
            continue
        n = next((n for n in range(1, 9) if rule(Standing(tuple(classes[:n]), 8, tuple(scores[:n])))), 8)
        assert classes[n - 1] == 0  # only a path of the leading answer makes it sure
        if selection == "majority_best" and classes[:n].count(0) <= n / 2:
            continue  # this rule counts paths, whatever their scores
        assert classes[select(classes[:n], scores[:n])] == classes[select(classes, scores)] == 0


def test_the_rule_all_never_stops() -> None:
    assert not everything(Standing((0,) * 8, 8, (1.0,) * 8))
