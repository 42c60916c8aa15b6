"""What a call wrote is in the file when it returns: whoever reads it next, or kills the process, finds it there."""

import sqlite3
from contextlib import closing

import pytest
from strangers import a_log

from intercom_nb import Agent, InterComService, ScriptedAssistant


def told(log, sql):
    """Return the first column of a query's rows, read from the file by somebody else."""
    with closing(sqlite3.connect(f"file:{log}?mode=ro", uri=True)) as connection:
        return [value for (value,) in connection.execute(sql)]


@pytest.mark.parametrize("who", ["", "ann"])
def test_a_halt_and_its_end_are_durable_when_the_call_returns(tmp_path, who):
    """Of the service and of one agent, time after time."""
    with InterComService("s", logs=tmp_path, model=ScriptedAssistant(), thread_logs=False) as intercom:
        intercom.add(Agent("Ann"))
        for n in range(1, 21):
            intercom.pause(*filter(None, [who]))
            assert len(told(intercom.log, "SELECT seq FROM halts WHERE until_seq IS NULL")) == 1
            intercom.resume(*filter(None, [who]))
            assert len(told(intercom.log, "SELECT seq FROM halts WHERE until_seq IS NOT NULL")) == n


def test_what_a_start_and_an_opening_note_is_durable_when_they_return(tmp_path):
    """The event of the start, and what an opening found amiss."""
    log = a_log(tmp_path, "Ann", thread_logs=False)
    intercom = InterComService.open(log, model=ScriptedAssistant(), limits=None, options={"courtesy": False})
    assert told(log, "SELECT text FROM events WHERE kind = 'options_changed'")
    n = len(told(log, "SELECT seq FROM events WHERE kind = 'started'"))
    intercom.start()
    assert len(told(log, "SELECT seq FROM events WHERE kind = 'started'")) == n + 1
    intercom.stop()


def test_a_pause_from_a_listener_keeps_nobody_waiting(tmp_path):
    """There it is called where agents run, and is durable soon."""
    with InterComService("s", logs=tmp_path, model=ScriptedAssistant(default="Fine."), thread_logs=False) as intercom:
        intercom.add(Agent("Ann"))
        intercom.subscribe(lambda _: intercom.pause())
        intercom.send_message("Hi", "ann")
        assert intercom.wait(60) in ("paused", "quiet")
    assert told(intercom.log, "SELECT reason FROM halts LIMIT 1") == ["paused"]
