"""A branch: a new log that is a copy of another one up to a place, and says whose it is.

The copy is SQLite's own, page by page, of one state of a log that may be running meanwhile; the parent is only read.
What came after the place is taken out of the copy: rows that began there are deleted, and what ended there has not
ended.
"""

import json
import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from intercom_nb.checks import AnyPath
from intercom_nb.log.reading import ONE_AT_A_TIME, HasStore, check_readable, connected, in_memory, path_of, store_of
from intercom_nb.log.schema import ENDINGS, TABLES
from intercom_nb.log.times import micros, now

__all__ = ["begin_again", "copy_into", "cut", "name_parent"]

# What is not finished is thrown away with its file, and one that is, is made durable as a whole.
_FAST = ("PRAGMA journal_mode = OFF", "PRAGMA synchronous = OFF")
_HALF_DONE = "SELECT run_id, step FROM steps WHERE until_seq IS NULL"


def copy_into(target: sqlite3.Connection, log: HasStore | AnyPath) -> None:
    """Copy a log as it is now into an empty database; the log is only read.

    Raises
    ------
    LogError
        If there is no such log, or it cannot be read as one.
    """
    for way in _FAST:
        target.execute(way)
    if (kept := in_memory(log)) is not None:
        store_of(kept).copy_into(target)
        return
    path = path_of(log)
    with ONE_AT_A_TIME, connected(path) as connection:
        check_readable(path, connection)
        connection.backup(target)


@contextmanager
def _fast(connection: sqlite3.Connection) -> Iterator[None]:
    """Write all of it or, where it fails, leave something that nobody uses."""
    connection.execute("PRAGMA journal_mode = OFF")  # again: what was copied may be a log that is open
    connection.execute("BEGIN IMMEDIATE")
    yield
    connection.execute("COMMIT")


def cut(connection: sqlite3.Connection, place: int) -> None:
    """Take out of a log all that came after a place; whoever calls it has a copy that nobody else has open."""
    with _fast(connection):
        for table in TABLES:
            if table != "meta":
                connection.execute(f"DELETE FROM {table} WHERE seq > ?", (place,))  # noqa: S608 - names of ours
        # Only now: of two that cannot both go on, the second one is gone.
        for table, columns in ENDINGS.items():
            ends = ", ".join(f"{column} = NULL" for column in columns)
            connection.execute(f"UPDATE {table} SET {ends} WHERE until_seq > ?", (place,))  # noqa: S608 - the same


def begin_again(connection: sqlite3.Connection, but: tuple[str, int] | None = None) -> None:
    """Let steps whose own tools were at work be as if no model had answered yet; what was spent on them is spent.

    Nobody knows what came of a tool that was at work, and what a log says that a model has answered need not be what
    one did: a branch asks again.

    Parameters
    ----------
    connection : sqlite3.Connection
        Of a copy.
    but : (str, int), optional
        The run and the number of a step that stays as it is.
    """
    half_done = [step for step in connection.execute(_HALF_DONE).fetchall() if step != but]
    if half_done:
        with _fast(connection):
            for table in ("steps", "tool_calls"):
                connection.executemany(f"DELETE FROM {table} WHERE run_id = ? AND step = ?", half_done)  # noqa: S608 - ours


def name_parent(connection: sqlite3.Connection, place: int, process: str) -> None:
    """Let a copy be a log of its own, which names its parent and the place that it branched off at."""
    meta = dict(connection.execute("SELECT key, value FROM meta").fetchall())
    earlier = json.loads(meta.get("ancestors", "[]"))
    if "parent" in meta:
        earlier.append([meta["parent"], int(meta["place"])])
    known = {
        "log_id": secrets.token_hex(8),
        "created_at": micros(now()),
        "process": process,
        "parent": meta["log_id"],
        "place": place,
        "ancestors": json.dumps(earlier),
    }
    with _fast(connection):
        rows = [(key, str(value)) for key, value in known.items()]
        connection.executemany("INSERT OR REPLACE INTO meta VALUES (?, 1, ?)", rows)
