import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import log_softmax, logsumexp
from scipy.stats import entropy

from egrm_graph.uncertainty.entropy import (
    entropy_interval,
    label_entropy,
    label_margin,
    semantic_entropy,
    token_entropy,
    token_entropy_interval,
    weighted_semantic_entropy,
)
from tests.uncertainty.drawn import drew, read, reading, sample, votes

LOGITS = st.lists(st.floats(-20, 20), min_size=2, max_size=40)
TEXTS = st.lists(
    st.tuples(st.sampled_from("123"), st.lists(st.floats(-9, 0), min_size=1, max_size=5)), min_size=1, max_size=9
)


def logs(*shares: float) -> list[float]:
    return [math.log(share) if share else -math.inf for share in shares]


def test_semantic_entropy_is_the_entropy_of_the_classes_in_nats() -> None:
    assert semantic_entropy(votes("7", "7", "7", "7", "8")) == pytest.approx(entropy([0.8, 0.2]))


def test_each_lost_voter_is_its_own_class() -> None:
    assert semantic_entropy(votes("7", "7", None, None)) == pytest.approx(entropy([0.5, 0.25, 0.25]))


def test_answers_are_weighted_by_the_geometric_mean_of_their_token_probabilities() -> None:
    likely = sample("7", logprobs=logs(0.9, 0.4))  # 0.6
    unlikely = sample("8", logprobs=logs(0.2))
    assert weighted_semantic_entropy(drew(likely, unlikely)) == pytest.approx(entropy([0.75, 0.25]))


def test_equal_texts_all_count() -> None:
    texts = [sample("7", logprobs=logs(0.3)), sample("7", logprobs=logs(0.3)), sample("8", logprobs=logs(0.2))]
    assert weighted_semantic_entropy(drew(*texts)) == pytest.approx(entropy([0.75, 0.25]))


@given(TEXTS)
def test_the_weighted_entropy_is_scipys_entropy_of_the_summed_likelihoods(texts: list[tuple[str, list[float]]]) -> None:
    evidence = drew(*(sample(answer, logprobs=logprobs) for answer, logprobs in texts))
    means = [[np.mean(logprobs) for answer, logprobs in texts if answer == name] for name in "123"]
    summed = [logsumexp(values) for values in means if values]
    assert weighted_semantic_entropy(evidence) == pytest.approx(entropy(np.exp(np.array(summed))), abs=1e-9)


@given(st.lists(st.sampled_from(["1", "2", None]), min_size=1, max_size=9).filter(any))
def test_equally_likely_texts_have_the_plain_entropy(answers: list[str | None]) -> None:
    evidence = drew(*(sample(answer, logprobs=[-0.5, -0.1]) for answer in answers))
    assert weighted_semantic_entropy(evidence) == pytest.approx(semantic_entropy(evidence))


def test_a_voter_without_logprobs_is_its_own_class() -> None:
    evidence = drew(sample("7", logprobs=[-0.5]), sample("7", logprobs=[-0.1]), sample("7"), sample(None))
    assert weighted_semantic_entropy(evidence) == pytest.approx(entropy([0.5, 0.25, 0.25]))


def test_impossible_tokens_have_valid_weights() -> None:
    both = drew(sample("7", logprobs=[-math.inf]), sample("8", logprobs=[-9999.0]))
    assert weighted_semantic_entropy(both) == pytest.approx(math.log(2))
    one = drew(sample("7", logprobs=[-math.inf]), sample("8", logprobs=[-0.1]))
    assert weighted_semantic_entropy(one) == pytest.approx(0)


def test_without_logprobs_the_weighted_entropy_is_unknown() -> None:
    assert math.isnan(weighted_semantic_entropy(votes("7", "7")))
    assert math.isnan(weighted_semantic_entropy(drew(sample(None, logprobs=[-0.5]))))


def test_label_entropy_uses_the_mean_over_the_orders() -> None:
    evidence = read(reading("AB", {"A": 0.9, "B": 0.1}), reading("BA", {"A": 0.3, "B": 0.7}))
    assert label_entropy(evidence) == pytest.approx(entropy([0.6, 0.4]))
    assert label_margin(evidence) == pytest.approx(0.2)


def test_orders_that_contradict_each_other_are_not_certain() -> None:
    evidence = read(reading("AB", {"A": 1.0, "B": 0.0}), reading("BA", {"A": 0.0, "B": 1.0}))
    assert label_entropy(evidence) == pytest.approx(math.log(2))
    assert label_margin(evidence) == 0


def test_a_lost_reading_counts_as_a_uniform_one() -> None:
    evidence = read(reading("AB", {"A": 1.0, "B": 0.0}), reading("BA", None))
    assert label_entropy(evidence) == pytest.approx(math.log(2) / 2)
    assert label_margin(evidence) == 0.5


@pytest.mark.parametrize("evidence", [votes("A", "A"), read(reading("AB", None), reading("BA", None))])
def test_without_readings_labels_have_no_entropy(evidence: object) -> None:
    assert math.isnan(label_entropy(evidence))  # type: ignore[arg-type]
    assert math.isnan(label_margin(evidence))  # type: ignore[arg-type]


def test_the_missing_mass_is_at_best_one_token_and_at_worst_spread_evenly() -> None:
    low, high = entropy_interval(logs(0.5, 0.3), vocabulary=6)
    assert low == pytest.approx(entropy([0.5, 0.3, 0.2]))
    assert high == pytest.approx(entropy([0.5, 0.3, 0.05, 0.05, 0.05, 0.05]))


def test_a_full_vocabulary_gives_an_exact_entropy() -> None:
    low, high = entropy_interval(logs(0.5, 0.5, 0.0), vocabulary=3)
    assert low == high == pytest.approx(math.log(2))


@given(LOGITS, st.integers(1, 40))
def test_the_interval_contains_the_entropy_of_the_full_distribution(logits: list[float], k: int) -> None:
    logprobs = log_softmax(logits)
    low, high = entropy_interval(sorted(logprobs.tolist(), reverse=True)[:k], vocabulary=len(logits))
    true = entropy(np.exp(logprobs))
    assert low - 1e-9 <= true <= high + 1e-9


def test_token_entropy_is_averaged_over_tokens_and_then_over_voters() -> None:
    short = sample("7", [logs(0.5, 0.5)])
    long = sample("8", [logs(1.0), logs(0.5, 0.5), logs(1.0), logs(1.0)])
    assert token_entropy(drew(short, long)) == pytest.approx((math.log(2) + math.log(2) / 4) / 2)


def test_the_interval_of_the_token_entropy_is_the_mean_of_its_tokens() -> None:
    evidence = drew(sample("7", [logs(0.5, 0.3), logs(1.0)]))
    low, high = token_entropy_interval(evidence, vocabulary=6)
    assert low == token_entropy(evidence)
    assert high == pytest.approx(low + 0.2 * math.log(4) / 2)


@pytest.mark.parametrize("lost", [sample(None, [logs(1.0)]), sample("7"), sample("7", [])])
def test_a_lost_voter_makes_the_token_entropy_unknown(lost: object) -> None:
    assert math.isnan(token_entropy(drew(sample("7", [logs(1.0)]), lost)))  # type: ignore[arg-type]


def test_nan_log_probabilities_have_no_entropy() -> None:
    assert math.isnan(token_entropy(drew(sample("7", [[math.nan, -1.0]]))))
