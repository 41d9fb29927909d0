"""Which steps a scorer can score, what their scores add up to, and what that means."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from egrm_graph.errors import ModelError
from egrm_graph.scoring.scorer import StepScorer, Unscored
from egrm_graph.scoring.step_texts import StepTexts, step_texts
from egrm_graph.steps.aggregation import AGGREGATIONS

if TYPE_CHECKING:
    from egrm_graph.scoring.aggregate_calibration import AggregateCalibration
    from egrm_graph.scoring.checkpoint import Manifest
    from egrm_graph.scoring.layout import Layout

DEFAULT_AGGREGATION = "product"
_ENCODERS = (
    "albert bert big_bird camembert canine convbert data2vec-text deberta deberta-v2 distilbert electra "
    "ernie esm esmc eurobert flaubert fnet funnel gte ibert jina_embeddings_v3 layoutlm layoutlmv2 "
    "layoutlmv3 lilt longformer luke markuplm megatron-bert mobilebert modernbert modernvbert mpnet mra "
    "nomic_bert nystromformer perceiver reformer rembert roberta roberta-prelayernorm roc_bert roformer "
    "squeezebert tapas ultrabert ultravbert xlm xlm-roberta xlm-roberta-xl xlnet xmod yoso"
)
READS_BOTH_WAYS = frozenset(_ENCODERS.split(" "))
"""The `model_type` of encoders: each of their tokens sees those that follow it."""


@dataclass(frozen=True)
class StepProfile:
    """What a scorer says about the scores of steps."""

    steps: str | None = None
    """Where the steps end that it was trained to score; None if it was trained on full paths."""
    aggregation: str = DEFAULT_AGGREGATION
    """How the scores of its steps become the score of a path, unless the settings say otherwise."""
    last_is_probability: bool = False
    """Whether the score of the last step is a calibrated probability that the path is right."""
    calibration: AggregateCalibration | None = None
    """How what the scores of certain steps add up to becomes a probability."""
    flaw: str | None = None
    """Why it cannot score steps, and what to do about it; None if it can."""
    one_text_each: bool = False
    """Whether it reads a text for each step, as an encoder does, and not one text for all steps of a path."""

    def texts(self, paths: Sequence[str], ends: Sequence[Sequence[int]]) -> list[StepTexts]:
        """What it reads for the scores of the steps of each path, which end there."""
        return [
            step_texts(path, of_path, one_each=self.one_text_each) for path, of_path in zip(paths, ends, strict=True)
        ]

    def calibrates(self, steps: str, aggregation: str) -> bool:
        """Whether the score of a path is a calibrated probability if it is made of the scores of its steps this way."""
        return self._calibration(steps, aggregation) is not None or (self.last_is_probability and aggregation == "last")

    def path_score(self, scores: Sequence[float], steps: str, aggregation: str) -> float:
        """The score of a path, from those of its steps; a probability if that was calibrated."""
        total = AGGREGATIONS[aggregation](scores)
        calibration = self._calibration(steps, aggregation)
        return total if calibration is None else calibration.probability(total)

    def _calibration(self, steps: str, aggregation: str) -> AggregateCalibration | None:
        found = self.calibration
        return found if found is not None and (found.steps, found.aggregation) == (steps, aggregation) else None


@runtime_checkable
class ProfiledScorer(StepScorer, Protocol):
    """A scorer of steps that says which steps it was trained to score."""

    @property
    def step_profile(self) -> StepProfile:
        """What it says about the scores of steps."""
        ...


def profile_of(
    manifest: Manifest, config: Mapping[str, Any], layout: Layout, *, token_head: bool = True
) -> StepProfile:
    """What a scorer's manifest, its `config.json`, and its template say about the scores of steps.

    `token_head` says whether its head can be read at each token, if it is a decoder.
    """
    one_text_each = reads_both_ways(config) or not token_head
    calibrated = manifest.path_calibration
    named = manifest.aggregation or (None if calibrated is None else calibrated.aggregation)
    return StepProfile(
        manifest.steps,
        named or DEFAULT_AGGREGATION,
        # The score of the last step of an outcome scorer is that of the full path.
        manifest.calibration is not None and manifest.steps is None and (one_text_each or layout.ends_with_path),
        calibrated,
        None if one_text_each else _flaw(layout),
        one_text_each,
    )


def is_calibrated(manifest: Manifest, profile: StepProfile) -> bool:
    """Whether the score that such a scorer gives a path was calibrated as a probability."""
    if profile.steps is None:
        return manifest.calibration is not None
    return profile.calibrates(profile.steps, profile.aggregation)


def require_steps(name: str, profile: StepProfile) -> None:
    """Checks that a scorer can score steps.

    Raises:
        ModelError: it cannot; names the fix.
    """
    if profile.flaw is not None:
        raise ModelError(f"{name} cannot score steps: {profile.flaw}")


def path_scores(scored: Sequence[list[float] | Unscored], profile: StepProfile) -> list[float | Unscored]:
    """The score of each path, from those of the steps that the scorer was trained on."""
    assert profile.steps is not None
    return [
        scores if isinstance(scores, Unscored) else profile.path_score(scores, profile.steps, profile.aggregation)
        for scores in scored
    ]


def reads_both_ways(config: Mapping[str, Any]) -> bool:
    """Whether the tokens of a model see those that follow them, by its `config.json`."""
    both_ways = config.get("model_type") in READS_BOTH_WAYS or config.get("is_causal") is False
    return both_ways or bool(config.get("is_encoder_decoder") or config.get("use_bidirectional_attention"))


def _flaw(layout: Layout) -> str | None:
    if layout.path_first:
        return (
            "its template has the path before the question, so a step is read without the question; use a scorer whose "
            "template has {question} first, or set steps to 'none' (--steps none)"
        )
    return None
