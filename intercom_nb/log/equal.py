"""Whether two logs are equal: the same content in all rows, whatever the clock said and whichever process wrote them.

What a column holds is marked in `intercom_nb.log.schema`: its content, a clock's, or a process's. Two logs in which the
same was said and done under the same conditions, in the same order, are equal; the first row in which they are not is a
`Difference`. Replays, forks and branches are compared by it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest
from types import MappingProxyType
from typing import Any

from intercom_nb.checks import AnyPath
from intercom_nb.log.reading import HasStore, Query, in_memory, path_of, querying
from intercom_nb.log.schema import CONTENT, ENDINGS, META, TABLES, as_of, described
from intercom_nb.log.state import place_of

__all__ = ["Difference", "difference", "first_difference"]

Row = MappingProxyType[str, Any]

_SHOWN = 160  # characters of a value in a sentence
_CLOSE = 60  # of them before the place where two texts part


@dataclass(frozen=True, slots=True)
class Difference:
    """The first row in which two logs differ.

    Attributes
    ----------
    table : str
        Which table it is a row of.
    seq : int
        Where in the logs it is.
    one, other : mapping or None
        The row in the first and in the second log, without what a clock or a process wrote; None where it is missing.
    columns : tuple of str
        In which columns they differ; empty where one is missing.

    Examples
    --------
    >>> ended = Difference("holds", 7, MappingProxyType({"channel": "a"}), None, ())
    >>> print(ended)
    at 7 in holds, one has a row, channel='a', that the other has not
    """

    table: str
    seq: int
    one: Row | None
    other: Row | None
    columns: tuple[str, ...]

    def told(self, one: str = "one", other: str = "the other") -> str:
        """Return it in one sentence, in which the logs are called as given."""
        where = f"at {self.seq} in {self.table},"
        if self.one is None or self.other is None:
            row, has, lacks = (self.one, one, other) if self.other is None else (self.other, other, one)
            said = ", ".join(f"{name}={_cut(value)}" for name, value in (row or {}).items() if value is not None)
            return f"{where} {has} has a row, {said}, that {lacks} has not"
        key = ", ".join(f"{name}={self.one[name]!r}" for name in _key(self.table) if name not in self.columns)
        parts = [f"{name} {_beside(self.one[name], self.other[name], one, other)}" for name in self.columns]
        return f"{where} {f'the row of {key} differs' if key else 'a row differs'}: {'; '.join(parts)}"

    def __str__(self) -> str:
        return self.told()


def difference(one: HasStore | AnyPath, other: HasStore | AnyPath, until: int | str | None = None) -> Difference | None:
    """Return the first row in which two logs differ; None if they are equal.

    Compared is all that was said and done, in which order and under which conditions: places, settings, conversations,
    calls and events. Times, and marks of the process that wrote a log, make no difference.

    Parameters
    ----------
    one, other : InterComService, str or Path
        A service, also while it runs, or the path of a log.
    until : int or str, optional
        A place that both have: a number, or the id of a message or a run. Only what there was by then is compared.

    Raises
    ------
    LogError
        If there is no such log or place.

    Examples
    --------
    >>> difference(intercom, intercom) is None
    True
    """
    for log in (one, other):  # each by itself: what is wrong with the second is no damage of the first
        if in_memory(log) is None:
            path_of(log)
    with querying(one) as query, querying(other) as beside:
        if until is None:
            return first_difference(query, beside)
        return first_difference(query, beside, place_of(query, until), place_of(beside, until))


def first_difference(
    query: Query, beside: Query, place: int | None = None, other_place: int | None = None
) -> Difference | None:
    """Return the first row in which two logs differ, by queries on them; up to a place of each, if given."""
    found = [
        here
        for table in TABLES
        if (here := _in_table(table, _rows(query, table, place), _rows(beside, table, other_place or place)))
    ]
    return min(found, key=lambda here: here.seq, default=None)


def _columns(table: str) -> tuple[str, ...]:
    return tuple(column.name for column in described(table) if column.name in CONTENT[table])


def _key(table: str) -> tuple[str, ...]:
    columns = sorted((one for one in described(table) if one.key), key=lambda one: one.key)
    return tuple(column.name for column in columns if column.name in CONTENT[table])


def _rows(query: Query, table: str, place: int | None) -> list[tuple[Any, ...]]:
    """Return what counts of a table's rows, in the order of the log."""
    columns = _columns(table)
    order = ", ".join(dict.fromkeys(["seq", *_key(table)]))
    there = "" if place is None else as_of(place, {table: columns})
    rows = query(f"{there}SELECT {', '.join(columns)} FROM {table} ORDER BY {order}")  # noqa: S608 - names of the schema
    if table != "meta":
        return rows
    return [row for row in rows if META.get(row[columns.index("key")], "content") == "content"]


def _in_table(table: str, rows: Sequence[tuple[Any, ...]], others: Sequence[tuple[Any, ...]]) -> Difference | None:
    """Return where two logs first differ in a table."""
    found: list[Difference] = []
    if rows != others:
        columns = _columns(table)
        for row, other in zip_longest(rows, others):
            if row == other:
                continue
            found.append(_between(table, columns, row, other))
            # From a row on that is missing, or another one, what stands side by side need not belong together.
            if not set(found[-1].columns) <= set(ENDINGS.get(table, ())) or not found[-1].columns:
                break
    return min(found, key=lambda here: here.seq, default=None)


def _between(table: str, columns: Sequence[str], row: Sequence[Any] | None, other: Sequence[Any] | None) -> Difference:
    one, two = (None if values is None else dict(zip(columns, values, strict=True)) for values in (row, other))
    if one is not None and two is not None and one["seq"] != two["seq"]:
        # The one that comes first in the log is missing in the other.
        one, two = (one, None) if one["seq"] < two["seq"] else (None, two)
    if one is None or two is None:
        there = MappingProxyType(one or two or {})
        return Difference(table, there["seq"], there if one else None, there if two else None, ())
    differ = tuple(name for name in columns if one[name] != two[name])
    ends = [values["until_seq"] for values in (one, two) if set(differ) <= set(ENDINGS.get(table, ()))]
    seq = min((end for end in ends if end is not None), default=one["seq"])
    return Difference(table, seq, MappingProxyType(one), MappingProxyType(two), differ)


def _beside(value: Any, other: Any, one: str, two: str) -> str:
    """Return two values in words: of long texts, where they begin to differ."""
    start = 0
    if isinstance(value, str) and isinstance(other, str):
        same = next((n for n, (a, b) in enumerate(zip(value, other, strict=False)) if a != b), 0)
        start = max(0, same - _CLOSE) if max(len(value), len(other)) > _SHOWN else 0
    return f"is {_cut(value, start)} in {one} and {_cut(other, start)} in {two}"


def _cut(value: Any, start: int = 0) -> str:
    if not isinstance(value, str):
        return "NULL" if value is None else repr(value)
    shown = value[start : start + _SHOWN]
    return repr(("…" if start else "") + shown + ("…" if start + len(shown) < len(value) else ""))
