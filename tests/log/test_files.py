"""Files: one writer for each log, a plain refusal of what is no log, and copies that are logs."""

import atexit
import random
import shutil
import sqlite3
import threading
from pathlib import Path

import pytest
from other_python import python

from intercom_nb import (
    Agent,
    InterComError,
    InterComService,
    LogDamagedError,
    LogError,
    LogInUseError,
    NewerLogError,
)
from intercom_nb.log.store import Store


def test_a_closed_log_is_one_file(log):
    """After a stop everything is in the file itself, and a read-only folder is enough to read it."""
    beside = sorted(path.name for path in log.parent.iterdir() if path.is_file())

    assert beside == [log.name]


def test_a_second_service_in_this_process_is_refused(scripted, tmp_path):
    """A log that a service writes cannot be opened a second time."""
    intercom = scripted(logs=tmp_path)

    with pytest.raises(LogInUseError, match="another service is writing this log"):
        InterComService.open(intercom.log.path, model="offline")
    intercom.stop()
    InterComService.open(intercom.log.path, model="offline").stop()


def test_a_service_in_another_process_is_refused(scripted, tmp_path):
    """Neither can it from another process, until it is stopped."""
    code = "import sys, intercom_nb\ntry: intercom_nb.InterComService.open(sys.argv[1], model='offline').stop()\n"
    code += "except Exception as error: print(type(error).__name__)\nelse: print('opened')"
    intercom = scripted(logs=tmp_path)

    with python(code, intercom.log.path) as other:
        during = other.communicate(timeout=60)[0].strip()
    intercom.stop()
    with python(code, intercom.log.path) as other:
        after = other.communicate(timeout=60)[0].strip()

    assert (during, after) == ("LogInUseError", "opened")


def test_services_made_at_the_same_moment_have_logs_of_their_own(tmp_path):
    """Many logs of one name made in one second never meet."""
    made, failed, together = [], [], threading.Barrier(8)

    def make():
        together.wait()
        try:
            made.append(Store.create(tmp_path, "same"))
        except Exception as error:  # noqa: BLE001 - whatever it is, it belongs in the assertion
            failed.append(error)

    threads = [threading.Thread(target=make) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for store in made:
        store.close()

    assert failed == []
    assert len({store.path for store in made}) == 8


def changed(path, **meta):
    """Change what a log says about itself."""
    with sqlite3.connect(path) as connection:
        for key, value in meta.items():
            connection.execute("UPDATE meta SET value = ? WHERE key = ?", (value, key))
    connection.close()


def foreign(path, sql):
    """Make an SQLite file of somebody else's."""
    with sqlite3.connect(path) as connection:
        connection.executescript(sql)
    connection.close()
    return path


def test_a_newer_log_is_left_alone(log):
    """A log of a later version is refused with both versions in the sentence, and not touched."""
    changed(log, schema="99")
    before = log.read_bytes()

    with pytest.raises(NewerLogError, match="its schema is 99, this version of intercom_nb reads up to 2"):
        InterComService.open(log, model="offline")
    assert before == log.read_bytes()


def test_a_missing_log_is_refused(tmp_path):
    """A path where nothing is gets a sentence, and no file."""
    with pytest.raises(LogError, match="there is no such log"):
        InterComService.open(tmp_path / "none.db", model="offline")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_is_no_log(tmp_path):
    """A folder is refused in the same words."""
    with pytest.raises(LogError, match="there is no such log"):
        InterComService.open(tmp_path, model="offline")


@pytest.mark.parametrize(
    "content", [b"", b"\0", b"Hello\n" * 1000, b"SQLite format 3\0", b"SQLite format 3\0" + b"\0" * 5000]
)
def test_a_file_of_something_else_is_no_log(tmp_path, content):
    """An empty file, a text, or something that only begins like SQLite is refused and left as it was."""
    path = tmp_path / "some.db"
    path.write_bytes(content)

    with pytest.raises(LogDamagedError):
        InterComService.open(path, model="offline")
    assert content == path.read_bytes()


@pytest.mark.parametrize(
    "sql",
    [
        "CREATE TABLE t (a)",
        "CREATE TABLE meta (a, b)",
        "CREATE TABLE meta (key, value)",
        "CREATE TABLE meta (key, value); INSERT INTO meta VALUES ('schema', 'one')",
        "CREATE TABLE meta (key, value); INSERT INTO meta VALUES ('schema', '1')",
        "PRAGMA journal_mode = WAL; CREATE TABLE t (a)",
    ],
)
def test_somebody_elses_database_is_left_alone(tmp_path, sql):
    """A database of another program is refused, not changed in one byte, and not held."""
    path = foreign(tmp_path / "foreign.db", sql)
    before = path.read_bytes()

    for _ in range(2):
        with pytest.raises(LogDamagedError):
            InterComService.open(path, model="offline")

    assert before == path.read_bytes()


@pytest.mark.slow
def test_a_log_cut_short_is_refused(log, tmp_path):
    """Wherever a closed log is cut, it is refused: never a half state."""
    content = log.read_bytes()
    sizes = random.Random(1).sample(range(1, len(content)), 60)  # noqa: S311 - a fixed choice
    cut = tmp_path / "cut.db"
    outcomes = set()
    for size in [*range(0, len(content), 4096), *sizes]:
        cut.write_bytes(content[:size])
        try:
            Store.open(cut).close()
            outcomes.add("opened")
        except InterComError as error:
            outcomes.add(type(error).__name__)

    assert outcomes == {"LogDamagedError"}


def test_a_log_that_lacks_an_agents_tools_is_let_go(scripted, tmp_path):
    """A log that cannot be opened for want of a tool can be opened with it."""

    def look_up(word: str) -> str:
        """Look a word up."""
        return word

    intercom = scripted(logs=tmp_path)
    intercom.add(Agent("Ann", tools=[look_up]))
    intercom.stop()

    with pytest.raises(LogError, match="look_up"):
        InterComService.open(intercom.log.path, model="offline")
    InterComService.open(intercom.log.path, tools=[look_up], model="offline").stop()


@pytest.mark.parametrize(
    "sql",
    [
        "INSERT INTO deliveries SELECT agent_id, seq, NULL, NULL FROM deliveries LIMIT 1",
        (
            "INSERT INTO messages SELECT seq + 100, 'm-x', chat_id, receiver_id, sender_id, text, run_id, 0, key "
            "FROM messages WHERE key IS NOT NULL LIMIT 1"
        ),
        "INSERT INTO messages VALUES (100, 'm-x', NULL, NULL, 'ann', '', NULL, 0, NULL)",
        "INSERT INTO messages VALUES (100, 'm-x', 'chat-1', 'bob', 'ann', '', NULL, 0, NULL)",
        "UPDATE runs SET until_seq = NULL WHERE agent_id = 'ann'",
        "INSERT INTO steps SELECT * FROM steps LIMIT 1",
        "INSERT INTO items SELECT * FROM items LIMIT 1",
        "INSERT INTO tool_calls SELECT * FROM tool_calls LIMIT 1",
        "INSERT INTO runs SELECT * FROM runs LIMIT 1",
        "UPDATE runs SET reason = 'bored'",
        "INSERT INTO memberships VALUES ('chat-1', 'cid', 100, NULL)",
        "INSERT INTO agents SELECT * FROM agents LIMIT 1",
        "INSERT INTO messages VALUES (100, 'm-x', NULL, 'bob', 'ann', '', NULL, 'noon', NULL)",
    ],
)
def test_what_must_not_be_cannot_be_written(log, sql):
    """A doubled delivery, a second open run, a repeated key … are no states of the log."""
    connection = sqlite3.connect(log)

    with pytest.raises(sqlite3.IntegrityError):
        connection.execute(sql)
    connection.close()


@pytest.mark.parametrize("folder", ["file", "file/logs", "file/deep/logs"])
def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path, folder):
    """Where no log can be written, the error says which folder and what would be right."""
    (tmp_path / "file").write_text("in the way")

    with pytest.raises(LogError, match=r"cannot be made .*; set logs= or THREAD_LOGS_PATH") as caught:
        InterComService("test", model="offline", logs=tmp_path / folder)
    assert str(tmp_path / folder) in str(caught.value)


