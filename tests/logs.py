"""Where a service's files are, and logs that no service wrote."""

import itertools
import sqlite3
from contextlib import closing

from intercom_nb.log.schema import SCHEMA, VERSION, columns_of
from intercom_nb.log.thread_logs import file_name


def thread_logs_of(intercom):
    """Return the folder of the thread logs that a service writes."""
    return intercom.log.parent / file_name(intercom.name)


FILLED = {
    "meta": {"seq": 1},
    "places": {"messages": 0, "runs": 0, "steps": 0, "tokens": 0, "usd": 0.0, "unpriced": 0, "seconds": 0.0},
    "agents": {
        "version": 1, "kind": "agent", "description": "", "mission": "", "settings": "{}", "tools": "[]",
        "mail": "when_idle", "begins": 0, "notes": 0, "team": "", "data": "{}", "created_at": 0,
    },
    "chats": {"description": "", "created_at": 0},
    "messages": {"text": "Hello"},
    "runs": {"attempt": 1, "agent_version": 1, "began_at": 0, "turn_idx": 0},
    "steps": {
        "attempt": 1, "kind": "answer", "asked": "m", "model": "m", "settings": "{}", "fingerprint": "", "repaired": 0,
        "created_at": 0, "cached_tokens": 0,
    },
}  # fmt: skip
"""What a row has in the columns that nothing is said of; None in all others."""


def add_rows(path, table, rows):
    """Write rows into a table of a log, each a value by column; `FILLED` has the rest."""
    columns = columns_of(table)
    marks = ", ".join("?" * len(columns))
    filled = FILLED.get(table, {})
    with closing(sqlite3.connect(path)) as log:
        values = ([row.get(column, filled.get(column)) for column in columns] for row in rows)
        log.executemany(f"INSERT INTO {table} VALUES ({marks})", values)
        log.commit()


def new_log(path, schema=VERSION, **tables):
    """Write a log by SQL alone: rows by table; every number in it is a place."""
    with closing(sqlite3.connect(path)) as log:
        log.executescript("PRAGMA synchronous = OFF;" + SCHEMA)
    add_rows(path, "meta", [{"key": "schema", "value": str(schema)}, {"key": "name", "value": path.stem}])
    for table, rows in tables.items():
        add_rows(path, table, rows)
    with closing(sqlite3.connect(path)) as log:
        told = [log.execute(f"SELECT MAX(seq) FROM {table}").fetchone()[0] or 0 for table in tables]
    add_rows(path, "places", ({"seq": seq, "at": 0} for seq in itertools.chain(range(1, 1 + max(told, default=1)))))
    return path
