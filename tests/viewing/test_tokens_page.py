"""Paths by token in a browser."""

from playwright.sync_api import expect

from tests.viewing import runs
from tests.viewing.conftest import Open
from tests.viewing.reading import part, texts


def test_pointing_at_a_token_lists_its_alternatives(opened: Open) -> None:
    paths = part(opened(runs.escalated()), "Paths")
    paths.get_by_role("button", name="Tokens").click()
    paths.locator("article").first.locator(".tokens .token").nth(6).hover()
    panel = paths.locator("article").first.locator(".panel")
    # -(0.6 ln 0.6 + 0.35 ln 0.35 + 0.04 ln 0.04 + 0.01 ln 0.01), the last for all that is missing.
    expect(panel.locator("p").first).to_have_text("Token 7 of 39: 8, entropy at least 0.849 nats")
    assert texts(panel.get_by_role("listitem")) == ["8 60 % chosen", "7 35 %", "9 4.0 %"]
    expect(panel.locator("p").last).to_have_text("Tokens that were not recorded have 1.0 %.")


def test_only_unsure_tokens_are_colored(opened: Open) -> None:
    paths = part(opened(runs.escalated()), "Paths")
    paths.get_by_role("button", name="Tokens").click()
    tokens = paths.locator("article").first.locator(".tokens .token")
    expect(tokens.nth(6)).to_have_class("token unsure-3")
    # -(0.97 ln 0.97 + 0.02 ln 0.02 + 0.01 ln 0.01) = 0.154
    expect(tokens.nth(0)).to_have_class("token unsure-1")


def test_missing_tokens_explain_how_to_record_them(opened: Open) -> None:
    record = runs.escalated()
    record["calls"][2]["generated"][0]["tokens"] = None
    paths = part(opened(record), "Paths")
    paths.get_by_role("button", name="Tokens").click()
    expect(paths.locator("article").first.locator("p")).to_contain_text("--trace-tokens 5")


def test_tokens_can_be_read_with_the_keyboard(opened: Open) -> None:
    page = opened(runs.escalated())
    article = part(page, "Paths").locator("article").first
    for _ in range(40):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.textContent") == "Tokens":
            break
    page.keyboard.press("Enter")
    for _ in range(10):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.classList.contains('tokens')"):
            break
    for _ in range(7):
        page.keyboard.press("ArrowRight")
    expect(article.locator(".panel p").first).to_contain_text("Token 7 of 39: 8")
    page.keyboard.press("Home")
    expect(article.locator(".panel p").first).to_contain_text("Token 1 of 39: 4")


def test_paths_that_share_a_completion_do_not_show_its_tokens_as_their_own(opened: Open) -> None:
    record = runs.escalated()
    verdict = record["verification"]
    assert verdict is not None
    for each in verdict["paths"][1:]:
        each["request_id"], each["seed"] = verdict["paths"][0]["request_id"], verdict["paths"][0]["seed"]
    paths = part(opened(record), "Paths")
    paths.get_by_role("button", name="Tokens").click()
    expect(paths.locator("article").first.locator("p")).to_contain_text("No tokens were recorded for this text")
    expect(paths.locator("article .tokens")).to_have_count(0)
