"""Whatever somebody makes of a log's bytes, rows or schema: a reader works, or says one sentence."""

import shutil
import sqlite3
import tempfile
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strangers import a_log

from counts import times
from intercom_nb import (
    Dashboard,
    InterComError,
    InterComService,
    ScriptedAssistant,
    fork,
    lineage,
    read_frames,
    replay,
    state,
    to_html,
)
from intercom_nb.log.schema import TABLES, columns_of

PLACES = st.lists(st.tuples(st.floats(0, 1), st.binary(min_size=1, max_size=64)), min_size=1, max_size=6)
VALUES = st.one_of(
    st.none(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(),
    st.text(max_size=20),
    st.binary(max_size=20),
    st.sampled_from(['{"role": "user"}', "[]", "{}", "null", "[" * 5_000, "ann", "chat-1", "", "nan", "1e999"]),
)
ROWS = st.lists(
    st.tuples(st.sampled_from([(t, c) for t in TABLES for c in columns_of(t)]), VALUES), min_size=1, max_size=4
)
STATEMENTS = st.lists(
    st.sampled_from(
        [
            *(f"DROP TABLE {table}" for table in TABLES),
            *(f"CREATE VIEW v_{table} AS SELECT * FROM {table}" for table in TABLES),  # noqa: S608
            *(f"CREATE TRIGGER t_{t} AFTER INSERT ON {t} BEGIN DELETE FROM places; END" for t in TABLES),  # noqa: S608
            *(f"ALTER TABLE {table} ADD COLUMN more" for table in TABLES),
            *(f"ALTER TABLE {table} RENAME TO other" for table in TABLES),
            *(f"DELETE FROM {table}" for table in TABLES),  # noqa: S608
            "PRAGMA user_version = 7",
            "CREATE VIRTUAL TABLE v USING fts5(a)",
            "PRAGMA journal_mode = WAL",
            "VACUUM",
        ]
    ),
    min_size=1,
    max_size=3,
)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Give a log that is whole."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("whole"))
        return a_log(tmp_path_factory.mktemp("whole"), "Ann", "Bob", thread_logs=False)


def read_by_all(log):
    """Let everybody read it; whatever is not an error of ours comes out."""
    with suppress(InterComError):
        read_frames(log)
    with suppress(InterComError):
        state(log)
    with suppress(InterComError):
        to_html(log, log.with_suffix(".html"))
    with suppress(InterComError):
        repr(Dashboard(log))
    with suppress(InterComError):
        str(replay(log))
    with suppress(InterComError):
        fork(log, logs=None, model=ScriptedAssistant(default="Fine.")).stop()
    with suppress(InterComError):
        lineage(log)
    with suppress(InterComError), InterComService.open(log, model=ScriptedAssistant(default="Fine.")) as intercom:
        intercom.wait(60)


@contextmanager
def copied(whole):
    """Give a copy of a log; once the block has changed it and let it go, everybody reads it."""
    with tempfile.TemporaryDirectory() as folder:
        log = Path(shutil.copy(whole, folder))
        yield log
        read_by_all(log)


@settings(max_examples=times(100))
@given(places=PLACES)
def test_random_bytes(whole, places):
    """Over pages anywhere in the file."""
    with copied(whole) as log, log.open("r+b") as file:
        for part, content in places:
            file.seek(int(part * (log.stat().st_size - 1)))
            file.write(content)


@settings(max_examples=times(100))
@given(rows=ROWS)
def test_random_values(whole, rows):
    """In any column of any table."""
    with copied(whole) as log, closing(sqlite3.connect(log, isolation_level=None)) as connection:
        for (table, column), value in rows:
            with suppress(sqlite3.Error):  # what a table does not take cannot be in it
                connection.execute(f"UPDATE OR IGNORE {table} SET {column} = ?", (value,))  # noqa: S608


@settings(max_examples=times(100))
@given(statements=STATEMENTS)
def test_random_schemas(whole, statements):
    """What is dropped, added and changed."""
    with copied(whole) as log, closing(sqlite3.connect(log, isolation_level=None)) as connection:
        for statement in statements:
            with suppress(sqlite3.Error):
                connection.execute(statement)
