"""Whether a log's file is still there: what is written into a file that is gone is acknowledged to nobody.

SQLite goes on writing into a file that was deleted, moved or replaced, for it holds it open. So before each commit the
names are looked at: they must lead to the very files that were opened, and those must not have become shorter.
"""

import os
from pathlib import Path

from intercom_nb.errors import LogError

__all__ = ["Presence"]

_GONE = "was deleted, moved or replaced while it was written"
_SHORTER = "was cut short while it was written"
_NO_MORE = "nothing more is accepted; what was said before may be in a copy"


class Presence:
    """Knows the files of a log that is being written: itself, its write-ahead file, and its lock.

    Parameters
    ----------
    path : Path
        The log, open in WAL mode.
    lock : str or None
        Path of the file whose lock says that the log is ours.
    """

    def __init__(self, path: Path, lock: str | None) -> None:
        self._path = path
        # Texts, not Paths, and no file of it is ever opened here: closing one would drop SQLite's own locks.
        self._log, self._wal, self._lock = str(path), f"{path}-wal", lock
        self._files: dict[str, tuple[int, int]] = {}
        self._sizes: dict[str, int] = {}
        self._changed = 0  # when the log itself was
        self._is_emptied = False

    def check(self) -> None:
        """Check that all of them are there, as they were when they were first seen.

        Raises
        ------
        LogError
            If one is not.
        """
        self._check(self._log, "its file")
        self._check(self._wal, "its write-ahead file")
        if self._lock is not None:
            self._check(self._lock, "its lock")

    def _check(self, name: str, what: str) -> None:
        try:
            found = os.stat(name)  # noqa: PTH116 - before each commit: a Path would cost more than the call
        except OSError:
            if name == self._wal and name not in self._files:
                return  # the first commit makes it
            raise self._fault(what, _GONE) from None
        if self._files.setdefault(name, (found.st_dev, found.st_ino)) != (found.st_dev, found.st_ino):
            raise self._fault(what, _GONE)
        if name == self._log:
            # Another program's checkpoint may move all of the write-ahead file into the log, and empty it.
            self._is_emptied, self._changed = found.st_mtime_ns != self._changed, found.st_mtime_ns
        if found.st_size < self._sizes.get(name, 0) and not (name == self._wal and self._is_emptied):
            raise self._fault(what, _SHORTER)
        self._sizes[name] = found.st_size

    def _fault(self, what: str, fault: str) -> LogError:
        return LogError(self._path, f"{what} {fault}; {_NO_MORE}")
