"""Tests for evaluators, including with the real LangSmith."""

import asyncio
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from langsmith import Client
from langsmith.evaluation import aevaluate, evaluate
from langsmith.evaluation.evaluator import comparison_evaluator
from langsmith.schemas import Example, Run

from egrm_graph import Settings, build_graph
from egrm_graph.clients.scripted import ScriptedClient
from egrm_graph.errors import SettingsError
from egrm_graph.integrations.evaluator import (
    Fields,
    as_async_comparative_evaluator,
    as_async_evaluator,
    as_comparative_evaluator,
    as_evaluator,
)
from tests.integrations.judges import judging

ASKED = {"question": "17+48-9"}
EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
EXAMPLES = [
    Example(id=UUID(int=1), dataset_id=UUID(int=9), inputs={"question": "17+48-9"}, outputs={"answer": "56"}),
    Example(id=UUID(int=2), dataset_id=UUID(int=9), inputs={"question": "1+1"}, outputs={"answer": "2"}),
    Example(id=UUID(int=3), dataset_id=UUID(int=9), inputs={"question": "9-9"}, outputs={}),
]


def target(inputs: dict[str, Any]) -> dict[str, Any]:
    return {"answer": {"17+48-9": "56", "1+1": "3", "9-9": ""}[inputs["question"]]}


async def atarget(inputs: dict[str, Any]) -> dict[str, Any]:
    return target(inputs)


def offline() -> Client:
    """Return a client that sends no traces."""
    return Client(api_url="http://127.0.0.1:9", api_key="none", tracing_sampling_rate=0.0, auto_batch_tracing=False)


def grading(**options: Any) -> Any:
    return judging("pointwise", lambda text: text == "56", **options)


async def test_a_good_and_a_bad_output_sync_and_async() -> None:
    for outputs, grade, score in (("56", "5", 1.0), ({"answer": "57"}, "1", 0.0)):
        result = as_evaluator(grading())(inputs=ASKED, outputs=outputs, reference_outputs={"answer": "56"})
        assert (result["key"], result["score"], result["comment"]) == ("egrm", score, f"grade {grade} (direct, ok)")
        assert (result["metadata"]["status"], result["metadata"]["answer"]) == ("ok", grade)
        again = await as_async_evaluator(grading())(inputs=ASKED, outputs=outputs, context="of openevals")
        assert (again["score"], again["comment"]) == (result["score"], result["comment"])


async def test_a_failure_has_no_score_and_a_reason() -> None:
    lost = as_evaluator(grading(lost="17+48-9"))(ASKED, "56")
    assert (lost["score"], lost["metadata"]["status"]) == (None, "abstained")
    assert "the server is away" in lost["comment"]
    unread = await as_async_evaluator(grading())({"a": "1+1", "b": "2+2"}, "2")
    assert unread["score"] is None
    assert unread["comment"] == (
        "there are the keys 'a', 'b'; say which one has the question: fields=Fields(question=...)"
    )
    assert as_evaluator(grading())({"a": "17+48-9", "b": ""}, "56")["score"] is None
    assert as_evaluator(grading(), fields=Fields(question="a"))({"a": "17+48-9", "b": ""}, "56")["score"] == 1.0


def test_the_last_message_of_a_conversation_is_graded() -> None:
    said = [{"role": "user", "content": "17+48-9"}, {"role": "assistant", "content": "56"}]
    assert as_evaluator(grading())(outputs=said)["score"] == 1.0


def test_a_graph_that_does_not_judge_raises_a_setup_error() -> None:
    graph = build_graph(Settings(task="arithmetic"), client=ScriptedClient(fast=["56"] * 5), scorer=None)
    with pytest.raises(SettingsError, match="answers questions; to judge"):
        as_evaluator(graph)(ASKED, "56")


@pytest.mark.filterwarnings("ignore:'upload_results' parameter is in beta")
@pytest.mark.parametrize("sync", [True, False])
def test_langsmith_can_evaluate(sync: bool) -> None:
    graph = grading()
    judge: Any = as_async_evaluator(graph, key="judge")  # LangSmith's types have no such coroutine function
    options: Any = {"data": EXAMPLES, "client": offline(), "upload_results": False}

    async def run() -> list[Any]:
        results = await aevaluate(atarget, evaluators=[judge], **options)
        return [row async for row in results]

    rows: list[Any] = (
        list(evaluate(target, evaluators=[as_evaluator(graph, key="judge")], **options)) if sync else asyncio.run(run())
    )
    found = {
        row["example"].inputs["question"]: (result.key, result.score, result.comment)
        for row in rows
        for result in row["evaluation_results"]["results"]
    }
    assert found["17+48-9"] == ("judge", 1.0, "grade 5 (direct, ok)")
    assert found["1+1"] == ("judge", 0.0, "grade 1 (direct, ok)")
    assert found["9-9"] == ("judge", None, "it is empty")


def runs_of(*answers: str) -> list[Run]:
    return [
        Run(id=UUID(int=10 + i), trace_id=UUID(int=10 + i), name="target", start_time=EPOCH, run_type="chain",
            inputs=ASKED, outputs={"answer": answer})
        for i, answer in enumerate(answers)
    ]  # fmt: skip


@pytest.mark.parametrize("sync", [True, False])
async def test_langsmith_can_compare(sync: bool) -> None:
    graph = judging("pairwise", lambda text: text == "56")
    runs = runs_of("57", "56")
    compare: Any = as_comparative_evaluator(graph) if sync else as_async_comparative_evaluator(graph)
    evaluator = comparison_evaluator(compare)  # its types know only (runs, example)
    result = evaluator.compare_runs(runs, EXAMPLES[0]) if sync else await evaluator.acompare_runs(runs, EXAMPLES[0])
    assert (result.key, result.scores) == ("egrm", {runs[0].id: 0.0, runs[1].id: 1.0})
    assert result.comment == "winner B (direct, ok)"


def test_a_failed_comparison_has_no_scores() -> None:
    runs = runs_of("57", "56")
    lost = as_comparative_evaluator(judging("pairwise", bool, lost="17+48-9"))(runs, ASKED, ["57", "56"])
    assert lost["scores"] == {runs[0].id: None, runs[1].id: None}
    alone = as_comparative_evaluator(judging("pairwise", bool))(runs[:1], ASKED, ["57"])
    assert alone["scores"] == {runs[0].id: None}
    assert alone["comment"] == "the task pairwise takes 2 candidates, not 1"
