"""An environment with `pip install egrm-graph` and nothing else, and programs that run in it."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent

ASK = """
from egrm_graph import Settings, build_graph

graph = build_graph(Settings(engine="vllm", base_url=({url!r},), model={model!r}, {others}))
verification = graph.invoke({{"question": {question!r}}})["verification"]
print(verification["answer"], verification["status"], verification["route"])
"""
BUILD = "from egrm_graph import Settings, build_graph; build_graph(Settings({}))"


def light_environment(folder: Path, python: str = sys.executable) -> Path:
    """The interpreter of a new environment in `folder`, with this package and its required dependencies.

    Raises:
        subprocess.CalledProcessError: uv cannot make it.
    """
    made = folder / "bin" / "python"
    uv = [sys.executable, "-m", "uv"]
    subprocess.run([*uv, "venv", "--quiet", "--python", python, folder], check=True)
    constraints: list[str | Path] = ["--constraint", ROOT / "constraints.txt"]
    subprocess.run([*uv, "pip", "install", "--quiet", "--python", made, *constraints, ROOT], check=True)
    return made


async def output(python: Path, code: str, *, fails: bool = False) -> str:
    """What a program prints there, or the last line of its error. It runs away from this repository."""
    process = await asyncio.create_subprocess_exec(
        python, "-I", "-W", "error", "-c", code, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, cwd="/"
    )
    out, err = await process.communicate()
    assert (process.returncode != 0) is fails, err.decode()
    return err.decode().strip().splitlines()[-1] if fails else out.decode().strip()
