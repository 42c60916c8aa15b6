"""How the state at a place is read from the tables: each part by a query whose cost does not grow with the log."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from intercom_nb.agent_spec import AgentSpec
from intercom_nb.limits import Spent
from intercom_nb.log.reading import Query
from intercom_nb.log.schema import LONG_WAIT
from intercom_nb.log.state_values import ChatState, MemberState, RunState, State
from intercom_nb.log.times import moment
from intercom_nb.log.transaction import TOTALS
from intercom_nb.messages import Item, Message

__all__ = ["conversation", "read_state"]

_SPEC = ", ".join(f"a.{name}" if name != "id" else "a.agent_id AS id" for name in AgentSpec.names())
_MEMBERS = f"""
SELECT a.kind, a.version, newest.first, {_SPEC} FROM agents AS a
JOIN (SELECT agent_id, MAX(version) AS version, MIN(seq) AS first FROM agents WHERE seq <= ? GROUP BY agent_id)
    AS newest
    ON a.agent_id = newest.agent_id AND a.version = newest.version
ORDER BY newest.first
"""  # noqa: S608 - names of ours
_VERSION = f"SELECT {_SPEC} FROM agents AS a WHERE agent_id = ? AND version = ?"  # noqa: S608 - the same
_ALIVE = "seq <= ?1 AND (until_seq IS NULL OR until_seq > ?1)"
# Most mail waits for a moment only: what waited longer has an index of its own, which SQLite has to be told to take.
_WAITING = f"""
SELECT agent_id, seq FROM deliveries WHERE seq > ?1 - {LONG_WAIT} AND {_ALIVE}
UNION ALL SELECT agent_id, seq FROM deliveries WHERE until_seq IS NULL AND seq <= ?1 - {LONG_WAIT}
UNION ALL SELECT agent_id, seq FROM deliveries INDEXED BY waited
    WHERE until_seq > seq + {LONG_WAIT} AND until_seq > ?1 AND seq <= ?1 - {LONG_WAIT}
ORDER BY seq, agent_id
"""  # noqa: S608 - a number of ours
# By its index, which SQLite has to be told to take: most messages are no remarks.
_TOLD = """
SELECT receiver_id, key FROM messages INDEXED BY remarks WHERE sender_id IS NULL AND run_id IS NOT NULL AND seq <= ?
"""
_RUN = "r.run_id, r.attempt, r.agent_id, r.agent_version, r.seq, r.until_seq, r.reason, r.error, r.spent"
_NEWEST_RUNS = f"""
SELECT {_RUN}, f.turn_idx, f.chat_list, f.seq FROM json_each(?2) AS one
JOIN runs AS r ON r.rowid =
    (SELECT rowid FROM runs WHERE agent_id = one.value AND seq <= ?1 ORDER BY seq DESC LIMIT 1)
