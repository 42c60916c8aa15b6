"""Texts as vectors, from the same server as the model: what is near in meaning is found though no word is shared."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any

from intercom_nb.errors import ModelError

__all__ = ["Embeddings"]

_LONGEST = 8_000  # characters of a query; a server refuses what is much longer
_AT_ONCE = 256  # texts in one call
_NEAREST = 50  # agents that a query brings by meaning: everything is a little like everything

Embed = Callable[[Sequence[str]], Awaitable[list[list[float]]]]


class Embeddings:
    """Vectors of texts, asked for once each and kept in memory.

    Parameters
    ----------
    embed : callable
        Returns a vector for each of some texts; may raise ModelError.
    failed : callable
        Called with a sentence when it has raised; it is not asked again.
    """

    def __init__(self, embed: Embed, failed: Callable[[str], None]) -> None:
        self._embed = embed
        self._failed = failed
        self._vectors: dict[str, Any] = {}
        self._queries: dict[str, Any] = {}
        self._matrix: tuple[Sequence[str], int, list[int], Any] = ((), 0, [], None)
        self._asking = asyncio.Lock()
        self.works = True

    async def prepare(self, texts: Iterable[str], queries: Iterable[str]) -> None:
        """Ask for the vectors that are not known yet; a failure is told once, and is the end of it."""
        shortened = [query[:_LONGEST] for query in queries]
        async with self._asking:
            for wanted, known in ((texts, self._vectors), (shortened, self._queries)):
                missing = [text for text in dict.fromkeys(wanted) if text not in known]
                for start in range(0, len(missing), _AT_ONCE):
                    if not self.works:
                        return
                    try:
                        known.update(await self._vectors_of(missing[start : start + _AT_ONCE]))
                    except (ModelError, ValueError, TypeError) as error:
                        self.works = False
                        self._failed(f"search goes by words alone from now on: {error}")

    async def _vectors_of(self, texts: Sequence[str]) -> dict[str, Any]:
        import numpy as np  # noqa: PLC0415 - only services with embeddings need it

        found = np.asarray(await self._embed(texts), dtype=np.float32)
        if found.ndim != 2 or len(found) != len(texts):  # noqa: PLR2004 - texts × numbers
            raise ModelError("the server did not return one vector for each text")
        found /= np.linalg.norm(found, axis=1, keepdims=True) + 1e-12
        return dict(zip(texts, found, strict=True))

    def nearest(self, query: str, texts: Sequence[str]) -> list[int] | None:
        """Return the places of the texts nearest to a query, nearest first; None where a vector is not known."""
        import numpy as np  # noqa: PLC0415 - only services with embeddings need it

        asked = self._queries.get(query[:_LONGEST])
        if asked is None or not texts:
            return None
        if self._matrix[0] is not texts or self._matrix[1] != len(self._vectors):
            known = [n for n, text in enumerate(texts) if getattr(self._vectors.get(text), "shape", 0) == asked.shape]
            vectors = np.stack([self._vectors[texts[n]] for n in known]) if known else None
            self._matrix = texts, len(self._vectors), known, vectors
        _, _, places, matrix = self._matrix
        if matrix is None or matrix.shape[1:] != asked.shape:
            return None
        nearness = np.einsum(
            "ij,j->i", matrix, asked
        )  # not `@`: that wakes threads, which cost more than they save here
        return [places[n] for n in np.argsort(-nearness, kind="stable")[:_NEAREST]]
