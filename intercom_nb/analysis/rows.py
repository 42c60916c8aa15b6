"""What the measures and pictures look at: the rows they need of one log, all of one moment, as plain values."""

from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from intercom_nb.analysis.colours import colours
from intercom_nb.analysis.reading import Source, Until, check_not_read, logs_of, read_tables
from intercom_nb.analysis.tables import TABLES, Frames
from intercom_nb.analysis.teams import By, teams_of
from intercom_nb.log.door import as_damage

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

__all__ = ["Delivery", "LogRows", "MemberRow", "Membership", "Post", "RunRow", "Step", "read_rows", "stacked"]


class MemberRow(NamedTuple):
    """An agent or a person; of a state by teams, also a team."""

    agent_id: str
    name: str
    kind: str
    team: str


class ChatRow(NamedTuple):
    """A group chat."""

    chat_id: str
    name: str


class Membership(NamedTuple):
    """Somebody's time in a chat, as places in the log."""

    chat_id: str
    agent_id: str
    joined_seq: int | None
    left_seq: int | None


class Post(NamedTuple):
    """An accepted message; its time is microseconds since 1970-01-01 UTC, None where a log of text does not say."""

    seq: int
    message_id: str
    chat_id: str | None
    receiver_id: str | None
    sender_id: str | None
    run_id: str | None
    created_at: int | None
    text: str


class Delivery(NamedTuple):
    """One message for one receiver."""

    receiver_id: str
    seq: int
    state: str
    run_id: str | None


class RunRow(NamedTuple):
    """An agent's reaction; times are microseconds since 1970-01-01 UTC."""

    run_id: str
    agent_id: str
    began_at: int
    ended_at: int | None
    reason: str | None


class Step(NamedTuple):
    """A model call; its time is when it was answered, microseconds since 1970-01-01 UTC."""

    run_id: str
    agent_id: str
    step: int
    seq: int
    input_tokens: int | None
    cached_tokens: int | None
    output_tokens: int | None
    usd: float | None
    latency_s: float | None
    created_at: int
    error: str | None

    @property
    def tokens(self) -> int:
        """Input and output tokens; those a server did not count are none."""
        return (self.input_tokens or 0) + (self.output_tokens or 0)

    @property
    def price(self) -> float:
        """US dollars; NaN if it is not known, 0 for a call that failed, for nothing was charged that we know of."""
        if self.usd is not None:
            return self.usd
        return float("nan") if self.error is None else 0.0


class Event(NamedTuple):
    """Something a person may want to know."""

    kind: str
    reason: str | None


_ROWS: Mapping[str, type[Any]] = {
    "agents": MemberRow,
    "chats": ChatRow,
    "memberships": Membership,
    "messages": Post,
    "deliveries": Delivery,
    "runs": RunRow,
    "steps": Step,
    "events": Event,
}
_Row = TypeVar("_Row")


@dataclass(frozen=True, slots=True)
class LogRows:
    """One state of one log.

    Attributes
    ----------
    members : dict of MemberRow
        By id, in the order they were added.
    chats : dict of str
        Id to name, in the order they were created.
    painted : dict of str
        Each member's colour, by id: the same one in a picture of a part.
    memberships, messages, deliveries, runs, steps, events : list
        Rows, oldest first.
    sizes : dict of int
        Of a state by teams: how many members each team has, by its id.
    """

    members: dict[str, MemberRow]
    painted: dict[str, str]
    chats: dict[str, str]
    memberships: list[Membership]
    messages: list[Post]
    deliveries: list[Delivery]
    runs: list[RunRow]
    steps: list[Step]
    events: list[Event]
    sizes: dict[str, int] = field(default_factory=dict)

    @property
    def names(self) -> dict[str, str]:
        """The members' names by id, in the order they were added."""
        return {member.agent_id: member.name for member in self.members.values()}

    @property
    def said(self) -> list[Post]:
        """The messages of members: texts of the program (*Begin*) have no sender."""
        return [message for message in self.messages if message.sender_id is not None]

    @property
    def is_text(self) -> bool:
        """Whether it was read back from text, which has no times, and no runs, steps or costs either."""
        return bool(self.messages) and all(message.created_at is None for message in self.messages)

    def pairs(self) -> list[tuple[Post, Delivery]]:
        """Return each delivery of a member's message, with the message, oldest first."""
        posts = {message.seq: message for message in self.said}
        return [(posts[delivery.seq], delivery) for delivery in self.deliveries if delivery.seq in posts]

    def grouped(self, by: By) -> "LogRows":
        """Return the same with each team as one member, who writes to itself where its members write to each other."""
        teams = dict(zip(self.members, teams_of((one.team for one in self.members.values()), by), strict=True))
        if not any(teams.values()):
            return self
        ids = {one: f"team {team}" if team else one for one, team in teams.items()}  # no id has a space
        members = {
            ids[one]: MemberRow(ids[one], teams[one], "team", teams[one]) if teams[one] else member
            for one, member in self.members.items()
        }
        return replace(
            self,
            members=members,
            painted=_painted(members),
            sizes=dict(Counter(ids[one] for one, team in teams.items() if team)),
            memberships=_renamed(self.memberships, ids, "agent_id"),
            messages=_renamed(self.messages, ids, "sender_id", "receiver_id"),
            deliveries=_renamed(self.deliveries, ids, "receiver_id"),
            runs=_renamed(self.runs, ids, "agent_id"),
            steps=_renamed(self.steps, ids, "agent_id"),
        )

    def busiest(self, most: int) -> "LogRows":
        """Return the part about the members who wrote and heard most; of no more members than that, all of it.

        Those who neither wrote nor heard are left out then, unless nobody did.
        """
        if len(self.members) <= most:
            return self
        pairs = self.pairs()
        counts = Counter(one for message, delivery in pairs for one in (message.sender_id, delivery.receiver_id))
        first = sorted((one for one in self.members if counts[one]), key=lambda one: -counts[one])
        ids = set(first[:most] or list(self.members)[:most])
        kept = [(post, delivery) for post, delivery in pairs if {post.sender_id, delivery.receiver_id} <= ids]
        seqs = {post.seq for post, _ in kept}
        return replace(
            self,
            members={one: member for one, member in self.members.items() if one in ids},
            messages=[message for message in self.messages if message.seq in seqs],
            deliveries=[delivery for _, delivery in kept],
            runs=[run for run in self.runs if run.agent_id in ids],
            steps=[step for step in self.steps if step.agent_id in ids],
        )


