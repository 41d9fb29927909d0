"""The appearance of the page: small screens, both themes, accessibility, and large runs.

EGRM_SCREENSHOTS=docs/images writes the pictures of docs/guides/trace-page.md.
"""

import os
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from egrm_graph.records.record import Record
from tests import trees
from tests.viewing import runs, sets
from tests.viewing.conftest import Open
from tests.viewing.reading import open_all

PHONE = {"width": 360, "height": 740}
PAGES = {
    "run": [runs.escalated()],
    "judged": [runs.judged()],
    "failed": [runs.failed()],
    "no-texts": [runs.without_texts()],
    "long": [sets.large(2, 1500)],
    "tree": [trees.of_four_leaves()],
    "set": sets.several(),
}
LONGEST_S = 5.0


def everything_open(page: Page) -> None:
    open_all(page)
    for name in ("path 3", "Tokens"):
        for button in page.get_by_role("button", name=name, exact=True).all():
            button.click()


@pytest.mark.parametrize("records", PAGES.values(), ids=PAGES.keys())
def test_a_phone_never_scrolls_horizontally(opened: Open, records: list[Record]) -> None:
    page = opened(*records, viewport=PHONE)
    everything_open(page)
    assert page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]


def violations(page: Page) -> list[tuple[str, str]]:
    """The violated rules and the first element that violates each."""
    from axe_playwright_python.sync_playwright import Axe

    return [(each["id"], each["nodes"][0]["html"]) for each in Axe().run(page).response["violations"]]


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("records", PAGES.values(), ids=PAGES.keys())
def test_axe_finds_no_violations(opened: Open, records: list[Record], theme: str) -> None:
    page = opened(*records, color_scheme=theme)
    everything_open(page)
    assert violations(page) == []
    for button in page.get_by_role("button", name="Differences", exact=True).all():
        button.click()
    assert violations(page) == []


def test_16_paths_of_4000_tokens_are_fast(opened: Open) -> None:
    page = opened(sets.large())
    expect(page.get_by_role("heading", name="Settings")).to_be_visible()
    loaded_s = "performance.getEntriesByType('navigation')[0].domContentLoadedEventEnd / 1000"
    timed: dict[str, float] = {"load": page.evaluate(loaded_s)}
    paths = page.locator("section", has=page.get_by_role("heading", name="Paths", exact=True))
    for name in ("Tokens", "Show Path 9 on the left", "Differences", "Show Path 12 on the right"):
        timed[name] = timed_s(page, name)
    print({name: round(value, 2) for name, value in timed.items()})
    assert paths.locator("mark").count() > 0
    assert max(timed.values()) < LONGEST_S


def timed_s(page: Page, name: str) -> float:
    """The seconds until the browser has drawn the effect of a button."""
    took: float = page.get_by_role("button", name=name, exact=True).first.evaluate(
        """(button) => new Promise((done) => {
            const began = performance.now();
            button.click();
            requestAnimationFrame(() => setTimeout(() => done((performance.now() - began) / 1000)));
        })"""
    )
    return took


@pytest.mark.parametrize(
    ("name", "kind", "options"),
    [
        ("run", "run", {"color_scheme": "light"}),
        ("tokens", "run", {"color_scheme": "dark"}),
        ("phone", "run", {"color_scheme": "light", "viewport": PHONE}),
        ("set", "set", {"color_scheme": "light"}),
    ],
)
def test_screenshots(opened: Open, tmp_path: Path, name: str, kind: str, options: dict[str, object]) -> None:
    page = opened(*PAGES[kind], **options)
    if name == "tokens":
        page.get_by_role("button", name="Tokens", exact=True).click()
        page.locator("article").first.locator(".tokens .token").nth(6).hover()
        page.locator(".items").evaluate("each => each.closest('section').scrollIntoView()")
    path = Path(os.environ.get("EGRM_SCREENSHOTS", tmp_path)) / f"trace-page-{name}.png"
    page.screenshot(path=path)
    assert path.stat().st_size < 150_000