JOIN runs AS f ON f.run_id = r.run_id AND f.attempt = 1
ORDER BY r.seq
"""  # noqa: S608 - names of ours
_SPENT_BEFORE = """
SELECT spent FROM runs WHERE agent_id = ?1 AND seq < ?2 AND spent IS NOT NULL ORDER BY seq DESC LIMIT 1
"""
# A run's messages stand between the end of a step and the end of its transaction: however long the run has been open,
# nothing else is looked at.
_SENT = """
SELECT COUNT(*) FROM steps AS s JOIN messages AS m
ON m.seq BETWEEN s.until_seq AND (SELECT MIN(seq) FROM places WHERE seq >= s.until_seq)
WHERE s.run_id = ?1 AND s.until_seq > ?2 AND s.until_seq <= ?3 AND m.run_id = ?1 AND m.sender_id IS NOT NULL
"""
_MESSAGE = "m.seq, m.id, m.text, m.sender_id, m.receiver_id, m.chat_id, m.created_at, m.run_id"


def read_state(query: Query, place: int) -> State:
    """Return what was true at a place; by a query on one state of the log."""
    members = tuple(
        MemberState(kind, _spec(row), version, since) for kind, version, since, *row in query(_MEMBERS, place)
    )
    agents = [member.spec.id for member in members if member.kind == "agent"]
    newest = query(_NEWEST_RUNS, place, json.dumps(agents))
    specs = {(member.spec.id, member.version): member.spec for member in members}
    settings = query("SELECT seq, value FROM options WHERE name = 'settings' AND seq <= ? ORDER BY seq DESC", place)
    *spent, seconds = query(f"SELECT {TOTALS} FROM places WHERE seq = ?", place)[0]  # noqa: S608 - names of ours
    told: dict[str, set[str]] = {}
    for agent_id, key in query(_TOLD, place):
        told.setdefault(agent_id, set()).add(key)
    return State(
        place=place,
        options=_options(query, place),
        members=members,
        chats=_chats(query, place),
        pending=_pending(query, place),
        runs=tuple(_run(query, place, row, specs, settings) for row in newest),
        holds=dict(query(f"SELECT channel, seq FROM holds WHERE {_ALIVE} ORDER BY seq", place)),  # noqa: S608
        halts=tuple(query(f"SELECT agent_id, reason FROM halts WHERE {_ALIVE} ORDER BY seq", place)),  # noqa: S608
        spent=Spent(*spent),
        seconds=seconds,
        spent_of={row[2]: _spent(query, place, row) for row in newest},
        told={agent_id: frozenset(keys) for agent_id, keys in told.items()},
        contacts=tuple(query("SELECT agent_id, contact_id, how FROM contacts WHERE seq <= ? ORDER BY seq", place)),
    )  # fmt: skip


def _spec(row: Sequence[Any]) -> AgentSpec:
    return AgentSpec.from_row(dict(zip(AgentSpec.names(), row, strict=True)))


def _options(query: Query, place: int) -> dict[str, str]:
    """Return what the service was told at a place, as JSON by name."""
    rows = query("SELECT name, value FROM options WHERE seq <= ? ORDER BY seq", place)
    return dict(rows)


def _chats(query: Query, place: int) -> tuple[ChatState, ...]:
    members: dict[str, list[str]] = {}
    for chat_id, agent_id in query(f"SELECT chat_id, agent_id FROM memberships WHERE {_ALIVE} ORDER BY seq", place):  # noqa: S608
        members.setdefault(chat_id, []).append(agent_id)
    # Of a chat that everybody has left, whoever was its admin last is so for good.
    admins: dict[str, str] = dict(query("SELECT chat_id, agent_id FROM admins WHERE seq <= ? ORDER BY seq", place))
    rows = query("SELECT chat_id, name, description FROM chats WHERE seq <= ? ORDER BY seq", place)
    return tuple(ChatState(c, name, about, admins[c], tuple(members.get(c, ()))) for c, name, about in rows)


def _pending(query: Query, place: int) -> tuple[tuple[str, Message], ...]:
    waiting = query(_WAITING, place)
    seqs = json.dumps(sorted({seq for _, seq in waiting}))
    sql = f"SELECT {_MESSAGE} FROM json_each(?) AS one JOIN messages AS m ON m.seq = one.value"  # noqa: S608
    messages = {row[0]: _message(row) for row in query(sql, seqs)}
    return tuple((agent_id, messages[seq]) for agent_id, seq in waiting)


def _message(row: Sequence[Any]) -> Message:
    seq, message_id, text, sender_id, receiver_id, chat_id, created_at, run_id = row
    return Message(seq, message_id, text, sender_id, receiver_id, chat_id, moment(created_at), run_id)


def _run(
    query: Query,
    place: int,
    row: Sequence[Any],
    specs: Mapping[tuple[str, int], AgentSpec],
    settings: Iterable[Sequence[Any]],
) -> RunState:
    """Return a run; most agents are still what they were then, so that `specs`, of now, mostly have its spec."""
    run_id, attempt, agent_id, version, _, until_seq, reason, error, _, turn_idx, chat_list, began = row
    has_ended = until_seq is not None and until_seq <= place
    spec = specs.get((agent_id, version)) or _spec(query(_VERSION, agent_id, version)[0])
    then = RunState(
        run_id=run_id,
        agent_id=agent_id,
        attempt=attempt,
        since=began,
        spec=spec,
        settings=next((value for since, value in settings if since <= began), "{}"),
        reason=reason if has_ended else None,
        error=error if has_ended else None,
        turn_idx=turn_idx,
        chat_list=chat_list,
    )
    goes_on = then.reason in (None, "failed", "stopped", "interrupted")
    return _with_steps(query, place, then) if goes_on else then


def _with_steps(query: Query, place: int, run: RunState) -> RunState:
    """Return an unfinished run with what is known about its steps."""
    sql = "SELECT step, attempt, kind, waiting_items, until_seq FROM steps WHERE run_id = ? AND seq <= ? ORDER BY step"
    steps = [(*row[:4], row[4] is not None and row[4] <= place) for row in query(sql, run.run_id, place)]
    failed = query(
        "SELECT MAX(attempt) FROM runs WHERE run_id = ? AND reason = 'failed' AND until_seq <= ?", run.run_id, place
    )[0][0]
    whole = [(step, attempt, kind) for step, attempt, kind, _, is_whole in steps if is_whole]
    first = sum(attempt <= failed for _, attempt, _ in whole) if failed is not None else 0
    first += sum(kind == "compact" and step >= first for step, _, kind in whole)
    waiting, outputs = None, {}
    if steps and not steps[-1][4]:
        waiting = tuple(json.loads(steps[-1][3]))
        sql = "SELECT n, output, failed, until_seq FROM tool_calls WHERE run_id = ? AND step = ? AND seq <= ?"
        outputs = {
            n: (output, bool(is_failed)) if until_seq is not None and until_seq <= place else None
            for n, output, is_failed, until_seq in query(sql, run.run_id, steps[-1][0], place)
        }
    return replace(run, step=len(whole), first_step=first, waiting_items=waiting, outputs=outputs)


def _spent(query: Query, place: int, row: Sequence[Any]) -> Spent:
    """Return what an agent had spent: what stands at the end of its last run, and what its open run has added."""
    run_id, attempt, agent_id, _, seq, until_seq, _, _, spent, *_ = row
    if until_seq is not None and until_seq <= place:
        return Spent.from_json(spent)
    before = query(_SPENT_BEFORE, agent_id, seq)
    total = Spent.from_json(before[0][0]) if before else Spent()
    total.runs += attempt == 1
    total.messages += query(_SENT, run_id, seq, place)[0][0]
    sql = (
        "SELECT input_tokens, output_tokens, usd, error FROM steps "
        "WHERE run_id = ? AND attempt = ? AND seq <= ? ORDER BY step"
    )
    for read, written, usd, error in query(sql, run_id, attempt, place):
        total.steps += 1
        total.tokens += (read or 0) + (written or 0)
        total.usd += usd or 0.0
        total.unpriced += usd is None and error is None
    return total


def conversation(query: Query, agent_id: str, place: int) -> list[Item]:
    """Return an agent's items at a place as its model was sent them, oldest first."""
    newest = "SELECT until_idx, payload FROM compactions WHERE agent_id = ? AND seq <= ? ORDER BY seq DESC LIMIT 1"
    ((until, placed),) = query(newest, agent_id, place) or [(0, "[]")]
    sql = "SELECT payload FROM items WHERE agent_id = ? AND idx >= ? AND seq <= ? ORDER BY idx"
    shorter: Iterable[Item] = json.loads(placed)
    return [*shorter, *(json.loads(payload) for (payload,) in query(sql, agent_id, until, place))]
