"""Whatever is lost, an unjudged candidate has no reward, and the run does not report the status ok."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from langchain_core.messages import AIMessage, ToolCall

from egrm_graph import Settings, Verification, build_graph
from egrm_graph.clients.client import Completion
from egrm_graph.clients.scripted import Disconnect, Fail, Item, ScriptedClient, Stall
from egrm_graph.errors import ContextTooLong, EgrmError, ServerError, Unsupported
from egrm_graph.scoring.scorer import NO_SCORER, Unscored
from egrm_graph.settings import TaskName
from egrm_graph.verification import Message
from tests.judges import chance, noisy, read_prompt

GRADES = ("1", "2", "3", "4", "5")


@dataclass
class Trouble:
    """The failures of a run. Each kind has this rate, and `seed` determines which occur."""

    seed: int
    rate: float
    stalls: bool
    happened: list[str] = field(default_factory=list)

    def strikes(self, what: str, *where: object) -> bool:
        struck = chance(self.seed, what, *where) < self.rate
        self.happened += [what] if struck else []
        return struck

    def item(self, prompt: Sequence[Message], seed: int, request_id: str) -> Item:
        stage, place = request_id.split(".")[1], (request_id.split(".", 1)[1], seed)
        if self.stalls and self.strikes("stall", stage):
            return Stall()
        if self.strikes("whole call", stage, *place[:1]):
            return Fail("the call failed", fails_call=True)
        if self.strikes("disconnect", *place):
            return Disconnect(after_tokens=2)
        if self.strikes("sample", *place):
            return Fail(ContextTooLong("too long"))
        text = self._verdict(prompt, seed, stage)
        if chance(self.seed, "unreadable", *place) < self.rate:
            return "I would rather not say"
        return Completion(text, "length", len(text)) if chance(self.seed, "cut", *place) < self.rate else text

    def _verdict(self, prompt: Sequence[Message], seed: int, stage: str) -> str:
        if "[candidate A " in prompt[-1]["content"]:
            seen = read_prompt(prompt)
            label, code = noisy(seen, seed), seen.code
        else:
            label, code = GRADES[seed % 5], prompt[-1]["content"].split("]")[0].rpartition(" ")[2]
        return label if stage == "answer_fast" else f"I looked.\n{code}: {label}"

    def labels(self, prompt: Sequence[Message]) -> Mapping[str, float] | EgrmError:
        if self.strikes("reading", prompt):
            return ServerError("no reading")
        if chance(self.seed, "unsupported") < self.rate:
            return Unsupported("no such token")
        names = ("A", "B", "C", "D", "E", "F", *GRADES)
        low = math.log(1e-4) if self.strikes("mass", prompt) else 0.0
        wrong = math.nan if self.strikes("not a number", prompt) else 0.0
        weights = {name: chance(prompt, name) + 0.01 for name in names}
        return {name: math.log(weight / sum(weights.values())) + low + wrong for name, weight in weights.items()}


class Scoring:
    """A scorer with failures."""

    name = "scoring"
    calibrated = False

    def __init__(self, trouble: Trouble) -> None:
        self.trouble = trouble

    async def score(self, question: str, paths: Sequence[str]) -> list[float | Unscored]:
        if self.trouble.strikes("scorer", question):
            raise ServerError("the scorer is gone")
        if self.trouble.strikes("too few scores", question):
            return []
        return [self._score(question, path, i) for i, path in enumerate(paths)]

    def _score(self, *where: object) -> float | Unscored:
        if self.trouble.strikes("unscored", *where):
            return Unscored("too long to score")
        if self.trouble.strikes("no score", *where):
            return math.nan
        return chance(*where)

    async def aclose(self) -> None: ...


IMAGE = AIMessage([{"type": "image", "url": "x"}])
CALL = AIMessage("", tool_calls=[ToolCall(name="book", args={"x": 1}, id="1")])
candidates = st.lists(st.sampled_from(["65", "66", " 65", "67", "", "  \n", IMAGE, CALL]), min_size=2, max_size=5)
troubles = st.builds(
    Trouble, seed=st.integers(0, 2**32), rate=st.sampled_from([0.0, 0.05, 0.3, 0.8]), stalls=st.booleans()
)


async def run(
    task: TaskName, candidates_in: Sequence[Any], trouble: Trouble, *, probabilities: bool, scores: bool, tokens: int
) -> Verification:
    labels = trouble.labels if probabilities else None
    limits: dict[str, Any] = {"max_completion_tokens": tokens} if tokens else {}
    limits |= {"deadline_s": 0.1} if trouble.stalls else {}
    graph = build_graph(
        Settings(task=task, min_label_mass=0.01, **limits),
        client=ScriptedClient(trouble.item, labels=labels),
        scorer=Scoring(trouble) if scores else None,
    )
    judged = {"pairwise": candidates_in[:2], "pointwise": candidates_in[:1]}.get(task, candidates_in)
    result: Verification = (await graph.ainvoke({"question": "17+48?", "candidates": list(judged)}))["verification"]
    check(result, [_identity(candidate) for candidate in judged], task, trouble)
    return result


def _identity(candidate: Any) -> str | None:
    """The same text for equal candidates, or None for an unfit one."""
    if candidate is IMAGE:
        return None
    return "call" if candidate is CALL else candidate.strip() or None


def check(result: Verification, identities: Sequence[str | None], task: TaskName, trouble: Trouble) -> None:
    rewards, unrewarded = result["rewards"], result["unrewarded"]
    assert rewards is not None
    assert unrewarded is not None
    assert [reward is None for reward in rewards] == [reason is not None for reason in unrewarded]
    numbers = {identity: reward for identity, reward in zip(identities, rewards, strict=True) if reward is not None}
    heard = _heard(result, identities, task)
    assert set(numbers) <= heard
    assert all(math.isfinite(number) and 0 <= number <= 1 for number in numbers.values())
    if numbers and task != "pointwise":
        assert sum(numbers.values()) + (result["tie"] or 0.0) == pytest.approx(1)
    if result["status"] == "abstained":
        assert (numbers, result["winner"], result["answer"], result["confidence"]) == ({}, None, None, None)
    if result["winner"] is not None and numbers:
        assert rewards[result["winner"]] is not None
    struck = {what for what in trouble.happened if result["readings"] or what not in READINGS}
    if struck or _losses(result) or None in identities:
        assert result["status"] != "ok"
        assert result["reasons"] != []


READINGS = {"reading", "mass", "not a number"}  # without readings, the model is sampled
SAMPLES = {"stall", "whole call", "disconnect", "sample"}
SCORES = {"scorer", "too few scores", "unscored", "no score"}


def _heard(result: Verification, identities: Sequence[str | None], task: TaskName) -> set[str | None]:
    """The candidates in the views that gave a verdict."""
    answered = [drawn for drawn in (*result["samples"], *result["paths"]) if drawn["answer"] is not None]
    orders = [drawn["order"] for drawn in answered]
    orders += [reading["order"] for reading in result["readings"] if reading["probabilities"] is not None]
    if task == "pointwise":
        return set(identities) if orders else set()
    return {identities[ord(name) - ord("A")] for order in orders for name in order}


def _losses(result: Verification) -> list[str]:
    """All losses that the output reports."""
    lost = [each["error"] for each in (*result["samples"], *result["readings"], *result["paths"])]
    lost += [
        path["unscored"] for path in result["paths"] if path["answer"] is not None and path["unscored"] != NO_SCORER
    ]
    return [each for each in lost if each is not None]


@pytest.mark.slow
@pytest.mark.parametrize("task", ["pairwise", "best_of_n", "tool_calls", "pointwise"])
@settings(deadline=None, max_examples=120, suppress_health_check=[HealthCheck.too_slow])
@given(
    several=candidates,
    trouble=troubles,
    probabilities=st.booleans(),
    scores=st.booleans(),
    tokens=st.sampled_from([0, 0, 1, 8, 60]),
)
async def test_no_reward_without_a_verdict(
    task: TaskName, several: list[Any], trouble: Trouble, *, probabilities: bool, scores: bool, tokens: int
) -> None:
    trouble.happened.clear()
    await run(task, several, trouble, probabilities=probabilities, scores=scores, tokens=tokens)


async def test_every_kind_of_failure_and_every_status_occurs() -> None:
    happened: set[str] = set()
    statuses: set[str] = set()
    for seed in range(120):
        trouble = Trouble(seed, (0.0, 0.1, 0.5, 0.9)[seed % 4], stalls=seed % 10 == 0)
        result = await run("best_of_n", ["65", "66", "67"], trouble, probabilities=seed % 3 == 0, scores=True, tokens=0)
        happened |= set(trouble.happened)
        statuses.add(result["status"])
    assert happened == READINGS | SAMPLES | SCORES
    assert statuses == {"ok", "degraded", "abstained"}
