"""The parts of one service, wired once, by construction; what its members and views ask is answered here."""

import json
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import replace
from functools import partial
from typing import Any, Protocol

from intercom_nb.agent_spec import AgentSpec, under_id
from intercom_nb.contacts.chat_lists import Contacts
from intercom_nb.contacts.embeddings import Embeddings
from intercom_nb.contacts.named import check_words, nobody_has
from intercom_nb.contacts.rule import ContactRule
from intercom_nb.errors import LifecycleError, LogError, listed
from intercom_nb.limits import Spent
from intercom_nb.log.facts import AgentVersion, Halted, OptionSet, Resumed
from intercom_nb.log.store import Store
from intercom_nb.log.thread_log_files import ThreadLogFiles
from intercom_nb.log.thread_logs import ThreadLogs
from intercom_nb.log.transaction import Transaction
from intercom_nb.members.agent import Agent, become, join, own_code_of
from intercom_nb.members.chat import Chat
from intercom_nb.members.own_code import OwnCode
from intercom_nb.members.owner import Owner
from intercom_nb.members.person import Person
from intercom_nb.members.registry import Member, Registry
from intercom_nb.messages import Item, Message
from intercom_nb.models import Delta, Models
from intercom_nb.models.prices import Prices
from intercom_nb.routing.chat_tools import check_tools
from intercom_nb.routing.courtesy import Courtesy
from intercom_nb.routing.router import Router
from intercom_nb.runs.agent_state import AgentState
from intercom_nb.runs.budget import Budget
from intercom_nb.runs.compaction import Compaction
from intercom_nb.runs.conversations import Conversations
from intercom_nb.runs.halts import Halts
from intercom_nb.runs.inboxes import Inboxes
from intercom_nb.runs.lifecycle import Lifecycle
from intercom_nb.runs.notes import NOTE_TOOLS, Notes
from intercom_nb.runs.runner import Runner
from intercom_nb.runs.runtime import InThread
from intercom_nb.runs.scheduler import Scheduler, Turns
from intercom_nb.runs.step import Circumstances, Steps
from intercom_nb.runs.toolset import Toolsets
from intercom_nb.service.child_processes import tell_children
from intercom_nb.service.listeners import Listeners
from intercom_nb.service.options import Options
from intercom_nb.texts.names import checked_text

__all__ = ["Engine"]

_SEEN = {"name", "description", "mission", "team"}  # what others are shown of a member, or find it by


_TOOLS_S = 2.0  # for tools at work to return, before they count as interrupted


class Shown(Protocol):
    """What shows a service in a cell; the engine knows no more of the views."""

    def __call__(self, some_id: str) -> dict[str, Any]:
        """Return what the last line of a cell shows of an agent or a chat."""


