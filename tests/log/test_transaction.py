"""Transactions: whole or not at all, in one line through all threads, seen so by readers in other processes."""

import contextlib
import sqlite3
import threading

import pytest
from other_python import python

from intercom_nb import (
    Agent,
    InterComService,
    LogError,
    ScriptedAssistant,
)
from intercom_nb.log.facts import MemberJoined


def notes(store):
    """Return the texts of a log's events."""
    return [text for (text,) in store.rows("SELECT text FROM events ORDER BY seq")]


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

    with python(READER, intercom.log.path, 640, 63) as reader:
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

    again = InterComService.open(intercom.log.path, model=ScriptedAssistant())
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
    with InterComService.open(intercom.log.path, model=ScriptedAssistant({"Ann": ["written"]})) as again:
        assert again.wait(60) == "quiet"
        assert [message] == again.messages
        assert [item["content"] for item in again["ann"].conversation] == ["Message:\nBegin", "written"]
