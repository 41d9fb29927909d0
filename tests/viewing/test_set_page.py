"""The page of many runs: the overview and its links."""

from playwright.sync_api import expect

from tests.viewing import sets
from tests.viewing.conftest import Open
from tests.viewing.reading import column


def test_the_overview_counts_the_outcomes(opened: Open) -> None:
    page = opened(*sets.several())
    expect(page.get_by_role("heading", level=1)).to_have_text("20 runs")
    # 12 direct runs and 6 reasoned, degraded runs with one wrong; one failed and one was cancelled.
    assert page.locator(".figures").first.locator("> div").all_inner_texts() == [
        "runs\n20",
        "reasoned\n33 % (6 of 18)",
        "right, of those with a reference\n94 % (17 of 18)",
        "not ok\n40 % (8 of 20)",
    ]


def test_distributions_also_have_text(opened: Open) -> None:
    page = opened(*sets.several())
    figures = page.locator(".distribution")
    assert figures.locator("h3").all_inner_texts() == ["consensus", "time", "completion tokens"]
    # 352, 383, 414, 445, 476, 507 ms
    expect(figures.nth(1).locator(".route").nth(1)).to_have_text("reasoned: 6 runs, median 445 ms, 90 % within 507 ms")


def test_a_row_links_to_its_run_and_back_returns(opened: Open) -> None:
    page = opened(*sets.several())
    page.get_by_role("link", name="19+23").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("42")
    assert page.url.endswith("#run=direct-00002")
    page.go_back()
    expect(page.get_by_role("heading", level=1)).to_have_text("20 runs")


def test_a_link_to_a_run_opens_it_at_once(opened: Open) -> None:
    page = opened(*sets.several())
    page.goto(page.url + "#run=hard-3")
    page.reload()
    expect(page.get_by_role("heading", level=1)).to_have_text("58")
    page.get_by_role("link", name="All runs").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("20 runs")


def test_the_table_is_sorted_by_its_headings(opened: Open) -> None:
    page = opened(*sets.several())
    took = page.get_by_role("button", name="took")
    took.click()
    assert column(page.locator(".runs"), "took")[:3] == ["507 ms", "476 ms", "445 ms"]
    expect(page.get_by_role("columnheader", name="took")).to_have_attribute("aria-sort", "descending")
    took.click()
    assert column(page.locator(".runs"), "took")[:3] == ["40 ms", "41 ms", "42 ms"]
    expect(page.get_by_role("columnheader", name="took")).to_have_attribute("aria-sort", "ascending")


def test_filters_apply_to_the_table_and_the_figures(opened: Open) -> None:
    page = opened(*sets.several())
    page.get_by_label("route", exact=True).select_option("reasoned")
    page.get_by_label("right", exact=True).select_option("wrong")
    assert column(page.locator(".runs"), "question") == ["47+36-18-30+23"]
    expect(page.locator(".figures dd").first).to_have_text("1")
    expect(page.get_by_role("status")).to_have_text("1 of 20 runs")


def test_a_search_finds_questions(opened: Open) -> None:
    page = opened(*sets.several())
    page.get_by_label("question, answer, or run").fill("19+23")
    assert column(page.locator(".runs"), "question") == ["19+23"]


def test_filters_persist_after_going_back(opened: Open) -> None:
    page = opened(*sets.several())
    page.get_by_label("question, answer, or run").fill("19+23")
    page.get_by_role("link", name="19+23").click()
    page.go_back()
    assert column(page.locator(".runs"), "question") == ["19+23"]


def test_a_partial_set_says_so(opened: Open) -> None:
    page = opened(*sets.several(), of=5000)
    expect(page.locator(".headline p")).to_have_text("This page has 20 of 5,000 runs.")


def test_long_tables_are_displayed_in_steps(opened: Open) -> None:
    page = opened(*(sets.direct(i) for i in range(120)))
    assert len(column(page.locator(".runs"), "question")) == 100
    page.get_by_role("button", name="Show 20 more runs").click()
    assert len(column(page.locator(".runs"), "question")) == 120


def test_a_run_can_be_opened_with_the_keyboard(opened: Open) -> None:
    page = opened(*sets.several())
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.type("19+23")
    for _ in range(30):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.textContent") == "19+23":
            break
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("42")
    expect(page.get_by_role("heading", level=1)).to_be_focused()
