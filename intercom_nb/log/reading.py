"""One state of a log, read by the standard library."""

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, nullcontext
from os import PathLike
from pathlib import Path
from typing import Any, Protocol, TypeAlias

from intercom_nb.checks import AnyPath, checked_path, wrong_type
from intercom_nb.errors import LogDamagedError, LogError
from intercom_nb.log.door import as_damage, check_schema, distrustful, unopened
from intercom_nb.log.files import uri_of
from intercom_nb.log.store import Store

__all__ = [
    "ONE_AT_A_TIME",
    "HasStore",
    "Query",
    "check_readable",
    "connected",
    "in_memory",
    "path_of",
    "querying",
    "store_of",
]

_WAIT_S = 10  # for a log that is just being closed
ONE_AT_A_TIME = threading.RLock()  # so that whether a file is open here stays true while it is read
_REMEMBERED = 256  # files
_CHECKED: dict[Path, tuple[tuple[int, ...], ...]] = {}  # as they were found to be logs; used one at a time
Query: TypeAlias = Callable[..., list[tuple[Any, ...]]]


class HasStore(Protocol):
    """A service, as far as its log is concerned; what reads it asks `store_of`."""

    @property
    def _store(self) -> Store:
        """Its log."""


def in_memory(log: object) -> HasStore | None:
    """Return what was given, if it is a service that keeps its log in memory, or that log; None for one that is a file.

    Raises
    ------
    TypeError
        If it is neither a service nor a path.
    """
    found = getattr(log, "_store", None)
    if isinstance(found, Store):
        given: Any = log
        return given if found.path is None else None
    if not isinstance(log, str | PathLike):
        raise wrong_type("source", log, "a service, or the path of a log, as its .log names it")
    return None


def store_of(log: HasStore) -> Store:
    """Return the log of a service.

    Raises
    ------
    TypeError
        If it is no service.
    """
    found = getattr(log, "_store", None)  # the one door: a service's log is for readers, not for users
    if not isinstance(found, Store):
        raise wrong_type("source", log, "a service, or the path of a log, as its .log names it")
    return found


@contextmanager
def querying(log: HasStore | AnyPath, *, told: bool = True) -> Iterator[Query]:
    """Give a function that runs queries on one state of a log. Loads neither pandas nor pyarrow.

    Parameters
    ----------
    log : HasStore, str or Path
        A service, or the path of a log.
    told : bool, default True
        Whether whatever a value comes to that cannot be is told as damage. False where the block is given more than the
        log, and tells what was wrong with that itself.

    Raises
    ------
    LogError
        If there is no such log, or it cannot be read as one.
    """
    if (kept := in_memory(log)) is not None:
        with store_of(kept).reading() as query:
            yield query
        return
    path = path_of(log)
    with ONE_AT_A_TIME, as_damage(path) if told else nullcontext(), connected(path) as connection:
        if isinstance(log, str | PathLike):  # a service has checked its own
            _check_anew(path, connection)
        yield lambda sql, *parameters: connection.execute(sql, parameters).fetchall()


def path_of(log: HasStore | AnyPath) -> Path:
    """Return the file of a log.

    Raises
    ------
    LogError
        If it is not there.
    """
    path = (
        checked_path(log, "path", "a service, or the path of a log")
        if isinstance(log, str | PathLike)
        else Path(str(store_of(log).path))
    )
    if not path.is_file():
        raise LogError(path, "there is no such log; give a service, or the path that its .log names")
    return path


@contextmanager
def connected(path: Path) -> Iterator[sqlite3.Connection]:
    """Give a connection of the standard library, reading one state of a log."""
    try:
        connection = sqlite3.connect(uri_of(path), uri=True, isolation_level=None, timeout=_WAIT_S)
        with closing(distrustful(connection)):
            connection.execute("BEGIN")
            yield connection
    except sqlite3.Error as error:
        if (told := unopened(path, error)) is not None:
            raise told from None
        raise LogDamagedError(path, f"cannot be read as a log of intercom_nb ({error})") from None


def _check_anew(path: Path, connection: sqlite3.Connection) -> None:
    """Check what a file is, once for as long as it stays as it is: views of a log ask it often."""
    files = [file.stat() for file in (path, path.with_name(f"{path.name}-wal")) if file.exists()]
    state = tuple((file.st_dev, file.st_ino, file.st_size, file.st_mtime_ns) for file in files)
    if _CHECKED.get(path) != state:
        check_readable(path, connection)
        if len(_CHECKED) >= _REMEMBERED:
            _CHECKED.clear()
        _CHECKED[path] = state


def check_readable(path: Path, connection: sqlite3.Connection) -> None:
    """Check that a file is a whole log that this version reads.

    Raises
    ------
    LogError
        If it was written before the first release.
    LogDamagedError
        If it is no log, or cut short.
    NewerLogError
        If a later version of this package wrote it.
    """
    check_schema(path, lambda sql, *parameters: connection.execute(sql, parameters).fetchall())
    (pages,), (page_bytes,) = (connection.execute(f"PRAGMA page_{what}").fetchone() for what in ("count", "size"))
    size = path.stat().st_size
    # While it is being written, its newest pages may be in the file beside it.
    if size < pages * page_bytes and not path.with_name(path.name + "-wal").exists():
        raise LogDamagedError(path, f"was cut short: {size} of {pages * page_bytes} bytes; go back to a copy of it")
