"""The page of one run in a browser."""

from playwright.sync_api import expect

from tests.viewing import runs
from tests.viewing.conftest import Open
from tests.viewing.reading import part, rows


def test_the_headline_has_the_outcome_and_its_explanation(opened: Open) -> None:
    page = opened(runs.escalated())
    expect(page.get_by_role("heading", level=1)).to_have_text("58")
    expect(page.locator(".question")).to_have_text("47+36-18-30+23")
    assert page.locator(".badges .badge").all_inner_texts() == [
        "◐ degraded",
        "↳ reasoned",
        "✓ right by the reference",
        "confidence 0.96",
    ]
    assert part(page, "Why").get_by_role("listitem").all_inner_texts() == [
        "3 of 5 fast answers are 58: consensus 0.6, under the threshold 0.8, so it reasoned.",
        "weighted_vote: 58 has scores of 1.89 in all, 48 of 0.11; path 2 is the best of it.",
    ]
    assert page.locator(".headline .figures > div").all_inner_texts() == [
        "took\n352 ms",
        "completion tokens\n171",
        "requests\n6",
        "threshold\nmissed by 0.2",
    ]


def test_what_went_wrong_is_near_the_top(opened: Open) -> None:
    page = opened(runs.escalated())
    assert page.get_by_role("heading", level=2).all_inner_texts()[:3] == ["WHY", "What went wrong", "Votes"]
    assert part(page, "What went wrong").get_by_role("listitem").all_inner_texts() == [
        "the verdict: path 4 was cut off by the deadline of 0.34 s"
    ]


def test_votes_are_compared_with_the_threshold(opened: Open) -> None:
    votes = part(opened(runs.escalated()), "Votes")
    assert rows(votes) == [
        ["58", "", "3 of 5 the verdict"],
        ["48", "", "1 of 5"],
        ["lost", "", "1 of 5 no readable answer"],
    ]
    assert "threshold 0.8: 4 of 5 votes" in votes.inner_text()
    track = votes.locator(".track").first
    of_track = track.bounding_box()
    of_bar = track.locator(".bar").bounding_box()
    assert of_track is not None
    assert of_bar is not None
    assert round(of_bar["width"] / of_track["width"], 2) == 0.6
    line = track.evaluate("each => parseFloat(getComputedStyle(each, '::after').left) / each.clientWidth")
    assert round(line, 2) == 0.8


def test_a_threshold_that_no_votes_reach_is_explained(opened: Open) -> None:
    record = runs.escalated()
    assert record["verification"] is not None
    record["verification"]["uncertainty"]["threshold"] = 2.0
    votes = part(opened(record), "Votes")
    expect(votes.locator(".legend")).to_have_text("threshold 2: more than all votes, so the gate never opens")


def test_another_measure_has_an_axis_with_its_certain_side(opened: Open) -> None:
    page = opened(runs.judged())
    axis = part(page, "Votes").locator("figcaption")
    expect(axis).to_have_text(
        "● label_margin 0.6, | threshold 0.5, certain if higher (shaded), margin 0.1. The axis goes from 0 to 1.05."
    )


def test_the_steps_of_a_path_have_scores_and_the_lowest_is_marked(opened: Open) -> None:
    record = runs.escalated()
    assert record["verification"] is not None
    won, other = record["verification"]["paths"][1], record["verification"]["paths"][0]
    won |= {"thinking": "so \N{GRINNING FACE}", "steps": [{"end": 15, "score": 0.99}, {"end": 45, "score": 0.25}]}
    other["steps"] = [{"end": 9, "score": 0.125}, {"end": 90, "score": 0.5}]  # counted in another text
    paths = part(opened(record), "Paths")
    expect(paths.get_by_role("button", name="Steps")).to_have_attribute("aria-pressed", "true")
    steps = paths.get_by_role("list", name="Steps of Path 2").get_by_role("listitem")
    assert [text.split("\n") for text in steps.all_inner_texts()] == [
        ["so \N{GRINNING FACE}", "", "47+36=83;", "0.990"],
        ["83-18=65;65-30=35;35+23=58;#58", "0.250", "lowest"],
    ]
    expect(paths.get_by_role("list", name="Steps of Path 1").get_by_role("listitem")).to_have_text(
        ["0.125lowest", "0.500"]
    )
    paths.get_by_role("button", name="Texts").click()
    expect(steps).to_have_count(0)


def test_without_scores_of_steps_the_texts_come_first(opened: Open) -> None:
    paths = part(opened(runs.escalated()), "Paths")
    expect(paths.get_by_role("button", name="Texts")).to_have_attribute("aria-pressed", "true")
    expect(paths.get_by_role("button", name="Steps")).to_have_count(0)


def test_the_paths_have_scores_and_a_winner(opened: Open) -> None:
    paths = part(opened(runs.escalated()), "Paths")
    assert rows(paths) == [
        ["Path 1", "48", "0.110", "40", "left right", ""],
        ["Path 2 ★ won", "58", "0.960", "40", "left right", ""],
        ["Path 3", "58", "0.930", "40", "left right", ""],
        ["Path 4", "no answer", "none", "31", "left right", "it has no answer"],
    ]
    # The winner, and the first path with another answer.
    assert paths.locator("article h3").all_inner_texts() == ["Path 2 ★ won: 58, score 0.960", "Path 1: 48, score 0.110"]
    assert paths.locator("article .text").all_inner_texts() == [runs.STEPS["58"], runs.STEPS["48"]]


