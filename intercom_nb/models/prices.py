"""What model calls cost: a price list that can be overridden, and an unknown price that stays unknown."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from types import MappingProxyType

from intercom_nb.checks import shown
from intercom_nb.models.model import Model
from intercom_nb.models.values import Reply, Usage

__all__ = ["Price", "Prices"]

_MILLION = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """What a model costs, in US dollars per million tokens.

    Attributes
    ----------
    input, output : float
        Tokens read and written.
    cached : float, optional
        Tokens read that the server had kept. Default: as `input`.

    Examples
    --------
    >>> Price(input=2, output=8).cached
    2
    """

    input: float
    output: float
    cached: float | None = None

    def __post_init__(self) -> None:
        if self.cached is None:
            object.__setattr__(self, "cached", self.input)
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
                msg = f"Price({field.name}={shown(value)}): it should be US dollars per million tokens, 0 or more"
                raise ValueError(msg)

    def usd(self, usage: Usage) -> float | None:
        """Return what a call cost; None where the server did not count."""
        if usage.input_tokens is None:
            return None
        cached = usage.cached_tokens or 0
        fresh = usage.input_tokens - cached
        kept = self.input if self.cached is None else self.cached
        return (fresh * self.input + cached * kept + (usage.output_tokens or 0) * self.output) / _MILLION


class Prices:
    """The prices of one service: those it was given, else those of the models themselves."""

    def __init__(self, given: Mapping[str, Price] = MappingProxyType({})) -> None:
        for name, price in given.items():
            if not isinstance(price, Price):
                msg = f"prices[{name!r}]={price!r}: it should be a Price(input=…, output=…)"  # type: ignore[unreachable]
                raise TypeError(msg)
        self._given = dict(given)
        self._rates: dict[str, tuple[float, float]] = {}

    def of(self, model: Model, reply: Reply) -> float | None:
        """Return what a call cost; None where that is not known."""
        price = None if model.is_played else self._given.get(model.name) or self._given.get(reply.model)
        return price.usd(reply.usage) if price is not None else reply.usd

    def at_most(self, model: Model, read: int, written: int) -> float:
        """Return what a call of so many tokens would cost; 0.0 where that is not known."""
        if model.label not in self._rates:
            self._rates[model.label] = self._look_up(model)
        per_read, per_written = self._rates[model.label]
        return read * per_read + written * per_written

    def _look_up(self, model: Model) -> tuple[float, float]:
        # Of a whole million: prices may differ by the size of a call, and the highest is what one may cost at most.
        price = None if model.is_played else self._given.get(model.name)
        known = price.usd if price is not None else model.usd
        rates = (Usage(_MILLION, 0, 0), Usage(0, 0, _MILLION))
        read, written = ((known(usage) or 0.0) / _MILLION for usage in rates)
        return read, written
