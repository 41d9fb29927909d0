"""The bundled models behind a real vLLM server and in this process: the same probabilities and demo figures."""

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from egrm_graph.benchmark.held_out import held_out
from egrm_graph.clients.client import Client, Sampling
from egrm_graph.clients.embedded import EmbeddedClient
from egrm_graph.clients.server_client import ServerClient
from egrm_graph.runtime.bundled_models import bundled
from egrm_graph.settings import BUNDLED_JUDGE, BUNDLED_MODEL
from egrm_graph.verification import Message
from tests.server.conftest import Served

pytestmark = [pytest.mark.server, pytest.mark.timeout(600)]

QUESTIONS = 150
GREEDY = Sampling(temperature=0.0, max_tokens=100, logprobs=1, thinking="off")


async def most_likely(client: Client, texts: Sequence[str]) -> list[tuple[str, Sequence[float]]]:
    """The most likely continuation of each text, with its log-probabilities."""
    found: list[tuple[str, Sequence[float]]] = []
    for text in texts:
        drawn = await client.sample([Message(role="user", content=text)], GREEDY, seeds=[0], request_id="test")
        [completion] = drawn.completions
        assert completion.logprobs
        found.append((completion.text, completion.logprobs))
    return found


async def hold_token_by_token(server: Served, model: str, texts: Sequence[str]) -> None:
    here, there = EmbeddedClient.load(bundled(model)), ServerClient(server.name, [server.base_url])
    try:
        ours, theirs = await most_likely(here, texts), await most_likely(there, texts)
    finally:
        await here.aclose()
        await there.aclose()
    assert [text for text, _ in ours] == [text for text, _ in theirs]
    for (_, one), (_, other) in zip(ours, theirs, strict=True):
        assert one == pytest.approx(other, abs=1e-3)  # nats


async def test_the_model_has_the_same_probabilities_behind_a_server(real_server: Served) -> None:
    texts = [question.text + trigger for question in held_out(40) for trigger in "=:"]
    await hold_token_by_token(real_server, BUNDLED_MODEL, texts)


async def test_the_judge_has_the_same_probabilities_behind_a_server(real_judge: Served) -> None:
    pairs = [(pair.candidates, pair.text) for pair in held_out(80, "pairwise") if " " not in "".join(pair.candidates)]
    texts = [f"{one}A|{other}B|{question}{trigger}" for (one, other), question in pairs for trigger in "=:"]
    assert len(texts) >= 80
    await hold_token_by_token(real_judge, BUNDLED_JUDGE, texts)


def demo(folder: Path, *options: str) -> dict[str, Any]:
    """The figures that `egrm demo` writes with the published gate, whose number of paths does not depend on them."""
    figures = folder / "figures.json"
    command = [sys.executable, "-m", "egrm_graph", "demo", "--preset", "published"]
    command += ["--questions", str(QUESTIONS), "--json", str(figures)]
    done = subprocess.run([*command, *options], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    written: dict[str, Any] = json.loads(figures.read_text())
    return written


def within(value: float, interval: dict[str, float]) -> bool:
    return interval["low"] <= value <= interval["high"]


def test_the_demo_has_the_same_figures_behind_a_server(real_server: Served, tmp_path: Path) -> None:
    # Some answers are withheld for low confidence, but no more than in this process.
    hold_together(real_server, tmp_path, most_failed=None)


def test_the_judging_demo_has_the_same_figures_behind_a_server(real_judge: Served, tmp_path: Path) -> None:
    # Four paths may leave one of the two orders without a readable verdict.
    hold_together(real_judge, tmp_path, "--task", "pairwise", most_failed=5)


def hold_together(server: Served, tmp_path: Path, *task: str, most_failed: int | None) -> None:
    here = demo(tmp_path, *task)
    there = demo(tmp_path, *task, "--engine", "vllm", "--base-url", server.base_url, "--model", server.name)
    assert [row["method"] for row in there["overall"]] == ["never reason", "always reason", "E-GRM"]
    for one, other in zip(here["overall"], there["overall"], strict=True):
        assert other["failed"] <= (one["failed"] if most_failed is None else most_failed)
        assert within(other["accuracy"]["value"], one["accuracy"]), (one, other)
        assert within(one["accuracy"]["value"], other["accuracy"]), (one, other)
    one, other = here["comparison"]["tokens_ratio"], there["comparison"]["tokens_ratio"]
    assert within(other["value"], one), (one, other)
    assert within(one["value"], other), (one, other)
