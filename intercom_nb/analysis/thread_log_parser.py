"""The text of one thread log as values, line by line; ours, and the original prototype's."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from intercom_nb.errors import LogDamagedError
from intercom_nb.texts.turns import MARK, ChatEntry, Incoming, unescape

__all__ = ["Entry", "parse"]

_HEADER = re.compile(r"={20}(?P<role>[a-z][a-z_]*)(?::(?P<id>[^\s=]*))?={20}")
_OPENING = re.compile(rf"===(?:(?P<mark>{MARK}) )?Incoming message from (?P<name>.*)===")
_FIELDS = tuple(re.compile(rf"{name}: ?(.*)") for name in ("chat_id", "type", "author_name", "author_id"))
_CONTENT = re.compile(r"message_content: ?(.*)")
_KEYS = {"id", "name", "description", "type"}


@dataclass(slots=True)
class Entry:
    """One entry of a thread log.

    Attributes
    ----------
    role : str
        ``user`` for a turn, ``assistant``, or the type of another item.
    text : str
        What it says, without the chat list shown with it.
    chat_list : list of ChatEntry
        Of a turn.
    parts : list of Incoming or str
        Of a turn: its messages, in order; a str is a text of the program, such as *Begin*.
    """

    role: str
    text: str = ""
    chat_list: list[ChatEntry] = field(default_factory=list)
    parts: list[Incoming | str] = field(default_factory=list)


def parse(path: Path) -> list[Entry]:
    """Return the entries of a thread log, oldest first.

    Raises
    ------
    LogDamagedError
        If it is not in the form of a thread log; names the file and the line.
    """
    return list(_Lines(path).entries())


class _Lines:
    """The lines of one file, and how far they have been read."""

    def __init__(self, path: Path) -> None:
        self._path = path
        data = path.read_bytes()
        try:
            text = data.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            self._at = data.count(b"\n", 0, error.start)
            raise self._damaged("is not UTF-8") from None
        if _HEADER.fullmatch(text.partition("\r\n")[0]):
            text = text.replace("\r\n", "\n")  # written on Windows
        self._lines = text.removesuffix("\n").split("\n") if text else []
        self._at = 0

    def _damaged(self, what_is_wrong: str, at: int | None = None) -> LogDamagedError:
        line = (self._at if at is None else at) + 1
        return LogDamagedError(self._path, f"line {line} {what_is_wrong}; this is no thread log as it stands")

    @property
    def _line(self) -> str | None:
        return self._lines[self._at] if self._at < len(self._lines) else None

    def entries(self) -> Iterator[Entry]:
        """Give entry after entry."""
        while self._line is not None:
            header = _HEADER.fullmatch(self._line)
            if header is None:
                raise self._damaged("should be a header such as ====================user====================")
            self._at += 1
            entry = Entry(header["role"])
            if entry.role == "user":
                self._read_turn(entry)
            else:
                entry.text = unescape("\n".join(self._until_header()))
            yield entry

    def _is_over(self) -> bool:
        return self._line is None or _HEADER.fullmatch(self._line) is not None

    def _until_header(self) -> list[str]:
        began = self._at
        while not self._is_over():
            self._at += 1
        return self._lines[began : self._at]

    def _read_turn(self, entry: Entry) -> None:
        if self._line == "Chat list:":
            entry.chat_list = self._chat_list()
        began = self._at
        if self._line == "Message:":
            self._at += 1
        plain: list[str] = []
        while not self._is_over():
            opening = _OPENING.fullmatch(self._line or "")
            if opening is None:
                plain.append(self._line or "")
                self._at += 1
            else:
                _end_plain(entry, plain)
                entry.parts.append(self._frame(opening["name"], opening["mark"] or ""))
        _end_plain(entry, plain)
        entry.text = "\n".join(self._lines[began : self._at])

    def _chat_list(self) -> list[ChatEntry]:
        """Read a chat list, one JSON object a line or one array, up to the line that says Message."""
        began = self._at
        while self._line != "Message:":
            if self._is_over():
                raise self._damaged("begins a chat list that no line 'Message:' ends", began)
            self._at += 1
        lines = [(n, self._lines[n]) for n in range(began + 1, self._at) if self._lines[n].strip()]
        whole = "\n".join(line for _, line in lines)
        if whole.lstrip().startswith("["):
            return self._decoded(lines[0][0], whole)
        return [entry for n, line in lines for entry in self._decoded(n, line)]

    def _decoded(self, at: int, text: str) -> list[ChatEntry]:
        try:
            found = json.loads(text)
        except ValueError as error:
            raise self._damaged(f"is no JSON ({error}), and a chat list is", at) from None
        entries = found if isinstance(found, list) else [found]
        for entry in entries:
            if not isinstance(entry, dict) or not entry.keys() >= _KEYS or entry["type"] not in ("agent", "group"):
                raise self._damaged("should be an object of id, name, description and type (agent or group)", at)
        return [
            ChatEntry(**{**{key: str(entry[key]) for key in ("id", "name", "description")}, "type": entry["type"]})
            for entry in entries
        ]

    def _frame(self, name: str, mark: str) -> Incoming:
        """Read an incoming message, from its first line to its last."""
        began = self._at
        found: list[str] = []
        for expected in _FIELDS:
            self._at += 1
            match = expected.fullmatch(self._line or "")
            if match is None:
                raise self._damaged(f"should begin {expected.pattern.partition(':')[0]!r}, as a message's frame does")
            found.append(match[1])
        chat_id, kind, author_name, author_id = found
        if kind not in ("agent", "group"):
            raise self._damaged(f"says the type is {kind!r}; right would be agent or group", began + 2)
        self._at += 1
        content = _CONTENT.fullmatch(self._line or "")
        if content is None:
            raise self._damaged("should read 'message_content:', as a message's frame does")
        lines = [content[1]] if content[1] else []
        self._at += 1
        while not self._ends(name, mark):
            if self._line is None:
                raise self._damaged(f"begins a message from {name} that never ends", began)
            lines.append(self._line)
            self._at += 1
        self._at += 1
        text = unescape("\n".join(lines))
        return Incoming(name, chat_id, "group" if kind == "group" else "agent", author_name, author_id, text, mark)

    def _ends(self, name: str, mark: str) -> bool:
        """Say whether this line ends the message.

        Without a mark, one inside its text may look the same, but text goes on after it.
        """
        if mark:
            return self._line == f"==={mark} End of Incoming message from {name}==="
        if self._line != f"===End of Incoming message from {name}===":
            return False
        after = self._lines[self._at + 1] if self._at + 1 < len(self._lines) else ""
        return not after or bool(_HEADER.fullmatch(after) or _OPENING.fullmatch(after))


def _end_plain(entry: Entry, plain: list[str]) -> None:
    """Add the lines read so far that are in no frame as a text of the program, if they say anything."""
    text = "\n".join(plain).strip("\n")
    plain.clear()
    if text:
        entry.parts.append(unescape(text))
