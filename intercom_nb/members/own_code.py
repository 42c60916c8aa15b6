"""What an agent has of the caller's own code: no log and no folder can keep it, so they keep its names."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from intercom_nb.agent_spec import AgentSpec
from intercom_nb.checks import wrong_type
from intercom_nb.contact_policies import ContactPolicy, policy_from
from intercom_nb.errors import InvalidToolError
from intercom_nb.models import Assistant, ModelChoice
from intercom_nb.texts.names import code_name
from intercom_nb.tools import Tool, functions_by_name

__all__ = ["OwnCode", "functions_from", "missing_code", "own_code", "tools_from"]


@dataclass(frozen=True, slots=True)
class OwnCode:
    """The functions and the assistant behind the names of a spec.

    Attributes
    ----------
    tools : tuple of Tool
        What it may call beside the chat tools.
    model : str or assistant, optional
        As it was given.
    contacts : ContactPolicy
        As it was given.
    """

    tools: tuple[Tool, ...] = ()
    model: ModelChoice = None
    contacts: ContactPolicy = None


def tools_from(functions: Iterable[Callable[..., Any]]) -> tuple[Tool, ...]:
    """Return functions as tools.

    Raises
    ------
    TypeError
        If it is no list of functions.
    InvalidToolError
        If one cannot be a tool.
    """
    return () if functions == () else tuple(Tool(function) for function in _listed(functions))


def functions_from(functions: Iterable[Callable[..., Any]]) -> dict[str, Callable[..., Any]]:
    """Return the functions that settings name, by name; what cannot be a tool may still choose contacts.

    Raises
    ------
    TypeError
        If it is no list of functions.
    InvalidToolError
        If one cannot be called, or has no name to be called by.
    """
    given = tuple(_listed(functions))
    for function in given:
        if not callable(function) or not str(getattr(function, "__name__", "")).isidentifier():  # type: ignore[redundant-expr]
            raise InvalidToolError(function, "settings name a function, so it needs a name; write it with def")
    return functions_by_name(given)


def _listed(functions: Iterable[Callable[..., Any]]) -> Iterable[Callable[..., Any]]:
    if isinstance(functions, str | bytes | Mapping) or not isinstance(functions, Iterable):
        raise wrong_type("tools", functions, "a list of functions, such as [look_up]")
    return functions


def missing_code(spec: AgentSpec, functions: Mapping[str, Callable[..., Any]]) -> list[str]:
    """Return the names of the functions that a spec names and that are not among these."""
    named = [*spec.tools, code_name(spec.contacts)]
    return [name for name in named if name and name not in functions]


def own_code(
    spec: AgentSpec, functions: Mapping[str, Callable[..., Any]], assistant: Assistant | None = None
) -> OwnCode:
    """Return what stands behind the names of a spec.

    Parameters
    ----------
    spec : AgentSpec
        Its functions are all among those given: see `missing_code`.
    functions : mapping
        By name.
    assistant : Assistant, optional
        What a model stands for that only code can give.
    """
    model = assistant if code_name(spec.model) else spec.model
    return OwnCode(
        tuple(Tool(functions[name]) for name in spec.tools), model, policy_from(spec.contacts, functions)
    )  # fmt: skip
