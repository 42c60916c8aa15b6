"""A fork shares everything up to a place, goes on by itself from there, and leaves its parent alone."""

import hashlib
import sqlite3
import time
from contextlib import closing

import pytest

from intercom_nb import (
    Agent,
    ChatRuleError,
    InterComService,
    LogError,
    ScriptedAssistant,
    call,
    difference,
    events_df,
    fork,
    messages_df,
    places,
    state,
)
from intercom_nb.texts.instructions import identity
from intercom_nb.texts.turns import read_turn

LAST = 6  # how often the two answer each other


def tell(receiver_id, message):
    """Return a step that sends one message."""
    return call("send_message", chat_id=receiver_id, message=message)


def counting(request):
    """Answer every number with the next one, up to the last; an agent's mission may say by how much it counts."""
    heard = request["input"][-1]
    if heard.get("role") != "user":
        return "sent"
    me = identity(request["instructions"])[1]
    other = "bob" if me == "ann" else "ann"
    words = [one.text for one in read_turn(heard["content"]).incoming]
    n = int(words[-1].split()[-1]) if words else 0
    step = 10 if "tens" in request["instructions"] else 1
    return "done" if n >= LAST else tell(other, f"{'abcdefg'[n % 7]} number {n + step}")


def society(folder, **options):
    """Return a service in which two agents count up, quiet by now, and not yet stopped."""
    made = {"model": ScriptedAssistant(default=counting), "logs": folder, "courtesy": False, "thread_logs": False}
    intercom = InterComService("Count", **{**made, **options})
    intercom.add(Agent("Ann"), Agent("Bob"))
    intercom.add_person("You")
    intercom.start()
    intercom["ann"].begin()
    assert intercom.wait(20, progress=False) == "quiet"
    return intercom


@pytest.fixture
def parent(tmp_path):
    """Give such a service; it is stopped at the end."""
    intercom = society(tmp_path)
    yield intercom
    intercom.stop()


def said(source):
    """Return what was said, in order."""
    return list(messages_df(source)["text"])


def test_a_fork_has_everything_up_to_its_place_and_goes_on(parent):
    """The same rows, and nothing after them; then it goes on until it is quiet."""
    for message in parent.messages:
        branch = parent.fork(at=message.id)
        try:
            assert branch.state == "new"
            assert difference(parent, branch, until=message.id) is None
            assert branch.messages == [one for one in parent.messages if one.seq <= message.seq]
            branch.start()
            assert branch.wait(20, progress=False) == "quiet"
            assert said(branch) == said(parent)
        finally:
            branch.stop()


def test_a_fork_in_which_nothing_is_changed_becomes_equal_to_its_parent(parent):
    """To the last row: it takes the same numbers, in the runs that were under way."""
    end = len(places(parent))
    for place in places(parent)[4:end:3]:
        branch = parent.fork(at=place.seq, play=str(parent.log))
        try:
            branch.start()
            branch.wait(20, progress=False)
            assert difference(parent, branch) is None, place.seq
        finally:
            branch.stop()


def test_what_is_changed_before_it_starts_counts_from_there(parent):
    """A mission, and what follows from it; the parent is what it was."""
    before = said(parent)
    second = parent.messages[1]
    branch = parent.fork(at=second.id)
    branch["bob"].mission = "Count in tens."
    with branch:
        branch.wait(20, progress=False)

    assert said(branch)[:3] == ["Begin", "a number 1", "b number 11"]
    assert said(parent) == before
    assert parent["bob"].mission == ""


def test_another_text_is_said_in_the_same_step(parent):
    """The step is committed again, with the same number, and marked as edited; the others hear the new text."""
    third = parent.messages[2]
    branch = parent.fork(say={third.id: "c number 5"})
    with branch:
        branch.wait(20, progress=False)
    edited = events_df(branch).query("kind == 'message_edited'")

    assert branch.messages[2].id == third.id
    assert said(branch) == ["Begin", "a number 1", "c number 5", "f number 6"]
    assert difference(parent, branch, until=parent.messages[1].id) is None
    assert list(edited["agent_id"]) == ["bob"]
    assert "b number 2" in edited["data"].iloc[0]
    assert branch["bob"].conversation[1]["arguments"] == '{"chat_id": "ann", "message": "c number 5"}'


def test_the_program_and_a_person_may_say_something_else(parent):
    """And a person's message that goes to a group, made with it."""
    parent.create_chat(["ann", "bob"], "All", "everybody", "you", "Hello number 9")
    parent.wait(20, progress=False)
    hello = parent.messages[-1]
    branch = parent.fork(say={hello.id: "Hello number 4"})
    try:
        assert (branch.messages[-1].id, branch.messages[-1].text) == (hello.id, "Hello number 4")
        assert branch.chats[0].members == ("you", "ann", "bob")
    finally:
        branch.stop()
    begun = parent.fork(say={parent.messages[0].id: "Go!"})
    try:
        assert said(begun) == ["Go!"]
    finally:
        begun.stop()


@pytest.mark.parametrize(
    ("say", "error", "words"),
    [
        ({"m-99": "x"}, LogError, "no message 'm-99'"),
        ({1: "x"}, TypeError, "dict of messages"),
        ({}, ValueError, "empty"),
        ("m-4", TypeError, "dict of messages"),
        ({"first": "  "}, ChatRuleError, "empty"),
        ({"first": "x", "second": "y"}, ValueError, "said in one step"),
    ],
)
def test_what_cannot_be_said_is_told_and_leaves_nothing_behind(parent, tmp_path, say, error, words):
    """One sentence; no file, no thread."""
    known = {"first": parent.messages[1].id, "second": parent.messages[2].id}
    files = {path.name for path in tmp_path.glob("*.db")}
    given = {known.get(one, one): text for one, text in say.items()} if isinstance(say, dict) else say

    with pytest.raises(error, match=words):
        parent.fork(say=given)
    assert {path.name for path in tmp_path.glob("*.db")} == files


