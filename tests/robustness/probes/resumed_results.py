"""Resume a file of results: return the lines that are asked, and the final file."""

from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from egrm_graph.cli.answering import LineResult
from egrm_graph.cli.json_lines import Line
from egrm_graph.cli.results import (
    InputOrder,
    done_before,
    encode,
    match_results,
    open_results,
    remaining,
    sort_results,
)
from egrm_graph.errors import InputError


async def outcome(given: dict[str, Any]) -> Any:
    with TemporaryDirectory() as folder:
        file = Path(folder) / "out.jsonl"
        file.write_text(given["file"])
        try:
            return await _resumed(given["ids"], file, unique_ids=given.get("unique_ids", False))
        except InputError as error:
            return f"{type(error).__name__}: {error}".replace(folder, "FOLDER")


async def _resumed(ids: Sequence[Any], file: Path, *, unique_ids: bool) -> dict[str, Any]:
    order, lines = InputOrder(unique_ids=unique_ids), _lines(ids)
    passed_over = await match_results(lines, done_before(file), file, order)
    asked = [line async for line in remaining(passed_over, lines, order)]
    with open_results(file, resume=True) as out:
        for line in reversed(asked):  # in the order of arrival, the last one first
            answer = None if line.error else {"answer": f"new {line.number}"}
            out.write(encode(LineResult(line, answer, line.error), numbered=True))
    sort_results(file, order)
    return {"asked": [line.number for line in asked], "file": file.read_text()}


async def _lines(ids: Sequence[Any]) -> AsyncIterator[Line]:
    for number, name in enumerate(ids, start=1):
        yield Line(number, name, {"question": "1+1"})
