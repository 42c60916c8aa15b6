"""What a long log costs, by what SQLite does and how many bytes are sent: none of it follows the log's length."""

import sqlite3
from contextlib import contextmanager

import pytest

from intercom_nb import Agent, Dashboard, InterComService, snapshot
from intercom_nb.log.state import state
from logs import lengthen
from views_fixtures import Page, record

SHORT, LONG = 16_000, 64_000  # messages; the short one is longer than all that is read of the newest part
MOST = 1.2  # times as much work for four times the log: trees are a level deeper
BYTES = 1_000_000
EVERY = 20  # SQLite counts by so many instructions


class Work:
    """Counts the instructions of SQLite's machine on all connections."""

    def __init__(self, monkeypatch):
        self._count = 0
        connect = sqlite3.connect

        def connected(*given, **more):
            connection = connect(*given, **more)
            connection.set_progress_handler(self._tick, EVERY)
            return connection

        monkeypatch.setattr(sqlite3, "connect", connected)

    def _tick(self):
        self._count += EVERY
        return 0

    @contextmanager
    def counting(self, into):
        """Count what is done in a block."""
        before = self._count
        yield
        into.append(self._count - before)


@pytest.fixture
def logs(scripted, tmp_path):
    """Give the logs of two services of the same members, one of them four times as long."""
    paths = []
    for n in (SHORT, LONG):
        intercom = scripted(name=f"long {n}", logs=tmp_path)
        intercom.add(*(Agent(f"Agent {k}") for k in range(5)))
        intercom.create_chat([f"agent-{k}" for k in range(1, 5)], "All", "", "agent-0")
        intercom.stop()
        lengthen(intercom.log.path, n)
        paths.append(intercom.log.path)
    return paths


def check(short, long):
    """Check that both were about the same work, and that there was some."""
    assert 0 < short <= long <= short * MOST


def test_the_state_costs_the_same_in_a_log_of_any_length(monkeypatch, logs):
    """At its end, in its middle and at its start."""
    work = Work(monkeypatch)
    for place_in in (lambda _: None, lambda n: 2 * n, lambda _: 60):
        found = []
        for path, n in zip(logs, (SHORT, LONG), strict=True):
            place = place_in(n)
            with work.counting(found):
                assert len(state(path, place).members) == 5
        check(*found)


def test_opening_costs_the_same_for_a_log_of_any_length(monkeypatch, logs):
    """A log that was closed is not checked page by page, and no table is read as a whole."""
    work, found = Work(monkeypatch), []
    for path in logs:
        with work.counting(found):
            intercom = InterComService.open(path, model="offline")
        intercom.stop()

    check(*found)


def test_the_picture_costs_the_same_for_a_log_of_any_length(monkeypatch, logs):
    """It is drawn of the newest part, and says so; so is the one beside a widget."""
    work, found = Work(monkeypatch), []
    pictures = []
    for path in logs:
        with work.counting(found):
            pictures.append(snapshot(path).data)

    check(*found)
    assert all(picture.startswith(b"\x89PNG") and len(picture) < BYTES for picture in pictures)


def test_whom_an_agent_talked_to_last_is_found_by_its_partners(monkeypatch, scripted, tmp_path):
    """Of an agent with more than a hundred partners, opening reads none of what else was said."""
    work, found = Work(monkeypatch), []
    for n in (SHORT, LONG):
        intercom = scripted(name=f"many {n}", logs=tmp_path, courtesy=False)
        intercom.add(*(Agent(f"Agent {k}") for k in range(105)))
        intercom.create_chat(["agent-0", "agent-2"], "Two", "", "agent-1")
        for k in range(1, 105):
            intercom.send_message("Hello", f"agent-{k}", "agent-0")
        intercom.stop()
        lengthen(intercom.log.path, n)
        with work.counting(found):
            again = InterComService.open(intercom.log.path, model="offline")
        again.stop()

    check(*found)


def test_a_view_of_a_long_log_begins_with_few_bytes(monkeypatch, logs):
    """The newest rows, and sums of the others."""
    record(monkeypatch)
    for path in logs:
        page = Page(Dashboard(path))
        page.hello()
        sent = sum(len(str(content).encode()) for _, content in page.customs)
        assert 0 < sent < BYTES
