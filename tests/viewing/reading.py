"""Find parts of the page."""

from __future__ import annotations

from playwright.sync_api import Locator, Page, expect


def part(page: Page, title: str) -> Locator:
    """The section with this heading."""
    return page.locator("section").filter(has=page.get_by_role("heading", name=title, exact=True, level=2))


def open_all(page: Page) -> None:
    """Expand a collapsed element and wait for its content."""
    for summary in page.locator("summary").all():
        summary.click()
    expect(page.locator("details:not([open]), details:not(:has(> :nth-child(2)))")).to_have_count(0)


def texts(found: Locator) -> list[str]:
    """The text of each element on one line."""
    return [" ".join(text.split()) for text in found.all_inner_texts()]


def rows(table: Locator) -> list[list[str]]:
    """The cells of each row of the body."""
    return [texts(row.locator("> th, > td")) for row in table.locator("tbody > tr").all()]


def column(table: Locator, heading: str) -> list[str]:
    """The cells under a heading."""
    headings = texts(table.locator("thead th"))
    return [row[headings.index(heading)] for row in rows(table)]
