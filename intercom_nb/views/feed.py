"""The facts of a log as a view is told them: all of it, what is new, what has changed. Plain values, ready for JSON.

Every row has a key, so a view that is told one twice is none the wiser. Rows are read from the log when they are
sent, never kept: what is sent later is never older than what was sent before.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from intercom_nb.analysis import colours
from intercom_nb.log.facts import (
    AdminNamed,
    AgentVersion,
    ChatCreated,
    Fact,
    MemberJoined,
    MemberLeft,
    RunBegan,
    RunEnded,
    StepTaken,
)
from intercom_nb.log.reading import Query
from intercom_nb.views.before import EVERYTHING, Before, first_of_newest, kept_runs, sums_before

__all__ = [
    "LONGEST",
    "NEWEST",
    "TEXTS",
    "Changed",
    "Facts",
    "all_facts",
    "changed_facts",
    "facts_since",
    "is_much",
    "last_seq",
    "newest_facts",
    "older_facts",
    "texts_between",
]

Facts: TypeAlias = dict[str, list[Any]]

LONGEST = 20_000  # characters of one text; the rest is sent when somebody asks for it
LONGEST_EVENT = 1_000  # characters of one event
NEWEST = 500  # messages that a page begins with, and runs and events likewise
TEXTS = 500  # messages sent with their texts at once
ROOM = 250_000  # bytes of all texts that are sent at once

# The order of the columns is the order of the wire: js/src/wire/facts.js gives each its name on the other side.
_AGENTS = """
SELECT a.agent_id, name, kind, description, mission, first, model, team, a.seq FROM agents AS a
JOIN (SELECT agent_id, MAX(version) AS version, MIN(seq) AS first FROM agents GROUP BY agent_id)
    AS newest ON a.agent_id = newest.agent_id AND a.version = newest.version
ORDER BY first
"""
_CHATS = """
SELECT chat_id, name, description,
    (SELECT agent_id FROM admins WHERE admins.chat_id = chats.chat_id ORDER BY seq DESC LIMIT 1), seq FROM chats
"""
_MEMBERSHIPS = "SELECT chat_id, agent_id, seq, until_seq FROM memberships"
_MESSAGES = """
SELECT seq, id, created_at / 1000, sender_id, COALESCE(chat_id, receiver_id), run_id, CASE WHEN seq >= ? THEN text END,
    LENGTH(text)
FROM messages WHERE seq > ? AND seq < ? ORDER BY seq
"""
# A price is unknown if one of its answered calls has none; then the whole run has none.
_RUNS = """
SELECT first.run_id, first.agent_id, first.seq, first.began_at / 1000, last.until_seq, last.ended_at / 1000,
    last.reason, COALESCE(tokens, 0), CASE WHEN COALESCE(unknown, 0) = 0 THEN COALESCE(usd, 0.0) END, COALESCE(steps, 0)
FROM runs AS first JOIN runs AS last ON last.run_id = first.run_id
    AND last.attempt = (SELECT MAX(attempt) FROM runs WHERE run_id = first.run_id) LEFT JOIN (
    SELECT run_id, SUM(COALESCE(input_tokens, 0) + COALESCE(output_tokens, 0)) AS tokens, SUM(usd) AS usd,
        SUM(error IS NULL AND usd IS NULL) AS unknown, COUNT(*) AS steps
    FROM steps {steps} GROUP BY run_id) AS calls ON calls.run_id = first.run_id
