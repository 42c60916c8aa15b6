"""All a service may be told, checked at the door, as one value; what is plain is kept in the log.

A field is written down here, once: `InterComService` takes it by its name, `kept` and `from_kept` carry it into the log
and back. Why: ``docs/design/engine.md``.
"""

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from types import MappingProxyType
from typing import Any, Literal

from intercom_nb.agent_spec import checked_context
from intercom_nb.checks import AnyPath, checked_call, checked_flag, checked_path, checked_whole, shown, wrong_type
from intercom_nb.contact_policies import ContactPolicy, checked_contacts, policy_from, policy_text
from intercom_nb.contacts.rule import MayContact
from intercom_nb.limits import Limits
from intercom_nb.model_settings import ModelSettings
from intercom_nb.models import AsyncOpenAI, ModelChoice, Models, model_text, without_credentials
from intercom_nb.models.prices import Price
from intercom_nb.texts.names import checked_text, code_name, code_text

__all__ = ["Options"]

_NOT_KEPT = ("api_key", "client", "play")  # keys never enter a log, and a client or a recording is no plain value
_ADDRESS = "the address of a server, such as 'http://127.0.0.1:8000/v1'"


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What one service is told; `InterComService` says what each of them means.

    Examples
    --------
    >>> Options(courtesy=False).kept()["courtesy"]
    'false'
    >>> Options.from_kept(Options(courtesy=False).kept()).courtesy
    False
    """

    model: ModelChoice = None
    base_url: str | None = None
    api_key: str | None = field(default=None, repr=False)
    client: AsyncOpenAI | None = field(default=None, repr=False)
    play: AnyPath | None = None
    settings: ModelSettings = field(default_factory=ModelSettings)
    limits: Limits = field(default_factory=Limits)
    max_concurrency: int = 64
    max_retries: int = 2
    timeout: float = 600.0
    thread_logs: bool = True
    chat_list: Literal["newest", "every"] = "newest"
    prices: Mapping[str, Price] = field(default_factory=lambda: MappingProxyType({}))
    context: int | None = None
    courtesy: bool = True
    contacts: ContactPolicy = None
    may_contact: MayContact | None = None
    embeddings: str | None = None
    tags: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    def __post_init__(self) -> None:
        for one in fields(self):
            object.__setattr__(self, one.name, _CHECKS[one.name](getattr(self, one.name)))
        if self.client is not None and (self.base_url is not None or self.api_key is not None):
            msg = "client= says itself where it goes: leave base_url= and api_key= out"
            raise ValueError(msg)
        if self.embeddings is not None and self.play is not None:
            msg = "embeddings= cannot be played: leave it out, or play="
            raise ValueError(msg)

    def kept(self) -> dict[str, str]:
        """Return what the log keeps of them: by name, as JSON."""
        return {name: _json(write(getattr(self, name))) for name, write in _WRITE.items()}

    def kept_on(self, models: Models) -> dict[str, str]:
        """Return the same, with the model and the server that a service really has."""
        return self.kept() | {"model": _json(models.default_text), "base_url": _json(models.server)}

    @classmethod
    def from_kept(cls, kept: Mapping[str, str], **given: Any) -> "Options":
        """Return the options of a log, with some of them given anew.

        Functions and assistants are not in the log: those it names stay out unless they are given.
        """
        read = {name: _READ.get(name, _same)(json.loads(text)) for name, text in kept.items() if name in _WRITE}
        return cls(**{**read, **given})

    @staticmethod
    def needed(kept: Mapping[str, str]) -> dict[str, str]:
        """Return what only code can give of the options of a log: the option's name → the name of what it was."""
        texts = {name: json.loads(kept.get(name, "null")) for name in ("model", "contacts", "may_contact")}
        return {name: code_name(text) for name, text in texts.items() if code_name(text)}


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True)


def _same(value: Any) -> Any:
    return value


def _checked_limits(limits: object) -> Limits:
    if not isinstance(limits, Limits):
        raise wrong_type("limits", limits, "Limits(tokens=…, usd=…, runs=…)")
    return limits


def _checked_count(name: str, least: int) -> Callable[[Any], int]:
    return lambda value: checked_whole(value, name, least=least)


