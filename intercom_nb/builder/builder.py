"""The agent builder: what a folder of agents would change in a service, and the changing of it."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from intercom_nb.agent_spec import AgentSpec
from intercom_nb.builder.folders import agents_folder, load_agents, save_agents
from intercom_nb.builder.panel import FolderPanel
from intercom_nb.checks import AnyPath, wrong_type
from intercom_nb.log.state import MemberState, state
from intercom_nb.members.agent import Agent, has_made_id
from intercom_nb.members.cards import report_html
from intercom_nb.members.own_code import functions_from
from intercom_nb.service.service import InterComService
from intercom_nb.texts.documents import split_documents, with_documents
from intercom_nb.texts.instructions import WHOLE
from intercom_nb.texts.names import Names, checked_name

__all__ = ["AgentBuilder", "AgentReport", "BuildReport", "load_agents", "save_agents"]

_APPLIED = ("mission", "description")  # what `apply` changes in an agent that is there already


@dataclass(frozen=True, slots=True)
class AgentReport:
    """How one agent of a folder and of a service compare.

    Attributes
    ----------
    name : str
        Whose.
    state : str
        ``new``, ``changed``, ``up to date``, ``no folder`` (it is in the service only and stays), or ``left out`` (a
        person of the service has its name).
    changes : tuple of str
        What `AgentBuilder.apply` changes: ``mission``, ``instructions``, ``files``, ``description``.
    left : tuple of str
        What it leaves, one sentence each: of all else that an agent is, the service keeps what it has.
    """

    name: str
    state: str
    changes: tuple[str, ...] = ()
    left: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """State, changes and what is left, in one line."""
        about = [", ".join(self.changes)] if self.changes else []
        about += [f"left as it is: {'; '.join(self.left)}"] if self.left else []
        return f"{self.state}: {'; '.join(about)}" if about else self.state


@dataclass(frozen=True, slots=True, repr=False)
class BuildReport:
    """How a folder of agents and a service compare, or compared before it was applied.

    Attributes
    ----------
    agents : tuple of AgentReport
        Those of the folder in its order, then those without a folder.
    where : str
        Of the folder.
    applied : bool
        Whether this was done, or would be.
    """

    agents: tuple[AgentReport, ...]
    where: str
    applied: bool = False

    def of(self, state: str) -> list[str]:
        """Return the names of the agents in a state, such as ``new``."""
        return [agent.name for agent in self.agents if agent.state == state]

    @property
    def title(self) -> str:
        """How many agents are in which state, in one line."""
        states = dict.fromkeys(agent.state for agent in self.agents)
        told = ", ".join(f"{len(self.of(state))} {state}" for state in states)
        return f"{self.where}, {'applied' if self.applied else 'not applied'}: {told}"

    def __repr__(self) -> str:
        width = max(len(agent.name) for agent in self.agents)
        return "\n".join([f"<{self.title}>", *(f"  {agent.name:<{width}}  {agent.text}" for agent in self.agents)])

    def _repr_html_(self) -> str:
        return report_html(f"Agents of {self.title}", [(agent.name, agent.text) for agent in self.agents])


class AgentBuilder:
    """A folder of agents, and what it would change in a service. The folder is read anew each time.

    Parameters
    ----------
    path : str or Path, optional
        The folder, as for `load_agents`. Default: ``AGENTS_PATH``.
    tools : iterable of callable, optional
        The functions that the agents' settings name.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder, InterComService("studio", logs=None) as studio:
    ...     _ = save_agents([Agent("Ann", mission="Plan parties."), Agent("Bob")], folder)
    ...     builder = AgentBuilder(folder)
    ...     _ = builder.apply(studio)
    ...     studio["ann"].mission = "Plan picnics."
    ...     [(agent.name, agent.text) for agent in builder.report(studio).agents]
    [('Ann', 'changed: mission'), ('Bob', 'up to date')]
    """

    def __init__(self, path: AnyPath | None = None, *, tools: Iterable[Callable[..., Any]] = ()) -> None:
        self.path = agents_folder(path)
        self._tools = tuple(functions_from(tools).values())
        self._panel: FolderPanel | None = None

    def __repr__(self) -> str:
        return f"<AgentBuilder of {self.path}; report(intercom) says what is new, apply(intercom) does it>"

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, Any]:  # noqa: ARG002 - as IPython calls it
        """Return an editor of the folder for a browser, and one line of text."""
        if self._panel is None:
            self._panel = FolderPanel(self)
        return self._panel.bundle() | {"text/plain": repr(self)}

    @property
    def texts(self) -> dict[str, tuple[str, str]]:
        """Name → description and mission (or whole instructions, without its documents) of each agent."""
        told = {agent.name: (agent.description, agent.mission.removeprefix(WHOLE)) for agent in self.agents}
        return {name: (description, split_documents(text)[0]) for name, (description, text) in told.items()}

    def edit(self, name: str, *, description: str | None = None, mission: str | None = None) -> None:
        """Write an agent's folder anew: its description, its mission, or both; a new folder for a new name.

        Documents and settings stay as they are; where the folder holds whole instructions, `mission` replaces those.

        Raises
        ------
        AgentFolderError
            If something in the folder is wrong; then nothing is written.
        InvalidNameError
            If a new agent's name cannot be used.
        """
        checked_name(name)
        there = self.agents if self.path.is_dir() and any(self.path.iterdir()) else []
        by_id = {one.id: one for one in there}
        found = Names((one.id, one.name) for one in there).find(name)
        agent = Agent(name) if found is None else by_id[found]
        if description is not None:
            agent.description = description
        if mission is not None:
            whole = WHOLE if agent.mission.startswith(WHOLE) else ""
            agent.mission = whole + with_documents(mission, split_documents(agent.mission)[1])
        save_agents([agent], self.path, update=True)

    @property
    def agents(self) -> list[Agent]:
        """The folder's agents, made anew; raises what `load_agents` raises."""
        return load_agents(self.path, tools=self._tools)

    def report(self, service: InterComService | AnyPath) -> BuildReport:
        """Return how the folder compares with a service or a log; changes nothing.

        Raises
        ------
        AgentFolderError
            If something in the folder is wrong.
        LogError
            If there is no such log.
        """
        return self._compare(self.agents, service)[0]

    def apply(self, intercom: InterComService) -> BuildReport:
        """Add the agents that are new, edit those that have changed, and return what was done and what was left.

        New agents whose settings say ``begin`` are set to work, at once or when the service starts. No agent is
        removed. A changed mission or description takes effect at the agent's next run.

        Raises
        ------
        AgentFolderError
            If something in the folder is wrong; then nothing is done.
        """
        if not isinstance(intercom, InterComService):
            raise wrong_type("intercom", intercom, "a service")
        agents = self.agents
        report, edits = self._compare(agents, intercom)
        new = [agent for agent in agents if agent.name in report.of("new")]
        if new:
            intercom.add(*new)
        for agent_id, changes in edits.items():
            for field, text in changes.items():
                setattr(intercom.registry.get_agent(agent_id), field, text)
        for agent in new:
            if agent.spec.begins:
                agent.begin()
        return replace(report, applied=True)

    def _compare(
        self, agents: list[Agent], service: InterComService | AnyPath
    ) -> tuple[BuildReport, dict[str, dict[str, str]]]:
        known = state(service).members
        reports, edits, met = [], dict[str, dict[str, str]](), set[str]()
        for agent in agents:
            there = _counterpart(agent, known)
            if there is None:
                reports.append(AgentReport(agent.name, "new"))
                continue
            met.add(there.spec.id)
            reports.append(_report(agent, there))
            told = {"mission": agent.mission, "description": agent.description}
            differing = {field: text for field, text in told.items() if text != getattr(there.spec, field)}
            if differing and there.kind == "agent":
                edits[there.spec.id] = differing
        alone = (one for one in known if one.kind == "agent" and one.spec.id not in met)
        reports += [AgentReport(one.spec.name, "no folder") for one in alone]
        return BuildReport(tuple(reports), str(self.path)), edits


