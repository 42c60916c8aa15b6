"""Names, ids and texts as people and models write them: checked, cleaned, and the nearest of those that exist."""

import re
import unicodedata
from collections.abc import Callable, Iterable

from intercom_nb.checks import wrong_type
from intercom_nb.errors import InvalidNameError, SharedNameError
from intercom_nb.texts.lookalikes import unseen

__all__ = [
    "Names",
    "checked_id",
    "checked_name",
    "checked_text",
    "clean",
    "code_name",
    "code_text",
    "nearest",
    "plain_name",
    "slug",
]


_ID = re.compile(r"[^\s\"'`]{1,100}")
_CHAT_ID = re.compile(r"chat-\d+")
_WORD = re.compile(r"[^\W_]+")

_LONGEST_NAME = 200  # characters; it stands in every frame


def clean(text: str) -> str:
    """Return text that UTF-8 can carry: halves of characters (lone surrogates) become replacement marks.

    Models and tools do write such text now and then; nothing can store or send it.
    """
    return text if text.isascii() else text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def checked_text(text: object, what: str) -> str:
    """Return a text that can be stored.

    Raises
    ------
    TypeError
        If it is no str.
    ValueError
        If it holds half a character (a lone surrogate).
    """
    if not isinstance(text, str):
        raise wrong_type(what, text, "a str")
    if clean(text) != text:
        msg = f"{what} holds half a character (a lone surrogate), which no file can keep: {ascii(text)[:60]}"
        raise ValueError(msg)
    return text


def checked_name(name: object, *, kind: str = "agent") -> str:
    """Return a name that can stand in a frame: trimmed, one line, something to see.

    Raises
    ------
    InvalidNameError
        If it is empty, longer than 200 characters, or has a line break, another control character or one that nobody
        sees.
    """
    if not isinstance(name, str):
        raise InvalidNameError(name, f"is no text: the name of a {kind} is a str")
    trimmed = name.strip()
    if trimmed and len(trimmed) <= _LONGEST_NAME and trimmed.isascii() and trimmed.isprintable():
        return trimmed  # nearly every name; what may be wrong with others takes a look at each character
    if clean(trimmed) != trimmed:
        raise InvalidNameError(ascii(name), "holds half a character (a lone surrogate), which no file can keep")
    if not any(unicodedata.category(c)[0] in "LNPS" for c in trimmed):
        raise InvalidNameError(name, f"is empty: give the {kind} a name of at least one letter or digit")
    if any(unicodedata.category(c) in ("Cc", "Zl", "Zp") for c in trimmed):
        raise InvalidNameError(name, f"has a line break or control character: the name of a {kind} is one line")
    if blank := unseen(trimmed):
        what = f"U+{ord(blank):04X} {unicodedata.name(blank, '')}".strip()
        raise InvalidNameError(name, f"has a character that nobody sees ({what}): leave it out of the {kind}'s name")
    if len(trimmed) > _LONGEST_NAME:
        raise InvalidNameError(
            trimmed[:20] + "…", f"has {len(trimmed)} characters; at most {_LONGEST_NAME} are allowed"
        )
    return trimmed


def slug(name: str) -> str:
    """Return an id made from a name: lower case, words joined by hyphens.

    Examples
    --------
    >>> slug("Marketing Expert")
    'marketing-expert'
    """
    plain = unicodedata.normalize("NFKC", name).casefold()
    words = _WORD.findall(plain)
    made = "-".join(words)[:60].rstrip("-") or "agent"
    # "chat" too: the second of that name would be chat-2.
    return f"agent-{made}" if made == "chat" or _CHAT_ID.fullmatch(made) else made


def checked_id(agent_id: object) -> str:
    """Return an id that models can copy.

    Raises
    ------
    InvalidNameError
        If it has spaces or quotes, or is one of the ids that chats get.
    """
    if not isinstance(agent_id, str) or not _ID.fullmatch(agent_id) or not agent_id.isprintable():
        raise InvalidNameError(agent_id, "cannot be an id: an id has no spaces or quotes, such as 'marketing-expert'")
    if _CHAT_ID.fullmatch(agent_id):
        raise InvalidNameError(agent_id, "cannot be an agent's id: chat-1, chat-2, … are the ids of chats")
    return agent_id


