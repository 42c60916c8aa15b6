"""The fingerprint of a request, as a chain: of the one before, what joined the conversation since, and the rest.

Two requests have one fingerprint if model, settings, instructions, tools and every item before were the same. It costs
the hash of what is new, however long the conversation is, and any reader of the log can work it out again.
"""

import hashlib
from collections.abc import Iterable

__all__ = ["Chain"]

_BYTES = 8


class Chain:
    """What the fingerprint of an agent's next request is made of so far. It does not change: what joins makes another.

    Parameters
    ----------
    last : str
        The fingerprint of its last request; empty before the first.

    Examples
    --------
    >>> chain = Chain().joined_by(['{"role": "user", "content": "Hi"}'])
    >>> first = chain.of("gpt-5-mini")
    >>> first == chain.of("gpt-5-mini"), first == chain.of("another model")
    (True, False)
    """

    __slots__ = ("_hash",)

    def __init__(self, last: str = "") -> None:
        self._hash = hashlib.blake2b(last.encode(), digest_size=_BYTES)

    def joined_by(self, texts: Iterable[str]) -> "Chain":
        """Return the chain of a next request that has these texts besides."""
        joined = Chain.__new__(Chain)
        made = joined._hash = self._hash.copy()  # noqa: SLF001 - one of its own kind
        for text in texts:
            made.update(text.encode("utf-8", "replace"))
            made.update(b"\n")
        return joined

    def of(self, conditions: str) -> str:
        """Return the fingerprint of the next request, made under these conditions."""
        made = self._hash.copy()
        made.update(conditions.encode("utf-8", "replace"))
        return made.hexdigest()