def _painted(members: Mapping[str, MemberRow]) -> dict[str, str]:
    of_names = colours(member.name for member in members.values())
    return {one: of_names[member.name] for one, member in members.items()}


def _renamed(rows: list[Any], ids: Mapping[str, str], *columns: str) -> list[Any]:
    return [row._replace(**{c: ids.get(getattr(row, c), getattr(row, c)) for c in columns}) for row in rows]


def read_rows(source: "Source", until: "Until" = None) -> LogRows:
    """Return the rows of a log, as it was at a place.

    Raises
    ------
    LogError
        If it is missing or damaged.
    ValueError
        If it is not a single log.
    """
    by_log = _rows_by_log(source, until)
    if len(by_log) != 1:
        raise ValueError(f"this looks at one log, not at {len(by_log)}: {', '.join(by_log)}")
    return next(iter(by_log.values()))


def stacked(source: "Source", build: "Callable[[LogRows], pd.DataFrame]", until: "Until" = None) -> "pd.DataFrame":
    """Return a frame built of each log; of several logs, one below the other with a first column ``log``."""
    import pandas as pd

    built = {name: build(rows) for name, rows in _rows_by_log(source, until).items()}
    for name, frame in built.items():
        if name:
            frame.insert(0, "log", pd.Series([name] * len(frame), index=frame.index, dtype="string[pyarrow]"))
    frames = list(built.values())
    return frames[0] if len(frames) == 1 else pd.concat(frames, ignore_index=frames[0].index.name is None)


def _rows_by_log(source: "Source", until: "Until") -> dict[str, LogRows]:
    """Return the rows of each log, by what the column ``log`` calls it; by an empty name if it is a single one."""
    if isinstance(source, Frames):
        check_not_read(until)
        return _of_frames(source)
    wanted = {name: TABLES[name] for name in _ROWS}
    found = {}
    for name, log in logs_of(source).items():
        with as_damage(log) if isinstance(log, Path) else nullcontext():
            found[name] = _log_rows(read_tables(log, wanted, until))
    return found


def _of_frames(frames: Frames) -> dict[str, LogRows]:
    import pyarrow as pa

    logs = (list(frames.agents.log.unique()) if "log" in frames.agents else []) or [""]
    by_log = {}
    for log in logs:
        parts = {name: getattr(frames, name) for name in _ROWS}
        if log:
            parts = {name: frame[frame.log == log] for name, frame in parts.items()}
        tables = {
            name: pa.Table.from_pandas(parts[name][list(row._fields)], preserve_index=False)
            for name, row in _ROWS.items()
        }
        by_log[log] = _log_rows(tables)
    return by_log


def _log_rows(tables: "Mapping[str, pa.Table]") -> LogRows:
    rows = {name: _rows(tables[name], row) for name, row in _ROWS.items()}
    rows["members"] = {member.agent_id: member for member in rows.pop("agents")}
    rows["painted"] = _painted(rows["members"])
    rows["chats"] = dict(rows["chats"])
    rows["deliveries"].sort(key=lambda delivery: delivery.seq)
    return LogRows(**rows)


def _rows(table: "pa.Table", row: type[_Row]) -> Any:
    import pyarrow as pa

    columns = []
    for name in row._fields:  # type: ignore[attr-defined]
        column = table.column(name)
        if pa.types.is_timestamp(column.type):
            column = column.cast(pa.timestamp("us", tz="UTC")).cast(pa.int64())
        columns.append(column.to_pylist())
    return [row(*values) for values in zip(*columns, strict=True)]
