"""The one place that touches the running notebook: notes, progress, and output kept out of people's cells."""

import contextlib
import sys
import time
import weakref
from pathlib import Path
from typing import Any, Protocol

__all__ = ["Progress", "keep_output_out_of_cells", "note", "replace_running"]


def keep_output_out_of_cells() -> None:
    """Make this thread's ``print`` and ``display`` appear in no cell (else they land in whichever one is running).

    Called at the start of each thread of ours. Only ipykernel ≥ 7 can be told; elsewhere nothing happens. A thread or
    a process that somebody's tool starts is out of reach.
    """
    for place in (sys.stdout, sys.stderr, getattr(_shell(), "display_pub", None)):
        pin = getattr(place, "set_thread_parent", None)
        if pin is not None:
            pin({"header": {}})


def _shell() -> Any:
    # Looked up rather than imported: a plain script need not load IPython to learn that it is absent.
    ipython = sys.modules.get("IPython")
    return ipython.get_ipython() if ipython is not None else None


def _in_notebook() -> bool:
    return hasattr(_shell(), "kernel")


def _display(text: str, display_id: str | None = None) -> Any:
    from IPython.display import display

    return display({"text/plain": text}, raw=True, display_id=display_id or False)


def note(text: str) -> None:
    """Show one line to the person whose cell (or script) is running; called from that person's own thread only."""
    if _in_notebook():
        _display(text)
    else:
        sys.stderr.write(f"{text}\n")


class Service(Protocol):
    """What this module knows of a service."""

    @property
    def state(self) -> str:
        """``stopped`` once it has ended."""

    @property
    def log(self) -> Path | None:
        """Its log."""

    def stop(self) -> None:
        """End it."""


def replace_running(name: str, service: Service) -> None:
    """Stop the service of this name that still runs in this process, say so, and remember this one instead.

    So running the cell that makes a service again leaves one service.
    """
    # Kept on sys: a module's own globals are emptied when %autoreload reloads the module.
    running: dict[str, weakref.ref[Service]] = sys.__dict__.setdefault("_intercom_nb_services", {})
    old = running[name]() if name in running else None
    running[name] = weakref.ref(service)
    if old is not None and old.state != "stopped":
        old.stop()
        note(f"the service {name!r} was still running here; it was stopped, and its log is {old.log or 'gone'}")


class Progress:
    """One line that changes in place while somebody waits: below their cell, or on their terminal.

    Written to standard error, and only where a person looks at it; a pipe or a file stays clean.
    """

    _EVERY_S = 0.1

    def __init__(self, *, shown: bool = True) -> None:
        self._notebook = shown and _in_notebook()
        self._terminal = shown and not self._notebook and sys.stderr.isatty()
        self._handle: Any = None
        self._shown = ""
        self._next = 0.0

    def show(self, text: str, *, last: bool = False) -> None:
        """Show `text` in place of the line before; at most ten a second, the last one always."""
        now = time.monotonic()
        if text == self._shown or (now < self._next and not last):
            return
        self._next = now + self._EVERY_S
        if self._notebook:
            if self._handle is None:
                self._handle = _display(text, display_id=f"intercom-{id(self)}-{time.monotonic_ns()}")
            else:
                self._handle.update({"text/plain": text}, raw=True)
        elif self._terminal:
            with contextlib.suppress(OSError):
                sys.stderr.write("\r\x1b[K" + text + ("\n" if last else ""))
                sys.stderr.flush()
        self._shown = text
