"""The log: whole transactions or nothing, one writer, readers at any time, and a plain refusal of what is no log."""

import atexit
import contextlib
import os
import random
import shutil
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from intercom_nb import (
    Agent,
    InterComError,
    InterComService,
    LogDamagedError,
    LogError,
    LogInUseError,
    NewerLogError,
    ScriptedAssistant,
    call,
)
from intercom_nb.log.facts import MemberJoined
from intercom_nb.log.store import Store


@pytest.fixture
def store(tmp_path):
    """Give an empty log in a file."""
    store = Store.create(tmp_path / "logs", "example")
    yield store
    store.close()


@pytest.fixture
def log(tmp_path):
    """Give the path of a closed log of a conversation: three agents, a person, a chat, two runs."""
    replies = {
        "Ann": [call("send_message", chat_id="chat-1", message="Hello all"), "done"],
        "Bob": [
            [call("send_message", chat_id="ann", message="Hello Ann"), call("leave_chat", chat_id="chat-1")],
            "done",
        ],
    }
    with InterComService("closed", model=ScriptedAssistant(replies), logs=tmp_path / "logs") as intercom:
        intercom.add(Agent("Ann"), Agent("Bob"), Agent("Cid"))
        person = intercom.add_person()
        intercom.create_chat(["bob", "cid", person.id], "Chat", "", "ann")
        intercom["ann"].begin()
        assert intercom.wait(60) == "quiet"
    return intercom.log


def notes(store):
    """Return the texts of a log's events."""
    return [text for (text,) in store.rows("SELECT text FROM events ORDER BY seq")]


def python(code, *arguments, **options):
    """Return a process of another Python that runs this code, with the same modules at hand."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
        **options,
    )


# Transactions


def test_a_block_that_raises_writes_nothing(store):
    """Facts of a block that did not end well are not written."""
    with contextlib.suppress(ZeroDivisionError), store.transaction() as tx:
        tx.note("test", "half")
        raise ZeroDivisionError
    with store.transaction() as tx:
        tx.note("test", "whole")
    tx.wait()

    assert notes(store) == ["whole"]


def test_facts_are_written_together_or_not_at_all(store):
    """One fact that the log refuses takes its whole transaction with it."""
    with store.transaction() as tx:
        tx.note("test", "before")
        tx.add(MemberJoined("chat-1", "ann", 1), MemberJoined("chat-1", "ann", 2))
        tx.note("test", "after")

    with pytest.raises(LogError, match="nothing more is accepted"):
        tx.wait()
    assert notes(store) == []
    assert store.rows("SELECT * FROM memberships") == []


def test_what_follows_runs_in_order_and_before_done(store):
    """Calls given to `after` run once the facts are durable, transaction by transaction, and then it is done."""
    seen = []

    def look(n, tx):
        seen.append((n, tx.done.done(), len(notes(store)) >= n // 2))

    transactions = []
    for n in range(50):
        with store.transaction() as tx:
            tx.note("test", f"{n}")
            tx.after(lambda n=n, tx=tx: look(2 * n, tx))
            tx.after(lambda n=n, tx=tx: look(2 * n + 1, tx))
        transactions.append(tx)
    for tx in transactions:
        tx.wait()

    assert seen == [(n, False, True) for n in range(100)]


def test_what_follows_may_fail(store, caplog):
    """An error in what follows is told to `logging`; the transaction and the next ones are in the log."""
    with store.transaction() as tx:
        tx.note("test", "first")
        tx.after(lambda: 1 / 0)
    tx.wait()
    with store.transaction() as tx:
        tx.note("test", "second")
    tx.wait()

    assert notes(store) == ["first", "second"]
    assert "what follows from a transaction failed" in caplog.text


def test_seqs_are_one_line_through_all_threads(store):
    """Transactions of many threads are in the log in the order of their numbers."""
    order = []
    store.watch(lambda facts: order.extend(fact.seq for fact in facts))

    def write():
        for _ in range(25):
            with store.transaction() as tx:
                tx.note("test", "a")
                tx.note("test", "b")
            tx.wait()

    threads = [threading.Thread(target=write) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert order == list(range(2, 402))


def test_a_closed_log_takes_nothing(store):
    """What comes after `close` is refused, and what came before is written."""
    for n in range(100):
        with store.transaction() as tx:
            tx.note("test", f"{n}")
    store.close()

    with pytest.raises(LogError, match="closed"), store.transaction():
        pass
    assert notes(store) == [f"{n}" for n in range(100)]


def test_a_closed_log_is_one_file(log):
    """After a stop everything is in the file itself, and a read-only folder is enough to read it."""
    beside = sorted(path.name for path in log.parent.iterdir() if path.is_file() and path.suffix != ".lock")

    assert beside == [log.name]


# One writer


def test_a_second_service_in_this_process_is_refused(scripted, tmp_path):
    """A log that a service writes cannot be opened a second time."""
    intercom = scripted(logs=tmp_path)

    with pytest.raises(LogInUseError, match="another service is writing this log"):
        InterComService.open(intercom.log, model="offline")
    intercom.stop()
    InterComService.open(intercom.log, model="offline").stop()


def test_a_service_in_another_process_is_refused(scripted, tmp_path):
    """Neither can it from another process, until it is stopped."""
    code = "import sys, intercom_nb\ntry: intercom_nb.InterComService.open(sys.argv[1], model='offline').stop()\n"
    code += "except Exception as error: print(type(error).__name__)\nelse: print('opened')"
    intercom = scripted(logs=tmp_path)

    with python(code, intercom.log) as other:
        during = other.communicate(timeout=60)[0].strip()
    intercom.stop()
    with python(code, intercom.log) as other:
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


READER = """
import sqlite3, sys
connection = sqlite3.connect(f"file:{sys.argv[1]}?mode=ro", uri=True, isolation_level=None)
wanted, receivers = int(sys.argv[2]), int(sys.argv[3])
polls = torn = seen = 0
while seen < wanted:
    connection.execute("BEGIN")
    seen = connection.execute("SELECT COUNT(*) FROM messages").fetchone()[0]
    counts = connection.execute(
        "SELECT COUNT(d.seq) FROM messages AS m LEFT JOIN deliveries AS d USING (seq) GROUP BY m.seq"
    )
    torn += sum(count != receivers for (count,) in counts)
    torn += connection.execute("SELECT COUNT(*) FROM deliveries").fetchone()[0] != seen * receivers
    connection.execute("COMMIT")
    polls += 1
    if polls == 1:
        print("ready", flush=True)
