"""The tree of a run's paths on its page."""

import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from egrm_graph.records.privacy import redacted, summarized, without_texts
from egrm_graph.records.record import Record
from egrm_graph.verification import PathStep
from egrm_graph.viewing.run_comparison import differences
from egrm_graph.viewing.run_page import page_of
from tests import trees
from tests.tracing.records import record
from tests.viewing.conftest import Open
from tests.viewing.reading import part, texts

TREE = "Tree of paths"
LONGEST_S = 1.0


def visible(page: Page, selector: str) -> list[str]:
    """The text of each of these elements, without what only a screen reader gets."""
    found = page.locator(selector).evaluate_all(
        """(each) => each.map((element) => {
            const copy = element.cloneNode(true);
            copy.querySelectorAll(".unseen").forEach((unseen) => unseen.remove());
            return copy.textContent;
        })"""
    )
    return [str(text) for text in found]


def test_each_leaf_is_a_row_in_the_order_of_the_tree(opened: Open) -> None:
    page = opened(trees.of_four_leaves())
    assert visible(page, ".tree tbody th") == [
        "Path 1 ★ chosen",
        "Path 2from 1, token 2",
        "Path 4from 2, token 4",
        "Path 3from 1, token 4",
    ]
    assert [texts(row.locator("td"))[:3] for row in part(page, TREE).locator("tbody tr").all()] == [
        ["5", "0.900", "42 %"],
        ["7", "0.200", "36 %"],
        ["8", "none", "4.0 %"],
        ["6", "0.300", "18 %"],
    ]
    assert visible(page, ".tree .own") == ["x1#5", "2#7", "8", "6"]
    assert page.locator(".tree tr.winner").count() == 1


def test_rails_connect_a_leaf_with_its_parent(opened: Open) -> None:
    page = opened(trees.of_four_leaves())
    rails = page.locator(".tree .rails").evaluate_all(
        "(all) => all.map((each) => [...each.children].map((rail) => rail.className.replace('rail ', '')))"
    )
    assert rails == [["below"], ["fork", "below"], ["through", "end"], ["end"]]


def test_an_anchor_is_marked_with_its_entropy_and_the_tokens_tried(opened: Open) -> None:
    page = opened(trees.recorded(trees.four_leaves()[:2]))
    marks = page.locator(".tree .anchor")
    assert marks.all_inner_texts() == ["1", "5", "7"]
    first = "entropy 0.673 nats; “1” 60 % taken; “2” 40 % tried in path 2"
    assert [mark.get_attribute("title") for mark in marks.all()] == [
        first,
        "entropy 0.611 nats; “5” 70 % taken; “6” 30 % not tried",
        "entropy 0.325 to 0.900 nats; “7” 90 % taken; “8” 10 % not tried",
    ]
    assert page.locator(".tree .own .unseen").first.text_content() == f" (anchor: {first}) "


def test_buttons_step_through_the_anchors(opened: Open) -> None:
    page = opened(trees.of_four_leaves())
    tree = part(page, TREE)
    after = tree.get_by_role("button", name="Next anchor (3)")
    after.click()
    after.click()
    expect(tree.locator(".panel p")).to_have_text("Path 1, token 4: entropy 0.611 nats")
    assert texts(tree.locator(".panel li")) == ["5 70 % taken", "6 30 % tried in path 3"]
    expect(tree.locator(".anchor.current")).to_have_text("5")
    after.click()
    after.click()
    expect(tree.locator(".panel p")).to_have_text("Path 1, token 2: entropy 0.673 nats")
    tree.get_by_role("button", name="Previous anchor").click()
    expect(tree.locator(".panel p")).to_have_text("Path 2, token 4: entropy 0.325 to 0.900 nats")
    tree.locator(".anchor").first.click()
    expect(tree.locator(".panel p")).to_have_text("Path 1, token 2: entropy 0.673 nats")


def test_a_step_has_its_score_where_it_ends(opened: Open) -> None:
    paths = trees.four_leaves()
    paths[0]["steps"] = [PathStep(end=2, score=0.91), PathStep(end=4, score=0.2)]
    page = opened(trees.recorded(paths))
    assert visible(page, ".tree .own")[0] == "x10.910#50.200"
    assert page.locator(".tree .step .unseen").first.text_content() == " step score "


