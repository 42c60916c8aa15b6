"""What a transaction says: one frozen value for each kind of row, and the statement that writes it.

Facts are built by the router, written by the store, and told to whoever watches the log, in this order.
Times are integers, microseconds since 1970-01-01 UTC.
"""

import functools
import operator
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields
from typing import Any, ClassVar, Literal

from intercom_nb.log.times import micros
from intercom_nb.messages import Item, Message, item_type

__all__ = [
    "AdminChanged",
    "AgentVersion",
    "ChatCreated",
    "Compacted",
    "ContactFound",
    "Delivered",
    "Fact",
    "Held",
    "ItemsAdded",
    "MemberJoined",
    "MemberLeft",
    "NoteKept",
    "Noted",
    "Posted",
    "Released",
    "RunBegan",
    "RunEnded",
    "RunReopened",
    "StepTaken",
    "Taken",
    "ToolCalled",
]


Statement = tuple[str, Iterable[Sequence[Any]]]


class Fact:
    """One row of the log, or a few of a kind."""

    __slots__ = ()
    table: ClassVar[str]

    def statement(self) -> Statement:
        """Return the SQL that writes this fact, and the rows to run it with; by default, itself as one new row."""
        sql, row_of = _insertion(type(self))  # type: ignore[arg-type]
        return sql, (row_of(self),)


@functools.cache
def _insertion(kind: type[Fact]) -> tuple[str, Callable[[Fact], Sequence[Any]]]:
    """Return the SQL that writes facts of a kind as new rows, and what makes a row of one."""
    names = [field.name for field in fields(kind)]  # type: ignore[arg-type]
    marks = ", ".join("?" * len(names))
    sql = f"INSERT INTO {kind.table} ({', '.join(names)}) VALUES ({marks})"  # noqa: S608 - no value is in it
    return sql, operator.attrgetter(*names)


@dataclass(frozen=True, slots=True)
class AgentVersion(Fact):
    """An agent or person was added, or its mission, description or limits changed."""

    table: ClassVar[str] = "agents"
    agent_id: str
    version: int
    seq: int
    kind: Literal["agent", "person"]
    name: str
    description: str
    mission: str
    model: str | None
    tools: str
    mail: str
    created_at: int
    max_runs: float | None = None
    max_tokens: float | None = None
    max_usd: float | None = None
    notes: int = 0
    context: int | None = None
    team: str = ""
    contacts: str | None = None


@dataclass(frozen=True, slots=True)
class ChatCreated(Fact):
    """A group chat was created; its members are facts of their own."""

    table: ClassVar[str] = "chats"
    chat_id: str
    seq: int
    name: str
    description: str
    admin_id: str
    created_at: int


@dataclass(frozen=True, slots=True)
class AdminChanged(Fact):
    """A chat's admin left, and another member took over."""

    seq: int
    chat_id: str
    admin_id: str

    def statement(self) -> Statement:
        return "UPDATE chats SET admin_id = ? WHERE chat_id = ?", ((self.admin_id, self.chat_id),)


@dataclass(frozen=True, slots=True)
class MemberJoined(Fact):
    """Somebody became a member of a chat."""

    table: ClassVar[str] = "memberships"
    chat_id: str
    agent_id: str
    joined_seq: int


@dataclass(frozen=True, slots=True)
class MemberLeft(Fact):
    """Somebody left a chat or was removed from it."""

    chat_id: str
    agent_id: str
    left_seq: int

    def statement(self) -> Statement:
        sql = "UPDATE memberships SET left_seq = ? WHERE chat_id = ? AND agent_id = ? AND left_seq IS NULL"
        return sql, ((self.left_seq, self.chat_id, self.agent_id),)


@dataclass(frozen=True, slots=True)
class Posted(Fact):
    """A message was accepted."""

    message: Message
    key: str | None

    def statement(self) -> Statement:
        m = self.message
        row = (m.seq, m.id, m.chat_id, m.receiver_id, m.sender_id, m.text, m.run_id, micros(m.created_at), self.key)
        sql = (
            "INSERT INTO messages (seq, id, chat_id, receiver_id, sender_id, text, run_id, created_at, key) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
        )
        return sql, (row,)


@dataclass(frozen=True, slots=True)
class Delivered(Fact):
    """A message has these receivers: pending for agents, consumed at once for persons, who have no runs."""

    seq: int
    agent_ids: tuple[str, ...]
    state: Literal["pending", "consumed"]

    def statement(self) -> Statement:
        sql = "INSERT INTO deliveries (agent_id, seq, state) VALUES (?, ?, ?)"
        return sql, ((agent_id, self.seq, self.state) for agent_id in self.agent_ids)


@dataclass(frozen=True, slots=True)
class Held(Fact):
    """From this message on, what agents say in a channel waits for a person."""

    table: ClassVar[str] = "holds"
    channel: str
    held_seq: int


@dataclass(frozen=True, slots=True)
class Released(Fact):
    """What waited in a channel is delivered."""

    channel: str
    released_seq: int

    def statement(self) -> Statement:
        sql = "UPDATE holds SET released_seq = ? WHERE channel = ? AND released_seq IS NULL"
        return sql, ((self.released_seq, self.channel),)