print(polls, torn)
"""


@pytest.mark.slow
def test_a_reader_in_another_process_sees_whole_transactions(scripted, tmp_path):
    """While 64 threads write to a group, every message another process can see has exactly its deliveries."""
    intercom = scripted(logs=tmp_path)
    people = [intercom.add_person(f"P{n}") for n in range(64)]
    chat = intercom.create_chat([p.id for p in people[1:]], "All", "", people[0].id)

    def write(person):
        for n in range(10):
            chat.send_message(f"{n}", person.id)

    with python(READER, intercom.log, 640, 63) as reader:
        assert reader.stdout.readline() == "ready\n"
        threads = [threading.Thread(target=write, args=(person,)) for person in people]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        polls, torn = map(int, reader.communicate(timeout=60)[0].split())

    assert torn == 0
    assert polls > 1
    assert {len(person.inbox) for person in people} == {630}


# What is no log


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
        InterComService.open(intercom.log, model="offline")
    InterComService.open(intercom.log, tools=[look_up], model="offline").stop()


# What the keys guarantee


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


# What cannot be written


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


class Failing:
    """A connection that fails once, when it is told to."""

    def __init__(self, connection, *, fail=True):
        self._connection = connection
        self.fail = fail

    def execute(self, sql, *parameters):
        """Execute, but for the commit that fails."""
        if self.fail and sql == "COMMIT":
            self.fail = False
            raise sqlite3.OperationalError("disk full")
        return self._connection.execute(sql, *parameters)

    def __getattr__(self, name):
        return getattr(self._connection, name)


def test_after_a_failed_write_everything_is_refused(scripted, tmp_path):
    """A failed commit is told to whoever wrote, every later call is refused at once, and the log stays whole."""
    intercom = scripted(logs=tmp_path)
    intercom.add(Agent("Ann"), Agent("Bob"), Agent("Cid"))
    intercom.send_message("before", "ann", "bob")
    intercom._store._writer._connection = Failing(intercom._store._writes)

    later = [
        lambda: intercom.send_message("lost", "ann", "bob"),
        lambda: intercom.send_message("later", "ann", "bob"),
        lambda: intercom.add(Agent("Dan")),
        lambda: intercom.add_person("Eve"),
        lambda: setattr(intercom["ann"], "mission", "new"),
        lambda: intercom.create_chat(["bob", "cid"], "Chat", "", "ann"),
    ]
    for act in later:
        with pytest.raises(LogError, match="disk full"):
            act()
    intercom.stop()

    again = InterComService.open(intercom.log, model=ScriptedAssistant())
    assert [message.text for message in again.messages] == ["before"]
    assert [member.id for member in again.registry.members] == ["ann", "bob", "cid"]
    again.stop()


def test_a_started_service_stops_whole_after_a_failed_write(scripted, tmp_path):
    """A write that fails under a running service stops it with the reason ``log``; `stop` still ends its threads."""
    intercom = scripted(logs=tmp_path)
    intercom.add(Agent("Ann"), Agent("Bob"))
    intercom.start()
    assert intercom.wait(60) == "quiet"
    intercom._store._writer._connection = Failing(intercom._store._writes)

    with pytest.raises(LogError, match="disk full"):
        intercom.send_message("lost", "ann", "bob")
    reason = intercom.wait(60)
    intercom.stop()

    assert reason == "log"


def test_a_write_that_fails_under_an_agent_ends_the_waiting(scripted, tmp_path, caplog):
    """When a step cannot be written, `wait` returns ``log``, and the log goes on from its last whole transaction."""

    def answer(_request):
        failing.fail = True
        return "never written"

    intercom = scripted(logs=tmp_path, default=answer)
    intercom.add(Agent("Ann"))
    message = intercom["ann"].begin()
    failing = intercom._store._writer._connection = Failing(intercom._store._writes, fail=False)
    intercom.start()
    reason = intercom.wait(60)
    with pytest.raises(LogError):
        intercom.send_message("later", "ann")
    intercom.stop()

    assert reason == "log"
    assert "disk full" in caplog.text
    with InterComService.open(intercom.log, model=ScriptedAssistant({"Ann": ["written"]})) as again:
        assert again.wait(60) == "quiet"
        assert [message] == again.messages
        assert [item["content"] for item in again["ann"].conversation] == ["Message:\nBegin", "written"]


# What people and models may write


@pytest.mark.parametrize(
    "text", ["\0", "a\0b", "\U0010ffff", "\ufffe", "x" * 1_000_000, "\r\n\v\f\x1b[31m", "'; DROP TABLE x"]
)
def test_any_text_is_kept_exactly(scripted, tmp_path, text):
    """A message comes back from the log as it was written."""
    intercom = scripted(logs=tmp_path)
    person = intercom.add_person()
    other = intercom.add_person("Other")
    person.send_message(text + ".", other.id)
    intercom.stop()

    again = InterComService.open(intercom.log, model="offline")
    assert [text + "."] == [message.text for message in again["other"].inbox]
    again.stop()


ODD = "half a pair \ud800"


UNSTORABLE = {
    "message": lambda intercom: intercom.send_message(ODD, "ann"),
    "mission": lambda intercom: intercom.add(Agent("Dan", mission=ODD)),
    "description": lambda intercom: intercom.add(Agent("Dan", description=ODD)),
    "name": lambda intercom: intercom.add(Agent(ODD)),
    "id": lambda intercom: intercom.add(Agent("Dan", id="\ud800")),
    "person": lambda intercom: intercom.add_person("Eve", description=ODD),
    "person's list": lambda intercom: intercom.add_person("Eve", description=["no text"]),
    "new mission": lambda intercom: setattr(intercom["ann"], "mission", ODD),
    "new description": lambda intercom: intercom.edit("ann", description=["no text"]),
    "chat": lambda intercom: intercom.create_chat(["bob", "cid"], "Chat", ODD, "ann"),
    "key": lambda intercom: intercom.send_message("Hello", "ann", key=ODD),
    "key's type": lambda intercom: intercom.send_message("Hello", "ann", key=object()),
    "key's list": lambda intercom: intercom.send_message("Hello", "ann", key=["no", "key"]),
}


@pytest.mark.parametrize("act", UNSTORABLE.values(), ids=UNSTORABLE)
def test_what_cannot_be_stored_harms_nobody(scripted, tmp_path, act):
    """A value that SQLite or UTF-8 cannot hold is refused or mended; the service goes on either way."""
    intercom = scripted(logs=tmp_path)
    intercom.add(Agent("Ann"), Agent("Bob"), Agent("Cid"))
    outcome = []

    def attempt():
        try:
            act(intercom)
        except Exception as error:  # noqa: BLE001 - the point is that it comes back at all
            outcome.append(error)
        else:
            outcome.append(None)

    # In a thread of its own: a writer that has died would keep the test waiting for ever.
    thread = threading.Thread(target=attempt, daemon=True)
    thread.start()
    thread.join(timeout=60)

    assert len(outcome) == 1
    assert not isinstance(outcome[0], LogError)
    intercom.send_message("and on", "ann")
    assert intercom.messages[-1].text == "and on"


def test_what_a_model_cannot_have_meant_harms_nobody(scripted, tmp_path):
    """Half a surrogate pair in a model's answer, which JSON can carry and UTF-8 cannot, stops no log."""
    intercom = scripted({"Ann": [[ODD, call("send_message", chat_id="bob", message=ODD)], ODD]}, logs=tmp_path)
    intercom.add(Agent("Ann"), Agent("Bob"))
    intercom.start()
    intercom["ann"].begin()

    assert intercom.wait(60) in ("quiet", "failed")


