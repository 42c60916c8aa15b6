"""What a study varies: factors, their levels, and the cast and options that each combination makes."""

import hashlib
import inspect
import itertools
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from intercom_nb import demos
from intercom_nb.agent_spec import AgentSpec
from intercom_nb.checks import nearly, shown, wrong_type
from intercom_nb.contact_policies import checked_contacts, policy_text
from intercom_nb.errors import listed
from intercom_nb.members.agent import Agent, agent_from, own_code_of
from intercom_nb.members.own_code import tools_from
from intercom_nb.models import model_text
from intercom_nb.service.options import Options
from intercom_nb.texts.names import Names, checked_text, slug

__all__ = ["Cast", "Condition", "Prepared", "conditions", "copies", "fingerprint", "prepared", "right_of"]

Cast = int | Sequence[Agent] | Callable[[int], Sequence[Agent]]

_LONGEST_LABEL = 30  # characters of a text that is its own label
_FIXED = ("name", "id")  # of an agent: who it is
_WHOLE = ("agents", "begins", "topology")
_NOT_VARIED = ("api_key", "client", "play", "tags")
_OPTIONS = tuple(one.name for one in fields(Options) if one.name not in _NOT_VARIED)
_FIELDS = tuple(name for name in AgentSpec.names() if name not in _FIXED)


@dataclass(frozen=True, slots=True)
class Condition:
    """One combination of what a study varies.

    Attributes
    ----------
    labels : mapping of str to str
        Factor → what its level is called.
    values : mapping of str to object
        Factor → what it is.
    """

    labels: Mapping[str, str]
    values: Mapping[str, Any]

    @property
    def name(self) -> str:
        """What it is called, in one line; ``all`` where nothing is varied."""
        return ", ".join(self.labels.values()) or "all"

    @property
    def stem(self) -> str:
        """What its logs are called."""
        return slug("-".join(self.labels.values()))[:60] if self.labels else "run"


@dataclass(frozen=True, slots=True)
class Prepared:
    """What one run is made from.

    Attributes
    ----------
    agents : tuple of Agent
        Those that talk; they belong to no service.
    begins : tuple of str
        Ids of those that are set to work.
    options : mapping of str to object
        What its service is told.
    """

    agents: tuple[Agent, ...]
    begins: tuple[str, ...]
    options: Mapping[str, Any]


def conditions(vary: Mapping[str, Any]) -> tuple[Condition, ...]:
    """Return every combination of the levels of some factors, the last factor changing fastest.

    Parameters
    ----------
    vary : mapping
        Factor → levels: a dict of names and values, or a list of values.

    Raises
    ------
    TypeError, ValueError
        If a factor has no levels, or two of one name.
    """
    if not isinstance(vary, Mapping):
        raise wrong_type("vary", vary, "a dict such as {'founder.mission': {'sell': '…', 'hire': '…'}}")
    levels = {factor: _levels(factor, given) for factor, given in vary.items()}
    return tuple(
        Condition(
            {factor: label for factor, (label, _) in zip(levels, one, strict=True)},
            {factor: value for factor, (_, value) in zip(levels, one, strict=True)},
        )
        for one in itertools.product(*levels.values())
    )


def _levels(factor: object, given: Any) -> list[tuple[str, Any]]:
    what = f"vary[{factor!r}]"
    if not isinstance(factor, str) or not factor.strip():
        raise wrong_type("vary", factor, "factors with a name, such as 'founder.mission' or 'model'")
    if isinstance(given, str) or not isinstance(given, Mapping | list | tuple):
        raise wrong_type(what, given, "its levels: a dict of names and values, or a list of values")
    found = list(given.items()) if isinstance(given, Mapping) else [(_label(value), value) for value in given]
    if not found:
        raise ValueError(f"{what}={shown(given)}: it has no level; give it one or more")
    labels = [checked_text(label, f"a level of {factor}") for label, _ in found]
    if twice := sorted({label for label in labels if labels.count(label) > 1}):
        raise ValueError(f"{what} has two levels called {listed(twice)}; name them: {{'one': …, 'other': …}}")
    return found


def _label(value: Any) -> str:
    if isinstance(value, str):
        return value if len(value) <= _LONGEST_LABEL else f"{value[: _LONGEST_LABEL - 1]}…"
    return str(getattr(value, "__name__", None) or shown(value))


def prepared(
    cast: Cast, condition: Condition, replication: int, options: Mapping[str, Any], begins: Sequence[str] | None
) -> Prepared:
    """Return what one run is made from.

    Parameters
    ----------
    cast : int, sequence of Agent, or callable
        A demo's number, agents, or a function of the replication's number that gives some.
    condition : Condition
        What is set.
    replication : int
        1, 2, …
    options : mapping
        What every service of the study is told.
    begins : sequence of str or None
        Ids or names of who is set to work; None for those whose spec says so, or else the first.

    Raises
    ------
    TypeError, ValueError
        If a factor is nothing that can be varied, or a level nothing that it can be.
    """
    values = dict(condition.values)
    agents = {agent.id: agent for agent in copies(values.pop("agents", cast), replication)}
    chosen, told = values.pop("begins", begins), dict(options)
    for factor, value in values.items():
        who, _, what = factor.rpartition(".")
        if who:
            found = _one_of(agents.values(), who, factor)
            agents[found.id] = _varied(found, what, value, factor)
        elif factor == "topology":
            told["may_contact"] = _along(value)
        elif factor in _OPTIONS:
            told[factor] = value
        else:
            right = right_of(factor, (*_WHOLE, *_OPTIONS), before="<agent>.<field>, or ")
            raise ValueError(f"vary[{factor!r}]: there is nothing of that name to vary; {right}")
    Options(**told)  # a wrong one is told now, not when it runs
    return Prepared(tuple(agents.values()), _beginners(tuple(agents.values()), chosen), told)


