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

__all__ = ["LONGEST", "TEXTS", "Changed", "Facts", "changed_facts", "facts_since", "last_seq", "texts_between"]

Facts: TypeAlias = dict[str, list[Any]]

LONGEST = 20_000  # characters of one text; the rest is sent when somebody asks for it
TEXTS = 500  # messages sent with their texts at once

# The order of the columns is the order of the wire: js/src/wire/facts.js gives each its name on the other side.
_AGENTS = """
SELECT a.agent_id, name, kind, description, mission, first, model, a.seq FROM agents AS a
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
FROM messages WHERE seq > ? ORDER BY seq
"""
# A price is unknown if one of its answered calls has none; then the whole run has none.
_RUNS = """
SELECT first.run_id, first.agent_id, first.seq, first.began_at / 1000, last.until_seq, last.ended_at / 1000, last.reason,
    COALESCE(tokens, 0), CASE WHEN COALESCE(unknown, 0) = 0 THEN COALESCE(usd, 0.0) END, COALESCE(steps, 0)
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
_EVENTS = "SELECT seq, kind, agent_id, text, created_at / 1000 FROM events WHERE seq > ? ORDER BY seq"


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


def facts_since(query: Query, seq: int = 0, *, texts: int = TEXTS) -> Facts:
    """Return everything that a log says after a place in it; everything it says, after 0.

    Parameters
    ----------
    query : Query
        Reads one state of a log.
    seq : int
        Everything up to it is known already.
    texts : int
        How many of the messages, the newest, come with their texts.
    """
    runs = query(_ALL_RUNS) if seq == 0 else _runs(query, (row[0] for row in query(_TOUCHED_RUNS, seq)))
    return {
        "agents": _agents(row for row in _all_agents(query) if row[0][-1] > seq),
        "chats": _dicts(query(f"{_CHATS} ORDER BY seq")),  # all of them: there are few, and one may have another admin
        "memberships": _lists(query(f"{_MEMBERSHIPS} WHERE seq > ?1 OR until_seq > ?1 ORDER BY seq", seq)),
        "messages": _messages(query, seq, texts),
        "runs": _lists(runs),
        "events": _lists(query(_EVENTS, seq)),
    }


def changed_facts(query: Query, seq: int, changed: Changed) -> Facts:
    """Return the rows that have changed, and the messages and events after a place in the log."""
    facts: Facts = {"messages": _messages(query, seq, TEXTS), "events": _lists(query(_EVENTS, seq))}
    if changed.agents:
        facts["agents"] = _agents(row for row in _all_agents(query) if row[0][0] in changed.agents)
    if changed.chats:
        named = "WHERE chat_id IN (SELECT value FROM json_each(?))"
        ids = json.dumps(sorted(changed.chats))
        facts["chats"] = _dicts(query(f"{_CHATS} {named} ORDER BY seq", ids))
        facts["memberships"] = _lists(query(f"{_MEMBERSHIPS} {named} ORDER BY seq", ids))
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


def _messages(query: Query, seq: int, texts: int) -> list[list[Any]]:
    newest = query("SELECT seq FROM messages WHERE seq > ? ORDER BY seq DESC LIMIT 1 OFFSET ?", seq, max(texts - 1, 0))
    since = newest[0][0] if newest else seq + 1
    rows = _lists(query(_MESSAGES, since if texts else 2**62, seq))
    for row in rows[-texts:] if texts else ():
        *_, text, _ = row
        row[-2:] = text[:LONGEST], len(text)  # SQLite counts up to the first NUL only
    return rows


def _all_agents(query: Query) -> list[tuple[tuple[Any, ...], str]]:
    rows = query(_AGENTS)
    return list(zip(rows, colours(row[1] for row in rows).values(), strict=True))


def _agents(rows: Iterable[tuple[tuple[Any, ...], str]]) -> list[dict[str, Any]]:
    names = ("id", "name", "kind", "description", "mission", "seq", "model")
    return [dict(zip(names, row, strict=False)) | {"colour": colour} for row, colour in rows]


def _dicts(rows: Iterable[Sequence[Any]]) -> list[dict[str, Any]]:
    return [dict(zip(("id", "name", "description", "admin", "seq"), row, strict=True)) for row in rows]


def _lists(rows: Iterable[Sequence[Any]]) -> list[list[Any]]:
    return [list(row) for row in rows]


def _runs(query: Query, run_ids: Iterable[str]) -> list[tuple[Any, ...]]:
    return query(_SOME_RUNS, json.dumps(sorted(run_ids)))
