from egrm_graph.judgments.judgment import Judgment, Unit
from egrm_graph.records.record import Source
from egrm_graph.verification import Message, Vote
from egrm_graph.viewing.run_comparison import Difference, differences
from tests.tracing.records import REASONING, path, record, verification


def test_equal_runs_have_no_differences_apart_from_the_time() -> None:
    assert differences(record(), record(run_id="another", started_at=0.0, trace_id="x")) == []


def test_settings_differ_by_value_source_and_presence() -> None:
    settings = {"samples": 7, "model": "egrm-tiny", "seed": 3}
    sources: dict[str, Source] = {"samples": "context", "seed": "build"}
    assert differences(record(), record(settings=settings, sources=sources)) == [
        Difference("setting samples", "5 (default)", "7 (context)"),
        Difference("setting threshold", "0.8 (context)", "none"),
        Difference("setting model", "egrm-tiny (build)", "egrm-tiny (default)"),
        Difference("setting seed", "none", "3 (build)"),
    ]


def test_prompts_are_compared_by_node() -> None:
    other = record(prompts=[[Message(role="user", content="17+25\nAnswer now.")], REASONING])
    assert differences(record(), other) == [
        Difference("prompt of answer_fast", "user: 17+25\nAnswer at once.", "user: 17+25\nAnswer now.")
    ]


def test_a_long_text_starts_near_the_first_difference() -> None:
    one, other = ("x" * 5_000_000 + end + "y" * 200 for end in ("left", "right"))
    [found] = differences(record(error=one), record(error=other))
    assert found == Difference("error", f"…{'x' * 30}left{'y' * 66}…", f"…{'x' * 30}right{'y' * 65}…")


def test_verdicts_differ_in_votes_route_answer_paths_and_cost() -> None:
    first = verification()
    gate = {**first["uncertainty"], "votes": [Vote(answer="42", count=5)], "value": 1.0}
    second = verification(route="direct", uncertainty=gate, best_path=None, paths=[path("42", None, 0)], answer="43")
    second["usage"]["completion_tokens"] = 20
    found = {it.what: (it.first, it.second) for it in differences(record(), record(verification=second, ms=30.0))}
    assert found == {
        "votes": ("42: 3, 32: 2", "42: 5"),
        "value": ("0.6", "1"),
        "route": ("reasoned", "direct"),
        "answer": ("42", "43"),
        "path 1": ("42, score 0.910, 24 tokens", "42, no score, 24 tokens"),
        "path 2": ("32, score 0.120, 24 tokens", "none"),
        "path 2, text": ("17+25 = 17+20+5 = 37+5 = 32", "none"),
        "path 3": ("42, score 0.880, 24 tokens", "none"),
        "path 3, text": ("17+25 = 17+20+5 = 37+5 = 42", "none"),
        "path 4": ("none, no score, 24 tokens", "none"),
        "path 4, text": ("17+25 = 17+20+5 = 37+5 = None", "none"),
        "deciding path": ("1", "none"),
        "completion tokens": ("116", "20"),
        "ms": ("131", "30"),
    }


def test_differences_have_one_order_whichever_run_has_them() -> None:
    short = record(verification=verification(paths=[], best_path=None), calls=[])
    there, back = differences(record(), short), differences(short, record())
    assert [it.what for it in there] == [it.what for it in back]
    assert [it.what for it in there][:3] == ["prompt of answer_fast", "prompt of expand_cot", "path 1"]


def test_a_run_without_a_verdict_differs_in_every_part_of_it() -> None:
    lost = record(verification=None, ending="failed", error="no server", asked=None, prompts=[], calls=[], nodes=[])
    found = {it.what: it.second for it in differences(record(), lost)}
    assert {found["route"], found["answer"], found["question"], found["votes"]} == {"none"}
    assert (found["ending"], found["error"]) == ("failed", "no server")


def test_judgments_differ_in_their_structure_and_in_whether_they_agree_with_the_verdict() -> None:
    units = (Unit("Tone", "Be kind.", "Both are.", "A"),)
    one, other = (
        record(verification=verification(paths=[path("A", 0.9, 0, judgment=judgment.as_record())]))
        for judgment in (Judgment("65", units, (), "A"), Judgment(None, units, (), "B"))
    )
    assert [(it.what, it.first, it.second) for it in differences(one, other)] == [
        (
            "path 1, judgment",
            "depth, 1 principle, the majority agrees with the verdict",
            "plain, 1 principle, the majority contradicts the verdict",
        )
    ]