def test_a_service_that_could_not_be_made_is_in_nobodys_way(tmp_path):
    """After a folder that could not be made, a service of the same name is made in one that can."""
    (tmp_path / "file").write_text("in the way")
    try:
        InterComService("test", model="offline", logs=tmp_path / "file")
    except LogError as error:
        kept = error  # as a notebook keeps the last error, and with it everything in its traceback

    InterComService("test", model="offline", logs=tmp_path / "logs").stop()
    assert isinstance(kept, LogError)


def test_a_service_that_could_not_be_opened_leaves_nothing_to_do_at_exit(log, monkeypatch):
    """A log that cannot be opened is not stopped a second time when Python ends."""
    with sqlite3.connect(log) as connection:
        connection.execute("UPDATE agents SET tools = '[\"look_up\"]' WHERE agent_id = 'ann'")
    connection.close()
    registered = []
    monkeypatch.setattr(atexit, "register", registered.append)
    monkeypatch.setattr(atexit, "unregister", registered.remove)

    with pytest.raises(LogError, match="look_up"):
        InterComService.open(log, model="offline")
    assert registered == []


def test_a_copy_of_a_closed_log_is_a_log(log, tmp_path):
    """The file alone is everything: a copy elsewhere opens with all of it."""
    copy = Path(shutil.copy(log, tmp_path / "copy.db"))
    before, after = InterComService.open(log, model="offline"), InterComService.open(copy, model="offline")

    assert before.messages == after.messages
    assert before["ann"].conversation == after["ann"].conversation
    before.stop()
    after.stop()


def test_a_log_killed_while_it_changed_its_mode_opens_as_it_was(log, tmp_path):
    """What a rollback journal holds is undone before anything is read."""
    connection = sqlite3.connect(log, isolation_level=None)
    connection.execute("PRAGMA journal_mode = DELETE")
    before = connection.execute("SELECT * FROM messages").fetchall()
    connection.execute("PRAGMA cache_size = 1")
    connection.execute("BEGIN")
    connection.execute("UPDATE messages SET text = text || hex(randomblob(20000))")
    killed = tmp_path / "killed.db"
    for tail in ("", "-journal"):
        shutil.copy(f"{log}{tail}", f"{killed}{tail}")
    connection.execute("ROLLBACK")
    connection.close()

    store = Store.open(killed)
    after = store.rows("SELECT * FROM messages")
    store.close()

    assert before == after
