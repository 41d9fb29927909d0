"""Run a command that may report where its runs were recorded."""

from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from rich.console import Console

from egrm_graph import Settings, build_graph
from egrm_graph.cli.model_loading import recorded
from egrm_graph.clients.scripted import ScriptedClient
from egrm_graph.errors import EgrmError
from egrm_graph.tracing.store_reading import runs


async def outcome(given: dict[str, Any]) -> Any:
    """Return the text on standard error, and the number of runs in the store."""
    with TemporaryDirectory() as folder:
        store = Path(folder) / given.get("store", "runs.db")
        settings = Settings(task="arithmetic", trace_store=store, **given["settings"])
        err = StringIO()
        with recorded(settings, Console(file=err)) as recorder:
            graph = build_graph(settings, client=ScriptedClient(fast=["56"] * 5), scorer=None, store=recorder)
            for question in given["questions"]:
                try:
                    await graph.ainvoke({"question": question})
                except EgrmError as error:
                    err.write(f"{type(error).__name__}\n")
        return {
            "said": err.getvalue().replace(folder, "FOLDER").splitlines(),
            "runs": len(list(runs(store))) if store.exists() else None,
        }
