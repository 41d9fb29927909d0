"""Hostile texts remain text."""

from playwright.sync_api import expect

from egrm_graph.records.record import Record
from egrm_graph.verification import Vote
from tests.tracing.records import call, path, record, sample, tokens, verification
from tests.viewing import runs
from tests.viewing.conftest import Open
from tests.viewing.reading import open_all, part

ATTACKS = (
    "<script>alert(1)</script>",
    "</script><script>alert(2)</script>",
    "<!--<script>",
    "<img src=x onerror=alert(3)>",
    "\"'><svg onload=alert(4)>",
    "javascript:alert(5)",
    "{{ 7*7 }}{% raw %}",
    "__proto__",
    "\u2028\u2029",
)
UNSEEN = "a\x1b[31mred\x00\x7f\x9b\u202eevil\u2066\ud800\u200b\ufeffz"
ESCAPED = "a␛[31mred␀␡⟨U+009B⟩⟨U+202E⟩evil⟨U+2066⟩\\ud800⟨U+200B⟩⟨U+FEFF⟩z"


def hostile(text: str, run_id: str) -> Record:
    """A run in which every text is `text`."""
    verdict = verification(
        answer=text,
        samples=[sample(text, 1, text=text, thinking=text, error=text)],
        paths=[path(text, 0.5, 0, text=text), path("other", 0.4, 1, text=text[::-1])],
        reasons=[text],
    )
    verdict["uncertainty"]["votes"] = [Vote(answer=text, count=5)]
    asked = record()["asked"]
    assert asked is not None
    made = call("expand_cot", 0, [100], 1.0, 2.0, error=text, server=text, sampling={text: text}, ending="failed")
    made["generated"][0]["tokens"] = tokens(text, "b")
    return record(
        run_id=run_id,
        error=text,
        model=text,
        task=text,
        metadata={text: text},
        settings={text: text},
        sources={text: text},
        asked={**asked, "question": text},
        prompts=[[{"role": text, "content": text}]],
        calls=[made],
        why=[text],
        verification=verdict,
    )


def test_no_text_becomes_markup_or_script(opened: Open) -> None:
    page = opened(*(hostile(text, text) for text in (*ATTACKS, UNSEEN)))
    for i in range(len(ATTACKS) + 1):
        page.locator(".runs a").nth(i).click()
        part(page, "About this run").wait_for()
        open_all(page)
        for name in ("Differences", "Tokens"):
            for button in page.get_by_role("button", name=name, exact=True).all():
                button.click()
        found = page.evaluate("[...document.querySelectorAll('main img, main script, main svg, main iframe')].length")
        assert found == 0
        assert "cannot be shown" not in page.locator("main").inner_text()
        page.go_back()
    assert page.evaluate("window.polluted ?? ({}).polluted") is None


def test_attacks_are_displayed_verbatim(opened: Open) -> None:
    page = opened(hostile(ATTACKS[1], "attack"))
    expect(page.get_by_role("heading", level=1)).to_have_text(ATTACKS[1])
    expect(page.locator("article .text").first).to_have_text(ATTACKS[1])


def test_active_and_invisible_characters_are_escaped(opened: Open) -> None:
    page = opened(hostile(UNSEEN, "unseen"))
    expect(page.get_by_role("heading", level=1)).to_have_text(ESCAPED)
    expect(page.locator("article .text .chunk").first).to_have_text(ESCAPED)
    expect(page.locator(".question")).to_have_text(ESCAPED)


def test_right_to_left_text_does_not_affect_the_text_around_it(opened: Open) -> None:
    page = opened(hostile("שלום", "hebrew"))
    isolated = page.evaluate("getComputedStyle(document.querySelector('h1 bdi')).unicodeBidi")
    assert isolated == "isolate"


def test_ten_megabytes_are_shown_in_steps(opened: Open) -> None:
    text = "<b>x</b> " * 1_200_000
    record = runs.escalated()
    assert record["verification"] is not None
    record["verification"]["paths"][1]["text"] = text
    page = opened(record)
    displayed = page.locator("article").first.locator(".text")
    assert displayed.locator(".chunk").evaluate("each => each.textContent.length") == 12_000
    displayed.get_by_role("button", name="Show 100,000 more characters of 10,788,000 not shown").click()
    assert displayed.locator(".chunk").nth(1).evaluate("each => each.textContent.length") == 100_000
    page.get_by_role("button", name="Differences").first.click()
    expect(page.locator(".comparison")).to_contain_text("Only the first 200,000 characters are compared.")
    expect(page.locator("article .more").first).to_have_text("Show 100,000 more characters of 188,000 not shown")


def test_very_many_tokens_are_shown_in_steps(opened: Open) -> None:
    record = runs.escalated()
    record["calls"][2]["generated"][0]["tokens"] = tokens(*(["word "] * 12_000), "x" * 1_000_000)
    page = opened(record)
    page.get_by_role("button", name="Tokens", exact=True).click()
    article = page.locator("article").first
    assert article.locator(".tokens .token").count() == 5_000
    article.get_by_role("button", name="Show 5,000 more tokens of 7,001 not shown").click()
    article.locator(".tokens").press("End")
    # 0.779, 0.174 and 0.047: 0.195 + 0.304 + 0.145
    expect(article.locator(".panel p").first).to_have_text(
        f"Token 12,001 of 12,001: {'x' * 40} …, entropy at least 0.643 nats"
    )
    assert article.locator(".tokens .token").count() == 12_001
