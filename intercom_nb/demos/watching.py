"""What a person at a terminal sees of agents at work: each message as it comes, and who wrote to whom in the end."""

import queue
import re
from collections.abc import Callable, Mapping
from typing import Any

from intercom_nb.analysis import delivery_counts
from intercom_nb.messages import Message
from intercom_nb.service.service import InterComService

__all__ = ["line", "outcome", "shown_plainly", "table", "watched"]

_LOOKS_S = 0.1  # how soon a message is on the screen
# What would move the cursor, hide text or turn it around: nothing that an agent wrote steers a terminal.
_STEERS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def watched(intercom: InterComService, begin: Callable[[], object], show: Callable[[str], None]) -> str:
    """Begin, show each message as it is accepted, and return why the agents stopped.

    Parameters
    ----------
    intercom : InterComService
        A running one.
    begin : callable
        What sets agents to work.
    show : callable
        Called with each line on the calling thread, so that a closed pipe ends the program and not an agent.
    """
    said: queue.SimpleQueue[Message] = queue.SimpleQueue()
    forget = intercom.subscribe(said.put)
    try:
        begin()
        reason = "timeout"
        while reason == "timeout":
            reason = intercom.wait(_LOOKS_S, progress=False)
            while not said.empty():
                show(line(intercom, said.get()))
    finally:
        forget()
    return reason


def line(intercom: InterComService, message: Message) -> str:
    """Return a message as one line of a transcript, in which no character steers the terminal."""
    name = intercom.registry.name_of
    to = name(message.receiver_id)
    if message.sender_id is None:
        return shown_plainly(f"(the program) → {to}\n    {message.text}\n")
    if message.chat_id is not None:
        members = ", ".join(name(member) for member in intercom.registry.chat(message.chat_id).members)
        to = f"group “{name(message.chat_id)}” ({members})"
    return shown_plainly(f"{name(message.sender_id)} → {to}\n    {message.text}\n")


def shown_plainly(text: str) -> str:
    r"""Return a text of which no character steers the terminal it is shown on.

    Examples
    --------
    >>> shown_plainly("red \x1b[31m") == "red \ufffd[31m"
    True
    """
    return _STEERS.sub("\ufffd", text.replace("\r\n", "\n"))


def outcome(intercom: InterComService) -> dict[str, Any]:
    """Return what came of it as one object: what was said, by name, and who wrote to whom."""
    name = intercom.registry.name_of
    return {
        "model": intercom.model,
        "stopped": intercom.reason,
        "log": str(intercom.log),
        "messages": [
            {
                "seq": message.seq,
                "sender": name(message.sender_id),
                "receiver": name(message.receiver_id) or None,
                "chat": name(message.chat_id) or None,
                "type": message.type,
                "text": message.text,
            }
            for message in intercom.messages
            if message.sender_id is not None
        ],
        "who": delivery_counts(intercom),
    }


def table(who: Mapping[str, Mapping[str, int]]) -> str:
    """Return who wrote to whom as a table in plain text."""
    names = list(who)
    first = max(map(len, ["wrote to:", *names]))
    rows = ["  ".join([f"{'wrote to:':<{first}}", *names])]
    rows += [
        "  ".join([f"{sender:<{first}}", *(f"{who[sender].get(name) or '·':>{len(name)}}" for name in names)])
        for sender in names
    ]
    return "\n".join(rows)
