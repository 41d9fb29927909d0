"""A real Chromium that opens pages from files, like a reader."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NoReturn

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright
from playwright.sync_api import Error as BrowserError

from egrm_graph.records.record import Record
from egrm_graph.viewing.run_page import page_of
from tests.viewing.chromium import found

LAPTOP = {"width": 1280, "height": 800}

Open = Callable[..., Page]


def without_browser(reason: str) -> NoReturn:
    """Skip the tests of the page with a clear reason, or fail them where every test has to run."""
    message = f"THE PAGE WAS NOT TESTED IN A BROWSER: {reason}"
    if os.environ.get("CI") == "true":
        pytest.fail(message, pytrace=False)
    pytest.skip(message)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    executable = found()
    if executable is None:
        without_browser("there is no Chromium; `make test` installs one, or name yours in EGRM_CHROMIUM")
    with sync_playwright() as playwright:
        try:
            # As root, Chromium's sandbox cannot be set up.
            browser = playwright.chromium.launch(executable_path=executable, chromium_sandbox=os.geteuid() != 0)
        except BrowserError as error:
            without_browser(str(error).splitlines()[0])
        yield browser
        browser.close()


@pytest.fixture
def opened(browser: Browser, tmp_path: Path) -> Iterator[Open]:
    """Open a page of records. It must not log to the console, violate its policy, or use the network."""
    heard: list[str] = []
    own = {"request: data:,"}  # the icon
    contexts: list[BrowserContext] = []

    def open_page(*records: Record, of: int | None = None, **options: object) -> Page:
        path = tmp_path / f"{len(contexts)}.html"
        path.write_text(page_of(records, of=of), "utf-8")
        context = browser.new_context(**{"viewport": LAPTOP, **options})  # type: ignore[arg-type]
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: heard.append(f"console: {message.text}"))
        page.on("pageerror", lambda error: heard.append(f"error: {error}"))
        page.on("dialog", lambda dialog: heard.append(f"dialog: {dialog.message}"))
        page.on("request", lambda request: heard.append(f"request: {request.url}"))
        own.add(f"request: {path.as_uri()}")
        page.goto(path.as_uri())
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert [each for each in heard if each not in own] == []
