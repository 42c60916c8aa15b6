"""The tables of the log. Keys carry the guarantees: what must not happen cannot be written down.

A second delivery of a message to the same receiver, a second unfinished run of an agent, a step committed twice and a
repeated idempotency key each violate a key. Columns are flat; times are microseconds since 1970-01-01 UTC.

One counter, ``seq``, numbers everything that is written; ``until_seq`` says where what a row tells of ended. Nothing is
ever overwritten: an update turns NULL into a value, once, in the columns that `ENDINGS` names. Keys begin with what
grows, so that a commit writes a few pages. Why: ``docs/design/one_log.md``; what columns mean: ``docs/log.md``.
"""

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from functools import cache
from types import MappingProxyType
from typing import NamedTuple

__all__ = [
    "CLOCK",
    "CONTENT",
    "ENDINGS",
    "HALF_STATES",
    "LAST_SEQ",
    "LONG_WAIT",
    "META",
    "PROCESS",
    "SCHEMA",
    "TABLES",
    "VERSION",
    "Column",
    "as_of",
    "columns_of",
    "described",
]

VERSION = 2

LONG_WAIT = (
    10_000  # places; mail that waits longer has an index of its own, so that what waited at a place is found fast
)

TABLES = (
    "meta", "places", "openings", "options", "agents", "chats", "admins", "memberships", "messages", "deliveries",
    "holds", "halts", "runs", "steps", "items", "compactions", "notes", "contacts", "tool_calls", "events",
)  # fmt: skip

