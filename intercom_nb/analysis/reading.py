"""How a log is read: its tables through Arrow, or a few rows with the standard library. Always one state of the log.

ADBC's driver brings an SQLite of its own, and two SQLites on one file end the process: a log that is open here is read
by the one that has it open. Why: ``docs/design/reading_logs.md``.
"""

import os
import sqlite3
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from intercom_nb.analysis.arrow import arrow_table, as_frame, cast, empty_table, labelled, named, typed
from intercom_nb.analysis.tables import NAMES, Frames, Table
from intercom_nb.checks import AnyPath, checked_flag, checked_path
from intercom_nb.errors import LogDamagedError, LogError
from intercom_nb.log.door import as_damage
from intercom_nb.log.files import uri_of
from intercom_nb.log.reading import (
    ONE_AT_A_TIME,
    HasStore,
    Query,
    check_readable,
    connected,
    in_memory,
    path_of,
    store_of,
)
from intercom_nb.log.state import place_of
from intercom_nb.log.store import Store

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

__all__ = ["Source", "Until", "check_not_read", "frames_from", "logs_of", "read_tables"]

_AT_ONCE = 65_536  # rows in one batch: enough for Arrow, little for memory


Source: TypeAlias = HasStore | AnyPath | Sequence[HasStore | AnyPath] | Frames
"""A service, also while it runs; the path of a log; a list of either, or a folder of logs; or frames already read."""

Until: TypeAlias = int | str | None
"""A place of a log: a number, or the id of a message or run, up to the end of its transaction; None is now."""

_Read: TypeAlias = "Callable[[Table], pa.Table]"


def logs_of(source: HasStore | AnyPath | Sequence[HasStore | AnyPath]) -> dict[str, HasStore | Path]:
    """Return the logs of a source, by what the column ``log`` calls them; by an empty name if it is a single one.

    That is the file's name without its ending, the whole path where two files share that; a log given twice is one.

    Raises
    ------
    LogError
        If it is a folder without logs.
    """
    if isinstance(source, str | PathLike) and in_memory(source) is None:
        path = checked_path(source, "source", "a service, or the path of a log or of a folder of logs")
        if not path.is_dir():
            return {"": path}
        found: Sequence[HasStore | AnyPath] = sorted(path.glob("*.db"))
        if not found:
            raise LogError(path, "there is no log in this folder; logs end in .db")
    elif isinstance(source, Sequence) and not isinstance(source, str):
        found = source
    else:
        return {"": _one(source)}
    logs = [_one(log) for log in found]
    stems = [log.stem if isinstance(log, Path) else _stem(store_of(log)) for log in logs]
    names = [
        str(log) if isinstance(log, Path) and stems.count(stem) > 1 else stem
        for log, stem in zip(logs, stems, strict=True)
    ]
    return dict(zip(names, logs, strict=True))


def _one(log: HasStore | AnyPath) -> HasStore | Path:
    kept = in_memory(log)
    if kept is not None or not isinstance(log, str | PathLike):
        return log if kept is None else kept  # type: ignore[return-value]  # no path, so a service
    return checked_path(log, "source", "a service, or the path of a log")


def _stem(store: Store) -> str:
    return store.meta["name"] if store.path is None else store.path.stem


def check_not_read(until: "Until") -> None:
    """Check that nothing is asked of frames that only a log knows.

    Raises
    ------
    ValueError
        If they should be what they were at some place.
    """
    if until is not None:
        raise ValueError(
            f"until={until!r}: frames are read already; give until= to read_frames, or give the log itself"
        )


def read_tables(log: HasStore | Path, tables: Mapping[str, Table], until: "Until" = None) -> "dict[str, pa.Table]":
    """Return tables of one log, all of them of one moment: now, or the place that `until` means.

    Raises
    ------
    LogError
        If there is no such log or place, it is damaged, or a later version of this package wrote it.
    """
    with _arrow_reader(log, until) as read:
        names = read(NAMES)
        return {key: named(read(table), table, names) for key, table in tables.items()}


