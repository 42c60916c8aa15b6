"""The one place that touches the running notebook: notes, progress, and output kept out of people's cells."""

import contextlib
import itertools
import os
import sys
import time
import weakref
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, Protocol

__all__ = ["Progress", "claim_name", "is_watched", "keep_output_out_of_cells", "note", "put_out"]


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


def is_watched() -> bool:
    """Return whether somebody may be in front of the cell that runs; not so where a program runs a notebook.

    Who runs a notebook without a person (nbclient, papermill, nbconvert) can answer no question, and says so with
    every cell. Voila does so, too, and then shows what came out to somebody.
    """
    if not _in_notebook():
        return True
    parent: Mapping[str, Any] = getattr(_shell(), "get_parent", dict)() or {}
    answers = parent.get("content", {}).get("allow_stdin", True)
    return bool(answers) or any(name.startswith("VOILA_") for name in os.environ)


def put_out(data: Mapping[str, Any], display_id: str, *, anew: bool = False) -> None:
    """Put out data of several types below the cell that runs; or put it in the place of what has this name already."""
    from IPython.display import display

    display(dict(data), raw=True, display_id=display_id, update=anew)


def note(text: str) -> None:
    """Show one line to the person whose cell (or script) is running; called from that person's own thread only."""
    if _in_notebook():
        _display(text)
    elif sys.stderr is not None:  # it is None where a program has no terminal, as under pythonw
        sys.stderr.write(f"{text}\n")


class Service(Protocol):
    """What this module knows of a service."""

    @property
    def state(self) -> str:
        """``stopped`` once it has ended."""

    @property
    def log(self) -> object:
        """Its log."""

    def stop(self) -> None:
        """End it."""


class _Claim(NamedTuple):
    """Who has a name: the service, and the cell and the execution of it that made it."""

    service: "weakref.ref[Any]"
    wanted: str
    cell: str
    execution: int


@contextlib.contextmanager
def claim_name(wanted: str, service: Service) -> Iterator[str]:
    """Give the name that a new service can have, and remember the service under it once the block has made it.

    The service that the same cell made when it was run before is stopped, and says so; any other one that still runs
    keeps its name, and the new one gets a number: ``intercom-2``. Where no cell is known, nobody is stopped.
    """
    # Kept on sys: a module's own globals are emptied when %autoreload reloads the module.
    claims: dict[str, _Claim] = sys.__dict__.setdefault("_intercom_nb_services", {})
    cell, execution = _cell()
    replaced = [
        (name, old)
        for name, claim in list(claims.items())
        if cell and claim[1:3] == (wanted, cell) and claim[3] != execution and (old := _running(claim)) is not None
    ]
    free = wanted
    taken = {name for name, claim in claims.items() if _running(claim) is not None} - {name for name, _ in replaced}
    for n in itertools.count(2):
        if free not in taken:
            break
        free = f"{wanted}-{n}"
    yield free
    for name, old in replaced:
        old.stop()
        note(f"the service {name!r} of this cell was still running; it was stopped, and its log is {_where(old.log)}")
    claims[free] = _Claim(weakref.ref(service), wanted, cell, execution)


def _where(log: object) -> str:
    return "gone" if str(log) == "in memory" else str(log)


def _running(claim: _Claim) -> Any:
    found = claim[0]()
    return found if found is not None and found.state != "stopped" else None


def _cell() -> tuple[str, int]:
    """Return which cell is being run, and which execution it is; an empty text where none is known."""
    shell = _shell()
    if shell is None or not _in_notebook():
        return "", 0
    parent = getattr(shell, "parent_header", None) or {}
    known = parent.get("metadata", {}).get("cellId") if isinstance(parent, dict) else None
    inputs = shell.user_ns.get("In") or [""]
    return str(known or inputs[-1]), int(shell.execution_count)


class Progress:
    """One line that changes in place while somebody waits: below their cell, or on their terminal.

    Written to standard error, and only where a person looks at it; a pipe or a file stays clean.
    """

    _EVERY_S = 0.1

    def __init__(self, *, shown: bool = True) -> None:
        self._notebook = shown and _in_notebook()
        self._terminal = shown and not self._notebook and sys.stderr is not None and sys.stderr.isatty()
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
