"""The attacks in `suite.toml`, and how to put one around a candidate."""

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
_DISGUISED = re.compile("«(.*?)»", re.DOTALL)


@dataclass(frozen=True)
class Attack:
    """One attack."""

    kind: str
    only_structure: bool
    """Whether it only forges what the prompt alone may say, and does not plead."""
    template: str
    disguise: str = "none"
    """How the text between « and » is written."""

    @property
    def guesses(self) -> bool:
        """Whether it has to guess the label of its candidate."""
        return "$label" in self.template or "$other" in self.template

    def around(self, candidate: str, label: str, other: str, code: str) -> str:
        """The candidate under attack. `label` is the guess at its label, and `code` the guess at the fences' code."""
        names = {"candidate": candidate, "label": label, "other": other, "code": code, "padding": PADDING}
        text = Template(self.template).substitute(names)
        return _DISGUISED.sub(lambda part: _DISGUISES[self.disguise](part[1]), text)


NO_ATTACK = Attack("no attack", only_structure=False, template="$candidate")


def attacks() -> list[Attack]:
    """All attacks, kind by kind."""
    suite = tomllib.loads((files("egrm_graph.benchmark.attacks") / "suite.toml").read_text("utf-8"))
    return [
        Attack(kind["name"], kind["only_structure"], entry["text"], entry.get("disguise", "none"))
        for kind in suite["kind"]
        for entry in kind["attacks"]
    ]


def _full_width(text: str) -> str:
    return "".join(chr(ord(letter) + 0xFEE0) if "!" <= letter <= "~" else letter for letter in text)


_DISGUISES: Mapping[str, Callable[[str], str]] = {
    "none": lambda text: text,
    "tags": lambda text: "".join(chr(0xE0000 + ord(letter)) for letter in text),
    "zero width": "\u200b".join,
    "full width": _full_width,
    "right to left": lambda text: f"\u202e{text[::-1]}\u202c",
    "line separators": lambda text: text.replace("\n", "\u2028"),
    "base64": lambda text: base64.b64encode(text.encode()).decode(),
    "rot13": lambda text: codecs.encode(text, "rot13"),
}
