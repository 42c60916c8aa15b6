"""What a log says, put back into memory: the directory, the inboxes, and the runs that were cut off.

Recovery is a query. Nothing is repaired, because every transaction left a whole state behind.
"""

import json
import math
from collections.abc import Callable, Mapping
from typing import Any

from intercom_nb.contact_policies import function_of, policy_from
from intercom_nb.contacts.chat_lists import Contacts
from intercom_nb.errors import LogError
from intercom_nb.limits import Limits, Spent
from intercom_nb.log.facts import Released
from intercom_nb.log.store import Store
from intercom_nb.members.agent import Agent
from intercom_nb.members.chat import Chat
from intercom_nb.members.owner import Owner
from intercom_nb.members.person import Person
from intercom_nb.members.registry import Registry
from intercom_nb.models import Models
from intercom_nb.routing.courtesy import Courtesy, channel_of
from intercom_nb.runs.agent_state import AgentState, Run
from intercom_nb.texts.instructions import compose

__all__ = ["load_contacts", "load_desks", "load_directory", "load_guard", "load_spent"]

_HEARD_AGAIN = 4_000  # places in the log that the guard hears again: what was said before is long past
_MEMBERS = """
SELECT a.agent_id, a.version, a.kind, a.name, a.description, a.mission, a.model, a.tools, a.mail,
    a.notes, a.context, a.team, a.contacts, a.max_runs, a.max_tokens, a.max_usd FROM agents AS a
JOIN (SELECT agent_id, MAX(version) AS version, MIN(seq) AS first FROM agents GROUP BY agent_id) AS newest
    ON a.agent_id = newest.agent_id AND a.version = newest.version
ORDER BY newest.first
"""

_NEWEST_TURNS = """
SELECT r.agent_id, COALESCE(r.chat_list, json_extract(i.payload, '$.content'), '') FROM runs AS r
JOIN (SELECT agent_id, MAX(began_seq) AS began_seq FROM runs GROUP BY agent_id) USING (agent_id, began_seq)
LEFT JOIN items AS i ON r.chat_list IS NULL AND i.agent_id = r.agent_id AND i.idx = r.turn_idx
WHERE r.agent_id IN (SELECT value FROM json_each(?))
"""
_MEMBERS_THEN = """
SELECT r.agent_id, (SELECT COUNT(*) FROM agents AS a WHERE a.version = 1 AND a.seq < r.began_seq)
FROM (SELECT agent_id, MAX(began_seq) AS began_seq FROM runs GROUP BY agent_id) AS r
"""


def load_directory(store: Store, directory: Registry, host: Owner, functions: Mapping[str, Callable[..., Any]]) -> None:
    """Enter the agents, persons and chats of a log.

    Raises
    ------
    LogError
        If an agent has a tool, or contacts, that are not among the functions given.
    """
    rows = store.rows(_MEMBERS)
    named = {name for row in rows for name in (*row[7].split(), function_of(row[12])) if name}
    missing = named - functions.keys()
    if missing:
        names = ", ".join(sorted(missing))
        raise LogError(store.path, f"its agents have functions of yours; give them again: open(path, tools=[{names}])")
    for agent_id, version, kind, name, description, mission, *rest in rows:
        model, tools, mail, notes, context, team, contacts, *most = rest
        if kind == "person":
            directory.add_member(Person(name, description, agent_id, host))
            continue
        own = [functions[tool] for tool in tools.split()]
        agent = Agent(
            name,
            description=description,
            mission=mission,
            id=agent_id,
            model=model,
            tools=own,
            mail=mail,
            notes=notes,
            context=context,
            team=team,
            contacts=policy_from(contacts, functions),
        )
        agent.limited(_limits(*most))
        agent.join(host, agent_id, version)
        directory.add_member(agent)
    for chat_id, name, description, admin_id in store.rows(
        "SELECT chat_id, name, description, admin_id FROM chats ORDER BY seq"
    ):
        directory.add_chat(Chat(chat_id, name, description, admin_id, host))
    for chat_id, agent_id in store.rows(
        "SELECT chat_id, agent_id FROM memberships WHERE left_seq IS NULL ORDER BY joined_seq, rowid"
    ):
        directory.chat(chat_id).roster[agent_id] = None


