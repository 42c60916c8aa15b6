"""What was said, as frozen values: messages, and the items of a conversation."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

__all__ = ["Item", "Message", "item_type"]


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

    @property
    def type(self) -> Literal["agent", "group"]:
        """``group`` for a message in a group chat, ``agent`` between two."""
        return "group" if self.chat_id is not None else "agent"


def item_type(item: Item) -> str:
    """Return an item's type as the Responses API names it; ``user`` and ``assistant`` for plain messages."""
    return str(item.get("role") or item.get("type") or "")
