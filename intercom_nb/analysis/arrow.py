"""Rows of the log as Arrow tables, and Arrow tables as DataFrames: one rule for the type of every kind of column."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from intercom_nb.analysis.tables import TABLES, Column, Kind, Table

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

__all__ = ["arrow_table", "as_frame", "cast", "empty_table", "frame_of", "labelled", "named", "typed"]

_EXAMPLES: Mapping[Kind, str] = MappingProxyType(
    {"text": "''", "count": "0", "time": "0", "number": "0.0", "flag": "0"}
)


def typed(table: Table, place: int | None = None) -> str:
    """Return a table's query as of a place, its first row one to be cut off: an example of each column's type."""
    # The driver takes a column's type from its first rows, and fails later if they were all NULL: here they are not.
    # The LIMIT keeps SQLite from leaving out the inner ORDER BY.
    first = ", ".join(_EXAMPLES[column.kind] for column in table.fetched)
    return f"SELECT {first} UNION ALL SELECT * FROM ({table.at(place)} LIMIT -1)"  # noqa: S608 - made of literals


def _types() -> "dict[Kind, tuple[pa.DataType, pa.DataType]]":
    """Return, by kind, the type a column is stored in and the one it becomes."""
    import pyarrow as pa

    time = pa.timestamp("us", tz="UTC")
    stored = {"text": pa.string(), "count": pa.int64(), "time": pa.int64(), "number": pa.float64(), "flag": pa.int64()}
    return {kind: (type_, {"time": time, "flag": pa.bool_()}.get(kind, type_)) for kind, type_ in stored.items()}  # type: ignore[misc]


def cast(stored: "pa.Table", table: Table) -> "pa.Table":
    """Return what was fetched under the names and in the types of a table."""
    import pyarrow as pa

    types = _types()
    fields = [(column.name, types[column.kind][1]) for column in table.fetched]
    return stored.rename_columns([name for name, _ in fields]).cast(pa.schema(fields))


def arrow_table(rows: Sequence[Sequence[Any]], table: Table) -> "pa.Table":
    """Return rows of the columns that a table's query fetches as an Arrow table."""
    import pyarrow as pa

    types = _types()
    columns = list(zip(*rows, strict=True)) or [()] * len(table.fetched)
    arrays = [pa.array(values, types[c.kind][0]) for values, c in zip(columns, table.fetched, strict=True)]
    return cast(pa.table(arrays, names=[column.name for column in table.fetched]), table)


def named(fetched: "pa.Table", table: Table, names: "pa.Table") -> "pa.Table":
    """Return a table with names beside its ids."""
    import pyarrow as pa
    import pyarrow.compute as pc

    pool = pa.system_memory_pool()  # it gives back what it no longer needs at once
    ids, texts = (names.column(name).combine_chunks() for name in ("id", "name"))

    def names_of(column: "pa.ChunkedArray") -> "pa.ChunkedArray":
        places = pc.index_in(column, ids, memory_pool=pool)
        return pc.take(texts, places, memory_pool=pool)

    columns = {
        column.name: names_of(fetched.column(column.of)) if column.of else fetched.column(column.name)
        for column in table.columns
    }
    return pa.table(columns)


def labelled(part: "pa.Table", label: str) -> "pa.Table":
    """Return a table of one log, beginning with the column ``log``."""
    import pyarrow as pa

    return part.add_column(0, "log", pa.repeat(pa.scalar(label, pa.string()), part.num_rows))


def empty_table(table: Table, *, with_log: bool) -> "pa.Table":
    """Return a table without rows, as the frame has its columns."""
    columns = tuple(Column(column.name, column.kind) for column in table.columns)
    return arrow_table([], Table(((Column("log", "text"),) if with_log else ()) + columns, ""))


def frame_of(rows: Sequence[Mapping[str, Any]], name: str) -> "pd.DataFrame":
    """Return rows, each a value by column, as the frame of that name; what a row leaves out is missing."""
    columns = tuple(Column(column.name, column.kind) for column in TABLES[name].columns)
    values = [[row.get(column.name) for column in columns] for row in rows]
    frame = as_frame(arrow_table(values, Table(columns, "")))
    frame.attrs["errors"] = []
    return frame


def as_frame(table: "pa.Table") -> "pd.DataFrame":
    """Return a table as a DataFrame; the table is used up."""
    import pandas as pd
    import pyarrow as pa

    # pandas' own StringDtype would double the offsets of every text: 60 MB more for a million messages.
    dtypes = {pa.string(): pd.ArrowDtype(pa.string()), pa.int64(): pd.Int64Dtype(), pa.bool_(): pd.BooleanDtype()}
    frame: pd.DataFrame = table.to_pandas(types_mapper=dtypes.get, split_blocks=True, self_destruct=True)
    return frame
