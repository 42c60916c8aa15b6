"""Where thread logs lie: in a folder made for one log, marked as such, and nowhere else.

A log may come from a stranger, and the names in it choose the names of files. So nothing is written but into a folder
that was made for this very log, never through a link, and never over a file that is no thread log.
"""

import os
import re
import stat
import zlib
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

__all__ = ["ThreadLogFiles", "file_name", "folder_of"]

_UNSAFE = re.compile(r'[/\\:*?"<>|%\x00-\x1f]|^\.|^\.+$|[. ]$')
# Devices on Windows, whatever ending they are given.
_DEVICE = re.compile(r"(?:con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(?=\.|$)", re.IGNORECASE)
_LONGEST = 200  # bytes; file systems take 255
_MARK = ".intercom_nb"
_BEGINS = b"=" * 20  # of every thread log
_NEVER_THROUGH_A_LINK = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)


def folder_of(log: Path) -> Path:
    """Return the folder of a log's thread logs.

    Examples
    --------
    >>> folder_of(Path("logs/20260101-120000-demo.db")).name
    '20260101-120000-demo'
    """
    return log.with_suffix("") if log.suffix else log.with_name(f"{log.name}-threads")


def file_name(name: str) -> str:
    """Return a name as one that files and folders may have; two names that differ stay different.

    Examples
    --------
    >>> file_name("Founder"), file_name("a/b"), file_name("..")
    ('Founder', 'a%2Fb', '%2E%2E')
    >>> file_name(".bashrc"), file_name("NUL.txt")
    ('%2Ebashrc', '%4EUL.txt')
    """
    safe = _UNSAFE.sub(lambda found: "".join(f"%{ord(c):02X}" for c in found[0]), name)
    if _DEVICE.match(safe):
        safe = f"%{ord(safe[0]):02X}{safe[1:]}"
    data = safe.encode()
    if len(data) <= _LONGEST:
        return safe
    return f"{data[:_LONGEST].decode(errors='ignore')}~{zlib.crc32(data):08x}"


class ThreadLogFiles:
    """The files of one log's thread logs.

    Parameters
    ----------
    log : Path
        The log's file.
    log_id : str
        Its id: a folder that was made for another log of the same name is not this one's.
    """

    def __init__(self, log: Path, log_id: str) -> None:
        self.folder = folder_of(log)
        self._mark = f"thread logs of the log {log_id}, written by intercom_nb\n".encode()
        self._is_checked = False

    def write(self, name: str, data: bytes, *, anew: bool) -> None:
        """Write what an agent's file is to hold, or more of it.

        Parameters
        ----------
        name : str
            The agent's.
        data : bytes
            Whole entries.
        anew : bool
            Whether it replaces what the file held.

        Raises
        ------
        OSError
            If the folder is not this log's, the file is no thread log, or it cannot be written.
        """
        path = self._path(name)
        self._in_folder(partial(_write, path, data, anew=anew))

    def mend(self, name: str, portions: Iterable[bytes]) -> None:
        """Write an agent's file from the first place on at which it is not what these portions say.

        Raises
        ------
        OSError
            As `write`.
        """
        path = self._path(name)
        self._in_folder(partial(_mend, path, portions))

    def is_between(self, name: str, first: bytes, newest: bytes) -> bool:
        """Return whether an agent's file begins and ends thus; few items are both, and all of it."""
        path = self._path(name)
        try:
            if not self._is_checked:
                self._make()
            with os.fdopen(os.open(path, os.O_RDONLY | _NEVER_THROUGH_A_LINK), "rb") as file:
                _check(path, file.fileno())
                if file.read(len(first)) != first:
                    return False
                file.seek(-len(newest), os.SEEK_END)
                return file.read() == newest and (file.tell() > len(first) or first == newest)
        except OSError:  # not there, shorter, or no file of ours
            return False

    def _path(self, name: str) -> str:
        return str(self.folder / file_name(name))

    def _in_folder(self, write: Callable[[], None]) -> None:
        if not self._is_checked:
            self._make()
        try:
            write()
        except FileNotFoundError:  # no folder any more
            self._make()
            write()

    def _make(self) -> None:
        """Make the folder, or check that the one that is there was made for this log."""
        mark = self.folder / _MARK
        try:
            self.folder.mkdir(parents=True)
        except FileExistsError:
            if not stat.S_ISDIR(self.folder.lstat().st_mode):
                raise PermissionError(f"{self.folder} is a link or a file, and no folder of ours") from None
            if _head_of(mark) != self._mark:
                raise PermissionError(f"{self.folder} was not made for this log; move it away") from None
        else:
            with mark.open("xb") as file:
                file.write(self._mark)
        self._is_checked = True


def _head_of(mark: Path) -> bytes:
    try:
        with os.fdopen(os.open(mark, os.O_RDONLY | _NEVER_THROUGH_A_LINK), "rb") as file:
            return file.read(200) if stat.S_ISREG(os.fstat(file.fileno()).st_mode) else b""
    except OSError:
        return b""


def _write(path: str, data: bytes, *, anew: bool) -> None:
    # No Path: once for each step, it would cost as much as the write.
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | _NEVER_THROUGH_A_LINK, 0o666)
    try:
        _check(path, descriptor)
        if anew:
            os.ftruncate(descriptor, 0)
        while data:
            data = data[os.write(descriptor, data) :]
    finally:
        os.close(descriptor)


def _mend(path: str, portions: Iterable[bytes]) -> None:
    with os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | _NEVER_THROUGH_A_LINK, 0o666), "r+b") as file:
        _check(path, file.fileno())
        size, is_known = os.fstat(file.fileno()).st_size, True
        for data in portions:
            at = file.tell()
            if is_known and file.read(len(data)) != data:
                is_known = False
                file.seek(at)
                file.truncate()
            if not is_known:
                file.write(data)
        if file.tell() < size:
            file.truncate()


def _check(path: str, descriptor: int) -> None:
    found = os.fstat(descriptor)
    if not stat.S_ISREG(found.st_mode) or found.st_nlink != 1:
        raise PermissionError(f"{path} is no file of its own")
    if found.st_size and os.pread(descriptor, len(_BEGINS), 0) != _BEGINS:
        raise PermissionError(f"{path} is no thread log; move it away")
