"""The verifier as a node of your own graph: it reads `question` and writes only `verification`."""

from typing import TypedDict

from langgraph.graph import END, START, StateGraph

from egrm_graph import Verification, build_graph


class Prices(TypedDict):
    prices: list[int]


class Order(Prices):
    question: str
    verification: Verification
    receipt: str


def ask(state: Order) -> dict[str, str]:
    return {"question": "+".join(map(str, state["prices"]))}


def print_receipt(state: Order) -> dict[str, str]:
    verified = state["verification"]
    if verified["status"] != "ok":
        return {"receipt": f"please check by hand: {'; '.join(verified['reasons'])}"}
    return {"receipt": f"total {verified['answer']} ({verified['route']})"}


builder = StateGraph(Order, input_schema=Prices)
builder.add_node("ask", ask)
builder.add_node("verify", build_graph())
builder.add_node("print_receipt", print_receipt)
builder.add_edge(START, "ask")
builder.add_edge("ask", "verify")
builder.add_edge("verify", "print_receipt")
builder.add_edge("print_receipt", END)

print(builder.compile().invoke({"prices": [12, 30, 7]})["receipt"])
