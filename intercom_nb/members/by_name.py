"""What a service has many of, in order and by name: its agents, chats and people."""

from collections.abc import Callable, Iterator, Sequence
from typing import Generic, Protocol, SupportsIndex, TypeVar, overload

from intercom_nb.checks import shown
from intercom_nb.errors import SharedNameError, UnknownIdError
from intercom_nb.readable import counted, html_table, text_table

__all__ = ["ByName", "Named"]


class Named(Protocol):
    """What has an id and a name."""

    @property
    def id(self) -> str:
        """What it is written to by."""

    @property
    def name(self) -> str:
        """What people call it."""


T = TypeVar("T", bound=Named)


class ByName(Sequence[T], Generic[T]):
    """The agents, chats or people of a service as they are now: a sequence that takes ids and names, too.

    Examples
    --------
    >>> intercom.agents["Marketing Expert"] is intercom.agents["marketing-expert"] is intercom.agents[1]
    True
    >>> "founder" in intercom.agents, len(intercom.chats)
    (True, 0)
    >>> intercom.agents
    3 agents
      id                name              status
      founder           Founder           idle
      marketing-expert  Marketing Expert  idle
      network-engineer  Network Engineer  idle
    """

    def __init__(
        self,
        kind: str,
        things: Callable[[], Sequence[T]],
        find: Callable[[str], T],
        facts: Callable[[T], dict[str, str]],
    ) -> None:
        self._kind = kind
        self._things = things
        self._find = find
        self._facts = facts

    @overload
    def __getitem__(self, key: str | SupportsIndex) -> T: ...
    @overload
    def __getitem__(self, key: slice) -> list[T]: ...
    def __getitem__(self, key: str | SupportsIndex | slice) -> T | list[T]:
        """Return the one with this id or name (in any case), or at this place; those of a slice.

        Raises
        ------
        UnknownIdError
            If nobody answers to it; where another kind of thing does, it says where that is found.
        SharedNameError
            If several have that name.
        IndexError, TypeError
            If there is no such place, or it is none.
        """
        if isinstance(key, str):
            return self._find(key)
        things = list(self._things())
        if isinstance(key, slice):
            return things[key]
        if isinstance(key, bool) or not isinstance(key, SupportsIndex):
            raise TypeError(f"{shown(key)}: it should be an id, a name or a place among {self._title(things)}")
        try:
            return things[key]
        except IndexError:
            raise IndexError(f"there is no place {key!r} among {self._title(things)}") from None

    def __len__(self) -> int:
        return len(self._things())

    def __iter__(self) -> Iterator[T]:
        """Iterate over them as they are now; what is added meanwhile is left out."""
        return iter(list(self._things()))

    def __contains__(self, given: object) -> bool:
        """Return whether one of them is this, or has this id or name."""
        if not isinstance(given, str):
            return any(one is given for one in self)
        try:
            self._find(given)
        except SharedNameError:
            return True
        except UnknownIdError:
            return False
        return True

    def __eq__(self, other: object) -> bool:
        """Return whether the same stand in a list, in the same order."""
        return list(self) == list(other) if isinstance(other, ByName | list | tuple) else NotImplemented

    __hash__ = None  # type: ignore[assignment]  # it is what there is now, and changes

    def __repr__(self) -> str:
        return text_table(*self._table())

    def _repr_html_(self) -> str:
        return html_table(*self._table())

    def _title(self, things: Sequence[T]) -> str:
        return counted(len(things), self._kind)

    def _table(self) -> tuple[str, list[str], list[list[str]]]:
        things = list(self)
        rows = [{"id": one.id, "name": one.name} | self._facts(one) for one in things]
        return self._title(things), list(rows[0]) if rows else [], [list(row.values()) for row in rows]

    def _ipython_key_completions_(self) -> list[str]:
        return list(dict.fromkeys([*(one.id for one in self), *(one.name for one in self)]))