WHERE first.attempt = 1 AND {runs} ORDER BY first.seq
"""
_ALL_RUNS = _RUNS.format(steps="", runs="1")
_NAMED = "run_id IN (SELECT value FROM json_each(?1))"
_SOME_RUNS = _RUNS.format(steps=f"WHERE {_NAMED}", runs=f"first.{_NAMED}")
_TOUCHED_RUNS = (
    "SELECT run_id FROM runs WHERE seq > ?1 OR until_seq > ?1 OR until_seq IS NULL "
    "UNION SELECT run_id FROM steps WHERE seq > ?1"
)
_EVENT = (
    f"SELECT seq, kind, agent_id, SUBSTR(text, 1, {LONGEST_EVENT}), created_at / 1000, "  # noqa: S608 - a number of ours
    f"SUBSTR(data, 1, {LONGEST_EVENT}) FROM events"
)
_EVENTS = f"{_EVENT} WHERE seq > ? ORDER BY seq"
_EVENTS_BETWEEN = f"{_EVENT} WHERE seq > ? AND seq < ? ORDER BY seq"
_NEW_ADMIN = "chat_id IN (SELECT chat_id FROM admins WHERE seq > ?1)"
_IN_NAMED = "chat_id IN (SELECT value FROM json_each(?1))"
_NEWEST_CHATS = "SELECT chat_id FROM chats ORDER BY seq DESC LIMIT 300"  # the others are told with what is said in them


@dataclass(slots=True)
class Changed:
    """What became durable and has not been sent: keys of rows; messages and events are known by their place.

    Attributes
    ----------
    agents, chats, runs : set of str
        Ids.
    anything : bool
        Whether there is anything at all.
    """

    agents: set[str] = field(default_factory=set)
    chats: set[str] = field(default_factory=set)
    runs: set[str] = field(default_factory=set)
    anything: bool = False

    def add(self, other: "Changed") -> None:
        """Add what else has changed."""
        self.agents |= other.agents
        self.chats |= other.chats
        self.runs |= other.runs
        self.anything = True

    @classmethod
    def by(cls, facts: Sequence[Fact]) -> "Changed":
        """Return what these facts have changed."""
        changed = cls(anything=True)
        for fact in facts:
            if isinstance(fact, RunBegan | RunEnded | StepTaken):
                changed.runs.add(fact.run_id)
            elif isinstance(fact, AgentVersion):
                changed.agents.add(fact.agent_id)
            elif isinstance(fact, ChatCreated | AdminNamed | MemberJoined | MemberLeft):
                changed.chats.add(fact.chat_id)
        return changed


def all_facts(query: Query) -> Facts:
    """Return everything that a log says, without the texts of its messages."""
    return {
        "agents": _agents(_all_agents(query)),
        "chats": _dicts(query(f"{_CHATS} ORDER BY seq")),
        "memberships": _lists(query(f"{_MEMBERSHIPS} ORDER BY seq")),
        "messages": _messages(query, 0, texts=False),
        "runs": _lists(query(_ALL_RUNS)),
        "events": _lists(query(_EVENTS, 0)),
    }


def newest_facts(query: Query, most: int = NEWEST) -> tuple[Facts, Before | None]:
    """Return the newest rows of a log, and sums of what lies before them; no sums if that is nothing.

    Parameters
    ----------
    query : Query
        Reads one state of a log.
    most : int
        So many messages at most, and runs and events likewise.
    """
    first = first_of_newest(query, EVERYTHING, most)
    if not first:
        return facts_since(query, 0), None
    facts = _rows_between(query, first, EVERYTHING, kept_runs(query, first))
    facts["messages"] = _messages(query, first - 1)
    ids = {row[0] for row in query(_NEWEST_CHATS)} - {chat["id"] for chat in facts["chats"]}
    facts["chats"] += _some_chats(query, ids)
    facts["agents"] = _agents(_all_agents(query))
    return facts, sums_before(query, first)


def older_facts(query: Query, end: int, most: int) -> tuple[Facts, Before | None]:
    """Return the newest rows before a place, without texts, and sums of what lies before them."""
    first = first_of_newest(query, end, most)
    facts = _rows_between(query, first, end, kept_runs(query, first) - kept_runs(query, end))
    return facts, sums_before(query, first) if first else None


def _rows_between(query: Query, first: int, end: int, run_ids: Iterable[str]) -> Facts:
    """Return what a log says from one place until before another one, and the groups that it speaks of."""
    messages = _messages(query, first - 1, end, texts=False)
    ids = {row[4] for row in messages}
    alive = f"{_MEMBERSHIPS} WHERE {_IN_NAMED} AND seq < ?3 AND (until_seq IS NULL OR until_seq >= ?2) ORDER BY seq"
    return {
        "chats": _some_chats(query, ids),
        "memberships": _lists(query(alive, json.dumps(sorted(ids)), first, end)),
        "messages": messages,
        "runs": _lists(_runs(query, run_ids)),
        "events": _lists(query(_EVENTS_BETWEEN, first - 1, end)),
    }


def _some_chats(query: Query, ids: Iterable[str]) -> list[dict[str, Any]]:
    return _dicts(query(f"{_CHATS} WHERE {_IN_NAMED} ORDER BY seq", json.dumps(sorted(ids))))


def facts_since(query: Query, seq: int) -> Facts:
    """Return everything that a log says after a place in it; everything it says, after 0.

    Parameters
    ----------
    query : Query
        Reads one state of a log.
    seq : int
        Everything up to it is known already.
    """
    runs = query(_ALL_RUNS) if seq == 0 else _runs(query, (row[0] for row in query(_TOUCHED_RUNS, seq)))
    return {
        "agents": _agents(row for row in _all_agents(query) if row[0][-1] > seq),
        "chats": _dicts(query(f"{_CHATS} WHERE seq > ?1 OR {_NEW_ADMIN} ORDER BY seq", seq)),
        "memberships": _lists(query(f"{_MEMBERSHIPS} WHERE seq > ?1 OR until_seq > ?1 ORDER BY seq", seq)),
        "messages": _messages(query, seq),
        "runs": _lists(runs),
        "events": _lists(query(_EVENTS, seq)),
    }


def is_much(query: Query, seq: int, most: int = NEWEST) -> bool:
    """Say whether so much was written after a place that a page had better begin anew."""
    return first_of_newest(query, EVERYTHING, most) > seq + 1


def changed_facts(query: Query, seq: int, changed: Changed) -> Facts:
    """Return the rows that have changed, and the messages and events after a place in the log."""
    facts: Facts = {"messages": _messages(query, seq), "events": _lists(query(_EVENTS, seq))}
    if changed.agents:
        facts["agents"] = _agents(row for row in _all_agents(query) if row[0][0] in changed.agents)
    if changed.chats:
        facts["chats"] = _some_chats(query, changed.chats)
        of_them = f"{_MEMBERSHIPS} WHERE {_IN_NAMED} ORDER BY seq"
        facts["memberships"] = _lists(query(of_them, json.dumps(sorted(changed.chats))))
    if changed.runs:
        facts["runs"] = _lists(_runs(query, changed.runs))
    return {kind: rows for kind, rows in facts.items() if rows}


def last_seq(facts: Mapping[str, Sequence[Any]], before: int = 0) -> int:
    """Return the place in the log up to which messages and events are known after these facts."""
    return max([before, *(int(facts[kind][-1][0]) for kind in ("messages", "events") if facts.get(kind))])


def texts_between(query: Query, first: int, last: int, *, longest: int | None = LONGEST) -> list[list[Any]]:
    """Return ``[seq, text]`` of the messages between two places, both included, `TEXTS` of them at most."""
    sql = "SELECT seq, text FROM messages WHERE seq BETWEEN ? AND ? ORDER BY seq LIMIT ?"
    return [[seq, text[:longest]] for seq, text in query(sql, first, last, TEXTS)]


def _messages(query: Query, seq: int, end: int = EVERYTHING, *, texts: bool = True) -> list[list[Any]]:
    """Return the messages after a place and before another, the newest with their texts, as many as may be sent."""
    newest = query("SELECT seq FROM messages WHERE seq > ? ORDER BY seq DESC LIMIT 1 OFFSET ?", seq, TEXTS - 1)
    since = (newest[0][0] if newest else seq + 1) if texts else EVERYTHING
    rows = _lists(query(_MESSAGES, since, seq, end))
    room = ROOM
    for row in reversed(rows):
        *_, text, _ = row
        if text is None:
            break
        row[-2:] = text[:LONGEST], len(text)  # SQLite counts up to the first NUL only
        room -= len(json.dumps(row[-2], ensure_ascii=False).encode())
        if room < 0:
            row[-2] = None
    return rows


def _all_agents(query: Query) -> list[tuple[tuple[Any, ...], str]]:
    rows = query(_AGENTS)
    return list(zip(rows, colours(row[1] for row in rows).values(), strict=True))


def _agents(rows: Iterable[tuple[tuple[Any, ...], str]]) -> list[dict[str, Any]]:
    names = ("id", "name", "kind", "description", "mission", "seq", "model", "team")
    return [dict(zip(names, row, strict=False)) | {"colour": colour} for row, colour in rows]


def _dicts(rows: Iterable[Sequence[Any]]) -> list[dict[str, Any]]:
    return [dict(zip(("id", "name", "description", "admin", "seq"), row, strict=True)) for row in rows]


def _lists(rows: Iterable[Sequence[Any]]) -> list[list[Any]]:
    return [list(row) for row in rows]


def _runs(query: Query, run_ids: Iterable[str]) -> list[tuple[Any, ...]]:
    return query(_SOME_RUNS, json.dumps(sorted(run_ids)))
