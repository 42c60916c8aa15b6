"""InterComService: the service agents belong to. Add them, let them run, write to them, look at what happened."""

import atexit
import logging
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import EllipsisType, MappingProxyType
from typing import Any, Literal, Self

from intercom_nb.contact_policies import ContactPolicy, checked_contacts, function_of, policy_from, policy_text
from intercom_nb.contacts.chat_lists import Contacts
from intercom_nb.contacts.embeddings import Embeddings
from intercom_nb.contacts.rule import MayContact
from intercom_nb.environment import setting
from intercom_nb.errors import LogError
from intercom_nb.limits import Limits, Spent
from intercom_nb.log.store import Store
from intercom_nb.log.thread_logs import ThreadLogs, file_name
from intercom_nb.log.times import micros
from intercom_nb.members.agent import Agent, checked_context
from intercom_nb.members.chat import Chat
from intercom_nb.members.person import Person
from intercom_nb.members.registry import Registry, Member
from intercom_nb.messages import Item, Message
from intercom_nb.models import AsyncOpenAI, ClientOptions, Delta, ModelChoice, Models
from intercom_nb.models.prices import Price, Prices
from intercom_nb.notebook import note, replace_running
from intercom_nb.routing.chat_tools import check_tools
from intercom_nb.routing.courtesy import Courtesy
from intercom_nb.routing.router import Router, check_message
from intercom_nb.runs.agent_state import AgentState, Options
from intercom_nb.runs.lifecycle import Lifecycle
from intercom_nb.runs.notes import NOTE_TOOLS
from intercom_nb.runs.runtime import InThread
from intercom_nb.runs.scheduler import Runs
from intercom_nb.service.display import Display
from intercom_nb.service.recovery import load_contacts, load_desks, load_directory, load_guard, load_spent
from intercom_nb.texts.names import checked_name, checked_text, slug
from intercom_nb.tools import functions_by_name

__all__ = ["InterComService"]

_LOGGER = logging.getLogger(__name__)


