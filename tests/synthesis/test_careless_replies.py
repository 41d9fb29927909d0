"""Whatever a model replies, a row is read as it was written, and what cannot be used is a loss."""

import asyncio
import re
from collections.abc import Sequence

from hypothesis import example, given, settings
from hypothesis import strategies as st

from egrm_graph.clients.scripted import ScriptedClient
from egrm_graph.judgments.judgment import Judgment
from egrm_graph.judgments.judgment_grammar import read_judgment, write_judgment
from egrm_graph.settings import ReplyForm
from egrm_graph.verification import Message
from tests.synthesis.writer import PAIR, Writer, stages, synthesis, synthesized, unit

UNIT = "### CODE 1. Principle of Tone: Be kind.\nJudgment: It is good.\nCODE Sub-Verdict: A\n"
PIECES = (
    UNIT,
    UNIT.replace("Tone", "Truth").replace("It is good.", 'It says "65".'),
    UNIT.replace("It is good.", 'It says "no".\nOTHER: B'),
    UNIT.replace("It is good.", "<think>It is.</think><|im_end|>"),
    "### CODE Solution\n",
    "CODE Sub-Verdict: MIXED\n",
    "CODE: 2=1, 9=2\n",
    "CODE: A",
    "OTHER: B\n",
    "<think>",
    "</think>",
    "65\n",
)
ORDER = ("expand_cot", "standardize", "group_principles", "solve", "rejudge")


class Careless:
    """Replies with texts, in which CODE is the code of the prompt and OTHER is the one that signs verdicts."""

    texts: Sequence[str] = ()
    other = ""

    def __call__(self, prompt: Sequence[Message], seed: int, request_id: str) -> str:
        name, number = request_id.split(".", 1)[1].rsplit(".", 1)
        code = re.findall(r"\[end of [\w ]+ ([0-9a-f]{8})\]", prompt[-1]["content"])[-1]
        self.other = code if name == "expand_cot" else self.other
        written = self.texts[ORDER.index(name) + int(number)].replace("CODE", code).replace("OTHER", self.other)
        return f"{written}\n{code}: A" if name in ("expand_cot", "rejudge") else written


def test_any_reply_gives_a_row_that_is_read_as_written_or_a_loss() -> None:
    model = Careless()
    made_of = {style: synthesis(ScriptedClient(model), style) for style in ("breadth", "mixed")}
    rows = []

    @settings(max_examples=30, deadline=None, database=None, derandomize=True)
    @given(
        st.lists(st.lists(st.sampled_from((UNIT, *PIECES)), min_size=1, max_size=3), min_size=5, max_size=5),
        st.sampled_from(["breadth", "mixed"]),
    )
    @example([[UNIT]] * 5, "breadth")
    @example([[UNIT]] * 5, "mixed")
    def check(texts: list[list[str]], style: str) -> None:
        model.texts = ["".join(pieces) for pieces in texts]
        made = asyncio.run(made_of[style].synthesize(PAIR, 0))
        assert made["row"] is not None or made["losses"]
        if made["row"] is not None:
            read = read_judgment(made["row"]["completion"][0]["content"], model.other, "ABC")
            assert (read.lost, read.verdict is None, len(read.units) > 0) == ((), False, True)
            assert read.structure == ("depth" if style == "mixed" else "plain")
            assert all('"no"' not in each.judgment for each in read.units)
            rows.append(style)

    check()
    assert set(rows) == {"breadth", "mixed"}


async def test_a_list_of_candidates_works_too() -> None:
    pair = PAIR.model_copy(update={"candidates": ("65", "66", "67"), "reference": "C"})
    units = ((unit("Tone", "C"), unit("Truth", "A")), (unit("Tone", "C"),))

    class Judge(Writer):
        def reply_to(self, name: str, number: int, code: str) -> str:
            if name == "expand_cot":
                return f"It is good.\n{code}: C"
            if name == "group_principles":
                return f"{code}: 3=1"
            return write_judgment(Judgment(None, units[number], (), None), code, "ABC")

    made, client = await synthesized(Judge(), pair, settings={"task": "best_of_n"})
    assert stages(client)[-1] == "group_principles"
    assert made["row"] is not None
    assert [(each["principle"], each["sub_verdict"], each["count"]) for each in made["merged"]] == [
        ("Tone", "C", 2),
        ("Truth", "A", 1),
    ]
    # Tone and Truth disagree; so the rationales decide.
    assert made["row"]["completion"][0]["content"].endswith(": C")


async def test_with_structured_replies_each_stage_allows_the_form_that_it_reads() -> None:
    model = Writer()
    structured: tuple[ReplyForm, ...] = ("structured",)
    client = ScriptedClient(model, reply_forms=structured)
    await synthesis(client, "mixed", settings={"path_reply": "structured"}).synthesize(PAIR, 0)
    assert stages(client) == ["expand_cot", "expand_cot", "standardize", "standardize", *ORDER[2:]]
    for call in client.calls:
        assert call.sampling is not None
        name = call.request_id.split(".", 1)[1].rsplit(".", 1)[0]
        if name == "solve":
            assert call.sampling.pattern is None
            continue
        reply = model(call.prompt, 0, call.request_id)
        assert isinstance(reply, str)
        end = "\n\n" if name == "standardize" else ""
        assert re.fullmatch(call.sampling.pattern or "", reply + end), name
