"""How a log is read: its tables through Arrow, or a few rows with the standard library. Always one state of the log.

A log nobody in this process has open is read by ADBC's driver, which is as fast as reading Parquet. That driver
carries an SQLite of its own, and two SQLites on one file in one process undo each other's locks (sqlite.org,
"How To Corrupt An SQLite Database File", section 2.2.1): beside a running service the process dies of a bus error. So a
log that is open in this process, a running service's above all, is read by the SQLite that has it open.
"""

import os
import sqlite3
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from intercom_nb.analysis.arrow import arrow_table, as_frame, cast, empty_table, labelled, named, typed
from intercom_nb.analysis.tables import NAMES, Frames, Table
from intercom_nb.checks import checked_flag, checked_path
from intercom_nb.errors import LogDamagedError, LogError
from intercom_nb.log.reading import ONE_AT_A_TIME, HasStore, check_readable, connected, path_of, store_of, uri_of
from intercom_nb.log.store import Store

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

__all__ = ["Source", "frames_from", "logs_of", "read_tables"]

_AT_ONCE = 65_536  # rows in one batch: enough for Arrow, little for memory


Source: TypeAlias = HasStore | str | Path | Sequence[HasStore | str | Path] | Frames
"""A service, also while it runs; the path of a log; a list of either, or a folder of logs; or frames already read."""

_Read: TypeAlias = "Callable[[Table], pa.Table]"


def logs_of(source: HasStore | str | Path | Sequence[HasStore | str | Path]) -> dict[str, HasStore | Path]:
    """Return the logs of a source, by what the column ``log`` calls them; by an empty name if it is a single one.

    That is the file's name without its ending, the whole path where two files share that; a log given twice is one.

    Raises
    ------
    LogError
        If it is a folder without logs.
    """
    if isinstance(source, str | Path):
        path = checked_path(source, "source", "a service, or the path of a log or of a folder of logs")
        if not path.is_dir():
            return {"": path}
        found: Sequence[HasStore | str | Path] = sorted(path.glob("*.db"))
        if not found:
            raise LogError(path, "there is no log in this folder; logs end in .db")
    elif isinstance(source, Sequence):
        found = source
    else:
        return {"": source}
    logs = [Path(log) if isinstance(log, str | Path) else log for log in found]
    stems = [log.stem if isinstance(log, Path) else _stem(store_of(log)) for log in logs]
    names = [
        str(log) if isinstance(log, Path) and stems.count(stem) > 1 else stem
        for log, stem in zip(logs, stems, strict=True)
    ]
    return dict(zip(names, logs, strict=True))


def _stem(store: Store) -> str:
    return store.meta["name"] if store.path is None else store.path.stem


def read_tables(log: HasStore | Path, tables: Mapping[str, Table]) -> "dict[str, pa.Table]":
    """Return tables of one log, all of them of one moment.

    Raises
    ------
    LogError
        If there is no such log, it is damaged, or a later version of this package wrote it.
    """
    with _arrow_reader(log) as read:
        names = read(NAMES)
        return {key: named(read(table), table, names) for key, table in tables.items()}


@contextmanager
def _arrow_reader(log: HasStore | Path) -> Iterator[_Read]:
    if not isinstance(log, Path) and store_of(log).path is None:
        with store_of(log).reading() as query:
            yield lambda table: arrow_table(query(table.sql), table)
        return
    path = path_of(log)
    with ONE_AT_A_TIME:
        is_open = _is_open_here(path)
        with connected(path) as connection:
            check_readable(path, connection)
            if is_open:
                yield lambda table: _in_batches(connection, table)
                return
        with _through_adbc(path) as read:
            yield read


def _is_open_here(path: Path) -> bool:
    """Say whether anything in this process has the file open."""
    if sys.platform == "win32":
        return False  # locks belong to each handle there, not to the process
    file = path.stat()
    for number in os.listdir("/dev/fd"):  # noqa: PTH208 - numbers, not paths
        with suppress(OSError):  # closed meanwhile
            if os.path.samestat(file, os.fstat(int(number))):
                return True
    return False


def _in_batches(connection: sqlite3.Connection, table: Table) -> "pa.Table":
    import pyarrow as pa

    cursor = connection.execute(table.sql)
    batches = [arrow_table([], table)]
    while rows := cursor.fetchmany(_AT_ONCE):
        batches.append(arrow_table(rows, table))
    return pa.concat_tables(batches)


@contextmanager
def _through_adbc(path: Path) -> Iterator[_Read]:
    import adbc_driver_sqlite.dbapi as adbc
    from adbc_driver_sqlite import StatementOptions

    # Not autocommit: everything up to the end is one transaction, so one state of the log.
    try:
        with adbc.connect(uri_of(path), autocommit=False) as connection, connection.cursor() as cursor:
            cursor.adbc_statement.set_options(**{StatementOptions.BATCH_ROWS.value: str(_AT_ONCE)})

            def read(table: Table) -> "pa.Table":
                cursor.execute(typed(table))
                return cast(cursor.fetch_arrow_table().slice(1), table)

            yield read
    except (adbc.Error, OSError) as error:
        if isinstance(error, LogError):
            raise
        raise LogDamagedError(path, f"cannot be read as a log of intercom_nb ({error})") from None


def frames_from(source: Source, tables: Mapping[str, Table], *, strict: bool) -> "dict[str, pd.DataFrame]":
    """Return some frames by name, those of each log of one moment.

    Raises
    ------
    LogError
        If a log is missing or damaged, and `strict`.
    """
    import pyarrow as pa

    checked_flag(strict, "strict")
    if isinstance(source, Frames):
        return {name: getattr(source, name) for name in tables}
    errors: list[str] = []
    parts: dict[str, list[pa.Table]] = {name: [] for name in tables}
    logs = logs_of(source)
    for label, log in logs.items():
        try:
            for name, part in read_tables(log, tables).items():
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
