r"""Remove the thinking from what a model says. All tasks use this module.

Marks are recognized by their form, because every model family writes them differently:

- A tag or special token whose name contains a word for thinking: `<think>`, `<THINK x=1>`, `<seed:think>`, `[THINK]`,
  `<|begin_of_thought|>`, `<|START_THINKING|>`, `◁think▷`. A slash, or `end` in the name, makes it a closing mark.
- The channels of gpt-oss, with or without their special tokens. Only the final channel is read.
- A few pairs without such a name: Gemma's channels, and the others in `_PAIRS`.

A closing mark closes the thought of the same name. If no thought is open, the prompt opened it, so everything before
the mark is thinking. If a thought is still open at the end, the model has said nothing yet.

Source: the reasoning parsers of vLLM 0.32, one per model family.
"""

from __future__ import annotations

import re
from typing import NamedTuple

_WORDS = "think(?:ing)?|thoughts?|reason(?:ing)?|reflection|scratch_?pad|monologue|analysis"
_JOINTS = ":|_.▁-"
_TAG = (
    rf"<[|｜]?(?P<slash>/?)(?P<name>[\w{_JOINTS}]{{0,40}}(?:{_WORDS})(?:[{_JOINTS}][\w{_JOINTS}]{{0,40}})?)"  # noqa: RUF001
    r"(?:\s[^<>\n]{0,200})?[|｜]?(?<!/)>"  # noqa: RUF001 - `<think/>` opens nothing
)
_BRACKET = r"[\[◁](?P<bracket_slash>/?)(?P<bracket>think(?:ing)?|thought)[\]▷](?!\()"
_CHANNEL = r"<\|channel\|>\s*(?P<channel>\w*)[^<\n]{0,80}(?:<\|constrain\|>[^<\n]{0,40})?(?P<message><\|message\|>)?"
_BARE_CHANNEL = (
    r"(?-i:assistant(?P<bare_final>final)|(?:assistant|\A\s{0,9})(?P<bare_thought>analysis|commentary)(?=[A-Z0-9\\]))"
)
_PAIRS = (
    ("<\\|channel>|\\Athought\n", "<channel\\|>"),  # Gemma 4, also without its special tokens
    ("<unused94>", "<unused95>"),  # MedGemma
    (r"\[unused16\]", r"\[unused17\]"),  # openPangu
    (r"<\|inner_prefix\|>", r"<\|inner_suffix\|>"),  # Apertus
    (r"<\|open\|>think<\|sep\|>", r"<\|close\|>think<\|sep\|>|<\|open\|>response<\|sep\|>"),  # Kimi K3
    (r"to=self<\|message\|>", r"to=user<\|message\|>"),  # Muse
    (r"Here(?:'s| is) my thought process:", r"Here(?:'s| is) my response:"),  # Granite 3
    (r"\A/think\n", r"(?!)"),  # HyperCLOVA X answers in a second turn, which looks like a made-up one
)
_OPENINGS = "|".join(f"(?P<open{i}>{opening})" for i, (opening, _) in enumerate(_PAIRS))
_CLOSINGS = "|".join(f"(?P<close{i}>{closing})" for i, (_, closing) in enumerate(_PAIRS))
_ANSWER_STARTS = r"(?P<answer><\|content(?:_text)?\|>)"  # Inkling and Solar close a thought by opening the answer
_FORMS = "|".join((_TAG, _BRACKET, _CHANNEL, _BARE_CHANNEL, _OPENINGS, _CLOSINGS, _ANSWER_STARTS))
# Every mark starts with one of these characters. Checking that first makes searching a long text several times as fast.
_MARKS = re.compile(rf"(?=[<\[◁/acht])(?:{_FORMS})", re.IGNORECASE)
_POSITIONS = frozenset(("begin", "start", "open", "end", "close", "stop", "of"))
_CLOSING_POSITIONS = frozenset(("end", "close", "stop"))

