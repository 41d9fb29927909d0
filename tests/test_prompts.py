import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from egrm_graph.errors import SettingsError
from egrm_graph.prompting import Prompts, PromptSource, ReplyShape, known_sets
from egrm_graph.strategies.judged_paths import own_prompt
from egrm_graph.synthesis.model_replies import GROUP, REJUDGE, STANDARDIZE, synthesis_prompt
from egrm_graph.synthesis.model_replies import VARIABLES as SYNTHESIS_VARIABLES
from egrm_graph.tasks import AnswerTask, Judging
from egrm_graph.verification import Message

SETS = ("default", "tiny")
CALLS = ("answer_fast", "expand_cot")
QUESTION = AnswerTask.variables
CANDIDATES = Judging.variables
JUDGING = ("best_of_n", "pairwise", "pointwise", "tiny_judge", "tiny_mixed_judge", "tool_calls")
BUNDLED = ("tiny", "tiny_judge", "tiny_mixed_judge")


def load(chosen: str, task_set: str, **own: PromptSource | None) -> Prompts:
    variables = CANDIDATES if task_set in JUDGING else QUESTION
    return Prompts.load(chosen, task_set, variables, {**dict.fromkeys(CALLS), **own})


def rendered(prompts: Prompts, call: str, question: str) -> str:
    [message] = prompts.render(call, {"question": question})
    assert message["role"] == "user"
    return message["content"]


async def test_the_package_has_these_prompt_sets() -> None:
    assert known_sets() == sorted((*SETS, *JUDGING))


async def test_the_tiny_prompts_use_the_bundled_models_syntax() -> None:
    tiny = load("tiny", "tiny")
    assert rendered(tiny, "answer_fast", "17+48-9") == "17+48-9="
    assert rendered(tiny, "expand_cot", "17+48-9") == "17+48-9:"


@pytest.mark.parametrize("call", CALLS)
async def test_the_default_prompts_ask_for_a_box(call: str) -> None:
    text = rendered(load("default", "default"), call, "Why?")
    assert text.startswith("Why?\n\n")
    assert "\\boxed{}" in text
    assert text == text.strip()


@pytest.mark.parametrize("name", SETS)
@settings(deadline=None)
@given(question=st.text(min_size=1))
async def test_both_stages_start_with_the_question(name: str, question: str) -> None:
    prompts = load(name, name)
    assert all(rendered(prompts, call, question).startswith(question) for call in CALLS)


@pytest.mark.parametrize(
    "question", ["{{ 7*7 }}", "{% for x in y %}", "{# hidden #}", "{{ question }}", "<b>&'\"", "#}"]
)
async def test_a_question_is_never_a_template(question: str) -> None:
    for name in SETS:
        for call in CALLS:
            assert rendered(load(name, name), call, question).startswith(question)


async def test_the_history_comes_first_and_is_unchanged() -> None:
    history = [Message(role="system", content="{{ x }}"), Message(role="assistant", content="Hello")]
    messages = load("tiny", "tiny").render("answer_fast", {"question": "1+1"}, history)
    assert messages == [*history, Message(role="user", content="1+1=")]
    assert len(history) == 2


async def test_auto_is_the_prompt_set_of_the_task() -> None:
    assert load("auto", "tiny").name == "tiny"


@pytest.mark.parametrize("name", [*SETS, *JUDGING])
@pytest.mark.parametrize("call", CALLS)
async def test_each_file_states_its_purpose_and_variables(name: str, call: str) -> None:
    from importlib import resources

    source = (resources.files("egrm_graph.prompts") / name / f"{call}.md").read_text(encoding="utf-8")
    header = source[: source.index("#}")]
    assert header.startswith("{# ")
    names = CANDIDATES if name in JUDGING else QUESTION
    assert "Variables: " in header
    assert all(variable in header for variable in names)


SHARED_PROMPTS = {
    "expand_cot.breadth": (*CANDIDATES, "principles"),
    "expand_cot.depth": (*CANDIDATES, "principles", "solution"),
    "expand_cot.mixed": (*CANDIDATES, "principles"),
    "solve": ("context", "code"),
    "right_answer": ("context", "labels", "code"),
}
"""The prompts of the strategies for candidates, each with its variables."""