SCHEMA = f"""
CREATE TABLE meta (key TEXT PRIMARY KEY, seq INTEGER NOT NULL, value TEXT NOT NULL) STRICT;
CREATE TABLE places (
    seq INTEGER PRIMARY KEY, at INTEGER NOT NULL, messages INTEGER NOT NULL, runs INTEGER NOT NULL,
    steps INTEGER NOT NULL, tokens INTEGER NOT NULL, usd REAL NOT NULL, unpriced INTEGER NOT NULL,
    seconds REAL NOT NULL) STRICT;
CREATE TABLE openings (
    seq INTEGER PRIMARY KEY, until_seq INTEGER, package TEXT NOT NULL, guideline TEXT NOT NULL,
    opened_at INTEGER NOT NULL, closed_at INTEGER) STRICT;
CREATE TABLE options (
    name TEXT NOT NULL, seq INTEGER NOT NULL, value TEXT NOT NULL, PRIMARY KEY (name, seq)) STRICT;
CREATE TABLE agents (
    agent_id TEXT NOT NULL, version INTEGER NOT NULL, seq INTEGER NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('agent', 'person')), name TEXT NOT NULL, description TEXT NOT NULL,
    mission TEXT NOT NULL, model TEXT, settings TEXT NOT NULL, tools TEXT NOT NULL, mail TEXT NOT NULL,
    begins INTEGER NOT NULL, limits TEXT, notes INTEGER NOT NULL, context INTEGER, team TEXT NOT NULL, contacts TEXT,
    data TEXT NOT NULL, created_at INTEGER NOT NULL, PRIMARY KEY (agent_id, version)) STRICT;
CREATE TABLE chats (
    chat_id TEXT PRIMARY KEY, seq INTEGER NOT NULL, name TEXT NOT NULL, description TEXT NOT NULL,
    created_at INTEGER NOT NULL) STRICT;
CREATE TABLE admins (
    chat_id TEXT NOT NULL REFERENCES chats, agent_id TEXT NOT NULL, seq INTEGER NOT NULL, until_seq INTEGER,
    PRIMARY KEY (chat_id, seq)) STRICT;
CREATE UNIQUE INDEX one_admin ON admins (chat_id) WHERE until_seq IS NULL;
CREATE TABLE memberships (
    chat_id TEXT NOT NULL REFERENCES chats, agent_id TEXT NOT NULL, seq INTEGER NOT NULL, until_seq INTEGER,
    PRIMARY KEY (chat_id, agent_id, seq)) STRICT;
CREATE UNIQUE INDEX one_membership ON memberships (chat_id, agent_id) WHERE until_seq IS NULL;
CREATE TABLE messages (
    seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, chat_id TEXT REFERENCES chats, receiver_id TEXT, sender_id TEXT,
    text TEXT NOT NULL, run_id TEXT, created_at INTEGER NOT NULL, key TEXT,
    CHECK ((chat_id IS NULL) <> (receiver_id IS NULL))) STRICT;
CREATE UNIQUE INDEX one_key ON messages (key, run_id IS NULL) WHERE key IS NOT NULL;
CREATE INDEX remarks ON messages (receiver_id, key, seq) WHERE sender_id IS NULL AND run_id IS NOT NULL;
CREATE INDEX talks ON messages (sender_id, receiver_id) WHERE sender_id IS NOT NULL AND receiver_id IS NOT NULL;
CREATE TABLE deliveries (
    agent_id TEXT NOT NULL, seq INTEGER NOT NULL REFERENCES messages, until_seq INTEGER, run_id TEXT,
    PRIMARY KEY (seq, agent_id)) STRICT, WITHOUT ROWID;
CREATE INDEX inbox ON deliveries (seq, agent_id) WHERE until_seq IS NULL;
CREATE INDEX waited ON deliveries (until_seq, seq) WHERE until_seq > seq + {LONG_WAIT};
CREATE TABLE holds (
    channel TEXT NOT NULL, seq INTEGER NOT NULL, until_seq INTEGER, PRIMARY KEY (channel, seq)) STRICT;
CREATE UNIQUE INDEX one_hold ON holds (channel) WHERE until_seq IS NULL;
CREATE TABLE halts (
    seq INTEGER PRIMARY KEY, until_seq INTEGER, agent_id TEXT, reason TEXT NOT NULL, created_at INTEGER NOT NULL)
    STRICT;
CREATE UNIQUE INDEX one_halt ON halts (COALESCE(agent_id, ''), reason) WHERE until_seq IS NULL;
CREATE TABLE runs (
    run_id TEXT NOT NULL, attempt INTEGER NOT NULL, agent_id TEXT NOT NULL, agent_version INTEGER NOT NULL,
    seq INTEGER NOT NULL, until_seq INTEGER, began_at INTEGER NOT NULL, ended_at INTEGER, turn_idx INTEGER NOT NULL,
    chat_list TEXT,
    reason TEXT CHECK (reason IN ('silent', 'said_nothing', 'cut_off', 'refused', 'filtered', 'steps', 'failed',
        'stopped', 'interrupted')),
    error TEXT, spent TEXT, PRIMARY KEY (run_id, attempt)) STRICT;
CREATE UNIQUE INDEX one_run ON runs (agent_id) WHERE until_seq IS NULL;
CREATE INDEX runs_of ON runs (agent_id, seq);
CREATE TABLE steps (
    run_id TEXT NOT NULL, step INTEGER NOT NULL, attempt INTEGER NOT NULL, seq INTEGER NOT NULL, until_seq INTEGER,
    kind TEXT NOT NULL CHECK (kind IN ('answer', 'compact')), asked TEXT NOT NULL, model TEXT NOT NULL,
    settings TEXT NOT NULL, fingerprint TEXT NOT NULL, response_id TEXT, input_tokens INTEGER, cached_tokens INTEGER,
    output_tokens INTEGER, usd REAL, latency_s REAL, first_token_s REAL, repaired INTEGER NOT NULL, error TEXT,
    created_at INTEGER NOT NULL, waiting_items TEXT, PRIMARY KEY (run_id, step)) STRICT;
CREATE TABLE items (
    agent_id TEXT NOT NULL, idx INTEGER NOT NULL, seq INTEGER NOT NULL, run_id TEXT NOT NULL, step INTEGER NOT NULL,
    type TEXT NOT NULL, payload TEXT NOT NULL, PRIMARY KEY (agent_id, idx)) STRICT;
CREATE TABLE compactions (
    agent_id TEXT NOT NULL, seq INTEGER NOT NULL, run_id TEXT NOT NULL, until_idx INTEGER NOT NULL,
    how TEXT NOT NULL CHECK (how IN ('compacted', 'summary', 'dropped')), payload TEXT NOT NULL,
    created_at INTEGER NOT NULL, PRIMARY KEY (agent_id, seq)) STRICT;
CREATE TABLE notes (
    seq INTEGER PRIMARY KEY, agent_id TEXT NOT NULL, run_id TEXT NOT NULL, step INTEGER NOT NULL, text TEXT NOT NULL,
    created_at INTEGER NOT NULL) STRICT;
CREATE TABLE contacts (
    seq INTEGER PRIMARY KEY, agent_id TEXT NOT NULL, contact_id TEXT NOT NULL,
    how TEXT NOT NULL CHECK (how IN ('talked', 'found'))) STRICT;
CREATE TABLE tool_calls (
    run_id TEXT NOT NULL, step INTEGER NOT NULL, n INTEGER NOT NULL, seq INTEGER NOT NULL, until_seq INTEGER,
    call_id TEXT NOT NULL, name TEXT NOT NULL, source TEXT NOT NULL, arguments TEXT NOT NULL,
    began_at INTEGER NOT NULL, ended_at INTEGER, output TEXT, failed INTEGER, PRIMARY KEY (run_id, step, n)) STRICT;
CREATE TABLE events (
    seq INTEGER PRIMARY KEY, kind TEXT NOT NULL, by_id TEXT, agent_id TEXT, chat_id TEXT, run_id TEXT, reason TEXT,
    data TEXT, text TEXT NOT NULL, created_at INTEGER NOT NULL) STRICT;
"""

