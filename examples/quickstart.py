"""Ask one question that the fast answers settle, and one that needs reasoning."""

from egrm_graph import build_graph

graph = build_graph()  # the bundled model, in this process
for question in ("17+48", "71+58-18-30+39"):
    verification = graph.invoke({"question": question})["verification"]
    print(f"{question} = {verification['answer']}  ({verification['route']}, {verification['status']})")
    print("  votes:", {vote["answer"]: vote["count"] for vote in verification["uncertainty"]["votes"]})
    for path in verification["paths"]:
        print(f"  path {path['text']}  score: {path['score']}")
