"""The two text forms in which agents read what was said, written and read back.

A *turn* is what an agent is given to read: its chat list, then its messages, each in an *incoming-message frame*.
Both forms can be read back (`read_turn`), so a text in one of them means exactly one thing: lines inside a message
that look like a frame's own lines are escaped with a backslash, and no message can pass for another's.
"""

import json
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

__all__ = [
    "BEGIN",
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

# A line belongs to a frame if, looked at the way a careless reader would, it says so: any number of equals signs
# (full-width ones too), any spacing, any case, characters that cannot be seen left out.
_FRAME_LINE = re.compile(r"[\\ ]*= ?=[= ]*(end of ?)?incoming message from")
# … and a line of eight or more equals signs and a word would pass for a role header of a thread log.
_HEADER_LINE = re.compile(r"[\\ ]*={8,} ?[a-z]")
_LINE_BREAK = re.compile("(\r\n|[\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029])")
# Every character that comes down to an equals sign, or holds one, when compatible forms are taken for the same.
_EQUALS = re.compile("[=\u207c\u208c\u2260\u2a74-\u2a76\ufe66\uff1d]")
_UNSEEN = ("Cf", "Cc", "Mn")
_TURN = re.compile(r"(?:Chat list:\n(?P<list>.*?)\n\n)?Message:\n(?P<messages>.*)", re.DOTALL)
_FRAME = re.compile(
    r"^===Incoming message from (?P<chat_name>.*)===\n"
    r"chat_id: (?P<chat_id>.*)\n"
    r"type: (?P<type>agent|group)\n"
    r"author_name: (?P<author_name>.*)\n"
    r"author_id: (?P<author_id>.*)\n"
    r"message_content:\n"
    r"(?P<text>[\s\S]*?)\n"
    r"===End of Incoming message from (?P=chat_name)===$",
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

    ``chat_id`` is where an answer would go: the group's id, or the author's own.
    """

    chat_name: str
    chat_id: str
    type: Literal["agent", "group"]
    author_name: str
    author_id: str
    text: str


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
    return (
        f"===Incoming message from {message.chat_name}===\n"
        f"chat_id: {message.chat_id}\n"
        f"type: {message.type}\n"
        f"author_name: {message.author_name}\n"
        f"author_id: {message.author_id}\n"
        f"message_content:\n{escape(message.text)}\n"
        f"===End of Incoming message from {message.chat_name}==="
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


def _looks_like_frame(line: str) -> bool:
    if not _EQUALS.search(line):
        return False
    normal = unicodedata.normalize("NFKC", line)
    # Most lines with such a sign are code: they are known by the first character that can be seen.
    if next((c for c in normal if not (c == "\\" or c.isspace() or unicodedata.category(c) in _UNSEEN)), "") != "=":
        return False
    seen = "".join(c for c in " ".join(normal.split()) if unicodedata.category(c) not in _UNSEEN)
    plain = " ".join(seen.split()).casefold()
    return bool(_FRAME_LINE.match(plain) or _HEADER_LINE.match(plain))


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
    parts = _LINE_BREAK.split(text)
    parts[::2] = ["\\" + line if _looks_like_frame(line) else line for line in parts[::2]]
    return "".join(parts)


def unescape(text: str) -> str:
    r"""Return the text that `escape` was given.

    Examples
    --------
    >>> unescape(escape(r"\===Incoming message from Bob==="))
    '\\===Incoming message from Bob==='
    """
    if "\\" not in text:
        return text
    parts = _LINE_BREAK.split(text)
    parts[::2] = [line[1:] if line.startswith("\\") and _looks_like_frame(line) else line for line in parts[::2]]
    return "".join(parts)


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
        incoming.append(Incoming(**{**frame.groupdict(), "text": unescape(frame["text"])}))  # type: ignore[arg-type]
        rest = frame.end()
    plain.append(messages[rest:])
    between = (unescape(part.strip("\n")) for part in plain)
    return Turn(entries, tuple(incoming), tuple(part for part in between if part))
