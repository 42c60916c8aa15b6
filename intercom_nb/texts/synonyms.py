"""What everyday words have to do with each other, for a search that meets descriptions in other words than its own."""

import functools
import re
import unicodedata
from collections.abc import Iterable
from importlib.resources import files

from intercom_nb.texts.english import FUNCTION_WORDS, WORD, stem

__all__ = ["senses", "senses_of", "spelled", "stems"]


def spelled(text: str) -> str:
    """Return a text in lower case, without accents, its British and American spellings made one.

    Examples
    --------
    >>> spelled("Organise the colour centre"), spelled("organize the color center"), spelled("Café")
    ('organize the color center', 'organize the color center', 'cafe')
    """
    text = text.lower()
    if not text.isascii():
        apart = unicodedata.normalize("NFKD", text)
        text = unicodedata.normalize("NFC", "".join(sign for sign in apart if not unicodedata.combining(sign)))
    for letters, pattern, by in _SPELLINGS:
        if letters in text:  # most texts have most of them nowhere
            text = pattern.sub(by, text)
    return text


def senses(text: str) -> list[str]:
    """Return what the words of a text are about: names of groups of everyday words, each once.

    Examples
    --------
    >>> set(senses("a doctor")) & set(senses("my physician")) == set(senses("doctors"))
    True
    """
    return senses_of(stem(word) for word in WORD.findall(spelled(text)))


def senses_of(words: Iterable[str]) -> list[str]:
    """Return what stems are about, as `senses` does."""
    known = _known()
    return list(dict.fromkeys(name for word in words for name in known.get(word, ())))


def stems(text: str) -> list[str]:
    """Return the stems of the words of a text that say something, in their order.

    Examples
    --------
    >>> stems("She paints the harbours, and boats.")
    ['paint', 'harbor', 'boat']
    """
    return [stem(word) for word in WORD.findall(spelled(text)) if word not in FUNCTION_WORDS]


_SPELLINGS = tuple(
    (letters, re.compile(pattern), by)
    for letters, pattern, by in (
        ("is", r"\b(\w{3,})is(e[drs]?|ing|ations?|ers?)\b", r"\1iz\2"),
        ("our", r"\b(\w{2,})our(s|ed|ing|ful|al)?\b", r"\1or\2"),
        ("tre", r"\b(\w+)tre(s?)\b", r"\1ter\2"),
        ("ogue", r"\b(\w{2,})ogue(s?)\b", r"\1og\2"),
        ("ll", r"\b(\w{2,}[aeiou])ll(ed|ing|ers?)\b", r"\1l\2"),
    )
)
_GROUP = re.compile(r"^[a-z][a-z -]* [a-z -]*[a-z]$", re.MULTILINE)


@functools.cache
def _known() -> dict[str, tuple[str, ...]]:
    """Return the groups that each stem stands in, from the file ``synonyms.md``."""
    text = files("intercom_nb.texts").joinpath("synonyms.md").read_text(encoding="utf-8")
    known: dict[str, dict[str, None]] = {}
    for number, group in enumerate(_GROUP.findall(text)):
        for word in WORD.findall(spelled(group)):
            known.setdefault(stem(word), {})[f"group{number}"] = None
    return {key: tuple(names) for key, names in known.items()}
