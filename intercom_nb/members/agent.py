"""An agent: who it is, what it is for, and what its owner may ask of it."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

from intercom_nb.agent_spec import NO_DATA, AgentSpec, Mail, under_id
from intercom_nb.checks import Told, checked_flag
from intercom_nb.contact_policies import ContactPolicy, checked_contacts, policy_text
from intercom_nb.errors import LifecycleError
from intercom_nb.limits import Limits, Spent
from intercom_nb.members.cards import agent_html
from intercom_nb.members.own_code import OwnCode, tools_from
from intercom_nb.members.owner import Owner
from intercom_nb.messages import Item, Message
from intercom_nb.model_settings import NO_SETTINGS, ModelSettings
from intercom_nb.models import ModelChoice, model_text
from intercom_nb.texts.instructions import WHOLE, compose
from intercom_nb.texts.names import checked_text, slug
from intercom_nb.texts.turns import BEGIN
from intercom_nb.tools import Tool

__all__ = ["Agent", "agent_from", "become", "check_free", "has_made_id", "join", "own_code_of"]


class Agent(Told):
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
    settings : dict, optional
        What is sent with each of its model calls: ``temperature``, ``top_p``, ``seed``, ``reasoning_effort``,
        ``verbosity``, ``max_output_tokens``, and ``extra`` for what a server has of its own. They go over the
        service's; None unsets what the service sets.
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
    data : dict, optional
        Whatever you want to keep with it, as JSON can: the columns of a persona, say. No model is shown it.

    Attributes
    ----------
    spec : AgentSpec
        All of this as one frozen value, as the log keeps it.

    Raises
    ------
    InvalidNameError
        If the name or id cannot be used.
    InvalidToolError
        If a function cannot be a tool.
    TypeError, ValueError
        If something is not of the kind it should be.

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
        settings: Mapping[str, Any] | None = None,
        tools: Iterable[Callable[..., Any]] = (),
        mail: Mail = "when_idle",
        begins: bool = False,
        limits: Limits | None = None,
        notes: bool = False,
        context: int | None = None,
        team: str = "",
        contacts: ContactPolicy = None,
        data: Mapping[str, Any] | None = None,
    ) -> None:
        if instructions is not None:
            if mission:
                msg = "instructions= stand in place of the mission: give one of them"
                raise ValueError(msg)
            mission = WHOLE + checked_text(instructions, "instructions")
        policy = checked_contacts(contacts, named=True)
        self._code = OwnCode(tools_from(tools), model, policy)
        self._spec = AgentSpec(
            name=name,
            id=slug(name) if id is None and isinstance(name, str) else id,
            description=description,
            mission=mission,
            model=model_text(model),
            settings=NO_SETTINGS if settings is None else ModelSettings.of(settings),
            tools=tuple([tool.name for tool in self._code.tools]),
            mail=mail,
            begins=begins,
            limits=limits,
            notes=notes,
            context=context,
            team=team,
            contacts=policy_text(policy),
            data=NO_DATA if data is None else data,
        )
        self._id_is_made = id is None
        self._owner: Owner | None = None

    def __repr__(self) -> str:
        status = self.status if self._owner is not None else "not added to a service"
        return f"<Agent {self.name} ({self.id}), {status}>"

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, Any]:  # noqa: ARG002 - as IPython calls it
        """Return its live card for a browser, a picture for a page, and one line of text."""
        shown = {"text/html": self._as_html()} if self._owner is None else self._owner.bundle_of(self.id)
        return shown | {"text/plain": repr(self)}

    def _as_html(self) -> str:
        who = {"id": self.id, "status": self.status, "description": self.description, "mission": self.mission}
        return agent_html({"name": self.name, **who}, self.conversation)

    # -- what it is -------------------------------------------------------------------------------------------------

    @property
    def spec(self) -> AgentSpec:
        """What it is, as one frozen value: what the log, a folder and a copy are made from."""
        return self._spec

    @property
    def name(self) -> str:
        """One line, unique among the members of a service; it cannot change."""
        return self._spec.name

    @property
    def id(self) -> str:
        """What others write to; it cannot change."""
        return self._spec.id

    @property
    def team(self) -> str:
        """Where it belongs, such as ``studio/design``; empty for nowhere."""
        return self._spec.team

    @property
    def data(self) -> Mapping[str, Any]:
        """Whatever is kept with it; read only."""
        return self._spec.data

    @property
    def tools(self) -> tuple[Tool, ...]:
        """The functions it may call beside the chat tools."""
        return self._code.tools

    @property
    def mission(self) -> str:
        """What it is for. May be set while it runs: takes effect at its next run, and is a new version in the log."""
        return self._spec.mission

    @mission.setter
    def mission(self, mission: str) -> None:
        self._change(replace(self._spec, mission=mission))

    @property
    def description(self) -> str:
        """What others see in their chat lists. May be set while it runs, as `mission` may."""
        return self._spec.description

    @description.setter
    def description(self, description: str) -> None:
        self._change(replace(self._spec, description=description))

    @property
    def model(self) -> ModelChoice:
        """What it runs on: a name, an assistant, or None for the service's. May be set while it runs."""
        return self._code.model

    @model.setter
    def model(self, model: ModelChoice) -> None:
        self._change(replace(self._spec, model=model_text(model)), replace(self._code, model=model))

    @property
    def settings(self) -> ModelSettings:
        """What is sent with each of its model calls. May be set while it runs, to a dict too."""
        return self._spec.settings

    @settings.setter
    def settings(self, settings: Mapping[str, Any] | None) -> None:
        self._change(replace(self._spec, settings=ModelSettings.of(settings)))

    @property
    def limits(self) -> Limits | None:
        """What it may spend itself. May be set while it runs; after it met one, `InterComService.resume` goes on."""
        return self._spec.limits

    @limits.setter
    def limits(self, limits: Limits | None) -> None:
        self._change(replace(self._spec, limits=limits))

    def _change(self, spec: AgentSpec, code: OwnCode | None = None) -> None:
        code = self._code if code is None else code
        if self._owner is None:
            self._spec, self._code = spec, code
        else:
            self._owner.change(self.id, spec, code)

    # -- what it does -----------------------------------------------------------------------------------------------

    @property
    def instructions(self) -> str:
        """What it is told before its first turn: who it is, its mission and the guideline, unless given as a whole."""
        return compose(self.name, self.id, self.mission, self.description)

    @property
    def spent(self) -> Spent:
        """What it has spent so far: messages it sent, its runs, model calls, tokens and US dollars; a copy."""
        return Spent() if self._owner is None else self._owner.spent_of(self.id)

    @property
    def status(self) -> str:
        """What it is doing.

        ``idle``, ``waiting`` (has mail), ``thinking``, ``waiting for the rate limit``, ``acting`` (a tool works),
        ``paused`` or ``failed``.
        """
        return "new" if self._owner is None else self._owner.status_of(self.id)

    @property
    def conversation(self) -> list[Item]:
        """Its items so far, oldest first, as sent to the model; a copy."""
        return [] if self._owner is None else self._owner.conversation_of(self.id)

    @property
    def history(self) -> list[Item]:
        """All its items, oldest first, also those that compaction has replaced in `conversation`."""
        return [] if self._owner is None else self._owner.history_of(self.id)

    def init(self, begin: bool = True) -> None:  # noqa: FBT001, FBT002 - the seed's signature
        """Start it (and the service it belongs to) and, if asked, set it to work with the word *Begin*."""
        checked_flag(begin, "begin")
        self._belongs_to().start()
        if begin:
            self.begin()

    def begin(self) -> Message:
        """Set it to work on its mission with the word *Begin*."""
        return self.send_message(BEGIN)

    def send_message(self, message: str) -> Message:
        """Put a text into its mail, from nobody in particular; it is read in its next run.

        To write to it as somebody, see `Person.send_message` and `InterComService.send_message`.
        """
        return self._belongs_to().send_message(message, self.id)

    def pause(self) -> None:
        """Make no further model call until `resume`; its mail waits, the others go on."""
        self._belongs_to().pause(self.id)

    def resume(self) -> None:
        """Go on after `pause`."""
        self._belongs_to().resume(self.id)

    def retry(self) -> bool:
        """Try its failed run again; returns whether there was one."""
        return self._belongs_to().retry(self.id) > 0

    def _belongs_to(self) -> Owner:
        if self._owner is None:
            msg = f"{self.name} belongs to no service yet: intercom.add(agent) comes first"
            raise LifecycleError(msg)
        return self._owner


