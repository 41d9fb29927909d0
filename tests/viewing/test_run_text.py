import io
import unicodedata
from typing import Any

from rich.console import Console

from egrm_graph.clients.client import no_usage
from egrm_graph.records.record import Record, Retry
from egrm_graph.viewing.run_text import show
from tests.tracing.records import call, node, path, record, sample, verification


def printed(made: Record) -> str:
    out = io.StringIO()
    show(made, Console(file=out, width=140, highlight=False))
    return out.getvalue()


def lines_of(made: Record, part: str) -> list[str]:
    """The lines under a heading with single spaces."""
    lines = printed(made).splitlines()
    start = lines.index(part) + 1
    end = next((i for i in range(start, len(lines)) if not lines[i].startswith(" ")), len(lines))
    return [" ".join(line.split()) for line in lines[start:end]]


def test_the_verdict_and_its_explanation_come_first() -> None:
    text = printed(record())
    assert text.startswith("Run 0123456789abcdef0123456789abcdef · 2026-")
    assert "arithmetic by egrm-tiny (vllm) · scorer egrm-tiny-scorer · server 0.32.0 · " in text
    assert "http://localhost:8000/v1 · egrm-graph 0.1.0 · recorded: full · thread_id 7" in " ".join(text.split())
    assert "consensus 0.60, threshold 0.80: they do not converge, so it reasoned" in text
    assert lines_of(record(), "Why")[0] == (
        "3 of 5 fast answers are 42: consensus 0.6, under the threshold 0.8, so it reasoned."
    )


def test_nodes_and_calls_have_bars_at_their_time() -> None:
    made = record(
        ms=100.0,
        nodes=[
            node("answer_fast", 0.0, 50.0, usage={**no_usage(), "completion_tokens": 1200}),
            node("expand_cot", 50.0, 100.0, error="it broke"),
        ],
        calls=[
            call("answer_fast", 0, [1, 2], 0.0, 25.0, server="http://a/v1"),
            call("expand_cot", 0, [3], 50.0, 75.0, ending="cancelled", first_token_ms=None, usage=None, server=None),
            call("lost_node", 0, [3], 90.0, 100.0),
        ],
    )
    assert lines_of(made, "Nodes and calls") == [
        f"answer_fast {'█' * 20}{'·' * 20} 50.0 ms · 1,200 tokens",
        f"sample x2 {'█' * 10}{'·' * 30} 0 to 25 ms · first token at 2 · 8 tokens · http://a/v1",
        f"expand_cot {'·' * 20}{'█' * 20} 50.0 ms · it broke",
        f"sample {'·' * 20}{'█' * 10}{'·' * 10} 50 to 75 ms · cancelled",
        f"sample {'·' * 36}{'█' * 4} 90 to 100 ms · first token at 92 · 4 tokens · http://localhost:8000/v1",
    ]


def test_a_call_has_the_form_of_its_replies_if_it_is_not_free() -> None:
    old = call("answer_fast", 2, [3], 0.0, 25.0)
    del old["reply_form"]  # type: ignore[misc]
    calls = [call("answer_fast", i, [i], 0.0, 25.0, reply_form=form) for i, form in enumerate(("continued", "free"))]
    listed = lines_of(record(ms=25.0, nodes=[], calls=[*calls, old]), "Nodes and calls")
    assert [line.partition("4 tokens")[2] for line in listed] == [" · continued", "", ""]


def test_retries_and_failures_are_listed() -> None:
    tried = call("answer_fast", 0, [1], 0.0, 25.0, retries=[Retry(at_ms=3.0, reason="503")], request_id="a")
    failed = call("expand_cot", 0, [2], 0.0, 25.0, ending="failed", error="no server", generated=[], request_id="b")
    assert lines_of(record(calls=[tried, failed]), "Retries and failures") == [
        "- answer_fast, a: retried at 3 ms: 503",
        "- expand_cot, b: failed: no server",
    ]


def test_settings_that_are_not_the_default_have_their_source() -> None:
    assert lines_of(record(), "Settings that are not the default") == [
        "threshold = 0.8 (context)",
        "model = egrm-tiny (build)",
    ]


def test_a_run_without_a_verdict_has_its_ending() -> None:
    bare: dict[str, Any] = {"verification": None, "asked": None, "nodes": [], "calls": [], "prompts": [], "why": []}
    text = printed(record(ending="failed", error="no server", settings={}, **bare))
    assert "the question was not recorded" in text
    assert "no verdict, the run failed: no server" in text
    lost = record(**{**bare, "nodes": [node("answer_fast", 0.0, 1.0, reasons=["2 fast answers were lost"])]})
    assert lines_of(lost, "Retries and failures") == ["- answer_fast: 2 fast answers were lost"]
    assert "no verdict, the run was abandoned" in printed(record(ending="unfinished", **bare))


def test_a_summary_states_what_is_missing() -> None:
    verdict = verification(
        samples=[sample("42", i, text=None) for i in range(5)], paths=[path("42", 0.9, 0, text=None)], best_path=0
    )
    text = printed(record(level="summary", texts=False, prompts=[], verification=verdict))
    assert "recorded: summary · without texts" in " ".join(text.split())
    assert "0.900  42  not recorded" in text


def test_a_judged_run_is_printed() -> None:
    verdict = verification(
        answer="A", winner=0, rewards=[0.9, None], unrewarded=[None, "it is empty"], tie=0.1, paths=[]
    )
    text = printed(record(verification=verdict))
    assert "0.90" in text
    assert "it is empty" in text


def test_hostile_text_is_inert_everywhere() -> None:
    hostile = "[red]\x1b]0;t\x07\u202e\x00\x9b\ud800\n" + "x" * 10_000_000
    verdict = verification(
        answer=hostile, reasons=[hostile], paths=[path("1", 0.1, 0, text=hostile), path(hostile, 0.2, 1)]
    )
    tried = call("a", 0, [1], 0.0, 1.0, ending="failed", error=hostile, retries=[Retry(at_ms=0.0, reason=hostile)])
    made = record(
        run_id=hostile,
        verification=verdict,
        calls=[{**tried, "node": hostile, "server": hostile}],
        error=hostile,
        why=[hostile],
        model=hostile,
        metadata={hostile: hostile},
        settings={hostile: hostile},
        sources={hostile: "build"},
        nodes=[node(hostile, 0.0, 1.0, error=hostile)],
    )
    made["asked"]["question"] = hostile  # type: ignore[index]
    text = printed(made)
    assert not {unicodedata.category(character) for character in text.replace("\n", "")} & {"Cc", "Cf", "Cs"}
    assert "[red]\\x1b]0;t\\x07\\u202e\\x00\\x9b\\ud800" in text
    assert len(text) < 20_000
