"""What an interrupted command leaves: its exit status, and no traceback."""

from __future__ import annotations

import functools
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NoReturn, ParamSpec

import typer

INTERRUPTED = 130

Given = ParamSpec("Given")


def interruptible(command: Callable[Given, None]) -> Callable[Given, None]:
    """The command, ending by `INTERRUPTED` where it is interrupted."""

    @functools.wraps(command)
    def call(*args: Given.args, **kwargs: Given.kwargs) -> None:
        try:
            command(*args, **kwargs)
        except KeyboardInterrupt:
            raise typer.Exit(INTERRUPTED) from None

    return call


@contextmanager
def ended_like_interrupted() -> Iterator[None]:
    """Lets the signals that end a program, or close its terminal, interrupt it, so that it can clean up.

    A signal that the program was started to ignore, as `nohup` does, stays ignored.
    """

    def interrupt(*_: object) -> NoReturn:
        raise KeyboardInterrupt

    signs = [signal.SIGTERM, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else [])]
    heeded = [sign for sign in signs if signal.getsignal(sign) is not signal.SIG_IGN]
    before = [(sign, signal.signal(sign, interrupt)) for sign in heeded]
    try:
        yield
    finally:
        for sign, handler in before:
            signal.signal(sign, handler)
