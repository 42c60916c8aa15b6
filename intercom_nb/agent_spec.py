"""What an agent is, as one value: the log's row, a folder, a copy and a recovered agent are made from its fields.

A field is written down here, once: its type says how it is kept (`as_row`, `from_row`), `CHECKS` how it is checked.
Why: ``docs/design/agent_spec.md``.
"""

import json
import operator
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, field, fields, replace
from types import MappingProxyType
from typing import Any, Literal

from intercom_nb.checks import LARGEST, checked_flag, shown, wrong_type
from intercom_nb.contact_policies import checked_contacts, checked_team, policy_from, policy_text
from intercom_nb.limits import Limits
from intercom_nb.model_settings import NO_SETTINGS, ModelSettings
from intercom_nb.texts.names import checked_id, checked_name, checked_text

__all__ = ["NO_DATA", "AgentSpec", "Mail", "checked_context", "checked_limits", "under_id"]

Mail = Literal["when_idle", "asap"]
NO_DATA: Mapping[str, Any] = MappingProxyType({})
"""Nothing is kept with an agent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentSpec:
    """What an agent is, as one frozen value.

    Functions and assistants are no plain values: the spec has their names, as `code_text` writes them.

    Attributes
    ----------
    name : str
        One line, unique among the members of a service.
    id : str
        What others write to.
    description : str
        What others see in their chat lists and choose by.
    mission : str
        What it is for; with its description and the guideline it makes its instructions.
    model : str or None
        The model's name; None for the service's.
    settings : ModelSettings
        What is sent with each of its model calls, over what the service sets.
    tools : tuple of str
        Names of the functions it may call beside the chat tools.
    mail : {"when_idle", "asap"}
        Whether messages that arrive during a run wait for the next one, or join it between two steps.
    begins : bool
        Whether `AgentBuilder.apply` sets it to work when it adds it.
    limits : Limits or None
        What it may spend itself: of these, ``tokens``, ``usd`` and ``runs`` count.
    notes : bool
        Whether it has the tools ``remember`` and ``recall``.
    context : int or None
        Tokens that a request may have before its conversation is compacted; None for the service's.
    team : str
        Where it belongs, such as ``studio/design``; empty for nowhere.
    contacts : str or None
        Whom it is shown, as `policy_text` writes it; None for the service's.
    data : mapping
        Whatever you want to keep with it: a JSON object, such as the columns of a persona. No model is shown it.

    Examples
    --------
    >>> spec = AgentSpec(name="Founder", id="founder", mission="Market it.", data={"age": 40})
    >>> AgentSpec.from_row(spec.as_row()) == spec
    True
    """

    name: str
    id: str
    description: str = ""
    mission: str = ""
    model: str | None = None
    settings: ModelSettings = NO_SETTINGS
    tools: tuple[str, ...] = ()
    mail: Mail = "when_idle"
    begins: bool = False
    limits: Limits | None = None
    notes: bool = False
    context: int | None = None
    team: str = ""
    contacts: str | None = None
    data: Mapping[str, Any] = field(default_factory=lambda: NO_DATA)

    def __post_init__(self) -> None:
        for (name, default), given in zip(_DEFAULTS.items(), _values(self), strict=True):
            if given is not default:  # most fields of most agents are left as they are
                checked = CHECKS[name](given)
                if checked is not given:
                    object.__setattr__(self, name, checked)

    def as_row(self) -> dict[str, Any]:
        """Return its fields as the log keeps them: texts, numbers and JSON, by name."""
        return {
            name: kept if value is default else value if isinstance(value, str) else _plain(value)
            for (name, default, kept), value in zip(_KEPT, _values(self), strict=True)
        }

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> "AgentSpec":
        """Return the spec that `as_row` was asked of; other entries of the row are left out."""
        return cls(**{name: _read(kind, row[name]) for name, kind in _KINDS.items()})

    @classmethod
    def names(cls) -> tuple[str, ...]:
        """Return the names of its fields, in order."""
        return _NAMES


def under_id(spec: AgentSpec, agent_id: str) -> AgentSpec:
    """Return a spec under the id that its service gives it: the same one, where that is the id it has."""
    return spec if spec.id == agent_id else replace(spec, id=agent_id)


def _plain(value: Any) -> Any:
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, ModelSettings):
        return value.text
    if isinstance(value, Limits):
        return value.to_json()
    if isinstance(value, tuple | Mapping):
        if not value:
            return "[]" if isinstance(value, tuple) else "{}"
        return _json(dict(value) if isinstance(value, Mapping) else list(value))
    return value


def _read(kind: Any, value: Any) -> Any:
    options = typing.get_args(kind) if isinstance(kind, types.UnionType) else (kind,)
    if value is None:
        return None
    for option in options:
        if option in (Limits, ModelSettings):
            return option.from_json(value)
        if option is bool:
            return bool(value)
        if typing.get_origin(option) is tuple:
            return tuple(json.loads(value))
        if typing.get_origin(option) is not None and typing.get_origin(option) is not Literal:
            return json.loads(value)
    return value


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, allow_nan=False)


# -- checks ---------------------------------------------------------------------------------------------------------


def checked_context(context: object) -> int | None:
    """Return a context budget in tokens.

    Raises
    ------
    ValueError
        If it is no whole number above 0, or larger than a log can keep.
    """
    if context is None or (isinstance(context, int) and not isinstance(context, bool) and 0 < context <= LARGEST):
        return context
    msg = f"context={shown(context)}: it should be a number of tokens above 0, or None for 60 % of the model's window"
    raise ValueError(msg)


def checked_limits(limits: object) -> Limits | None:
    """Return an agent's own limits.

    Raises
    ------
    TypeError
        If they are neither `Limits` nor None.
    """
    if limits is not None and not isinstance(limits, Limits):
        raise wrong_type("limits", limits, "Limits(tokens=…, usd=…, runs=…) or None")
    return limits


def _checked_mail(mail: object) -> str:
    if mail not in ("when_idle", "asap"):
        msg = f"mail={shown(mail)}: it should be 'when_idle' or 'asap'"
        raise ValueError(msg)
    return str(mail)


def _checked_model(model: object) -> str | None:
    if model is not None and not (isinstance(model, str) and model.strip()):
        raise wrong_type("model", model, "the name of a model, an assistant, or None for the service's")
    return None if model is None else checked_text(model, "model")


def _checked_tools(tools: object) -> tuple[str, ...]:
    if isinstance(tools, str) or not isinstance(tools, tuple | list) or not all(isinstance(one, str) for one in tools):
        msg = f"tools={shown(tools)}: in a spec they are a list of names"
        raise TypeError(msg)
    return tuple(tools)


def _checked_policy(contacts: object) -> str | None:
    if contacts is not None and not isinstance(contacts, str):
        msg = f"contacts={shown(contacts)}: in a spec it is a text, as the log keeps it"
        raise TypeError(msg)
    if contacts is None or contacts.endswith("()"):
        return contacts
    return policy_text(checked_contacts(policy_from(contacts, {})))


def _checked_data(data: object) -> Mapping[str, Any]:
    if not isinstance(data, Mapping) or not all(isinstance(key, str) for key in data):
        raise wrong_type("data", data, "a dict with texts as keys, such as {'age': 40}")
    if not data:
        return NO_DATA
    try:
        kept = json.loads(_json(dict(data)))
        checked_text(_json(kept), "data")
    except (TypeError, ValueError) as error:
        msg = f"data={shown(data)}: it should hold what JSON can: texts, numbers, lists, dicts ({error})"
        raise ValueError(msg) from None
    return MappingProxyType(kept)


def _checked_settings(settings: object) -> ModelSettings:
    return settings if isinstance(settings, ModelSettings) else ModelSettings.of(settings)  # type: ignore[arg-type]


CHECKS: Mapping[str, Callable[[Any], Any]] = MappingProxyType(
    {
        "name": checked_name,
        "id": checked_id,
        "description": lambda value: checked_text(value, "description"),
        "mission": lambda value: checked_text(value, "mission"),
        "model": _checked_model,
        "settings": _checked_settings,
        "tools": _checked_tools,
        "mail": _checked_mail,
        "begins": lambda value: checked_flag(value, "begins"),
        "limits": checked_limits,
        "notes": lambda value: checked_flag(value, "notes"),
        "context": checked_context,
        "team": checked_team,
        "contacts": _checked_policy,
        "data": _checked_data,
    }
)
"""What checks a field, and returns the value it then has."""

_DEFAULTS = {
    one.name: one.default if one.default_factory is MISSING else one.default_factory() for one in fields(AgentSpec)
}
_NAMES = tuple(_DEFAULTS)
_KEPT = tuple((name, default, None if default is MISSING else _plain(default)) for name, default in _DEFAULTS.items())
_values: Callable[[AgentSpec], tuple[Any, ...]] = operator.attrgetter(*_NAMES)
_KINDS = {name: kind for name, kind in typing.get_type_hints(AgentSpec).items() if name in _DEFAULTS}