def test_any_two_paths_can_be_compared(opened: Open) -> None:
    paths = part(opened(runs.escalated()), "Paths")
    paths.get_by_role("button", name="Show Path 3 on the right").click()
    paths.get_by_role("button", name="Show Path 4 on the left").click()
    paths.get_by_role("button", name="Differences").click()
    assert paths.locator("article").nth(0).locator("mark").all_inner_texts() == ["2"]
    assert paths.locator("article").nth(1).locator("mark").all_inner_texts() == ["23=58;#58"]
    expect(paths.get_by_role("button", name="Show Path 4 on the left")).to_have_attribute("aria-pressed", "true")
    expect(paths.get_by_role("button", name="Show Path 2 on the left")).to_have_attribute("aria-pressed", "false")


def test_the_timeline_marks_retries_and_cancellations(opened: Open) -> None:
    timeline = part(opened(runs.escalated()), "Timeline")
    assert rows(timeline) == [
        ["answer_fast", "", "1 ms", "59 ms"],
        ["fast answers 1 to 5", "", "2 ms", "57 ms"],
        ["check_uncertainty", "", "60 ms", "0.4 ms"],
        ["expand_cot", "", "61 ms", "278 ms"],
        ["path 1", "", "62 ms", "228 ms"],
        ["path 2", "", "62 ms", "248 ms"],
        ["path 3 ↻ 1 retry", "↻", "62 ms", "268 ms"],
        ["path 4 ⊘ cancelled", "", "62 ms", "276 ms"],
        ["score_paths", "", "340 ms", "11 ms"],
        ["select_answer", "", "351 ms", "0.4 ms"],
    ]


def test_with_several_servers_each_call_names_its_server(opened: Open) -> None:
    record = runs.escalated()
    record["calls"][1]["server"] = "http://other:8000/v1"
    cells = rows(part(opened(record), "Timeline"))
    assert [cells[i][0] for i in (1, 4, 5)] == [
        "fast answers 1 to 5 at http://localhost:8000/v1",
        "path 1 at http://other:8000/v1",
        "path 2 at http://localhost:8000/v1",
    ]


def test_a_call_expands_to_its_first_token_and_retries(opened: Open) -> None:
    timeline = part(opened(runs.escalated()), "Timeline")
    call = timeline.get_by_role("button", name="path 3", exact=True)
    call.click()
    expect(call).to_have_attribute("aria-expanded", "true")
    details = timeline.locator("tr.about dl").inner_text()
    assert "after 128 ms" in details
    assert "503: the server is overloaded" in details
    call.click()
    expect(timeline.locator("tr.about")).to_have_count(0)


def test_prompts_are_displayed_as_sent(opened: Open) -> None:
    prompts = part(opened(runs.escalated()), "Prompts")
    prompts.get_by_text("Prompt 2: expand_cot, 4 calls").click()
    expect(prompts.locator(".text")).to_have_text("47+36-18-30+23\nThink step by step.")


def test_usage_is_listed_by_node_and_in_total(opened: Open) -> None:
    usage = part(opened(runs.escalated()), "Usage")
    cells = rows(usage)
    assert cells[0] == ["answer_fast", "1", "12", "0", "20", "0", "59 ms"]
    assert cells[2] == ["expand_cot", "5", "98", "64", "151", "31", "278 ms"]
    assert cells[-1] == ["total", "6", "110", "64", "171", "31", "352 ms"]


def test_chosen_settings_come_before_the_defaults(opened: Open) -> None:
    settings = part(opened(runs.escalated()), "Settings")
    assert rows(settings) == [
        ["threshold", "0.8", "context"],
        ["model", "egrm-tiny", "build"],
        ["trace_tokens", "5", "build"],
    ]
    settings.get_by_text("2 settings with default values").click()
    expect(settings.locator("details tbody tr")).to_have_count(2)
    assert rows(settings.locator("details")) == [["samples", "5", "default"], ["paths", "4", "default"]]


def test_the_theme_can_be_switched(opened: Open) -> None:
    page = opened(runs.escalated(), color_scheme="light")
    ground = "getComputedStyle(document.body).backgroundColor"
    assert page.evaluate(ground) == "rgb(251, 250, 248)"
    page.get_by_role("button", name="Dark theme").click()
    assert page.evaluate(ground) == "rgb(22, 23, 26)"
    page.get_by_role("button", name="Light theme").click()
    assert page.evaluate(ground) == "rgb(251, 250, 248)"


def test_the_initial_theme_is_the_systems(opened: Open) -> None:
    page = opened(runs.escalated(), color_scheme="dark")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(22, 23, 26)"


def test_a_long_question_is_truncated_and_can_be_expanded(opened: Open) -> None:
    record = runs.escalated()
    assert record["asked"] is not None
    record["asked"]["question"] = "1+" * 400 + "1"
    page = opened(record)
    expect(page.locator(".question summary")).to_have_text("1+" * 300 + " …")
    page.locator(".question summary").click()
    expect(page.locator(".question .text")).to_have_text("1+" * 400 + "1")


def test_equal_texts_are_reported_as_equal(opened: Open) -> None:
    paths = part(opened(runs.escalated()), "Paths")
    paths.get_by_role("button", name="Show Path 3 on the right").click()
    paths.get_by_role("button", name="Differences").click()
    expect(paths.get_by_role("status")).to_have_text("Both texts are equal.")
    expect(paths.locator("mark")).to_have_count(0)