def test_an_owners_key_never_meets_a_steps(scripted, tmp_path):
    """A key that looks like those the service makes for agents' messages stands in nobody's way."""

    def agents_message(name, key):
        send = call("send_message", chat_id="you", message="Hello")
        intercom = scripted({"Ann": [send, "done"]}, name=name, logs=tmp_path)
        intercom.add(Agent("Ann"))
        person = intercom.add_person()
        intercom.send_message("First", person.id, key=key)
        intercom["ann"].begin()
        intercom.start()
        assert intercom.wait(60) == "quiet"
        assert [message.text for message in person.inbox] == ["First", "Hello"]
        return intercom._store.rows("SELECT key FROM messages WHERE sender_id = 'ann'")[0][0]

    key = agents_message("one", "some key")

    assert key == agents_message("two", key)


# Whole changes, in memory as in the log


def same_after_opening(intercom):
    """Return who and what a service has, and what its log has."""

    def shown(service):
        spent = service.spent
        return (
            [(m.id, m.name) for m in service.registry.members],
            [(c.id, c.members) for c in service.registry.chats],
            (spent.messages, spent.runs, spent.steps, spent.tokens),
        )

    intercom.stop()
    again = InterComService.open(intercom.log, model=ScriptedAssistant())
    again.stop()
    return shown(intercom), shown(again)


