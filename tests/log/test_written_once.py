"""Rows know where they were written, and nothing is written over: by the schema, and by what a run really executes."""

import re
import sqlite3
from collections import defaultdict
from contextlib import closing
from pathlib import Path

import pytest

import intercom_nb
from intercom_nb import Agent, Fail, InterComService, Limits, ScriptedAssistant, call
from intercom_nb.log import facts
from intercom_nb.log.schema import ENDINGS, SCHEMA, TABLES
from intercom_nb.log.store import Store

UPDATE = re.compile(r"UPDATE (\w+) SET (.+?) WHERE (.+)", re.DOTALL)


def updates_of(statement):
    """Return the table, the columns and the condition of an UPDATE."""
    table, columns, condition = UPDATE.fullmatch(statement.strip()).groups()
    return table, tuple(re.findall(r"(\w+) = ", columns)), condition


def in_sources():
    """Return every UPDATE that the package's facts may make, as the sources have it."""
    text = re.sub(r'"\s*\n\s*"', "", Path(facts.__file__).read_text("utf-8"))
    return [updates_of(found) for found in re.findall(r'"(UPDATE [^"]+)"', text)]


def test_every_row_knows_its_place():
    """Each table has ``seq``, never NULL, and ``until_seq`` where what it tells of can end."""
    with closing(sqlite3.connect(":memory:")) as empty:
        empty.executescript(SCHEMA)
        stored = {name for (name,) in empty.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        for table in TABLES:
            columns = {name: (kind, bool(not_null or key)) for _, name, kind, not_null, _, key in
                       empty.execute(f"PRAGMA table_info({table})")}  # fmt: skip
            assert columns["seq"] == ("INTEGER", True), table
            assert ("until_seq" in columns) == (table in ENDINGS), table
            assert all(not columns[name][1] for name in ENDINGS.get(table, ())), table

    assert stored == set(TABLES)


def test_only_endings_are_ever_updated():
    """Each ending has one statement that fills it in, once: where the end is not written yet."""
    found = defaultdict(set)
    for table, columns, condition in in_sources():
        assert condition.endswith("until_seq IS NULL"), (table, condition)
        assert "until_seq" in columns, table
        found[table] |= set(columns)

    assert found == {table: set(columns) for table, columns in ENDINGS.items()}


INDEXES = {"contacts/word_search.py", "runs/notes.py"}  # what they write is in memory, and made of the log


def test_no_other_module_writes():
    """SQL that changes a log stands in `facts`; besides, new logs and places are written, copies and texts are cut."""
    writes = re.compile(r"\b(UPDATE \w+ SET|DELETE FROM|INSERT (OR \w+ )?INTO|REPLACE INTO|DROP|ALTER TABLE)\b")
    package = Path(intercom_nb.__file__).parent
    found = {
        str(path.relative_to(package)): sorted({match[1] for match in writes.finditer(path.read_text("utf-8"))})
        for path in package.rglob("*.py")
    }

    assert {name: words for name, words in found.items() if words and name not in INDEXES} == {
        "log/facts.py": ["INSERT INTO", "UPDATE admins SET", "UPDATE deliveries SET", "UPDATE halts SET",
                         "UPDATE holds SET", "UPDATE memberships SET", "UPDATE openings SET", "UPDATE runs SET",
                         "UPDATE steps SET", "UPDATE tool_calls SET"],
        "log/branch.py": ["DELETE FROM", "INSERT OR REPLACE INTO"],  # in a copy that nobody has opened yet
        "log/store.py": ["INSERT INTO"],
        "log/text_reading.py": ["DELETE FROM", "INSERT INTO"],
        "log/writer.py": ["INSERT INTO"],
        "log/written.py": ["DELETE FROM", "INSERT INTO"],  # for a replay; the first one deletes nothing
        "service/replaying.py": ["INSERT INTO"],  # the first transaction of a replay
    }  # fmt: skip


@pytest.fixture
def traced(monkeypatch):
    """Give the list of every statement that the writing connection of a log executes from here on."""
    statements = []
    connect = Store._connect

    def traced_connect(self):
        connection = connect(self)
        connection.set_trace_callback(statements.append)
        return connection

    monkeypatch.setattr(Store, "_connect", traced_connect)
    return statements


def weather(place: str) -> str:
    """Return the weather somewhere."""
    return f"fine in {place}"


def everything(logs):
    """Let a service do all that it can, and go on with its log; return the log's path."""
    hello = call("send_message", chat_id="bob", message="Hello Bob, what is the weather like where you are?")
    replies = {
        "Ann": [[call("weather", place="Rome"), hello], "ok"],
        "Bob": [call("send_message", chat_id="ann", message="Thank you"), "ok"],
        "Cid": [Fail(status=400), "ok"],
    }
    limits = Limits(runs=1)
    with InterComService("all", model=ScriptedAssistant(replies, default="ok"), logs=logs) as service:
        service.add(Agent("Ann", tools=[weather]), Agent("Bob", notes=True), Agent("Cid"), Agent("Dan", limits=limits))
        you = service.add_person("You")
        chat = service.create_chat(["ann", "bob", "dan"], "All", "everybody", admin_id="you", message="Welcome")
        service.start()
        service.wait(progress=False)
        you.send_message("Go", "cid")
        service.wait(progress=False)
        service.retry()
        service.wait(progress=False)
        chat.remove_member("dan")
        service["bob"].pause()
        service["bob"].resume()
        service["bob"].mission = "another"
        service.settings = {"temperature": 0.5}
        service.pause()
        service.resume()
        for _ in range(3):
            you.send_message("Dan?", "dan")
            service.wait(progress=False)
        service.release()
    with InterComService.open(service.log.path, model=ScriptedAssistant(default="ok"), tools=[weather]) as service:
        service["ann"].begin()
        service.start()
        service.wait(progress=False)
    return service.log.path


def test_what_a_run_executes_fills_in_ends_and_nothing_else(traced, tmp_path):
    """Of a service that does all it can: each UPDATE is one of the sources', and no ended row is ever met again."""
    log = everything(tmp_path)
    allowed = {(table, columns) for table, columns, _ in in_sources()}
    made = [updates_of(one) for one in traced if one.lstrip().startswith("UPDATE")]
    starts = {one.split()[0] for one in traced}

    assert {(table, columns) for table, columns, _ in made} <= allowed
    assert {table for table, *_ in made} >= {
        "openings",
        "memberships",
        "deliveries",
        "halts",
        "runs",
        "steps",
        "tool_calls",
    }
    assert all(condition.endswith("until_seq IS NULL") for *_, condition in made)
    assert not starts & {"DELETE", "REPLACE", "DROP", "ALTER"}
    with closing(sqlite3.connect(log)) as connection:
        for table, columns in ENDINGS.items():
            early = " OR ".join(f"{column} IS NOT NULL" for column in columns)
            sql = f"SELECT COUNT(*) FROM {table} WHERE until_seq IS NULL AND ({early})"  # noqa: S608 - names of ours
            assert connection.execute(sql).fetchone() == (0,), table