def plain_name(written: str) -> str:
    """Return a tool's name or an id without what models wrap around it: spaces, quotes, a ``functions.`` prefix."""
    return written.strip().strip("\"'`“”‘’").strip().removeprefix("functions.").strip()


class Names:
    """Who answers to what somebody wrote: people, models and folders are all understood alike.

    An id counts before a name; both are taken whole, in any case, and without the quotes models put around them. The
    nearest guess never counts.

    Examples
    --------
    >>> names = Names([("founder", "Founder"), ("chat-1", "Plan"), ("chat-2", "Plan")])
    >>> names.find("FOUNDER"), names.find("plan."), names.answering("plan")
    ('founder', None, ['chat-1', 'chat-2'])
    """

    def __init__(self, named: Iterable[tuple[str, str]] = ()) -> None:
        self._ids: dict[str, str] = {}
        self._names: dict[str, dict[str, None]] = {}
        for one_id, name in named:
            self.add(one_id, name)

    def add(self, one_id: str, name: str) -> None:
        """Let an id and its name be known."""
        self._ids[one_id.casefold()] = one_id
        self._names.setdefault(name.casefold(), {})[one_id] = None

    def drop(self, one_id: str, name: str) -> None:
        """Let them be known no longer."""
        self._ids.pop(one_id.casefold(), None)
        self._names.get(name.casefold(), {}).pop(one_id, None)

    def answering(self, written: object, among: Callable[[str], bool] = lambda _: True) -> list[str]:
        """Return the ids that something written means: several only where several have that name.

        Parameters
        ----------
        written : object
            What somebody wrote; what is no text means nobody.
        among : callable, optional
            Whether an id counts.
        """
        if not isinstance(written, str):
            return []
        for key in dict.fromkeys([written.casefold(), plain_name(written).casefold()]):
            one_id = self._ids.get(key)
            if one_id is not None and among(one_id):
                return [one_id]
            if found := [one for one in self._names.get(key, ()) if among(one)]:
                return found
        return []

    def find(self, written: object, among: Callable[[str], bool] = lambda _: True) -> str | None:
        """Return the one id that something written means; None if nobody answers to it.

        Raises
        ------
        SharedNameError
            If several do.
        """
        found = self.answering(written, among)
        if len(found) > 1:
            raise SharedNameError(written, found)
        return found[0] if found else None


def code_text(name: str) -> str:
    """Return how a function or an assistant stands where only its name can be kept: in a log or a folder.

    Examples
    --------
    >>> code_text("scripted"), code_name("scripted()"), code_name("gpt-5-mini")
    ('scripted()', 'scripted', '')
    """
    return f"{name}()"


def code_name(text: str | None) -> str:
    """Return the name of what only code can give, written by `code_text`; empty for any other text."""
    return text[:-2] if text is not None and text.endswith("()") else ""


def nearest(written: str, known: Iterable[str], most: int, *, at_least: float = 0.0) -> list[str]:
    """Return the names that look most like what was written, best first; the order of their words counts little.

    Parameters
    ----------
    written : str
        What somebody wrote.
    known : iterable of str
        What would be right.
    most : int
        How many to return.
    at_least : float, default 0
        The lowest score, 0 to 100.

    Examples
    --------
    >>> nearest("expert_marketting", ["network-engineer", "marketing-expert"], 1)
    ['marketing-expert']
    """
    from rapidfuzz import fuzz, process, utils  # noqa: PLC0415 - 7 ms that most services never need

    found = process.extract(
        written[:_LONGEST_NAME],
        list(known),  # of a mapping it would compare the values
        scorer=fuzz.token_ratio,
        processor=utils.default_process,
        limit=most,
        score_cutoff=at_least,
    )
    return [name for name, _, _ in found]
