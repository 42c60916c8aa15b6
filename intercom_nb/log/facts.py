"""What a transaction says: one frozen value for each kind of row, and the statement that writes it.

Facts are built by the router, written by the store, and told to whoever watches the log, in this order.
Times are integers, microseconds since 1970-01-01 UTC.
"""

import functools
import operator
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields
from typing import Any, ClassVar, Literal, TypeAlias

from intercom_nb.agent_spec import AgentSpec
from intercom_nb.log.times import micros
from intercom_nb.messages import Item, Message, item_type

__all__ = [
    "AdminLeft",
    "AdminNamed",
    "AgentVersion",
    "ChatCreated",
    "Closed",
    "Compacted",
    "ContactKnown",
    "Delivered",
    "Fact",
    "Halted",
    "Held",
    "ItemsAdded",
    "MemberJoined",
    "MemberLeft",
    "MetaKept",
    "NoteKept",
    "Noted",
    "Opened",
    "OptionSet",
    "Posted",
    "Reason",
    "Released",
    "Resumed",
    "RunBegan",
    "RunEnded",
    "StepCommitted",
    "StepTaken",
    "Taken",
    "ToolCalled",
    "ToolReturned",
]


Statement = tuple[str, Iterable[Sequence[Any]]]

Reason: TypeAlias = Literal[
    "silent", "said_nothing", "cut_off", "refused", "filtered", "steps", "failed", "stopped", "interrupted"
]
"""Why a run ended; `intercom_nb.texts.reasons` has a sentence for each."""


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
    return _inserting(kind.table, tuple(names)), operator.attrgetter(*names)


@functools.cache
def _inserting(table: str, columns: tuple[str, ...]) -> str:
    """Return the SQL that writes a row into some columns of a table."""
    marks = ", ".join("?" * len(columns))
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks})"  # noqa: S608 - no value is in it


_SPEC = (name for name in AgentSpec.names() if name != "id")
_INSERT_AGENT = _inserting("agents", ("agent_id", "version", "seq", "kind", *_SPEC, "created_at"))


@dataclass(frozen=True, slots=True, eq=False)
class AgentVersion(Fact):
    """An agent or person was added, or is told otherwise from here on: its row is made from its spec."""

    table: ClassVar[str] = "agents"
    agent_id: str
    version: int
    seq: int
    kind: Literal["agent", "person"]
    spec: AgentSpec
    created_at: int

    def statement(self) -> Statement:
        row = self.spec.as_row()
        del row["id"]
        values = (self.agent_id, self.version, self.seq, self.kind, *row.values(), self.created_at)
        return _INSERT_AGENT, (values,)


@dataclass(frozen=True, slots=True, eq=False)
class ChatCreated(Fact):
    """A group chat was created; its admin and its members are facts of their own."""

    table: ClassVar[str] = "chats"
    chat_id: str
    seq: int
    name: str
    description: str
    created_at: int


@dataclass(frozen=True, slots=True, eq=False)
class AdminNamed(Fact):
    """Somebody became the admin of a chat."""

    table: ClassVar[str] = "admins"
    chat_id: str
    agent_id: str
    seq: int


@dataclass(frozen=True, slots=True, eq=False)
class AdminLeft(Fact):
    """A chat's admin is its admin no more."""

    chat_id: str
    until_seq: int

    def statement(self) -> Statement:
        sql = "UPDATE admins SET until_seq = ? WHERE chat_id = ? AND until_seq IS NULL"
        return sql, ((self.until_seq, self.chat_id),)


@dataclass(frozen=True, slots=True, eq=False)
class MemberJoined(Fact):
    """Somebody became a member of a chat."""

    table: ClassVar[str] = "memberships"
    chat_id: str
    agent_id: str
    seq: int


@dataclass(frozen=True, slots=True, eq=False)
class MemberLeft(Fact):
    """Somebody left a chat or was removed from it."""

    chat_id: str
    agent_id: str
    until_seq: int

    def statement(self) -> Statement:
        sql = "UPDATE memberships SET until_seq = ? WHERE chat_id = ? AND agent_id = ? AND until_seq IS NULL"
        return sql, ((self.until_seq, self.chat_id, self.agent_id),)


@dataclass(frozen=True, slots=True, eq=False)
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


