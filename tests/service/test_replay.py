"""A replay makes a log anew from its own answers, asks nobody, and tells the first row that comes out otherwise."""

import shutil
import sqlite3
from contextlib import closing

import pytest

from intercom_nb import Agent, Fail, InterComService, Limits, ScriptedAssistant, call, replay
from intercom_nb.texts import instructions

CALLS = []  # of tools and of models, by name


def press(button: str) -> str:
    """Press a button."""
    CALLS.append("press")
    return f"pressed {button}"


def tell(receiver_id, message):
    """Return a step that sends one message."""
    return call("send_message", chat_id=receiver_id, message=message)


def counted(*steps):
    """Return a policy that answers step by step, and counts how often it is asked."""
    left = list(steps)

    def policy(_request):
        CALLS.append("model")
        return left.pop(0) if left else "done"

    return policy


def two(folder, ann, bob=(), **options):
    """Return the log of two agents, of whom one begins."""
    model = ScriptedAssistant({"Ann": counted(*ann), "Bob": counted(*bob)})
    made = {"logs": folder, "thread_logs": False, "max_retries": 0, **options}
    with InterComService("Two", model=model, **made) as intercom:
        intercom.add(Agent("Ann", tools=[press]), Agent("Bob"))
        intercom["ann"].begin()
        intercom.wait(20, progress=False)
    return intercom.log


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    """Return the log of two agents who write to each other, one of them after it used a tool."""
    steps = [call("press", button="red"), tell("bob", "The red one?"), "sent"]
    return two(tmp_path_factory.mktemp("logs"), steps, [tell("ann", "Yes, the red one."), "sent"])


def test_no_model_is_asked_and_no_tool_is_run(log):
    """Not even if the function is given."""
    CALLS.clear()
    found = replay(log, tools=[press])

    assert found
    assert found.equal
    assert (found.difference, found.why) == (None, "")
    assert str(found) == f"equal: {found.places} transactions, no model was asked and no tool was run"
    assert CALLS == []


def test_a_word_that_somebody_changed_is_found(log, tmp_path):
    """In what was said, in what an agent was told, in who was there: at the row where it was."""
    changes = {
        "messages": "UPDATE messages SET text = 'The blue one?' WHERE sender_id = 'ann'",
        "items": "UPDATE items SET payload = replace(payload, 'Begin', 'Stop') WHERE idx = 0 AND agent_id = 'ann'",
        "deliveries": "UPDATE deliveries SET agent_id = 'ann' WHERE agent_id = 'bob'",
        "places": "UPDATE places SET tokens = tokens + 1 WHERE seq = (SELECT MAX(seq) FROM places)",
        "runs": "UPDATE runs SET reason = 'steps' WHERE agent_id = 'bob'",
    }
    for table, sql in changes.items():
        copy = shutil.copy(log, tmp_path / f"{table}.db")
        with closing(sqlite3.connect(copy)) as connection:
            connection.execute(sql)
            connection.commit()
        found = replay(copy)
        assert not found
        assert f"in {found.difference.table}, " in str(found)
        assert str(found).startswith(f"after {found.places} transactions, at {found.difference.seq} in ")
        assert found.difference.table == table


def test_with_another_guideline_the_first_request_is_another_one(log, monkeypatch):
    """The first row that differs is the first step, and the sentence says why."""
    monkeypatch.setattr(instructions, "_GUIDELINE", "Be kind.")
    instructions.guideline_digest.cache_clear()
    found = replay(log, tools=[press])
    monkeypatch.undo()
    instructions.guideline_digest.cache_clear()

    assert (found.difference.table, found.difference.columns) == ("steps", ("fingerprint",))
    assert found.difference.one["step"] == 0
    assert "for the guideline is" in str(found)


def test_with_another_tool_the_request_is_another_one(log):
    """A function of the same name that is told to models otherwise; not given, its requests are taken as they were."""

    def press(button: str, times: int = 1) -> str:
        """Press a button, or press it twice."""
        return button * times

    found = replay(log, tools=[press])

    assert found.difference.columns == ("fingerprint",)
    assert found.difference.one["run_id"].startswith("run-")
    assert replay(log)


def only_bob(_agent, member):
    """Let nobody write to Cid."""
    CALLS.append("rule")
    return member.id != "cid"


def near(_agent):
    """Show everybody Bob."""
    CALLS.append("contacts")
    return ["bob"]


def test_what_somebodys_code_decided_is_taken_from_the_log(tmp_path):
    """Whom a rule lets through, whom a function shows, and whom a search finds: none of it is asked again."""
    steps = [tell("cid", "Hello?"), call("search_agents", query="cid"), tell("bob", "Hello!"), "sent"]
    model = ScriptedAssistant({"Ann": counted(*steps), "Bob": counted("read"), "Cid": counted("read")})
    for options in ({"may_contact": only_bob}, {"contacts": near}, {"may_contact": only_bob, "chat_list": "every"}):
        with InterComService("Rules", model=model, logs=tmp_path, thread_logs=False, **options) as intercom:
            intercom.add(Agent("Ann"), Agent("Bob"), Agent("Cid"))
            intercom["ann"].begin()
            intercom.wait(20, progress=False)
        CALLS.clear()
        found = replay(intercom.log)
        assert found, str(found)
        assert CALLS == []


def test_what_a_tool_does_to_the_service_is_injected(tmp_path):
    """A tool that writes, adds, edits and pauses: each is a transaction of its own, in its place."""

    def interfere() -> str:
        """Do a lot."""
        intercom.send_message("From a tool.", "bob")
        intercom.add(Agent("Cid"))
        intercom["bob"].mission = "Read."
        intercom.create_chat(["bob", "cid"], "All", "everybody", "ann", "Hello all.")
        intercom.limits = Limits(runs=50)
        return "done"

    model = ScriptedAssistant({"Ann": [[call("interfere"), tell("bob", "So?")], "sent"]}, default=lambda _: "read")
    with InterComService("Tools", model=model, logs=tmp_path, thread_logs=False) as intercom:
        intercom.add(Agent("Ann", tools=[interfere]), Agent("Bob"))
        intercom["ann"].begin()
        intercom.wait(20, progress=False)
        found = replay(intercom)
    assert found, str(found)
    found = replay(intercom.log)
    assert found, str(found)


def test_failed_calls_retries_and_limits_are_as_they_were():
    """A call that failed, the retry, a limit that was met, and a log in memory."""
    model = ScriptedAssistant({"Ann": [Fail(500), tell("bob", "At last."), "sent"]}, default=lambda _: "read")
    intercom = InterComService("Faults", model=model, logs=None, max_retries=0, limits=Limits(runs=2))
    with intercom:
        intercom.add(Agent("Ann"), Agent("Bob"))
        intercom["ann"].begin()
        assert intercom.wait(20, progress=False) == "failed"
        intercom.retry()
        intercom.wait(20, progress=False)
        intercom["ann"].send_message("Once more")
        assert intercom.wait(20, progress=False) == "runs"
        found = replay(intercom)
    assert found, str(found)