@contextmanager
def _arrow_reader(log: HasStore | Path, until: "Until") -> Iterator[_Read]:
    if not isinstance(log, Path) and store_of(log).path is None:
        with store_of(log).reading() as query:
            place = _place(query, until)
            yield lambda table: arrow_table(query(table.at(place)), table)
        return
    path = path_of(log)
    with ONE_AT_A_TIME:
        is_open = _is_open_here(path)
        with as_damage(path), connected(path) as connection:
            check_readable(path, connection)
            place = _place(lambda sql, *parameters: connection.execute(sql, parameters).fetchall(), until)
            if is_open:
                yield lambda table: _in_batches(connection, table, place)
                return
        with as_damage(path), _through_adbc(path, place) as read:
            yield read


def _place(query: Query, until: "Until") -> int | None:
    return None if until is None else place_of(query, until)


def _is_open_here(path: Path) -> bool:
    """Say whether anything in this process has the file open."""
    if sys.platform == "win32":
        return False  # locks belong to each handle there, not to the process
    file = path.stat()
    try:
        numbers = os.listdir("/dev/fd")  # noqa: PTH208 - numbers, not paths
    except OSError:  # too many files are open to look; whoever opens the log says so
        return True
    for number in numbers:
        with suppress(OSError):  # closed meanwhile
            if os.path.samestat(file, os.fstat(int(number))):
                return True
    return False


def _in_batches(connection: sqlite3.Connection, table: Table, place: int | None) -> "pa.Table":
    import pyarrow as pa

    cursor = connection.execute(table.at(place))
    batches = [arrow_table([], table)]
    while rows := cursor.fetchmany(_AT_ONCE):
        batches.append(arrow_table(rows, table))
    return pa.concat_tables(batches)


@contextmanager
def _through_adbc(path: Path, place: int | None) -> Iterator[_Read]:
    import adbc_driver_sqlite.dbapi as adbc
    from adbc_driver_sqlite import StatementOptions

    # Not autocommit: everything up to the end is one transaction, so one state of the log.
    try:
        with adbc.connect(uri_of(path), autocommit=False) as connection, connection.cursor() as cursor:
            cursor.adbc_statement.set_options(**{StatementOptions.BATCH_ROWS.value: str(_AT_ONCE)})

            def read(table: Table) -> "pa.Table":
                cursor.execute(typed(table, place))
                return cast(cursor.fetch_arrow_table().slice(1), table)

            yield read
    except (adbc.Error, OSError) as error:
        if isinstance(error, LogError):
            raise
        raise LogDamagedError(path, f"cannot be read as a log of intercom_nb ({error})") from None


def frames_from(
    source: "Source", tables: Mapping[str, Table], *, strict: bool, until: "Until" = None
) -> "dict[str, pd.DataFrame]":
    """Return some frames by name, those of each log of one moment: now, or the place that `until` means.

    Raises
    ------
    LogError
        If a log is missing or damaged, or has no such place, and `strict`.
    ValueError
        If frames that are read already are to be what they were at some place.
    """
    import pyarrow as pa

    checked_flag(strict, "strict")
    if isinstance(source, Frames):
        check_not_read(until)
        return {name: getattr(source, name) for name in tables}
    errors: list[str] = []
    parts: dict[str, list[pa.Table]] = {name: [] for name in tables}
    logs = logs_of(source)
    for label, log in logs.items():
        try:
            for name, part in read_tables(log, tables, until).items():
                parts[name].append(labelled(part, label) if label else part)
        except LogError as error:
            if strict:
                raise
            errors.append(str(error))
    frames = {}
    for name, table in tables.items():
        empty = empty_table(table, with_log="" not in logs)
        frames[name] = as_frame(pa.concat_tables([empty, *parts.pop(name)]))
        frames[name].attrs["errors"] = list(errors)
    return frames
