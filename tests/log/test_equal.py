"""Two logs are equal if the same was said and done; else the first row that differs is told with both rows."""

import shutil
import sqlite3
from contextlib import closing

import pytest

from intercom_nb import (
    Agent,
    InterComService,
    LogError,
    ScriptedAssistant,
    call,
    difference,
    from_jsonl,
    places,
    to_jsonl,
)
from intercom_nb.log.schema import CLOCK, CONTENT, META, PROCESS, TABLES, columns_of


def society(folder):
    """Let one agent write to another, and return the log."""
    said = {"Ann": [call("send_message", chat_id="bob", message="Hello."), "done"], "Bob": ["read"]}
    with InterComService("Equal", model=ScriptedAssistant(said), logs=folder, thread_logs=False) as intercom:
        intercom.add(Agent("Ann"), Agent("Bob"))
        intercom["ann"].begin()
        intercom.wait(20, progress=False)
    return intercom.log


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    """Return the log of one such society."""
    return society(tmp_path_factory.mktemp("logs"))


def changed(log, folder, sql):
    """Return a copy of a log in which something was changed behind everybody's back."""
    copy = shutil.copy(log, folder / "changed.db")
    with closing(sqlite3.connect(copy)) as connection:
        connection.execute(sql)
        connection.commit()
    return copy


@pytest.mark.parametrize("table", TABLES)
def test_each_column_is_marked_once(table):
    """As its content, a clock's, or a process's: a new column is to be marked."""
    marked = [CONTENT[table], CLOCK.get(table, frozenset()), PROCESS.get(table, frozenset())]

    assert sorted(name for names in marked for name in names) == sorted(columns_of(table))


def test_each_key_of_meta_is_marked(log):
    """What a new log says of itself, each."""
    with closing(sqlite3.connect(log)) as connection:
        keys = {key for (key,) in connection.execute("SELECT key FROM meta")}

    assert keys <= META.keys()
    assert set(META.values()) == {"content", "clock", "process"}


def test_what_only_the_clock_tells_apart_is_equal(log):
    """Its log after it was a text without times."""
    assert difference(log, from_jsonl(to_jsonl(log, "for_play.jsonl", for_play=True))) is None


def test_other_words_are_told_with_both(log, tmp_path):
    """The first row of all tables in which they show, and what it is in each log."""
    other = changed(log, tmp_path, "UPDATE messages SET text = 'Hallo!' WHERE sender_id = 'ann'")
    found = difference(log, other)

    assert (found.table, found.columns) == ("messages", ("text",))
    assert (found.one["text"], found.other["text"]) == ("Hello.", "Hallo!")
    assert str(found) == (
        f"at {found.seq} in messages, the row of seq={found.seq} differs: "
        "text is 'Hello.' in one and 'Hallo!' in the other"
    )
    before = [place.seq for place in places(log) if place.seq < found.seq]
    assert difference(log, other, until=before[-1]) is None


@pytest.mark.parametrize(
    ("sql", "table", "says"),
    [
        ("DELETE FROM events WHERE kind = 'started'", "events", "one has a row"),
        ("UPDATE deliveries SET until_seq = until_seq + 1 WHERE agent_id = 'bob'", "deliveries", "until_seq is"),
        ("UPDATE agents SET mission = 'x' WHERE agent_id = 'bob'", "agents", "mission is '' in one and 'x' in"),
        ("UPDATE steps SET fingerprint = 'x' WHERE step = 1", "steps", "fingerprint is"),
        ("UPDATE places SET tokens = tokens + 1 WHERE seq = 8", "places", "tokens is"),
        ("UPDATE options SET value = 'null' WHERE name = 'courtesy'", "options", "value is 'true' in one and 'null'"),
        ("UPDATE meta SET value = 'x' WHERE key = 'name'", "meta", "value is 'Equal' in one and 'x'"),
    ],
)
def test_any_change_is_found(log, tmp_path, sql, table, says):
    """Rows that are gone, ends, conditions, places: whatever is content."""
    other = changed(log, tmp_path, sql)
    found, turned = difference(log, other), difference(other, log)

    assert found.table == turned.table == table
    assert found.seq == turned.seq
    assert says in str(found)
    assert (found.one, found.other) == (turned.other, turned.one)


def test_an_end_is_found_where_it_was(log, tmp_path):
    """What differs is when something ended, and that is where two logs part, not where it began."""
    other = changed(log, tmp_path, "UPDATE runs SET reason = 'steps' WHERE agent_id = 'bob'")
    found = difference(log, other)

    assert found.columns == ("reason",)
    assert found.seq == found.one["until_seq"] > found.one["seq"]
    before = [place.seq for place in places(log) if place.seq < found.seq]
    assert difference(log, other, until=before[-1]) is None


def test_a_text_that_is_long_is_shown_where_it_differs(log, tmp_path):
    """Not its thousand words, but those where the two part."""
    long = "word " * 2_000
    for word in ("here", "there"):
        copy = shutil.copy(log, tmp_path / f"{word}.db")
        with closing(sqlite3.connect(copy)) as connection:
            connection.execute("UPDATE messages SET text = ? WHERE sender_id = 'ann'", (long + word,))
            connection.commit()
    told = str(difference(tmp_path / "here.db", tmp_path / "there.db"))

    assert len(told) < 300
    assert "word here'" in told
    assert "word there'" in told


def test_a_running_service_and_one_in_memory_are_compared(tmp_path):
    """Beside a file, and with itself."""
    with InterComService("Equal", logs=None) as intercom, InterComService("Equal", logs=tmp_path) as other:
        assert difference(intercom, intercom) is None
        assert difference(intercom, other).table == "meta"  # the second of a name gets a number


def test_a_place_that_is_not_there_is_told(log, tmp_path):
    """And a log that is none."""
    with pytest.raises(LogError, match="no place 'm-99'"):
        difference(log, log, until="m-99")
    with pytest.raises(LogError, match="no such log"):
        difference(log, tmp_path / "none.db")
    for wrong in (5, None, object()):
        with pytest.raises(TypeError):
            difference(log, wrong)