_USER_TURN = re.compile(
    r"<\|(?:im_start|start_header_id|start|begin)\|>user|<\|user\|>|<start_of_turn>user|<\|turn>user|<｜User｜>|\[INST\]"  # noqa: RUF001
)
_TURN_ENDS = re.compile(
    r"<\|(?:im_end|eot_id|eom_id|eot|end|return|endoftext|end_of_text|end_of_turn|endofturn)\|>"
    r"|<｜end▁of▁sentence｜>|<end_of_turn>|<turn\|>|<eos>|\[\|endofturn\|\]|</s>(?=\s*\Z)"  # noqa: RUF001
)
_END_TOKENS = re.compile(r"(?:\s*(?:<[|｜][^<>|｜\s]{1,40}[|｜]>|</s>|\[/?INST\]))+\s*\Z")  # noqa: RUF001


class SpokenText(NamedTuple):
    """The text that remains without the thinking."""

    text: str
    ended: bool
    """Whether the model's own end token or a made-up user turn follows. The text is then complete, whatever the server
    reports."""


def spoken(text: str) -> SpokenText | None:
    """Return what the model says after its last thought, up to the end of its turn. None if it is still thinking."""
    if turn := _USER_TURN.search(text):
        text = text[: turn.start()]
    start = 0
    thoughts: dict[str, None] = {}  # by name, in the order in which they were opened
    for mark in _MARKS.finditer(text):
        name, closes = _read(mark)
        if not closes:
            thoughts[name] = None
        elif not name or not thoughts:
            thoughts.clear()
            start = mark.end()
        elif name in thoughts:
            while thoughts.popitem()[0] != name:
                pass  # thoughts inside the closed thought
            start = mark.end()
    if thoughts:
        return None
    said = text[start:]
    if end := _TURN_ENDS.search(said):
        return SpokenText(said[: end.start()] + "\n", ended=True)
    # Search only near the end. In a long text, a pattern that ends in \Z would be tried at every character.
    cut = max(0, len(said) - 500)
    return SpokenText(said[:cut] + _END_TOKENS.sub("\n", said[cut:]), ended=turn is not None)


def closing_of(text: str) -> str:
    """Return the mark that closes the thought in which a prompt ends. Empty if the prompt does not end in a thought, or
    ends in one that no mark of its own closes."""
    thoughts: dict[str, str] = {}
    for mark in _MARKS.finditer(text):
        name, closes = _read(mark)
        if not closes:
            thoughts[name] = mark[0]
        elif not name:
            thoughts.clear()
        elif name in thoughts:
            while thoughts.popitem()[0] != name:
                pass
    if not thoughts:
        return ""
    opening = next(iter(thoughts.values()))
    for opens, closes_with in (("begin", "end"), ("start", "end"), ("BEGIN", "END"), ("START", "END")):
        if opens in opening:
            return opening.replace(opens, closes_with)
    return f"{opening[0]}/{opening[1:]}" if opening[0] in "<[◁" else ""


def _read(mark: re.Match[str]) -> tuple[str, bool]:
    """Return a thought's name and whether the mark closes it. A mark that closes all thoughts has no name."""
    kind = mark.lastgroup or ""
    if name := mark["name"]:
        parts = re.split(f"[{_JOINTS}]", name.lower())
        closes = bool(mark["slash"]) or not _CLOSING_POSITIONS.isdisjoint(parts)
        return ".".join(part for part in parts if part and part not in _POSITIONS), closes
    if mark["bracket"]:
        return mark["bracket"].lower(), bool(mark["bracket_slash"])
    if mark["channel"] is not None:
        final = mark["channel"].lower() == "final" and mark["message"] is not None
        return ("", True) if final else ("channel", False)
    if kind.startswith(("open", "close")):
        return kind.removeprefix("open").removeprefix("close"), kind.startswith("close")
    return ("channel", False) if mark["bare_thought"] else ("", True)
