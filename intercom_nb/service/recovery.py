"""What a log says, put back into memory. Recovery is a query: every transaction left a whole state behind."""

import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from intercom_nb.agent_spec import AgentSpec
from intercom_nb.contact_policies import policy_from
from intercom_nb.errors import LogDamagedError, LogError, listed
from intercom_nb.log.door import as_damage
from intercom_nb.log.facts import Released
from intercom_nb.log.reading import Query
from intercom_nb.log.state import RunState, State
from intercom_nb.members.agent import Agent, agent_from, join, own_code_of
from intercom_nb.members.chat import Chat
from intercom_nb.members.own_code import OwnCode, missing_code, own_code
from intercom_nb.members.person import Person
from intercom_nb.model_settings import ModelSettings
from intercom_nb.models import Assistant
from intercom_nb.routing.courtesy import channel_of
from intercom_nb.runs.agent_state import AgentState, Run, end_attempts, with_open_attempt
from intercom_nb.runs.halts import PAUSED
from intercom_nb.service.engine import Engine
from intercom_nb.texts.instructions import compose
from intercom_nb.texts.names import code_name, plain_name

__all__ = ["Loader", "check_code"]

_LOGGER = logging.getLogger(__name__)
_HEARD_AGAIN = 4_000  # places in the log that the guard hears again: what was said before is long past
_MOST_TALKED = 100  # partners; of whom an agent has more, the latest count
_LAST_CHANGE = "SELECT kind FROM events WHERE kind IN ('started', 'paused', 'stopped') ORDER BY seq DESC LIMIT 1"
_UNFINISHED = (None, "stopped", "interrupted")
_LATEST = """
SELECT MAX(COALESCE((SELECT MAX(seq) FROM messages WHERE sender_id = ?1 AND receiver_id = one.value), 0),
    COALESCE((SELECT MAX(seq) FROM messages WHERE sender_id = one.value AND receiver_id = ?1), 0)), one.value
FROM json_each(?2) AS one
"""


def check_code(
    state: State,
    functions: Mapping[str, Callable[..., Any]],
    path: Any,
    *,
    assistant: bool,
    code: Mapping[str, OwnCode] = MappingProxyType({}),
) -> None:
    """Check that what only code can give was given; of some agents it is known already.

    Raises
    ------
    LogError
        If an agent has tools or contacts that are not among the functions, or a model that is an assistant.
    """
    agents = [member.spec for member in state.members if member.kind == "agent" and member.spec.id not in code]
    missing = {name for spec in agents for name in missing_code(spec, functions)}
    if missing:
        names = ", ".join(sorted(missing))
        raise LogError(path, f"its agents have functions of yours; give them again: open(path, tools=[{names}])")
    models = sorted({code_name(spec.model) for spec in agents if code_name(spec.model)})
    if models and not assistant:
        names = ", ".join(models)
        raise LogError(path, f"some of its agents ran on an assistant of yours ({names}); give it again: model=…")


def _as_it_was(code: OwnCode, spec: AgentSpec) -> OwnCode:
    """Return the code of an agent where it was told otherwise than now: functions and assistants are the same."""
    model = code.model if code_name(spec.model) else spec.model
    return replace(
        code, model=model, contacts=code.contacts if code_name(spec.contacts) else policy_from(spec.contacts, {})
    )


