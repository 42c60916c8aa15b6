"""What everyday words have to do with each other, for a search that meets descriptions in other words than its own."""

import functools
import re
from importlib.resources import files

from intercom_nb.words import WORD, stem

__all__ = ["senses", "spelled"]


def spelled(text: str) -> str:
    """Return a text in lower case, its British and American spellings made one.

    Examples
    --------
    >>> spelled("Organise the colour centre"), spelled("organize the color center")
    ('organize the color center', 'organize the color center')
    """
    text = text.lower()
    for pattern, by in _SPELLINGS:
        text = pattern.sub(by, text)
    return text


def senses(text: str) -> list[str]:
    """Return what the words of a text are about: names of groups of everyday words, each once.

    Examples
    --------
    >>> set(senses("a doctor")) & set(senses("my physician")) == set(senses("doctors"))
    True
    """
    found = (_known().get(stem(word), ()) for word in WORD.findall(spelled(text)))
    return list(dict.fromkeys(name for names in found for name in names))


_SPELLINGS = tuple(
    (re.compile(pattern), by)
    for pattern, by in {
        r"\b(\w{3,})is(e[drs]?|ing|ations?|ers?)\b": r"\1iz\2",
        r"\b(\w{2,})our(s|ed|ing|ful|al)?\b": r"\1or\2",
        r"\b(\w+)tre(s?)\b": r"\1ter\2",
        r"\b(\w{2,})ogue(s?)\b": r"\1og\2",
        r"\b(\w{2,}[aeiou])ll(ed|ing|ers?)\b": r"\1l\2",
    }.items()
)
_GROUP = re.compile(r"^[a-z][a-z -]* [a-z -]*[a-z]$", re.MULTILINE)


@functools.cache
def _known() -> dict[str, tuple[str, ...]]:
    """Return the groups that each stem stands in, from the file ``synonyms.md``."""
    text = files("intercom_nb").joinpath("synonyms.md").read_text(encoding="utf-8")
    known: dict[str, dict[str, None]] = {}
    for number, group in enumerate(_GROUP.findall(text)):
        for word in WORD.findall(spelled(group)):
            known.setdefault(stem(word), {})[f"group{number}"] = None
    return {key: tuple(names) for key, names in known.items()}
