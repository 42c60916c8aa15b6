"""InterComService: the service agents belong to. Add them, let them run, write to them, look at what happened."""

import atexit
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import EllipsisType, MappingProxyType
from typing import Any, Literal, Self

from intercom_nb.checks import AnyPath, Told, checked_call, checked_flag, checked_path, checked_whole, shown
from intercom_nb.contact_policies import ContactPolicy
from intercom_nb.contacts.rule import MayContact
from intercom_nb.environment import file_of, folder_of_logs
from intercom_nb.errors import LogError
from intercom_nb.limits import Limits
from intercom_nb.members.agent import Agent, check_free, own_code_of
from intercom_nb.members.by_name import ByName
from intercom_nb.members.chat import Chat
from intercom_nb.members.own_code import OwnCode
from intercom_nb.members.person import YOU, Person
from intercom_nb.members.registry import Registry
from intercom_nb.messages import Message, Messages
from intercom_nb.model_settings import ModelSettings
from intercom_nb.models import AsyncOpenAI, Delta, ModelChoice, check_nothing_recorded
from intercom_nb.models.prices import Price
from intercom_nb.notebook import claim_name, note
from intercom_nb.readable import counted
from intercom_nb.service.display import Display
from intercom_nb.service.forking import Branching, branching, forked
from intercom_nb.service.opening import Given, checked_options, made, opened
from intercom_nb.service.options import Options
from intercom_nb.texts.names import checked_name, checked_text

__all__ = ["InterComService", "checked_folder"]

_FOLDER_OR_MEMORY = "the path of a folder, or None to keep the log in memory"


