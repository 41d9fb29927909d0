"""The fixed text around a question and a path, from our own template or from a model's chat template.

A public reward model reads a conversation in which the user asks the question and the assistant answers with the path.
Its chat template comes with the checkpoint, so it is rendered only once, in a sandbox, with placeholders for the two
texts. Only the text around the placeholders is used.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, NoReturn

from egrm_graph.errors import ModelError
from egrm_graph.scoring.checkpoint import MANIFEST, Manifest, read_json, read_manifest

QUESTION, PATH = "{question}", "{path}"
SPECIAL_TOKENS = ("bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token")

Span = tuple[int, int]


@dataclass(frozen=True)
class InputTemplate:
    """Three fixed texts with the question and the path between them, in either order."""

    before: str
    between: str
    after: str
    path_first: bool = False
    strips: bool = False
    """Whether white space around the question and the path is removed."""
    complete: bool = False
    """Whether the fixed texts have all special tokens, and the tokenizer adds none."""

    def fill(self, question: str, path: str) -> tuple[str, tuple[Span, Span]]:
        """The text to score, and the spans of the two texts in it."""
        texts = (path, question) if self.path_first else (question, path)
        first, second = (text.strip() for text in texts) if self.strips else texts
        start = len(self.before)
        middle = start + len(first)
        resumed = middle + len(self.between)
        text = f"{self.before}{first}{self.between}{second}{self.after}"
        return text, ((start, middle), (resumed, resumed + len(second)))


def parse_template(template: str) -> InputTemplate:
    """Parses a template with `{question}` and `{path}` once each."""
    before, first, between, _, after = re.split(r"(\{question\}|\{path\})", Manifest(input=template).input)
    return InputTemplate(before, between, after, path_first=first == PATH)


def read_template(folder: Path) -> InputTemplate:
    """The template of the scorer in a folder: from its `egrm.json`, or else its chat template, or else the default.

    Raises:
        ModelError: the template cannot be used.
    """
    chat_template = None if (folder / MANIFEST).exists() else _read_chat_template(folder)
    if chat_template is None:
        return parse_template(read_manifest(folder).input)
    try:
        return parse_chat_template(chat_template, _special_tokens(folder))
    except Exception as error:  # a foreign template may raise anything
        raise ModelError(
            f"the chat template in {folder} cannot lay out a question and a path ({error}); "
            f'write {{"input": ...}} with your own template to {folder / MANIFEST}'
        ) from error


def parse_chat_template(chat_template: str, special_tokens: Mapping[str, str]) -> InputTemplate:
    """The text that a chat template puts around a user's question and an assistant's path.

    Raises:
        ValueError: it does not contain each of them once.
        jinja2.TemplateError: it cannot be rendered.
    """
    plain = _render(chat_template, special_tokens, QUESTION, PATH)
    if not plain.count(QUESTION) == plain.count(PATH) == 1:
        raise ValueError("it does not contain each of them once")
    before, between, after = re.split(r"\{question\}|\{path\}", plain)
    spaced = _render(chat_template, special_tokens, f" \n{QUESTION}\n ", f" \n{PATH}\n ")
    path_first = plain.index(PATH) < plain.index(QUESTION)
    return InputTemplate(before, between, after, path_first, strips=spaced == plain, complete=True)


def _render(chat_template: str, special_tokens: Mapping[str, str], question: str, path: str) -> str:
    """Renders a chat template like transformers, but without importing torch."""
    from jinja2 import TemplateError
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    def raise_exception(message: str) -> NoReturn:
        raise TemplateError(message)

    def to_json(value: Any, **options: Any) -> str:  # jinja's own filter escapes HTML
        return json.dumps(value, **{"ensure_ascii": False, **options})

    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"]
    )
    environment.filters["tojson"] = to_json
    environment.globals["raise_exception"] = raise_exception
    environment.globals["strftime_now"] = lambda form: datetime.now().strftime(form)
    messages = [{"role": "user", "content": question}, {"role": "assistant", "content": path}]
    return environment.from_string(chat_template).render(
        messages=messages, tools=None, documents=None, add_generation_prompt=False, **special_tokens
    )


def _read_chat_template(folder: Path) -> str | None:
    file = folder / "chat_template.jinja"
    if file.exists():
        return file.read_text("utf-8")
    saved = _tokenizer_config(folder).get("chat_template")
    if isinstance(saved, list):  # several with names
        saved = {entry["name"]: entry["template"] for entry in saved}.get("default")
    return saved


def _special_tokens(folder: Path) -> dict[str, str]:
    saved = _tokenizer_config(folder)
    tokens = {name: saved[name] for name in SPECIAL_TOKENS if saved.get(name) is not None}
    return {name: token["content"] if isinstance(token, dict) else token for name, token in tokens.items()}


def _tokenizer_config(folder: Path) -> dict[str, Any]:
    file = folder / "tokenizer_config.json"
    return read_json(file) if file.exists() else {}