@pytest.mark.parametrize("task_set", [name for name in JUDGING if name not in BUNDLED])
@pytest.mark.parametrize("call", SHARED_PROMPTS)
async def test_the_strategies_for_candidates_have_prompts_for_every_task(task_set: str, call: str) -> None:
    header = own_prompt(call).read_text(encoding="utf-8").partition("#}")[0]
    assert all(variable in header.partition("Variables: ")[2] for variable in SHARED_PROMPTS[call])
    variables = {"principles": 5, "solution": "[solution]", **CANDIDATES}
    needed = {name: variables[name] for name in SHARED_PROMPTS[call]}
    prompts = Prompts.load("auto", task_set, variables, {call: own_prompt(call)})
    [message] = prompts.render(call, needed)
    assert message["content"] == message["content"].strip()
    [stop] = prompts.stop[call]
    assert message["content"].count(stop) == 1
    for name in needed:
        with pytest.raises(SettingsError, match=f"'{name}' is undefined"):
            prompts.render(call, {other: value for other, value in needed.items() if other != name})


SYNTHESIS_PROMPTS = {
    STANDARDIZE: ("rationale", "candidate_labels", "code"),
    GROUP: ("principles", "first", "n", "code"),
    REJUDGE: (*CANDIDATES, "solution", "principles", "most"),
}
"""The prompts that judgments to train on are made with, each with its variables."""


@pytest.mark.parametrize("task_set", ["pairwise", "best_of_n", "tool_calls"])
@pytest.mark.parametrize("call", SYNTHESIS_PROMPTS)
async def test_the_synthesis_of_judgments_has_prompts_for_every_comparison(task_set: str, call: str) -> None:
    header = synthesis_prompt(call).read_text(encoding="utf-8").partition("#}")[0]
    assert all(variable in header.partition("Variables: ")[2] for variable in SYNTHESIS_PROMPTS[call])
    variables = {**CANDIDATES, **SYNTHESIS_VARIABLES}
    needed = {name: variables[name] for name in SYNTHESIS_PROMPTS[call]}
    prompts = Prompts.load("auto", task_set, variables, {call: synthesis_prompt(call)})
    [message] = prompts.render(call, needed)
    assert message["content"] == message["content"].strip()
    for name in needed:
        with pytest.raises(SettingsError, match=f"'{name}' is undefined"):
            prompts.render(call, {other: value for other, value in needed.items() if other != name})


async def test_a_file_in_a_folder_replaces_one_prompt_of_the_set(tmp_path: Path) -> None:
    (tmp_path / "answer_fast.md").write_text("{# mine #}\nQ: {{ question }}\n\nA:\n", encoding="utf-8")
    (tmp_path / ".hidden").write_text("", encoding="utf-8")
    prompts = load(str(tmp_path), "tiny")
    assert rendered(prompts, "answer_fast", "1+1") == "Q: 1+1\n\nA:"
    assert rendered(prompts, "expand_cot", "1+1") == "1+1:"


async def test_an_unknown_set_is_an_error_that_lists_the_known_ones() -> None:
    with pytest.raises(SettingsError, match="'defalt' is neither a folder nor a known set; known sets are best"):
        load("defalt", "default")


@pytest.mark.parametrize("name", ["fast.md", "answer_fast.txt", "README.md"])
async def test_a_file_with_an_unknown_name_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("{{ question }}", encoding="utf-8")
    with pytest.raises(SettingsError, match=rf"{name} is not a known prompt.*answer_fast\.md, expand_cot\.md"):
        load(str(tmp_path), "default")


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("one\n{{ question", "line 2"),
        ("one\n\n{{ qestion }}", "line 3: 'qestion' is undefined.*variables: question"),
        ("{% include 'other.md' %}", "line 1"),
        ("one\n{{ 1/0 }}", "line 2: division by zero"),
        ("one\n{{ question.__class__.__mro__ }}", "line 2.*unsafe"),
    ],
)
async def test_a_broken_template_is_refused_when_it_is_loaded(tmp_path: Path, source: str, message: str) -> None:
    (tmp_path / "expand_cot.md").write_text(source, encoding="utf-8")
    with pytest.raises(SettingsError, match=rf"(?s)expand_cot\.md, {message}"):
        load(str(tmp_path), "default")


