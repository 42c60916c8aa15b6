"""What stands at every door: a value is checked where it is given, and a wrong one is told in one sentence."""

import difflib
import os
import reprlib
from collections.abc import Callable, Iterable
from os import PathLike, fspath
from pathlib import Path
from typing import Any, TypeAlias

__all__ = [
    "LARGEST",
    "AnyPath",
    "Told",
    "checked_call",
    "checked_file",
    "checked_flag",
    "checked_path",
    "checked_seconds",
    "checked_whole",
    "nearly",
    "shown",
    "wrong_type",
]

LARGEST = 2**63 - 1  # of whole numbers, the largest that a log keeps
AnyPath: TypeAlias = str | PathLike[str]
"""The path of a file or folder: a text, a `pathlib.Path`, or a log as ``intercom.log`` names it."""

_LONGEST_NAME = 255  # bytes of a file's name, as most file systems have it
_ALIKE = 0.8  # of 1: so much alike is a slip of the pen

_short = reprlib.Repr()
_short.maxstring = _short.maxother = 100


def shown(value: object) -> str:
    """Return a value as a sentence repeats it: cut where nobody would read on.

    Examples
    --------
    >>> shown("tem"), len(shown("x" * 1_000_000))
    ("'tem'", 100)
    """
    return _short.repr(value)


def wrong_type(what: str, value: object, right: str) -> TypeError:
    """Return the error that says what a value should be."""
    return TypeError(f"{what}={shown(value)}: it should be {right}")


def checked_flag(value: object, what: str) -> bool:
    """Return a yes or no.

    Raises
    ------
    TypeError
        If it is neither True nor False.
    """
    if not isinstance(value, bool):
        raise wrong_type(what, value, "True or False")
    return value


def checked_whole(value: object, what: str, *, least: int = 1) -> int:
    """Return a whole number that is not too small.

    Raises
    ------
    TypeError, ValueError
        If it is no whole number, or less than `least`.
    """
    if isinstance(value, bool) or not isinstance(value, int):
        raise wrong_type(what, value, f"a whole number of {least} or more")
    if value < least:
        raise ValueError(f"{what}={value!r}: it should be {least} or more")
    return value


def checked_seconds(value: object, what: str, *, of: str = "seconds") -> float:
    """Return a number of seconds, 0 or more.

    Raises
    ------
    TypeError, ValueError
        If it is no number, or none that a clock could show.
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise wrong_type(what, value, f"a number of {of}, 0 or more")
    if not value >= 0:  # neither is NaN
        raise ValueError(f"{what}={value!r}: it should be a number of {of}, 0 or more")
    return value


def checked_call(value: object, what: str, right: str) -> Callable[..., Any]:
    """Return a function.

    Raises
    ------
    TypeError
        If it cannot be called.
    """
    if not callable(value):
        raise wrong_type(what, value, right)
    found: Callable[..., Any] = value
    return found


def checked_path(value: object, what: str, right: str = "the path of a file or folder") -> Path:
    """Return a path that a file or folder can have.

    Raises
    ------
    TypeError, ValueError
        If it is neither a str nor a Path, or nothing can be there.
    """
    if not isinstance(value, str | PathLike):
        raise wrong_type(what, value, right)
    text = fspath(value)
    if not isinstance(text, str):
        raise wrong_type(what, value, right)  # a path of bytes
    if isinstance(value, str) and not text.strip():
        raise ValueError(f"{what}={value!r}: it is empty; it should be {right}")
    if "\0" in text:
        raise ValueError(f"{what}={shown(text)}: no path has a null character in it; it should be {right}")
    if (longest := _longest_name(text)) is None:
        raise ValueError(f"{what}={ascii(text)[:100]}: it holds half a character (a lone surrogate), which no path can")
    if longest > _LONGEST_NAME:
        raise ValueError(
            f"{what}={shown(text)}: a name in it has {longest:,} bytes; right would be {_LONGEST_NAME} at most"
        )
    return Path(text)


def checked_file(value: object, what: str) -> Path:
    """Return the path of a file to write.

    Raises
    ------
    TypeError, ValueError
        If it is no path, or a folder is there.
    """
    path = checked_path(value, what, "the path of a file to write")
    if path.is_dir():
        raise ValueError(f"{what}={shown(str(path))}: that is a folder; it should be the path of a file to write")
    return path


def _longest_name(path: str) -> int | None:
    """Return the bytes of the longest name in a path; None if it cannot be written as bytes."""
    try:
        return max((len(os.fsencode(part)) for part in Path(path).parts), default=0)
    except UnicodeError:
        return None


class Told:
    """What tells that an attribute cannot be set, and that there is none of a name that looks like another's.

    Whatever begins with an underscore is the object's own business.
    """

    def __setattr__(self, name: str, value: object) -> None:
        """Set an attribute, if it is one that can be.

        Raises
        ------
        TypeError
            If it is not.
        """
        if not name.startswith("_"):
            _check_settable(type(self), name)
        object.__setattr__(self, name, value)


def _check_settable(kind: type, name: str) -> None:
    found = getattr(kind, name, None)
    settable = [known for known in dir(kind) if isinstance(one := getattr(kind, known, None), property) and one.fset]
    if isinstance(found, property) and found.fset is None:
        right = f"what can be set: {', '.join(settable)}" if settable else "it is made with it"
        raise TypeError(f"{kind.__name__}.{name} cannot be changed; {right}")
    if found is None and (near := nearly(name, (known for known in dir(kind) if known[0] != "_"))):
        raise TypeError(f"{kind.__name__} has no {name!r} to set; did you mean {near!r}?")


def nearly(written: str, known: Iterable[str]) -> str:
    """Return the name that was surely meant; empty if there is none.

    Examples
    --------
    >>> nearly("tem", ["everyone", "team"]), nearly("studio", ["everyone", "team"])
    ('team', '')
    """
    return next(iter(difflib.get_close_matches(written, list(known), 1, _ALIKE)), "")
