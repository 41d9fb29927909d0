"""Which label is learned, the steps that paths share, merged steps, and the rule where steps end."""

from __future__ import annotations

import pytest

from egrm_graph.errors import InputError
from egrm_graph.training.rollout_file import Rollout, RolloutPath, RolloutStep
from egrm_graph.training.step_targets import elsewhere, label_of, step_chains, where_steps_end, without_merged


def path(text: str, *ends: int) -> RolloutPath:
    return RolloutPath(text=text, correct=True, steps=tuple(RolloutStep(end=end, value=0.5) for end in ends))


def rollout(*paths: RolloutPath) -> Rollout:
    return Rollout(id="q", question="q", paths=paths)


def test_each_label_is_its_own_field() -> None:
    step = RolloutStep(end=1, value=0.75, share=0.5, any=True)
    assert [label_of(step, name) for name in ("value", "share", "any")] == [0.75, 0.5, 1.0]


def test_a_missing_label_is_an_error_that_names_the_fix() -> None:
    with pytest.raises(InputError, match=r"a step has no 'share'.* use --labels value"):
        label_of(RolloutStep(end=1, value=1), "share")


def test_a_path_shares_the_steps_of_earlier_paths_up_to_where_they_differ() -> None:
    # The second path branches off after "a;", the third after "a;b;".
    paths = [path("a;b;c", 2, 4, 5), path("a;x;y", 4, 5), path("a;b;z", 5)]
    assert step_chains(paths) == [[0, 1, 2], [0, 3, 4], [0, 1, 5]]


def test_a_path_with_its_own_labels_keeps_them() -> None:
    assert step_chains([path("a;b", 2, 3), path("a;c", 2, 3)]) == [[0, 1], [2, 3]]


def test_merged_steps_lose_the_label_of_their_first_half() -> None:
    (all_kept,) = without_merged([rollout(path("a;b;c", 2, 4, 5))], 0.0, seed=0)
    assert [step.end for step in all_kept.paths[0].steps] == [2, 4, 5]
    many = [rollout(path("a;b;c", 2, 4, 5)).model_copy(update={"id": n}) for n in range(200)]
    merged = without_merged(many, 0.5, seed=0)
    assert merged == without_merged(many, 0.5, seed=0)
    assert merged != without_merged(many, 0.5, seed=1)
    ends = [[step.end for step in found.paths[0].steps] for found in merged]
    assert all(some[-1] == 5 for some in ends)
    assert 150 < sum(len(some) - 1 for some in ends) < 250  # of 400


@pytest.mark.parametrize(
    ("paths", "rule"),
    [
        ([path("a\nb\nc", 2, 4, 5)], "lines"),
        ([path("a\n\nb\nb\n\nc", 3, 8, 9)], r"\n{2,}"),  # lines cuts once more
        ([path("a\n\nb", 3)], "lines"),  # both cut alike
    ],
)
def test_the_rule_is_the_one_that_cuts_least_elsewhere(paths: list[RolloutPath], rule: str) -> None:
    assert where_steps_end([rollout(*paths)]) == rule


def test_other_ends_need_a_rule() -> None:
    with pytest.raises(InputError, match=r"do not end where lines end, as in 'a;', so say where .* --step-end"):
        where_steps_end([rollout(path("a;b", 2, 3))])


def test_steps_that_a_rule_does_not_cut_are_counted() -> None:
    assert elsewhere([rollout(path("a;b;c", 2, 3, 4, 5))], ";") == 1
