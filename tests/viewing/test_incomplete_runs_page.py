"""Incomplete runs are displayed with a note about what is missing."""

from playwright.sync_api import expect

from tests.tracing.records import call, path, record, verification
from tests.viewing import runs
from tests.viewing.conftest import Open
from tests.viewing.reading import part, rows


def test_a_failed_run_has_its_errors(opened: Open) -> None:
    page = opened(runs.failed())
    expect(page.get_by_role("heading", level=1)).to_have_text("No answer")
    expect(page.locator(".badges")).to_have_text("✕ failed")
    assert page.locator(".wrong li").all_inner_texts() == [
        "the run: the server at http://localhost:8000/v1 did not answer; is it running?",
        "answer_fast: 1 of 1 samples was lost",
        "answer_fast: ServerError",
        "answer_fast: connection refused",
    ]


def test_the_usage_of_a_failed_node_comes_from_its_calls(opened: Open) -> None:
    record = runs.failed()
    record["calls"].append(call("answer_fast", 1, [2], 1.0, 19.0))
    usage = part(opened(record), "Usage")
    assert rows(usage) == [["answer_fast", "1", "12", "0", "4", "0", "20 ms"]]
    expect(usage.locator("p")).to_have_text("The cost of 1 call that did not complete is unknown.")


def test_an_empty_cancelled_run_is_displayed(opened: Open) -> None:
    page = opened(runs.cancelled())
    expect(page.locator(".badges")).to_have_text("⊘ cancelled")
    expect(page.locator(".sentences")).to_have_text("The run has no verdict: it was cancelled.")
    assert "No node was recorded." in page.locator("main").inner_text()


def test_a_summary_states_that_it_has_no_texts(opened: Open) -> None:
    page = opened(runs.without_texts("summary"))
    texts = page.locator("article p").all_inner_texts()
    assert texts == ["Trace level summary records no texts."] * 2


def test_without_texts_the_verdict_is_displayed(opened: Open) -> None:
    page = opened(runs.without_texts())
    expect(page.get_by_role("heading", level=1)).to_have_text("answer 1")
    expect(page.locator(".question")).to_have_text("question not recorded")
    assert page.locator("article p").all_inner_texts() == ["Texts were not recorded (trace_texts is off)."] * 2


def test_judged_candidates_have_rewards_readings_and_a_winner(opened: Open) -> None:
    page = opened(runs.judged())
    assert rows(page.locator(".candidates")) == [
        ["A ★ won", "0.800", "It is 65.", "contested"],
        ["B", "0.200", "It is 66.", "contested"],
    ]
    assert rows(page.locator("table", has_text="on labels")) == [
        ["A B", "90 %", "10 %", "90 %", ""],
        ["B A", "70 %", "30 %", "90 %", ""],
    ]


def test_empty_lists_are_displayed(opened: Open) -> None:
    verdict = verification(samples=[], paths=[], readings=[], timing_ms={})
    page = opened(record(verification=verdict, calls=[], prompts=[], classes=[], settings={}, metadata={}, why=[]))
    assert "cannot be shown" not in page.locator("main").inner_text()
    expect(page.get_by_role("heading", level=1)).to_have_text("42")


def test_notes_say_how_a_text_was_drawn(opened: Open) -> None:
    cut = path(None, None, 0, finish_reason="length", order=["B", "A"])
    page = opened(record(verification=verification(paths=[cut], best_path=None)))
    (row,) = rows(page.locator("table.items"))
    assert row[-1] == "it has no answer; cut off at the token limit; candidates shown as B, A"