# What a service does with its agents; it alone calls these, so they are no methods of the agent's.


def agent_from(spec: AgentSpec, code: OwnCode) -> Agent:
    """Return an agent that is what a spec says."""
    agent = Agent.__new__(Agent)
    agent._spec, agent._code = spec, code  # noqa: SLF001 - the agent's own module
    agent._id_is_made, agent._owner = False, None  # noqa: SLF001 - the same
    return agent


def has_made_id(agent: Agent) -> bool:
    """Return whether its id was made from its name, so that another may be made for it."""
    return agent._id_is_made  # noqa: SLF001 - the agent's own module


def own_code_of(agent: Agent) -> OwnCode:
    """Return the functions and the assistant behind the names of its spec."""
    return agent._code  # noqa: SLF001 - the agent's own module


def check_free(agent: Agent, owner: Owner) -> None:
    """Check that an agent can join a service.

    Raises
    ------
    LifecycleError
        If it belongs to another one.
    """
    if agent._owner is not None and agent._owner is not owner:  # noqa: SLF001 - the agent's own module
        msg = f"{agent.name} already belongs to another service; make a new Agent for this one"
        raise LifecycleError(msg)


def join(agent: Agent, owner: Owner, agent_id: str) -> None:
    """Let an agent belong to a service from now on, under this id."""
    agent._owner = owner  # noqa: SLF001 - the agent's own module
    agent._spec = under_id(agent._spec, agent_id)  # noqa: SLF001 - the same


def become(agent: Agent, spec: AgentSpec, code: OwnCode) -> None:
    """Let an agent be what another spec says; under the log's lock, while that is being written."""
    agent._spec, agent._code = spec, code  # noqa: SLF001 - the agent's own module
