"""A guard against conversations that go on for the sake of going on: thanks for thanks, agreement, repetition.

A message adds nothing if it is courtesy alone, or says almost in the same words what was said in its channel before; it
is stale if it brings no new word. Pure: no log, no clock. Why, and from how many on: ``docs/design/courtesy.md``.
"""

import functools
import re
import zlib
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from intercom_nb.messages import Message
from intercom_nb.texts.english import FUNCTION_WORDS, WORD, stem

__all__ = ["Courtesy", "Verdict", "channel_of"]

_TOLD, _HELD = 3, 5  # messages in a row that add nothing; in a group of many voices, one and two for each of them
_STALE_TOLD, _STALE_HELD = 8, 12  # messages in a row without a new word
_ALIKE = 0.8  # share of words in common from which a message repeats another
_WORDY = 3  # new words that a courteous message may have
_KIND = "+"  # what a courteous word counts as
_RECENT = 12  # messages of a channel that a new one is compared with
_MOST_TERMS = 3_000  # words remembered of a channel

_COURTEOUS_WORDS = """
absolutely accept acknowledge admire adieu advice affirmative agree agreed agreement alright amazing amen anytime
appreciate appreciated appreciation appreciative approve approved assist assistance awesome awaiting await aware
best bless bon bright brilliant bye care certainly chat cheer cheers clear collaborate collaborating collaboration
comment commend concur confirm confirmed congrats congratulations conversation cooperation cordially correct courtesy
danke day dear definitely delight delighted discuss discussing discussion discussions effort encourage encouraging
enjoy enthusiasm evening exact exactly excellent exchange excite excited exciting express fabulous fantastic farewell
feedback feel fine fingers forward free fun future glad gladly goodbye gracias grateful gratitude great greetings
guidance happy hear heart hello help helpful hesitate hi honor honour hope idea incredible indeed input insight
insightful insights inspire inspired inspiring intention joy joyful kind kindly kindness kudos later like look
looking love lovely lucky luck magnificent mention merci morning mutual namaste need nice note noted ok okay ongoing
opportunity outstanding partner partnership perfect perspective pleasant please pleased pleasure positive
precisely privilege productive prosit proud question questions ready recognise recognize regard regards remarkable
respect respond right safe salute say share shared sharing sincerely sound sounds soon splendid spirit stay success
successful superb support supportive sure talk team teamwork terrific thankful thanks thank thought thoughtful thoughts
thrilled thx time today together tomorrow totally touch true truly understand understanding understood valuable value
wait warm weekend week welcome wish wishes wonderful word words work working worth wow yeah yep yup
bitte danken gern gerne herzlich prego grazie obrigado arigato
bit continue convey deep deeply detailed detail endeavor endeavour eagerly fruitful hand harmony impressed journey
message mind moment path prepare prepared progress promise promising reach reply response satisfy sentiment
shine sincere synergy vibe wavelength meaningful likewise page take taking alike think thinking bring ahead thing things
completely entirely fully dank vielen geschehen hilfe für deine deinen keine ursache beaucoup rien muchas nada
"""
_MARKER = re.compile(
    r"\b(thank\w*|thx|cheers|you['’]re welcome|welcome|agree\w*|absolutely|exactly|indeed|definitely|perfect|great"
    r"|wonderful|excellent|fantastic|sounds good|appreciat\w+|happy to|glad|pleasure|looking forward|understood"
    r"|noted|got it|of course|likewise|same here|good ?bye|bye|take care|vielen dank|danke"
    r"|keine ursache|gern\w*|merci|gracias)\b",
    re.IGNORECASE,
)
_LOOKED_AT = 20_000  # characters of a message; what comes after them is only told apart
_OPENING = 60  # characters in which a courteous message says that it is one


