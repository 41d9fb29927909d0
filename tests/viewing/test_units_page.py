"""The judgments of candidates on the page of a run."""

import copy

from playwright.sync_api import expect

from egrm_graph.judgments.judgment import Judgment, Unit
from egrm_graph.records.privacy import summarized, without_texts
from egrm_graph.records.record import Record
from tests.tracing.records import path, record, verification
from tests.viewing.conftest import Open
from tests.viewing.reading import open_all, part, rows, texts

UNITS = (
    Unit("Correctness", "It has to be right.", "Candidate A gives 65.", "A"),
    Unit("Brevity", "It has to be short.", "Both are.", "MIXED"),
)
BREADTH = Judgment(None, UNITS, ("unit 3 is lost: it has no sub-verdict",), "A")
DEPTH = Judgment("17+48=65", UNITS[:1], (), "B")
PLAIN = Judgment(None, (), (), "A")


def judged(*judgments: Judgment | None) -> Record:
    paths = [path("A", 0.9, i, judgment=judgment and judgment.as_record()) for i, judgment in enumerate(judgments)]
    return record(verification=verification(paths=paths, best_path=0))


def test_each_principle_is_a_row_with_what_it_favors(opened: Open) -> None:
    paths = part(opened(judged(BREADTH, DEPTH)), "Paths")
    expect(paths.get_by_role("button", name="Principles")).to_have_attribute("aria-pressed", "true")
    left, right = paths.locator("article").all()
    assert rows(left) == [
        ["Correctness", "It has to be right.", "Candidate A gives 65.", "A"],
        ["Brevity", "It has to be short.", "Both are.", "MIXED"],
    ]
    assert texts(left.locator("p")) == ["plain, 2 principles, 1 part lost; the majority agrees with the verdict"]
    assert texts(left.locator("li")) == ["unit 3 is lost: it has no sub-verdict"]
    assert texts(right.locator("p")) == ["depth, 1 principle; the majority contradicts the verdict"]
    open_all(right.page)
    expect(right.locator(".text")).to_have_text("17+48=65")
    assert "depth, 1 principle" in rows(paths.locator(".items"))[1][-1]


def test_a_plain_judgment_is_shown_as_its_text(opened: Open) -> None:
    for made in (judged(PLAIN, PLAIN), judged(None, None)):
        paths = part(opened(made), "Paths")
        assert paths.get_by_role("button", name="Principles").count() == 0
        assert "17+25" in paths.locator("article").first.inner_text()


def test_without_texts_the_sub_verdicts_remain(opened: Open) -> None:
    full = judged(BREADTH, DEPTH)
    for reduced, name in ((summarized(full), "principle 1"), (without_texts(full, str.__eq__), "(withheld)")):
        left = part(opened(copy.deepcopy(reduced)), "Paths").locator("article").first
        assert next((row[0], row[3]) for row in rows(left)) == (name, "A")
        assert "Candidate A gives 65." not in left.inner_text()


def test_hostile_principles_stay_text(opened: Open) -> None:
    attack = "<img src=x onerror=alert(1)>\u202e"
    unit = Unit(attack, attack, attack, "A")
    paths = part(opened(judged(Judgment(attack, (unit,), (attack,), "A"))), "Paths")
    assert rows(paths.locator("article"))[0][0] == attack.replace("\u202e", "⟨U+202E⟩")
    assert paths.locator("img").count() == 0
