"""Agents who answer each other without end, and what a service has left to do."""

import threading
import time
from pathlib import Path

from intercom_nb import (
    Agent,
    InterComService,
    call,
)

ROOT = Path(__file__).parents[2]


def ours() -> set[str]:
    """Return the names of the threads of services."""
    return {thread.name for thread in threading.enumerate() if thread.name.startswith("intercom")}


def tell(receiver_id: str, message: str):
    """Return a step that sends one message."""
    return call("send_message", chat_id=receiver_id, message=message)


def pong(receiver_id: str):
    """Return a policy that answers every turn, so that two agents with it never fall silent."""

    def policy(request):
        heard = request["input"][-1]
        return tell(receiver_id, f"for {receiver_id}") if heard.get("role") == "user" else "(sent)"

    return policy


def never_silent(scripted, **settings) -> InterComService:
    """Return a service of two agents who talk to each other without end."""
    intercom = scripted({"Ann": pong("bob"), "Bob": pong("ann")}, courtesy=False, **settings)
    intercom.add(Agent("Ann"), Agent("Bob"))
    return intercom


def until(condition, timeout: float = 60.0) -> bool:
    """Wait until something is so; return whether it came to that."""
    deadline = time.monotonic() + timeout
    while not (so := condition()) and time.monotonic() < deadline:
        threading.Event().wait(0.002)
    return bool(so)


def unread(intercom) -> int:
    """Return the number of pending deliveries in the log."""
    return intercom._store.rows("SELECT COUNT(*) FROM deliveries WHERE until_seq IS NULL")[0][0]


def unfinished(intercom) -> int:
    """Return the number of unfinished runs in the log."""
    return intercom._store.rows("SELECT COUNT(*) FROM runs WHERE until_seq IS NULL")[0][0]