def _limits(runs: float | None, tokens: float | None, usd: float | None) -> Limits | None:
    if runs is None or tokens is None or usd is None:
        return None
    whole: list[Any] = [number if math.isinf(number) else int(number) for number in (runs, tokens)]
    return Limits(runs=whole[0], tokens=whole[1], usd=usd)


def load_desks(store: Store, directory: Registry, models: Models) -> dict[str, AgentState]:
    """Return every agent's working state: its pending mail and its last run, to go on with or to try again."""
    desks = {agent.id: AgentState(agent) for agent in directory.get_agents()}
    messages = {m.seq: m for m in store.messages("seq IN (SELECT seq FROM deliveries WHERE state = 'pending')")}
    for agent_id, seq in store.rows("SELECT agent_id, seq FROM deliveries WHERE state = 'pending' ORDER BY seq"):
        desks[agent_id].inbox.append(messages[seq])
    last_runs = store.rows(
        "SELECT r.run_id, r.agent_id, r.turn_idx, r.chat_list, r.reason, r.error, a.name, a.mission FROM runs AS r "
        "JOIN (SELECT agent_id, MAX(began_seq) AS began_seq FROM runs GROUP BY agent_id) USING (agent_id, began_seq) "
        "JOIN agents AS a ON a.agent_id = r.agent_id AND a.version = r.agent_version"
    )
    for run_id, agent_id, turn_idx, chat_list, reason, error, name, mission in last_runs:
        desk = desks[agent_id]
        desk.last, desk.error = reason or "silent", error or ""
        if reason in (None, "failed"):
            instructions = compose(name, agent_id, mission)
            run = Run(run_id, instructions, models.named(desk.agent.model), turn_idx, chat_list)
            _load_steps(store, run)
            desk.run, desk.failed = (None, run) if reason == "failed" else (run, None)
    _load_spent(store, desks)
    holds = "SELECT agent_id, kind FROM events WHERE kind IN ('agent_paused', 'agent_resumed') ORDER BY seq"
    for agent_id, kind in store.rows(holds):
        desks[agent_id].met = "paused" if kind == "agent_paused" else ""
    return desks


def _load_spent(store: Store, desks: dict[str, AgentState]) -> None:
    counts = {
        "messages": "SELECT sender_id, COUNT(*) FROM messages WHERE sender_id IS NOT NULL GROUP BY sender_id",
        "runs": "SELECT agent_id, COUNT(*) FROM runs GROUP BY agent_id",
        "steps": "SELECT agent_id, COUNT(*) FROM steps JOIN runs USING (run_id) GROUP BY agent_id",
        "tokens": "SELECT agent_id, SUM(COALESCE(input_tokens, 0) + COALESCE(output_tokens, 0)) "
        "FROM steps JOIN runs USING (run_id) GROUP BY agent_id",
        "usd": "SELECT agent_id, SUM(COALESCE(usd, 0.0)) FROM steps JOIN runs USING (run_id) GROUP BY agent_id",
        "unpriced": "SELECT agent_id, SUM(usd IS NULL AND steps.error IS NULL) "
        "FROM steps JOIN runs USING (run_id) GROUP BY agent_id",
    }
    for what, sql in counts.items():
        for agent_id, count in store.rows(sql):
            if agent_id in desks:
                setattr(desks[agent_id].spent, what, count)
    remarks = "SELECT receiver_id, key FROM messages WHERE sender_id IS NULL AND run_id IS NOT NULL"
    for agent_id, key in store.rows(remarks):
        desks[agent_id].told.add(key)


