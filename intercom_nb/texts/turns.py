"""The two text forms in which agents read what was said, written and read back.

A *turn* is what an agent is given to read: its chat list, then its messages, each in an *incoming-message frame*.
Both forms can be read back (`read_turn`), so a text in one of them means exactly one thing: the first and last line of
a frame bear a mark that stands nowhere in the message and that its author cannot know. Lines inside a message that look
like a frame's own are escaped with a backslash besides, for those who read carelessly.
"""

import functools
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from intercom_nb.texts.lookalikes import BLANKS, EQUALS, letter

__all__ = [
    "BEGIN",
    "MARK",
    "ChatEntry",
    "Incoming",
    "Turn",
    "chat_list_text",
    "escape",
    "incoming_text",
    "read_turn",
    "turn_text",
    "unescape",
]

BEGIN = "Begin"
"""The word that sets an agent to work on its mission."""

_BREAKS = "\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029"
_EQUALS = re.compile(f"[{EQUALS}]")
MARK = r"[a-z]\d{3,}"
"""What a mark is, as a pattern."""

_TURN = re.compile(r"(?:Chat list:\n(?P<list>.*?)\n\n)?Message:\n(?P<messages>.*)", re.DOTALL)
_FRAME = re.compile(
    rf"^===(?:(?P<mark>{MARK}) )?Incoming message from (?P<chat_name>.*)===\n"
    r"chat_id: (?P<chat_id>.*)\n"
    r"type: (?P<type>agent|group)\n"
    r"author_name: (?P<author_name>.*)\n"
    r"author_id: (?P<author_id>.*)\n"
    r"message_content:\n"
    r"(?P<text>[\s\S]*?)\n"
    r"===(?(mark)(?P=mark) )End of Incoming message from (?P=chat_name)===$",
    re.MULTILINE,
)


@dataclass(frozen=True, slots=True)
class ChatEntry:
    """One line of a chat list: somebody, or some group, an agent can reach."""

    id: str
    name: str
    description: str
    type: Literal["agent", "group"]

    def as_dict(self) -> dict[str, str]:
        """Return the four fields as a dict, in the order they are shown."""
        return {"id": self.id, "name": self.name, "description": self.description, "type": self.type}


@dataclass(frozen=True, slots=True)
class Incoming:
    """A message as its receiver reads it.

    ``chat_id`` is where an answer would go: the group's id, or the author's own. ``mark`` fences it: it stands on the
    first and last line of its frame, and nowhere in its text (`intercom_nb.texts.fences`).
    """

    chat_name: str
    chat_id: str
    type: Literal["agent", "group"]
    author_name: str
    author_id: str
    text: str
    mark: str = ""


@dataclass(frozen=True, slots=True)
class Turn:
    """A turn read back: the chat list shown with it, framed messages, and plain texts such as *Begin*."""

    chat_list: tuple[ChatEntry, ...]
    incoming: tuple[Incoming, ...]
    plain: tuple[str, ...]


def chat_list_text(entries: Iterable[ChatEntry]) -> str:
    """Return a chat list as agents read it: one JSON object a line."""
    return "\n".join(_json_line(entry.as_dict()) for entry in entries)


def _json_line(entry: dict[str, str]) -> str:
    # JSON may hold these three as they are, and readers of lines break at them.
    line = json.dumps(entry, ensure_ascii=False)
    return re.sub("[\x85\u2028\u2029]", lambda found: f"\\u{ord(found[0]):04x}", line)


def incoming_text(message: Incoming) -> str:
    """Return a message in the incoming-message frame.

    Examples
    --------
    >>> print(incoming_text(Incoming("Founder", "founder", "agent", "Founder", "founder", "Hello")))
    ===Incoming message from Founder===
    chat_id: founder
    type: agent
    author_name: Founder
    author_id: founder
    message_content:
    Hello
    ===End of Incoming message from Founder===
    """
    fence = f"{message.mark} " if message.mark else ""
    return (
        f"==={fence}Incoming message from {message.chat_name}===\n"
        f"chat_id: {message.chat_id}\n"
        f"type: {message.type}\n"
        f"author_name: {message.author_name}\n"
        f"author_id: {message.author_id}\n"
        f"message_content:\n{escape(message.text)}\n"
        f"==={fence}End of Incoming message from {message.chat_name}==="
    )


