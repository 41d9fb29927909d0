"""Replaces what a forked child cannot use.

A fork copies locks, queues, and event loops, but not the threads that serve them, so waiting for one never ends. An
object that owns such things registers a method that replaces them. It runs in the child before anything else.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from functools import cache
from typing import Any
from weakref import ref

from egrm_graph.errors import SetupError

_Methods = dict[int, tuple[ref[Any], Callable[[Any], None]]]

_methods: _Methods = {}
"""Objects and their methods, by the reference's id, oldest first."""


def call_in_children(method: Callable[[], None]) -> None:
    """Calls the bound method in every child that this process forks, while its object is alive.

    Methods run in the order of their registration.
    """
    _hook()

    def forget(dead: ref[Any], methods: _Methods = _methods) -> None:
        methods.pop(id(dead), None)

    bound: Any = method
    # Not a WeakMethod: its callback fails if the object and its class die together, as they do when a program ends.
    owner = ref(bound.__self__, forget)
    _methods[id(owner)] = owner, bound.__func__


def limit_torch_threads() -> None:
    """Makes torch compute without OpenMP's threads. They do not exist in a child, but torch would wait for them."""
    if (torch := sys.modules.get("torch")) is not None:
        torch.set_num_threads(1)


def cannot_fork(name: str, device_type: str) -> SetupError:
    """The error for a model on a device that a forked child cannot use."""
    return SetupError(
        f"{name} is on {device_type!r}, which a forked process cannot use; start processes with the `spawn` method, or "
        "load the model only after the fork"
    )


@cache
def _hook() -> None:
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=_call_all)


def _call_all() -> None:
    for owner, function in list(_methods.values()):
        if (alive := owner()) is not None:
            function(alive)