@dataclass(frozen=True, slots=True, eq=False)
class Delivered(Fact):
    """A message has these receivers: pending for agents, consumed at once by persons, who have no runs."""

    seq: int
    agent_ids: tuple[str, ...]
    pending: bool

    def statement(self) -> Statement:
        until = None if self.pending else self.seq
        sql = "INSERT INTO deliveries (agent_id, seq, until_seq) VALUES (?, ?, ?)"
        return sql, ((agent_id, self.seq, until) for agent_id in self.agent_ids)


@dataclass(frozen=True, slots=True, eq=False)
class Held(Fact):
    """From this message on, what agents say in a channel waits for a person."""

    table: ClassVar[str] = "holds"
    channel: str
    seq: int


@dataclass(frozen=True, slots=True, eq=False)
class Released(Fact):
    """What waited in a channel is delivered."""

    channel: str
    until_seq: int

    def statement(self) -> Statement:
        sql = "UPDATE holds SET until_seq = ? WHERE channel = ? AND until_seq IS NULL"
        return sql, ((self.until_seq, self.channel),)


@dataclass(frozen=True, slots=True, eq=False)
class Halted(Fact):
    """The service, or one agent, makes no further model call: it was paused, stopped, or met a limit."""

    table: ClassVar[str] = "halts"
    seq: int
    agent_id: str | None
    reason: str
    created_at: int


@dataclass(frozen=True, slots=True, eq=False)
class Resumed(Fact):
    """The service, or one agent, goes on after it was halted for these reasons."""

    until_seq: int
    agent_id: str | None
    reasons: tuple[str, ...]

    def statement(self) -> Statement:
        sql = "UPDATE halts SET until_seq = ? WHERE agent_id IS ? AND reason = ? AND until_seq IS NULL"
        return sql, ((self.until_seq, self.agent_id, reason) for reason in self.reasons)


@dataclass(frozen=True, slots=True, eq=False)
class Taken(Fact):
    """A run consumed deliveries: from here on they are part of its agent's conversation."""

    agent_id: str
    run_id: str
    seqs: tuple[int, ...]
    until_seq: int

    def statement(self) -> Statement:
        sql = "UPDATE deliveries SET until_seq = ?, run_id = ? WHERE agent_id = ? AND seq = ? AND until_seq IS NULL"
        return sql, ((self.until_seq, self.run_id, self.agent_id, seq) for seq in self.seqs)


@dataclass(frozen=True, slots=True, eq=False)
class RunBegan(Fact):
    """An agent began to react; or, with a higher attempt, it goes on with a run that failed or was interrupted."""

    table: ClassVar[str] = "runs"
    run_id: str
    attempt: int
    agent_id: str
    agent_version: int
    seq: int
    began_at: int
    turn_idx: int
    chat_list: str | None


@dataclass(frozen=True, slots=True, eq=False)
class RunEnded(Fact):
    """A run, or one attempt of it, came to its end; `spent` is what its agent has spent by then, as JSON."""

    run_id: str
    attempt: int
    until_seq: int
    ended_at: int
    reason: Reason
    error: str | None
    spent: str

    def statement(self) -> Statement:
        sql = (
            "UPDATE runs SET until_seq = ?, ended_at = ?, reason = ?, error = ?, spent = ? "
            "WHERE run_id = ? AND attempt = ? AND until_seq IS NULL"
        )
        row = (self.until_seq, self.ended_at, self.reason, self.error, self.spent, self.run_id, self.attempt)
        return sql, (row,)


@dataclass(frozen=True, slots=True, eq=False)
class StepTaken(Fact):
    """A model call was made, under these conditions; `waiting_items`: its items, if own tools are to work first."""

    table: ClassVar[str] = "steps"
    run_id: str
    step: int
    attempt: int
    seq: int
    until_seq: int | None
    kind: Literal["answer", "compact"]
    asked: str
    model: str
    settings: str
    fingerprint: str
    response_id: str | None
    input_tokens: int | None
    cached_tokens: int | None
    output_tokens: int | None
    usd: float | None
    latency_s: float | None
    first_token_s: float | None
    repaired: int
    error: str | None
    created_at: int
    waiting_items: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class StepCommitted(Fact):
    """A step whose own tools worked is whole: its items and their outputs are in the conversation."""

    run_id: str
    step: int
    until_seq: int

    def statement(self) -> Statement:
        sql = "UPDATE steps SET until_seq = ? WHERE run_id = ? AND step = ? AND until_seq IS NULL"
        return sql, ((self.until_seq, self.run_id, self.step),)


