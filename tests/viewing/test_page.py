"""The page as a file: self-contained, locked down, and safe for any content."""

import json
import re
from base64 import b64encode
from hashlib import sha256
from html.parser import HTMLParser
from importlib.resources import files

from egrm_graph.viewing.run_page import MODULES, STYLES, page_of
from tests.tracing.records import record
from tests.viewing import runs


class Scripts(HTMLParser):
    """Collects the page's scripts, styles, and tags."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.texts: list[tuple[str, str]] = []
        self.policy = ""
        self._in: str | None = None
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = dict(attrs)
        self.tags.append(tag)
        if tag == "meta" and attributes.get("http-equiv"):
            self.policy = attributes["content"] or ""
        self._in = (attributes.get("class") or attributes.get("id") or tag) if tag in ("script", "style") else None

    def handle_data(self, data: str) -> None:
        if self._in:
            self.texts.append((self._in, data))

    def handle_endtag(self, tag: str) -> None:
        self._in = None


def test_records_are_embedded_unchanged() -> None:
    records = [runs.escalated(), record(error="</script><!--<script>&amp;\u2028\x00\x9b\u202e")]
    found = [json.loads(text) for kind, text in Scripts(page_of(records)).texts if kind == "record"]
    assert found == records


def test_no_text_opens_or_closes_an_element() -> None:
    plain = Scripts(page_of([record()])).tags
    assert Scripts(page_of([record(error="</script><script>1</script><!--")], title="</script><b>")).tags == plain


def test_the_policy_allows_only_the_pages_own_script_and_style() -> None:
    page = Scripts(page_of([record()]))
    texts = dict(page.texts)
    script, style = (b64encode(sha256(texts[kind].encode()).digest()).decode() for kind in ("script", "style"))
    assert page.policy == (
        f"default-src 'none'; script-src 'sha256-{script}'; style-src 'sha256-{style}'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def test_the_page_loads_nothing() -> None:
    page = page_of([])
    assert re.findall(r"(?:src|href)=\"([^\"]*)\"|url\(|@import", page) == ["data:,"]


def test_every_module_comes_after_its_imports() -> None:
    sources = files("egrm_graph.viewing").joinpath("web")
    assert {file.name for file in sources.iterdir()} == {
        "page.html.jinja",
        *(f"{name}.css" for name in STYLES),
        *(f"{name}.js" for name in MODULES),
    }
    for i, name in enumerate(MODULES):
        needed = re.findall(r'from "\./(\w+)\.js"', sources.joinpath(f"{name}.js").read_text("utf-8"))
        assert set(needed) <= set(MODULES[:i])
