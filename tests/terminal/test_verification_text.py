import io
import unicodedata

from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from egrm_graph import Verification, build_graph
from egrm_graph.clients.scripted import Fail, ScriptedClient
from egrm_graph.judgments.judgment import Judgment, Unit
from egrm_graph.settings import Settings
from egrm_graph.terminal.terminal_text import inert, shortened
from egrm_graph.terminal.verification_text import show
from egrm_graph.verification import PathStep

PATHS = ["17+48=65;65-9=56;#56", "17+48=65;65-9=57;#57", "no idea", "17+48=65;65-9=56;#56"]


def asked(client: ScriptedClient) -> Verification:
    graph = build_graph(Settings(preset="published", task="arithmetic"), client=client, scorer=None)
    verdict: Verification = graph.invoke({"question": "17+48-9", "reference": "56"})["verification"]
    return verdict


def printed(verdict: Verification) -> str:
    out = io.StringIO()
    show(verdict, Console(file=out, width=100, highlight=False))
    return out.getvalue()


def test_a_direct_answer_is_followed_by_its_votes() -> None:
    lines = printed(asked(ScriptedClient(fast=["56", "?", "56", "56", "56"]))).splitlines()
    assert lines[:2] == ["56", "ok · direct · confidence 0.80 · right"]
    assert [line.split() for line in lines[4:7]] == [
        ["56", "█" * 16, "4", "of", "5"],
        ["no", "answer", "█" * 4, "1", "of", "5"],
        ["consensus", "0.80,", "threshold", "0.80:", "they", "converge"],
    ]


def test_the_reasoned_route_prints_every_path_and_marks_the_winner() -> None:
    verdict = asked(ScriptedClient(fast=["56", "57", "58", "59", "60"], paths=PATHS))
    verdict["best_path"] = 3
    verdict["paths"][3]["score"] = 0.9876
    text = printed(verdict)
    assert "they do not converge, so it reasoned" in text
    assert "→  0.988     56         17+48=65;65-9=56;#56" in text
    assert "unscored  no answer  no idea" in text
    assert "- paths voted: the graph has no scorer" in text
    assert "5 requests" in text


def test_uncalibrated_scores_are_marked() -> None:
    verdict = asked(ScriptedClient(fast=["56", "57", "58", "59", "60"], paths=PATHS))
    assert "not calibrated" not in printed(verdict)
    verdict["calibrated"] = False
    assert "Reasoning paths: score, answer, text, and the scores are not calibrated" in printed(verdict)


def test_the_steps_of_a_path_follow_it_with_their_scores_and_the_lowest_is_marked() -> None:
    verdict = asked(ScriptedClient(fast=["56", "57", "58", "59", "60"], paths=PATHS))
    verdict["paths"][1]["score"] = 0.09
    verdict["paths"][1]["steps"] = [PathStep(end=9, score=0.9), PathStep(end=20, score=0.1)]
    lines = printed(verdict).splitlines()
    heading = "Reasoning paths: score, answer, text, and the steps of each (▾ the lowest)"
    at = lines.index(heading)
    assert [line.split() for line in lines[at + 2 : at + 6]] == [
        ["0.090", "57"],
        ["0.900", "17+48=65;"],
        ["▾", "0.100", "65-9=57;#57"],
        ["unscored", "no", "answer", "no", "idea"],
    ]


def test_the_principles_of_a_judgment_follow_it() -> None:
    units = (
        Unit("Correctness", "It has to be right.", "Candidate A\x1b[31m gives 65.", "A"),
        Unit("Tone", "Be kind.", "Both are.", "MIXED"),
    )
    verdict = asked(ScriptedClient(fast=["56", "57", "58", "59", "60"], paths=PATHS))
    verdict["paths"][0]["judgment"] = Judgment("17+48=65", units, ("unit 3 is lost",), "B").as_record()
    verdict["paths"][1]["judgment"] = Judgment(None, (), (), "B").as_record()
    lines = printed(verdict).splitlines()
    at = lines.index("Reasoning paths: score, answer, text, and what each principle favors")
    assert [" ".join(line.split()) for line in lines[at + 1 : at + 7]] == [
        "unscored 56 depth, 2 principles, 1 part lost, the majority contradicts the verdict",
        "solution 17+48=65",
        "A Correctness: It has to be right. Candidate A\\x1b[31m gives 65.",
        "MIXED Tone: Be kind. Both are.",
        "lost unit 3 is lost",
        "unscored 57 17+48=65;65-9=57;#57",
    ]


