"""Characters that look like others: names and lines told apart the way a reader does, not a computer."""

import functools
import re
import unicodedata
from importlib.resources import files

__all__ = ["BLANKS", "EQUALS", "folded", "letter", "unseen"]

BLANKS = "\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0"
"""Characters that are letters, marks or signs to Unicode, and nothing to the eye."""

EQUALS = (
    "=\u1400\u207c\u208c\u2250-\u2263\u2550\u2a66-\u2a77\u2e17\u2e40\u30a0\ua4ff\ua78a\ufe66\uff1d\U00010191\U0001f7f0"
)
"""What looks like an equals sign, or holds one: the inside of a set of a regular expression; no letters."""

# Where Unicode keeps other forms of Latin letters, and what their names tell.
_FORMS = ((0xC0, 0x2B0), (0x1D00, 0x1F00), (0x2070, 0x20A0), (0x2100, 0x2190), (0x2460, 0x2500), (0x2C60, 0x2C80),
          (0xA720, 0xA800), (0xAB30, 0xAB70), (0xFF00, 0xFF60), (0x1D400, 0x1D800), (0x1DF00, 0x1E000),
          (0x1F100, 0x1F200), (0x1FBF0, 0x1FBFA))  # fmt: skip
_NAMED = re.compile(
    r"(?:LATIN (?:CAPITAL |SMALL )?LETTER (?:SMALL CAPITAL |DOTLESS |SCRIPT )?"
    r"|NEGATIVE (?:CIRCLED|SQUARED) LATIN CAPITAL LETTER |REGIONAL INDICATOR SYMBOL LETTER )([A-Z])(?: WITH .*)?"
)
_MARKS = re.compile("[\u0300-\u036f]+")
_SAME = str.maketrans("1i0", "llo")
_JOINERS = "\u200c\u200d"  # in Persian and Indic words, and in emoji, they say how the next sign is drawn
_VARIANTS = re.compile("[\u180b-\u180f\ufe00-\ufe0f\U000e0100-\U000e01ef]")  # … and these, how the one before is
_FIRST_JOINED = "\u0590"  # scripts before it have no use for them


def folded(name: str) -> str:
    """Return what two names have in common that look the same, or nearly so.

    Case, accents, spaces and signs do not count, nor which alphabet a letter is from; what has no letter or digit
    counts as it is.

    Examples
    --------
    >>> folded("Founder") == folded("F\u043eunder ===") == folded("\uff26\uff4funder") == folded("F0\u00fcnder")
    True
    """
    plain = name.casefold()
    if not name.isascii():
        table = _plain()
        apart = _MARKS.sub("", unicodedata.normalize("NFKD", name))
        plain = apart.translate(table).casefold().translate(table)
    seen = "".join(c for c in plain if c.isalnum() and c not in BLANKS).translate(_SAME)
    return seen.replace("rn", "m") or name.casefold()


@functools.cache
def letter(plain: str) -> str:
    """Return all that looks like a small Latin letter, in both cases: the inside of a set of a regular expression.

    Examples
    --------
    >>> all(character in letter("o") for character in "oO\u043e\u039f\uff4f\u00f6\u24de")
    True
    """
    like = plain.translate(_SAME)
    same = [one for one in "abcdefghijklmnopqrstuvwxyz01" if one.translate(_SAME) == like]
    alikes = {*same, *(one.upper() for one in same)}
    alikes |= {chr(code) for code, read in _plain().items() if read.translate(_SAME) == like}
    return "".join(sorted(alikes))


@functools.cache
def _plain() -> dict[int, str]:
    """Return which small Latin letter, or digit, each other character is a form of or looks like."""
    found: dict[int, str] = {}
    text = files("intercom_nb.texts").joinpath("lookalikes.md").read_text("utf-8")
    for line in text.partition("## Letters\n")[2].split("\n"):
        read, *codes = line.split() or [""]
        found |= dict.fromkeys((int(code, 16) for code in codes), read)
    for first, end in _FORMS:
        for code in range(first, end):
            base = _MARKS.sub("", unicodedata.normalize("NFKD", chr(code))).strip("()").casefold()
            named = _NAMED.fullmatch(unicodedata.name(chr(code), ""))
            if len(base) == 1 and base.isascii() and base.isalnum():
                found[code] = base
            elif named:
                found[code] = named[1].lower()
            elif len(base) == 1 and ord(base) in found:
                found[code] = found[ord(base)]
    return found


def unseen(text: str) -> str:
    r"""Return the first character of a text that nobody sees; empty if there is none.

    Examples
    --------
    >>> unseen("Ann"), unseen("Ann\u200b"), unseen("An\u3164n")
    ('', '\u200b', '\u3164')
    """
    before = ""
    for character in text:
        if character in BLANKS or (_is_unseen(character) and not _joins(before, character)):
            return character
        before = character
    return ""


def _is_unseen(character: str) -> bool:
    return unicodedata.category(character) == "Cf" or _VARIANTS.match(character) is not None


def _joins(before: str, character: str) -> bool:
    """Say whether a character that nobody sees has to do with how the one before it is drawn."""
    if character in _JOINERS:
        return before >= _FIRST_JOINED and before not in _JOINERS
    return _VARIANTS.match(character) is not None and before != "" and (before >= _FIRST_JOINED or not before.isalpha())
