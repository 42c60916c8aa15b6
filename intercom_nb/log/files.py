"""The files of a log: a fresh path, the lock, and a head that is whole."""

import contextlib
import itertools
import os
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from intercom_nb.errors import LogDamagedError, LogError, LogInUseError
from intercom_nb.log.times import now

if TYPE_CHECKING:
    import filelock

__all__ = ["check_head", "fresh", "locked", "schema_version"]

_WAL_HEADER = 32  # bytes; a write-ahead log of no more than that holds nothing
_OTHER_FOLDER = "set logs= or THREAD_LOGS_PATH to a folder you can write, or logs=None to keep the log in memory"


def locked(path: Path) -> "filelock.BaseFileLock":
    """Return the lock of a log, held.

    Raises
    ------
    LogInUseError
        If another service holds it.
    LogError
        If its folder cannot be written.
    """
    import filelock  # noqa: PLC0415 - it brings asyncio and every platform's locks; a log in memory needs none

    # A file of its own, and a hidden one, for it outlives the log's owner: to remove it could let two others in.
    lock = filelock.FileLock(path.with_name(f".{path.name}.lock"), thread_local=False)
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout:
        raise LogInUseError(path) from None
    except OSError as error:
        raise LogError(path, f"cannot be written ({error.strerror}); choose another folder") from None
    return lock


def fresh(folder: Path, name: str) -> "tuple[Path, filelock.BaseFileLock]":
    """Return the path of a new log, and its lock."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise LogError(folder, f"cannot be made ({error.strerror}); {_OTHER_FOLDER}") from None
    if not os.access(folder, os.W_OK | os.X_OK):
        raise LogError(folder, f"may not be written; {_OTHER_FOLDER}")
    stem = f"{now():%Y%m%d-%H%M%S}-{name}"
    for n in itertools.count(1):
        path = folder / (f"{stem}.db" if n == 1 else f"{stem}-{n}.db")
        with contextlib.suppress(LogInUseError):  # somebody else was first with this name
            lock = locked(path)
            if not path.exists():
                return path, lock
            lock.release()
    raise AssertionError  # the count does not end


def check_head(path: Path) -> None:
    """Check that a file is an SQLite file, and not shorter than it says it is."""
    with path.open("rb") as file:
        head = file.read(100)
    if not head.startswith(b"SQLite format 3\0"):
        raise LogDamagedError(path, "is no log of intercom_nb: it is not an SQLite file")
    wal = path.with_name(path.name + "-wal")
    if wal.is_file() and wal.stat().st_size > _WAL_HEADER:
        return  # the rest of it may be there, if a checkpoint was cut off; what is not, the next check finds
    page_bytes = int.from_bytes(head[16:18], "big")
    expected = int.from_bytes(head[28:32], "big") * (65_536 if page_bytes == 1 else page_bytes)
    size = path.stat().st_size
    if size < expected:
        raise LogDamagedError(path, f"was cut short: {size} of {expected} bytes; go back to a copy of it")


def schema_version(query: Callable[..., list[tuple[Any, ...]]]) -> int | None:
    """Return the schema of a log; None for a file that is something else."""
    if not query("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'meta'"):
        return None
    try:
        return int(dict(query("SELECT key, value FROM meta"))["schema"])
    except (KeyError, ValueError, TypeError, sqlite3.OperationalError):
        return None
