"""What a page is told of the part of a log that it has no rows of: sums, so that it counts right without them.

A page begins with the newest rows, however long the log is, and asks for older ones as somebody looks for them. What
lies before its first row it knows by who wrote to whom how often, what each agent's runs came to, what mail waited, and
how much was said and done when. It all follows the number of members, not the length of the log.
"""

from collections.abc import Iterable
from typing import Any, TypeAlias

from intercom_nb.log.reading import Query

__all__ = ["EVERYTHING", "Before", "first_of_newest", "kept_runs", "sums_before"]

Before: TypeAlias = dict[str, Any]

EVERYTHING = 2**62  # more than any place
_STRANDS = 4_000  # pairs of whom it is told how often they talked; a graph draws 250 of them
_SPOTS = 12_000  # numbers of which a timeline's past is made
_FINEST = 200  # parts of a timeline's past

_ROWS = {
    "messages": "SELECT seq FROM messages WHERE seq < ? ORDER BY seq DESC LIMIT 1 OFFSET ?",
    "runs": "SELECT seq FROM runs WHERE seq < ? AND attempt = 1 ORDER BY seq DESC LIMIT 1 OFFSET ?",
    "events": "SELECT seq FROM events WHERE seq < ? ORDER BY seq DESC LIMIT 1 OFFSET ?",
}
# A run that has not ended by then, or that may be tried again, is a row of the page, never part of a sum.
_KEPT = """
SELECT run_id FROM runs WHERE seq >= ?1 OR until_seq IS NULL OR until_seq >= ?1
UNION SELECT run_id FROM (SELECT run_id, MAX(seq) FROM runs GROUP BY agent_id)
"""
_SPENT = f"""
SELECT agent_id, COUNT(*), COALESCE(SUM(steps), 0), COALESCE(SUM(tokens), 0), COALESCE(SUM(usd), 0.0),
    COALESCE(SUM(unpriced), 0), COALESCE(SUM(steps IS NOT NULL AND unpriced = 0), 0)
FROM runs LEFT JOIN (
    SELECT run_id, COUNT(*) AS steps, SUM(COALESCE(input_tokens, 0) + COALESCE(output_tokens, 0)) AS tokens,
        SUM(usd) AS usd, MAX(error IS NULL AND usd IS NULL) AS unpriced
    FROM steps WHERE seq < ?1 GROUP BY run_id) USING (run_id)
WHERE attempt = 1 AND seq < ?1 AND run_id NOT IN ({_KEPT}) GROUP BY agent_id
"""  # noqa: S608 - made of literals
_SENT = "SELECT sender_id, COUNT(*) FROM messages WHERE seq < ? AND sender_id IS NOT NULL GROUP BY sender_id"
_FAILED = """
SELECT agent_id FROM (SELECT agent_id, reason, MAX(seq) FROM runs WHERE until_seq < ?1 GROUP BY agent_id)
WHERE reason = 'failed'
"""
_PAIRS = """
SELECT sender_id, agent_id, SUM(chat_id IS NULL), SUM(chat_id IS NOT NULL), MAX(seq)
FROM messages JOIN deliveries USING (seq) WHERE seq < ? AND sender_id IS NOT NULL
GROUP BY sender_id, agent_id ORDER BY COUNT(*) DESC
"""
_WAITING = """
SELECT agent_id, until_seq, COUNT(*) FROM deliveries
WHERE seq < ?1 AND (until_seq IS NULL OR until_seq >= ?1) GROUP BY 1, 2
"""
_SAID_WHEN = """
SELECT sender_id, MIN((created_at / 1000 - ?2) * ?4 / ?3, ?4 - 1), COUNT(*) FROM messages
WHERE seq < ?1 AND sender_id IS NOT NULL GROUP BY 1, 2
"""
_RAN_WHEN = """
SELECT agent_id, MIN((began_at / 1000 - ?2) * ?4 / ?3, ?4 - 1), COUNT(*) FROM runs WHERE seq < ?1 GROUP BY 1, 2
"""


def first_of_newest(query: Query, end: int, most: int) -> int:
    """Return the place from which on there are so many rows of a kind at most before another one; 0 for all."""
    found = [row[0] + 1 for sql in _ROWS.values() for row in query(sql, end, most)]
    return max(found, default=0)


def kept_runs(query: Query, first: int) -> set[str]:
    """Return the runs that a page has as rows if what is before a place is summed up."""
    return {run_id for (run_id,) in query(_KEPT, first)}


def sums_before(query: Query, first: int) -> Before:
    """Return what a page is told of everything before a place: js/src/wire/facts.js says what each part means."""
    pairs = query(_PAIRS, first)
    received: dict[str, int] = {}
    for _, receiver, direct, group, _ in pairs:
        received[receiver] = received.get(receiver, 0) + direct + group
    spent = _by_id(query(_SPENT, first))
    sent: dict[str, int] = dict(query(_SENT, first))
    failed = {one for (one,) in query(_FAILED, first)}
    members = sorted({*spent, *sent, *received, *failed})
    ((messages, began, ended),) = query(
        "SELECT COUNT(*), MIN(created_at) / 1000, MAX(created_at) / 1000 FROM messages WHERE seq < ?", first
    )
    ((upto,),) = query("SELECT COALESCE(MAX(seq), 0) FROM places")
    return {
        "seq": first,
        "upto": upto,
        "messages": messages,
        "agents": [
            [one, *spent.get(one, (0,) * 6), sent.get(one, 0), received.get(one, 0), one in failed] for one in members
        ],
        "edges": [list(row) for row in pairs[:_STRANDS]],
        "waiting": [list(row) for row in query(_WAITING, first)],
        "when": _when(query, first, began, ended, len(members)),
    }


def _by_id(rows: Iterable[tuple[Any, ...]]) -> dict[str, tuple[Any, ...]]:
    return {row[0]: row[1:] for row in rows}


def _when(query: Query, first: int, began: int | None, ended: int | None, members: int) -> dict[str, Any] | None:
    """Return how much each member said and ran in each part of the time that these messages took."""
    if began is None or ended is None:
        return None
    parts = max(min(_FINEST, _SPOTS // max(members, 1)), 10)
    span = max(ended - began, 1)
    said, ran = query(_SAID_WHEN, first, began, span, parts), query(_RAN_WHEN, first, began, span, parts)
    return {"from": began, "to": ended, "parts": parts, "said": _nested(said), "ran": _nested(ran)}


def _nested(rows: Iterable[tuple[Any, ...]]) -> dict[str, list[list[int]]]:
    found: dict[str, list[list[int]]] = {}
    for one, part, count in rows:
        found.setdefault(one, []).append([max(part, 0), count])
    return found
