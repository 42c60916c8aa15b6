"""Processes that were forked: the threads, locks and connections of a service are its parent's, and stay there.

A child has a copy of the memory, but none of the threads that run the agents and write the log: whoever waited for them
would wait for ever. And what it let go of, a connection of SQLite or of a server, would be its parent's loss.
"""

import os
from functools import cache
from typing import Protocol
from weakref import WeakSet

__all__ = ["tell_children"]


class Forked(Protocol):
    """What hears of it, in the child, that its process was forked."""

    def be_elsewhere(self) -> None:
        """Do nothing any more, and let nothing go."""


_LIVE: WeakSet[Forked] = WeakSet()


def tell_children(one: Forked) -> None:
    """Let it hear in every child that is forked from here on."""
    _register()
    _LIVE.add(one)


@cache
def _register() -> None:
    if hasattr(os, "register_at_fork"):  # else there are no forks
        os.register_at_fork(after_in_child=_tell)


def _tell() -> None:
    import ctypes  # noqa: PLC0415 - a child alone needs it

    for one in list(_LIVE):
        # For ever: as it ends, the child clears away what nobody holds, and would close what its parent has open.
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(one))
        one.be_elsewhere()
