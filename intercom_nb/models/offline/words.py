"""Words for the offline assistant: what a text is about, what it wants, and how to say it in the first person.

English only, by rule: stems, lists of words and sentence openings. Pure functions on texts.
"""

import functools
import re
from collections.abc import Iterable
from typing import Literal

from intercom_nb.texts.english import FUNCTION_WORDS, WORD, stem

__all__ = [
    "as_mission",
    "classify",
    "clip",
    "first_person",
    "is_answer",
    "is_denial",
    "listing",
    "phrase",
    "sentences",
    "stems",
    "task_of",
]

Kind = Literal["summary", "thanks", "request", "statement"]

# Words of missions and descriptions in general: a share in them does not make somebody an expert on the matter.
_GENERIC_WORDS = """
advice advise anything answer area ask assist available benefit best better big bring build chat come company
connect consult create current day deal description deliver detail develop development different easy everything
excellent experience expert expertise figure find focus friend friendly full goal good great group guide handle
help helpful idea important improve information job keep kind know knowledge large latest lot main make
man master matter mean message mission modern name need new notebook number offer old other part people person
place plan possible prepare problem professional profound provide question ready recent reliable report
responsible right robust role run say send set simple skilled small solution solve special specialise specialist
specialize start strong suggest summary support sure take talk task team tell thing think time topic turn type
understand useful various want way well woman work world write year
"""
# Words that belong to a phrase ("autonomous AI agents") and yet are no reason to turn to somebody.
_COMPANION_WORDS = "agent assistant service software system tool"

# Sentences about what there is not, or must not be done, name things the mission is not about.
_DENIAL = re.compile(r"(there(?: is|'s| are|’s) no|(?:you|we|i) have no|do not|don['’]t|never|avoid)\b", re.IGNORECASE)

_SUMMARY = re.compile(r"\W*(to sum (it |this |that )?up|(in |a |my |final )?summary|summing up)\b", re.IGNORECASE)
_THANKS = re.compile(
    r"\W*(many thanks|thanks?|thank you|thx|cheers|great|perfect|ok(ay)?|got it|understood|agreed|you['’]re welcome"
    r"|you are welcome|welcome|good (idea|point|job)|well done|sounds good|will do|noted)\b",
    re.IGNORECASE,
)
_GREETING = re.compile(
    r"\W*((hi|hello|hey|dear|good (morning|day|evening))\b[^,.!:?\n]*[,.!:]\s*|(so|now|and|ok(ay)?)\b,?\s*)+",
    re.IGNORECASE,
)
_PLEA = re.compile(
    r"\W*(please|kindly|tell (me|us)|send (me|us)|give (me|us)|let (me|us) know"
    r"|(could|can|would|will) (you|somebody|anybody|someone|anyone))\b",
    re.IGNORECASE,
)
_ASKING = re.compile(
    r"\W*(advise|answer|can|compare|could|describe|do|does|draft|explain|find|give|help|how|is|are|list|outline|prepare"
    r"|propose|recommend|review|show|suggest|summari[sz]e|tell|what|when|where|which|who|why|would|write)\b(?!\s+(is|are|was|has|will)\b)",
    re.IGNORECASE,
)
_LONGEST_THANKS = 12  # words; longer ones say something besides
_SHORTEST_ADVICE = 3  # words; "Start small now." is advice, "Hello Ann." is not
_SENTENCE_END = re.compile(r"(?<=[.!?…])\s+|\s*\n+\s*")