class Engine(Owner):
    """One service's parts.

    Parameters
    ----------
    name : str
        Of the service.
    options : Options
        What it is told.
    store : Store
        Its log.
    runtime : InThread
        Where its agents run.
    lifecycle : Lifecycle
        Whether it runs.
    models : Models
        Who answers.
    show : callable
        Returns what the last line of a cell shows of an agent or a chat: views are above the members.

    Attributes
    ----------
    before_start : callable or None
        Called once, before agents run.
    ran : bool
        Whether a branch goes on with what was running: it is not said to start then.
    """

    def __init__(  # noqa: PLR0913 - the parts that others have made, all of them named
        self,
        name: str,
        *,
        options: Options,
        store: Store,
        runtime: InThread,
        lifecycle: Lifecycle,
        models: Models,
        show: Shown,
    ) -> None:
        self.name = name
        self.options = options
        self.log = store
        self.runtime = runtime
        self.lifecycle = lifecycle
        self.models = models
        self.listeners = Listeners(runtime)
        rule = ContactRule(options.may_contact)
        self.registry = Registry(advise=self._advice, reaches=rule.allows)
        self.contacts = Contacts(self.registry, policy=options.contacts, rule=rule, embeddings=self._embeddings())
        self.inboxes = Inboxes(store.lock, lifecycle, runtime.ring, self.listeners.tell)
        self.guard = Courtesy() if options.courtesy else None
        self.router = Router(
            self.contacts,
            self,
            self.inboxes.deliver,
            let_go=self.inboxes.let_go,
            count=self.inboxes.count,
            most_bytes=lambda: lifecycle.limits.message_bytes,
            guard=self.guard,
        )
        self.conversations = Conversations(store, self.registry)
        self.notes = Notes(store)
        self.halts = Halts(store)
        turns = Turns()
        self.scheduler = Scheduler(
            store=store, models=models, lifecycle=lifecycle, inboxes=self.inboxes, halts=self.halts, turns=turns
        )
        self.runner = self._make_runner(turns)
        self.thread_logs = self._make_thread_logs()
        self._stopping, self._letting_go = threading.RLock(), threading.Lock()
        self._is_let_go = False
        self._halted_for: set[str] = set()  # what is to be written as over when it goes on
        self._keys: dict[str, Message] = {}
        self._told_unknown: set[str] = set()  # names in policies of contacts that nobody has
        self._show = show
        self.before_start: Callable[[], None] | None = None  # what a branch has put off
        self.ran = False  # where a branch begins, its parent did: it is not said to start, for it goes on
        lifecycle.watch(self.write_halt)
        self.is_elsewhere = False
        tell_children(self)

    def be_elsewhere(self) -> None:
        """Refuse what needs threads, the log or the loop: this is a forked child, and they are its parent's."""
        self.is_elsewhere = True
        why = LifecycleError(
            f"{self.name} runs in the process that this one was forked from, and only there: let this one return what "
            "it finds, or make a service of its own in it"
        )
        self.lifecycle.be_elsewhere(why)
        self.log.be_elsewhere(why)
        self.runtime.be_elsewhere()

    def _advice(self, asker: Member | None) -> str:
        return self.contacts.advice(asker)

    def _embeddings(self) -> Embeddings | None:
        model = self.options.embeddings
        if model is None:
            return None
        default = self.models.default
        return Embeddings(lambda texts: default.embed(model, texts), lambda text: self.note("embeddings_failed", text))

    def _make_runner(self, turns: Turns) -> Runner:
        prices = Prices(self.options.prices)
        budget = Budget(self.lifecycle, prices, self.halts, waits=self.models.tape.live)
        self.toolsets = Toolsets(self.router, self.notes)
        parts = Circumstances(
            store=self.log,
            lifecycle=self.lifecycle,
            conversations=self.conversations,
            router=self.router,
            toolsets=self.toolsets,
            budget=budget,
            compaction=Compaction(self.conversations, budget, self.models.tape, lambda: self.options.context),
            prices=prices,
            tape=self.models.tape,
        )
        self.steps = Steps(parts, self.scheduler.run_ended)
        return Runner(
            store=self.log,
            models=self.models,
            lifecycle=self.lifecycle,
            conversations=self.conversations,
            contacts=self.contacts,
            steps=self.steps,
            halts=self.halts,
            may_run=turns.may_run,
            settings=lambda: self.options.settings,
            every_chat_list=self.options.chat_list == "every",
        )

    def _make_thread_logs(self) -> ThreadLogs | None:
        if not self.options.thread_logs or self.log.path is None:
            return None
        made = ThreadLogs(ThreadLogFiles(self.log.path, self.log.meta["log_id"]), self.registry.name_of)
        self.log.watch(made)
        return made

    # -- what is written down ---------------------------------------------------------------------------------------

    def transaction(self) -> AbstractContextManager[Transaction]:
        """Give a transaction to fill, if the service may still write.

        Raises
        ------
        LogError, LifecycleError
            If the log cannot be written, or the service has stopped.
        """
        self.check_open()
        return self.log.transaction()

    def check_open(self) -> None:
        """Check that the service may still write.

        Raises
        ------
        LogError, LifecycleError
            If the log cannot be written, or the service has stopped.
        """
        self.log.check()
        if self.lifecycle.state == "stopped":
            msg = f"{self.name} has stopped; InterComService.open({str(self.log.path)!r}) goes on with its log"
            raise LifecycleError(msg)

    def note(self, kind: str, text: str) -> None:
        """Write down, in one sentence, that something happened."""
        with self.log.transaction() as tx:
            tx.note(kind, text)

    def write_halt(self, state: str, reason: str) -> None:
        """Write down that it was paused or stopped, and why."""
        with suppress(LogError), self.log.transaction() as tx:  # it may be the log itself that has failed
            tx.seconds = self.lifecycle.seconds
            if reason not in self._halted_for:
                tx.add(Halted(tx.seq(), None, reason, tx.at))
            tx.note(state, f"{self.name}: {self.lifecycle.sentence(reason)}", reason=reason)
            self._halted_for.add(reason)

    def was_halted_for(self, reasons: Sequence[str]) -> None:
        """Take from the log why the service was halted when it was let go."""
        self._halted_for.update(reasons)

    def change_options(self, **changes: Any) -> None:
        """Let the service be told otherwise from here on: a new row for each option, and an event.

        Raises
        ------
        TypeError, ValueError
            If one of them is not of the kind it should be.
        """
        options = replace(self.options, **changes)
        before, after = self.options.kept(), options.kept()
        changed = {name: after[name] for name in changes if name in after and after[name] != before[name]}
        with self.transaction() as tx:
            self.write_options(tx, changed)
            self.options = options
            self.lifecycle.limits = options.limits
        tx.wait()

    def code_options(self) -> dict[str, Any]:
        """Return what only code can give of its options: no log has it."""
        options = self.options
        return {
            "api_key": options.api_key,
            "base_url": options.base_url,
            "client": options.client,
            "contacts": options.contacts if callable(options.contacts) else None,
            "may_contact": options.may_contact,
            "model": None if isinstance(options.model, str) else options.model,
        }

    def note_given(self, given: Iterable[str], before: Mapping[str, str]) -> None:
        """Write down what was given anew when the log was opened, where it is not what it was."""
        after = self.options.kept_on(self.models)
        changed = {name: after[name] for name in given if name in after and after[name] != before.get(name)}
        if changed:
            with self.log.transaction() as tx:
                self.write_options(tx, changed)
            tx.wait()

    def write_options(self, tx: Transaction, changed: Mapping[str, str]) -> None:
        """Write down what it is told otherwise."""
        for name, value in changed.items():
            tx.add(OptionSet(name, tx.seq(), value))
        if changed:
            data = json.dumps({name: json.loads(value) for name, value in changed.items()}, sort_keys=True)
            text = f"{self.name} is told otherwise from here on: {', '.join(changed)}"
            tx.note("options_changed", text, data=data)

    # -- members ----------------------------------------------------------------------------------------------------

    def add(self, agents: Sequence[Agent]) -> None:
        """Add agents that were checked.

        Raises
        ------
        ValueError
            If whom one of them is shown is a word misspelt.
        """
        teams = [agent.team for agent in (*self.registry, *agents)]
        check_words((self.options.contacts, *(own_code_of(agent).contacts for agent in agents)), teams)
        with self.transaction() as tx:
            added = list(zip(agents, self.registry.places(agents), strict=True))
            for agent, agent_id in added:
                tx.add(AgentVersion(agent_id, 1, tx.seq(), "agent", under_id(agent.spec, agent_id), tx.at))
            for agent, agent_id in added:
                join(agent, self, agent_id)
                self.registry.add_member(agent)
                self.inboxes.states[agent_id] = AgentState(agent, conversation=[])
        tx.wait()

    def add_person(self, person: Person) -> None:
        """Add a person."""
        with self.transaction() as tx:
            person_id = self.registry.places([person])[0]
            tx.add(AgentVersion(person_id, 1, tx.seq(), "person", under_id(person.spec, person_id), tx.at))
            person.join(person_id)
            self.registry.add_member(person)
            self.inboxes.persons[person.id] = []
        tx.wait()

    def tell_unknown(self) -> list[str]:
        """Write down what policies of contacts name that nobody has; return a sentence for each that is new."""
        agents, told = self.registry.get_agents(), []
        policies = [own_code_of(agent).contacts for agent in agents]
        for name in nobody_has((self.options.contacts, *policies), self.registry) if agents else ():
            if name not in self._told_unknown:
                teams = listed(sorted({agent.team for agent in agents if agent.team}))
                told.append(f"contacts name {name!r}, and nobody is in such a team or has such a name (teams: {teams})")
                self.note("unknown_contacts", told[-1])
                self._told_unknown.add(name)
        return told

    def check_agent(self, spec: AgentSpec, code: OwnCode) -> None:
        """Check that the service can run such an agent.

        Raises
        ------
        InvalidToolError
            If a tool bears the name of a chat tool, or of another tool of the same agent.
        MissingKeyError
            If it names a model and nothing says how to reach it.
        """
        check_tools(code.tools, NOTE_TOOLS if spec.notes else ())
        self.models.named(code.model)

    def change(self, agent_id: str, spec: AgentSpec, code: OwnCode) -> None:
        """Let an agent be something else from its next run on: a new version in the log, and an event."""
        agent = self.registry.get_agent(agent_id)
        self.check_agent(spec, code)
        with self.transaction() as tx:
            changed = [name for name in spec.names() if getattr(spec, name) != getattr(agent.spec, name)]
            if not changed and code == own_code_of(agent):
                return
            version = self.registry.version_of(agent.id) + 1
            tx.add(AgentVersion(agent.id, version, tx.seq(), "agent", spec, tx.at))
            what = ", ".join(changed) or "code"
            data = json.dumps({name: spec.as_row()[name] for name in changed}, ensure_ascii=False, sort_keys=True)
            tx.note("agent_changed", f"{agent.id}: {what} changed", agent_id=agent.id, data=data)
            become(agent, spec, code)
            self.registry.changed(agent, visibly=not _SEEN.isdisjoint(changed))
        tx.wait()

    def agent(self, given: str) -> Agent:
        """Return the agent with this id or name."""
        return self.registry.get_agent(given)

    def party(self, given: str, asker_id: str | None = None) -> Member | Chat:
        """Return the agent, person or chat with this id or name."""
        return self.registry.party(given, asker_id)

    def people(self) -> list[str]:
        """Return the ids of the persons, in the order they were added."""
        return [person.id for person in self.registry.persons]

    def name_of(self, some_id: str | None) -> str:
        """Return the name behind an id; the id itself if nobody has it, empty for None."""
        return self.registry.name_of(some_id)

    def spent_of(self, agent_id: str) -> Spent:
        """Return what an agent has spent; a copy."""
        return replace(self.inboxes.states[agent_id].spent)

    def status_of(self, agent_id: str) -> str:
        """Return what an agent is doing, in a word or a few."""
        return self.scheduler.status_of(agent_id)

    def conversation_of(self, agent_id: str) -> list[Item]:
        """Return an agent's items, oldest first; a copy."""
        with self.log.lock:
            return list(self.conversations.of(self.inboxes.states[agent_id]))

    def history_of(self, agent_id: str) -> list[Item]:
        """Return all items of an agent, also those that compaction has replaced; oldest first, read from the log."""
        return self.conversations.history(self.inboxes.states[agent_id])

    def inbox_of(self, person_id: str) -> list[Message]:
        """Return what a person has received, oldest first."""
        received = "seq IN (SELECT seq FROM deliveries WHERE agent_id = ?)"
        with self.log.lock:
            if self.inboxes.persons[person_id] is None:
                self.inboxes.persons[person_id] = self.log.messages(received, person_id)
            return list(self.inboxes.persons[person_id] or ())

    def bundle_of(self, some_id: str) -> dict[str, Any]:
        """Return what the last line of a cell shows of an agent or a chat."""
        return self._show(some_id)

    # -- messages and chats -----------------------------------------------------------------------------------------

    def send_message(
        self, message: str, receiver_id: str, sender_id: str | None = None, *, key: str | None = None
    ) -> Message:
        """Accept a message; return once it is in the log."""
        with self.transaction() as tx:
            accepted = None if key is None else self._accepted(_checked_key(key))
            if accepted is None:
                accepted = self.router.post(tx, message, receiver_id, sender_id, key=key)
                if key is not None:
                    tx.after(lambda: self._forget(key))
                    self._keys[key] = accepted
        tx.wait()
        return accepted

    def _forget(self, key: str) -> None:
        self._keys.pop(key, None)  # from here on the log's own index knows it

    def _accepted(self, key: str) -> Message | None:
        # What is not yet durable is in the dictionary; everything else the log's own index knows.
        return self._keys.get(key) or next(iter(self.log.messages("key = ? AND run_id IS NULL", key)), None)

    def add_chat_member(self, agent_id: str, chat_id: str, admin_id: str) -> None:
        """Add a member to a group chat, as its admin."""
        with self.transaction() as tx:
            self.router.add_member(tx, admin_id, agent_id, chat_id)
        tx.wait()

    def remove_chat_member(self, agent_id: str, chat_id: str, admin_id: str) -> None:
        """Remove a member from a group chat, as its admin; it hears nothing more."""
        with self.transaction() as tx:
            self.router.remove_member(tx, admin_id, agent_id, chat_id)
        tx.wait()

    def hear(self, call: Callable[[Delta], object]) -> Callable[[], None]:
        """Call a function with every piece of a model's answer; return the function that ends this."""
        heard = self.models.listeners
        heard.append(call)
        return lambda: heard.remove(call) if call in heard else None

    # -- time -------------------------------------------------------------------------------------------------------

    @property
    def store(self) -> Store:
        """Its log."""
        return self.log

    @property
    def _store(self) -> Store:
        return self.log

    @property
    def state(self) -> str:
        """``new``, ``running``, ``paused`` or ``stopped``."""
        return self.lifecycle.state

    def start(self) -> None:
        """Let agents run; return at once. A service that runs already goes on."""
        self.lifecycle.check_here()
        if self.lifecycle.state != "running":
            self._go()
            try:
                if not self.ran:
                    self.note("started", f"{self.name} runs; model: {self.models.default.label}")
                self.ran = False
                self.settle()
            finally:  # it runs by now, so whoever has something to do must hear of it
                self.scheduler.wake()

    def write_resumed(self) -> None:
        """Write down that it goes on, if it was halted."""
        if self._halted_for:
            with self.log.transaction() as tx:
                tx.add(Resumed(tx.seq(), None, tuple(sorted(self._halted_for))))
                self._halted_for.clear()

    def _go(self) -> None:
        if self.before_start is not None:
            self.before_start()
            self.before_start = None
        if self.lifecycle.state != "stopped":
            self.write_resumed()
        self.lifecycle.run()
        react = partial(self.scheduler.react, runner=self.runner)
        self.runtime.start(react, self.models.close, self.scheduler.may_react)

    def step(self) -> str | None:
        """Let one agent have one run, then pause again; return its id, or None if nobody has anything to do."""
        self.lifecycle.check_here()
        if self.lifecycle.state == "running":
            msg = f"{self.name} is running, not step by step; pause() it first"
            raise LifecycleError(msg)
        self._go()
        try:
            return self.scheduler.wake_one()
        finally:
            self.settle()

    def pause(self, agent_id: str | None = None) -> None:
        """Make no further model call; of one agent, or of all."""
        self.lifecycle.check_here()
        if agent_id is None:
            self.lifecycle.halt("paused", "paused")
        else:
            self.check_open()
            self.scheduler.pause(self.registry.get_agent(agent_id).id)
        self.settle()

    def resume(self, agent_id: str | None = None) -> None:
        """Go on after a pause or after a limit was met; one agent, or all."""
        self.lifecycle.check_here()
        if agent_id is not None:
            self.check_open()
            self.scheduler.resume(self.registry.get_agent(agent_id).id)
            self.settle()
        elif self.lifecycle.state == "running":
            self.scheduler.wake()
            self.settle()
        else:
            self.start()

    def settle(self) -> None:
        """Wait until everything that was handed over by now is durable; on the loop itself nobody waits.

        Raises
        ------
        LogError
            If it could not be written.
        """
        if not self.runtime.here():
            self.log.settle()

    def retry(self, agent_id: str | None = None) -> int:
        """Try failed runs again, one agent's or all; return how many there were."""
        self.check_open()
        found = None if agent_id is None else self.registry.get_agent(agent_id).id
        return self.scheduler.retry(self.runner, found)

    def stop(self) -> None:
        """Stop for good. A second call does nothing, or waits for what one that was interrupted left."""
        if self.is_elsewhere:
            return
        if self.runtime.here():
            # Called by a tool on the service's own loop, which cannot wait for itself to end.
            threading.Thread(target=self._let_go, name=f"intercom {self.name} stopping", daemon=True).start()
            return
        with self._stopping:  # whoever calls second returns when it has stopped, not before
            if self._is_let_go:
                return
            # On a thread of its own: an interrupt reaches the main thread only, so none cuts this in two, a lock held.
            patience_s = 0.0 if self.lifecycle.is_own_tool else _TOOLS_S
            letting_go = threading.Thread(
                target=self._let_go, args=(patience_s,), name=f"intercom {self.name} stopping", daemon=True
            )
            try:
                letting_go.start()
            except RuntimeError:  # the interpreter ends, and starts no more threads
                self._let_go()
                return
            letting_go.join()

    def _let_go(self, patience_s: float = 0.0) -> None:
        with self._letting_go:  # one at a time, after an interrupt too
            if self._is_let_go:
                return
            self.lifecycle.halt("stopped", "stopped")
            self.lifecycle.let_tools_end(patience_s)
            self.runtime.stop()
            with suppress(LogError):
                self.scheduler.stop_runs()
            self.notes.close()
            self.contacts.finder.close()
            self.log.close()
            self._is_let_go = True


def _checked_key(key: object) -> str:
    text = checked_text(key, "key")
    if not text.strip():
        raise ValueError(f"key={text!r}: it is empty; it should be a text that no other message has, or None")
    return text
