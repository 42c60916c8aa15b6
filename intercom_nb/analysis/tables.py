"""What each frame holds, as values: its columns with their kinds, and the query that fetches its rows from a log."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal, NamedTuple

from intercom_nb.log.schema import TABLES as STORED
from intercom_nb.log.schema import as_of, columns_of
from intercom_nb.readable import counted, html_table, text_table

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["ALL_VERSIONS", "NAMES", "TABLES", "Column", "Frames", "Kind", "Table"]

Kind = Literal["text", "count", "time", "number", "flag"]


class Column(NamedTuple):
    """A column of a frame.

    Attributes
    ----------
    name : str
        As the frame has it.
    kind : {"text", "count", "time", "number", "flag"}
        Of its values; times are stored as microseconds since 1970-01-01 UTC.
    of : str
        The column whose ids this one names; empty for a column the query fetches itself.
    """

    name: str
    kind: Kind
    of: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """A frame before it is read.

    Attributes
    ----------
    columns : tuple of Column
        In the order of the frame.
    sql : str
        Fetches the columns that name nothing, in that order, its rows in the frame's order.
    """

    columns: tuple[Column, ...]
    sql: str

    def at(self, place: int | None) -> str:
        """Return the query as of a place of the log: each table that it reads, as it was then; as it is for None."""
        if place is None:
            return self.sql
        read = set(re.findall(r"\b(?:FROM|JOIN) (\w+)", self.sql))
        return as_of(place, {name: columns_of(name) for name in STORED if name in read}) + self.sql

    @property
    def fetched(self) -> tuple[Column, ...]:
        """The columns the query fetches."""
        return tuple(column for column in self.columns if not column.of)


@dataclass(frozen=True, slots=True)
class Frames:
    """The twelve frames of one or more logs, all of one moment; taken by every function here in place of a log.

    Made by `read_frames` and `read_thread_logs`; each attribute is what the function of that name with ``_df`` returns.
    """

    agents: "pd.DataFrame"
    chats: "pd.DataFrame"
    memberships: "pd.DataFrame"
    messages: "pd.DataFrame"
    deliveries: "pd.DataFrame"
    runs: "pd.DataFrame"
    steps: "pd.DataFrame"
    tool_calls: "pd.DataFrame"
    items: "pd.DataFrame"
    events: "pd.DataFrame"
    options: "pd.DataFrame"
    halts: "pd.DataFrame"

    def __repr__(self) -> str:
        return text_table(*self._table())

    def _repr_html_(self) -> str:
        return html_table(*self._table())

    def _table(self) -> tuple[str, list[str], list[list[str]]]:
        of = [counted(len(getattr(self, f"{one}s")), one) for one in ("agent", "chat", "message")]
        frames = {field.name: getattr(self, field.name) for field in fields(self)}
        rows = [[name, f"{len(frame):,}", ", ".join(map(str, frame.columns))] for name, frame in frames.items()]
        return f"Frames of {', '.join(of)}", ["frame", "rows", "columns"], rows


_KINDS: Mapping[str, Kind] = MappingProxyType(
    {"t": "text", "n": "count", "at": "time", "x": "number", "is": "flag"},
)


def _table(columns: str, sql: str) -> Table:
    """Return a table; its columns are written ``name:kind``, or ``name<ids`` where it names those ids."""
    found = []
    for word in columns.split():
        name, _, ids = word.partition("<")
        name, _, kind = name.partition(":")
        found.append(Column(name, "text" if ids else _KINDS[kind], ids))
    return Table(tuple(found), sql)


NAMES = Table(
    (Column("id", "text"), Column("name", "text")),
    "SELECT agent_id, name FROM (SELECT agent_id, name, MIN(seq) FROM agents GROUP BY agent_id) "
    "UNION ALL SELECT chat_id, name FROM chats",
)

_AGENTS = (
    "agent_id:t name:t kind:t team:t description:t mission:t model:t settings:t tools:t mail:t begins:is max_runs:n "
    "max_tokens:n max_usd:x notes:is context:n contacts:t data:t version:n seq:n created_at:at added_at:at"
)
_AGENT = (
    "agent_id, name, kind, team, description, mission, model, settings, "
    "COALESCE((SELECT GROUP_CONCAT(value, ' ') FROM json_each(tools)), '') AS tools, mail, begins, "
    "CAST(limits ->> '$.runs' AS INTEGER), CAST(limits ->> '$.tokens' AS INTEGER), CAST(limits ->> '$.usd' AS REAL), "
    "notes, context, contacts, data, version, seq, created_at, added_at"
)
_VERSIONS = """
SELECT *, MIN(created_at) OVER same AS added_at, MIN(seq) OVER same AS added, MAX(version) OVER same AS newest
FROM agents WINDOW same AS (PARTITION BY agent_id)
"""

ALL_VERSIONS = _table(_AGENTS, f"SELECT {_AGENT} FROM ({_VERSIONS}) ORDER BY added, version")  # noqa: S608

# A total is known only where every model call that was answered is: the rest would pass for all.
_SPENT = ", ".join(
    f"CASE WHEN COUNT({name}) = SUM(error IS NULL) THEN SUM({name}) END AS {name}"
    for name in ("input_tokens", "cached_tokens", "output_tokens", "usd")
)

# When something was written: the end of the transaction that it is in.
_AT = "(SELECT at FROM places WHERE places.seq >= {} ORDER BY places.seq LIMIT 1)"

TABLES: Mapping[str, Table] = MappingProxyType(
    {
        "agents": _table(
            _AGENTS,
            f"SELECT {_AGENT} FROM ({_VERSIONS}) WHERE version = newest ORDER BY added",  # noqa: S608
        ),
        "chats": _table(
            "chat_id:t name:t description:t admin_id:t admin<admin_id n_members:n seq:n created_at:at",
            """
            SELECT chat_id, name, description,
                (SELECT agent_id FROM admins WHERE admins.chat_id = chats.chat_id ORDER BY seq DESC LIMIT 1),
                (SELECT COUNT(*) FROM memberships AS m WHERE m.chat_id = chats.chat_id AND m.until_seq IS NULL),
                seq, created_at
            FROM chats ORDER BY seq""",
        ),
        "memberships": _table(
            "chat_id:t chat<chat_id agent_id:t agent<agent_id joined_seq:n left_seq:n joined_at:at left_at:at",
            f"""
            SELECT chat_id, agent_id, seq, until_seq, {_AT.format("m.seq")},
                CASE WHEN until_seq IS NOT NULL THEN {_AT.format("m.until_seq")} END
            FROM memberships AS m ORDER BY seq""",  # noqa: S608 - made of literals
        ),
        "messages": _table(
            "seq:n message_id:t created_at:at sender<sender_id receiver<receiver_id chat<chat_id text:t "
            "sender_id:t receiver_id:t chat_id:t run_id:t",
            "SELECT seq, id, created_at, text, sender_id, receiver_id, chat_id, run_id FROM messages ORDER BY seq",
        ),
        "deliveries": _table(
            "seq:n message_id:t created_at:at sender<sender_id receiver<receiver_id chat<chat_id state:t "
            "consumed_at:at latency_s:x sender_id:t receiver_id:t chat_id:t run_id:t consumed_seq:n",
            """
            SELECT d.seq, m.id, m.created_at, CASE WHEN d.until_seq IS NULL THEN 'pending' ELSE 'consumed' END,
                p.at, (p.at - m.created_at) / 1e6, m.sender_id, d.agent_id, m.chat_id, d.run_id,
                CASE WHEN d.run_id IS NOT NULL THEN d.until_seq END
            FROM deliveries AS d JOIN messages AS m USING (seq)
                LEFT JOIN places AS p ON d.run_id IS NOT NULL AND p.seq =
                    (SELECT MIN(seq) FROM places WHERE places.seq >= d.until_seq)
            ORDER BY d.seq, d.agent_id""",
        ),
        "runs": _table(
            "run_id:t agent_id:t agent<agent_id agent_version:n began_seq:n ended_seq:n began_at:at ended_at:at "
            "duration_s:x reason:t error:t attempts:n n_steps:n n_received:n n_sent:n input_tokens:n cached_tokens:n "
            "output_tokens:n usd:x turn_idx:n chat_list:t",
            f"""
            SELECT f.run_id, f.agent_id, f.agent_version, f.seq, l.until_seq, f.began_at, l.ended_at,
                (l.ended_at - f.began_at) / 1e6, l.reason, l.error, l.attempt, COALESCE(n_steps, 0),
                COALESCE(n_received, 0), COALESCE(n_sent, 0), input_tokens, cached_tokens, output_tokens, usd,
                f.turn_idx, f.chat_list
            FROM runs AS f
                JOIN (SELECT run_id, MAX(attempt) AS attempt FROM runs GROUP BY run_id) AS n ON n.run_id = f.run_id
                JOIN runs AS l ON l.run_id = f.run_id AND l.attempt = n.attempt
                LEFT JOIN (SELECT run_id, COUNT(*) AS n_steps, {_SPENT} FROM steps GROUP BY run_id) AS s
                    ON s.run_id = f.run_id
                LEFT JOIN (SELECT run_id, COUNT(*) AS n_received FROM deliveries GROUP BY run_id) AS d
                    ON d.run_id = f.run_id
                LEFT JOIN (SELECT run_id, COUNT(sender_id) AS n_sent FROM messages GROUP BY run_id) AS m
                    ON m.run_id = f.run_id
            WHERE f.attempt = 1 ORDER BY f.seq""",  # noqa: S608 - made of literals
        ),
        "steps": _table(
            "run_id:t step:n seq:n agent_id:t agent<agent_id kind:t asked:t model:t settings:t input_tokens:n "
            "cached_tokens:n output_tokens:n usd:x latency_s:x first_token_s:x repaired:is error:t is_waiting:is "
            "attempt:n response_id:t fingerprint:t created_at:at",
            """
            SELECT run_id, step, s.seq, agent_id, kind, asked, model, settings, input_tokens, cached_tokens,
                output_tokens, usd, latency_s, first_token_s, repaired, s.error, s.until_seq IS NULL, s.attempt,
                response_id, fingerprint, created_at
            FROM steps AS s JOIN runs AS r USING (run_id) WHERE r.attempt = 1 ORDER BY s.seq""",
        ),
        "tool_calls": _table(
            "run_id:t step:n n:n call_id:t agent_id:t agent<agent_id tool:t source:t arguments:t output:t is_failed:is "
            "began_at:at ended_at:at duration_s:x",
            """
            SELECT run_id, step, n, call_id, agent_id, name, source, arguments, output, COALESCE(failed, 0), c.began_at,
                c.ended_at, (c.ended_at - c.began_at) / 1e6
            FROM tool_calls AS c JOIN runs AS r USING (run_id) WHERE r.attempt = 1 ORDER BY r.seq, step, n""",
        ),
        "items": _table(
            "agent_id:t agent<agent_id idx:n run_id:t step:n type:t text:t payload:t",
            """
            SELECT agent_id, idx, run_id, step, type,
                COALESCE(payload ->> '$.content', payload ->> '$.output', payload ->> '$.arguments'), payload
            FROM items ORDER BY agent_id, idx""",
        ),
        "events": _table(
            "seq:n kind:t by_id:t by<by_id agent_id:t agent<agent_id chat_id:t chat<chat_id run_id:t reason:t data:t "
            "text:t created_at:at",
            "SELECT seq, kind, by_id, agent_id, chat_id, run_id, reason, data, text, created_at "
            "FROM events ORDER BY seq",
        ),
        "options": _table(
            "seq:n name:t value:t set_at:at is_newest:is",
            f"""
            SELECT seq, name, value, {_AT.format("o.seq")},
                NOT EXISTS (SELECT 1 FROM options AS l WHERE l.name = o.name AND l.seq > o.seq)
            FROM options AS o ORDER BY seq""",  # noqa: S608 - made of literals
        ),
        "halts": _table(
            "seq:n agent_id:t agent<agent_id reason:t began_at:at ended_at:at ended_seq:n",
            f"""
            SELECT seq, agent_id, reason, created_at,
                CASE WHEN until_seq IS NOT NULL THEN {_AT.format("h.until_seq")} END, until_seq
            FROM halts AS h ORDER BY seq""",  # noqa: S608 - made of literals
        ),
    }
)
