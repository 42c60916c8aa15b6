"""What an action costs, counted and not timed: transactions, rows, commits, model calls, bytes, calls on the loop.

A busy machine makes none of these larger. Each budget stands just above what is true: whoever needs more says so here.
"""

import asyncio
import sqlite3
import threading
from dataclasses import asdict, dataclass

import pytest

from intercom_nb import Agent, Dashboard, InterComService, ScriptedAssistant, call
from views_fixtures import Page, record

GROUP = 100  # receivers


@dataclass(frozen=True)
class Counts:
    """What was counted, or may at most be."""

    transactions: int = 0  # rows of `places`
    commits: int = 0  # each of them is one fsync
    writes: int = 0  # rows written or ended, one statement each
    reads: int = 0  # queries, and pragmas
    requests: int = 0  # to the model
    kilobytes: int = 0  # by which the write-ahead log grew
    callbacks: int = 0  # on the agents' loop, in-process model server included


BUDGETS = {
    "a turn: told, sends, falls silent": Counts(
        transactions=4, commits=4, writes=21, requests=2, kilobytes=160, callbacks=14
    ),
    "a message by a person": Counts(transactions=1, commits=1, writes=3, kilobytes=24),
    f"a message to a group of {GROUP}": Counts(transactions=1, commits=1, writes=GROUP + 2, kilobytes=24),
    "an edited mission": Counts(transactions=1, commits=1, writes=3, kilobytes=20),
    "an agent added": Counts(transactions=1, commits=1, writes=2, kilobytes=16),
    "a dashboard of a small log": Counts(reads=17),
    "opening a small log": Counts(transactions=1, commits=1, writes=2, reads=28),
    "closing it": Counts(transactions=2, commits=2, writes=4, reads=3),
}


class Meter:
    """Counts what every connection to a log runs, and what every loop is given, from when it is made."""

    def __init__(self, monkeypatch):
        self._statements, self._callbacks, self._names = [], [], threading.local()
        connect = sqlite3.connect

        def connected(*given, **more):
            connection = connect(*given, **more)
            connection.set_trace_callback(self._statements.append)
            return connection

        monkeypatch.setattr(sqlite3, "connect", connected)
        for name in ("call_soon", "call_soon_threadsafe", "call_at"):
            monkeypatch.setattr(asyncio.BaseEventLoop, name, self._counted(getattr(asyncio.BaseEventLoop, name)))

    def _counted(self, method):
        def called(loop, *given, **more):
            if threading.current_thread().name.startswith("intercom"):
                self._callbacks.append(method.__name__)
            return method(loop, *given, **more)

        return called

    def of(self, act, intercom=None, log=None):
        """Return what an action came to; the service is quiet before and after."""
        requests = [] if intercom is None else intercom.assistant.requests
        asked, size = len(requests), wal_size(log)
        self._statements.clear()
        self._callbacks.clear()
        act()
        told = [statement.split(None, 2) for statement in list(self._statements)]
        writes = [words for words in told if words[0] in ("INSERT", "UPDATE", "DELETE")]
        return Counts(
            transactions=sum(words[:2] == ["INSERT", "INTO"] and words[2].startswith("places") for words in writes),
            commits=sum(words[:2] == ["BEGIN", "IMMEDIATE"] for words in told),
            writes=len(writes),
            reads=sum(words[0] in ("SELECT", "WITH", "PRAGMA") for words in told),
            requests=len(requests) - asked,
            kilobytes=max(wal_size(log) - size, 0) // 1024,
            callbacks=len(self._callbacks),
        )


def wal_size(log):
    """Return the size of a log's write-ahead log; 0 if there is none."""
    wal = None if log is None else log.with_name(log.name + "-wal")
    return wal.stat().st_size if wal is not None and wal.exists() else 0


@pytest.fixture
def meter(monkeypatch):
    """Give a meter."""
    return Meter(monkeypatch)


def check(what, found):
    """Check what was counted against its budget; say all that is too much."""
    most = asdict(BUDGETS[what])
    over = {name: f"{n}, at most {most[name]}" for name, n in asdict(found).items() if n > most[name]}
    assert not over, f"{what}: {over}"


def pair(scripted, tmp_path):
    """Return a service of Ann, whom nothing surprises, and Bob, who hears of it; both have had a turn."""
    intercom = scripted(logs=tmp_path, courtesy=False, thread_logs=False)
    intercom.add(Agent("Ann"), Agent("Bob"))
    intercom.start()
    intercom.assistant.enqueue("Ann", call("send_message", chat_id="bob", message="Hi"), "(sent)")
    intercom["ann"].begin()
    assert intercom.wait(60) == "quiet"
    return intercom


def test_a_turn_keeps_to_its_budget(meter, scripted, tmp_path):
    """An agent is told something, asks its model, sends, asks again and falls silent; a person hears it."""
    intercom = pair(scripted, tmp_path)
    person = intercom.add_person("Cid")
    intercom.assistant.enqueue("Ann", call("send_message", chat_id="cid", message="Yes"), "(sent)")

    def turn():
        intercom.send_message("Are you there?", "ann", person.id)
        assert intercom.wait(60, progress=False) == "quiet"

    check("a turn: told, sends, falls silent", meter.of(turn, intercom, intercom.log.path))


def test_a_message_keeps_to_its_budget(meter, scripted, tmp_path):
    """What a person says to an agent, and what a member says to a large group, is written once for each receiver."""
    intercom = scripted(logs=tmp_path, courtesy=False)
    intercom.add(*(Agent(f"Agent {k}") for k in range(GROUP + 1)))
    person = intercom.add_person("Cid")
    intercom.send_message("Hello", "agent-0", person.id)
    chat = intercom.create_chat([f"agent-{k}" for k in range(1, GROUP + 1)], "All", "", "agent-0")

    found = meter.of(lambda: intercom.send_message("Well?", "agent-0", person.id), intercom, intercom.log.path)
    check("a message by a person", found)
    found = meter.of(lambda: intercom.send_message("Well?", chat.id, "agent-0"), intercom, intercom.log.path)
    check(f"a message to a group of {GROUP}", found)


def test_changing_who_there_is_keeps_to_its_budget(meter, scripted, tmp_path):
    """An edit and a newcomer are a transaction each, however many agents there are."""
    intercom = scripted(logs=tmp_path)
    intercom.add(*(Agent(f"Agent {k}") for k in range(GROUP)))

    found = meter.of(lambda: setattr(intercom["agent-0"], "mission", "Market it."), intercom, intercom.log.path)
    check("an edited mission", found)
    check("an agent added", meter.of(lambda: intercom.add(Agent("Ann")), intercom, intercom.log.path))


def test_looking_opening_and_closing_keep_to_their_budgets(meter, scripted, tmp_path, monkeypatch):
    """A look at a log, and taking it up again, ask a number of queries that does not grow with it."""
    record(monkeypatch)
    intercom = pair(scripted, tmp_path)
    intercom.stop()

    page = []
    found = meter.of(lambda: page.append(Page(Dashboard(intercom.log.path)).hello()))
    check("a dashboard of a small log", found)
    assert page[0][0]["reset"]
    again = []
    found = meter.of(lambda: again.append(InterComService.open(intercom.log.path, model=ScriptedAssistant())))
    check("opening a small log", found)
    check("closing it", meter.of(again[0].stop))