class Loader:
    """Puts the state of a log into the parts of a service.

    Parameters
    ----------
    engine : Engine
        The parts, empty.
    state : State
        What the log says.
    query : Query
        On the same state of the log.
    resume_tools : bool
        Whether calls of own tools that a step holds and that never began are made.
    """

    def __init__(self, engine: Engine, state: State, query: Query, *, resume_tools: bool) -> None:
        self._engine = engine
        self._state = state
        self._query = query
        self._resume_tools = resume_tools
        self._is_branch = False
        self._not_made: list[tuple[str, str, str]] = []  # agents, their runs, and tools that those would have called

    def load(
        self,
        functions: Mapping[str, Callable[..., Any]],
        assistant: Assistant | None,
        code: Mapping[str, OwnCode] = MappingProxyType({}),
    ) -> None:
        """Enter members, chats, mail, runs, and what each of them knows; of some agents, their code is given whole."""
        self._load_members(functions, assistant, code)
        self._load_chats()
        for agent_id, message in self._state.pending:
            self._engine.inboxes.states[agent_id].inbox.append(message)
        for run in self._state.runs:
            self._load_run(run, assistant)
        self._load_what_agents_carry()
        self._load_guard()
        self._load_contacts()

    def _load_members(
        self,
        functions: Mapping[str, Callable[..., Any]],
        assistant: Assistant | None,
        code: Mapping[str, OwnCode],
    ) -> None:
        engine = self._engine
        for member in self._state.members:
            if member.kind == "person":
                engine.registry.add_member(Person(member.spec, engine), member.version)
                engine.inboxes.persons[member.spec.id] = None
                continue
            known = code.get(member.spec.id)
            own = own_code(member.spec, functions, assistant) if known is None else _as_it_was(known, member.spec)
            agent = agent_from(member.spec, own)
            join(agent, engine, member.spec.id)
            engine.registry.add_member(agent, member.version)
            engine.inboxes.states[agent.id] = AgentState(agent)

    def _load_chats(self) -> None:
        for one in self._state.chats:
            chat = Chat(one.chat_id, one.name, one.description, one.admin_id, self._engine)
            chat.roster.update(dict.fromkeys(one.members))
            self._engine.registry.add_chat(chat)

    def _load_run(self, then: RunState, assistant: Assistant | None) -> None:
        state = self._engine.inboxes.states[then.agent_id]
        state.last, state.error = then.reason or "silent", then.error or ""
        if then.reason in _UNFINISHED:
            state.last = "silent"
        elif then.reason != "failed":
            return
        spec = then.spec
        own = own_code_of(state.agent).model
        model = spec.model if not code_name(spec.model) else assistant if isinstance(own, str) else own or assistant
        run = Run(
            run_id=then.run_id,
            instructions=compose(spec.name, spec.id, spec.mission, spec.description),
            model=self._engine.models.named(model),
            settings=spec.settings.over(ModelSettings.from_json(then.settings)),
            turn_idx=then.turn_idx,
            chat_list=then.chat_list,
            attempt=then.attempt,
            has_ended=then.reason is not None,
            step=then.step,
            first_step=then.first_step,
            waiting_items=then.waiting_items,
            outputs=dict(then.outputs),
        )
        if not self._resume_tools:
            self._leave_out_calls(state.agent, run)
        if then.reason == "failed":
            state.failed = run
        else:
            state.run = run

    def _leave_out_calls(self, agent: Agent, run: Run) -> None:
        """Take calls of own tools that never began for calls of which nobody knows what came of them.

        A log may be a stranger's, and what it says that a model has answered need not be what one did.
        """
        own = {tool.name.casefold() for tool in agent.tools}
        items = [item for item in run.waiting_items or () if "arguments" in item]
        for n, item in enumerate(items):
            if n not in run.outputs and plain_name(item["name"]).casefold() in own:
                run.outputs[n] = None
                self._not_made.append((agent.id, run.run_id, str(item["name"])))

    def _load_what_agents_carry(self) -> None:
        states = self._engine.inboxes.states
        for agent_id, spent in self._state.spent_of.items():
            states[agent_id].spent = spent
        for agent_id, keys in self._state.told.items():
            states[agent_id].told.update(keys)
        for who, reason in self._state.halts:
            if who is None:
                self._engine.was_halted_for([reason])
            elif reason == PAUSED:
                states[who].paused = True
            else:
                states[who].limit = reason

    def _load_guard(self) -> None:
        """Let the guard hear what was said last, and keep back the mail that waits for a person."""
        guard, states = self._engine.guard, self._engine.inboxes.states
        if guard is None:
            return
        sql = "SELECT until_seq, channel FROM holds WHERE until_seq > 0 AND until_seq <= ? ORDER BY until_seq"
        released = self._query(sql, self._state.place)
        recent = "seq > (SELECT COALESCE(MAX(seq), 0) FROM messages) - ?"
        for message in self._engine.store.messages(recent, _HEARD_AGAIN):
            while released and released[0][0] < message.seq:
                guard.release(released.pop(0)[1])
            sender, receiver = (states.get(str(given)) for given in (message.sender_id, message.receiver_id))
            if sender is not None and (receiver is not None or message.chat_id is not None):
                guard.hear(message)
        for _, name in released:
            guard.release(name)
        held = guard.held = dict(self._state.holds)
        for state in states.values():
            state.held_mail = [m for m in state.inbox if m.seq >= held.get(channel_of(m), m.seq + 1)]
            state.inbox = [m for m in state.inbox if m not in state.held_mail]

    def _load_contacts(self) -> None:
        """Let agents know whom they talked to, whom they found, and whom their newest turn showed, in its order."""
        contacts, states = self._engine.contacts, self._engine.inboxes.states
        partners: dict[str, list[str]] = {}
        for agent_id, contact_id, how in self._state.contacts:
            if how == "found":
                contacts.parts_of(agent_id).find(contact_id)
            else:
                contacts.talked(agent_id, contact_id, 0)
                partners.setdefault(agent_id, []).append(contact_id)
        for agent_id, others in partners.items():
            if len(others) > _MOST_TALKED:
                for seq, other_id in self._query(_LATEST, agent_id, json.dumps(others)):
                    contacts.talked(agent_id, other_id, seq)
        since = sorted(member.since for member in self._state.members)
        for run in self._state.runs:
            if contacts.is_short(states[run.agent_id].agent):
                contacts.showed(run.agent_id, self._turn_of(run))
            else:
                contacts.showed_everyone(run.agent_id, sum(place < run.since for place in since))

    def _turn_of(self, run: RunState) -> str:
        if run.chat_list is not None:
            return run.chat_list
        sql = "SELECT payload ->> '$.content' FROM items WHERE agent_id = ? AND idx = ?"
        found = self._query(sql, run.agent_id, run.turn_idx)
        return str(found[0][0]) if found else ""

    def _complete_thread_logs(self) -> None:
        if self._engine.thread_logs is None:
            return
        try:
            with as_damage(self._engine.store.path):
                self._engine.thread_logs.complete(self._engine.store)
        except LogDamagedError as error:  # they are for reading: what only they stumble over must not end an opening
            _LOGGER.warning("thread logs cannot be written: %s", error)

    @property
    def not_made(self) -> str:
        """Which calls of own tools are not made, one sentence; empty if none."""
        calls = [f"{name} ({agent_id}, {run_id})" for agent_id, run_id, name in self._not_made]
        if not calls:
            return ""
        return (
            f"calls of tools that had not begun are not made: {listed(calls)}; their models are told that the outcome "
            "is unknown, and open(..., resume_tools=True) would make them"
        )

    def take_up(self) -> None:
        """Write down that this process goes on with the log, and what that ends; ring whoever has something to do."""
        engine, states = self._engine, self._engine.inboxes.states
        engine.store.take_up()
        cut_off = with_open_attempt(states.values())
        waiting = list(self._state.holds) if engine.guard is None else []
        if cut_off or waiting:
            with engine.store.transaction() as tx:
                end_attempts(tx, cut_off, "interrupted")
                tx.add(*(Released(channel, tx.seq()) for channel in waiting))
        if engine.store.recovered:
            engine.note("log_recovered", engine.store.recovered)
        if told := self.not_made:
            engine.note("tools_not_resumed", told)
        if not self._is_branch:
            self._complete_thread_logs()
        self._ring()

    def branch_off(self) -> None:
        """Go on where the parent did; nothing is written of it where the log is open under the same conditions."""
        engine, self._is_branch = self._engine, True
        engine.before_start = self._complete_thread_logs  # a branch may be made for a look, and its past be long
        if not engine.store.is_taken_up:
            self.take_up()
            return
        if engine.guard is None and self._state.holds:
            with engine.store.transaction() as tx:
                tx.add(*(Released(channel, tx.seq()) for channel in self._state.holds))
        last = self._query(_LAST_CHANGE)
        engine.ran = last == [("started",)]
        self._ring()

    def _ring(self) -> None:
        engine, states = self._engine, self._engine.inboxes.states
        due = (s.agent.id for s in states.values() if (s.inbox or s.run is not None) and not s.is_halted)
        engine.inboxes.become_due(due)
