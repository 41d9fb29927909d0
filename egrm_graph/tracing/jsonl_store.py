"""Store runs in a folder of JSON lines, for shipping logs elsewhere: one file per process and day.

Each batch of lines is written at once. Pruning deletes complete files.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

from egrm_graph.errors import InputError
from egrm_graph.tracing.encoding import summary_in
from egrm_graph.tracing.filter import Filter
from egrm_graph.tracing.limits import Pruned, StoreLimits
from egrm_graph.tracing.private import make_folder
from egrm_graph.tracing.run_summary import RunSummary
from egrm_graph.tracing.writer import Entry

FILE_BYTES = 64_000_000
FILES_IN_LIMIT = 16
"""A file is full at this fraction of the allowed size, so deleting one file deletes few runs."""
TIDY_S = 60.0
TARGET_SHARE = 0.95
"""Pruning reduces the folder to this share of the allowed size, so the next write does not prune again."""
_NAME = re.compile(r"traces-\d{4}-\d\d-\d\d-\d+-\d+\.jsonl")


class JsonlSink:
    """Append batches of records to this process's file."""

    def __init__(self, folder: Path, limits: StoreLimits) -> None:
        self._folder = folder
        self._limits = limits
        self._full_bytes = min(FILE_BYTES, (limits.bytes or FILE_BYTES * FILES_IN_LIMIT) / FILES_IN_LIMIT)
        self._tidied_at = -TIDY_S
        self._day = ""
        self._file: int | None = None
        self._n_bytes = 0

    def write(self, entries: Sequence[Entry]) -> None:
        file = self._open()
        data = b"".join(entry.data + b"\n" for entry in entries)
        try:
            n_written = 0
            while n_written < len(data):
                n_written += os.write(file, data[n_written:])
        except OSError as error:
            os.ftruncate(file, self._n_bytes)  # remove the incomplete line
            raise OSError(f"{self._folder}: {error.strerror}") from error
        self._n_bytes += len(data)

    def tidy(self) -> None:
        if time.monotonic() - self._tidied_at > TIDY_S or self._n_bytes > self._full_bytes:
            self._tidied_at = time.monotonic()
            prune_folder(self._folder, self._limits, dry=False)

    def close(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _open(self) -> int:
        """The file to append to. A new one starts each day, when it is full, and when someone deleted it."""
        day = datetime.now(UTC).date().isoformat()
        if self._file is not None and (
            day != self._day or self._n_bytes > self._full_bytes or not os.fstat(self._file).st_nlink
        ):
            self.close()
        if self._file is None:
            make_folder(self._folder)
            self._day, self._n_bytes, self._file = day, 0, self._made(day)
        return self._file

    def _made(self, day: str) -> int:
        """Create a new file: an existing one may end in an incomplete line or have another writer."""
        number = 0
        while True:
            name = f"traces-{day}-{os.getpid()}-{number}.jsonl"
            try:
                return os.open(self._folder / name, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL, 0o600)
            except FileExistsError:
                number += 1


class JsonlReader:
    """Read the runs in a folder.

    The first call indexes all files to put the runs in order, so later lines are not seen.
    """

    def __init__(self, folder: Path) -> None:
        if not folder.is_dir():
            raise InputError(f"{folder} is not a folder")
        self._folder = folder

    def rows(self, which: Filter) -> Iterator[RunSummary]:
        matching = (row for row, _, _ in self._index.values() if which.matches(row))
        yield from sorted(matching, key=lambda row: (row.started_at, row.run_id), reverse=True)

    def data(self, run_id: str) -> bytes | None:
        if run_id not in self._index:
            return None
        row, file, start = self._index[run_id]
        try:
            with file.open("rb") as stream:
                stream.seek(start)
                return stream.read(row.bytes)
        except FileNotFoundError:  # deleted in the meantime
            return None

    def beginning_with(self, prefix: str, limit: int) -> list[str]:
        return sorted(run_id for run_id in self._index if run_id.startswith(prefix))[:limit]

    def close(self) -> None:
        self.__dict__.pop("_index", None)

    @cached_property
    def _index(self) -> dict[str, tuple[RunSummary, Path, int]]:
        """The summary and position of each run. If a run was recorded twice, the last one counts."""
        found = {}
        for file in files_of(self._folder):
            start = 0
            with suppress(FileNotFoundError), file.open("rb") as stream:
                for line in stream:
                    if (row := _row(line)) is not None:
                        found[row.run_id] = row, file, start
                    start += len(line)
        return found


def files_of(folder: Path) -> list[Path]:
    """The files of the store, oldest first. Other files in the folder are ignored."""
    dated = []
    for file in folder.iterdir():
        if _NAME.fullmatch(file.name):
            with suppress(FileNotFoundError):  # deleted in the meantime
                dated.append((file.stat().st_mtime_ns, file))
    return [file for _, file in sorted(dated)]


def prune_folder(folder: Path, limits: StoreLimits, *, dry: bool) -> Pruned:
    """Delete the files whose runs are all over the limits. With `dry`, only count them."""
    files = files_of(folder)
    sizes = [file.stat().st_size for file in files]
    excess = sum(sizes) - TARGET_SHARE * limits.bytes if limits.bytes is not None and sum(sizes) > limits.bytes else 0.0
    n_runs = n_bytes = 0
    for file, size in zip(files, sizes, strict=True):
        old = limits.age_s is not None and file.stat().st_mtime < time.time() - limits.age_s
        if not old and n_bytes >= excess:
            break
        with file.open("rb") as stream:
            n_runs += sum(line.endswith(b"\n") for line in stream)
        n_bytes += size
        if not dry:
            file.unlink(missing_ok=True)
    return Pruned(n_runs, n_bytes)


def _row(line: bytes) -> RunSummary | None:
    """None if the line is incomplete: its writer was killed or is still writing."""
    if not line.endswith(b"\n"):
        return None
    return summary_in(line[:-1])
