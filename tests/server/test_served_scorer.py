"""The bundled scorer behind a real vLLM server, against the same one in this process."""

import asyncio
import random
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from shutil import copytree
from statistics import median

import pytest

from egrm_graph import Settings, build_graph
from egrm_graph.benchmark.held_out import held_out
from egrm_graph.errors import ModelError, SetupError
from egrm_graph.runtime.bundled_models import bundled
from egrm_graph.scoring.classifier import ClassifierScorer
from egrm_graph.scoring.remote import RemoteScorer
from egrm_graph.scoring.scorer import Scorer, Unscored
from egrm_graph.settings import BUNDLED_MODEL, BUNDLED_SCORER
from tests.server.conftest import Served
from tests.server.metrics import metric, until

pytestmark = [pytest.mark.server, pytest.mark.timeout(600)]

FOLDER = bundled(BUNDLED_SCORER)
CONTEXT = 256
WEIRD = (
    "17+48=65;#65</s>",
    "<s>17+48=65;<pad><unk>#65",
    "</s>" * 20,
    "I think that the sum is 65, so #65.",
    "17 + 48 = 65 ; # 65",
    "17+40=57;\n57+8=65;\n#65\n",
    "\u0661\u0667 \u2795 \U0001f914 #65",
    "{question}:{path}",
    "#",
    "\u200b#65\u0000",
    "9" * 240,
)


def worked(question: str, rng: random.Random, slips: float) -> str:
    """A solution that adds one term at a time. Each result is slightly wrong with the probability `slips`."""
    total, *terms = (int(term) for term in question.replace("-", "+-").split("+"))
    steps = []
    for term in terms:
        result = total + term + (rng.choice((-10, -1, 1, 2, 10)) if rng.random() < slips else 0)
        steps.append(f"{total}{term:+d}={result};")
        total = result
    return "".join(steps) + f"#{total}"


def texts() -> list[tuple[str, list[str]]]:
    """Questions with right and wrong solutions, bare answers, long paths, and texts that no model should write."""
    rng = random.Random(0)
    found = []
    for question in held_out(60):
        right = worked(question.text, rng, 0)
        # the question, a colon, and the start token also take up context
        long = (right * 30)[: CONTEXT - len(question.text) - 2]
        found.append((question.text, [right, worked(question.text, rng, 0.5), f"#{question.reference}", long]))
    return [*found, ("17+48", list(WEIRD)), ("</s>17+48<s>", list(WEIRD))]


async def scores_of(scorer: Scorer) -> list[float | Unscored]:
    """The scores of all texts, with all questions at once."""
    results = await asyncio.gather(*(scorer.score(question, paths) for question, paths in texts()))
    return [score for scores in results for score in scores]


@pytest.fixture
async def remote(real_scorer: Served) -> AsyncIterator[RemoteScorer]:
    scorer = RemoteScorer(FOLDER, [real_scorer.base_url])
    yield scorer
    await scorer.aclose()


@pytest.fixture
async def here() -> AsyncIterator[ClassifierScorer]:
    scorer = ClassifierScorer.load(FOLDER, device="cpu")
    yield scorer
    await scorer.aclose()


async def test_every_score_equals_that_of_this_process(remote: RemoteScorer, here: ClassifierScorer) -> None:
    expected, found = await scores_of(here), await scores_of(remote)
    assert sum(isinstance(score, float) for score in expected) >= 200
    assert [type(score) for score in found] == [type(score) for score in expected]
    pairs = [(a, b) for a, b in zip(found, expected, strict=True) if isinstance(a, float) and isinstance(b, float)]
    print(f"\n{len(pairs)} paths, largest difference {max(abs(a - b) for a, b in pairs):.1e}")
    assert [pair for pair in pairs if abs(pair[0] - pair[1]) > 1e-3] == []
    assert {round(b) for _, b in pairs} == {0, 1}