def _checked_timeout(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise wrong_type("timeout", value, "a number of seconds above 0")
    if not value > 0 or math.isnan(value):
        raise ValueError(f"timeout={shown(value)}: it should be a number of seconds above 0")
    return value


def _checked_optional(name: str, right: str) -> Callable[[Any], str | None]:
    def checked(value: object) -> str | None:
        if value is not None and not (isinstance(value, str) and value.strip()):
            raise wrong_type(name, value, right)
        if value is not None and not checked_text(value, name).isprintable():
            raise ValueError(f"{name}={shown(value)}: it has a line break or a control character; it should be {right}")
        return value

    return checked


def _checked_address(value: object) -> str | None:
    checked = _checked_optional("base_url", _ADDRESS)(value)
    if checked is not None and not checked.strip().startswith(("http://", "https://")):
        raise ValueError(f"base_url={shown(without_credentials(checked))}: it should be {_ADDRESS}")
    return checked


def _checked_model(model: Any) -> ModelChoice:
    model_text(model)
    given: ModelChoice = model
    return given


def _checked_client(client: object) -> AsyncOpenAI | None:
    if client is not None and not isinstance(client, AsyncOpenAI):
        raise wrong_type("client", client, "an openai.AsyncOpenAI")
    return client


def _checked_tape(name: str) -> Callable[[Any], AnyPath | None]:
    def checked(value: Any) -> AnyPath | None:
        return None if value is None else checked_path(value, name, "the path of a log, or of its text")

    return checked


def _checked_chat_list(chat_list: object) -> str:
    if chat_list not in ("newest", "every"):
        raise ValueError(f"chat_list={shown(chat_list)}: it should be 'newest' or 'every'")
    return str(chat_list)


def _checked_prices(prices: object) -> Mapping[str, Price]:
    right = "a dict of models' names and prices: {'my-model': Price(input=1, output=4)}"
    if not isinstance(prices, Mapping):
        raise wrong_type("prices", prices, right)
    for name, price in prices.items():
        if not isinstance(name, str) or not isinstance(price, Price):
            raise wrong_type(f"prices[{name!r}]", price, f"a Price in {right}")
    return MappingProxyType(dict(prices))


def _checked_rule(rule: object) -> Any:
    return None if rule is None else checked_call(rule, "may_contact", "a function of an agent and a member, or None")


def _checked_tags(tags: object) -> Mapping[str, str]:
    if not isinstance(tags, Mapping) or not all(isinstance(part, str) for pair in tags.items() for part in pair):
        raise wrong_type("tags", tags, "a dict of texts, such as {'condition': 'a'}")
    for part in tags.items():
        checked_text(" ".join(part), "tags")
    return MappingProxyType(dict(tags))


_CHECKS: Mapping[str, Callable[[Any], Any]] = {
    "model": _checked_model,
    "base_url": _checked_address,
    "api_key": _checked_optional("api_key", "a key, as a text"),
    "client": _checked_client,
    "play": _checked_tape("play"),
    "settings": ModelSettings.of,
    "limits": _checked_limits,
    "max_concurrency": _checked_count("max_concurrency", 1),
    "max_retries": _checked_count("max_retries", 0),
    "timeout": _checked_timeout,
    "thread_logs": lambda value: checked_flag(value, "thread_logs"),
    "chat_list": _checked_chat_list,
    "prices": _checked_prices,
    "context": checked_context,
    "courtesy": lambda value: checked_flag(value, "courtesy"),
    "contacts": checked_contacts,
    "may_contact": _checked_rule,
    "embeddings": _checked_optional("embeddings", "the name of a model for embeddings"),
    "tags": _checked_tags,
}

_WRITE: Mapping[str, Callable[[Any], Any]] = {
    one.name: _same for one in fields(Options) if one.name not in _NOT_KEPT
} | {
    "model": model_text,
    "base_url": without_credentials,
    "settings": ModelSettings.as_dict,
    "limits": lambda limits: json.loads(limits.to_json()),
    "prices": lambda prices: {name: [one.input, one.output, one.cached] for name, one in prices.items()},
    "contacts": policy_text,
    "may_contact": lambda rule: None if rule is None else code_text(getattr(rule, "__name__", "may_contact")),
    "tags": dict,
}

_READ: Mapping[str, Callable[[Any], Any]] = {
    "model": lambda text: None if code_name(text) else text,
    "limits": lambda kept: Limits.from_json(json.dumps(kept)),
    "prices": lambda kept: {name: Price(input=a, output=b, cached=c) for name, (a, b, c) in kept.items()},
    "contacts": lambda text: None if code_name(text) else policy_from(text, {}),
    "may_contact": lambda _: None,
}
