"""English words, as far as rules go: what a word is, which ones say nothing about a topic, and stems."""

import functools
import re

__all__ = ["FUNCTION_WORDS", "WORD", "stem"]

WORD = re.compile(r"[^\W_]+")

# Words that say nothing about a topic, and at which a phrase ends.
_FUNCTION_WORDS = """
a about above across after again against all also although always am among an and another any anyone are around as
at away be because been before being below between both but by can cannot could d did do does doing don done down
during each either else ever every everybody everyone few first for from further get gets give given gives go goes
going got had has have having he her here hers herself him himself his how however i if in into is isn it its
itself just last least less let like ll m many may maybe me might mine more most much must my myself neither never
next no nobody none nor not nothing now of off often on once one only onto or our ours ourselves out over own
per please quite rather re really s same second shall she should since so some somebody someone something soon
still such t than thank thanks that the their theirs them themselves then there these they this those though
through thus to together too toward towards under until up upon us use used uses using ve very via was we were
what whatever when where whether which while who whoever whom whose why will with within without would yes yet
you your yours yourself yourselves
"""
FUNCTION_WORDS = frozenset(_FUNCTION_WORDS.split())


@functools.lru_cache(maxsize=20_000)
def stem(word: str) -> str:
    """Return the stem of a word in lower case.

    Examples
    --------
    >>> stem("networks"), stem("thoughtful")
    ('network', 'thought')
    """
    if word.isdigit():
        return word
    # Loaded here: it is thirty languages, a fifth of what importing this package would cost.
    import snowballstemmer  # noqa: PLC0415 - heavy

    # A stemmer of its own for each new word: one stemmer shared by threads would mix their words up.
    return str(snowballstemmer.EnglishStemmer().stemWord(word))