ENDINGS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "openings": ("until_seq", "closed_at"),
        "admins": ("until_seq",),
        "memberships": ("until_seq",),
        "deliveries": ("until_seq", "run_id"),
        "holds": ("until_seq",),
        "halts": ("until_seq",),
        "runs": ("until_seq", "ended_at", "reason", "error", "spent"),
        "steps": ("until_seq",),
        "tool_calls": ("until_seq", "ended_at", "output", "failed"),
    }
)
"""What is filled in at the end of what a row tells of; all other columns are written once, with the row."""

CLOCK: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "places": frozenset({"at", "seconds"}),
        "openings": frozenset({"opened_at", "closed_at"}),
        "agents": frozenset({"created_at"}),
        "chats": frozenset({"created_at"}),
        "messages": frozenset({"created_at"}),
        "halts": frozenset({"created_at"}),
        "runs": frozenset({"began_at", "ended_at"}),
        "steps": frozenset({"latency_s", "first_token_s", "created_at"}),
        "compactions": frozenset({"created_at"}),
        "notes": frozenset({"created_at"}),
        "tool_calls": frozenset({"began_at", "ended_at"}),
        "events": frozenset({"created_at"}),
    }
)
"""The columns that tell a time or how long something took: two runs of the same society differ in them."""

PROCESS: Mapping[str, frozenset[str]] = MappingProxyType(
    {"openings": frozenset({"package"}), "steps": frozenset({"response_id"})}
)
"""The columns that tell who wrote the log, or which process of a server answered."""