# The opening of a sentence that states something; every other mission sentence is taken for an order.
_STATEMENT = re.compile(
    r"(a|an|the|this|that|these|those|there|it|its|we|our|us|i|my|you|your|he|his|she|her|they|their|some|all|each|every|no"
    r"|nobody|everybody|everyone|in|on|at|for|with|as|if|when|since|because|after|before|while)\b"
    r"|\S+\s+(is|are|was|were|has|have|had|can|could|will|would|should|must|may|need|needs|want|wants)\b",
    re.IGNORECASE,
)
_YOU = re.compile(r"\b(you are|you['’]re|you were|yourself|yours|your|you)\b", re.IGNORECASE)
_I_FOR = {"you are": "I am", "you're": "I'm", "you were": "I was", "yourself": "myself", "yours": "mine", "your": "my"}
_BEFORE_ME = re.compile(
    r"\b(to|for|with|from|of|by|at|on|about|help|helps|give|gives|ask|asks|tell|tells|pay|pays|let|lets)\s+$",
    re.IGNORECASE,
)


@functools.cache
def _without_weight() -> frozenset[str]:
    return frozenset(stem(word) for word in f"{_GENERIC_WORDS} {_COMPANION_WORDS}".split())


@functools.cache
def _companions() -> frozenset[str]:
    return frozenset(stem(word) for word in _COMPANION_WORDS.split())


def _weight_stem(word: str) -> str | None:
    """Return the stem of a word that says what a text is about; None for every other word."""
    low = word.casefold()
    if len(low) == 1 or low.isdigit() or low in FUNCTION_WORDS:
        return None
    found = stem(low)
    return None if found in _without_weight() else found


@functools.lru_cache(maxsize=4_000)
def stems(text: str) -> tuple[str, ...]:
    """Return what a text is about: the stems of its telling words, each once, in order.

    Sentences that only deny something are left out.

    Examples
    --------
    >>> stems("Knows everything about marketing. There are no documents.")
    ('market',)
    """
    told = " ".join(part for part in sentences(text) if not is_denial(part))
    return tuple(dict.fromkeys(filter(None, map(_weight_stem, WORD.findall(told)))))


def is_denial(sentence: str) -> bool:
    """Tell whether a sentence only says what there is not, or what not to do.

    Examples
    --------
    >>> is_denial("There are no documents."), is_denial("Plan a network.")
    (True, False)
    """
    return _DENIAL.match(sentence) is not None


def phrase(text: str, wanted: Iterable[str]) -> str:
    """Return the words of a text that name most of the wanted stems: one run of neighbouring words, or nothing.

    Examples
    --------
    >>> phrase("Owner of a studio that could benefit from autonomous AI agents.", ["autonom", "ai", "studio"])
    'autonomous AI agents'
    """
    best, most = "", 0
    for run in _runs(text):
        found = len({_weight_stem(word) for word in run} & set(wanted))
        if found > most:
            best, most = " ".join(run), found
    return best


def _runs(text: str) -> Iterable[list[str]]:
    """Yield the runs of neighbouring telling words, companions among them, as they are written."""
    for sentence in sentences(text):
        run: list[str] = []
        end = 0
        for match in WORD.finditer(sentence):
            word = match.group()
            telling = _weight_stem(word) is not None or (bool(run) and stem(word.casefold()) in _companions())
            if run and (not telling or sentence[end : match.start()] not in (" ", "-")):
                yield run
                run = []
            if telling:
                # A capital at the start of a sentence is no part of the word; "AI" and "iOS" keep theirs.
                run.append(_lower_start(word) if match.start() == 0 else word)
            end = match.end()
        if run:
            yield run


def sentences(text: str) -> list[str]:
    """Return the sentences of a text, a line break ending one as well.

    Examples
    --------
    >>> sentences("One. Two? Three")
    ['One.', 'Two?', 'Three']
    """
    return [part.strip() for part in _SENTENCE_END.split(text) if part.strip()]


def listing(parts: Iterable[str]) -> str:
    """Return the parts as one readable list.

    Examples
    --------
    >>> listing(["design", "marketing", "law"])
    'design, marketing and law'
    """
    known = list(parts)
    return known[0] if len(known) == 1 else ", ".join(known[:-1]) + " and " + known[-1] if known else ""