def test_a_chat_whose_first_message_is_refused_is_not_made(scripted, tmp_path):
    """A chat and its first message are accepted together or not at all."""
    intercom = scripted(logs=tmp_path)
    intercom.add(Agent("Ann"), Agent("Bob"), Agent("Cid"))

    with pytest.raises(InterComError, match="empty"):
        intercom.create_chat(["bob", "cid"], "Chat", "", "ann", message=" ")
    memory, log = same_after_opening(intercom)
    assert memory == log
    assert memory[1] == []


def test_agents_are_added_together_or_not_at_all(scripted, tmp_path):
    """One agent that belongs elsewhere keeps those beside it out, in memory as in the log."""
    other, intercom = scripted(name="other"), scripted(logs=tmp_path)
    elsewhere = Agent("Bob")
    other.add(elsewhere)

    with pytest.raises(InterComError, match="belongs to another service"):
        intercom.add(Agent("Ann"), elsewhere)
    memory, log = same_after_opening(intercom)
    assert memory == log
    assert memory[0] == []


def test_what_a_failed_run_spent_is_the_same_in_the_log(scripted, tmp_path):
    """A model call that failed counts alike before a stop and after."""
    intercom = scripted(default=lambda _request: 1 / 0, logs=tmp_path, max_retries=0)
    intercom.add(Agent("Ann"))
    intercom.start()
    intercom["ann"].begin()
    assert intercom.wait(60) == "failed"

    memory, log = same_after_opening(intercom)
    assert memory == log


@pytest.mark.parametrize(
    "names", [["Chat", "Chat!"], ["Chat 7"], ["Chat-1", "chat 1"], ["²", "2"], ["x" * 200, "x" * 199], ["🤖"]]
)
def test_every_made_id_opens_again(scripted, tmp_path, names):
    """Whatever id is made from a name, the log can be opened, and no chat's id is taken."""
    intercom = scripted(logs=tmp_path)
    intercom.add(*map(Agent, names), Agent("Bob"), Agent("Cid"), Agent("Dan"))
    for _ in range(3):
        intercom.create_chat(["bob", "cid"], "Chat", "", "dan")

    memory, log = same_after_opening(intercom)
    assert memory == log
    assert set() == {member_id for member_id, _ in memory[0]} & {chat_id for chat_id, _ in memory[1]}


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
