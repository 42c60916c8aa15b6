"""The files of a log: a fresh path, the lock, a head that is whole, and what a crash cut off."""

import contextlib
import errno
import itertools
import os
import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO
from urllib.parse import quote

from intercom_nb.errors import LogDamagedError, LogError, LogInUseError
from intercom_nb.log.times import now

if TYPE_CHECKING:
    import filelock

__all__ = [
    "TOO_MANY_FILES",
    "check_head",
    "fresh",
    "fresh_folder",
    "has_tail",
    "identity",
    "lacks_tail",
    "locked",
    "lost_bytes",
    "removed",
    "unlocked",
    "uri_of",
]

_WAL_HEADER, _FRAME_HEADER = 32, 24  # bytes; a write-ahead log of no more than the first holds nothing
_RESTARTS = 1 << 20  # of one write-ahead log: more than one ever sees; anything further off is damage
TOO_MANY_FILES = "cannot be opened: this process has too many open files; stop() services that you no longer use"
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
    lock = _lock_of(path)
    _acquire(lock, path)
    return lock


def _lock_of(path: Path) -> "filelock.BaseFileLock":
    import filelock  # noqa: PLC0415 - it brings asyncio and every platform's locks; a log in memory needs none

    # A file of its own, and a hidden one: it outlives an owner that is killed.
    return filelock.FileLock(path.with_name(f".{path.name}.lock"), thread_local=False)


def _acquire(lock: "filelock.BaseFileLock", path: Path) -> None:
    try:
        lock.acquire(timeout=0)
    except TimeoutError:
        raise LogInUseError(path) from None
    except OSError as error:
        if error.errno in (errno.EMFILE, errno.ENFILE):
            raise LogError(path, TOO_MANY_FILES) from None
        raise LogError(path, f"cannot be written ({error.strerror}); choose another folder") from None


def identity(file: Path | str) -> tuple[int, int] | None:
    """Return which file a name leads to; None if it leads to none."""
    try:
        found = Path(file).stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def unlocked(lock: "filelock.BaseFileLock", file: tuple[int, int] | None) -> None:
    """Let go of the lock of a log, and take its file away.

    It goes while the lock is held: whoever opened it meanwhile finds, once it has the lock, that no name leads to it,
    and begins anew.

    Parameters
    ----------
    lock : FileLock
        Held, or let go before.
    file : tuple of int
        Which file it was: one that was deleted meanwhile may be another's by now.
    """
    if lock.is_locked and identity(lock.lock_file) == file:
        with contextlib.suppress(OSError):  # Windows removes nothing that is open; the lock does it by itself there
            Path(lock.lock_file).unlink()
    lock.release()


def fresh_folder(folder: Path, name: str) -> Path:
    """Make a new folder for several logs that belong together, and return it.

    Raises
    ------
    LogError
        If it cannot be made.
    """
    stem = f"{now():%Y%m%d-%H%M%S}-{name}"
    for n in itertools.count(1):
        made = folder / (stem if n == 1 else f"{stem}-{n}")
        try:
            made.mkdir(parents=True)
        except FileExistsError:  # somebody else was first with this name
            continue
        except OSError as error:
            raise LogError(folder, f"cannot be made ({error.strerror}); {_OTHER_FOLDER}") from None
        return made
    raise AssertionError  # the count does not end


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
        lock = _lock_of(path)
        try:
            _acquire(lock, path)
            if not path.exists():
                return path, lock
            lock.release()
        except LogInUseError:
            continue  # somebody else was first with this name
        except BaseException:  # a keyboard interrupt in a cell
            if lock.is_locked and not path.exists():
                removed(path, lock)
            raise
    raise AssertionError  # the count does not end


def removed(path: Path, lock: "filelock.BaseFileLock") -> None:
    """Remove all files of a log that could not be made, its lock last, and let that go."""
    with contextlib.suppress(OSError):
        for ending in ("", "-journal", "-wal", "-shm"):
            path.with_name(path.name + ending).unlink(missing_ok=True)
        Path(lock.lock_file).unlink(missing_ok=True)  # whoever waits for one that is gone looks again
    lock.release(force=True)


def check_head(path: Path) -> None:
    """Check that a file is an SQLite file, and not shorter than it says it is."""
    with path.open("rb") as file:
        head = file.read(100)
    if not head.startswith(b"SQLite format 3\0"):
        raise LogDamagedError(path, "is no log of intercom_nb: it is not an SQLite file")
    if has_tail(path):
        return  # the rest of it may be there, if a checkpoint was cut off; what is not, the next check finds
    page_bytes = int.from_bytes(head[16:18], "big")
    expected = int.from_bytes(head[28:32], "big") * (65_536 if page_bytes == 1 else page_bytes)
    size = path.stat().st_size
    if size < expected:
        raise LogDamagedError(path, f"was cut short: {size} of {expected} bytes; go back to a copy of it")


def uri_of(path: Path) -> str:
    """Return the address by which SQLite opens a log for reading only."""
    return f"file:{quote(str(path))}?mode=ro"


def has_tail(path: Path) -> bool:
    """Return whether something stands in a log's write-ahead file: the log is open, or was never closed."""
    return _size(_wal(path)) > _WAL_HEADER


def lacks_tail(path: Path) -> bool:
    """Return whether a log was in use, as its head says, and has no write-ahead file: a copy that left it out."""
    with path.open("rb") as file:
        head = file.read(20)
    return head[18:20] == b"\2\2" and not _wal(path).exists()


def lost_bytes(path: Path, log: sqlite3.Connection) -> int:
    """Return how many bytes at the end of a log's write-ahead file belong to no whole transaction.

    SQLite silently drops them; a person should be told. What is whole is in the log itself afterwards.

    Parameters
    ----------
    path : Path
        The log; a write-ahead file beside it is looked at if there is one.
    log : sqlite3.Connection
        The same, open for writing.
    """
    wal = _wal(path)
    if not (size := _size(wal)):
        return 0
    ((_, n_whole, _),) = log.execute("PRAGMA wal_checkpoint(PASSIVE)")  # counts the frames of whole transactions
    ((page_bytes,),) = log.execute("PRAGMA page_size")
    frame = _FRAME_HEADER + page_bytes
    whole = _WAL_HEADER + n_whole * frame
    with wal.open("rb") as file:
        salts = _salts(file, 16)
        # What follows with older salts is left over from before the last checkpoint, and safely in the log itself.
        older = (at for at in range(whole, size - 15, frame) if _is_older(_salts(file, at + 8), salts))
        end = next(older, size)
    return end - whole if n_whole or end == whole else end


def _wal(path: Path) -> Path:
    return path.with_name(path.name + "-wal")


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


def _salts(file: BinaryIO, at: int) -> tuple[int, int]:
    file.seek(at)
    found = file.read(8).ljust(8, b"\0")
    return int.from_bytes(found[:4], "big"), int.from_bytes(found[4:], "big")


def _is_older(found: tuple[int, int], salts: tuple[int, int]) -> bool:
    # Each time the file is begun anew, the first salt grows by one and the second is drawn by lot.
    return 0 < (salts[0] - found[0]) & 0xFFFFFFFF < _RESTARTS and found[1] != salts[1]
