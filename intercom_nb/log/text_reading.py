"""A log read back from its text, as `to_jsonl` writes it."""

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any, NoReturn

from intercom_nb.checks import AnyPath
from intercom_nb.errors import LogDamagedError, LogError, NewerLogError
from intercom_nb.log.schema import (
    CLOCK,
    ENDINGS,
    HALF_STATES,
    LAST_SEQ,
    PROCESS,
    SCHEMA,
    TABLES,
    VERSION,
    Column,
    described,
)

__all__ = ["CUT_IN", "from_jsonl", "loaded"]

_KINDS: Mapping[str, tuple[type, ...]] = {"INTEGER": (int,), "REAL": (float, int), "TEXT": (str,)}
_NEUTRAL: Mapping[str, Any] = {"INTEGER": 0, "REAL": 0.0, "TEXT": ""}
CUT_IN = "PRAGMA user_version"
"""Says of a log that was read from a text in which line that was cut off; 0 if it was not."""

_INFINITE = ("inf", "-inf")
_SHOWN = 200  # characters of what was wrong
_WRITES = "to_jsonl(log, path) writes one"


def from_jsonl(path: AnyPath, to: AnyPath | None = None) -> Path:
    """Make a log of its text, as `to_jsonl` wrote it, and return the log's path.

    Parameters
    ----------
    path : str or Path
        Of the text.
    to : str or Path, optional
        Of the log, if it ends in ``.db``; else of the folder that it is put into. Default: beside the text.

    Raises
    ------
    LogError
        If the text is not there, is no text of a log, or one of a later version; if a line of it is wrong, which the
        sentence names; or if there is a file already.

    Examples
    --------
    >>> from intercom_nb import messages_df, to_jsonl
    >>> log = from_jsonl(to_jsonl(intercom, intercom.log.path.with_name("again.jsonl")))
    >>> log.name, len(messages_df(log)) == len(intercom.messages)
    ('again.db', True)
    """
    path = Path(path)
    given = path.parent if to is None else Path(to)
    target = given if given.suffix == ".db" and not given.is_dir() else given / f"{path.stem}.db"
    if target.exists():
        raise LogError(target, "there is a file of that name; give from_jsonl() another place for the log")
    part = target.with_name(f".{target.name}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        part.unlink(missing_ok=True)
        with closing(sqlite3.connect(part, isolation_level=None)) as connection:
            _load(path, connection)
        part.rename(target)
    except OSError as error:
        if isinstance(error, LogError):
            raise
        raise LogError(target, f"cannot be written ({error.strerror}); choose another place for the log") from None
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)
    return target


@contextmanager
def loaded(path: Path) -> Iterator[sqlite3.Connection]:
    """Give a connection to the log that a text holds, in memory; of one that was cut off, up to its last whole place.

    In which line it was cut off is the `CUT_IN` of the connection.

    Raises
    ------
    LogError
        If it cannot be read.
    """
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        _load(path, connection, as_far_as_it_goes=True)
        yield connection


def _load(path: Path, connection: sqlite3.Connection, *, as_far_as_it_goes: bool = False) -> None:
    """Fill an empty database with the log that a text holds."""
    if not path.is_file():
        raise LogError(path, f"there is no such text of a log; {_WRITES}")
    connection.executescript("BEGIN;" + SCHEMA)
    n, line, is_cut = 1, "", False  # the line that is read
    try:
        # What is no UTF-8 is told of its line: at the end of a text that was cut off, it is half a letter.
        with path.open(encoding="utf-8", errors="surrogateescape", newline="\n") as file:
            head = _head(path, next(file, ""))
            reader = _Reader(connection, neutral=head.get("for_play") is True)
            for line in file:
                n += 1
                reader.write(line)
    except (_WrongLineError, UnicodeError, sqlite3.Error, OverflowError, RecursionError) as error:
        is_cut = as_far_as_it_goes and isinstance(error, _WrongLineError) and not line.endswith("\n")
        if not is_cut:
            what = "it is no UTF-8" if isinstance(error, UnicodeError) else " ".join(str(error)[:_SHOWN].split())
            raise LogDamagedError(path, f"line {n} is no row of a log ({what}); {_WRITES}") from None
    if as_far_as_it_goes and (_cut_back(connection) or is_cut):
        connection.execute(f"{CUT_IN} = {n:d}")
    _check_whole(path, connection, n)
    connection.execute("COMMIT")


