"""The text around a question and a path, from our own template or a chat template."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import TemplateError

from egrm_graph.errors import ModelError
from egrm_graph.scoring.input_template import InputTemplate, parse_chat_template, parse_template, read_template

TURNS = "{{ bos_token }}{% for turn in messages %}[{{ turn['role'] }}]{{ turn['content'] }}{{ eos_token }}{% endfor %}"
TOKENS = {"bos_token": "<s>", "eos_token": "</s>"}


@given(st.text(), st.text())
def test_braces_in_the_texts_are_unchanged(question: str, path: str) -> None:
    text, _ = parse_template("Q {question} A {path} {other}").fill(question, path)
    assert text == f"Q {question} A {path} {{other}}"


def test_a_placeholder_in_the_question_is_not_filled() -> None:
    text, _ = parse_template("{question}|{path}").fill("{path}{question}{0}", "{question}")
    assert text == "{path}{question}{0}|{question}"


@pytest.mark.parametrize("template", ["Q {question} A {path}.", "{path} answers {question}"])
def test_the_spans_of_both_texts_are_returned(template: str) -> None:
    text, spans = parse_template(template).fill("17+48", "#65")
    assert sorted(text[start:end] for start, end in spans) == ["#65", "17+48"]


def test_a_chat_template_renders_a_user_turn_and_an_assistant_turn() -> None:
    assert parse_chat_template(TURNS, TOKENS) == InputTemplate("<s>[user]", "</s>[assistant]", "</s>", complete=True)


def test_a_chat_template_can_strip_its_texts() -> None:
    template = parse_chat_template(TURNS.replace("turn['content']", "turn['content'] | trim"), TOKENS)
    assert template.fill(" 1+1\n", "#2 ")[0] == "<s>[user]1+1</s>[assistant]#2</s>"


def test_a_chat_template_can_put_the_answer_first() -> None:
    template = parse_chat_template("{{ messages[1].content }} <- {{ messages[0].content }}", {})
    assert template.fill("1+1", "#2")[0] == "#2 <- 1+1"


@pytest.mark.parametrize(
    "template",
    ["{{ messages[0].content }}", "{{ messages[1].content * 2 }}{{ messages[0].content }}"],
)
def test_a_chat_template_without_each_text_once_is_refused(template: str) -> None:
    with pytest.raises(ValueError, match="each of them once"):
        parse_chat_template(template, {})


def test_a_chat_template_runs_in_a_sandbox() -> None:
    with pytest.raises(TemplateError, match="unsafe"):
        parse_chat_template("{{ messages.__class__.__mro__[1].__subclasses__() }}", {})


def test_our_own_template_takes_precedence_over_a_chat_template(tmp_path: Path) -> None:
    (tmp_path / "egrm.json").write_text('{"input": "{question}:{path}"}')
    (tmp_path / "chat_template.jinja").write_text(TURNS)
    assert read_template(tmp_path) == InputTemplate("", ":", "")


def test_a_chat_template_is_also_read_from_the_tokenizer_settings(tmp_path: Path) -> None:
    settings = {"chat_template": TURNS, "bos_token": {"content": "<s>"}, "eos_token": "</s>"}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(settings))
    assert read_template(tmp_path) == parse_chat_template(TURNS, TOKENS)


def test_the_default_of_several_chat_templates_is_used(tmp_path: Path) -> None:
    templates = [{"name": "tool_use", "template": "x"}, {"name": "default", "template": TURNS}]
    settings = {"chat_template": templates, **TOKENS}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(settings))
    assert read_template(tmp_path) == parse_chat_template(TURNS, TOKENS)


@pytest.mark.parametrize("template", ["{{", "{{ raise_exception('no assistants') }}", "nothing"])
def test_an_unusable_chat_template_is_refused_with_the_fix(tmp_path: Path, template: str) -> None:
    (tmp_path / "chat_template.jinja").write_text(template)
    with pytest.raises(ModelError, match=r"chat template in .*; write .*egrm.json"):
        read_template(tmp_path)
