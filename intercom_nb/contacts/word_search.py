"""Search over agents: by the words of their names, descriptions and missions, and by meaning where vectors are given.

The full-text index is SQLite's FTS5: stemmed words, ranked by BM25. It lives in memory and is told of every change.
"""

import sqlite3
from collections.abc import Iterable, Iterator
from itertools import islice

from intercom_nb.texts.english import FUNCTION_WORDS, WORD
from intercom_nb.texts.synonyms import senses, spelled

__all__ = ["AgentIndex", "fused", "may_begin", "telling_words"]

_MOST_WORDS = 32  # of a query: what is longer is a text, and its first words say what it is about
_SHORTEST_BEGINNING = 5  # letters
_TABLE = "CREATE VIRTUAL TABLE agents USING fts5(name, description, mission, about, aim, tokenize = 'porter unicode61')"
_BY_WORDS = (
    "SELECT key FROM agents JOIN keys ON agents.rowid = keys.number WHERE agents MATCH ? "
    "ORDER BY bm25(agents, 4.0, 2.0, 1.0, 1.0, 0.5), agents.rowid"
)
_AGREED = 60  # of reciprocal rank fusion: how little the very first places count for more
# Words that say that something is asked, and not what.
_ASKING = {
    "agent",
    "agents",
    "anything",
    "ask",
    "everything",
    "find",
    "help",
    "helps",
    "know",
    "knows",
    "look",
    "looking",
    "need",
    "needs",
    "tell",
    "want",
}


class AgentIndex:
    """The texts of agents, by the words in them. Used under the store's lock.

    Examples
    --------
    >>> index = AgentIndex()
    >>> index.put("ann", "Ann", "Takes photographs at weddings.")
    >>> index.put("bob", "Bob", "Bakes bread.")
    >>> list(index.search("a photographer"))
    ['ann']
    """

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}
        self._index = sqlite3.connect(":memory:", check_same_thread=False, isolation_level=None)
        self._index.execute(_TABLE)
        self._index.execute("CREATE TABLE keys (number INTEGER PRIMARY KEY, key TEXT NOT NULL)")

    def put(self, key: str, name: str, description: str, mission: str = "") -> None:
        """Enter an agent, or what it is now."""
        number = self._numbers.get(key)
        if number is None:
            number = self._numbers[key] = len(self._numbers) + 1
            self._index.execute("INSERT INTO keys VALUES (?, ?)", (number, key))
        else:
            self._index.execute("DELETE FROM agents WHERE rowid = ?", (number,))
        about, aim = (" ".join(senses(text)) for text in (f"{name} {description}", mission))
        texts = (*map(spelled, (name, description, mission)), about, aim)
        sql = "INSERT INTO agents (rowid, name, description, mission, about, aim) VALUES (?, ?, ?, ?, ?, ?)"
        self._index.execute(sql, (number, *texts))

    def search(self, query: str) -> Iterator[str]:
        """Yield the keys of agents that have something to do with a query, best first.

        Parameters
        ----------
        query : str
            Any text; nothing in it is taken for an operator.
        """
        words = telling_words(query)
        if words:
            match = f"{{name description mission}} : ({' OR '.join(term for word in words for term in _terms(word))})"
            if matters := senses(" ".join(words)):
                match += f" OR {{about aim}} : ({' OR '.join(matters)})"
            yield from (key for (key,) in self._index.execute(_BY_WORDS, (match,)))

    def close(self) -> None:
        """Let the index go; it is built from what is known elsewhere."""
        self._index.close()


def telling_words(query: str) -> list[str]:
    """Return the words that a query is about, each once, in lower case and one spelling.

    Examples
    --------
    >>> telling_words("Who can help us to paint the harbour?")
    ['paint', 'harbor']
    """
    given = list(dict.fromkeys(WORD.findall(spelled(query[:20_000]))))
    telling = [word for word in given if word not in FUNCTION_WORDS]
    about = [word for word in telling if word not in _ASKING]
    return list(islice(about or telling or given, _MOST_WORDS))


def may_begin(word: str) -> bool:
    """Return whether a word may also be the beginning of another one: "photo", not "car" or a number."""
    return len(word) >= _SHORTEST_BEGINNING and word.isalpha()


def _terms(word: str) -> Iterator[str]:
    yield f'"{word}"'
    if may_begin(word):
        yield f'"{word}"*'


def fused(*rankings: Iterable[str]) -> list[str]:
    """Return one ranking made of several: what many of them place high stands first (reciprocal rank fusion).

    Examples
    --------
    >>> fused(["ann", "bob", "cid"], ["bob", "dan"])
    ['bob', 'ann', 'dan', 'cid']
    """
    scores: dict[str, float] = {}
    for ranking in rankings:
        for place, key in enumerate(ranking, 1):
            scores[key] = scores.get(key, 0.0) + 1 / (_AGREED + place)
    return sorted(scores, key=lambda key: -scores[key])
