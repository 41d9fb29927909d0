"""Runs `egrm` in child processes that start in milliseconds, so a test can kill dozens of them."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from multiprocessing.process import BaseProcess
from pathlib import Path

context = multiprocessing.get_context("forkserver")
context.set_forkserver_preload(["tests.cli.killed_imports"])


def start(arguments: Sequence[object], log: Path) -> BaseProcess:
    """Start `egrm` with these arguments, forked from a process that has only imported everything."""
    process = context.Process(target=_egrm, args=([str(argument) for argument in arguments], str(log)), daemon=True)
    process.start()
    return process


async def ended(process: BaseProcess, timeout_s: float) -> int | None:
    """Wait for the exit status, which is negative for a signal; None if the process still runs after the time-out."""
    with suppress(TimeoutError):
        async with asyncio.timeout(timeout_s):
            while process.exitcode is None:
                await asyncio.sleep(0.002)
    return process.exitcode


def _egrm(arguments: list[str], log: str) -> None:
    from egrm_graph.cli import main

    with open(log, "ab", 0) as out:  # noqa: PTH123
        os.dup2(out.fileno(), 1)
        os.dup2(out.fileno(), 2)
    for name in [name for name in os.environ if name.startswith("EGRM_")]:
        del os.environ[name]
    sys.argv = ["egrm", *arguments]
    main()
