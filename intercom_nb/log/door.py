"""The one door to a log's file: what every reader checks of it before it believes a word.

A log may come from a stranger. Its tables and indexes must be ours, word for word: a view in the place of a table could
go on for ever, and a trigger could change what is written. Values are looked at when they are read; one that cannot be
is damage.
"""

import errno
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from intercom_nb.errors import InvalidNameError, LogDamagedError, LogError, NewerLogError
from intercom_nb.log.files import TOO_MANY_FILES
from intercom_nb.log.schema import SCHEMA, VERSION

__all__ = ["LAST_PLACE", "as_damage", "check_schema", "distrustful", "has_too_many_files", "unopened"]

LAST_PLACE = 2**53
"""No log gets so far: its counter would end soon, and numbers above are no longer exact everywhere."""

_EVERYTHING = "SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY type, name"
# What a value that cannot be comes to where it is read.
_WRONG = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError, sqlite3.Error)
_KIND = 0xFF  # of SQLite's error codes: what stands above it says more of the same
_NEEDED = 8  # descriptors, of a log, what lies beside it, and its folder
_NOT_OPENED = (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM)
_EFFECTIVE = os.access in os.supports_effective_ids
_SHOWN = 200  # characters of what a reader met
_Everything = tuple[tuple[Any, ...], ...]


def distrustful(connection: sqlite3.Connection) -> sqlite3.Connection:
    """Return a connection that runs no function which a log's schema may call."""
    connection.execute("PRAGMA trusted_schema = OFF")
    return connection


def check_schema(path: Path | None, query: Callable[..., list[tuple[Any, ...]]]) -> None:
    """Check that a database has the tables and indexes of a log that this version reads, and nothing else.

    Raises
    ------
    LogDamagedError
        If it is no log, or holds something else besides.
    NewerLogError
        If a later version of this package wrote it.
    LogError
        If it was written before the first release.
    """
    found = tuple((kind, name, table, _plain(sql)) for kind, name, table, sql in query(_EVERYTHING))
    version = _version(found, query)
    if version is None:
        raise LogDamagedError(path, "is no log of intercom_nb, or none of its transactions is whole")
    if version > VERSION:
        raise NewerLogError(path or Path("log"), version, VERSION)
    if version < VERSION:
        if not any(row[:2] == ("table", "deliveries") for row in found):
            raise LogDamagedError(path, "is no log of intercom_nb")
        told = f"was written before the first release (schema {version}); this version reads schema {VERSION}"
        raise LogError(path, f"{told}, so its run is to be made anew")
    ours = _ours()
    if found == ours:
        return
    if strange := [f"the {row[0]} {row[1]}" for row in found if row not in ours]:
        raise LogDamagedError(path, f"holds what no log does ({_cut(strange[0])}), so nothing in it is believed")
    raise LogDamagedError(path, "lacks some of the tables or indexes of a log; go back to a copy of it")


def unopened(path: Path, error: Exception) -> LogError | None:
    """Return the error that says why a log could not be opened, in one sentence; None if it is at fault itself.

    Parameters
    ----------
    path : Path
        The log.
    error : Exception
        What SQLite or the system said.
    """
    if isinstance(error, sqlite3.Error):
        if getattr(error, "sqlite_errorcode", 0) & _KIND not in _NOT_OPENED:
            return None
    elif not isinstance(error, OSError) or isinstance(error, LogError):
        return None
    return LogError(path, _why_unopened(path, error))


def _why_unopened(path: Path, error: Exception) -> str:
    if has_too_many_files():
        return TOO_MANY_FILES
    if not path.parent.is_dir():
        return "cannot be opened: its folder is not there"
    if path.exists() and not os.access(path, os.R_OK, effective_ids=_EFFECTIVE):
        return "may not be read by you; ask whoever owns it for a copy"
    if path.with_name(f"{path.name}-wal").exists():
        return (
            "was not closed, and may be read only in a folder that you can write; copy it together with its -wal, the "
            "file beside it, into one"
        )
    if path.exists() and not os.access(path, os.W_OK, effective_ids=_EFFECTIVE):
        return "may not be written by you; Dashboard(path) and frames read it, and a copy of it can go on"
    return f"cannot be opened ({error}); copy it into a folder that you can write"


def has_too_many_files() -> bool:
    """Return whether this process can open hardly any file more."""
    found: list[int] = []
    try:
        for _ in range(_NEEDED):  # more than one: what failed has let go of its own
            found.append(os.open(os.devnull, os.O_RDONLY))  # noqa: PERF401 - those opened before a fault are known
    except OSError as error:
        return error.errno in (errno.EMFILE, errno.ENFILE)
    finally:
        for one in found:
            os.close(one)
    return False


@contextmanager
def as_damage(path: Path | None) -> Iterator[None]:
    """Turn what a value that cannot be comes to, while a log is read, into one sentence.

    Raises
    ------
    LogDamagedError
        If a value in the log is not what it should be.
    """
    try:
        yield
    except LogError:
        raise
    except (*_WRONG, InvalidNameError) as error:
        if path is not None and (said := unopened(path, error)) is not None:
            raise said from None
        told = _cut(" ".join(str(error).split()) or type(error).__name__)
        raise LogDamagedError(path, f"holds a value that cannot be ({told}); go back to a copy of it") from None


def _version(found: _Everything, query: Callable[..., list[tuple[Any, ...]]]) -> int | None:
    # Only of a plain table: a view in its place could go on for ever.
    sql = next((row[3] for row in found if row[:2] == ("table", "meta")), "")
    if not sql.startswith("CREATE TABLE meta (") or " AS " in sql.upper():
        return None
    try:
        return int(dict(query("SELECT key, value FROM meta LIMIT 1000"))["schema"])
    except (KeyError, ValueError, TypeError, sqlite3.OperationalError):
        return None


@cache
def _ours() -> _Everything:
    with closing(sqlite3.connect(":memory:")) as empty:
        empty.executescript(SCHEMA)
        rows = empty.execute(_EVERYTHING).fetchall()
    return tuple((kind, name, table, _plain(sql)) for kind, name, table, sql in rows)


def _plain(sql: object) -> str:
    return " ".join(str(sql or "").split())


def _cut(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