class InterComService(Told, Display):
    """Agents that talk to each other by tool calls, and the log of everything they said.

    Agents run on a thread of the service's own, beside whatever the cells of a notebook are doing. Every method may
    be called from any thread and returns at once; only `wait` and ``await quiet()`` wait for agents.

    Parameters
    ----------
    name : str, optional
        For the log, the thread logs and the threads; default ``intercom``. A cell that is run again stops the service
        it made before; any other service of that name gets a number: ``intercom-2``.
    model : str or assistant, optional
        What agents without a model of their own run on. Default: ``INTERCOM_MODEL`` where a key or a server is set
        (``OPENAI_API_KEY``, ``OPENAI_BASE_URL``; ``.env`` is read too), else the offline assistant.
    logs : str, Path or None, optional
        Folder for the log. Default: ``THREAD_LOGS_PATH``, else ``logs``. None keeps the log in memory.
    settings : dict, optional
        What is sent with each model call: ``temperature``, ``top_p``, ``seed``, ``reasoning_effort``, ``verbosity``,
        ``max_output_tokens``, and ``extra`` for what a server has of its own; an agent's own go before them. Limits are
        checked before each call with what it may at most use: without ``max_output_tokens``, with the most that its
        model has written so far.
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
    play : str or Path, optional
        A log to answer from, or its text (`to_jsonl`), with no network and in the same order. What people and your own
        code say is not taken from it: say it at the same points, best before `start`. Default: in the folder that
        ``INTERCOM_PLAY`` names, if it is set.
    record : None
        There is nothing to be recorded: every log is a recording.
    thread_logs : bool, default True
        Also write a text file for each agent into a folder that is named after the log, without its ``.db``.
    chat_list : {"newest", "every"}, default "newest"
        Whether only an agent's newest turn shows its chat list, or every stored one.
    prices : mapping of str to Price, optional
        What models cost, by name, where the built-in price list does not know or is wrong. A call of unknown price
        is logged without one.
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
    tags : dict, optional
        Texts by which you find the log again among others, such as ``{"condition": "a"}``.

    Raises
    ------
    MissingKeyError
        If a model is named and nothing says how to reach it.
    LogError
        If the folder cannot be written.
    RecordingError
        If there is no recording to play, or one is to be made.

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
        name: str | None = None,
        *,
        model: ModelChoice = None,
        logs: AnyPath | EllipsisType | None = ...,
        settings: Mapping[str, Any] | None = None,
        limits: Limits = Limits(),  # noqa: B008 - frozen
        base_url: str | None = None,
        api_key: str | None = None,
        client: AsyncOpenAI | None = None,
        max_concurrency: int = 64,
        max_retries: int = 2,
        timeout: float = 600.0,
        record: None = None,
        play: AnyPath | None = None,
        thread_logs: bool = True,
        chat_list: Literal["newest", "every"] = "newest",
        prices: Mapping[str, Price] = MappingProxyType({}),
        context: int | None = None,
        courtesy: bool = True,
        contacts: ContactPolicy = None,
        may_contact: MayContact | None = None,
        embeddings: str | None = None,
        tags: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        check_nothing_recorded(record)
        options = Options(
            model=model,
            settings=ModelSettings.of(settings),
            limits=limits,
            base_url=base_url,
            api_key=api_key,
            client=client,
            max_concurrency=max_concurrency,
            max_retries=max_retries,
            timeout=timeout,
            play=play,
            thread_logs=thread_logs,
            chat_list=chat_list,
            prices=prices,
            context=context,
            courtesy=courtesy,
            contacts=contacts,
            may_contact=may_contact,
            embeddings=embeddings,
            tags=tags,
        )
        wanted = checked_name("intercom" if name is None else name, kind="service")
        folder = None if logs is None else checked_folder(logs, _FOLDER_OR_MEMORY)
        engine = None
        try:
            with claim_name(wanted, self) as free:  # a service that could not be made replaces nobody
                engine = made(free, options, folder, show=self._bundle_of)
                self._engine = engine
            atexit.register(self.stop)
        except BaseException:  # a keyboard interrupt in a cell: nobody has it, so nobody could stop it
            if engine is not None:
                engine.log.unmake()
            raise

    @classmethod
    def open(  # noqa: PLR0913 - what only code can give, and what may be given anew
        cls,
        path: AnyPath,
        *,
        model: ModelChoice = None,
        tools: Iterable[Callable[..., Any]] = (),
        settings: Mapping[str, Any] | None = None,
        limits: Limits | None = None,
        base_url: str | None = None,
        api_key: str | None = None,
        client: AsyncOpenAI | None = None,
        play: AnyPath | None = None,
        contacts: ContactPolicy = None,
        may_contact: MayContact | None = None,
        resume_tools: bool = False,
        options: Mapping[str, Any] = MappingProxyType({}),
    ) -> Self:
        """Open a log and go on where it stopped: its agents, chats, pending messages and unfinished runs.

        It goes on as it was: on the same model and server, with the same settings, within the same limits, of which
        what was spent is spent. What is given here is an intervention: it counts from now on, and an event says so.
        Nothing runs until `start` is called or a ``with`` block is entered, and nothing is asked of any server before.

        Parameters
        ----------
        path : str or Path
            A log, as `log` names it.
        model : str or assistant, optional
            Another one to go on with; ``offline`` goes on without a server. An assistant of yours is not in the log:
            it is to be given again.
        tools : iterable of callable
            The functions that its agents have as tools or contacts: functions are not in the log, only their names.
        settings, limits : optional
            Others, from now on.
        base_url, api_key, client : optional
            Of the server. A key is never in the log: it comes from here or from the environment, and goes to the log's
            server only if the environment names that server too, or you do.
        play : str or Path, optional
            A log to answer from.
        contacts : str, int, iterable of str, or callable, optional
            Whom agents are shown, from now on; a function is to be given again.
        may_contact : callable, optional
            The rule about who may reach whom; to be given again if there was one.
        resume_tools : bool, default False
            Whether calls of your tools that a model had asked for and that had not begun are made as soon as it runs,
            with no model asked again: only for a log whose every word you trust. Without it the model is told that the
            outcome is unknown, and a note names the calls.
        options : mapping, optional
            Any other parameter of a new service, by its name, such as ``{"courtesy": False}``.

        Raises
        ------
        LogError
            If it is in use, damaged, of a later version, not there, or needs functions or an assistant of yours.
        MissingKeyError
            If nothing says how to reach its model.
        """
        given = Given(
            model=model,
            settings=settings,
            limits=limits,
            base_url=base_url,
            api_key=api_key,
            client=client,
            play=play,
            contacts=contacts,
            may_contact=may_contact,
            resume_tools=checked_flag(resume_tools, "resume_tools"),
            others=options,
        )
        self = cls.__new__(cls)
        engine = None
        try:
            engine = opened(_checked_path(path), given, tools, show=self._bundle_of)
            self._engine = engine
            atexit.register(self.stop)
            if recovered := self._engine.log.recovered:
                note(f"{self.name}: {recovered}")
        except BaseException:  # a keyboard interrupt in a cell: nobody has it, so nobody could stop it
            if engine is not None:
                engine.stop()
            raise
        return self

    def fork(
        self,
        at: int | str | None = None,
        *,
        say: Mapping[str, str] | None = None,
        logs: AnyPath | EllipsisType | None = ...,
        play: AnyPath | None = None,
        options: Mapping[str, Any] = MappingProxyType({}),
    ) -> Self:
        """Return another service, on a log of its own, that shares everything up to a place with this one.

        Mail under way, unfinished runs, members, chats, conversations, notes, limits and what was spent are there as
        they were at the place. It does not run: change what you like (`mission`, `model`, `settings`, members), then
        `start` it. This service goes on as if nothing had been; the same code (tools, assistants) belongs to both. A
        step in which tools of yours were at work there is begun again: its model is asked anew.

        Parameters
        ----------
        at : int or str, optional
            A number of the log, or the id of a message or a run: the end of the transaction that it was written in.
            Default: now.
        say : dict, optional
            Ids of messages, and what is said in their place: the branch begins before them, and they are sent with
            these texts. All of them of one step. In place of `at`.
        logs : str, Path or None, optional
            Folder for the new log; None keeps it in memory. Default: where the log of this service is.
        play : str or Path, optional
            A log to answer from. One that shares the past of the branch, as the log of this service does, is played
            from the place on.
        options : mapping, optional
            Any other parameter of a new service, by its name, such as ``{"model": "gpt-5-mini"}``.

        Raises
        ------
        LogError
            If there is no such place, or the log cannot be written.
        ChatRuleError, ValueError
            If a text cannot be said, or the messages were not said together.

        Examples
        --------
        >>> branch = intercom.fork(at=intercom.messages[1].id)
        >>> branch["marketing-expert"].mission = "Warn everybody of advertising."
        >>> len(intercom.messages), len(branch.messages)
        (4, 2)
        >>> branch.stop()
        """
        inherited = {name: value for name, value in self._engine.code_options().items() if value is not None}
        if play is not None:  # nobody is asked, so it is no other model that it goes on with
            inherited.pop("model", None)
        given = Given(play=play, others={**inherited, **checked_options(options)})
        code = {agent.id: own_code_of(agent) for agent in self.agents}
        return self._of_branch(branching(self, at, say, logs), given, (), code)

    @classmethod
    def _of_branch(
        cls,
        where: Branching,
        given: Given,
        tools: Iterable[Callable[..., Any]],
        code: Mapping[str, OwnCode] = MappingProxyType({}),
    ) -> Self:
        self = cls.__new__(cls)
        self._engine = forked(where, given, tools, code, show=self._bundle_of)
        atexit.register(self.stop)
        return self

    # -- what it is -------------------------------------------------------------------------------------------------

    def __repr__(self) -> str:
        what = f"{counted(len(self), 'agent')}, {self.spent.said(self.limits)}"
        return f"<InterComService {self.name}: {self.status}; {what}; {self.model}; log {self.log}>"

    def __getitem__(self, given: str) -> Agent:
        """Return the agent with this id or name.

        Raises
        ------
        UnknownIdError
            If there is none; where a person or a chat answers to it, it says where that is found.
        """
        return self.registry.get_agent(given)

    def __iter__(self) -> Iterator[Agent]:
        """Iterate over the agents, in the order they were added."""
        return iter(self.agents)

    def __len__(self) -> int:
        """Return how many agents there are."""
        return len(self.registry)

    def __bool__(self) -> bool:
        """Return True: a service without agents is one, too."""
        return True

    def __contains__(self, given: object) -> bool:
        """Return whether there is this agent, or one with this id or name."""
        return given in self.agents

    def _ipython_key_completions_(self) -> list[str]:
        return self.agents._ipython_key_completions_()

    @property
    def registry(self) -> Registry:
        """Who there is: agents, persons and chats, by id and name."""
        return self._engine.registry

    @property
    def agents(self) -> ByName[Agent]:
        """Its agents, in the order they were added; by id and name too: ``intercom.agents["founder"]``."""
        return ByName("agent", self.registry.get_agents, self.registry.get_agent, lambda one: {"status": one.status})

    @property
    def chats(self) -> ByName[Chat]:
        """Its group chats, in the order they were created; by id and name too."""
        registry = self.registry
        return ByName(
            "chat", lambda: registry.chats, registry.get_chat, lambda one: {"members": ", ".join(one.members)}
        )

    @property
    def people(self) -> ByName[Person]:
        """Its persons, in the order they were added; by id and name too."""
        registry = self.registry
        return ByName(
            "person", lambda: registry.persons, registry.get_person, lambda one: {"inbox": str(len(one.inbox))}
        )

    @property
    def messages(self) -> Messages:
        """Every accepted message, oldest first, read from the log."""
        return Messages(self._engine.log.messages())

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
                msg = f"add() takes agents, not {shown(agent)}; for a person, call add_person(name)"  # type: ignore[unreachable]
                raise TypeError(msg)
            check_free(agent, self._engine)
            self._engine.check_agent(agent.spec, own_code_of(agent))
        self._engine.add(agents)

    def add_person(
        self,
        name: str = YOU,
        *,
        description: str = "The person at the notebook.",
        id: str | None = None,  # noqa: A002 - as for an agent
        team: str = "",
    ) -> Person:
        """Add a person, whom agents can write to like each other; nobody waits for an answer.

        Raises
        ------
        InvalidNameError
            If the name or id is taken.
        """
        person = Person.named(name, description, id, team, self._engine)
        self._engine.add_person(person)
        return person

    def get_chat_list_for(self, agent_id: str) -> list[dict[str, str]]:
        """Return whom an agent is shown: dicts of ``id name description type``, agents first, then its groups.

        Raises
        ------
        UnknownIdError
            If there is no such agent.
        """
        with self._engine.log.lock:
            member = self.registry.member(agent_id)
            return [entry.as_dict() for entry in self._engine.contacts.list_for(member.id)]

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
        checked_whole(limit, "limit", least=0)
        with self._engine.log.lock:
            return self._engine.contacts.search(checked_text(query, "query"), limit)

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
        return self._engine.send_message(message, receiver_id, sender_id, key=key)

    def create_chat(
        self, agent_ids: Sequence[str], name: str, description: str, admin_id: str, message: str | None = None
    ) -> Chat:
        """Create a group chat of the admin and at least two others, and send it a first message if one is given.

        Raises
        ------
        UnknownIdError, InvalidNameError, ChatRuleError
            If a member is unknown, the name cannot be used, or there are fewer than three members.
        """
        about = checked_text(description, "description")
        with self._engine.transaction() as tx:
            if message is not None:
                self._engine.router.check_message(message)
            chat = self._engine.router.create_chat(tx, admin_id, agent_ids, name=name, description=about)
            if message is not None:
                self._engine.router.post(tx, message, chat.id, admin_id)
        tx.wait()
        return chat

    def add_chat_member(self, agent_id: str, chat_id: str, admin_id: str) -> None:
        """Add a member to a group chat, as its admin.

        Raises
        ------
        UnknownIdError, ChatRuleError
            If somebody is unknown, `admin_id` is not the admin's, or the member is already in.
        """
        self._engine.add_chat_member(agent_id, chat_id, admin_id)

    def remove_chat_member(self, agent_id: str, chat_id: str, admin_id: str) -> None:
        """Remove a member from a group chat, as its admin; it hears nothing more.

        Raises
        ------
        UnknownIdError, ChatRuleError
            If somebody is unknown, `admin_id` is not the admin's, or the member is not in.
        """
        self._engine.remove_chat_member(agent_id, chat_id, admin_id)

    def release(self, *ids: str) -> int:
        """Deliver the mail of agents whom the guard against courtesy stopped; returns in how many channels some waited.

        Parameters
        ----------
        *ids : str
            Of two agents: what they wrote to each other; of one: everything to and from it; of a group: what was
            written there. None: everything.
        """
        with self._engine.transaction() as tx:
            channels = self._engine.router.release(tx, [self.registry.party(given).id for given in ids])
        tx.wait()
        return len(channels)

    def subscribe(self, call: Callable[[Message], object]) -> Callable[[], None]:
        """Call a function with every message accepted from now on; returns the function that ends this.

        Called on the service's own thread, in order, once the message is in the log and while the service runs. Keep
        it short: agents wait meanwhile. What it raises goes to the log of the ``logging`` module.
        """
        return self._engine.listeners.add(checked_call(call, "call", "a function of one argument, the message"))

    def on_delta(self, call: Callable[[Delta], object]) -> Callable[[], None]:
        """Call a function with every piece of a model's answer as it arrives; returns the function that ends this.

        Called on the service's own thread, as `subscribe` calls: keep it short. Pieces are a preview: what counts is
        the completed answer, and one that broke off begins anew (`Delta.attempt`). Models are asked to stream only
        while somebody listens; one that cannot tells nothing.
        """
        return self._engine.hear(checked_call(call, "call", "a function of one argument, the piece"))


def checked_folder(logs: Any, right: str) -> Path:
    """Return the folder that logs go to; what is left out follows the settings.

    Raises
    ------
    TypeError, ValueError
        If it is no path; the sentence says what would be right.
    LogError
        If the settings name one that is not theirs to choose.
    """
    given = _folder_set() if isinstance(logs, EllipsisType) else logs
    # At once absolute: a later change of the working folder is no change of the log's.
    return checked_path(given, "logs", right).absolute()


def _folder_set() -> str:
    """Return the folder of logs that the settings name, to write into.

    Raises
    ------
    LogError
        If a ``.env`` above the working folder names one outside it: whoever wrote that file would choose where logs go.
    """
    folder = folder_of_logs()
    file, here = file_of("THREAD_LOGS_PATH"), Path.cwd().resolve()
    if file is not None and file.parent.resolve() != here and not Path(folder).resolve().is_relative_to(here):
        told = f"{file} names it as the folder of logs, and that file lies above the working folder: nothing is written"
        raise LogError(Path(folder), f"{told} there; give logs= or THREAD_LOGS_PATH yourself")
    return folder


def _checked_path(path: object) -> Path:
    return checked_path(path, "path", "the path of a log, as intercom.log names it")
