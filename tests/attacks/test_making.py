"""A log that cannot be made, or not to its end, leaves nothing behind, and says why."""

import logging
import sqlite3
import threading

import pytest
from interrupting import interrupted_at

from counts import times
from intercom_nb import Agent, InterComService, LogError, ScriptedAssistant


def left_in(folder):
    """Return the names of all files in a folder."""
    return sorted(path.name for path in folder.rglob("*")) if folder.exists() else []


@pytest.mark.parametrize("pages", [1, 20])
def test_a_disk_that_is_full_before_the_log_is_made_leaves_no_file(tmp_path, monkeypatch, pages):
    """Neither the log nor what lies beside it; the sentence says that the disk is full, and the next log is made."""
    connect, logs = sqlite3.connect, tmp_path / "logs"

    def on_a_small_disk(*given, **named):
        connection = connect(*given, **named)
        connection.execute(f"PRAGMA max_page_count = {pages}")
        return connection

    with monkeypatch.context() as patch:
        patch.setattr(sqlite3, "connect", on_a_small_disk)
        with pytest.raises(LogError, match=r"cannot be made \(database or disk is full\); choose another folder"):
            InterComService("s", logs=logs, model=ScriptedAssistant())
    assert left_in(logs) == []

    InterComService("s", logs=logs, model=ScriptedAssistant()).stop()


def test_a_service_that_was_interrupted_while_it_was_made_leaves_nothing(tmp_path, caplog):
    """Whatever line of it is interrupted: no file, no lock, no thread; the next one has the whole name."""
    caplog.set_level(logging.CRITICAL)
    stride, n, logs = max(1, 140 // times(20)), 0, tmp_path / "logs"
    for line in range(1, 20_000, stride):
        made = []

        def make():
            made.append(InterComService("s", logs=logs, model=ScriptedAssistant()))  # noqa: B023 - called at once

        again = interrupted_at(line, make)
        n += again
        for service in made:
            service.stop()
        assert made or left_in(logs) == [], line
        assert [t.name for t in threading.enumerate() if t.name.startswith("intercom")] == []
        if not again:
            break
    assert n >= 10 // stride
    assert not again


def test_a_service_whose_agents_cannot_be_added_is_a_log_all_the_same(tmp_path):
    """Once it is made it stays, whatever comes after: what was in it by then can be opened."""
    intercom = InterComService("s", logs=tmp_path, model=ScriptedAssistant(default="Fine."), thread_logs=False)
    ((pages,),) = intercom._store._writes.execute("PRAGMA page_count")
    intercom._store._writes.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(LogError, match="full"):
        intercom.add(Agent("Ann", description="x" * 100_000))
    intercom.stop()

    with InterComService.open(intercom.log, model="offline") as opened:
        assert opened.agents == []