async def test_a_file_that_is_not_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "expand_cot.md").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SettingsError, match=r"expand_cot\.md cannot be read as UTF-8"):
        load(str(tmp_path), "default")


@pytest.mark.parametrize("name", ["default", *(name for name in JUDGING if name not in BUNDLED)])
@pytest.mark.parametrize("call", CALLS)
async def test_generation_stops_where_the_pattern_of_the_prompt_repeats(name: str, call: str) -> None:
    prompts = load(name, name)
    text = rendered(prompts, call, "Why?") if name == "default" else prompts.render(call, CANDIDATES)[0]["content"]
    [stop] = prompts.stop[call]
    assert text.count(stop) == 1


def reply_of(folder: Path, text: str, **variables: object) -> ReplyShape:
    (folder / "answer_fast.md").write_text(text + "{{ question }}", encoding="utf-8")
    return load(str(folder), "default").reply_of("answer_fast", {"question": "1+1", **variables})


async def test_a_prompt_says_how_its_reply_looks(tmp_path: Path) -> None:
    text = (
        '{% set reply_start = question ~ "=" %}{% set reply_end = ["\\n", ";"] %}{% set reply_pattern = "[0-9]\\\\+" %}'
    )
    assert reply_of(tmp_path, text, question="1+2") == ReplyShape("1+2=", ("\n", ";"), "[0-9]\\+")
    assert reply_of(tmp_path, "") == ReplyShape()


async def test_a_started_reply_is_the_last_message() -> None:
    history = [Message(role="user", content="Hello"), Message(role="assistant", content="Hi")]
    messages = load("default", "default").render("answer_fast", {"question": "1+1"}, history, start="**")
    assert messages[:2] == history
    assert [message["role"] for message in messages[2:]] == ["user", "assistant"]
    assert messages[-1]["content"] == "**"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{% set reply_start = 7 %}", "reply_start is 7; it has to be a text"),
        ("{% set reply_end = 'x' %}", "reply_end is 'x'; it has to be a list of nonempty texts"),
        ("{% set reply_end = [''] %}", "reply_end is"),
        ("{% set reply_pattern = '' %}", "reply_pattern is ''; it has to be a regular expression"),
        ("{% set reply_pattern = '(' %}", r"reply_pattern is '\('"),
        ("{% set reply_pattern = ['a'] %}", "reply_pattern is"),
    ],
)
async def test_a_reply_that_cannot_be_used_is_refused_when_it_is_loaded(
    tmp_path: Path, text: str, message: str
) -> None:
    with pytest.raises(SettingsError, match=rf"answer_fast\.md: {message}"):
        reply_of(tmp_path, text)


async def test_the_bundled_models_prompts_leave_the_reply_to_the_model() -> None:
    for name in BUNDLED:
        assert load(name, name).replies == dict.fromkeys(CALLS, ReplyShape())


@pytest.mark.parametrize("name", [*JUDGING, "default"])
async def test_paths_are_never_started(name: str) -> None:
    assert load(name, name).replies["expand_cot"] == ReplyShape()


@pytest.mark.parametrize(
    ("reply", "allowed"),
    [
        ("\\boxed{42}", True),
        ("\\boxed{x = \\frac{1}{2}}", True),
        ("\\boxed{\\frac{\\sqrt{2}}{2}}", True),
        ("\\boxed{}", False),
        ("\\boxed{42", False),
        ("\\boxed{42} so", False),
        ("\\boxed{4\n2}", False),
        ("\\boxed{" + "1" * 81 + "}", False),
        ("The answer is \\boxed{42}", False),
    ],
)
async def test_the_default_pattern_is_a_box(reply: str, allowed: bool) -> None:
    pattern = load("default", "default").replies["answer_fast"].pattern
    assert pattern is not None
    assert bool(re.fullmatch(pattern, reply)) is allowed


async def test_stop_texts_can_use_variables(tmp_path: Path) -> None:
    (tmp_path / "answer_fast.md").write_text("{% set name = 'Q' %}{% set stop = [name ~ ':'] %}Q: {{ question }}")
    assert load(str(tmp_path), "default").stop["answer_fast"] == ("Q:",)
