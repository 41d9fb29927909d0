"""A path strategy of your own, with its own prompt: it asks for a plan first, and then for paths that follow it."""

from collections.abc import Sequence

from egrm_graph import Known, PathCall, PathInView, Settings, build_graph
from egrm_graph.clients.client import Completion
from egrm_graph.clients.scripted import ScriptedClient


class PlanFirst:
    name = "plan_first"
    prompts = {  # noqa: RUF012 - a text here; a Path to a file works, too
        "plan": "{{ question }}\n\nIn one sentence: how would you work this out?",
        "follow": "{{ question }}\n\nFollow this plan: {{ plan }}\nEnd with the answer inside \\boxed{}.",
    }
    variables = {"plan": "Add the numbers."}  # noqa: RUF012 - an example, to try the prompts with

    def next_calls(self, known: Known) -> Sequence[PathCall]:
        if not known.rounds:
            return known.calls("plan", known.views)
        if len(known.rounds) == 1:
            [[plan]] = known.rounds[0].outcomes
            text = plan.text if isinstance(plan, Completion) else "none"
            return known.calls("follow", known.path_views(), plan=text)
        return []

    def paths(self, known: Known) -> Sequence[PathInView]:
        last = known.rounds[-1]
        return [known.read(call, outcome) for call, [outcome] in zip(last.calls, last.outcomes, strict=True)]


# A script instead of a model, so that this runs anywhere: five fast answers that differ, a plan, and four paths.
client = ScriptedClient(
    fast=["205", "195", "215", "200", "225"], paths=["Count from 9:40 to 13:05.", *["3 h 25 min is \\boxed{205}."] * 4]
)
settings = Settings(task="answer", strategy="plan_first")
graph = build_graph(settings, client=client, scorer=None, strategies=[PlanFirst()])
result = graph.invoke({"question": "A train leaves at 9:40 and arrives at 13:05. How many minutes is that?"})
print(result["verification"]["answer"], result["verification"]["route"])
