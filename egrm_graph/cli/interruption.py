"""Ends an interrupted command with an exit status and without a traceback."""

from __future__ import annotations

import functools
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NoReturn, ParamSpec

import typer

INTERRUPTED = 130

_Params = ParamSpec("_Params")


def interruptible(command: Callable[_Params, None]) -> Callable[_Params, None]:
    """Make a command exit with `INTERRUPTED` after an interruption."""

    @functools.wraps(command)
    def call(*args: _Params.args, **kwargs: _Params.kwargs) -> None:
        try:
            command(*args, **kwargs)
        except KeyboardInterrupt:
            raise typer.Exit(INTERRUPTED) from None

    return call


@contextmanager
def ended_like_interrupted() -> Iterator[None]:
    """Treat a signal that terminates the program or closes its terminal as an interruption, so it can clean up.

    A signal that the program ignores from the start, as after `nohup`, stays ignored.
    """

    def interrupt(*_: object) -> NoReturn:
        raise KeyboardInterrupt

    signs = [signal.SIGTERM, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else [])]
    handled = [sign for sign in signs if signal.getsignal(sign) is not signal.SIG_IGN]
    before = [(sign, signal.signal(sign, interrupt)) for sign in handled]
    try:
        yield
    finally:
        for sign, handler in before:
            signal.signal(sign, handler)
