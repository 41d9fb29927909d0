"""Check an answer against the reference in an input line. `reference` is its JSON text."""

from typing import Any

from egrm_graph import Settings, build_graph
from egrm_graph.cli.json_lines import read_line
from egrm_graph.clients.scripted import ScriptedClient
from egrm_graph.errors import InputError
from egrm_graph.settings import TaskName


async def outcome(given: dict[str, str]) -> bool | str | None:
    line = read_line(1, f'{{"question": "17+48", "reference": {given["reference"]}}}'.encode())
    assert line is not None
    if line.error is not None:
        return line.error
    task: TaskName = "arithmetic" if given.get("task") == "arithmetic" else "answer"
    client = ScriptedClient(fast=[f"\\boxed{{{given['answer']}}}" if task == "answer" else given["answer"]] * 5)
    graph = build_graph(Settings(task=task), client=client, scorer=None)
    try:
        inputs: Any = line.inputs
        verification = (await graph.ainvoke(inputs))["verification"]
    except InputError as error:
        return str(error)
    assert verification["answer"] is not None
    correct: bool | None = verification["correct"]
    return correct
