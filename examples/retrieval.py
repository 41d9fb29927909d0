"""Retrieval with a verifier: find passages that share words with the request, draft two answers from them, and keep the
draft that equals the verifier's own answer.

The bundled model can only add and subtract. So the passages are prices, and two functions replace a model that drafts:
one adds correctly, the other forgets to carry. With a model behind a server, the question can be anything.
"""

import re
from typing import TypedDict

from langgraph.graph import END, START, StateGraph

from egrm_graph import Verification, build_graph

PASSAGES = (
    "An apple costs 48 cents.",
    "A pear costs 17 cents.",
    "A lemon costs 39 cents.",
    "A melon is ripe when it smells sweet.",
)


class Request(TypedDict):
    request: str


class Answer(Request):
    passages: list[str]
    drafts: list[str]
    question: str
    verification: Verification
    reply: str


def retrieve(state: Request) -> dict[str, list[str]]:
    wanted = set(re.findall(r"\w+", state["request"].lower())) - {"a", "an", "and", "is"}
    return {"passages": [passage for passage in PASSAGES if wanted & set(re.findall(r"\w+", passage.lower()))]}


def draft(state: Answer) -> dict[str, str | list[str]]:
    prices = [int(number) for passage in state["passages"] for number in re.findall(r"\d+", passage)]
    forgetful = sum(price // 10 for price in prices) * 10 + sum(prices) % 10
    return {"question": "+".join(map(str, prices)), "drafts": [str(forgetful), str(sum(prices))]}


def keep(state: Answer) -> dict[str, str]:
    verified = state["verification"]
    if verified["status"] == "ok" and verified["answer"] in state["drafts"]:
        return {"reply": f"{verified['answer']} cents (of the drafts {' and '.join(state['drafts'])})"}
    return {"reply": f"no draft could be verified: {'; '.join(verified['reasons']) or verified['answer']}"}


builder = StateGraph(Answer, input_schema=Request)
builder.add_node("retrieve", retrieve)
builder.add_node("draft", draft)
builder.add_node("verify", build_graph())
builder.add_node("keep", keep)
for edge in ((START, "retrieve"), ("retrieve", "draft"), ("draft", "verify"), ("verify", "keep"), ("keep", END)):
    builder.add_edge(*edge)
print(builder.compile().invoke({"request": "What is an apple and a lemon together?"})["reply"])