def _load_steps(store: Store, run: Run) -> None:
    steps = store.rows("SELECT step, held, error, kind FROM steps WHERE run_id = ? ORDER BY step", run.run_id)
    run.step = steps[-1][0] + 1 if steps else 0
    run.first_step = max((step + 1 for step, _, error, _ in steps if error is not None), default=0)
    run.first_step += sum(kind == "compact" and step >= run.first_step for step, *_, kind in steps)
    if steps and steps[-1][1] is not None:
        run.step -= 1
        run.held = tuple(json.loads(steps[-1][1]))
        calls = store.rows(
            "SELECT n, output, failed FROM tool_calls WHERE run_id = ? AND step = ?", run.run_id, run.step
        )
        run.outputs = {n: None if output is None else (output, bool(failed)) for n, output, failed in calls}


def load_contacts(store: Store, directory: Registry, contacts: Contacts) -> None:
    """Let agents know whom they talked to, whom they found, and whom their newest turn showed, in its order."""
    talked = store.rows(
        "SELECT sender_id, receiver_id, MIN(seq) AS first, MAX(seq) AS latest FROM messages "
        "WHERE sender_id IS NOT NULL AND receiver_id IS NOT NULL GROUP BY sender_id, receiver_id ORDER BY first"
    )
    for sender_id, receiver_id, _, latest in talked:
        contacts.met(sender_id, receiver_id, latest)
    for agent_id, contact_id in store.rows("SELECT agent_id, contact_id FROM contacts ORDER BY seq"):
        contacts.known(agent_id).find(contact_id)
    short = {agent.id for agent in directory.get_agents() if contacts.is_short(agent)}
    for agent_id, turn in store.rows(_NEWEST_TURNS, json.dumps(sorted(short))):
        contacts.showed(agent_id, turn)
    for agent_id, members in store.rows(_MEMBERS_THEN):
        if agent_id not in short:
            contacts.showed_everyone(agent_id, members)


def load_guard(store: Store, desks: dict[str, AgentState], guard: Courtesy | None) -> None:
    """Let the guard hear what was said last, and keep back the mail that waits for a person; without one, none does."""
    held: dict[str, int] = dict(store.rows("SELECT channel, held_seq FROM holds WHERE released_seq IS NULL"))
    if guard is None:
        with store.transaction() as tx:
            tx.add(*(Released(channel, tx.seq()) for channel in held))
        return
    released = store.rows("SELECT released_seq, channel FROM holds WHERE released_seq > 0 ORDER BY released_seq")
    recent = "seq > (SELECT COALESCE(MAX(seq), 0) FROM messages) - ?"
    for message in store.messages(recent, _HEARD_AGAIN):
        while released and released[0][0] < message.seq:
            guard.release(released.pop(0)[1])
        sender, receiver = (desks.get(str(given)) for given in (message.sender_id, message.receiver_id))
        if sender is not None and (receiver is not None or message.chat_id is not None):
            guard.hear(message)
    for _, name in released:
        guard.release(name)
    guard.held = held
    for desk in desks.values():
        desk.kept = [m for m in desk.inbox if m.seq >= held.get(channel_of(m), m.seq + 1)]
        desk.inbox = [m for m in desk.inbox if m not in desk.kept]


def load_spent(store: Store) -> Spent:
    """Return what was spent so far."""
    with store.reading() as query:
        messages = query("SELECT COUNT(*) FROM messages")[0][0]
        runs = query("SELECT COUNT(*) FROM runs")[0][0]
        steps, tokens, usd, unpriced = query(
            "SELECT COUNT(*), COALESCE(SUM(COALESCE(input_tokens, 0) + COALESCE(output_tokens, 0)), 0), "
            "COALESCE(SUM(usd), 0.0), COALESCE(SUM(usd IS NULL AND error IS NULL), 0) FROM steps"
        )[0]
    return Spent(messages, runs, steps, tokens, usd, unpriced)
