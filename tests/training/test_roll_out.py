"""Paths drawn for a question, each marked by its answer."""

import pytest

from egrm_graph.clients.client import Completion
from egrm_graph.clients.scripted import Fail, ScriptedClient
from egrm_graph.errors import InputError
from egrm_graph.parts import Parts, assemble
from egrm_graph.settings import Settings
from egrm_graph.training.roll_out import roll_out
from egrm_graph.training.rollout_file import Rollout

INPUT = {"question": "1+1", "reference": "2"}
RIGHT, WRONG = "1+1=2;#2", "1+1=3;#3"


def parts(*paths: str | Completion | Fail, logprobs: bool = False) -> Parts:
    client = ScriptedClient(paths=paths, labels={"x": -1.0} if logprobs else None)
    return assemble(Settings(task="arithmetic", paths=len(paths)), client, None)


async def test_every_path_is_marked_by_its_answer() -> None:
    row = await roll_out(parts(RIGHT, WRONG, "1+1=", "1+1=2;#02"), INPUT, level=3)
    assert (row["question"], row["reference"], row["level"], row["lost"]) == ("1+1", "2", 3, 0)
    assert [(path["answer"], path["correct"]) for path in row["paths"]] == [
        ("2", True),
        ("3", False),
        (None, False),
        ("02", True),
    ]


async def test_a_lost_path_is_not_a_wrong_one() -> None:
    row = await roll_out(parts(RIGHT, Fail("gone"), Fail("gone")), INPUT)
    assert [path["correct"] for path in row["paths"]] == [True]
    assert (row["lost"], row["reasons"]) == (2, ["2 of 3 paths lost: gone"])


async def test_log_probabilities_are_summed_if_the_model_gives_them() -> None:
    completion = Completion(RIGHT, "stop", 3, logprobs=(-0.5, -2.0, -0.25))
    (path,) = (await roll_out(parts(completion, logprobs=True), INPUT))["paths"]
    assert (path["logprob"], path["min_logprob"]) == (-2.75, -2.0)
    (path,) = (await roll_out(parts(RIGHT), INPUT))["paths"]
    assert (path["logprob"], path["min_logprob"]) == (None, None)


@pytest.mark.parametrize("gives", [True, False])
async def test_log_probabilities_are_requested_if_the_model_gives_them(gives: bool) -> None:
    found = parts(RIGHT, logprobs=gives)
    await roll_out(found, INPUT)
    assert isinstance(found.client, ScriptedClient)
    [call] = found.client.calls
    assert call.sampling is not None
    assert call.sampling.logprobs == int(gives)


async def test_a_row_has_its_cost() -> None:
    row = await roll_out(parts(RIGHT, Fail("gone"), WRONG), INPUT)
    assert (row.get("requests"), row.get("completion_tokens")) == (
        3,
        sum(path["n_tokens"] or 0 for path in row["paths"]),
    )
    assert "steps" not in row["paths"][0]


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({"question": "1+1"}, "no 'reference'"),
        ({"question": "who?", "reference": "2"}, "who"),
        ({"messages": [("user", "2+2"), ("ai", "4"), ("user", "1+1")], "reference": "2"}, "messages before"),
    ],
)
async def test_input_that_cannot_be_rolled_out_is_an_error(inputs: dict[str, str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        await roll_out(parts(RIGHT), inputs)


async def test_a_row_is_a_rollout() -> None:
    row = await roll_out(parts(RIGHT, WRONG), INPUT)
    assert Rollout.model_validate({"id": 1, **row}).paths[1].answer == "3"