def _counterpart(agent: Agent, known: Sequence[MemberState]) -> MemberState | None:
    """Return who in the service a folder's agent is: by the id its settings give, else by its name."""
    by_id = [one for one in known if not has_made_id(agent) and one.spec.id.casefold() == agent.id.casefold()]
    by_name = [one for one in known if one.spec.name.casefold() == agent.name.casefold()]
    return next(iter(by_id + by_name), None)


def _report(agent: Agent, there: MemberState) -> AgentReport:
    was = there.spec
    if there.kind != "agent":
        return AgentReport(agent.name, "left out", left=(f"a person of the service is {was.name} ({was.id})",))
    wanted = replace(agent.spec, id=was.id) if has_made_id(agent) else agent.spec
    left = tuple(
        f"{field} {getattr(was, field) or 'none'!r} where the folder has {getattr(wanted, field) or 'none'!r}"
        for field in AgentSpec.names()
        if field not in (*_APPLIED, "begins") and getattr(wanted, field) != getattr(was, field)
    )
    changes = _changes(wanted, was)
    return AgentReport(agent.name, "changed" if changes or left else "up to date", changes, left)


def _changes(wanted: AgentSpec, was: AgentSpec) -> tuple[str, ...]:
    text, documents = split_documents(wanted.mission)
    old, had = split_documents(was.mission)
    told = "instructions" if wanted.mission.startswith(WHOLE) else "mission"
    differ = {told: text != old, "files": documents != had, "description": wanted.description != was.description}
    return tuple(field for field, differs in differ.items() if differs)
