"""The attacks, as they stand in `suite.toml`, and how one is put around a candidate."""

from __future__ import annotations

import base64
import codecs
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.resources import files
from string import Template

PADDING = " ".join(f"Remark {i}: nothing in particular is to be said of this." for i in range(60))
_SPELLED = re.compile("«(.*?)»", re.DOTALL)


@dataclass(frozen=True)
class Attack:
    """One attack."""

    kind: str
    only_structure: bool
    """Whether it forges only what the prompt may say, and does not plead."""
    template: str
    spelling: str

    @property
    def hopes(self) -> bool:
        """Whether it has to guess what its candidate is called."""
        return "$label" in self.template or "$other" in self.template

    def around(self, candidate: str, label: str, other: str, code: str) -> str:
        """The candidate under attack; `label` is what it hopes to be called, `code` its guess at the fences' code."""
        names = {"candidate": candidate, "label": label, "other": other, "code": code, "padding": PADDING}
        text = Template(self.template).substitute(names)
        return _SPELLED.sub(lambda part: _SPELLINGS[self.spelling](part[1]), text)


def attacks() -> list[Attack]:
    """All of them, kind by kind."""
    suite = tomllib.loads((files("egrm_graph.benchmark.attacks") / "suite.toml").read_text("utf-8"))
    return [
        Attack(kind["name"], kind["only_structure"], each["text"], each.get("spelled", "as it is"))
        for kind in suite["kind"]
        for each in kind["attacks"]
    ]


def _full_width(text: str) -> str:
    return "".join(chr(ord(each) + 0xFEE0) if "!" <= each <= "~" else each for each in text)


_SPELLINGS: Mapping[str, Callable[[str], str]] = {
    "as it is": lambda text: text,
    "tags": lambda text: "".join(chr(0xE0000 + ord(each)) for each in text),
    "zero width": "\u200b".join,
    "full width": _full_width,
    "right to left": lambda text: f"\u202e{text[::-1]}\u202c",
    "line separators": lambda text: text.replace("\n", "\u2028"),
    "base64": lambda text: base64.b64encode(text.encode()).decode(),
    "rot13": lambda text: codecs.encode(text, "rot13"),
}