class InterComService(Display):
    """Agents that talk to each other by tool calls, and the log of everything they said.

    Agents run on a thread of the service's own, beside whatever the cells of a notebook are doing. Every method may
    be called from any thread and returns at once; only `wait` and ``await quiet()`` wait for agents.

    Parameters
    ----------
    name : str, default "intercom"
        For the log, the thread logs and the threads. A service that is made while another of the same name runs in
        this process stops that one first, so a cell can be run again.
    model : str or assistant, optional
        What agents without a model of their own run on. Default: ``INTERCOM_MODEL`` where a key or a server is set
        (``OPENAI_API_KEY``, ``OPENAI_BASE_URL``; ``.env`` is read too), else the offline assistant.
    logs : str, Path or None, optional
        Folder for the log. Default: ``THREAD_LOGS_PATH``, else ``logs``. None keeps the log in memory.
    limits : Limits, optional
        What the service may spend before it stops and says so.
    base_url, api_key : str, optional
        Of a server that speaks OpenAI's protocol. Default: from the settings.
    client : AsyncOpenAI, optional
        A client of your own in their place; used on the service's loop, and yours to close.
    max_concurrency : int, default 64
        Model calls in flight at once, for each server.
    max_retries : int, default 2
        How often a model call is repeated that failed in passing. A call that a rate limit refuses waits until it is
        let through; with 0 it fails at once.
    timeout : float, default 600
        Seconds a model call may take, and for which a rate limit may refuse every call before they fail.
    record, play : str or Path, optional
        A recording to write, or to answer from with no network and in the same order. What people and your own code say
        is not in it: say it at the same points, best before `start`. Default: in the folder that ``INTERCOM_RECORD`` or
        ``INTERCOM_PLAY`` names, if one is set.
    thread_logs : bool, default True
        Also write a text file for each agent, ``<logs>/<name>/<agent name>``.
    chat_list : {"newest", "every"}, default "newest"
        Whether only an agent's newest turn shows its chat list, or every stored one.
    prices : mapping of str to Price, optional
        What models cost, by name, where the built-in price list does not know or is wrong. A call of unknown price
        is logged without one.
    max_output_tokens : int, optional
        What a model may write at most in one call. Limits are checked before each call with what it may at most
        use; unless this is set, with the most that its model has written so far.
    context : int, optional
        Tokens that a request may have before the conversation of its agent is compacted. Default: 60 % of the model's
        window by the built-in list, which is taken to be 128,000 for a model that it does not know.
    courtesy : bool, default True
        Whether to look out for agents who only thank each other, agree or repeat themselves: after a few such
        messages in a row they are told, after a few more what they write to each other waits until a person
        writes to one of them or calls `release`.
    contacts : str, int, iterable of str, or callable, optional
        Whom agents are shown in their chat lists: ``everyone``; ``relevant``, at most 20 whom their missions need, and
        a number for so many; ``team``, their own with those above and below; a team's name; a list of ids, names and
        teams; or a function that is given the agent and returns such a list, asked again when somebody was added or
        edited. Whom an agent talks to, whom it found by
        search, and its groups, are always among them. Default: ``everyone`` up to 20 agents, ``relevant`` above.
        An agent that is not shown everyone has the tool ``search_agents``.
    may_contact : callable, optional
        Given an agent and another member, whether the one may reach the other: to write to it, be in one group with it,
        see and find it. Asked on every send; default: always. Persons may reach everybody.
    embeddings : str, optional
        A model for embeddings on the same server, such as ``text-embedding-3-small``: searches of agents then go by
        meaning, too. If the server fails at it they go by words alone, and an event says so.

    Raises
    ------
    MissingKeyError
        If a model is named and nothing says how to reach it.
    LogError
        If the folder cannot be written.
    RecordingError
        If there is no recording to play.

    Examples
    --------
    >>> with InterComService("example", logs=None) as intercom:
    ...     intercom.add(
    ...         Agent("Founder", mission="Figure out how to market our product."),
    ...         Agent("Marketing Expert", description="Knows everything about marketing."),
    ...     )
    ...     _ = intercom.registry.get_agent("founder").begin()
    ...     intercom.wait()
    'quiet'
    """

    def __init__(  # noqa: PLR0913 - what a service may be told; everything but the name has a default and is named
        self,
        name: str = "intercom",
        *,
        model: ModelChoice = None,
        logs: str | Path | EllipsisType | None = ...,
        limits: Limits = Limits(),  # noqa: B008 - frozen
        base_url: str | None = None,
        api_key: str | None = None,
        client: AsyncOpenAI | None = None,
        max_concurrency: int = 64,
        max_retries: int = 2,
        timeout: float = 600.0,
        record: str | Path | None = None,
        play: str | Path | None = None,
        thread_logs: bool = True,
        chat_list: Literal["newest", "every"] = "newest",
        prices: Mapping[str, Price] = MappingProxyType({}),
        max_output_tokens: int | None = None,
        context: int | None = None,
        courtesy: bool = True,
        contacts: ContactPolicy = None,
        may_contact: MayContact | None = None,
        embeddings: str | None = None,
    ) -> None:
        self.name = checked_name(name, kind="service")
        shown = checked_contacts(contacts)
        _check_embeddings(embeddings, record, play)
        if chat_list not in ("newest", "every"):
            msg = f"chat_list={chat_list!r}: it should be 'newest' or 'every'"
            raise ValueError(msg)
        models = Models(
            model,
            base_url=base_url,
            api_key=api_key,
            client=client,
            options=ClientOptions(max_concurrency, max_retries, timeout, record, play),
            name=slug(self.name),
        )
        folder = setting("THREAD_LOGS_PATH") or "logs" if isinstance(logs, EllipsisType) else logs
        options = Options(
            chat_list == "every",
            Prices(prices),
            max_output_tokens,
            courtesy,
            checked_context(context),
            shown,
            may_contact,
            embeddings,
        )
        ruled = "" if may_contact is None else "may_contact"
        meta = {"name": self.name, "chat_list": chat_list, "contacts": policy_text(shown) or "", "rule": ruled}
        store = Store.create(None if folder is None else Path(folder), slug(self.name), meta)
        self._set_up(store, models, limits, options, thread_logs=thread_logs)
        atexit.register(self.stop)
        replace_running(self.name, self)  # last: a service that could not be made replaces nobody

    @classmethod
    def open(  # noqa: PLR0913 - as for a new service
        cls,
        path: str | Path,
        *,
        model: ModelChoice = None,
        tools: Iterable[Callable[..., Any]] = (),
        limits: Limits = Limits(),  # noqa: B008 - frozen
        base_url: str | None = None,
        api_key: str | None = None,
        client: AsyncOpenAI | None = None,
        max_concurrency: int = 64,
        max_retries: int = 2,
        timeout: float = 600.0,
        record: str | Path | None = None,
        play: str | Path | None = None,
        thread_logs: bool = True,
        prices: Mapping[str, Price] = MappingProxyType({}),
        max_output_tokens: int | None = None,
        context: int | None = None,
        courtesy: bool = True,
        contacts: ContactPolicy = None,
        may_contact: MayContact | None = None,
        embeddings: str | None = None,
    ) -> Self:
        """Open a log and go on where it stopped: its agents, chats, pending messages and unfinished runs.

        Nothing runs until `start` is called or a ``with`` block is entered.

        Parameters
        ----------
        path : str or Path
            A log, as `log` names it.
        tools : iterable of callable
            The functions that its agents have as tools or contacts: functions are not in the log, only their names.
        contacts : str, int, iterable of str, or callable, optional
            Whom agents are shown. Default: as before; a function is to be given again.
        may_contact : callable, optional
            The rule about who may reach whom; to be given again if there was one.
        model, limits, base_url, api_key, client, max_concurrency, max_retries, timeout, record, play, thread_logs,
        prices, max_output_tokens, context, courtesy, embeddings
            As for a new service; none of them is in the log.

        Raises
        ------
        LogError
            If it is in use, damaged, of a later version, not there, or needs functions that were not given.
        """
        _check_embeddings(embeddings, record, play)
        store = Store.open(Path(path))
        self = cls.__new__(cls)
        try:
            self.name = store.meta["name"]
            models = Models(
                model,
                base_url=base_url,
                api_key=api_key,
                client=client,
                options=ClientOptions(max_concurrency, max_retries, timeout, record, play),
                name=slug(self.name),
            )
            options = Options(
                store.meta["chat_list"] == "every",
                Prices(prices),
                max_output_tokens,
                courtesy,
                checked_context(context),
                _contacts_of(store, checked_contacts(contacts), may_contact),
                may_contact,
                embeddings,
            )
            self._set_up(store, models, limits, options, thread_logs=thread_logs)
            self._load(functions_by_name(tools))
        except Exception:
            store.close()
            raise
        atexit.register(self.stop)
        if store.recovered:
            note(f"{self.name}: {store.recovered}")
        return self

    def _set_up(self, store: Store, models: Models, limits: Limits, options: Options, *, thread_logs: bool) -> None:
        self.store = store
        self.registry = Registry()
        self._models = models
        self._lifecycle = Lifecycle(limits)
        self._lifecycle.on_halt = self._halted
        store.on_failure = lambda: self._lifecycle.halt("stopped", "log")
        self._runtime = InThread(self.name)
        store.loop = self._runtime
        self._inboxes: dict[str, list[Message]] = {}
        self._keys: dict[str, Message] = {}
        self._stopping = threading.RLock()
        self._subscribers: list[Callable[[Message], object]] = []
        self._runs = Runs(
            store,
            self.registry,
            models=models,
            lifecycle=self._lifecycle,
            ring=self._runtime.ring,
            options=options,
        )
        guard = Courtesy() if options.courtesy else None
        self._contacts = Contacts(
            self.registry,
            policy=options.contacts,
            may_contact=options.may_contact,
            embeddings=self._embeddings(options.embeddings),
        )
        self._router = Router(self._contacts, self, self._deliver, let_go=self._runs.let_go, guard=guard)
        self._runs.route_by(self._router)
        self._thread_logs = None
        if thread_logs and store.path is not None:
            self._thread_logs = ThreadLogs(store.path.parent / file_name(self.name), self.registry.name_of)
            store.watch(self._thread_logs)

    def _embeddings(self, model: str | None) -> Embeddings | None:
        if model is None:
            return None
        default = self._models.default
        return Embeddings(lambda texts: default.embed(model, texts), lambda text: self._note("embeddings_failed", text))

    def _load(self, functions: dict[str, Callable[..., Any]]) -> None:
        load_directory(self.store, self.registry, self, functions)
        self._runs.desks = load_desks(self.store, self.registry, self._models)
        self._lifecycle.spent = load_spent(self.store)
        load_guard(self.store, self._runs.desks, self._router.guard)
        load_contacts(self.store, self.registry, self._contacts)
        for member in self.registry.members:
            if isinstance(member, Person):
                received = "seq IN (SELECT seq FROM deliveries WHERE agent_id = ?)"
                self._inboxes[member.id] = self.store.messages(received, member.id)
        if self._thread_logs is not None:
            self._thread_logs.rewrite(self.store)
        self._runs.due(agent_id for agent_id, desk in self._runs.desks.items() if desk.inbox or desk.run is not None)
        if self.store.recovered:
            with self.store.transaction() as tx:
                tx.note("log_recovered", self.store.recovered)

    # -- what it is -------------------------------------------------------------------------------------------------

    def __repr__(self) -> str:
        agents, where = len(self.registry), self.log or "in memory"
        return f"<InterComService {self.name}: {self.status}; {agents} agents, {self.spent}; {self.model}; log {where}>"

    def __getitem__(self, given: str) -> Member | Chat:
        """Return the agent, person or chat with this id or name."""
        return self.registry.party(given)

    def _ipython_key_completions_(self) -> list[str]:
        return [found.id for found in (*self.registry.members, *self.registry.chats)]

    @property
    def thread_logs(self) -> Path | None:
        """The folder of the thread logs; None if there are none."""
        return None if self._thread_logs is None else self._thread_logs.folder

    @property
    def messages(self) -> list[Message]:
        """Every accepted message, oldest first, read from the log."""
        return self.store.messages()

    # -- members ----------------------------------------------------------------------------------------------------

    def add(self, *agents: Agent) -> None:
        """Add agents; they run whenever the service does and they have mail.

        Raises
        ------
        InvalidNameError
            If a name or id is taken.
        InvalidToolError
            If a tool bears the name of a chat tool, or of another tool of the same agent.
        MissingKeyError
            If an agent names a model and nothing says how to reach it.
        """
        for agent in agents:
            if not isinstance(agent, Agent):
                msg = f"add() takes agents, not {agent!r}; for a person, call add_person(name)"  # type: ignore[unreachable]
                raise TypeError(msg)
            agent.check_free(self)
            check_tools(agent.tools, NOTE_TOOLS if agent.notes else ())
            self._models.named(agent.model)
        with self._transaction() as tx:
            for agent, agent_id in zip(agents, self.registry.places(agents), strict=True):
                agent.join(self, agent_id)
                self.registry.add_member(agent)
                self._runs.desks[agent.id] = AgentState(agent, conversation=[])
                tx.add(agent.as_fact(tx.seq(), micros(tx.time)))
        tx.wait()

    def add_person(
        self,
        name: str = "You",
        *,
        description: str = "The person at the notebook.",
        id: str | None = None,  # noqa: A002 - as for an agent
    ) -> Person:
        """Add a person, whom agents can write to like each other; nobody waits for an answer.

        Raises
        ------
        InvalidNameError
            If the name or id is taken.
        """
        person = Person(name, description, id, self)
        with self._transaction() as tx:
            person.join(self.registry.places([person])[0])
            self.registry.add_member(person)
            self._inboxes[person.id] = []
            tx.add(person.as_fact(tx.seq(), micros(tx.time)))
        tx.wait()
        return person

    def edit(self, agent_id: str, *, mission: str | None = None, description: str | None = None) -> None:
        """Change an agent's mission or description: a new version, in effect from its next run on."""
        agent = self.registry.get_agent(agent_id)
        mission = agent.mission if mission is None else checked_text(mission, "mission")
        description = agent.description if description is None else checked_text(description, "description")
        with self._transaction() as tx:
            agent.edited(mission, description)
            self.registry.changed(agent)
            tx.add(agent.as_fact(tx.seq(), micros(tx.time)))
        tx.wait()

    def history_of(self, agent_id: str) -> list[Item]:
        """Return all items of an agent, also those that compaction has replaced; oldest first, read from the log."""
        return self._runs.history(self._runs.desks[agent_id])

    def limit(self, agent_id: str, limits: Limits | None) -> None:
        """Change what an agent may spend itself; setting `Agent.limits` does the same."""
        agent = self.registry.get_agent(agent_id)
        with self._transaction() as tx:
            agent.limited(limits)
            tx.add(agent.as_fact(tx.seq(), micros(tx.time)))
        tx.wait()

    def spent_of(self, agent_id: str) -> Spent:
        """Return what an agent has spent; a copy."""
        return replace(self._runs.desks[agent_id].spent)

    def get_chat_list_for(self, agent_id: str) -> list[dict[str, str]]:
        """Return whom an agent is shown: dicts of ``id name description type``, agents first, then its groups.

        Raises
        ------
        UnknownIdError
            If there is no such agent.
        """
        with self.store.lock:
            return [entry.as_dict() for entry in self._contacts.list_for(self.registry.member(agent_id).id)]

    def search(self, query: str, limit: int = 5) -> list[Agent]:
        """Return the agents that have most to do with a query, best first, by the words of all their texts.

        Parameters
        ----------
        query : str
            A few words; other forms of them are found too, and everyday words for the same matter.
        limit : int, default 5
            How many to return at most.

        Examples
        --------
        >>> intercom.search("who can advertise it?", limit=1)
        [<Agent Marketing Expert (marketing-expert), idle>]
        """
        with self.store.lock:
            return self._contacts.search(checked_text(query, "query"), limit)

    def name_of(self, some_id: str | None) -> str:
        """Return the name behind an id; the id itself if nobody has it, empty for None."""
        return self.registry.name_of(some_id)

    # -- messages and chats -----------------------------------------------------------------------------------------

    def send_message(
        self, message: str, receiver_id: str, sender_id: str | None = None, *, key: str | None = None
    ) -> Message:
        """Accept a message to an agent, a person or a group; returns once it is in the log.

        Parameters
        ----------
        message : str
            The text.
        receiver_id : str
            An agent's, person's or chat's id.
        sender_id : str, optional
            Who says it. Without one, an agent reads the bare text, as from the program.
        key : str, optional
            A second message with the same key is not accepted again: the first one is returned. For a cell that may
            be run twice.

        Returns
        -------
        Message

        Raises
        ------
        UnknownIdError
            If there is no such receiver or sender.
        ChatRuleError
            If the sender is no member of the chat, the message is empty, or it goes to the sender itself.
        """
        with self._transaction() as tx:
            accepted = None if key is None else self._known(checked_text(key, "key"))
            if accepted is None:
                accepted = self._router.post(tx, message, receiver_id, sender_id, key=key)
            if key is not None:
                self._keys[key] = accepted
        tx.wait()
        return accepted

    def _known(self, key: str) -> Message | None:
        # What is not yet durable is in the dictionary, what an earlier process accepted is in the log.
        return self._keys.get(key) or next(iter(self.store.messages("key = ? AND run_id IS NULL", key)), None)

    def create_chat(
        self, agent_ids: Sequence[str], name: str, description: str, admin_id: str, message: str | None = None
    ) -> Chat:
        """Create a group chat of the admin and at least two others, and send it a first message if one is given.

        Raises
        ------
        UnknownIdError, InvalidNameError, ChatRuleError
            If a member is unknown, the name cannot be used, or there are fewer than three members.
        """
        with self._transaction() as tx:
            if message is not None:
                check_message(message)
            chat = self._router.create_chat(tx, admin_id, agent_ids, name=name, description=description)
            if message is not None:
                self._router.post(tx, message, chat.id, admin_id)
        tx.wait()
        return chat

    def add_chat_member(self, agent_id: str, chat_id: str, admin_id: str) -> None:
        """Add a member to a group chat, as its admin.

        Raises
        ------
        UnknownIdError, ChatRuleError
            If somebody is unknown, `admin_id` is not the admin's, or the member is already in.
        """
        with self._transaction() as tx:
            self._router.add_member(tx, admin_id, agent_id, chat_id)
        tx.wait()

    def remove_chat_member(self, agent_id: str, chat_id: str, admin_id: str) -> None:
        """Remove a member from a group chat, as its admin; it hears nothing more.

        Raises
        ------
        UnknownIdError, ChatRuleError
            If somebody is unknown, `admin_id` is not the admin's, or the member is not in.
        """
        with self._transaction() as tx:
            self._router.remove_member(tx, admin_id, agent_id, chat_id)
        tx.wait()

    def release(self, *ids: str) -> int:
        """Deliver the mail of agents whom the guard against courtesy stopped; returns in how many channels some waited.

        Parameters
        ----------
        *ids : str
            Of two agents: what they wrote to each other; of one: everything to and from it; of a group: what was
            written there. None: everything.
        """
        with self._transaction() as tx:
            channels = self._router.release(tx, [self.registry.party(given).id for given in ids])
        tx.wait()
        return len(channels)

    def _deliver(self, message: Message, agent_ids: Sequence[str], person_ids: Sequence[str], *, held: bool) -> None:
        for person_id in person_ids:
            self._inboxes[person_id].append(message)
        self._runs.deliver(message, agent_ids, held=held)
        if self._subscribers:
            self._runtime.call_soon(self._tell, message)

    def subscribe(self, call: Callable[[Message], object]) -> Callable[[], None]:
        """Call a function with every message accepted from now on; returns the function that ends this.

        Called on the service's own thread, in order, once the message is in the log and while the service runs. Keep
        it short: agents wait meanwhile. What it raises goes to the log of the ``logging`` module.
        """
        self._subscribers.append(call)
        return lambda: self._subscribers.remove(call) if call in self._subscribers else None

    def on_delta(self, call: Callable[[Delta], object]) -> Callable[[], None]:
        """Call a function with every piece of a model's answer as it arrives; returns the function that ends this.

        Called on the service's own thread, as `subscribe` calls: keep it short. Pieces are a preview: what counts is
        the completed answer, and one that broke off begins anew (`Delta.attempt`). Models are asked to stream only
        while somebody listens; one that cannot tells nothing.
        """
        self._models.listeners.append(call)
        return lambda: self._models.listeners.remove(call) if call in self._models.listeners else None

    def _tell(self, message: Message) -> None:
        for call in list(self._subscribers):
            try:
                call(message)
            except Exception:  # somebody else's code must not end the loop all agents share
                _LOGGER.exception("a subscriber failed on %s", message.id)

    def inbox_of(self, person_id: str) -> list[Message]:
        """Return what a person has received, oldest first."""
        return list(self._inboxes[person_id])

    def status_of(self, agent_id: str) -> str:
        """Return what an agent is doing, in a word or a few."""
        return self._runs.status_of(agent_id)

    def conversation_of(self, agent_id: str) -> list[Item]:
        """Return an agent's items, oldest first; a copy."""
        with self.store.lock:
            return list(self._runs.conversation(self._runs.desks[agent_id]))


def _check_embeddings(embeddings: str | None, record: object, play: object) -> None:
    if embeddings is not None and (record is not None or play is not None):
        raise ValueError("embeddings= cannot be recorded or played: leave it out, or record= and play=")


def _contacts_of(store: Store, given: ContactPolicy, may_contact: MayContact | None) -> ContactPolicy:
    """Return the policy of a log; functions are not in it, so they are to be given again."""
    text = store.meta.get("contacts") or None
    if given is None and function_of(text):
        raise LogError(store.path, f"the function {text} said whom its agents are shown; give it again: contacts=")
    if may_contact is None and store.meta.get("rule"):
        raise LogError(store.path, "a rule said who may reach whom; give it again: may_contact=")
    return policy_from(text, {}) if given is None else given
