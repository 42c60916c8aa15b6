"""What a service may spend and take in, and what it has spent."""

import json
import math
from dataclasses import dataclass, fields
from typing import Any

from intercom_nb.checks import LARGEST, shown
from intercom_nb.readable import counted

__all__ = ["Limits", "Spent"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a service may spend before it stops and says so, and take in; finite unless set to ``math.inf``.

    When one of the first five is met, everything pending stays pending: set higher limits and resume. The last three
    stop nobody: what is larger is refused or cut, and whoever wrote it is told. Those of a service count, not an
    agent's own.

    Attributes
    ----------
    steps_per_run : int
        Model calls in one run; a run that meets it ends with the reason ``steps``, the service goes on.
    runs : int
        Runs of all agents together.
    tokens : int
        Input and output tokens, as servers count them.
    usd : float
        US dollars; calls of unknown price count nothing here, and `Spent.unpriced` says how many there were.
    seconds : float
        Time during which somebody was at work; idle time does not count.
    message_bytes : int
        Of one message, in UTF-8; a larger one is not accepted.
    output_bytes : int
        Of what one of your own tools gives back; the rest is cut off, and the model is told.
    answer_bytes : int
        Of one answer of a model; a larger one fails the run.

    Examples
    --------
    >>> Limits(runs=50).runs
    50
    """

    steps_per_run: int = 20
    runs: int = 1_000
    tokens: int = 2_000_000
    usd: float = 10.0
    seconds: float = 3_600.0
    message_bytes: int = 256_000
    output_bytes: int = 1_000_000
    answer_bytes: int = 8_000_000

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not value > 0:
                msg = f"Limits({field.name}={shown(value)}): it should be a number above 0; math.inf lifts the limit"
                raise ValueError(msg)
            if isinstance(value, int) and value > LARGEST:
                msg = f"Limits({field.name}={shown(value)}): no log keeps so large a number; math.inf lifts the limit"
                raise ValueError(msg)

    def __repr__(self) -> str:
        kept = {field.name: getattr(self, field.name) for field in fields(self)}
        said = ", ".join(f"{name}={'math.inf' if math.isinf(n) else f'{n:_}'}" for name, n in kept.items())
        return f"Limits({said})"

    def to_json(self) -> str:
        """Return them as the log keeps them; a limit that is lifted is null."""
        kept = {field.name: getattr(self, field.name) for field in fields(self)}
        return json.dumps({name: None if math.isinf(value) else value for name, value in kept.items()}, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> "Limits":
        """Return the limits that `to_json` was asked of."""
        kept: dict[str, Any] = {name: math.inf if value is None else value for name, value in json.loads(text).items()}
        return cls(**kept)


@dataclass(slots=True)
class Spent:
    """What a service has spent so far.

    Attributes
    ----------
    messages, runs, steps, tokens : int
        Accepted messages, runs begun, model calls, input and output tokens.
    usd : float
        US dollars, of the calls whose price is known.
    unpriced : int
        Model calls whose price is not known; what they cost is missing in `usd`.
    """

    messages: int = 0
    runs: int = 0
    steps: int = 0
    tokens: int = 0
    usd: float = 0.0
    unpriced: int = 0

    def __repr__(self) -> str:
        return f"<Spent: {self}>"

    def to_json(self) -> str:
        """Return it as the log keeps it: a list, in the order of its fields."""
        return json.dumps([self.messages, self.runs, self.steps, self.tokens, self.usd, self.unpriced])

    @classmethod
    def from_json(cls, text: str) -> "Spent":
        """Return what `to_json` was asked of."""
        return cls(*json.loads(text))

    def reached(self, limits: Limits, *, seconds: float = 0.0, new_run: bool = False) -> str | None:
        """Return the name of a limit that forbids another model call; None if none does."""
        used = {"tokens": self.tokens, "usd": self.usd, "seconds": seconds, "runs": self.runs if new_run else -math.inf}
        return next((name for name, value in used.items() if value >= getattr(limits, name)), None)

    def said(self, limits: Limits) -> str:
        """Return the one line with what money may still be spent, where some was.

        Examples
        --------
        >>> Spent(messages=1, runs=2, tokens=300, usd=0.4).said(Limits(usd=1))
        '1 message, 2 runs, 300 tokens, spent $0.40 of $1'
        """
        if not self.usd:
            return str(self)
        most = "" if math.isinf(limits.usd) else f" of ${limits.usd:,.10g}"
        return f"{self._counts()}, spent ${_dollars(self.usd)}{most}{self._unknown(' +')}"

    def _counts(self) -> str:
        said = (counted(self.messages, "message"), counted(self.runs, "run"), counted(self.tokens, "token"))
        return ", ".join(said)

    def _unknown(self, joined: str) -> str:
        return f"{joined} {counted(self.unpriced, 'call')} of unknown price" if self.unpriced else ""

    def __str__(self) -> str:
        """Return the one line shown while somebody waits."""
        cost = f", ${self.usd:.4f}" if self.usd else ""
        return f"{self._counts()}{cost}{self._unknown(' +' if cost else ',')}"


def _dollars(usd: float) -> str:
    return f"{usd:,.2f}" if round(usd, 2) == round(usd, 4) else f"{usd:,.4f}"
