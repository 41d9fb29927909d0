"""The rewards of a generator's paths for TRL and verl: by the answer, by the scorer, or by pairs of paths.

    GRPOTrainer(model, reward_funcs=as_trl_path_reward(Settings(task="answer", scorer="my-scorer")), ...)
    compute_score = as_verl_path_reward(Settings(task="answer", scorer="my-scorer"), reward="score")

`egrm train generator --reinforce` uses the same rewards; `fine_tuning/path_rewards.py` defines them. The model of the
settings is not loaded, only the task and the scorer.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from egrm_graph.errors import InputError, RunError, SettingsError
from egrm_graph.fine_tuning.path_grading import PathGrader, WrittenPath
from egrm_graph.fine_tuning.path_rewards import BETA, PathReward, PathRewardKind
from egrm_graph.fine_tuning.trl_path_reward import (
    AskedPath,
    RewardedPath,
    completion_text,
    log_rewards,
    rewarded_paths,
)
from egrm_graph.integrations.trl_reward import TrlReward
from egrm_graph.integrations.verl_reward import ComputeScore, Score
from egrm_graph.runtime.background_loop import BackgroundLoop
from egrm_graph.settings import Settings
from egrm_graph.tasks import judges_candidates
from egrm_graph.values import full_text

_building: dict[int, threading.Lock] = {}


def as_trl_path_reward(
    settings: Settings,
    *,
    reward: PathRewardKind = "pair",
    beta: float = BETA,
    question_column: str = "question",
    reference_column: str = "reference",
    max_completion_length: int | None = None,
    name: str = "egrm_path",
) -> TrlReward:
    """Return a reward function. The columns of the data set have each prompt's question and its correct answer.

    A completion with `max_completion_length` tokens was cut, so it has no answer: pass the trainer's. The function can
    be pickled. Each process loads the scorer at the first call.

    Raises:
        SettingsError: the settings judge candidates, or the reward needs a scorer and they name none.
    """
    return _TrlPathReward(
        _Rewarding(_checked(settings, reward), reward, beta),
        (question_column, reference_column),
        max_completion_length,
        name,
    )


def as_verl_path_reward(
    settings: Settings,
    *,
    reward: PathRewardKind = "pair",
    beta: float = BETA,
    question_key: str = "question",
    missing: float | None = None,
) -> ComputeScore:
    """Return `compute_score` for verl. The question is `extra_info[question_key]`, and the ground truth its answer.

    Only the reward manager `batch` passes the responses of a question together, and each reward compares them.
    `missing` replaces a missing reward; with None, the function raises. So set it: groups whose paths are all alike
    have no rewards, and the same value for all of them gives no advantage.

    Raises:
        SettingsError: the settings judge candidates, or the reward needs a scorer and they name none.
    """
    return _VerlPathReward(_Rewarding(_checked(settings, reward), reward, beta), question_key, missing)


def _checked(settings: Settings, reward: PathRewardKind) -> Settings:
    if judges_candidates(settings):
        raise SettingsError(
            f"the task {settings.task_name!r} judges candidates, and a generator answers questions; set task to "
            "'answer' or 'arithmetic'"
        )
    if reward != "answer" and (settings.scorer is None or (settings.scorer == "auto" and not settings.bundled)):
        raise SettingsError(
            f"the reward {reward!r} needs a scorer; set scorer to a folder of `egrm train scorer`, or reward to "
            "'answer'"
        )
    return settings


@dataclass(frozen=True)
class _Rewarding:
    """What rewards depend on. Can be pickled."""

    settings: Settings
    reward: PathRewardKind
    beta: float

    def of(self, paths: Sequence[AskedPath]) -> list[RewardedPath]:
        process = os.getpid()  # a forked process has its parent's scorers, but not their threads
        settings: Any = self.settings  # frozen and so hashable, which type checkers do not see
        with _building.setdefault(process, threading.Lock()):
            grader, loop = _grading(process, settings)
        return loop.run(rewarded_paths(grader, self.reward, self.beta, paths))


@lru_cache(maxsize=4)
def _grading(process: int, settings: Settings) -> tuple[PathGrader, BackgroundLoop]:  # noqa: ARG001 - part of the key
    return PathGrader.of(settings), BackgroundLoop("egrm-path-rewards")


@dataclass(eq=False)
class _TrlPathReward:
    rewarding: _Rewarding
    columns: tuple[str, str]
    max_completion_length: int | None
    __name__: str

    def __call__(self, prompts: Sequence[Any], completions: Sequence[Any], **columns: Any) -> list[float | None]:
        questions, references = (self._column(columns, name, len(prompts)) for name in self.columns)
        ids: Sequence[Sequence[int] | None] = columns.get("completion_ids") or [None] * len(prompts)
        paths = [
            AskedPath(
                full_text(question, "question"), full_text(reference, "reference"), self._path(completion, tokens)
            )
            for question, reference, completion, tokens in zip(questions, references, completions, ids, strict=True)
        ]
        rewarded = self.rewarding.of(paths)
        log_rewards(rewarded, columns)
        return [each.reward[0] for each in rewarded]

    def _path(self, completion: Any, tokens: Sequence[int] | None) -> WrittenPath:
        cut = (
            self.max_completion_length is not None and tokens is not None and len(tokens) >= self.max_completion_length
        )
        return WrittenPath(completion_text(completion), complete=not cut)

    def _column(self, columns: Mapping[str, Any], name: str, n: int) -> Sequence[Any]:
        found: Sequence[Any] | None = columns.get(name)
        if found is None or len(found) != n:
            raise SettingsError(
                f"the data set has no column {name!r}; add it, or set question_column and reference_column to the "
                "columns with the question and its correct answer"
            )
        return found


@dataclass(eq=False)
class _VerlPathReward:
    rewarding: _Rewarding
    question_key: str
    missing: float | None

    __name__ = "compute_score"

    def __call__(
        self,
        data_source: Any = None,  # noqa: ARG002 - verl's signature
        solution_str: Any = None,
        ground_truth: Any = None,  # noqa: ARG002
        extra_info: Any = None,  # noqa: ARG002
        *,
        solution_strs: Sequence[str] | None = None,
        ground_truths: Sequence[Any] = (),
        extra_infos: Sequence[Mapping[str, Any] | None] = (),
        **others: Any,  # noqa: ARG002
    ) -> Any:
        """Score the responses of verl's manager `batch`; see `ComputeScore` for the types."""
        if solution_strs is None:
            raise SettingsError(
                f"the response {str(solution_str)[:40]!r} came alone, and this reward compares all responses to a "
                "question; use verl's reward manager 'batch'"
            )
        paths = [self._asked(*row) for row in zip(solution_strs, ground_truths, extra_infos, strict=True)]
        order = sorted(range(len(paths)), key=lambda i: (paths[i].question, paths[i].reference))
        rewarded = self.rewarding.of([paths[i] for i in order])
        scores = {i: self._score(each.reward) for i, each in zip(order, rewarded, strict=True)}
        return [scores[i] for i in range(len(paths))]

    def _asked(self, solution: str, truth: Any, info: Mapping[str, Any] | None) -> AskedPath:
        if not info or self.question_key not in info:
            known = ", ".join(map(repr, info or {})) or "none"
            raise InputError(
                f"extra_info has no {self.question_key!r}, only {known}: put the question there when you prepare the "
                "data, or set question_key to its key"
            )
        question = full_text(info[self.question_key], "question")
        return AskedPath(question, full_text(truth, "ground_truth"), WrittenPath(solution))

    def _score(self, reward: PathReward) -> Score:
        value, reason = reward
        if value is not None:
            return Score(score=value, judged=1.0)
        if self.missing is None:
            raise RunError(f"the response has no reward: {reason}; to continue without one, set missing=... to a score")
        return Score(score=self.missing, judged=0.0)
