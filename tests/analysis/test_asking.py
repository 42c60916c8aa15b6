"""A log that can be asked: every function that reads one is a method, and it goes wherever a path goes."""

import copy
import inspect
import os
import pickle
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from intercom_nb import (
    Agent,
    Dashboard,
    InterComService,
    Log,
    LogError,
    ScriptedAssistant,
    analysis,
    call,
    places,
    snapshot,
    state,
    to_html,
    to_jsonl,
)


@pytest.fixture
def intercom(tmp_path):
    """Return a service with a log on file, whose first agent wrote to the second."""
    assistant = ScriptedAssistant({"Ann": [call("send_message", chat_id="bob", message="Hello"), "done"]})
    with InterComService("asked", model=assistant, logs=tmp_path / "logs") as made:
        made.add(Agent("Ann"), Agent("Bob"))
        made["ann"].begin()
        made.wait(60)
        yield made


def test_every_function_that_reads_a_log_is_a_method():
    """The list of functions is the list of methods: a new function that is no method fails here."""
    functions = {name: getattr(analysis, name) for name in analysis.__all__}
    reading = {
        name
        for name, function in functions.items()
        if inspect.isfunction(function) and next(iter(inspect.signature(function).parameters)) == "source"
    } - {"overview_png", "part_png"}  # a picture's bytes: what snapshot() is made of

    assert {*reading, "places", "state", "to_jsonl", "name", "path"} == {
        name for name in dir(Log) if not name.startswith("_")
    }
    for name in reading:
        assert getattr(Log, name) is functions[name]
        assert "source" not in inspect.signature(getattr(Log("any.db"), name)).parameters


def test_it_answers_as_the_functions_do(intercom):
    """Of a service while it runs, and of a file."""
    log = intercom.log
    for asked in (log, Log(log.path), Log(str(log.path)), Log(intercom), Log(log)):
        assert asked.messages_df().equals(analysis.messages_df(intercom))
        assert asked.who_to_whom("characters", by="agent").equals(analysis.who_to_whom(intercom, "characters"))
        assert asked.delivery_counts(until=intercom.messages[0].id) == {"Ann": {"Bob": 0}, "Bob": {"Ann": 0}}
        assert asked.state(1) == state(intercom, 1)
        assert asked.places() == places(intercom)
        assert sorted(asked.graph().nodes) == ["Ann", "Bob"]


def test_it_goes_wherever_a_path_goes(intercom, tmp_path):
    """To readers, to Python and to SQLite, alone, in a list, and as the source of a view; and a service opens it."""
    log = intercom.log
    assert (Path(log), str(log), os.fspath(log)) == (log.path, str(log.path), str(log.path))
    assert log == log.path
    assert log.path == log
    assert len({log, intercom.log, Log(log.path)}) == 1
    assert log != Log("other.db")
    assert list(analysis.messages_df([log]).log.unique()) == [log.path.stem]
    assert snapshot(log).format == "png"
    assert to_html(log, tmp_path / "page.html").is_file()
    assert to_jsonl(log, tmp_path / "log.jsonl").is_file()
    assert repr(Dashboard(log)).endswith("2 members, 2 messages>")
    with closing(sqlite3.connect(log)) as connection:
        assert connection.execute("SELECT COUNT(*) FROM messages").fetchone() == (2,)
    assert pickle.loads(pickle.dumps(log)) == log == copy.copy(log)  # noqa: S301 - ours
    intercom.stop()
    with InterComService.open(log, model="offline") as again:
        assert again.log == log
    with InterComService("played", play=log, logs=None) as played:
        played.add(Agent("Ann"), Agent("Bob"))
        played["ann"].begin()
        played.wait(60)
        assert [message.text for message in played.messages] == ["Begin", "Hello"]


def test_a_log_in_memory_can_be_asked_but_has_no_path(scripted):
    """It says so, wherever a path is wanted."""
    intercom = scripted()
    intercom.add(Agent("Ann"))
    intercom.send_message("Hello", "ann")
    log = intercom.log

    assert (log.path, str(log), log.name) == (None, "in memory", "test")
    assert log.messages_df().text.tolist() == ["Hello"]
    assert analysis.messages_df(log).equals(analysis.messages_df([log])[analysis.messages_df(log).columns])
    assert state(log).pending[0][0] == "ann"
    assert repr(log).endswith("0 tokens; in memory>")
    assert log == intercom.log
    assert log != scripted(name="another").log
    for wanted in (os.fspath, Path, Dashboard, InterComService.open, pickle.dumps, open):
        with pytest.raises(LogError, match=r"the log in memory: has no path; InterComService\(logs='logs'\)"):
            wanted(log)


def test_its_repr_says_what_it_is(intercom, tmp_path):
    """Name, messages, agents, when and what was spent; of a file that is none, what is wrong with it."""
    began = places(intercom)[0].at
    what = repr(intercom.log)
    assert what.startswith(f"<Log {intercom.log.name}: 2 messages, 2 agents, {began:%Y-%m-%d %H:%M} UTC, ")
    assert what.endswith(" tokens>")
    assert repr(Log("nowhere.db")).startswith("<Log nowhere.db: there is no such log; ")
    (tmp_path / "text.db").write_text("no log")
    assert "cannot be read as a log" in repr(Log(tmp_path / "text.db"))


@pytest.mark.parametrize("wrong", [None, 5, b"x", object(), [], Agent, "", "a\0b"])
def test_what_is_no_log_is_refused(wrong):
    """At once, in a sentence."""
    with pytest.raises((TypeError, ValueError), match="it should be"):
        Log(wrong)
