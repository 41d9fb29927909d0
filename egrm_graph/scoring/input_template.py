"""The fixed text around a question and a path: from a template of ours, or from a model's own chat template.

A public reward model reads a conversation: the user asked the question and the assistant answered with the path. Its
chat template comes with the checkpoint, so it is rendered in a sandbox, once, with two placeholders in place of the
texts; what it puts around them is all that is kept of it.
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
class Frame:
    """Three fixed texts with the question and the path, or the path and the question, in between."""

    before: str
    between: str
    after: str
    path_first: bool = False
    strips: bool = False
    """White space around question and path is dropped."""
    complete: bool = False
    """All special tokens are spelled out here, and the tokenizer adds none."""

    def fill(self, question: str, path: str) -> tuple[str, tuple[Span, Span]]:
        """The text that is scored, and where in it the two texts are."""
        texts = (path, question) if self.path_first else (question, path)
        first, second = (text.strip() for text in texts) if self.strips else texts
        start = len(self.before)
        middle = start + len(first)
        resumed = middle + len(self.between)
        text = f"{self.before}{first}{self.between}{second}{self.after}"
        return text, ((start, middle), (resumed, resumed + len(second)))


def template_frame(template: str) -> Frame:
    """The frame of a template with `{question}` and `{path}` once each."""
    before, first, between, _, after = re.split(r"(\{question\}|\{path\})", Manifest(input=template).input)
    return Frame(before, between, after, path_first=first == PATH)


def read_frame(folder: Path) -> Frame:
    """How the scorer in a folder wants its text: by its `egrm.json`, else by its chat template, else plainly.

    Raises:
        ModelError: either cannot be used.
    """
    chat_template = None if (folder / MANIFEST).exists() else _read_chat_template(folder)
    if chat_template is None:
        return template_frame(read_manifest(folder).input)
    try:
        return chat_frame(chat_template, _special_tokens(folder))
    except Exception as error:  # whatever a template of somebody else's does
        raise ModelError(
            f"the chat template in {folder} cannot lay out a question and a path ({error}); "
            f'put {{"input": ...}} with a template of your own into {folder / MANIFEST}'
        ) from error


def chat_frame(chat_template: str, special_tokens: Mapping[str, str]) -> Frame:
    """The frame that a chat template puts around a user's question and an assistant's path.

    Raises:
        ValueError: it does not show each of them once.
        jinja2.TemplateError: it cannot be rendered.
    """
    plain = _render(chat_template, special_tokens, QUESTION, PATH)
    if not plain.count(QUESTION) == plain.count(PATH) == 1:
        raise ValueError("it does not show each of them once")
    before, between, after = re.split(r"\{question\}|\{path\}", plain)
    spaced = _render(chat_template, special_tokens, f" \n{QUESTION}\n ", f" \n{PATH}\n ")
    path_first = plain.index(PATH) < plain.index(QUESTION)
    return Frame(before, between, after, path_first, strips=spaced == plain, complete=True)


def _render(chat_template: str, special_tokens: Mapping[str, str], question: str, path: str) -> str:
    """As transformers renders chat templates, without the torch that importing it brings in."""
    from jinja2 import TemplateError
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    def raise_exception(message: str) -> NoReturn:
        raise TemplateError(message)

    def to_json(value: Any, **options: Any) -> str:  # jinja's own escapes HTML
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
    if isinstance(saved, list):  # several, by name
        saved = {entry["name"]: entry["template"] for entry in saved}.get("default")
    return saved


def _special_tokens(folder: Path) -> dict[str, str]:
    saved = _tokenizer_config(folder)
    tokens = {name: saved[name] for name in SPECIAL_TOKENS if saved.get(name) is not None}
    return {name: token["content"] if isinstance(token, dict) else token for name, token in tokens.items()}


def _tokenizer_config(folder: Path) -> dict[str, Any]:
    file = folder / "tokenizer_config.json"
    return read_json(file) if file.exists() else {}
