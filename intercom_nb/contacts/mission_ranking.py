"""Whom missions need: agents ranked by the words of their names and descriptions, and an edit costs whom it concerns.

What an agent's words weigh depends on its own text, and on how many agents have each word, counted in steps: half a
power of two, among a number of agents rounded up to a whole one. So an edit seldom changes what words weigh for
others. A mission's ranking is kept; where its words weigh as before, only agents that were edited are placed anew.
The result is the same as that of a ranking made from nothing.
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
_SPARE = 16  # agents kept beyond those asked for, who move up when others leave
_EDITS = 32  # agents edited since a ranking was made: of more, it is quicker made from nothing
_KEPT = 2_000  # rankings: those of the agents that had turns last
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


@dataclass(slots=True)
class _Ranking:
    """One mission's agents."""

    mission: str
    near: int
    among: int
    terms: dict[str, int]
    beginnings: tuple[str, ...]
    n_put: int
    n_reweighed: int
    codes: list[int]  # score and number of the best agents, in one int each, best first
    floor: int = 0  # whoever has a lower code may be missing; 0 where nobody is
    keys: list[str] = field(default_factory=list)


class Relevance:
    """Agents by how much they have to do with a mission. Used under the store's lock.

    Examples
    --------
    >>> relevance = Relevance()
    >>> relevance.put("ann", "Ann", "Takes photographs at weddings.")
    >>> relevance.put("bob", "Bob", "Bakes bread.")
    >>> list(relevance.ranked("host", "Find a photographer.", 20))
    ['ann']
    """

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}
        self._entries: list[_Entry] = []
        self._having: dict[str, dict[int, int]] = {}  # word → number of an agent → what the word weighs there
        self._words: list[str] = []  # of the above, sorted
        self._among = 1  # agents, rounded up to a power of two
        self._put: list[int] = []
        self._reweighed: list[str] = []
        self._rankings: dict[str, _Ranking] = {}

    def put(self, key: str, name: str, description: str) -> None:
        """Enter an agent, or what it is now."""
        number = self._numbers.setdefault(key, len(self._entries))
        if number == len(self._entries):
            self._entries.append(_Entry(key))
            while self._among < len(self._entries):
                self._among *= 2
        entry = self._entries[number]
        if entry.text != (name, description):
            said = stems(description)
            weights = _weights(stems(name), said)
            for term in entry.weights.keys() - weights.keys():
                self._count(term, number, None)
            for term, weight in weights.items():
                if term in entry.weights:
                    self._having[term][number] = weight
                else:
                    self._count(term, number, weight)
            kind = 0
            for term in said:
                kind |= 1 << zlib.crc32(term.encode("utf-8", "replace")) % 256
            entry.text, entry.weights, entry.kind = (name, description), weights, kind
            if self._rankings:
                self._put.append(number)

    def ranked(self, asker: str, mission: str, near: int) -> Iterator[str]:
        """Yield the keys of agents that a mission needs, best first; among the nearest, kinds take turns.

        Parameters
        ----------
        asker : str
            Whose mission it is: its ranking is kept.
        mission : str
            Any text.
        near : int
            Among how many agents kinds take turns.
        """
        ranking = self._ranking(asker, mission, near)
        yield from ranking.keys
        if ranking.floor:
            known = set(ranking.keys)
            yield from (key for code in self._codes(ranking.terms) if (key := self._key(code)) not in known)

    def _count(self, term: str, number: int, weight: int | None) -> None:
        """Note what a word weighs at an agent, and whether that changes what it weighs for missions."""
        having = self._having.setdefault(term, {})
        before = len(having)
        if weight is None:
            del having[number]
        else:
            having[number] = weight
        if not before:
            insort(self._words, term)
        elif not having:
            del self._having[term]
            del self._words[bisect_left(self._words, term)]
        if self._rankings and self._rarity(before) != self._rarity(len(having)):
            self._reweighed.append(term)

    def _rarity(self, n_having: int) -> int:
        return max(1, round(2 * math.log2(self._among / n_having))) if n_having else 0

    def _ranking(self, asker: str, mission: str, near: int) -> _Ranking:
        ranking = self._rankings.pop(asker, None)
        if ranking is None or not self._fits(ranking, mission, near) or not self._mended(ranking):
            ranking = self._made(mission, near)
        self._rankings[asker] = ranking
        if len(self._rankings) > _KEPT:
            del self._rankings[next(iter(self._rankings))]
        return ranking

    def _fits(self, ranking: _Ranking, mission: str, near: int) -> bool:
        """Return whether a ranking was made for this mission, and its words weigh as they did."""
        new = len(self._reweighed) - ranking.n_reweighed
        if (ranking.mission, ranking.near, ranking.among) != (mission, near, self._among) or new > 8 * _EDITS:
            return False
        terms, begin = ranking.terms, ranking.beginnings
        for term in self._reweighed[ranking.n_reweighed :]:
            if term in terms or term.startswith(begin):
                return False
        ranking.n_reweighed = len(self._reweighed)
        return True

    def _mended(self, ranking: _Ranking) -> bool:
        """Place the agents that were edited since; return whether that could be done."""
        edited = set(self._put[ranking.n_put :])
        ranking.n_put = len(self._put)
        if not edited:
            return True
        if len(edited) > _EDITS:
            return False
        stay = [code for code in ranking.codes if ~code & _NUMBER not in edited]
        come = [code for number in edited if (code := self._code_of(number, ranking.terms)) > ranking.floor]
        if come or len(stay) < len(ranking.codes):
            ranking.codes = sorted([*stay, *come], reverse=True)
            if ranking.floor and len(ranking.codes) < ranking.near:
                return False
            self._cut(ranking)
        return True

    def _made(self, mission: str, near: int) -> _Ranking:
        words = [stem(word) for word in telling_words(mission)]
        terms: dict[str, int] = {}
        beginnings: list[str] = []
        for word in words:
            terms[word] = terms.get(word, 0) + self._rarity(len(self._having.get(word, ())))
            if may_begin(word):
                beginnings.append(word)
                for place in range(bisect_left(self._words, word), len(self._words)):
                    if not (longer := self._words[place]).startswith(word):
                        break
                    terms[longer] = terms.get(longer, 0) + self._rarity(len(self._having[longer]))
        for matter in map(_sense, senses_of(words)):
            terms[matter] = self._rarity(len(self._having.get(matter, ())))
        seen = len(self._put), len(self._reweighed)
        ranking = _Ranking(mission, near, self._among, terms, tuple(beginnings), *seen, self._codes(terms))
        self._cut(ranking)
        return ranking

    def _codes(self, terms: dict[str, int]) -> list[int]:
        scores: dict[int, int] = {}
        for term, rarity in terms.items():
            for number, weight in self._having.get(term, {}).items():
                scores[number] = scores.get(number, 0) + rarity * weight
        return sorted([(score << _PLACES) + _NUMBER - number for number, score in scores.items()], reverse=True)

    def _code_of(self, number: int, terms: dict[str, int]) -> int:
        score = sum(weight * terms.get(term, 0) for term, weight in self._entries[number].weights.items())
        return (score << _PLACES) + _NUMBER - number if score else 0

    def _key(self, code: int) -> str:
        return self._entries[~code & _NUMBER].key

    def _cut(self, ranking: _Ranking) -> None:
        """Keep the best, and say in which order they are shown."""
        most = ranking.near + _SPARE
        if len(ranking.codes) > most:
            ranking.floor = ranking.codes[most]
            del ranking.codes[most:]
        near, rest = ranking.codes[: ranking.near], ranking.codes[ranking.near :]
        ranking.keys = [self._key(code) for code in [*self._varied(near), *rest]]

    def _varied(self, codes: list[int]) -> list[int]:
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
                like = likes[words] = _like(words, kinds)
                counts.setdefault(like, 0)
            values.append((-(code >> _PLACES) / (1 + counts[like]), -code))
            counts[like] += words > 0  # without a description there is nothing to be alike in
        return [-code for _, code in sorted(values)]


def _like(words: int, kinds: list[tuple[int, int]]) -> int:
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
