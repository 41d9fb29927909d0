"""Write one or more runs as an HTML page: a single file with its data that loads nothing."""

from __future__ import annotations

import io
import json
import re
from base64 import b64encode
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from hashlib import sha256
from importlib.resources import files
from typing import TextIO, cast

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from egrm_graph.records.record import Record
from egrm_graph.tracing.encoding import encoded
from egrm_graph.tracing.run_summary import RunSummary, summary_of
from egrm_graph.viewing.path_tree import tree_of

STYLES = ("style", "run", "charts", "timeline", "reading", "steps", "units", "tree")
# Each module may import from the ones before it.
MODULES = (
    "dom",
    "words",
    "longtext",
    "differences",
    "tokens",
    "steps",
    "units",
    "reader",
    "call",
    "timeline",
    "votes",
    "candidates",
    "drawn",
    "tree",
    "details",
    "run",
    "distributions",
    "filters",
    "runtable",
    "overview",
    "main",
)


def page_of(records: Iterable[Record], title: str = "", of: int | None = None) -> str:
    """The page as text; see `write_page`."""
    out = io.StringIO()
    write_page(records, out, title, of)
    return out.getvalue()


def write_page(records: Iterable[Record], out: TextIO, title: str = "", of: int | None = None) -> None:
    """Write the page, one record at a time. `of` is the total number of runs, if these are not all."""
    rows: list[RunSummary] = []

    def texts() -> Iterator[Markup]:
        for record in records:
            data = encoded(record)
            rows.append(summary_of(record, len(data)))
            tree = tree_of(record)
            yield _inert((encoded(cast(Record, {**record, "tree": tree})) if tree else data).decode())

    def index() -> Markup:
        total = len(rows) if of is None else of
        return _inert(json.dumps({"title": title, "of": total, "runs": [asdict(row) for row in rows]}))

    style, script = _style(), _script()
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    template = environment.from_string(_source("page.html.jinja"))
    out.writelines(
        template.generate(
            policy=_policy(style, script), style=Markup(style), script=Markup(script), records=texts(), index=index
        )
    )


def _policy(style: str, script: str) -> str:
    """Load nothing, and run only the page's own script."""
    own = f"script-src {_hash(script)}; style-src {_hash(style)}; img-src data:"
    return f"default-src 'none'; {own}; base-uri 'none'; form-action 'none'"


def _hash(source: str) -> str:
    return f"'sha256-{b64encode(sha256(source.encode()).digest()).decode()}'"


def _style() -> str:
    return "".join(_source(f"{name}.css") for name in STYLES)


def _script() -> str:
    """Bundle the modules into one script, each in its own function."""
    return '"use strict";\n' + "".join(_enclosed(name, _source(f"{name}.js")) for name in MODULES)


def _enclosed(name: str, source: str) -> str:
    exported = re.findall(r"^export (?:function|const) (\w+)", source, re.MULTILINE)
    body = re.sub(r'^import (\{[^}]*\}) from "\./(\w+)\.js";$', r"const \1 = module_\2;", source, flags=re.MULTILINE)
    body = re.sub(r"^export ", "", body, flags=re.MULTILINE)
    return f"const module_{name} = (() => {{\n{body}\nreturn {{ {', '.join(exported)} }};\n}})();\n"


def _source(name: str) -> str:
    return files("egrm_graph.viewing").joinpath("web", name).read_text("utf-8")


def _inert(text: str) -> Markup:
    """Escape JSON so that it cannot close its script element."""
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)
