"""Ends a command when the process that started it ends."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

POLL_S = 0.5


def started_to_outlive() -> bool:
    """Whether the parent started this process in the background (`&`, `nohup`, `setsid`) or as a service.

    Such a process has its own process group, or ignores the signals of its parent's terminal.
    """
    parent = os.getppid()
    try:
        own_group = parent <= 1 or os.getpgid(parent) != os.getpgrp()
    except OSError:  # the parent has ended, or belongs to another user
        return True
    return own_group or any(signal.getsignal(sign) is signal.SIG_IGN for sign in (signal.SIGINT, signal.SIGHUP))


@contextmanager
def ended_with_parent() -> Iterator[None]:
    """Terminate this process when its parent ends."""
    parent, done = os.getppid(), threading.Event()

    def watch() -> None:
        while not done.wait(POLL_S):
            if os.getppid() != parent:
                os.kill(os.getpid(), signal.SIGTERM)
                return

    thread = threading.Thread(target=watch, name="egrm-parent", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
