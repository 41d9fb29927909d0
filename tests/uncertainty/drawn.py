"""Evidence like that of a run."""

from collections.abc import Mapping, Sequence

from egrm_graph.uncertainty.evidence import Evidence, evidence_of
from egrm_graph.verification import Reading, Sample


def sample(
    answer: str | None,
    tops: Sequence[Sequence[float]] | None = None,
    *,
    logprobs: Sequence[float] | None = None,
    order: str = "",
) -> Sample:
    """A sample. If `logprobs` is missing, its tokens are the most likely ones of `tops`."""
    if logprobs is None and tops is not None:
        logprobs = [top[0] for top in tops]
    return Sample(
        text=answer,
        thinking=None,
        answer=answer,
        n_tokens=None,
        logprobs=None if logprobs is None else list(logprobs),
        top_logprobs=None if tops is None else [list(top) for top in tops],
        finish_reason="stop",
        seed=0,
        request_id="r.answer_fast.0",
        order=list(order),
        error=None,
    )


def reading(order: str, probabilities: Mapping[str, float] | None, samples: int = 3) -> Reading:
    return Reading(
        order=list(order),
        probabilities=None if probabilities is None else dict(probabilities),
        mass=1.0,
        samples=samples,
        request_id="r.answer_fast.0",
        error=None if probabilities else "lost",
    )


def drew(*samples: Sample) -> Evidence:
    return evidence_of(samples, [], lambda one, other: one == other)


def read(*readings: Reading) -> Evidence:
    return evidence_of([], readings, lambda one, other: one == other)


def votes(*answers: str | None) -> Evidence:
    return drew(*map(sample, answers))
