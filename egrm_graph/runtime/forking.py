"""What a forked child has to replace.

A fork copies locks, queues, and event loops, but not the threads that serve them: whoever waits for one waits forever.
So an object that owns such things registers a method that replaces them, which runs in the child before anything else.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from functools import cache
from weakref import WeakMethod

from egrm_graph.errors import SetupError

_methods: dict[int, WeakMethod[Callable[[], None]]] = {}
"""By the reference's id, oldest first."""


def call_in_children(method: Callable[[], None]) -> None:
    """Calls the bound method in every child that this process forks, as long as its object lives.

    The methods run in the order in which they were registered.
    """
    _hook()
    reference = WeakMethod(method, lambda dead: _methods.pop(id(dead), None))
    _methods[id(reference)] = reference


def limit_torch_threads() -> None:
    """Lets torch compute without OpenMP's threads, which are gone in a child, and which it would wait for."""
    if (torch := sys.modules.get("torch")) is not None:
        torch.set_num_threads(1)


def cannot_fork(name: str, device_type: str) -> SetupError:
    """The error of a model on a device that a forked child cannot use."""
    return SetupError(
        f"{name} is on {device_type!r}, which a forked process cannot use; start processes with the `spawn` method, or "
        "load the model only after the fork"
    )


@cache
def _hook() -> None:
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=_call_all)


def _call_all() -> None:
    for reference in list(_methods.values()):
        if (method := reference()) is not None:
            method()
