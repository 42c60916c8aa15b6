"""A service as its views see it: whom they may ask, where they meet, and its log."""

from collections.abc import Callable
from typing import Any, Protocol

from intercom_nb.checks import wrong_type
from intercom_nb.log.store import Store
from intercom_nb.members.owner import Owner
from intercom_nb.views.hub import Hub

__all__ = ["Seen", "Shown", "seen_of"]


class Seen:
    """What a view keeps of the service that it shows.

    Parameters
    ----------
    owner : Owner
        Whom to ask.
    hub : Hub
        Where its views meet.
    line : callable
        Returns the service in one line.
    """

    def __init__(self, owner: Owner, hub: Hub, line: Callable[[], str]) -> None:
        self.owner = owner
        self.hub = hub
        self._line = line

    def __repr__(self) -> str:
        return self._line()

    @property
    def _store(self) -> Store:
        return self.owner.store


class Shown(Protocol):
    """A service, as far as its views are concerned; a view asks `seen_of`."""

    @property
    def _seen(self) -> Seen:
        """What its views see of it."""

    @property
    def _store(self) -> Store:
        """Its log."""


def seen_of(service: Shown) -> Seen:
    """Return what views see of a service.

    Raises
    ------
    TypeError
        If it is none.
    """
    seen: Any = getattr(service, "_seen", None)
    if not isinstance(seen, Seen):
        raise wrong_type("source", service, "a service, or the path of a log")
    return seen
