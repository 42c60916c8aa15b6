"""Fences: the marks on the first and last line of a message's frame, which its author cannot know.

A mark is a function of the log's own key, the author's id and the text: the same message has the same mark in a copy,
after a crash, for every member of a group, and when a log is played, whatever number the message has there.
"""

import functools
import hashlib
import itertools
import secrets

__all__ = ["FENCE", "Fences", "new_key"]

FENCE = "fence"
"""What the key is called in the log."""

_LETTERS = "abcdefghijkmnpqrstuvwxyz"  # without l and o, which pass for digits
_BYTES = 16
_TRIES = 4  # of one length
_LONG = 20_000  # characters: longer texts are not kept in memory for the sake of their marks


def new_key() -> str:
    """Return a random key for a new log."""
    return secrets.token_hex(_BYTES)


class Fences:
    """The marks of one log's messages.

    Parameters
    ----------
    key : str
        The log's.

    Examples
    --------
    >>> fences = Fences("0f")
    >>> mark = fences.mark("ann", "Hello")
    >>> len(mark), mark == fences.mark("ann", "Hello"), mark == fences.mark("bob", "Hello")
    (4, True, False)
    """

    __slots__ = ("_key",)

    def __init__(self, key: str) -> None:
        self._key = hashlib.blake2b(key.encode(), digest_size=_BYTES).digest()

    def mark(self, author_id: str, text: str) -> str:
        """Return a letter and three digits that do not stand in the text; more digits if it holds all of those.

        A letter is one token of any model, and up to three digits are one of OpenAI's.
        """
        mark = _mark if len(text) > _LONG else _known_mark
        return mark(self._key, author_id, text)


def _mark(key: bytes, author_id: str, text: str) -> str:
    said = hashlib.blake2b(f"{author_id}\n{text}".encode(), key=key, digest_size=_BYTES)
    for n in itertools.count():
        tried = said.copy()
        tried.update(f"\n{n}".encode())
        number, at = divmod(int.from_bytes(tried.digest()), len(_LETTERS))
        digits = 3 + n // _TRIES  # a text of n characters holds at most n of one length, so some length is free
        mark = f"{_LETTERS[at]}{number % 10**digits:0{digits}}"
        if mark not in text:
            return mark
    raise AssertionError  # pragma: no cover - counting has no end


_known_mark = functools.lru_cache(maxsize=64)(_mark)  # a message to a group is framed for each member
