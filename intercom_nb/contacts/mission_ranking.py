"""Whom missions need: agents ranked by the words of their names and descriptions.

What words weigh depends on how many agents have them, counted in steps, so that an edit seldom changes it for others:
``docs/design/chat_lists.md``.
"""

import math
import zlib
from bisect import bisect_left, insort
from collections.abc import Iterator
from dataclasses import dataclass, field

from intercom_nb.contacts.word_search import may_begin, telling_words
from intercom_nb.texts.english import stem
from intercom_nb.texts.synonyms import senses_of, stems

__all__ = ["Relevance"]

_NAME, _DESCRIPTION, _MATTER = 4, 2, 2  # how often a word counts that stands there, and what words are about
_USUAL_LENGTH = 12  # words of a name and a description
_ALIKE = 0.7  # of the words of two descriptions are the same: their agents are of one kind
_KINDS = 24  # that later ones are compared with: more than a list has places for
_PLACES = 24  # bits of a code that hold an agent's number: the lower, the higher the code, so the first stands first
_NUMBER = (1 << _PLACES) - 1


@dataclass(slots=True)
class _Entry:
    """One agent."""

    key: str
    text: tuple[str, str] = ("", "")
    weights: dict[str, int] = field(default_factory=dict)  # of its words
    kind: int = 0  # the words of its description, as bits


class Relevance:
    """Agents by how much they have to do with a mission. Used under the store's lock.

    Examples
    --------
    >>> relevance = Relevance()
    >>> relevance.put("ann", "Ann", "Takes photographs at weddings.")
    >>> relevance.put("bob", "Bob", "Bakes bread.")
    >>> list(relevance.ranked("Find a photographer.", 20))
    ['ann']
    """

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}
        self._entries: list[_Entry] = []
        self._having: dict[str, dict[int, int]] = {}  # word → number of an agent → what the word weighs there
        self._words: list[str] = []  # of the above, sorted

    def put(self, key: str, name: str, description: str) -> None:
        """Enter an agent, or what it is now."""
        number = self._numbers.setdefault(key, len(self._entries))
        if number == len(self._entries):
            self._entries.append(_Entry(key))
        entry = self._entries[number]
        if entry.text == (name, description):
            return
        said = stems(description)
        weights = _weights(stems(name), said)
        for term in entry.weights.keys() - weights.keys():
            self._drop_weight(term, number)
        for term, weight in weights.items():
            self._set_weight(term, number, weight)
        kind = 0
        for term in said:
            kind |= 1 << zlib.crc32(term.encode("utf-8", "replace")) % 256
        entry.text, entry.weights, entry.kind = (name, description), weights, kind

    def ranked(self, mission: str, near: int) -> Iterator[str]:
        """Yield the keys of agents that a mission needs, best first; among the nearest, kinds take turns.

        Parameters
        ----------
        mission : str
            Any text.
        near : int
            Among how many agents kinds take turns.
        """
        codes = self._codes_by_score(self._rarity_of_terms(mission))
        for code in (*self._kinds_in_turn(codes[:near]), *codes[near:]):
            yield self._entries[~code & _NUMBER].key

    def _set_weight(self, term: str, number: int, weight: int) -> None:
        having = self._having.get(term)
        if having is None:
            having = self._having[term] = {}
            insort(self._words, term)
        having[number] = weight

    def _drop_weight(self, term: str, number: int) -> None:
        having = self._having[term]
        del having[number]
        if not having:
            del self._having[term]
            del self._words[bisect_left(self._words, term)]

    def _rarity(self, term: str) -> int:
        """Return what a word weighs for missions: the more, the fewer agents have it."""
        if not (having := self._having.get(term)):
            return 0
        among = 1 << (len(self._entries) - 1).bit_length()
        return max(1, round(2 * math.log2(among / len(having))))

    def _rarity_of_terms(self, mission: str) -> dict[str, int]:
        """Return the words and matters of a mission, and what each of them weighs."""
        words = [stem(word) for word in telling_words(mission)]
        terms: dict[str, int] = {}
        for word in words:
            terms[word] = terms.get(word, 0) + self._rarity(word)
            if may_begin(word):
                for place in range(bisect_left(self._words, word), len(self._words)):
                    if not (longer := self._words[place]).startswith(word):
                        break
                    terms[longer] = terms.get(longer, 0) + self._rarity(longer)
        return terms | {matter: self._rarity(matter) for matter in map(_sense, senses_of(words))}

    def _codes_by_score(self, terms: dict[str, int]) -> list[int]:
        """Return score and number of the agents that have any of these words, in one int each, best first."""
        scores: dict[int, int] = {}
        for term, rarity in terms.items():
            for number, weight in self._having.get(term, {}).items():
                scores[number] = scores.get(number, 0) + rarity * weight
        return sorted([(score << _PLACES) + _NUMBER - number for number, score in scores.items()], reverse=True)

    def _kinds_in_turn(self, codes: list[int]) -> list[int]:
        """Return the same in another order: kinds take turns in proportion to their scores.

        The second of a kind counts half of its score, the third a third, as seats are given to parties.
        """
        kinds: list[tuple[int, int]] = []  # words of the first one, as bits; how many words
        likes: dict[int, int] = {}  # words → those of the first one of the kind
        counts: dict[int, int] = {}  # the latter → agents of the kind so far
        values: list[tuple[float, int]] = []
        for code in codes:
            words = self._entries[~code & _NUMBER].kind
            like = likes.get(words)
            if like is None:
                like = likes[words] = _first_alike(words, kinds)
                counts.setdefault(like, 0)
            values.append((-(code >> _PLACES) / (1 + counts[like]), -code))
            counts[like] += words > 0  # without a description there is nothing to be alike in
        return [-code for _, code in sorted(values)]


def _first_alike(words: int, kinds: list[tuple[int, int]]) -> int:
    """Return the words of the first one of a kind; a new kind, if these words are like none."""
    n_words = words.bit_count()
    for others, n_others in kinds:
        if 2 * (words & others).bit_count() > _ALIKE * (n_words + n_others):
            return others
    if len(kinds) < _KINDS:
        kinds.append((words, n_words))
    return words


def _weights(name: list[str], said: list[str]) -> dict[str, int]:
    """Return what the words and the matters of an agent weigh, in hundredths: ever less for a word said again."""
    counts: dict[str, int] = {}
    for words, count in ((name, _NAME), (said, _DESCRIPTION)):
        for word in words:
            counts[word] = counts.get(word, 0) + count
    for matter in senses_of([*name, *said]):
        counts[_sense(matter)] = _MATTER
    damped = 1.2 * (0.25 + 0.75 * (len(name) + len(said)) / _USUAL_LENGTH)
    return {term: round(220 * count / (count + damped)) for term, count in counts.items()}


def _sense(matter: str) -> str:
    return f"={matter}"
