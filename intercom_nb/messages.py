"""What was said, as frozen values: messages, and the items of a conversation."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, SupportsIndex, overload

from intercom_nb.checks import shown
from intercom_nb.readable import counted, html_table, text_table

__all__ = ["Item", "Message", "Messages", "item_type"]


Item = dict[str, Any]
"""One item of a conversation, a plain dict exactly as sent to the model."""


@dataclass(frozen=True, slots=True)
class Message:
    """One accepted text.

    Attributes
    ----------
    seq : int
        Place in the log; unique, growing.
    id : str
        Short and readable, such as ``m-17``.
    text : str
        What was said, unescaped.
    sender_id : str or None
        The agent or person who said it; None for a text from the program (the word *Begin*).
    receiver_id : str or None
        The one agent or person it was said to; None in a group.
    chat_id : str or None
        The group it was said in; None between two.
    created_at : datetime
        When it was accepted, UTC.
    run_id : str or None
        The run that sent it; None for persons and the program.
    """

    seq: int
    id: str
    text: str
    sender_id: str | None
    receiver_id: str | None
    chat_id: str | None
    created_at: datetime
    run_id: str | None = None

    def __repr__(self) -> str:
        return f"<Message {self.id}, {self._at()}: {self._sender()} → {self._receiver()}: {shown(self.text)}>"

    @property
    def type(self) -> Literal["agent", "group"]:
        """``group`` for a message in a group chat, ``agent`` between two."""
        return "group" if self.chat_id is not None else "agent"

    def _at(self) -> str:
        return f"{self.created_at:%H:%M:%S}"

    def _sender(self) -> str:
        return "(the program)" if self.sender_id is None else self.sender_id

    def _receiver(self) -> str:
        return str(self.chat_id or self.receiver_id)

    def _row(self) -> list[str]:
        return [self.id, self._at(), self._sender(), self._receiver(), self.text]


class Messages(list[Message]):
    """Messages as a list, oldest first, which the last line of a cell shows as a table; times are UTC.

    Examples
    --------
    >>> print(repr(intercom.messages).splitlines()[0])
    4 messages
    """

    @overload
    def __getitem__(self, place: SupportsIndex) -> Message: ...
    @overload
    def __getitem__(self, place: slice) -> "Messages": ...
    def __getitem__(self, place: SupportsIndex | slice) -> "Message | Messages":
        found = super().__getitem__(place)
        return Messages(found) if isinstance(found, list) else found

    def __repr__(self) -> str:
        return text_table(*self._table())

    def _repr_html_(self) -> str:
        return html_table(*self._table())

    def _table(self) -> tuple[str, list[str], list[list[str]]]:
        rows = [message._row() for message in self]  # noqa: SLF001 - of this module
        return counted(len(self), "message"), ["id", "at", "from", "to", "text"], rows


def item_type(item: Item) -> str:
    """Return an item's type as the Responses API names it; ``user`` and ``assistant`` for plain messages."""
    return str(item.get("role") or item.get("type") or "")
