"""A process group that ends when this process ends, for whatever reason."""

from __future__ import annotations

import os
import signal
import subprocess
from contextlib import suppress

from egrm_graph.runtime.forking import call_in_children

_SCRIPT = "trap '' TERM; read -r _; kill -TERM 0; sleep 2; kill -KILL 0"
"""Waits for the end of its input, then ends its own process group.

Nobody writes to the input. The operating system closes it when the last process that holds the other end has ended."""


class ProcessGroupGuard:
    """Leads a new process group. Start processes with `process_group=guard.group` to add them to it.

    Only this process holds the guard. A forked child neither keeps the group alive nor ends it.
    """

    def __init__(self) -> None:
        ending, self._lifeline = os.pipe()
        null = subprocess.DEVNULL
        self._process = subprocess.Popen(["sh", "-c", _SCRIPT], stdin=ending, stdout=null, stderr=null, process_group=0)
        os.close(ending)
        self.held = True
        call_in_children(self._release)

    @property
    def group(self) -> int:
        return self._process.pid

    def kill(self) -> None:
        """Kills the group at once. Does nothing in a forked child, or the second time."""
        if self.held:
            with suppress(ProcessLookupError):
                os.killpg(self.group, signal.SIGKILL)
            self._process.wait()
            self._release()

    def _release(self) -> None:
        if self.held:
            self.held = False
            os.close(self._lifeline)
