"""The newest part of a log, for a picture that costs the same of a log of any length."""

import json
from typing import NamedTuple

from intercom_nb.analysis.colours import colours
from intercom_nb.analysis.rows import Delivery, LogRows, MemberRow, Post, RunRow, Step
from intercom_nb.checks import AnyPath
from intercom_nb.log.reading import HasStore, Query, querying

__all__ = ["Newest", "newest_rows"]

_DELIVERIES = 20_000  # of which messages to large groups have many
_STEPS = 5_000
_TEXT = 1_000  # characters of a text

_MEMBERS = """
SELECT a.agent_id, name, kind, team FROM agents AS a
JOIN (SELECT agent_id, MAX(version) AS version, MIN(seq) AS first FROM agents GROUP BY agent_id)
    AS newest ON a.agent_id = newest.agent_id AND a.version = newest.version
ORDER BY first
"""
_MESSAGES = f"""
SELECT seq, id, chat_id, receiver_id, sender_id, run_id, created_at, SUBSTR(text, 1, {_TEXT})
FROM messages WHERE seq >= ? ORDER BY seq
"""  # noqa: S608 - a number of ours
_RECEIVED = """
SELECT agent_id, seq, CASE WHEN until_seq IS NULL THEN 'pending' ELSE 'consumed' END, run_id
FROM deliveries WHERE seq >= ? ORDER BY seq, agent_id
"""
_RUNS = """
SELECT f.run_id, f.agent_id, f.began_at, l.ended_at, l.reason FROM json_each(?) AS one
CROSS JOIN runs AS f ON f.run_id = one.value AND f.attempt = 1
JOIN runs AS l ON l.run_id = f.run_id AND l.attempt = (SELECT MAX(attempt) FROM runs WHERE run_id = f.run_id)
ORDER BY f.seq
"""
_NEWEST_STEPS = f"""
SELECT s.run_id, agent_id, step, s.seq, input_tokens, cached_tokens, output_tokens, usd, latency_s, created_at, s.error
FROM json_each(?1) AS one CROSS JOIN steps AS s ON s.run_id = one.value
JOIN runs AS r ON r.run_id = s.run_id AND r.attempt = 1
WHERE s.seq >= ?2 ORDER BY s.seq DESC LIMIT {_STEPS}
"""  # noqa: S608 - a number of ours


class Newest(NamedTuple):
    """The newest part of a log, and how many messages there are in all, those of the program among them."""

    rows: LogRows
    total: int


def newest_rows(source: HasStore | AnyPath, most: int) -> Newest:
    """Return the newest messages of a log, and what belongs to them; of a short one, everything.

    Parameters
    ----------
    source : InterComService, str or Path
        A service, also while it runs, or the path of a log.
    most : int
        So many messages at most; fewer, if they had very many receivers.

    Raises
    ------
    LogError
        If it is missing or damaged.
    """
    with querying(source) as query:
        first = _first(query, most)
        messages = [Post(*row) for row in query(_MESSAGES, first)]
        deliveries = [Delivery(*row) for row in query(_RECEIVED, first)]
        run_ids = {post.run_id for post in messages} | {delivery.run_id for delivery in deliveries}
        ids = json.dumps(sorted(run_ids - {None}, key=str))
        members = {row[0]: MemberRow(*row) for row in query(_MEMBERS)}
        painted = colours(member.name for member in members.values())
        rows = LogRows(
            members=members,
            painted={one: painted[member.name] for one, member in members.items()},
            chats=dict(query("SELECT chat_id, name FROM chats ORDER BY seq")),
            memberships=[],
            messages=messages,
            deliveries=deliveries,
            runs=[RunRow(*row) for row in query(_RUNS, ids)],
            steps=[Step(*row) for row in reversed(query(_NEWEST_STEPS, ids, first))],
            events=[],
        )
        ((total,),) = query("SELECT messages FROM places ORDER BY seq DESC LIMIT 1")
    return Newest(rows, total)


def _first(query: Query, most: int) -> int:
    """Return the place from which on there are so many messages; 0 for all of them."""
    found = [
        seq
        for table, n in (("messages", most), ("deliveries", _DELIVERIES))
        for (seq,) in query(f"SELECT seq + 1 FROM {table} ORDER BY seq DESC LIMIT 1 OFFSET ?", n)  # noqa: S608 - ours
    ]
    newest = query("SELECT MAX(seq) FROM messages")[0][0] or 0
    return min(max(found, default=0), newest)  # one message at least, however many receivers it has
