"""Write a verdict as the next message of the conversation."""

from __future__ import annotations

from langchain_core.messages import AIMessage

from egrm_graph.verification import Verification


def reply(verification: Verification) -> AIMessage:
    """Return the answer as a message, with the status if it is not `ok`. An abstained run has no answer."""
    status, reasons = verification["status"], "; ".join(verification["reasons"])
    if status == "abstained" or verification["answer"] is None:
        text = "I have no verified answer."
    else:
        text = verification["answer"]
    if status != "ok":
        text = f"{text}\n\nStatus: {status}. {reasons}".rstrip()
    metadata = {name: verification[name] for name in ("run_id", "status", "route", "confidence")}
    return AIMessage(text, id=f"egrm-{verification['run_id']}", response_metadata={"egrm": metadata})