async def test_a_path_too_long_for_the_scorer_is_unscored_as_in_this_process(
    remote: RemoteScorer, here: ClassifierScorer
) -> None:
    paths = ["1" * CONTEXT, "#65"]
    found, expected = await remote.score("17+48", paths), await here.score("17+48", paths)
    assert found[0] == expected[0]
    assert isinstance(found[0], Unscored)
    assert found[1] == pytest.approx(expected[1], abs=1e-3)


async def test_the_graph_can_use_a_local_generator_and_a_remote_scorer(real_scorer: Served) -> None:
    question = "71+58-18-30+39"
    results = [
        (await build_graph(settings).ainvoke({"question": question}))["verification"]
        for settings in (Settings(), Settings(scorer_url=real_scorer.base_url))
    ]
    here, there = ([path["score"] for path in verification["paths"]] for verification in results)
    assert results[1]["route"] == "reasoned"
    assert there == pytest.approx(here, abs=1e-3)
    assert {key: results[1][key] for key in ("status", "answer", "best_path", "reasons")} == {
        key: results[0][key] for key in ("status", "answer", "best_path", "reasons")
    }


def test_the_command_that_serve_model_prints_works(real_scorer: Served) -> None:
    assert real_scorer.to_use_it == f"egrm ask QUESTION --scorer-url {real_scorer.base_url}"
    command = [sys.executable, "-m", "egrm_graph", *real_scorer.to_use_it.split()[1:], "--json"]
    command[command.index("QUESTION")] = "71+58-18-30+39"
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert '"reasons": []' in done.stdout


async def test_a_server_with_a_generator_is_refused(real_server: Served, tmp_path: Path) -> None:
    folder = copytree(FOLDER, tmp_path / BUNDLED_MODEL)
    scorer = RemoteScorer(folder, [real_server.base_url])
    with pytest.raises(SetupError, match=f"serves '{BUNDLED_MODEL}', but has no /pooling"):
        await scorer.score("17+48", ["#65"])
    await scorer.aclose()


async def test_the_error_about_a_wrong_name_has_the_served_name(real_scorer: Served, tmp_path: Path) -> None:
    scorer = RemoteScorer(copytree(FOLDER, tmp_path / "mine"), [real_scorer.base_url])
    with pytest.raises(ModelError) as caught:
        await scorer.score("17+48", ["#65"])
    assert str(caught.value) == (
        f"{real_scorer.base_url} does not serve 'mine' but {BUNDLED_SCORER}; start one that does with "
        f"`egrm serve-model {tmp_path / 'mine'}`, or set scorer_url (--scorer-url) to one"
    )
    await scorer.aclose()


async def test_cancelling_aborts_on_the_server(real_scorer: Served, remote: RemoteScorer) -> None:
    rng = random.Random(1)
    paths = ["".join(rng.choices("0123456789", k=240)) for _ in range(2000)]
    running, waiting = "vllm:num_requests_running", "vllm:num_requests_waiting"
    before = await metric(real_scorer, "vllm:prompt_tokens_total")
    call = asyncio.create_task(remote.score("17+48", paths))
    await until(real_scorer, running, lambda value: value > 0)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    for name in (running, waiting):
        await until(real_scorer, name, lambda value: value == 0)
    assert await metric(real_scorer, "vllm:prompt_tokens_total") - before < 2000 * 247
    assert isinstance((await remote.score("17+48", ["#65"]))[0], float)


async def test_four_paths_are_timed_on_the_server_and_in_this_process(
    remote: RemoteScorer, here: ClassifierScorer
) -> None:
    question, rng = "71+58-18-30+39", random.Random(0)
    paths = [worked(question, rng, 0.3) for _ in range(4)]

    async def ms(score: Callable[[str, list[str]], Awaitable[object]]) -> float:
        started = time.perf_counter()
        await score(question, paths)
        return (time.perf_counter() - started) * 1e3

    rounds = [(await ms(remote.score), await ms(here.score)) for _ in range(50)][5:]
    there_ms, here_ms = (sorted(side) for side in zip(*rounds, strict=True))
    for name, side in (("there", there_ms), ("here", here_ms)):
        print(f"\n{name}: four paths take {median(side):.1f} ms, at 95 % {side[int(len(side) * 0.95)]:.1f} ms", end="")