CONTENT: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        table: frozenset(columns.split())
        for table, columns in {
            "meta": "key seq value",
            "places": "seq messages runs steps tokens usd unpriced",
            "openings": "seq until_seq guideline",
            "options": "name seq value",
            "agents": "agent_id version seq kind name description mission model settings tools mail begins limits "
            "notes context team contacts data",
            "chats": "chat_id seq name description",
            "admins": "chat_id agent_id seq until_seq",
            "memberships": "chat_id agent_id seq until_seq",
            "messages": "seq id chat_id receiver_id sender_id text run_id key",
            "deliveries": "agent_id seq until_seq run_id",
            "holds": "channel seq until_seq",
            "halts": "seq until_seq agent_id reason",
            "runs": "run_id attempt agent_id agent_version seq until_seq turn_idx chat_list reason error spent",
            "steps": "run_id step attempt seq until_seq kind asked model settings fingerprint input_tokens "
            "cached_tokens output_tokens usd repaired error waiting_items",
            "items": "agent_id idx seq run_id step type payload",
            "compactions": "agent_id seq run_id until_idx how payload",
            "notes": "seq agent_id run_id step text",
            "contacts": "seq agent_id contact_id how",
            "tool_calls": "run_id step n seq until_seq call_id name source arguments output failed",
            "events": "seq kind by_id agent_id chat_id run_id reason data text",
        }.items()
    }
)
"""All other columns: what was said and done, and under which conditions. Two logs that agree in them are equal."""

META: Mapping[str, str] = MappingProxyType(
    {
        "name": "content",
        "schema": "content",
        "fence": "content",
        "created_at": "clock",
        "log_id": "process",
        "process": "process",
        "parent": "process",
        "place": "process",
        "ancestors": "process",
    }
)
"""What the values of ``meta`` are, by key: of a log, not all of them make it another one."""

LAST_SEQ = "SELECT COALESCE(MAX(seq), 0) FROM places"

# Each finds rows that no sequence of whole transactions can leave behind.
HALF_STATES = {
    "a delivery without its message": "SELECT 1 FROM deliveries WHERE seq NOT IN (SELECT seq FROM messages) LIMIT 1",
    "a message without a delivery": "SELECT 1 FROM messages WHERE seq NOT IN (SELECT seq FROM deliveries) LIMIT 1",
    "a conversation with a gap": "SELECT 1 FROM items GROUP BY agent_id HAVING COUNT(*) <> MAX(idx) + 1 LIMIT 1",
    "a step without its run": "SELECT 1 FROM steps LEFT JOIN runs USING (run_id) WHERE agent_id IS NULL LIMIT 1",
    "a message after the last place": f"SELECT 1 FROM messages WHERE seq > ({LAST_SEQ}) LIMIT 1",  # noqa: S608 - ours
}


class Column(NamedTuple):
    """A column of a table: its name, SQLite's type, whether it may be NULL, its place in the key (0 if in none)."""

    name: str
    kind: str
    optional: bool
    key: int


@cache
def described(table: str) -> tuple[Column, ...]:
    """Return the columns of a table, in order."""
    with closing(sqlite3.connect(":memory:")) as empty:
        empty.executescript(SCHEMA)
        rows = empty.execute(f"PRAGMA table_info({table})").fetchall()
    return tuple(Column(name, kind, not (filled or key), key) for _, name, kind, filled, _, key in rows)


def columns_of(table: str) -> tuple[str, ...]:
    """Return the names of a table's columns, in order.

    Examples
    --------
    >>> columns_of("holds")
    ('channel', 'seq', 'until_seq')
    """
    return tuple(column.name for column in described(table))


def as_of(place: int, tables: Mapping[str, tuple[str, ...]]) -> str:
    r"""Return a WITH clause in which each of some tables is what it was at a place of the log.

    Parameters
    ----------
    place : int
        The end of a transaction.
    tables : mapping of str to tuple of str
        The tables that a query reads, and their columns.

    Examples
    --------
    >>> as_of(7, {"meta": ("key", "value")})
    'WITH meta AS NOT MATERIALIZED (SELECT key, value FROM main.meta WHERE seq <= 7)\n'
    """
    parts = []
    for table, columns in tables.items():
        endings = ENDINGS.get(table, ())
        shown = ", ".join(
            f"CASE WHEN until_seq <= {place:d} THEN {column} END AS {column}" if column in endings else column
            for column in columns
        )
        parts.append(f"{table} AS NOT MATERIALIZED (SELECT {shown} FROM main.{table} WHERE seq <= {place:d})")  # noqa: S608 - names of ours
    return f"WITH {', '.join(parts)}\n" if parts else ""
