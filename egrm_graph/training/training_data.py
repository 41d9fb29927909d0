"""Reads training data for a scorer: rollouts, preference pairs, or graded responses, in JSON lines or Parquet.

The fields of a row decide its format:

- rollouts, as `egrm rollouts` writes them: `{"id", "question", "reference", "paths": [...]}`
- pairs, as in TRL and RewardBench: `{"prompt", "chosen", "rejected"}`, each a text, a list of chat messages, or, for
  chosen and rejected, a list of texts. Without a prompt, it is the messages that both begin with.
- graded responses: `{"prompt", "response", "score"}`, with the score in [0, 1]. Rows with the same prompt form one
  question.
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterator, Mapping, Sequence
from itertools import takewhile
from pathlib import Path
from typing import Any, TypeGuard

from pydantic import ValidationError

from egrm_graph.errors import InputError
from egrm_graph.settings import explain
from egrm_graph.training.parquet import read_parquet
from egrm_graph.training.rollout_file import Rollout, RolloutPath

FORMATS = "'paths' (rollouts), 'chosen' and 'rejected' (pairs), or 'prompt', 'response' and 'score' (graded responses)"


def read_rollouts(file: Path) -> list[Rollout]:
    """Read all rollouts of a file. Ignores blank lines, and the lines of questions that could not be asked.

    Raises:
        InputError: the file cannot be read or has no rollouts, or a row is not one. The message names the row.
    """
    by_id: dict[str | int | float, Rollout] = {}
    graded: dict[str, list[RolloutPath]] = {}
    for where, number, row in file_rows(file):
        try:
            if row.keys() == {"id", "line", "error"}:  # a line that `egrm rollouts` could not ask
                continue
            if "response" in row:
                question, path = _graded(row)
                graded.setdefault(question, []).append(path)
                continue
            rollout = _pair(row, number) if "chosen" in row or "rejected" in row else rollout_of(row)
        except ValidationError as error:
            raise InputError(f"{where}: {explain(error)[:500]}") from error
        except InputError as error:
            raise InputError(f"{where}: {error}") from error
        if rollout.id in by_id:
            raise InputError(f"{where}: the id {rollout.id!r} was used before; give each row its own")
        by_id[rollout.id] = rollout
    rollouts = [*by_id.values(), *questions_of(graded)]
    if not rollouts:
        raise InputError(f"{file} has no rollouts; write one question with its paths on each line")
    return rollouts


def file_rows(file: Path) -> Iterator[tuple[str, int, dict[str, Any]]]:
    """The place of each row in words, its number, and the row."""
    if file.suffix == ".parquet":
        for number, row in enumerate(read_parquet(file), start=1):
            yield f"{file}, row {number}", number, row
        return
    try:
        data = gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()
        text = data.decode("utf-8")
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise InputError(f"the rollouts in {file} cannot be read: {error}") from error
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            where = f"{file}, line {number}"
            yield where, number, _parsed(line, where)


def _parsed(line: str, where: str) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{where} is not JSON: {error}") from error
    if not isinstance(row, dict):
        raise InputError(f"{where} is not a JSON object but {str(row)[:40]!r}; use one with {FORMATS}")
    return row


def rollout_of(row: Mapping[str, Any]) -> Rollout:
    if "paths" not in row:
        raise InputError(f"a row needs {FORMATS}; this one has {', '.join(map(repr, list(row)[:8])) or 'nothing'}")
    return Rollout.model_validate(row)


def _pair(row: Mapping[str, Any], number: int) -> Rollout:
    for name in ("chosen", "rejected"):
        if not row.get(name):
            raise InputError(f"{name}={row.get(name)!r} is empty; a pair needs a chosen and a rejected response")
    prompt, chosen, rejected = row.get("prompt"), row["chosen"], row["rejected"]
    if prompt is None:
        prompt, chosen, rejected = _without_shared_beginning(chosen, rejected)
    paths = [RolloutPath(text=text, correct=True) for text in _responses(chosen, "chosen")]
    paths += [RolloutPath(text=text, correct=False) for text in _responses(rejected, "rejected")]
    name = row.get("id", number)
    return Rollout(id=name if isinstance(name, str | int) else number, question=transcript(prompt), paths=tuple(paths))


def _graded(row: Mapping[str, Any]) -> tuple[str, RolloutPath]:
    score = row.get("score")
    if isinstance(score, bool) or not isinstance(score, int | float) or not 0 <= score <= 1:
        raise InputError(f"score={score!r} is not a number in [0, 1]; convert it, for example with (score - 1) / 4")
    texts = _responses(row["response"], "response")
    if len(texts) > 1:
        raise InputError(f"response has {len(texts)} texts; use a row with a score for each")
    return transcript(row.get("prompt")), RolloutPath(text=texts[0], correct=score > 0.5, score=float(score))


def questions_of(paths_by_question: Mapping[str, Sequence[RolloutPath]]) -> Iterator[Rollout]:
    """A rollout for each question, whose text is its id."""
    for question, paths in paths_by_question.items():
        yield Rollout(id=question, question=question, paths=tuple(paths))


def _without_shared_beginning(chosen: Any, rejected: Any) -> tuple[Any, Any, Any]:
    if not (_is_chat(chosen) and _is_chat(rejected)):
        raise InputError(
            "the prompt is missing; add it, or use chat messages with the same beginning for chosen and rejected"
        )
    shared = len(list(takewhile(lambda pair: pair[0] == pair[1], zip(chosen, rejected, strict=False))))
    return chosen[:shared], chosen[shared:], rejected[shared:]


def _is_chat(value: Any) -> TypeGuard[list[Mapping[str, Any]]]:
    return isinstance(value, list) and all(isinstance(item, Mapping) and "content" in item for item in value)


def _responses(value: Any, name: str) -> list[str]:
    """The responses: one text, the last message of a chat, or several texts."""
    if isinstance(value, str):
        return [value]
    if _is_chat(value) and value and isinstance(value[-1]["content"], str):
        return [value[-1]["content"]]
    if isinstance(value, list) and value and all(isinstance(item, str) for item in value):
        return [str(item) for item in value]
    raise InputError(f"{name}={str(value)[:60]!r} is neither a text, nor chat messages, nor a list of texts")


def transcript(prompt: Any) -> str:
    """The prompt as one text: the content of a single message, or several messages with their roles."""
    if isinstance(prompt, str) and prompt.strip():
        return prompt
    if _is_chat(prompt) and prompt:
        if len(prompt) == 1:
            return str(prompt[0]["content"])
        return "\n\n".join(f"{message.get('role', 'user')}: {message['content']}" for message in prompt)
    raise InputError(f"prompt={str(prompt)[:60]!r} is neither a text nor chat messages")