def test_a_lost_leaf_says_why(opened: Open) -> None:
    paths: Any = trees.four_leaves()
    paths[3] = {**paths[3], "text": None, "answer": None, "error": "the server went away"}
    row = part(opened(trees.recorded(paths)), TREE).locator("tbody tr").nth(2)
    assert texts(row.locator("td")) == ["none", "none", "0 %", "the server went away"]


@pytest.mark.parametrize("reduce", ["summary", "redacted", "without texts"])
def test_a_record_without_texts_keeps_the_form_of_its_tree(opened: Open, reduce: str) -> None:
    reductions: dict[str, Callable[[Record], Record]] = {
        "summary": summarized,
        "redacted": lambda made: redacted(made, lambda text: text.replace("x", "[letter]")),
        "without texts": lambda made: without_texts(made, str.__eq__),
    }
    tree = part(opened(reductions[reduce](trees.of_four_leaves())), TREE)
    assert [texts(row.locator("td"))[2] for row in tree.locator("tbody tr").all()] == ["42 %", "36 %", "4.0 %", "18 %"]
    expect(tree.locator(".anchor").first).to_have_text("⟨token 2⟩")
    expect(tree.locator(".anchor").first).to_have_attribute(
        "title", "entropy 0.673 nats; token number 0 60 % taken; token number 1 40 % tried in path 2"
    )
    if reduce == "summary":
        expect(tree.locator("tbody tr").nth(3)).to_contain_text("text not recorded")


def test_hostile_tokens_remain_text_and_keep_the_layout(opened: Open) -> None:
    hostile = "<img src=x onerror=alert(3)>\n\x1b[31m\u202eevil\ud800" + "שלום" * 1000 + "<script>alert(1)</script>"
    paths: Any = trees.four_leaves()
    for each in paths:
        each["text"] = each["text"].replace("1", hostile)
        each["error"] = hostile
        for anchor in each["branch"]["anchors"]:
            if anchor["at"] == 1:
                for token in (anchor["taken"], *anchor["others"]):
                    token["text"] = hostile
    page = opened(trees.recorded(paths), viewport={"width": 360, "height": 740})
    tree = part(page, TREE)
    expect(tree.locator(".anchor").first).to_contain_text("<img src=x onerror=alert(3)>↵")
    expect(tree.locator(".anchor").first).to_contain_text("␛[31m⟨U+202E⟩")
    tree.get_by_role("button", name="Next anchor").click()
    assert page.evaluate("document.querySelectorAll('main img, main script').length") == 0
    assert page.evaluate("document.documentElement.scrollWidth") == 360


def test_a_damaged_tree_says_so(opened: Open) -> None:
    paths: Any = trees.four_leaves()
    paths[1]["branch"]["parent"] = 3
    tree = part(opened(trees.recorded(paths)), TREE)
    expect(tree).to_contain_text("damaged, so weights are unknown")
    assert tree.locator("tbody tr").count() == 2


def test_paths_of_no_tree_have_no_figure(opened: Open) -> None:
    page = opened(record())
    expect(part(page, "Paths")).to_be_visible()
    assert part(page, TREE).count() == 0


def test_64_leaves_of_250_tokens_are_fast(opened: Open) -> None:
    made = trees.large()
    began = time.perf_counter()
    page_of([made])
    rendered_s = time.perf_counter() - began
    page = opened(made)
    loaded_s = page.evaluate("performance.getEntriesByType('navigation')[0].domContentLoadedEventEnd / 1000")
    print({"rendered": round(rendered_s, 3), "loaded": round(loaded_s, 3)})
    assert page.locator(".tree .anchor").count() == 64 * 20
    assert rendered_s < LONGEST_S
    short = page.get_by_role("button", name="Short texts")
    expect(short).to_have_attribute("aria-pressed", "true")
    own = page.locator(".tree .own").last
    low = own.evaluate("each => each.clientHeight")
    short.click()
    expect(short).to_have_attribute("aria-pressed", "false")
    assert own.evaluate("each => each.clientHeight") > low


def test_the_difference_of_two_trees_names_the_branch() -> None:
    paths: Any = trees.four_leaves()
    paths[2]["branch"]["parent"] = 1
    found = {
        each.what: (each.first, each.second) for each in differences(trees.of_four_leaves(), trees.recorded(paths))
    }
    assert found == {"path 3, branch": ("from path 1 at token 4", "from path 2 at token 4")}
    assert differences(trees.of_four_leaves(), json.loads(json.dumps(trees.of_four_leaves()))) == []
