"""The folder of saved draws: `draws.json` names their model, and `draws.jsonl` has a line for each.

A line has everything that it answers: the prompt, the sampling and the seed of a completion, or the labels of a
reading. It is written at once, so a killed process loses none that was complete. Only the places of the lines are kept
in memory.

To publish draws without the questions, `without_prompt` puts the hash of all this in its place.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, fields, replace
from importlib.metadata import version
from pathlib import Path
from threading import Lock
from typing import IO, Any

from egrm_graph.clients.client import Completion, Sampling, restricted
from egrm_graph.errors import InputError
from egrm_graph.verification import Message

ABOUT, DRAWS = "draws.json", "draws.jsonl"
FORMAT = 1


@dataclass(frozen=True)
class SavedSample:
    """A completion, and its part in the usage of its call."""

    completion: Completion
    completion_tokens: int
    """The tokens of the completion, or its share if the model reports only those of the call."""
    prompt_tokens: int
    """The tokens of the prompt, once."""
    own_request: bool
    """Whether each completion of the call was a request of its own."""
    seconds: float
    """From the call to its result."""


@dataclass(frozen=True)
class SavedLabels:
    """The log-probabilities of labels, and what they cost."""

    logprobs: Mapping[str, float]
    completion_tokens: int
    prompt_tokens: int
    seconds: float
    """From the call to its result."""


def sample_key(prompt: Sequence[Message], sampling: Sampling, seed: int) -> bytes:
    """What identifies a completion. The number of its log-probabilities does not, nor does an option that is not set:
    so keys stay the same when options are added."""
    unset = {each.name: each.default for each in fields(Sampling)}
    given = {name: value for name, value in asdict(sampling).items() if name != "logprobs" and value != unset[name]}
    return _digest([list(prompt), given, seed])


def labels_key(prompt: Sequence[Message], labels: Sequence[str]) -> bytes:
    """What identifies a reading of labels."""
    return _digest([list(prompt), list(labels)])


def _digest(value: Any) -> bytes:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).digest()


def without_prompt(line: bytes) -> bytes:
    """A line with a key in place of its prompt, and without token ids and log-probabilities. It answers the same
    request, but nobody can read the question in it."""
    row = json.loads(line)
    if "labels" in row:
        row["key"] = labels_key(row.pop("prompt"), row.pop("labels")).hex()
    else:
        sampling = Sampling(**_with_tuples(row.pop("sampling")))
        row["key"] = sample_key(row.pop("prompt"), sampling, row.pop("seed")).hex()
        left_out = ("token_ids", "tokens", "logprobs", "top_logprobs", "response_id")
        completion = row["completion"].items()
        row["completion"] = {name: value for name, value in completion if name not in left_out and value is not None}
    return json.dumps(row).encode() + b"\n"


@dataclass(frozen=True)
class _Place:
    """Where the line of a draw is."""

    start: int
    length: int
    logprobs: int


class DrawsFolder:
    """The saved draws of one model. Any thread may use it."""

    def __init__(self, file: Path, stream: IO[bytes]) -> None:
        self.path = file.parent
        self._file = file
        self._stream = stream
        self._lock = Lock()
        self._places: dict[bytes, list[_Place]] = {}
        self._end = 0
        stream.seek(0)
        for number, line in enumerate(stream, start=1):
            if not line.endswith(b"\n"):
                break  # its writer was killed
            self._add(line, *self._identified(number, line))
        if stream.writable():
            stream.truncate(self._end)

    @classmethod
    def opened(cls, path: Path, identity: Mapping[str, Any], *, write: bool) -> DrawsFolder:
        """Open the folder for the model with this identity. With `write`, a missing folder is created.

        Raises:
            InputError: it has the draws of another model, none and `write` is False, or something else.
        """
        about, file = path / ABOUT, path / DRAWS
        if write and not about.exists() and not file.exists():
            path.mkdir(parents=True, exist_ok=True)
            made = {"format": FORMAT, "package": version("egrm-graph"), **identity}
            about.write_text(json.dumps(made, indent=1) + "\n", "utf-8")
            file.touch()
        try:
            before = json.loads(about.read_text("utf-8"))
            _require_same({"format": FORMAT, **identity}, before, path)
            with ExitStack() as closing:
                stream = closing.enter_context(file.open("a+b" if write else "rb"))
                folder = cls(file, stream)
                closing.pop_all()
                return folder
        except (OSError, ValueError, AttributeError) as error:
            if isinstance(error, InputError):
                raise
            raise InputError(f"{path} is not a folder of saved draws: {error}; name another folder") from error

    def has(self, key: bytes, logprobs: int = 0) -> bool:
        """Whether a draw with at least this many log-probabilities is saved."""
        return any(place.logprobs >= logprobs for place in self._places.get(key, ()))

    def sample(self, key: bytes, logprobs: int) -> SavedSample:
        """The first completion saved that has this many log-probabilities, or more, which are left out."""
        place, row = self._read(key, logprobs)
        saved = _sample_in(row)
        if place.logprobs == logprobs:
            return saved
        return replace(saved, completion=restricted(saved.completion, logprobs))

    def labels(self, key: bytes) -> SavedLabels:
        """The saved reading."""
        return _labels_in(self._read(key, 0)[1])

    def save_sample(self, prompt: Sequence[Message], sampling: Sampling, seed: int, sample: SavedSample) -> None:
        """Save a completion."""
        row = {"prompt": list(prompt), "sampling": vars(sampling), "seed": seed, **vars(sample)}
        row["completion"] = vars(sample.completion)
        self._save(sample_key(prompt, sampling, seed), sampling.logprobs, row)

    def save_labels(self, prompt: Sequence[Message], labels: Sequence[str], reading: SavedLabels) -> None:
        """Save a reading of labels."""
        row = {"prompt": list(prompt), "labels": list(labels)}
        self._save(labels_key(prompt, labels), 0, row | vars(reading))

    def close(self) -> None:
        self._stream.close()

    def _save(self, key: bytes, logprobs: int, row: Mapping[str, Any]) -> None:
        line = json.dumps(row, default=dict).encode() + b"\n"
        with self._lock:
            self._stream.seek(0, os.SEEK_END)
            self._stream.write(line)
            self._stream.flush()
            self._add(line, key, logprobs)

    def _add(self, line: bytes, key: bytes, logprobs: int) -> None:
        self._places.setdefault(key, []).append(_Place(self._end, len(line), logprobs))
        self._end += len(line)

    def _read(self, key: bytes, logprobs: int) -> tuple[_Place, dict[str, Any]]:
        place = next(place for place in self._places[key] if place.logprobs >= logprobs)
        with self._lock:
            self._stream.seek(place.start)
            return place, json.loads(self._stream.read(place.length))

    def _identified(self, number: int, line: bytes) -> tuple[bytes, int]:
        """The key of a line, and its number of log-probabilities."""
        try:
            row = json.loads(line)
            if "key" in row:
                check = _sample_in if "completion" in row else _labels_in
                check(row)
                return bytes.fromhex(row["key"]), 0
            if "labels" in row:
                _labels_in(row)
                return labels_key(row["prompt"], row["labels"]), 0
            _sample_in(row)
            sampling = Sampling(**_with_tuples(row["sampling"]))
            return sample_key(row["prompt"], sampling, row["seed"]), sampling.logprobs
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise InputError(
                f"{self._file}, line {number} is not a saved draw: {error!r}; name another folder"
            ) from error


def _require_same(now: Mapping[str, Any], before: Mapping[str, Any], path: Path) -> None:
    if other := [name for name in now if now[name] != before.get(name)]:
        differences = ", ".join(f"{name} {before.get(name)!r} instead of {now[name]!r}" for name in other)
        raise InputError(f"the draws in {path} have the {differences}; name another folder")


def _sample_in(row: Mapping[str, Any]) -> SavedSample:
    return SavedSample(
        completion=Completion(**_with_tuples(row["completion"])),
        completion_tokens=row["completion_tokens"],
        prompt_tokens=row["prompt_tokens"],
        own_request=row["own_request"],
        seconds=row["seconds"],
    )


def _labels_in(row: Mapping[str, Any]) -> SavedLabels:
    return SavedLabels(row["logprobs"], row["completion_tokens"], row["prompt_tokens"], row["seconds"])


def _with_tuples(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in fields.items()}