@dataclass(frozen=True, slots=True, eq=False)
class ItemsAdded(Fact):
    """Items joined an agent's conversation, the first of them at place `idx`; `payloads` are the same as JSON."""

    agent_id: str
    idx: int
    seq: int
    run_id: str
    step: int
    items: tuple[Item, ...]
    payloads: tuple[str, ...]

    def statement(self) -> Statement:
        rows = (
            (self.agent_id, self.idx + n, self.seq, self.run_id, self.step, item_type(item), payload)
            for n, (item, payload) in enumerate(zip(self.items, self.payloads, strict=True))
        )
        return "INSERT INTO items (agent_id, idx, seq, run_id, step, type, payload) VALUES (?, ?, ?, ?, ?, ?, ?)", rows


@dataclass(frozen=True, slots=True, eq=False)
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


@dataclass(frozen=True, slots=True, eq=False)
class ToolCalled(Fact):
    """A tool was called; without an end, its call has begun and nothing more is known."""

    table: ClassVar[str] = "tool_calls"
    run_id: str
    step: int
    n: int
    seq: int
    until_seq: int | None
    call_id: str
    name: str
    source: str
    arguments: str
    began_at: int
    ended_at: int | None = None
    output: str | None = None
    failed: int | None = None


@dataclass(frozen=True, slots=True, eq=False)
class ToolReturned(Fact):
    """A tool of one's own gave its output, or failed."""

    run_id: str
    step: int
    n: int
    until_seq: int
    ended_at: int
    output: str
    failed: int

    def statement(self) -> Statement:
        sql = (
            "UPDATE tool_calls SET until_seq = ?, ended_at = ?, output = ?, failed = ? "
            "WHERE run_id = ? AND step = ? AND n = ? AND until_seq IS NULL"
        )
        return sql, ((self.until_seq, self.ended_at, self.output, self.failed, self.run_id, self.step, self.n),)


@dataclass(frozen=True, slots=True, eq=False)
class ContactKnown(Fact):
    """An agent knows another one from here on: they talked for the first time, or it was found by search."""

    table: ClassVar[str] = "contacts"
    seq: int
    agent_id: str
    contact_id: str
    how: Literal["talked", "found"]


@dataclass(frozen=True, slots=True, eq=False)
class Noted(Fact):
    """Something happened that a person may want to know, in one sentence; or somebody intervened from outside.

    `by_id` is who did it, nobody if the program did; `reason` says why in a word; `data` is what was changed, as JSON.
    """

    table: ClassVar[str] = "events"
    seq: int
    kind: str
    by_id: str | None
    agent_id: str | None
    chat_id: str | None
    run_id: str | None
    reason: str | None
    data: str | None
    text: str
    created_at: int


@dataclass(frozen=True, slots=True, eq=False)
class MetaKept(Fact):
    """What the log says of itself, from here on."""

    table: ClassVar[str] = "meta"
    key: str
    seq: int
    value: str


@dataclass(frozen=True, slots=True, eq=False)
class OptionSet(Fact):
    """What the service is told, from here on; the value is JSON."""

    table: ClassVar[str] = "options"
    name: str
    seq: int
    value: str


@dataclass(frozen=True, slots=True, eq=False)
class Opened(Fact):
    """A process took up the log, with this version of the package and this guideline."""

    table: ClassVar[str] = "openings"
    seq: int
    package: str
    guideline: str
    opened_at: int


@dataclass(frozen=True, slots=True, eq=False)
class Closed(Fact):
    """The process that had the log open let it go; one that was killed leaves this out."""

    seq: int
    until_seq: int
    closed_at: int

    def statement(self) -> Statement:
        sql = "UPDATE openings SET until_seq = ?, closed_at = ? WHERE seq = ? AND until_seq IS NULL"
        return sql, ((self.until_seq, self.closed_at, self.seq),)


@dataclass(frozen=True, slots=True, eq=False)
class NoteKept(Fact):
    """An agent wrote itself a note."""

    table: ClassVar[str] = "notes"
    seq: int
    agent_id: str
    run_id: str
    step: int
    text: str
    created_at: int
