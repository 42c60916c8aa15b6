"""The fingerprint of a request, as a chain: of the one before, what joined the conversation since, and the rest.

Two requests have one fingerprint if model, settings, instructions, tools and every item before were the same. It costs
the hash of what is new, however long the conversation is, and any reader of the log can work it out again.
"""

import hashlib
from collections.abc import Iterable

__all__ = ["Chain"]

_BYTES = 8


class Chain:
    """The fingerprints of one agent's requests.

    Parameters
    ----------
    last : str
        The fingerprint of its last request; empty before the first.

    Examples
    --------
    >>> chain = Chain()
    >>> chain.add(['{"role": "user", "content": "Hi"}'])
    >>> first = chain.of("gpt-5-mini")
    >>> first == chain.of("gpt-5-mini"), first == chain.of("another model")
    (True, False)
    """

    __slots__ = ("_hash",)

    def __init__(self, last: str = "") -> None:
        self._hash = hashlib.blake2b(last.encode(), digest_size=_BYTES)

    def add(self, texts: Iterable[str]) -> None:
        """Let the next request have these texts besides."""
        for text in texts:
            self._hash.update(text.encode("utf-8", "replace"))
            self._hash.update(b"\n")

    def of(self, conditions: str) -> str:
        """Return the fingerprint of the next request, made under these conditions."""
        made = self._hash.copy()
        made.update(conditions.encode("utf-8", "replace"))
        return made.hexdigest()

    def go_on(self, last: str) -> None:
        """Count a request as made: the next fingerprint goes on from this one."""
        self._hash = hashlib.blake2b(last.encode(), digest_size=_BYTES)
