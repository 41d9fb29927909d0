"""Measures with a real vLLM server, against the same weights in this process."""

from collections.abc import Sequence
from typing import Any

import pytest

from egrm_graph import Settings, build_graph
from egrm_graph.benchmark.held_out import held_out
from egrm_graph.uncertainty.evidence import Evidence, evidence_of
from egrm_graph.uncertainty.measures import MEASURES
from egrm_graph.verification import Sample
from tests.server.conftest import Served

pytestmark = [pytest.mark.server, pytest.mark.timeout(600)]

ON_LOGPROBS = [name for name, measure in MEASURES.items() if {"logprobs", "top_logprobs"} & set(measure.requires)]


async def greedy(texts: Sequence[str], **engine: Any) -> list[Sample]:
    """The most likely fast answer to each text."""
    settings = Settings(
        samples=1, fast_temperature=0, measure="deepconf_mean", threshold=0, task="arithmetic", scorer=None, **engine
    )
    graph = build_graph(settings)
    return [(await graph.ainvoke({"question": text}))["verification"]["samples"][0] for text in texts]


async def test_every_measure_of_logprobs_is_the_same_behind_a_server(real_server: Served) -> None:
    texts = [question.text for question in held_out(40)]
    ours = await greedy(texts)
    theirs = await greedy(texts, engine="vllm", model=real_server.name, base_url=(real_server.base_url,))
    assert [sample["text"] for sample in ours] == [sample["text"] for sample in theirs]
    for name in ON_LOGPROBS:
        here, there = ([MEASURES[name].value(alone(sample)) for sample in drawn] for drawn in (ours, theirs))
        assert there == pytest.approx(here, abs=1e-3), name
    assert len({MEASURES["token_entropy"].value(alone(sample)) for sample in theirs}) > 20


def alone(sample: Sample) -> Evidence:
    return evidence_of([sample], [], lambda one, other: one == other)