def channel_of(message: Message) -> str:
    """Return where a message was said: a group's id, or the ids of two; empty for a text from the program."""
    if message.chat_id is not None or message.sender_id is None:
        return message.chat_id or ""
    return " and ".join(sorted((message.sender_id, str(message.receiver_id))))


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is wrong with a message, and what follows.

    Attributes
    ----------
    why : str
        ``courtesy``, ``repetition`` or ``nothing new``; empty if nothing is.
    n : int
        How many such messages there have been in a row.
    tell, hold : bool
        Whether this is the message after which their authors are told, or from which on their mail waits.
    """

    why: str = ""
    n: int = 0
    tell: bool = False
    hold: bool = False


@dataclass(slots=True)
class _Channel:
    """What the guard remembers of two agents or of a group."""

    recent: deque[frozenset[str]] = field(default_factory=lambda: deque(maxlen=_RECENT))
    terms: dict[str, None] = field(default_factory=dict)
    asked_by: str = ""
    empty: int = 0
    stale: int = 0
    voices: set[str] = field(default_factory=set)
    told: int = 0


def _never(call: Callable[..., None], *given: object) -> None:
    """Keep what is heard for good: it is in the log already."""


class _Before(NamedTuple):
    """What the guard remembered before it heard a message."""

    channel: _Channel
    held: dict[str, int]
    involved: Iterable[str]
    warned: dict[str, dict[str, int]]


class Courtesy:
    """The guard of one service; used under the store's lock.

    Attributes
    ----------
    held : dict of str to int
        Channels whose mail waits for a person → place in the log of the first message that does.
    """

    def __init__(self) -> None:
        self.held: dict[str, int] = {}
        self._channels: dict[str, _Channel] = {}
        self._warnings: dict[str, dict[str, int]] = {}

    def hear(self, message: Message, undo: Callable[..., None] = _never) -> Verdict:
        """Return what is to be said of a message from one agent to another, or to a group.

        Parameters
        ----------
        message : Message
            As it was accepted.
        undo : callable
            Given what makes the guard forget the message, if it should not be written after all.
        """
        name, sender = channel_of(message), str(message.sender_id)
        channel = self._channels.setdefault(name, _Channel())
        text, rest = message.text[:_LOOKED_AT], message.text[_LOOKED_AT:]
        asks = "?" in text
        words = [_term(word) for word in WORD.findall(text)]
        if rest:  # a number: with it, two texts are the same only if their ends are
            words.append(str(zlib.crc32(rest.encode())))
        kind = words.count(_KIND)
        terms = frozenset(words) - {"", _KIND} - _of_names(sender) - _of_names(message.receiver_id or "")
        why = _what_is_wrong(channel, text, terms, kind, answers=channel.asked_by not in ("", sender))
        new, dropped = [term for term in terms if term not in channel.terms], list[str]()
        involved = channel.voices | {sender, message.receiver_id or sender}
        undo(self._forget, name, self._before(name, involved), new, dropped)
        channel.asked_by = sender if asks and terms else ""
        channel.recent.append(terms)
        channel.terms |= dict.fromkeys(terms)
        while len(channel.terms) > _MOST_TERMS:
            dropped.append(next(iter(channel.terms)))
            del channel.terms[dropped[-1]]
        if why == "":
            self._begin_anew(name)
            return Verdict()
        return self._count_empty(name, message, why)

    def _count_empty(self, name: str, message: Message, why: str) -> Verdict:
        channel = self._channels[name]
        if why == "answer":
            return Verdict()
        channel.stale += 1
        channel.voices = channel.voices | {str(message.sender_id)}
        if why != "nothing new":
            channel.empty += 1
        voices = len(channel.voices)
        told = channel.empty >= max(_TOLD, voices + 1) or channel.stale >= max(_STALE_TOLD, 4 * voices)
        held = channel.empty >= max(_HELD, 2 * voices) or channel.stale >= max(_STALE_HELD, 6 * voices)
        tell, hold = told and not channel.told, held and name not in self.held
        if tell:
            channel.told = message.seq
        if channel.told:
            for agent_id in channel.voices | ({message.receiver_id} if message.receiver_id else set()):
                self._warnings.setdefault(agent_id, {})[name] = channel.told
        if hold:
            self.held[name] = message.seq
        return Verdict(why, channel.empty if why != "nothing new" else channel.stale, tell, hold)

    def _begin_anew(self, name: str) -> None:
        channel = self._channels.get(name)
        if channel is None or not channel.stale:
            return
        for agent_id in list(self._warnings) if channel.told else ():
            self._warnings[agent_id].pop(name, None)
        channel.empty = channel.stale = channel.told = 0
        channel.voices = set()

    def _before(self, name: str, involved: Iterable[str]) -> _Before:
        """Return what is remembered now of a channel, and of what those in it are to be told."""
        channel = self._channels[name]
        now = replace(channel, recent=channel.recent.copy())
        warned = {one: self._warnings[one].copy() for one in involved if one in self._warnings}
        return _Before(now, self.held.copy(), involved, warned)

    def _forget(self, name: str, before: _Before, new: Sequence[str], dropped: Sequence[str]) -> None:
        """Remember of a channel what was remembered before; of its words, those that were new are dropped again."""
        terms = dict.fromkeys(dropped) | before.channel.terms
        for term in new:
            terms.pop(term, None)
        self._channels[name] = replace(before.channel, terms=terms)
        self.held = before.held
        for one in before.involved:
            self._warnings.pop(one, None)
        self._warnings |= before.warned

    def release(self, name: str, undo: Callable[..., None] = _never) -> None:
        """Begin anew in a channel: what was said in it before counts no more; `undo` as `hear` takes it."""
        if name in self._channels:
            warned = [one for one, channels in self._warnings.items() if name in channels]
            undo(self._forget, name, self._before(name, warned), (), ())
        else:
            undo(self.held.update, self.held.copy())
        self.held.pop(name, None)
        self._begin_anew(name)
        if name in self._channels:
            self._channels[name].recent.clear()

    def remarks(self, agent_id: str) -> list[tuple[str, str]]:
        """Return what to tell an agent about its channels: key and text of each remark."""
        return [
            (f"courtesy:{agent_id}:{name}:{seq}", _REMARK.format(_others_of(name, agent_id)))
            for name, seq in self._warnings.get(agent_id, {}).items()
        ]

    def concerns(self, ids: Iterable[str]) -> list[str]:
        """Return the channels, of those whose mail waits, that lie between these parties; all of them for none."""
        wanted = set(ids)
        if not wanted:
            return list(self.held)
        return [name for name in self.held if wanted <= ({name} | set(name.split(" and ")))]


_REMARK = (
    "Your last messages with {} added nothing new. Write there again only if you have something to say or to ask that "
    "has not been said; else end your turn in silence. More of the same will not be delivered."
)


def _others_of(name: str, agent_id: str) -> str:
    parts = name.split(" and ")
    return next((part for part in parts if part != agent_id), name)


def _what_is_wrong(channel: _Channel, text: str, terms: frozenset[str], kind: int, *, answers: bool) -> str:
    """Return what is wrong with a message; empty if it adds something, ``answer`` if it need not."""
    new = sum(term not in channel.terms for term in terms)
    if terms and any(_repeats(terms, earlier) for earlier in channel.recent):
        return "repetition"
    if new == 0 and answers:
        return "answer"
    if not terms:
        return "courtesy"
    # Twice as many courteous words as new ones, and it opens with one: what is new in it is wording.
    wordy = new <= _WORDY and kind >= 2 * new and "?" not in text and not any(map(_is_number, terms))
    if wordy and _MARKER.search(text, 0, _OPENING) is not None:
        return "courtesy"
    return "" if new else "nothing new"


def _repeats(one: frozenset[str], other: frozenset[str]) -> bool:
    common = len(one & other)
    # A number makes all the difference: page 7 is not page 8.
    return common >= _ALIKE * (len(one) + len(other) - common) and not any(map(_is_number, one ^ other))


def _is_number(term: str) -> bool:
    return any(map(str.isdigit, term))


@functools.lru_cache(maxsize=20_000)
def _term(word: str) -> str:
    """Return a word's stem; a mark for a courteous one, and nothing for one that says nothing of its own."""
    low = word.casefold()
    if any(map(str.isdigit, low)):
        return low
    if len(low) == 1:
        return ""
    found = stem(low)
    return _KIND if found in _courteous() else "" if low in FUNCTION_WORDS else found


@functools.cache
def _courteous() -> frozenset[str]:
    return frozenset(map(stem, _COURTEOUS_WORDS.split()))


@functools.lru_cache(maxsize=1_000)
def _of_names(agent_id: str) -> frozenset[str]:
    return frozenset(map(_term, WORD.findall(agent_id)))
