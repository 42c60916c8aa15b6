"""A message said otherwise: a branch in which somebody had said something else, and everything before is as it was.

What an agent said is the argument of a call in a step: the step is written again, with that argument changed, and all
else that its model had answered. What a person or the program said is said again in other words.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from intercom_nb.checks import shown, wrong_type
from intercom_nb.errors import LogError
from intercom_nb.log.reading import Query
from intercom_nb.log.transaction import Transaction
from intercom_nb.messages import Item
from intercom_nb.models import RecordedCall, Reply, calls_between, reply_of
from intercom_nb.routing.router import Router
from intercom_nb.runs.agent_state import AgentState
from intercom_nb.runs.step import Steps
from intercom_nb.texts.names import checked_text

__all__ = ["Said", "checked_say", "said_at"]

_MESSAGE = "SELECT seq, text, sender_id, receiver_id, chat_id, run_id, key FROM messages WHERE id = ?"
_AROUND = "SELECT MAX(CASE WHEN seq < ?1 THEN seq END), MIN(CASE WHEN seq >= ?1 THEN seq END) FROM places"
_STEP = "SELECT step, seq FROM steps WHERE run_id = ? AND until_seq > ? AND until_seq <= ?"
_CALL = "SELECT n FROM tool_calls WHERE run_id = ? AND step = ? AND seq > ? ORDER BY seq LIMIT 1"
_CHAT = "SELECT name, description FROM chats WHERE chat_id = ? AND seq > ? AND seq <= ?"
_MEMBERS = "SELECT agent_id FROM memberships WHERE chat_id = ? AND seq > ? AND seq <= ? ORDER BY seq"


@dataclass(frozen=True, slots=True)
class _Message:
    """One message, and what is said in its place."""

    id: str
    seq: int
    was: str
    sender_id: str | None
    receiver_id: str | None
    chat_id: str | None
    run_id: str | None
    key: str | None
    text: str


@dataclass(frozen=True, slots=True)
class Said:
    """What is said otherwise in one transaction.

    Attributes
    ----------
    place : int
        The end of the transaction before it.
    messages : tuple of _Message
        Which.
    call : RecordedCall or None
        The step of an agent's that said them.
    changed : mapping of int to str
        Of its tool calls, those that said them → what they say.
    made : tuple or None
        Name, description and members of a chat that was created with the message.
    """

    place: int
    messages: tuple[_Message, ...]
    call: RecordedCall | None
    changed: Mapping[int, str]
    made: tuple[str, str, tuple[str, ...]] | None

    @property
    def step(self) -> tuple[str, int] | None:
        """The run and the number of the step; None where no agent said it."""
        return None if self.call is None else (self.call.run_id, self.call.step)

    def write(self, tx: Transaction, router: Router, steps: Steps, states: Mapping[str, AgentState]) -> None:
        """Say it, and note that it was edited; the conversation of who said it is in memory."""
        if self.call is not None:
            state = states[self.call.agent_id]
            run = state.run
            if run is None:
                raise LogError(None, f"{self.call.run_id} is not under way before {self.messages[0].id}")
            run.fingerprint = self.call.fingerprint
            steps.write(tx, state, run, _changed(reply_of(self.call), self.changed))
        else:
            self._say(tx, router)
        for one in self.messages:
            who = one.sender_id or "the program"
            told = (
                f"{one.id} of {who} was edited: here it says something else than in the log that this one branched off"
            )
            data = json.dumps({"message": one.id, "was": one.was, "is": one.text}, ensure_ascii=False)
            tx.note("message_edited", told, agent_id=one.sender_id, chat_id=one.chat_id, run_id=one.run_id, data=data)

    def _say(self, tx: Transaction, router: Router) -> None:
        one = self.messages[0]
        receiver_id = one.chat_id or str(one.receiver_id)
        if self.made is not None:
            name, about, members = self.made
            receiver_id = router.create_chat(tx, members[0], members[1:], name=name, description=about).id
        router.post(tx, one.text, receiver_id, one.sender_id, key=one.key)


def checked_say(say: object) -> Mapping[str, str]:
    """Return what is to be said otherwise, checked.

    Raises
    ------
    TypeError, ValueError
        If it is no dict of ids of messages and texts.
    """
    if say is None:
        return {}
    right = "a dict of messages and what they say instead: {'m-12': 'another text'}"
    if not isinstance(say, Mapping) or not all(isinstance(part, str) for pair in say.items() for part in pair):
        raise wrong_type("say", say, right)
    if not say:
        raise ValueError(f"say={shown(say)}: it is empty; it should be {right}, or be left out")
    return {checked_text(message_id, "say"): text for message_id, text in say.items()}


def said_at(query: Query, say: Mapping[str, str]) -> Said:
    """Return where some messages were said, and how they were.

    Raises
    ------
    LogError
        If there is no such message.
    ValueError
        If they were not said together, or nobody said one.
    """
    messages = sorted((_message(query, message_id, text) for message_id, text in say.items()), key=lambda one: one.seq)
    first = messages[0]
    ((before, end),) = query(_AROUND, first.seq)
    for one in messages:
        if one.sender_id is None and one.run_id is not None:
            raise ValueError(
                f"say={{{one.id!r}: …}}: it is a remark of the program's; right would be what somebody said"
            )
        if one.seq > end:
            raise ValueError(
                f"say= takes what was said in one step: {one.id} was said after {first.id}; fork, and fork the fork"
            )
    if first.run_id is None:
        return Said(before, tuple(messages), None, {}, _made(query, first, before, end))
    ((step, since),) = query(_STEP, first.run_id, before, end)
    made = calls_between(query, since - 1, end)
    call = next(one for one in made if (one.run_id, one.step) == (first.run_id, step))
    changed = {query(_CALL, first.run_id, step, one.seq)[0][0]: one.text for one in messages}
    return Said(before, tuple(messages), call, changed, None)


def _message(query: Query, message_id: str, text: str) -> _Message:
    rows = query(_MESSAGE, message_id)
    if not rows:
        raise LogError(None, f"it has no message {message_id!r} that could be said otherwise")
    seq, was, sender_id, receiver_id, chat_id, run_id, key = rows[0]
    return _Message(message_id, seq, was, sender_id, receiver_id, chat_id, run_id, key, text)


def _made(query: Query, message: _Message, before: int, end: int) -> tuple[str, str, tuple[str, ...]] | None:
    found = query(_CHAT, message.chat_id, before, end)
    if not found:
        return None
    members = tuple(agent_id for (agent_id,) in query(_MEMBERS, message.chat_id, before, end))
    return (*found[0], members)


def _changed(reply: Reply, texts: Mapping[int, str]) -> Reply:
    """Return an answer in which some calls say something else."""
    calls, items, n = list(reply.calls), list[Item](), 0
    for item in reply.items:
        if item.get("type") == "function_call":
            if n in texts:
                arguments = _saying(calls[n].arguments, texts[n])
                calls[n] = replace(calls[n], arguments=arguments)
                item = {**item, "arguments": arguments}  # noqa: PLW2901 - the same item, changed
            n += 1
        items.append(item)
    return replace(reply, items=tuple(items), calls=tuple(calls))


def _saying(arguments: str, text: str) -> str:
    given: dict[str, Any] = json.loads(arguments)
    name = next((one for one in given if one.casefold() == "message"), "message")
    return json.dumps({**given, name: text}, ensure_ascii=False)