def copies(cast: Any, replication: int = 1) -> tuple[Agent, ...]:
    """Return agents as a cast has them, each a new one.

    Raises
    ------
    TypeError, ValueError
        If it is no cast.
    """
    if isinstance(cast, int) and not isinstance(cast, bool):
        found: Any = demos.cast(cast)
    else:
        found = cast(replication) if callable(cast) else cast
    if isinstance(found, str) or not isinstance(found, Iterable):
        raise wrong_type(
            "cast", found, "the number of a demo, agents, or a function of the replication that gives some"
        )
    agents = [*found]
    if not agents or not all(isinstance(one, Agent) for one in agents):
        raise wrong_type("cast", found, "one agent or more")
    return tuple(agent_from(agent.spec, own_code_of(agent)) for agent in agents)


def _one_of(agents: Iterable[Agent], who: str, factor: str) -> Agent:
    known = {one.id: one for one in agents}
    found = Names((one.id, one.name) for one in known.values()).find(who)
    if found is None:
        raise ValueError(f"vary[{factor!r}]: nobody in the cast is called {who!r}; right would be: {listed(known)}")
    return known[found]


def _varied(agent: Agent, what: str, value: Any, factor: str) -> Agent:
    if what not in _FIELDS:
        raise ValueError(f"vary[{factor!r}]: an agent has no {what!r} to vary; {right_of(what, _FIELDS)}")
    code = own_code_of(agent)
    if what == "model":
        code, value = replace(code, model=value), model_text(value)
    elif what == "tools":
        code = replace(code, tools=tools_from(value))
        value = tuple(tool.name for tool in code.tools)
    elif what == "contacts":
        code = replace(code, contacts=checked_contacts(value, named=True))
        value = policy_text(code.contacts)
    return agent_from(replace(agent.spec, **{what: value}), code)


def _along(graph: Any) -> Callable[[Any, Any], bool]:
    """Return the rule that agents reach whom a graph joins them with; who stands in no graph is reached by all."""
    if not hasattr(graph, "has_edge"):
        raise wrong_type("topology", graph, "a networkx graph whose nodes are the agents' ids")
    nodes = {str(node): node for node in graph.nodes}

    def joined(agent: Any, member: Any) -> bool:
        if agent.id not in nodes or member.id not in nodes:
            return True
        return bool(graph.has_edge(nodes[agent.id], nodes[member.id]))

    return joined


def right_of(given: object, known: Sequence[str], *, before: str = "") -> str:
    """Return what would be right in place of a name that is none: the one that was surely meant, or all there are."""
    near = nearly(given, known) if isinstance(given, str) else ""
    return f"did you mean {near!r}?" if near else f"right would be {before}one of: {listed(known)}"


def _beginners(agents: Sequence[Agent], chosen: Any) -> tuple[str, ...]:
    if chosen is None:
        return tuple(one.id for one in agents if one.spec.begins) or (agents[0].id,)
    names = [chosen] if isinstance(chosen, str) else chosen
    if not isinstance(names, list | tuple) or not names:
        raise wrong_type("begins", chosen, f"ids of agents, of: {listed(agent.id for agent in agents)}")
    return tuple(_one_of(agents, checked_text(one, "begins"), "begins").id for one in names)


def fingerprint(made: Prepared) -> str:
    """Return what changes when anything does that a run is made from: texts, settings, options, and one's own code."""
    agents = [[agent.spec.as_row(), agent.instructions, *map(_source, _code_of(agent))] for agent in made.agents]
    rule = made.options.get("may_contact")
    options = Options(**made.options)
    facts = [agents, made.begins, options.kept(), _source(options.model), _source(rule)]
    return hashlib.sha256(json.dumps(facts, sort_keys=True, default=str).encode()).hexdigest()[:16]


def _code_of(agent: Agent) -> list[Any]:
    code = own_code_of(agent)
    return [*(tool.function for tool in code.tools), code.model, code.contacts]


def _source(thing: Any) -> str:
    """Return the text of a function, or of an assistant's class and the functions it was given.

    Of functions only: Python looks for a class's text with a parser that several threads at once confuse.
    """
    if thing is None or isinstance(thing, str | int | float):
        return str(thing)
    if inspect.isroutine(thing):
        return _text(thing)
    given = (
        [one for _, one in sorted(vars(thing).items()) if inspect.isroutine(one)] if hasattr(thing, "__dict__") else []
    )
    own = [one for _, one in sorted(vars(type(thing)).items()) if inspect.isfunction(one)]
    return "\n".join([type(thing).__qualname__, *map(_text, own + given)])


def _text(function: Any) -> str:
    try:
        return inspect.getsource(function)
    except (OSError, TypeError):  # written where no file keeps it, or in C
        return str(getattr(function, "__qualname__", function))
