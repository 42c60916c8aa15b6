"""What a log's file says by itself, without the write-ahead file beside it: whether the two belong together.

SQLite believes whatever write-ahead file lies beside a log. One of another log, or of another copy of it, would put its
pages over this one's. Places are never changed once they are written, so those that the file has by itself must still
be there when both are read.
"""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from intercom_nb.errors import LogDamagedError, LogError
from intercom_nb.log.door import check_schema, distrustful
from intercom_nb.log.files import uri_of

__all__ = ["Alone", "read_alone"]

_NEWEST = 1_000  # places: another log has its own times, and a newer copy of the same one more of them
_ENDS = """
SELECT * FROM (SELECT seq, at, messages, runs, steps, tokens FROM places ORDER BY seq LIMIT 1)
UNION SELECT * FROM (SELECT seq, at, messages, runs, steps, tokens FROM places ORDER BY seq DESC LIMIT ?)
"""
_AGAIN = "SELECT seq, at, messages, runs, steps, tokens FROM places WHERE seq BETWEEN ? AND ?"
_ID = "SELECT value FROM meta WHERE key = 'log_id'"


@dataclass(frozen=True, slots=True)
class Alone:
    """The id of a log, and its first and newest places, as its file has them by itself."""

    log_id: list[tuple[Any, ...]]
    places: list[tuple[Any, ...]]

    def check_tail(self, path: Path, query: Callable[..., list[tuple[Any, ...]]]) -> None:
        """Check that all of it is there in what a query reads of the log and of what lies beside it.

        Raises
        ------
        LogDamagedError
            If it is not.
        """
        first, *newest = self.places
        found = {*query(_AGAIN, first[0], first[0])}
        if newest:
            found |= {*query(_AGAIN, newest[0][0], newest[-1][0])}
        if not found.issuperset(self.places) or query(_ID) != self.log_id:
            raise LogDamagedError(
                path,
                "lies beside the write-ahead file of another log, or of another copy of it, so nothing in it is "
                "believed; put its own -wal beside it, or open a copy that has none",
            )


def read_alone(path: Path) -> Alone | None:
    """Return what the file of a log says by itself; None if it says nothing that is whole.

    A process that was killed while it moved the write-ahead file into the log leaves a file that is none by itself.
    """
    uri = f"{uri_of(path)}&immutable=1"
    try:
        with closing(distrustful(sqlite3.connect(uri, uri=True, isolation_level=None))) as connection:

            def query(sql: str, *given: Any) -> list[tuple[Any, ...]]:
                return connection.execute(sql, given).fetchall()

            check_schema(path, query)
            places = query(_ENDS, _NEWEST)
            return Alone(query(_ID), places) if places else None
    except (sqlite3.Error, LogError):
        return None