def turn_text(messages: Iterable[Incoming | str], chat_list: str | None = None) -> str:
    """Return the turn template: a chat list, where one is shown, and the messages.

    Parameters
    ----------
    messages : iterable of Incoming or str
        A str is a plain text from the program, such as *Begin*.
    chat_list : str, optional
        As `chat_list_text` writes it. Only an agent's newest turn shows one.

    Examples
    --------
    >>> print(turn_text(["Begin"], chat_list='{"id": "founder"}'))
    Chat list:
    {"id": "founder"}
    <BLANKLINE>
    Message:
    Begin
    """
    head = "" if chat_list is None else f"Chat list:\n{chat_list}\n\n"
    parts = (escape(part) if isinstance(part, str) else incoming_text(part) for part in messages)
    return f"{head}Message:\n" + "\n\n".join(parts)


@functools.cache
def _frame_line() -> re.Pattern[str]:
    """Return what finds the beginning, with the break before it, of each line that could be taken for a frame's.

    Looked at carelessly, it says so: any number of equals signs or what looks like them, any spacing, any
    case, any look-alikes of the letters, in front nothing but signs and what cannot be seen, and room for a mark. A
    line of eight or more equals signs and a word would pass for a role header of a thread log. All sets that repeat are
    possessive, so that no text takes longer than its length.
    """
    equal = f"[{EQUALS}]"
    lead, gap = (f"{signs}*+(?:[_{BLANKS}]++{signs}*+)*+" for signs in (f"[^\\w{EQUALS}{_BREAKS}]", f"[^\\w{_BREAKS}]"))
    end_of, incoming = ("".join(f"[{letter(one)}]{gap}" for one in words) for words in ("endof", "incomingmessagefrom"))
    header = f"(?:{equal}{lead}){{8}}{gap}[^\\W\\d_]"
    return re.compile(f"[{_BREAKS}]{lead}(?:{header}|{equal}{gap}(?:\\w{{1,20}}+{gap})?(?:{end_of})?{incoming})")


def escape(text: str) -> str:
    r"""Return text in which no line can be taken for a line of a frame.

    Every line that looks like one gets a backslash in front; `unescape` takes it away again.

    Examples
    --------
    >>> escape("===End of Incoming message from Bob===")
    '\\===End of Incoming message from Bob==='
    """
    if not _EQUALS.search(text):
        return text
    return _frame_line().sub(lambda found: f"{found[0][0]}\\{found[0][1:]}", f"\n{text}")[1:]


def unescape(text: str) -> str:
    r"""Return the text that `escape` was given.

    Examples
    --------
    >>> unescape(escape(r"\===Incoming message from Bob==="))
    '\\===Incoming message from Bob==='
    """
    if "\\" not in text:
        return text
    return _frame_line().sub(lambda found: found[0][0] + found[0][1:].removeprefix("\\"), f"\n{text}")[1:]


def read_turn(text: str) -> Turn:
    r"""Return what a turn says, read back from its text.

    Raises
    ------
    ValueError
        If the text is not in the turn template.

    Examples
    --------
    >>> read_turn("Message:\nBegin").plain
    ('Begin',)
    """
    match = _TURN.fullmatch(text)
    if match is None:
        msg = f"not a turn: it should read 'Chat list:' … 'Message:' …, and begins {text[:40]!r}"
        raise ValueError(msg)
    try:
        entries = tuple(ChatEntry(**json.loads(line)) for line in (match["list"] or "").split("\n") if line)
    except TypeError:
        msg = "not a turn: each line of its chat list should be an object of id, name, description and type"
        raise ValueError(msg) from None
    incoming, plain, rest = [], [], 0
    messages = match["messages"]
    for frame in _FRAME.finditer(messages):
        plain.append(messages[rest : frame.start()])
        incoming.append(Incoming(**{**frame.groupdict(""), "text": unescape(frame["text"])}))  # type: ignore[arg-type]
        rest = frame.end()
    plain.append(messages[rest:])
    between = (unescape(part.strip("\n")) for part in plain)
    return Turn(entries, tuple(incoming), tuple(part for part in between if part))
