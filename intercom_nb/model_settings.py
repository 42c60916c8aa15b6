"""What is sent with each model call besides the conversation: temperature, effort, a limit of tokens, and the like."""

import difflib
import functools
import json
import math
import reprlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self, TypeVar

from intercom_nb.errors import listed

__all__ = ["NO_SETTINGS", "ModelSettings"]

_T = TypeVar("_T")
_RIGHT = {
    "temperature": "a number from 0 to 2",
    "top_p": "a number from 0 to 1",
    "seed": "a whole number of at most 64 bits",
    "reasoning_effort": "a word that the server knows, such as 'low'",
    "verbosity": "a word that the server knows, such as 'low'",
    "max_output_tokens": "a whole number above 0",
    "extra": "a JSON object of what the server has of its own, such as {'top_k': 40}",
}
_KINDS: dict[str, Any] = {
    "temperature": (int, float),
    "top_p": (int, float),
    "seed": int,
    "reasoning_effort": str,
    "verbosity": str,
    "max_output_tokens": int,
    "extra": Mapping,
}
_NAMES = tuple(_KINDS)
_HIGHEST = {"temperature": 2, "top_p": 1}
_LONGEST_SEED = 63  # bits, besides the sign
_OURS = (  # fields of a request that only the package can fill in
    *("model", "instructions", "input", "messages", "tools", "stream", "stream_options", "store", "include"),
    "parallel_tool_calls",
)
_NAMED = {name: name for name in _NAMES} | dict.fromkeys(("max_tokens", "max_completion_tokens"), "max_output_tokens")
_SHARED = {"reasoning": ("effort", "reasoning_effort"), "text": ("verbosity", "verbosity")}  # objects with one of ours


@dataclass(frozen=True, slots=True, repr=False)
class ModelSettings:
    """What is sent with each model call; made by `of`, from what a user writes. False where it says nothing.

    A setting that is not named is not sent, and the server's own default holds. None says so in so many words: it
    unsets what would hold otherwise, see `over`.

    Parameters
    ----------
    text : str
        What `to_json` returned; `of` and `from_json` check what they are given.

    Examples
    --------
    >>> service = ModelSettings.of({"temperature": 0, "seed": 7, "extra": {"top_k": 40}})
    >>> agent = ModelSettings.of({"seed": None, "max_output_tokens": 500})
    >>> agent.over(service)
    <ModelSettings: temperature=0.0, max_output_tokens=500, extra={'top_k': 40}>
    >>> ModelSettings.from_json(agent.to_json()) == agent
    True
    >>> ModelSettings.of({"temperature": 3})
    Traceback (most recent call last):
    ValueError: settings={'temperature': 3}: it should be a number from 0 to 2; None leaves it unset
    """

    text: str = "{}"

    def __post_init__(self) -> None:
        if not isinstance(self.text, str):
            msg = f"ModelSettings({self.text!r}): write ModelSettings.of({self.text!r})"  # type: ignore[unreachable]
            raise TypeError(msg)

    @classmethod
    def of(cls, given: "Mapping[str, Any] | ModelSettings | None") -> Self:
        """Return settings as a user writes them; None means none.

        Raises
        ------
        ValueError
            If there is no setting of a name, or a value cannot be.
        TypeError
            If a value is not of its setting's kind.
        """
        if isinstance(given, ModelSettings):
            return cls(given.text)
        if given is None:
            return cls()
        if not isinstance(given, Mapping):
            msg = f"settings={given!r}: they should be a mapping, such as {{'temperature': 0}}"  # type: ignore[unreachable]
            raise TypeError(msg)
        for name in given:
            if name not in _NAMES:
                raise ValueError(f"{_written(name, given[name])}: there is no such setting; {_nearest(name)}")
        kept = {name: None if value is None else _checked(name, value) for name, value in given.items()}
        return cls(_text(kept))

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Return the settings that `to_json` wrote.

        Raises
        ------
        ValueError, TypeError
            If no settings are written there.
        """
        return cls.of(json.loads(text))

    def over(self, other: "ModelSettings") -> Self:
        """Return what holds where these settings go before others; what either of them unsets is gone.

        The keys of `extra` are settings of their own: each goes before the other's key of that name.

        Examples
        --------
        >>> ModelSettings.of({"extra": {"top_k": None}}).over(ModelSettings.of({"extra": {"top_k": 40, "min_p": 0.1}}))
        <ModelSettings: extra={'min_p': 0.1}>
        """
        return type(self)(_over(self.text, other.text))

    def to_json(self) -> str:
        """Return them as JSON with sorted keys; what was set to None is null."""
        return self.text

    def as_dict(self) -> dict[str, Any]:
        """Return them as they were written, a dict of the caller's own; what was set to None is None."""
        written = json.loads(self.text)
        return {name: written[name] for name in _NAMES if name in written}

    @property
    def temperature(self) -> float | None:
        """From 0 (always the likeliest word) to 2."""
        return self._get("temperature", float)

    @property
    def top_p(self) -> float | None:
        """The share of likeliest words that are drawn from."""
        return self._get("top_p", float)

    @property
    def seed(self) -> int | None:
        """Where a server draws from, so that it may draw the same again; not every server reads it."""
        return self._get("seed", int)

    @property
    def reasoning_effort(self) -> str | None:
        """How much a model thinks before it answers, in its server's words."""
        return self._get("reasoning_effort", str)

    @property
    def verbosity(self) -> str | None:
        """How much a model writes, in its server's words."""
        return self._get("verbosity", str)

    @property
    def max_output_tokens(self) -> int | None:
        """How many tokens an answer may have, its reasoning included."""
        return self._get("max_output_tokens", int)

    @property
    def extra(self) -> dict[str, Any]:
        """What a server has of its own, by the names it has for it; empty if nothing is sent."""
        return _set(self._get("extra", dict) or {})

    def _get(self, name: str, kind: type[_T]) -> _T | None:
        value = json.loads(self.text).get(name)
        return value if isinstance(value, kind) else None

    def __bool__(self) -> bool:
        return self.text != "{}"

    def __repr__(self) -> str:
        told = ", ".join(f"{name}={reprlib.repr(value)}" for name, value in self.as_dict().items())
        return f"<ModelSettings: {told or 'none'}>"


