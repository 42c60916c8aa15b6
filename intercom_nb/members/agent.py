"""An agent: who it is, what it is for, and what its owner may ask of it."""

from collections.abc import Callable, Iterable
from typing import Any, Literal

from intercom_nb.contact_policies import ContactPolicy, checked_contacts, checked_team, policy_text
from intercom_nb.errors import LifecycleError
from intercom_nb.limits import Limits, Spent
from intercom_nb.log.facts import AgentVersion
from intercom_nb.members.cards import agent_html
from intercom_nb.members.owner import Host
from intercom_nb.messages import Item, Message
from intercom_nb.models import ModelChoice
from intercom_nb.texts.instructions import WHOLE, compose
from intercom_nb.texts.names import checked_id, checked_name, checked_text, slug
from intercom_nb.texts.turns import BEGIN
from intercom_nb.tools import Tool

__all__ = ["Agent", "Mail", "checked_context"]

Mail = Literal["when_idle", "asap"]


class Agent:
    """One assistant: instructions, tools and a description, and one conversation.

    A value until it is added to an `InterComService`; from then on it runs there, on the service's loop, whenever
    it has mail. Its methods may be called from any thread and return at once.

    Parameters
    ----------
    name : str
        One line, unique among the members of a service.
    description : str, optional
        What others see in their chat lists and choose by.
    mission : str, optional
        What it is for; composed with the guideline into its instructions.
    instructions : str, optional
        All it is told, in place of mission and guideline. It is kept as a mission whose first line says so.
    id : str, optional
        What others write to. Default: made from the name, ``Marketing Expert`` → ``marketing-expert``.
    model : str or assistant, optional
        Default: the service's.
    tools : iterable of callable, optional
        Python functions, sync or async, that it may call beside the chat tools.
    mail : {"when_idle", "asap"}, default "when_idle"
        Whether messages that arrive during a run wait for the next one, or join it between two steps.
    begins : bool, default False
        Whether `AgentBuilder.apply` sets it to work when it adds it.
    limits : Limits, optional
        What it may spend itself: of these, ``tokens``, ``usd`` and ``runs`` count. When it has met one, its mail
        waits and the others go on.
    notes : bool, default False
        Whether it has the tools ``remember`` and ``recall``, to keep notes for itself in the log.
    context : int, optional
        Tokens that a request may have before its conversation is compacted. Default: the service's.
    team : str, optional
        Where it belongs, such as ``design``, or ``studio/design`` for a team of a team.
    contacts : str, int, iterable of str, or callable, optional
        Whom it is shown, in the forms that `InterComService` takes. Default: the service's. A function needs a name.

    Raises
    ------
    InvalidNameError
        If the name or id cannot be used.
    InvalidToolError
        If a function cannot be a tool.

    Examples
    --------
    >>> Agent("Marketing Expert", description="Knows everything about marketing.")
    <Agent Marketing Expert (marketing-expert), not added to a service>
    """

    def __init__(  # noqa: PLR0913 - the seed's; everything but the name has a default and is named
        self,
        name: str,
        *,
        description: str = "",
        mission: str = "",
        instructions: str | None = None,
        id: str | None = None,  # noqa: A002 - the seed's word, and the one everybody writes
        model: ModelChoice = None,
        tools: Iterable[Callable[..., Any]] = (),
        mail: Mail = "when_idle",
        begins: bool = False,
        limits: Limits | None = None,
        notes: bool = False,
        context: int | None = None,
        team: str = "",
        contacts: ContactPolicy = None,
    ) -> None:
        self.name = checked_name(name)
        self.id = slug(self.name) if id is None else checked_id(id)
        self.id_is_made = id is None
        self.model = model
        self.tools = tuple(Tool(function) for function in tools)
        if mail not in ("when_idle", "asap"):
            msg = f"mail={mail!r}: it should be 'when_idle' or 'asap'"
            raise ValueError(msg)
        self.mail: Mail = mail
        if instructions is not None:
            if mission:
                msg = "instructions= stand in place of the mission: give one of them"
                raise ValueError(msg)
            mission = WHOLE + checked_text(instructions, "instructions")
        self.begins = begins
        self.notes = bool(notes)
        self.context = checked_context(context)
        self.team = checked_team(team)
        self.contacts = checked_contacts(contacts, named=True)
        self._limits = _checked_limits(limits)
        self.version = 0
        self._description = checked_text(description, "description")
        self._mission = checked_text(mission, "mission")
        self._host: Host | None = None

    def __repr__(self) -> str:
        status = self.status if self._host is not None else "not added to a service"
        return f"<Agent {self.name} ({self.id}), {status}>"

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, Any]:  # noqa: ARG002 - as IPython calls it
        """Return its live card for a browser, a picture for a page, and one line of text."""
        shown = {"text/html": self.as_html()} if self._host is None else self._host.bundle_of(self.id)
        return shown | {"text/plain": repr(self)}

    def as_html(self) -> str:
        """Return it as a table, for a page without scripts."""
        who = {"id": self.id, "status": self.status, "description": self.description, "mission": self.mission}
        return agent_html({"name": self.name, **who}, self.conversation)

    @property
    def mission(self) -> str:
        """What it is for. May be set while it runs: takes effect at its next run, and is a new version in the log."""
        return self._mission

    @mission.setter
    def mission(self, mission: str) -> None:
        mission = checked_text(mission, "mission")
        if self._host is None:
            self._mission = mission
        else:
            self._host.edit(self.id, mission=mission)

    @property
    def description(self) -> str:
        """What others see in their chat lists. May be set while it runs, as `mission` may."""
        return self._description

    @description.setter
    def description(self, description: str) -> None:
        description = checked_text(description, "description")
        if self._host is None:
            self._description = description
        else:
            self._host.edit(self.id, description=description)

    @property
    def limits(self) -> Limits | None:
        """What it may spend itself. May be set while it runs; after it met one, `InterComService.resume` goes on."""
        return self._limits

    @limits.setter
    def limits(self, limits: Limits | None) -> None:
        limits = _checked_limits(limits)
        if self._host is None:
            self._limits = limits
        else:
            self._host.limit(self.id, limits)

    @property
    def spent(self) -> Spent:
        """What it has spent so far: messages it sent, its runs, model calls, tokens and US dollars; a copy."""
        return Spent() if self._host is None else self._host.spent_of(self.id)

    @property
    def instructions(self) -> str:
        """What it is told before its first turn: its mission and the guideline, unless given as a whole."""
        return compose(self.name, self.id, self._mission)

    @property
    def status(self) -> str:
        """What it is doing.

        ``idle``, ``waiting`` (has mail), ``thinking``, ``waiting for the rate limit``, ``acting`` (a tool works),
        ``paused`` or ``failed``.
        """
        return "new" if self._host is None else self._host.status_of(self.id)

    @property
    def conversation(self) -> list[Item]:
        """Its items so far, oldest first, as sent to the model; a copy."""
        return [] if self._host is None else self._host.conversation_of(self.id)

    @property
    def history(self) -> list[Item]:
        """All its items, oldest first, also those that compaction has replaced in `conversation`."""
        return [] if self._host is None else self._host.history_of(self.id)

    def init(self, begin: bool = True) -> None:  # noqa: FBT001, FBT002 - the seed's signature
        """Start it (and the service it belongs to) and, if asked, set it to work with the word *Begin*."""
        self._owner().start()
        if begin:
            self.begin()

    def begin(self) -> Message:
        """Set it to work on its mission with the word *Begin*."""
        return self.send_message(BEGIN)

    def send_message(self, message: str) -> Message:
        """Put a text into its mail, from nobody in particular; it is read in its next run.

        To write to it as somebody, see `Person.send_message` and `InterComService.send_message`.
        """
        return self._owner().send_message(message, self.id)

    def pause(self) -> None:
        """Make no further model call until `resume`; its mail waits, the others go on."""
        self._owner().pause(self.id)

    def resume(self) -> None:
        """Go on after `pause`."""
        self._owner().resume(self.id)

    def retry(self) -> bool:
        """Try its failed run again; returns whether there was one."""
        return self._owner().retry(self.id) > 0

    def _owner(self) -> Host:
        if self._host is None:
            msg = f"{self.name} belongs to no service yet: intercom.add(agent) comes first"
            raise LifecycleError(msg)
        return self._host

    def check_free(self, host: Host) -> None:
        """Check that it can join a service.

        Raises
        ------
        LifecycleError
            If it belongs to another one.
        """
        if self._host is not None and self._host is not host:
            msg = f"{self.name} already belongs to another service; make a new Agent for this one"
            raise LifecycleError(msg)

    def join(self, host: Host, agent_id: str, version: int = 1) -> None:
        """Belong to a service from now on; called by the service."""
        self._host, self.id, self.version = host, agent_id, version

    def as_fact(self, seq: int, at: int) -> AgentVersion:
        """Return this version of it, as the log keeps it."""
        return AgentVersion(
            agent_id=self.id,
            version=self.version,
            seq=seq,
            kind="agent",
            name=self.name,
            description=self._description,
            mission=self._mission,
            model=self.model if isinstance(self.model, str) else None,
            tools=" ".join(tool.name for tool in self.tools),
            mail=self.mail,
            created_at=at,
            max_runs=None if self._limits is None else self._limits.runs,
            max_tokens=None if self._limits is None else self._limits.tokens,
            max_usd=None if self._limits is None else self._limits.usd,
            notes=int(self.notes),
            context=self.context,
            team=self.team,
            contacts=policy_text(self.contacts),
        )

    def edited(self, mission: str, description: str) -> None:
        """Be a new version of itself; called by the service."""
        self._mission, self._description = mission, description
        self.version += 1

    def limited(self, limits: Limits | None) -> None:
        """Be a new version of itself that may spend this much; called by the service."""
        self._limits = limits
        self.version += 1


def checked_context(context: object) -> int | None:
    """Return a context budget in tokens.

    Raises
    ------
    ValueError
        If it is no whole number above 0.
    """
    if context is None or (isinstance(context, int) and not isinstance(context, bool) and context > 0):
        return context
    msg = f"context={context!r}: it should be a number of tokens above 0, or None for 60 % of the model's window"
    raise ValueError(msg)


def _checked_limits(limits: object) -> Limits | None:
    if limits is not None and not isinstance(limits, Limits):
        msg = f"limits={limits!r}: it should be Limits(tokens=…, usd=…, runs=…) or None"
        raise TypeError(msg)
    return limits