def test_principles_whose_texts_were_not_recorded_have_sub_verdicts_only() -> None:
    verdict = asked(ScriptedClient(fast=["56", "57", "58", "59", "60"], paths=PATHS))
    judgment = Judgment(None, (Unit("", "", "", "A"),) * 30, (), "A").as_record()
    verdict["paths"][0]["judgment"] = judgment
    lines = [" ".join(line.split()) for line in printed(verdict).splitlines()]
    assert lines.count("A not recorded") == 24
    assert "30 principles in all" in lines


def test_steps_whose_texts_were_not_recorded_have_scores_only() -> None:
    verdict = asked(ScriptedClient(fast=["56", "57", "58", "59", "60"], paths=PATHS))
    steps = [PathStep(end=9, score=0.9), PathStep(end=20, score=0.1)]
    verdict["paths"][1]["score"], verdict["paths"][1]["text"] = 0.09, None
    verdict["paths"][1]["steps"] = steps
    assert ["▾", "0.100"] in [line.split() for line in printed(verdict).splitlines()]


def test_of_many_steps_the_first_ones_and_the_lowest_are_printed() -> None:
    verdict = asked(ScriptedClient(fast=["56", "57", "58", "59", "60"], paths=["1;" * 40 + "#56"]))
    steps = [PathStep(end=2 * i + 2, score=0.1 if i == 30 else 0.5) for i in range(39)]
    verdict["paths"][0]["score"] = 0.1
    verdict["paths"][0]["steps"] = [*steps, PathStep(end=83, score=0.5)]
    lines = [line.split() for line in printed(verdict).splitlines()]
    printed_scores = [cells[-2:] for cells in lines if cells[-1:] == ["1;"]]
    assert printed_scores == [["0.500", "1;"]] * 24 + [["0.100", "1;"]]
    assert "40 steps in all" in printed(verdict)


def test_a_withheld_answer_is_a_best_guess() -> None:
    verdict = asked(ScriptedClient(fast=["56"] * 5))
    verdict.update({"status": "abstained", "answer": None, "best_guess": "5\x1b6", "confidence": 0.01, "correct": None})
    assert printed(verdict).splitlines()[:2] == [
        "no answer (best guess: 5\\x1b6)",
        "abstained · direct · confidence 0.01",
    ]


def test_a_lost_path_has_its_reason() -> None:
    lost = asked(ScriptedClient(fast=["?"] * 5, paths=[Fail("the server fell over"), *PATHS[1:]]))
    assert "lost: the server fell over" in printed(lost)


def test_a_missing_answer_is_stated() -> None:
    assert printed(asked(ScriptedClient(fast=["?"] * 5, paths=["?"] * 4))).startswith("no answer\nabstained")


def test_a_models_text_is_neither_markup_nor_a_terminal_command() -> None:
    verdict = asked(ScriptedClient(fast=["?"] * 5, paths=["[red]hi[/red]\x1b]0;title\x07\u202e #56", *PATHS[1:]]))
    verdict["answer"] = "[bold]56[/bold]\x1b[2J"
    verdict["paths"][0]["answer"] = "[i]5[/i]"
    text = printed(verdict)
    assert "[bold]56[/bold]\\x1b[2J" in text
    assert "[red]hi[/red]\\x1b]0;title\\x07\\u202e" in text
    assert "[i]5[/i]" in text
    assert "\x1b" not in text


@given(st.text(st.characters(exclude_categories=())))
def test_inert_text_has_no_control_characters(text: str) -> None:
    safe = inert(text)
    safe.encode()
    kinds = {unicodedata.category(character) for character in safe if character not in "\n\u200c\u200d"}
    assert not kinds & {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}


@given(st.text(), st.integers(10, 60))
def test_shortened_text_is_one_line_that_fits(text: str, width: int) -> None:
    line = shortened(text, width)
    assert len(line) <= width
    assert "\n" not in line


def test_shortened_text_keeps_its_end() -> None:
    assert shortened("17+48=65;" * 20 + "#56", 30).endswith("#56")
