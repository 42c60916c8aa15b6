"""What several services may spend together, asked before each of their model calls."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import fields, replace
from typing import Protocol

from intercom_nb.limits import Limits, Spent

__all__ = ["Purse", "Share", "paid_from", "purse_at_hand"]

_AT_HAND: ContextVar["Share | None"] = ContextVar("purse", default=None)


class HasSpent(Protocol):
    """A service, as far as its spending is concerned."""

    spent: Spent


class Purse:
    """Tokens and dollars that services share, on whatever loops they run.

    A call sets aside what it may use at most, as it does within the limits of its own service, so that calls of several
    services at once pass a limit no more than those of one do.

    Parameters
    ----------
    limits : Limits
        Of these, ``tokens`` and ``usd`` count.
    spent : Spent
        What was spent of it before, each a part of it.
    """

    def __init__(self, limits: Limits, *spent: Spent) -> None:
        self.limits = limits
        self._lock = threading.Lock()
        self._before = Spent()
        for one in spent:
            _add(self._before, one, Spent())
        self._spending: list[tuple[HasSpent, Spent]] = []
        self._reserved = Spent()

    @property
    def spent(self) -> Spent:
        """What was spent in all; a copy."""
        with self._lock:
            return self._sum()

    @property
    def in_flight(self) -> Spent:
        """What calls in flight may use at most; a copy."""
        with self._lock:
            return replace(self._reserved)

    def share(self) -> "Share":
        """Return one service's access to it."""
        return Share(self)

    def join(self, service: HasSpent) -> None:
        """Count what a service spends from now on."""
        with self._lock:
            self._spending.append((service, replace(service.spent)))

    def reserve(self, need: Spent) -> str | None:
        """Set aside what a call may use.

        Returns
        -------
        str or None
            Empty if that was done; the name of the limit that leaves no room, now and later; None if it would have
            room once calls in flight have used less than they may.
        """
        with self._lock:
            spent = self._sum()
            if passed := self._passed(spent, need):
                return passed
            if self._passed(spent, need, self._reserved):
                return None
            self._reserved.tokens += need.tokens
            self._reserved.usd += need.usd
            return ""

    def release(self, need: Spent) -> None:
        """Give back what was set aside; what the call used is counted."""
        with self._lock:
            self._reserved.tokens -= need.tokens
            self._reserved.usd = max(self._reserved.usd - need.usd, 0.0) if self._reserved.tokens else 0.0

    def _sum(self) -> Spent:
        total = replace(self._before)
        for one, before in self._spending:
            _add(total, one.spent, before)
        return total

    def _passed(self, spent: Spent, *needs: Spent) -> str:
        if spent.tokens + sum(need.tokens for need in needs) > self.limits.tokens:
            return "tokens"
        return "usd" if spent.usd + sum(need.usd for need in needs) > self.limits.usd else ""


class Share:
    """One service's access to a purse.

    Attributes
    ----------
    met : str
        The limit that refused a call of this service; empty while none did.
    """

    def __init__(self, purse: Purse) -> None:
        self.met = ""
        self._purse = purse
        self._joined = False

    def reserve(self, service: HasSpent, need: Spent) -> str | None:
        """Set aside what a call of this service may use: see `Purse.reserve`."""
        if not self._joined:
            self._joined = True
            self._purse.join(service)
        passed = self._purse.reserve(need)
        self.met = self.met or passed or ""
        return passed

    def release(self, need: Spent) -> None:
        """Give back what was set aside."""
        self._purse.release(need)


def _add(total: Spent, now: Spent, before: Spent) -> None:
    for one in fields(Spent):
        setattr(total, one.name, getattr(total, one.name) + getattr(now, one.name) - getattr(before, one.name))


@contextmanager
def paid_from(share: Share) -> Iterator[None]:
    """Let the service that this block makes spend from a purse."""
    before = _AT_HAND.set(share)
    try:
        yield
    finally:
        _AT_HAND.reset(before)


def purse_at_hand() -> Share | None:
    """Return the purse that a service made here spends from."""
    return _AT_HAND.get()