@dataclass(frozen=True, slots=True)
class Taken(Fact):
    """A run consumed deliveries: from here on they are part of its agent's conversation."""

    agent_id: str
    run_id: str
    seqs: tuple[int, ...]

    def statement(self) -> Statement:
        sql = (
            "UPDATE deliveries SET state = 'consumed', run_id = ? WHERE agent_id = ? AND seq = ? AND state = 'pending'"
        )
        return sql, ((self.run_id, self.agent_id, seq) for seq in self.seqs)


@dataclass(frozen=True, slots=True)
class RunBegan(Fact):
    """An agent began to react."""

    table: ClassVar[str] = "runs"
    run_id: str
    agent_id: str
    agent_version: int
    began_seq: int
    began_at: int
    turn_idx: int
    chat_list: str | None


@dataclass(frozen=True, slots=True)
class RunEnded(Fact):
    """A run fell silent, met its limit of steps, or failed."""

    run_id: str
    ended_seq: int
    ended_at: int
    reason: str
    error: str | None = None

    def statement(self) -> Statement:
        return (
            "UPDATE runs SET ended_seq = ?, ended_at = ?, reason = ?, error = ? WHERE run_id = ?",
            ((self.ended_seq, self.ended_at, self.reason, self.error, self.run_id),),
        )


@dataclass(frozen=True, slots=True)
class RunReopened(Fact):
    """A failed run is tried again."""

    run_id: str

    def statement(self) -> Statement:
        sql = (
            "UPDATE runs SET ended_seq = NULL, ended_at = NULL, reason = NULL, error = NULL, attempts = attempts + 1 "
            "WHERE run_id = ?"
        )
        return sql, ((self.run_id,),)


@dataclass(frozen=True, slots=True)
class StepTaken(Fact):
    """A model call was made; `held` are its items while tools of the notebook's owner are still at work."""

    table: ClassVar[str] = "steps"
    run_id: str
    step: int
    seq: int
    model: str
    input_tokens: int | None
    cached_tokens: int | None
    output_tokens: int | None
    usd: float | None
    latency_s: float | None
    error: str | None
    created_at: int
    held: str | None = None
    kind: Literal["answer", "compact"] = "answer"

    def statement(self) -> Statement:
        sql, rows = Fact.statement(self)
        again = " ON CONFLICT (run_id, step) DO UPDATE SET held = NULL, seq = excluded.seq WHERE held IS NOT NULL"
        return sql + again, rows


@dataclass(frozen=True, slots=True)
class ItemsAdded(Fact):
    """Items joined an agent's conversation, the first of them at place `idx`; `payloads` are the same as JSON."""

    agent_id: str
    idx: int
    run_id: str
    step: int
    items: tuple[Item, ...]
    payloads: tuple[str, ...]

    def statement(self) -> Statement:
        rows = (
            (self.agent_id, self.idx + n, self.run_id, self.step, item_type(item), payload)
            for n, (item, payload) in enumerate(zip(self.items, self.payloads, strict=True))
        )
        return "INSERT INTO items (agent_id, idx, run_id, step, type, payload) VALUES (?, ?, ?, ?, ?, ?)", rows


@dataclass(frozen=True, slots=True)
class Compacted(Fact):
    """The items of a conversation before place `until_idx` are no longer sent; the payload is, in their place."""

    table: ClassVar[str] = "compactions"
    agent_id: str
    seq: int
    run_id: str
    until_idx: int
    how: str
    payload: str
    created_at: int


@dataclass(frozen=True, slots=True)
class ToolCalled(Fact):
    """A tool was called; without an output, its call has begun and nothing more is known."""

    table: ClassVar[str] = "tool_calls"
    run_id: str
    step: int
    n: int
    call_id: str
    name: str
    arguments: str
    began_at: int
    ended_at: int | None = None
    output: str | None = None
    failed: int = 0

    def statement(self) -> Statement:
        sql, rows = Fact.statement(self)
        return (
            sql + " ON CONFLICT (run_id, step, n) DO UPDATE SET ended_at = excluded.ended_at, "
            "output = excluded.output, failed = excluded.failed WHERE output IS NULL",
            rows,
        )


@dataclass(frozen=True, slots=True)
class ContactFound(Fact):
    """An agent found another one by search."""

    table: ClassVar[str] = "contacts"
    agent_id: str
    contact_id: str
    seq: int


@dataclass(frozen=True, slots=True)
class Noted(Fact):
    """Something happened that a person may want to know: one sentence."""

    table: ClassVar[str] = "events"
    seq: int
    kind: str
    agent_id: str | None
    chat_id: str | None
    run_id: str | None
    text: str
    created_at: int


@dataclass(frozen=True, slots=True)
class NoteKept(Fact):
    """An agent wrote itself a note."""

    table: ClassVar[str] = "notes"
    seq: int
    agent_id: str
    run_id: str
    step: int
    text: str
    created_at: int
