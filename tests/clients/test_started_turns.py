"""Started turns and restricted replies: what servers get, and what is read from their answers."""

from typing import Any

import pytest
from aiohttp import web
from langchain_core.messages import AIMessage

from egrm_graph.clients.chat_model import ChatModelClient
from egrm_graph.clients.client import Completion, Meter, Sampling, prompt_text
from egrm_graph.clients.embedded import EmbeddedClient
from egrm_graph.clients.server_api import OPENAI
from egrm_graph.errors import Unsupported
from egrm_graph.verification import Message
from tests.clients.asking import PROMPT, SAMPLING, client_of, sent
from tests.clients.fake_server import FakeServer, Seen, answer, chunks, reply, say, stream
from tests.clients.test_chat_model import Model
from tests.clients.test_vllm_labels import label_answer

BOX = "\\boxed{"
STARTED = [*PROMPT, Message(role="assistant", content=BOX)]
BOLD = [*PROMPT, Message(role="assistant", content="**")]
PATTERN = Sampling(temperature=1, max_tokens=8, pattern="[0-9]+")


async def started(body: dict[str, Any], **options: Any) -> tuple[Completion, dict[str, Any]]:
    """The completion of a started turn, and the request."""
    async with FakeServer(reply(body)).running() as server, client_of(server, **options) as client:
        drawn = await client.sample(STARTED, SAMPLING, seeds=(7,), request_id="r")
        return drawn.completions[0], server.bodies[0]


@pytest.mark.parametrize("options", [{}, {"api": OPENAI}])
async def test_the_chat_route_continues_the_last_message(options: dict[str, Any]) -> None:
    completion, body = await started(answer("56}"), **options)
    assert body["messages"] == STARTED
    assert (body["continue_final_message"], body["add_generation_prompt"]) == (True, False)
    assert completion.text == "56}"


async def test_other_prompts_have_no_field_for_it() -> None:
    assert {"continue_final_message", "add_generation_prompt"} & {*await sent(SAMPLING)} == set()


@pytest.mark.parametrize(("asked", "text"), [("6*7?", "6*7?\n**"), ("6*7? ", "6*7? **"), ("6*7?\n", "6*7?\n**")])
def test_in_a_text_the_start_follows_the_prompt_after_space(asked: str, text: str) -> None:
    prompt = [Message(role="user", content=asked), Message(role="assistant", content="**")]
    assert prompt_text(prompt, "\n") == text


async def test_on_the_completions_route_the_start_is_the_end_of_the_prompt() -> None:
    body = answer("56}")
    body["choices"][0] |= {"text": body["choices"][0].pop("message")["content"]}
    completion, sent_body = await started(body, endpoint="completions")
    assert sent_body["prompt"] == "Be short. 17+48-9=\n\\boxed{"
    assert "continue_final_message" not in sent_body
    assert completion.text == "56}"


async def test_a_pattern_is_a_structured_output() -> None:
    assert (await sent(PATTERN))["structured_outputs"] == {"regex": "[0-9]+"}


async def test_a_pattern_is_refused_by_clients_that_would_ignore_it(client: EmbeddedClient) -> None:
    async with FakeServer(say("56")).running() as server, client_of(server, api=OPENAI) as openai:
        chat_model = ChatModelClient(Model(answer=lambda _: AIMessage("56")))
        for each in (openai, client, chat_model):
            with pytest.raises(Unsupported, match=r"restrict.* to a pattern"):
                await each.sample(PROMPT, PATTERN, seeds=(7,), request_id="r")
        assert server.bodies == []


@pytest.mark.parametrize("field", ["reasoning", "reasoning_content"])
async def test_the_rest_of_a_started_turn_is_the_reply_even_if_a_parser_calls_it_a_thought(field: str) -> None:
    body = answer("")
    body["choices"][0]["message"] = {"content": None, field: "56}"}
    completion, _ = await started(body)
    assert (completion.text, completion.thinking) == ("56}", None)


async def test_so_it_is_in_a_stream() -> None:
    body = answer("56}")
    body["choices"][0]["message"] = {"role": "assistant", "reasoning_content": "56}"}
    async with FakeServer(stream(*chunks(body))).running() as server, client_of(server) as client:
        drawn = await client.sample(STARTED, SAMPLING, seeds=(7,), request_id="r", meter=Meter())
    assert (drawn.completions[0].text, drawn.completions[0].thinking) == ("56}", None)


async def test_a_thought_next_to_a_text_remains_a_thought() -> None:
    body = answer("\\boxed{56}")
    body["choices"][0]["message"]["reasoning"] = "Add them.}"
    completion, _ = await started(body)
    assert (completion.text, completion.thinking) == ("\\boxed{56}", "Add them.}")


async def test_labels_are_read_after_the_start() -> None:
    found = label_answer((65, -0.1), (66, -3.0))
    async with FakeServer(reply(found)).running() as server, client_of(server) as client:
        await client.label_logprobs(BOLD, ["A", "B"], request_id="r")
        labels = await client.label_logprobs(BOLD, ["A", "B"], request_id="again")
    assert labels.logprobs == {"A": -0.1, "B": -3.0}
    assert (server.bodies[0]["messages"], server.bodies[0]["continue_final_message"]) == (BOLD, True)
    assert server.bodies[0]["logprob_token_ids"] == [65, 66]
    assert sorted(server.tokenized) == ["**", "**A", "**B"]


class Merging(FakeServer):
    """Has a token for `**` with the letter after it."""

    async def _tokenize(self, request: web.Request) -> web.Response:
        text = (await request.json())["prompt"]
        return web.json_response({"tokens": [1000 + ord(text[2])] if text[2:] else [1, 2]})


async def test_a_label_that_the_tokenizer_merges_with_the_start_is_refused() -> None:
    async with Merging(say("A")).running() as server, client_of(server) as client:
        with pytest.raises(Unsupported, match=r"the label 'A' is not one token of tiny after '\*\*'"):
            await client.label_logprobs(BOLD, ["A"], request_id="r")


async def test_a_server_without_label_ids_lists_the_labels_after_the_start() -> None:
    async def act(seen: Seen) -> web.StreamResponse:
        assert seen.body["messages"] == BOLD
        body = answer("A")
        top = [{"token": "A", "logprob": -0.1}, {"token": "B", "logprob": -3.0}]
        body["choices"][0]["logprobs"] = {"content": [{"token": "A", "logprob": -0.1, "top_logprobs": top}] * 2}
        return web.json_response(body)

    async with FakeServer(act).running() as server, client_of(server, api=OPENAI) as client:
        labels = await client.label_logprobs(BOLD, ["A", "B"], request_id="r")
    assert labels.logprobs == {"A": -0.1, "B": -3.0}