def test_a_stopped_parent_keeps_its_bytes(parent):
    """A fork of a file reads it, and no more."""
    log = parent.log.path
    parent.stop()
    before = hashlib.sha256(log.read_bytes()).hexdigest()
    with fork(log, at=parent.messages[2].id, model=ScriptedAssistant(default=counting)) as branch:
        branch.wait(20, progress=False)

    assert hashlib.sha256(log.read_bytes()).hexdigest() == before
    assert said(branch) == said(log)
    assert branch.log.path.parent == log.parent


def test_a_running_parent_goes_on(tmp_path):
    """While it talks it is forked, now, again and again; each branch ends as it does."""
    with InterComService(
        "Count", model=ScriptedAssistant(default=counting, delay=0.02), logs=tmp_path, courtesy=False
    ) as intercom:
        intercom.add(Agent("Ann"), Agent("Bob"))
        intercom["ann"].begin()
        branches = [intercom.fork() for _ in range(4)]
        intercom.wait(20, progress=False)
        for branch in branches:
            with branch:
                branch.wait(20, progress=False)
            assert said(branch) == said(intercom)


def test_a_fork_of_a_fork_closed_and_opened_again_goes_on(parent):
    """It names its parent, and the fork of it names it; opened again it is what it was."""
    one = parent.fork(at=parent.messages[3].id)
    two = one.fork(at=one.messages[1].id)
    log = two.log
    two.stop()
    one.stop()
    again = InterComService.open(log, model=ScriptedAssistant(default=counting))
    with again:
        again.wait(20, progress=False)
    ids = [dict(rows(path, "SELECT key, value FROM meta")) for path in (parent.log, one.log, log)]

    assert said(again) == said(parent)
    assert [found.get("parent") for found in ids] == [None, ids[0]["log_id"], ids[1]["log_id"]]
    assert [found.get("place") for found in ids][1:] == [
        str(state(parent, parent.messages[n].id).place) for n in (3, 1)
    ]


def rows(path, sql):
    """Return the rows of a query on a log."""
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(sql).fetchall()


def test_twenty_branches_at_once(parent):
    """From one place, side by side: each goes its own way, in a log of its own."""
    second = parent.messages[1]
    branches = [parent.fork(at=second.id) for _ in range(20)]
    for n, branch in enumerate(branches):
        branch["bob"].mission = "Count in tens." if n % 2 else ""
        branch.start()
    for branch in branches:
        branch.wait(60, progress=False)
    found = [said(branch) for branch in branches]
    for branch in branches:
        branch.stop()

    assert len({branch.log.path for branch in branches}) == 20
    assert found == [said(parent), ["Begin", "a number 1", "b number 11"]] * 10


def test_a_log_in_memory_is_forked_in_memory(tmp_path):
    """Or into a file, if a folder is given."""
    intercom = society(None)
    try:
        for logs in ({}, {"logs": tmp_path}):
            branch = intercom.fork(at=intercom.messages[2].id, **logs)
            with branch:
                branch.wait(20, progress=False)
                assert said(branch) == said(intercom)
                assert list(tmp_path.glob("*.db")) != [] if logs else list(tmp_path.glob("*.db")) == []
    finally:
        intercom.stop()


def test_holds_pauses_and_limits_are_those_of_the_place(tmp_path):
    """An agent that was paused is paused, and mail waits that waited."""
    intercom = society(tmp_path)
    try:
        intercom["bob"].pause()
        waits = intercom.send_message("x number 1", "bob", "you")
        paused = intercom.fork(at=waits.id)
        intercom["bob"].resume()
        intercom.wait(20, progress=False)
        assert paused["bob"].status == "paused"
        paused.start()
        assert paused.wait(20, progress=False) == "paused"
        paused["bob"].resume()
        paused.wait(20, progress=False)
        assert said(paused) == said(intercom)
        assert paused.spent.steps == intercom.spent.steps
        paused.stop()
    finally:
        intercom.stop()


class Slow:
    """A tool that begins, and waits until it is let go."""

    def __init__(self):
        self.calls = 0
        self.free = False

    def work(self) -> str:
        """Work for a while."""
        self.calls += 1
        while not self.free:
            time.sleep(0.005)
        return "worked"


def test_a_step_whose_tools_were_at_work_is_begun_again(tmp_path):
    """No tool is said to have been interrupted: the branch asks the model again, and the tool works again."""
    slow = Slow()
    with InterComService("Work", model=ScriptedAssistant({"Ann": [call("work"), "done"]}), logs=tmp_path) as intercom:
        intercom.add(Agent("Ann", tools=[slow.work]))
        intercom["ann"].begin()
        while not slow.calls:
            time.sleep(0.005)
        model = ScriptedAssistant({"Ann": [call("work"), "all done"]})
        branch = intercom.fork(options={"model": model})
        slow.free = True
        intercom.wait(20, progress=False)
        with branch:
            branch.wait(20, progress=False)

    assert slow.calls == 2
    outputs = [item["output"] for item in branch["ann"].conversation if "output" in item]
    assert outputs == ["worked"]
    assert branch["ann"].conversation[-1]["content"] == "all done"
    assert difference(intercom, branch, until=1) is None


def test_what_is_no_place_is_told(parent):
    """In a sentence that says what would be one."""
    for wrong in ("m-99", 10**9, 0, -1, "nowhere"):
        with pytest.raises(LogError, match="no place"):
            parent.fork(at=wrong)
    for wrong in (1.5, True, [], object()):
        with pytest.raises(TypeError, match="at="):
            parent.fork(at=wrong)