NO_SETTINGS = ModelSettings()
"""Nothing is set; the server's own defaults hold."""


@functools.lru_cache(maxsize=1_000)  # every run asks, and most agents of a service have the same
def _over(text: str, other: str) -> str:
    mine, others = json.loads(text), json.loads(other)
    merged = {**others, **mine}
    if mine.get("extra") and others.get("extra"):
        merged["extra"] = {**others["extra"], **mine["extra"]}
    if merged.get("extra"):
        merged["extra"] = _set(merged["extra"])
    return _text(_set(merged))


def _text(values: Mapping[str, Any]) -> str:
    kept = {name: value for name, value in values.items() if value != {}}
    return json.dumps(kept, ensure_ascii=False, sort_keys=True)


def _set(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _written(name: object, value: object) -> str:
    return f"settings={{{name!r}: {reprlib.repr(value)}}}"


def _nearest(name: object) -> str:
    if isinstance(name, str) and name in _NAMED:
        return f"it is called {_NAMED[name]!r} here"
    near = difflib.get_close_matches(str(name), _NAMED, 1)
    right = f"did you mean {_NAMED[near[0]]!r}?" if near else f"right would be one of {listed(_NAMES)}"
    return f"{right} (what a server has of its own goes into 'extra')"


def _checked(name: str, value: Any) -> Any:
    """Return a value as it is kept, if it can be one of this setting."""
    wrong = f"{_written(name, value)}: it should be {_RIGHT[name]}; None leaves it unset"
    if isinstance(value, bool) or not isinstance(value, _KINDS[name]):
        raise TypeError(wrong)
    if name == "extra":
        return {key: _checked_extra(key, part) for key, part in value.items()}
    if name in _HIGHEST:
        fits = 0 <= value <= _HIGHEST[name]  # not of what is no number, NaN
    elif name == "seed":
        fits = value.bit_length() <= _LONGEST_SEED
    elif name == "max_output_tokens":
        fits = value > 0
    else:
        fits = bool(value.strip()) and value.isprintable()
    if not fits:
        raise ValueError(wrong)
    return math.fabs(value) if name in _HIGHEST else value  # 0, 0.0 and -0.0 mean the same: so they are equal


def _checked_extra(key: object, value: Any) -> Any:
    """Return a value of `extra`, if it is JSON and its key is the server's own."""
    where = f"settings={{'extra': {{{key!r}: {reprlib.repr(value)}}}}}"
    if not isinstance(key, str) or not key:
        raise TypeError(f"{where}: {key!r} should be the name of a field")
    if key in _NAMED:
        raise ValueError(f"{where}: write it as settings={{{_NAMED[key]!r}: …}}, beside 'extra'")
    if key in _OURS:
        raise ValueError(f"{where}: {key!r} is filled in for each call and cannot be set; leave it out")
    if key in _SHARED and value is not None:
        inner, name = _SHARED[key]
        if not isinstance(value, dict):
            raise TypeError(f"{where}: {key!r} should be a JSON object")
        if inner in value:
            raise ValueError(f"{where}: write {inner!r} as settings={{{name!r}: …}}, beside 'extra'")
    try:
        text = json.dumps({key: value}, ensure_ascii=False, allow_nan=False)
        text.encode()
        same = json.loads(text) == {key: value}  # a tuple would come back as a list, and a key 1 as '1'
    except (TypeError, ValueError, RecursionError) as error:
        raise TypeError(f"{where}: it should be JSON, but {error}") from None
    if not same:
        raise TypeError(
            f"{where}: it should be JSON: objects with text as keys, lists, texts, numbers, True, False, None"
        )
    return value
