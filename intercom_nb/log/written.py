"""A log read as what it was written as: transactions, one after the other, each with the rows it began and ended."""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from intercom_nb.log.facts import Fact, Statement
from intercom_nb.log.reading import Query
from intercom_nb.log.schema import ENDINGS, TABLES, columns_of

__all__ = ["AsWritten", "Nothing", "Written", "transactions"]

Row = Mapping[str, Any]


@dataclass(slots=True)
class Written:
    """One transaction of a log.

    Attributes
    ----------
    place : int
        Its end.
    at : int
        When it began.
    totals : tuple
        What had been spent by then, as a row of ``places`` has it.
    began : mapping of str to list of mapping
        By table, the rows that it inserted, in the order of the log.
    ended : mapping of str to list of mapping
        By table, the rows of earlier transactions whose end it wrote.
    """

    place: int
    at: int
    totals: tuple[Any, ...]
    began: dict[str, list[Row]] = field(default_factory=lambda: defaultdict(list))
    ended: dict[str, list[Row]] = field(default_factory=lambda: defaultdict(list))

    @property
    def first(self) -> int:
        """Its first number."""
        seqs = [row["seq"] for rows in self.began.values() for row in rows]
        ends = [row["until_seq"] for rows in self.ended.values() for row in rows]
        return min([*seqs, *ends], default=self.place)

    def events(self, *kinds: str) -> list[Row]:
        """Return its events of some kinds."""
        return [row for row in self.began["events"] if row["kind"] in kinds]


class Nothing(Fact):
    """A transaction of which no row is left: in a branch, a step that is begun again."""

    __slots__ = ()

    def statement(self) -> Statement:
        """Return the SQL that writes nothing."""
        return "DELETE FROM places WHERE 0", ()


class AsWritten(Fact):
    """A row as another log has it: a condition, or what the clock, a server or somebody's code decided."""

    __slots__ = ("_row", "_table")
    table: ClassVar[str] = ""

    def __init__(self, table: str, row: Row) -> None:
        self._table, self._row = table, row

    def statement(self) -> Statement:
        """Return the SQL that writes the row; what it was at its end, a later transaction will say."""
        columns = columns_of(self._table)
        ends = ENDINGS.get(self._table, ()) if self._row.get("until_seq") != self._row["seq"] else ()
        values = tuple(None if column in ends else self._row[column] for column in columns)
        marks = ", ".join("?" * len(columns))
        return f"INSERT INTO {self._table} ({', '.join(columns)}) VALUES ({marks})", (values,)  # noqa: S608 - names of ours


def transactions(query: Query) -> Iterator[Written]:
    """Return the transactions of a log, oldest first."""
    found = [Written(row[0], row[1], row[2:]) for row in query("SELECT * FROM places ORDER BY seq")]
    ends = [one.place for one in found]
    for table in TABLES:
        if table == "places":
            continue
        columns = columns_of(table)
        order = "seq, idx" if table == "items" else "seq, n" if table == "tool_calls" else "seq"
        for values in query(f"SELECT {', '.join(columns)} FROM {table} ORDER BY {order}"):  # noqa: S608 - names of ours
            row = dict(zip(columns, values, strict=True))
            began = bisect_left(ends, row["seq"])
            if began < len(found):
                found[began].began[table].append(row)
            until = row.get("until_seq")
            if until is not None and (over := bisect_left(ends, until)) not in (began, len(found)):
                found[over].ended[table].append(row)
    for one in found:
        for rows in one.ended.values():
            rows.sort(key=_until)
    return iter(found)


def _until(row: Row) -> int:
    return int(row["until_seq"])