def clip(text: str, length: int = 200) -> str:
    """Return a text on one line, cut between two words where it is longer.

    Examples
    --------
    >>> clip("a long sentence", 10)
    'a long …'
    """
    line = " ".join(text.split())
    if len(line) <= length:
        return line
    whole, space, _ = line[: length - 1].rpartition(" ")
    return f"{whole if space else line[: length - 2]} …"


def classify(text: str) -> Kind:
    """Return what a message wants of its reader.

    Examples
    --------
    >>> [classify(text) for text in ("To sum up, we agree.", "Thanks!", "What do you advise?", "Networks are fun.")]
    ['summary', 'thanks', 'request', 'statement']
    """
    if _SUMMARY.match(text):
        return "summary"
    bare = _GREETING.sub("", text, count=1) if _GREETING.match(text) else text
    parts = sentences(bare)
    wants = "?" in text or any(_PLEA.match(part) for part in parts)
    if not wants and _THANKS.match(text) and len(text.split()) <= _LONGEST_THANKS:
        return "thanks"
    return "request" if wants or _ASKING.match(bare) else "statement"


def is_answer(text: str) -> bool:
    """Tell whether a message from somebody who was asked says something, and not only asks back.

    Advice often opens with an order ("Find a niche first."), so that alone does not make it a request.

    Examples
    --------
    >>> is_answer("Find a niche first."), is_answer("What is it for?"), is_answer("Thank you!")
    (True, False, False)
    """
    if classify(text) in ("summary", "thanks"):
        return False
    return any(
        "?" not in part and not _PLEA.match(part) and len(part.split()) >= _SHORTEST_ADVICE for part in sentences(text)
    )


@functools.lru_cache(maxsize=1_000)
def first_person(text: str) -> str:
    """Return a mission as its bearer would tell it: second person turned into first.

    Examples
    --------
    >>> first_person("You are a marketing expert. Your mission is to help others. It helps you.")
    'I am a marketing expert. My mission is to help others. It helps me.'
    """

    def mine(match: re.Match[str]) -> str:
        found = match.group().casefold().replace("’", "'")
        if found == "you":
            return "me" if _BEFORE_ME.search(text, 0, match.start()) else "I"
        said = _I_FOR[found]
        return said[0].upper() + said[1:] if match.group()[0].isupper() else said

    return _YOU.sub(mine, text)


def task_of(sentence: str) -> str:
    """Return a mission sentence in the first person; an order becomes what one has to do.

    Examples
    --------
    >>> task_of("Figure out how to market it."), task_of("You sell pianos.")
    ('I have to figure out how to market it.', 'I sell pianos.')
    """
    bare = re.sub(r"^(please|kindly)[, ]+", "", sentence, flags=re.IGNORECASE)
    told = first_person(bare)
    return told if _STATEMENT.match(bare) else f"I have to {_lower_start(told)}"


def _lower_start(text: str) -> str:
    word = text.split(maxsplit=1)[0] if text.strip() else ""
    return text[:1].lower() + text[1:] if word[1:].islower() or len(word) == 1 else text


_SIBILANTS = ("ch", "sh", "ss", "x", "z")
_THIRD_PERSON = re.compile(r"[A-Z][a-z]+[^s\W]s\b(?= )")


def as_mission(description: str) -> str:
    """Return how others see somebody as what that one is told to be, where nothing else says so.

    Examples
    --------
    >>> as_mission("Knows everything about dinner. Teaches cooks.")
    'You know everything about dinner. You teach cooks.'
    >>> as_mission("Founder of a startup.")
    'You are founder of a startup.'
    """
    return " ".join(_second_person(sentence) for sentence in sentences(description))


def _second_person(sentence: str) -> str:
    verb = _THIRD_PERSON.match(sentence)
    if verb is not None:
        root = verb[0][:-2] if verb[0][:-2].endswith(_SIBILANTS) else verb[0][:-1]
        return f"You {root[0].lower()}{root[1:]}{sentence[verb.end() :]}"
    return f"You are {sentence[:1].lower()}{sentence[1:]}" if sentence else ""
