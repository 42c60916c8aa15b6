"""The page about the log names what is in it: each table, column and kind of event, and nothing else."""

import ast
import re
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

import intercom_nb
from intercom_nb import demos
from intercom_nb.log.schema import ENDINGS, SCHEMA, TABLES, columns_of

PAGE = Path(__file__).parents[2] / "docs" / "log.md"
PACKAGE = Path(intercom_nb.__file__).parent
HALTED = {"paused", "stopped"}  # what `Lifecycle.halt` is told to become, and the event is called


def sections(level):
    """Return the rows of each table under a heading of this level, by heading: lists of cells."""
    found = {}
    for part in re.split(rf"^{level} ", PAGE.read_text("utf-8"), flags=re.MULTILINE)[1:]:
        heading, _, text = part.partition("\n")
        lines = [line for line in re.split(r"^#", text, flags=re.MULTILINE)[0].splitlines() if line.startswith("| `")]
        found[heading] = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]
    return found


@pytest.fixture(scope="module")
def nullable():
    """Give the columns that may be NULL, by table."""
    with closing(sqlite3.connect(":memory:")) as empty:
        empty.executescript(SCHEMA)
        return {
            table: {
                name
                for _, name, _, not_null, _, key in empty.execute(f"PRAGMA table_info({table})")
                if not not_null and not key
            }
            for table in TABLES
        }


def test_every_table_and_column_is_there(nullable):
    """In the order of the schema; when it is NULL is said of those that may be, and which are filled in at the end."""
    written = sections("###")

    assert tuple(written) == TABLES
    for table, rows in written.items():
        assert tuple(name.strip("`") for name, _ in rows) == columns_of(table), table
        assert {name.strip("`") for name, meaning in rows if "NULL" in meaning} == nullable[table], table
        assert {name.strip("`") for name, meaning in rows if "*At the end*" in meaning} == set(ENDINGS.get(table, ()))


def noted():
    """Return the kinds of every event that the package may write, as its sources have them."""
    kinds = set()
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            called = isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr
            if called in ("note", "halt") and node.args and isinstance(node.args[0], ast.Constant):
                kinds.add(node.args[0].value)
    return kinds


def test_every_kind_of_event_is_there():
    """Each that a transaction is told to note, both ways."""
    rows = sections("##")["Kinds of events"]

    assert {kind.strip("`") for kind, _ in rows} == noted()
    assert noted() >= HALTED


def test_the_examples_run(tmp_path):
    """On the log of a demo: who wrote to whom, what each agent spent, and what waited at a message."""
    finished = demos.run(1, model="offline", logs=tmp_path)
    text = PAGE.read_text("utf-8").replace("logs/20260101-120000-demo-1.db", str(finished.log.path))
    shell, spent, waited = re.findall(r"```(?:sh|python)\n(.*?)```", text, re.DOTALL)
    with closing(sqlite3.connect(finished.log.path)) as log:
        assert ("founder", "marketing-expert", 2) in log.execute(shell.split('"')[1]).fetchall()
    names = {}
    exec(spent.replace("pd.read_sql", "frame = pd.read_sql"), names)  # noqa: S102 - our own page
    exec(waited.replace("m-12", finished.messages[-1].id).replace("log.execute", "found = log.execute", 2), names)  # noqa: S102
    names["log"].close()

    assert names["frame"].tokens.sum() == finished.spent.tokens
    assert names["found"] == [(finished.messages[-1].receiver_id, 1)]
