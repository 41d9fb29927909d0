"""A judging task of your own: rank all candidates. A ranking such as B > C > A is a vote; the average rank decides."""

from pathlib import Path

from egrm_graph import Decision, Findings, Judging, Settings, View, build_graph
from egrm_graph.clients.scripted import ScriptedClient
from egrm_graph.deciding.candidate_decision import abstained
from egrm_graph.deciding.findings import grounds_of
from egrm_graph.tasks.judging import judged_of


class Rank(Judging):
    name = "rank"
    prompt_folder = Path(__file__).parent / "rank_prompts"
    single_label = False  # a ranking is more than one label, so no probabilities of labels are read

    def read(self, text: str, view: View, *, fast: bool, complete: bool = True) -> str | None:  # noqa: ARG002
        labels = [part.strip() for part in text.rpartition(":")[2].split(">")]
        if not complete or sorted(labels) != sorted(view["labels"]):
            return None
        return ">".join(view["outcomes"][view["labels"].index(label)] for label in labels)

    def decide(self, findings: Findings) -> Decision:
        judged, grounds = judged_of(findings.asked), grounds_of(findings)
        votes = [each["answer"].split(">") for each in findings.paths or findings.samples if each["answer"]]
        if not votes:
            return abstained(judged, grounds.reasons)
        ranks = {name: sum(vote.index(name) for vote in votes) / len(votes) for name in sorted(votes[0])}
        ranking = sorted(ranks, key=lambda name: ranks[name])
        winner = ord(ranking[0]) - ord("A")
        return Decision(grounds.status(lost=findings.lost), ">".join(ranking), winner=winner, reasons=grounds.reasons)


client = ScriptedClient(fast=["A > B > C", "B > C > A", "C > A > B", "A > B > C", "B > C > A"])
graph = build_graph(Settings(task="rank", threshold=0.2), client=client, scorer=None, tasks=[Rank()])
result = graph.invoke({"question": "How is the sky?", "candidates": ["Blue.", "Green.", "It depends on the hour."]})
print(result["verification"]["answer"], result["verification"]["status"])
