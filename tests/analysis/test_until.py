"""The log as it was: every frame and measure, at any place."""

from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal

from counts import times
from intercom_nb import Agent, Fail, InterComService, LogError, ScriptedAssistant, call
from intercom_nb import analysis as a
from intercom_nb.agent_spec import AgentSpec
from intercom_nb.analysis import frames as f
from intercom_nb.analysis.tables import TABLES
from intercom_nb.log.state import places
from intercom_nb.messages import Message

SAID = ["Hello", "Yes", "No", "Begin anew"]
MEASURES = [
    a.agent_measures, a.conversation_measures, a.left_alone, a.replies_df, a.cost, a.activity, a.redundant_messages,
    a.who_to_whom, a.delivery_counts, a.to_mermaid, a.to_markdown,
]  # fmt: skip


def society(service, draw):
    """Let a few agents and a person do whatever is drawn; after each, give the place that the log has reached."""
    you = service.add_person("You")
    service.add(*(Agent(f"A{n}", mission="x", mail=draw(st.sampled_from(["when_idle", "asap"]))) for n in range(3)))
    yield
    chats = []
    for n in range(draw(st.integers(2, 8))):
        what = draw(st.sampled_from(["write", "go", "chat", "edit", "remove", "option", "pause", "agent_paused"]))
        if what == "write":
            you.send_message(draw(st.sampled_from(SAID)), draw(st.sampled_from(["a0", "a1", "a2"])))
        elif what == "go":
            service.resume()
            service.wait(progress=False)
        elif what == "chat":
            chats.append(service.create_chat(["a0", "a1"], f"Chat {n}", "about", admin_id="you", message="Hello all"))
        elif what == "edit":
            service["a1"].mission = f"mission {n}"
        elif what == "remove" and chats and "a0" in chats[-1].members:
            chats[-1].remove_member("a0")
        elif what == "option":
            service.settings = {"temperature": n / 10}
        elif what == "pause":
            service.pause()
        elif what == "agent_paused":
            service["a2"].pause()
        yield


def answering(draw):
    """Return an assistant whose agents answer with a message, in silence, or not at all."""
    kinds = [call("send_message", chat_id="a1", message="Over to you"), "done", Fail(status=400)]
    chosen = draw(st.lists(st.sampled_from(kinds), min_size=1, max_size=6))
    return ScriptedAssistant({"A0": list(chosen), "A1": list(reversed(chosen))}, default="done")


@settings(max_examples=times(15))
@given(data=st.data(), on_file=st.booleans())
def test_what_was_read_at_a_place_is_read_there_later(data, on_file):
    """All frames, clocks included, of any small society: from memory, a live file and a closed one."""
    with TemporaryDirectory() as folder:
        logs = Path(folder) if on_file else None
        with InterComService("random", model=answering(data.draw), logs=logs) as service:
            read = []
            for _ in society(service, data.draw):
                service.wait(progress=False) if service.state == "running" else None
                read.append(read_now(service))
            sources = [service]
            assert_same(read, service)
        assert_same(read, *([service.log.path] if on_file else sources))


def read_now(service):
    """Return the last place, and what is read there: once nothing was written meanwhile."""
    while True:
        found = places(service)[-1].seq, f.read_frames(service), a.conversation_measures(service)
        if places(service)[-1].seq == found[0]:
            return found


def assert_same(read, source):
    """Check that a log gives what was read at each place."""
    for place, frames, measures in read:
        later = f.read_frames(source, until=place)
        for name in TABLES:
            assert_frame_equal(getattr(later, name), getattr(frames, name), obj=f"{name} at {place}")
        pd.testing.assert_series_equal(a.conversation_measures(source, until=place), measures)


@pytest.fixture
def talk(scripted, tmp_path):
    """Give a finished talk of two, on file."""
    service = scripted({"Ann": [call("send_message", chat_id="bob", message="Hi"), "ok"]}, default="ok", logs=tmp_path)
    service.add(Agent("Ann"), Agent("Bob"))
    service["ann"].begin()
    service.start()
    service.wait(60, progress=False)
    service.stop()
    return service


def test_a_place_is_a_number_or_an_id(talk):
    """Of a message or a run: the end of the transaction that it was written in."""
    first, second = talk.messages
    runs = f.runs_df(talk.log)

    assert f.messages_df(talk.log, until=first.id).message_id.tolist() == [first.id]
    assert f.messages_df(talk.log, until=first.seq).message_id.tolist() == [first.id]
    assert f.messages_df(talk.log, until=str(second.seq)).message_id.tolist() == [first.id, second.id]
    then = f.runs_df(talk.log, until=runs.run_id[1])
    assert then.run_id.tolist() == runs.run_id.tolist()
    assert then.ended_at.isna()[1]
    assert isinstance(first, Message)


@pytest.mark.parametrize("measure", MEASURES)
def test_every_measure_takes_a_place(talk, measure):
    """At the last one it says what it says of the whole; of frames that were read there is no other place."""
    last = places(talk.log)[-1].seq
    now, then = measure(talk.log), measure(talk.log, until=last)

    assert (now.equals(then) if hasattr(now, "equals") else now == then) is True
    with pytest.raises(ValueError, match="frames are read already"):
        measure(f.read_frames(talk.log), until=last)


def test_what_is_no_place_is_said(talk):
    """A number beyond the end, an id of nobody; and frames that were read already."""
    for given_ in (10_000, "m-x", 0, 1.5):
        with pytest.raises(LogError, match="it has no place"):
            f.messages_df(talk.log, until=given_)
    read = f.read_frames(talk.log)
    for function in (f.read_frames, f.agents_df, f.halts_df):
        with pytest.raises(ValueError, match="frames are read already"):
            function(read, until=3)


def test_agents_show_all_of_what_they_are(talk):
    """Every field of a spec has a column; limits have three."""
    columns = {"id": ["agent_id"], "limits": ["max_runs", "max_tokens", "max_usd"]}
    wanted = {column for name in AgentSpec.names() for column in columns.get(name, [name])}

    assert wanted <= set(f.agents_df(talk.log).columns)


def test_options_and_halts_say_since_when(scripted):
    """Each value of an option, and each time that something was kept from going on."""
    service = scripted(default="done")
    service.add(Agent("Ann"))
    service.settings = {"temperature": 0.5}
    service["ann"].pause()
    service["ann"].resume()
    service.pause()
    told, halts = f.options_df(service).query("name == 'settings'"), f.halts_df(service)

    assert told.is_newest.tolist() == [False, True]
    assert told.set_at.is_monotonic_increasing
    assert halts[["agent", "reason"]].fillna("").to_numpy().tolist() == [["Ann", "paused"], ["", "paused"]]
    assert halts.ended_at.isna().tolist() == [False, True]
