"""Labels of fixed steps by completions, from a client whose completions can be read off."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from egrm_graph.clients.client import Completion, Completions, LabelLogprobs, Meter, Sampling, no_usage
from egrm_graph.clients.scripted import ScriptedClient
from egrm_graph.errors import SettingsError, Unsupported
from egrm_graph.parts import assemble
from egrm_graph.settings import Settings
from egrm_graph.training.roll_out import RolloutRow, roll_out
from egrm_graph.training.step_completions import FixedSteps, tokens_before
from egrm_graph.verification import Message, Token

LETTERS = tuple("0123456789+-=;#")


class Continuing:
    """Goes on from each text with those that it is given: each is one completion, None a lost one."""

    name = "continuing"
    gives_logprobs = True
    continues_tokens = True

    def __init__(self, texts: Mapping[str, Sequence[str | None]], tokens: Sequence[str] = LETTERS) -> None:
        self._texts = {text: list(more) for text, more in texts.items()}
        self._tokens = tokens
        self.begun: list[tuple[str, int, int]] = []
        """What each call began with, how many completions it was to have, and of how many tokens."""
        self.seeds: list[int] = []

    async def sample(
        self,
        prompt: Sequence[Message],
        sampling: Sampling,
        *,
        seeds: Sequence[int],
        request_id: str,
        meter: Meter | None = None,
    ) -> Completions:
        text = "".join(self._tokens[token] for token in sampling.begins_with or ())
        self.begun.append((text, len(seeds), sampling.max_tokens))
        self.seeds += seeds
        completions = tuple(self._completion(text, self._texts[text].pop(0)) for _ in seeds)
        n_tokens = sum(each.n_tokens or 0 for each in completions)
        return Completions(completions, {**no_usage(), "requests": 1, "completion_tokens": n_tokens})

    def _completion(self, before: str, more: str | None) -> Completion:
        if more is None:
            return Completion("", "abort", None, error="gone")
        rest, ids = more, list[int]()
        while rest:
            piece = max((token for token in self._tokens if rest.startswith(token)), key=len)
            ids.append(self._tokens.index(piece))
            rest = rest[len(piece) :]
        pieces = tuple(self._tokens[token] for token in ids)
        return Completion(
            text=before + more,
            finish_reason="stop",
            n_tokens=len(ids),
            token_ids=tuple(ids),
            tokens=pieces,
            logprobs=(-0.5,) * len(ids),
            likeliest=tuple([Token(id=token, text=self._tokens[token], logprob=-0.5)] for token in ids),
            before=len(before),
        )

    async def label_logprobs(
        self, prompt: Sequence[Message], labels: Sequence[str], *, request_id: str
    ) -> LabelLogprobs:
        raise Unsupported("there are no labels")

    async def check(self) -> None: ...

    async def aclose(self) -> None: ...


async def labeled(client: Continuing, completions: int, rule: str = ";", **settings: Any) -> RolloutRow:
    parts = assemble(Settings(**{"task": "arithmetic", "paths": 1} | settings), client=client, scorer=None)
    steps = FixedSteps(rule, completions)
    steps.check_settings(parts.settings)
    steps.check_client(parts.client)
    return await roll_out(parts, {"question": "1+1+2", "reference": "4"}, steps=steps)


def labels(row: RolloutRow) -> list[list[tuple[str, float, bool, int]]]:
    """For each path, the text up to each step's end, with the step's value, any, and leaves."""
    assert all(step["value"] == step["share"] for path in row["paths"] for step in path.get("steps", ()))
    return [
        [(path["text"][: step["end"]], step["value"], step["any"], step["leaves"]) for step in path.get("steps", ())]
        for path in row["paths"]
    ]


async def test_each_step_is_labeled_by_completions_from_its_end_and_the_last_by_the_path() -> None:
    client = Continuing(
        {
            "": ["1+1=2;2+2=5;#5"],
            "1+1=2;": ["2+2=4;#4", "2+2=4;#4", "#2", "#4"],
            "1+1=2;2+2=5;": ["#5", "#5", "5-1=4;#4", "#"],
        }
    )
    row = await labeled(client, 4, path_max_tokens=50)
    assert labels(row) == [
        [("1+1=2;", 0.75, True, 4), ("1+1=2;2+2=5;", 0.25, True, 4), ("1+1=2;2+2=5;#5", 0.0, False, 1)]
    ]
    assert client.begun == [("", 1, 50), ("1+1=2;", 4, 44), ("1+1=2;2+2=5;", 4, 38)]
    assert len(set(client.seeds)) == 9


async def test_a_row_has_the_cost_of_its_path_and_of_its_labels() -> None:
    client = Continuing({"": ["1+1=2;#2"], "1+1=2;": ["#4", "2+2=4;#4"]})
    row = await labeled(client, 2)
    assert (row.get("requests"), row.get("completion_tokens")) == (2, 8 + 2 + 8)
    [path] = row["paths"]
    assert (path["n_tokens"], path["logprob"], path["min_logprob"]) == (8, -4.0, -0.5)


async def test_a_step_that_ends_inside_a_token_is_continued_before_the_token() -> None:
    client = Continuing(
        {"": ["1+1=2;2+2=4;#4"], "1+1=2": [";#4", ";#2"], "1+1=2;2+2=4": [";#4"] * 2}, (*LETTERS, ";2", ";#")
    )
    row = await labeled(client, 2)
    assert labels(row) == [[("1+1=2;", 0.5, True, 2), ("1+1=2;2+2=4;", 1.0, True, 2), ("1+1=2;2+2=4;#4", 1.0, True, 1)]]


async def test_a_lost_completion_is_neither_right_nor_wrong() -> None:
    client = Continuing({"": ["1+1=2;2+2=4;#4"], "1+1=2;": ["#4", None, "#2"], "1+1=2;2+2=4;": [None] * 3})
    row = await labeled(client, 3)
    # The second step has no label, because nothing is known about it.
    assert labels(row) == [[("1+1=2;", 0.5, True, 2), ("1+1=2;2+2=4;#4", 1.0, True, 1)]]
    assert (row["lost"], row["reasons"]) == (0, ["4 of 6 completions lost: gone"])


async def test_a_lost_path_has_no_steps() -> None:
    row = await labeled(Continuing({"": [None, "#4"]}), 2, paths=2)
    assert labels(row) == [[("#4", 1.0, True, 1)]]
    assert (row["lost"], row["reasons"]) == (1, ["1 of 2 paths lost: gone"])


async def test_a_step_that_paths_share_is_labeled_once() -> None:
    client = Continuing({"": ["1+1=2;#2", "1+1=2;#4", "1+1=2;#2"], "1+1=2;": ["#4", "#4"]})
    row = await labeled(client, 2, paths=3)
    assert labels(row) == [
        [("1+1=2;", 1.0, True, 2), ("1+1=2;#2", 0.0, False, 1)],
        [("1+1=2;#4", 1.0, True, 1)],
        [],
    ]


async def test_a_rule_that_matches_nowhere_labels_the_path() -> None:
    client = Continuing({"": ["1+1=2;#2"]})
    assert labels(await labeled(client, 2, "sentences")) == [[("1+1=2;#2", 0.0, False, 1)]]
    assert len(client.begun) == 1


def completion(text: str, *tokens: str) -> Completion:
    return Completion(text, "stop", len(tokens), token_ids=tuple(range(len(tokens))), tokens=tokens)


@pytest.mark.parametrize(
    ("drawn", "end", "expected"),
    [
        (completion("ab;c", "ab", ";", "c"), 3, 2),
        (completion("ab;c", "ab", ";c"), 3, 1),
        (completion("ab;c", "ab;c"), 3, 0),
        (completion("a. b", "a", ".", "b"), 3, 2),  # the tokenizer leaves out the space before a token
        (completion("a. b", "a", ".", "b"), 2, 2),
        (completion("é;c", "\ufffd", "\ufffd", ";", "c"), 1, 2),
        (completion("é;c", "\ufffd", "\ufffd", ";", "c"), 2, 3),
        (completion("aé", "a", "\ufffd", "\ufffd"), 1, 1),
        (completion("aéé;", "a", "\ufffd", "\ufffd", "\ufffd", "\ufffd", ";"), 2, 1),
        (completion("éé;", "\ufffd", "\ufffd", "\ufffd", "\ufffd", ";"), 1, 0),
        (completion("aéé", "a", "\ufffd", "\ufffd", "\ufffd", "\ufffd"), 2, None),
        (completion("ab;c", "x", "y"), 3, None),  # the text is not what its tokens say
        (Completion("ab;c", "stop", 2), 3, None),
    ],
)
def test_the_tokens_before_a_place(drawn: Completion, end: int, expected: int | None) -> None:
    assert tokens_before(drawn, end) == expected


@pytest.mark.parametrize(
    ("steps", "settings", "message"),
    [
        (FixedSteps("("), {}, r"'\(' says where steps end, and is neither"),
        (
            FixedSteps(";"),
            {"strategy": "entropy_tree"},
            "cuts independent paths, and the strategy 'entropy_tree' draws",
        ),
        (FixedSteps(";", 2), {"path_temperature": 0}, "path_temperature=0 decodes the same text every time, so all 2"),
        (FixedSteps(";", 2), {"path_top_k": 1}, "set path_top_k above 1, or completions=1"),
        (FixedSteps(";", 2), {"path_min_p": 1}, "set path_min_p below 1, or completions=1"),
    ],
)
def test_settings_that_do_not_go_with_fixed_steps_are_refused(
    steps: FixedSteps, settings: Mapping[str, Any], message: str
) -> None:
    with pytest.raises(SettingsError, match=message):
        steps.check_settings(Settings(**{"paths": 1, **settings}))


def test_one_greedy_completion_is_allowed() -> None:
    FixedSteps(";", 1).check_settings(Settings(paths=1, path_temperature=0))


def test_a_client_that_cannot_continue_tokens_is_refused() -> None:
    with pytest.raises(SettingsError, match="step_end=';' continues paths from token ids, and scripted does not"):
        FixedSteps(";").check_client(ScriptedClient(fast=["1"]))