def _cut_back(connection: sqlite3.Connection) -> bool:
    """Take away what comes after the last whole place; return whether anything did."""
    ((last,),) = connection.execute(LAST_SEQ)
    before = connection.total_changes
    for table in TABLES:
        connection.execute(f"DELETE FROM {table} WHERE seq > ?", (last,))  # noqa: S608 - names of the schema
    for table, columns in ENDINGS.items():
        unwritten = ", ".join(f"{column} = NULL" for column in columns)
        connection.execute(f"UPDATE {table} SET {unwritten} WHERE until_seq > ?", (last,))  # noqa: S608
    return connection.total_changes > before


class _WrongLineError(ValueError):
    """A line that is no row, and why."""


def _object(line: str) -> dict[str, Any]:
    try:
        found = json.loads(line, parse_constant=_no_number)
    except ValueError as error:
        raise _WrongLineError(f"it is no JSON: {error}") from None
    if not isinstance(found, dict):
        raise _WrongLineError("it is no JSON object")
    return found


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"{text} is no number")


def _head(path: Path, line: str) -> dict[str, Any]:
    try:
        head = _object(line)
    except _WrongLineError:
        line.encode()  # a file of something else altogether is no UTF-8
        head = {}
    found = head.get("schema")
    if head.get("intercom_nb") != "log" or isinstance(found, bool) or not isinstance(found, int):
        raise LogDamagedError(path, f"is no text of a log: line 1 should be its head; {_WRITES}")
    if found > VERSION:
        raise NewerLogError(path, found, VERSION)
    if found < VERSION:
        raise LogError(
            path, f"line 1 says schema {found}, and this version reads {VERSION}: write it anew from its log"
        )
    return head


class _Reader:
    """Writes the rows of a text into a log."""

    def __init__(self, connection: sqlite3.Connection, *, neutral: bool) -> None:
        self._connection = connection
        self._columns: dict[str, dict[str, Column]] = {}
        self._defaults: dict[str, dict[str, Any]] = {}
        self._sql: dict[str, str] = {}
        for table in TABLES:
            columns = described(table)
            own = CLOCK.get(table, frozenset()) | PROCESS.get(table, frozenset()) if neutral else frozenset()
            left_out = {one.name: None for one in columns if one.optional}
            left_out |= {one.name: _NEUTRAL[one.kind] for one in columns if one.name in own and not one.optional}
            self._columns[table] = {one.name: one for one in columns}
            self._defaults[table] = left_out
            marks = ", ".join("?" * len(columns))
            self._sql[table] = f"INSERT INTO {table} VALUES ({marks})"  # noqa: S608 - names of the schema

    def write(self, line: str) -> None:
        """Write the row of one line."""
        found = _object(line)
        table, row = next(iter(found.items()), ("", None))
        columns = self._columns.get(table)
        if columns is None or len(found) != 1 or not isinstance(row, dict):
            raise _WrongLineError(f'right would be {{"messages": {{…}}}}, with one of the tables {", ".join(TABLES)}')
        if unknown := row.keys() - columns.keys():
            raise _WrongLineError(f"{table} has no column {min(unknown)!r}")
        defaults = self._defaults[table]
        if missing := columns.keys() - row.keys() - defaults.keys():
            raise _WrongLineError(f"{table} needs its column {min(missing)!r}")
        values = [_value(column, row) if name in row else defaults[name] for name, column in columns.items()]
        self._connection.execute(self._sql[table], values)


def _value(column: Column, row: Mapping[str, Any]) -> Any:
    value = row[column.name]
    if column.kind == "REAL" and value in _INFINITE:
        return float(value)
    if isinstance(value, bool) or not isinstance(value, _KINDS[column.kind]):
        raise _WrongLineError(f"{column.name} should be of SQLite's type {column.kind} and is {value!r:.60}")
    return value


def _check_whole(path: Path, connection: sqlite3.Connection, n: int) -> None:
    ((last,),) = connection.execute(LAST_SEQ)
    named: Iterable[tuple[str, str]] = [(table, "seq") for table in TABLES] + [
        (table, "until_seq") for table in ENDINGS
    ]
    beyond = (f"SELECT 1 FROM {table} WHERE {column} > {last:d} LIMIT 1" for table, column in named)  # noqa: S608
    if not last or any(connection.execute(sql).fetchone() for sql in (*beyond, *HALF_STATES.values())):
        raise LogDamagedError(path, f"was cut short after line {n}; {_WRITES}")
