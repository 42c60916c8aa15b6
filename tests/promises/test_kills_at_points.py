"""What is left after SIGKILL at the points where it would hurt most: between what is done and what is noted."""

import itertools
import threading
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path

import pytest
from society import append, lines
from victims import hang, victim

from intercom_nb import Agent, InterComService, ScriptedAssistant, call
from intercom_nb.log.facts import Posted


def opened(path: Path, tool, replies=None) -> InterComService:
    """Open a log of `two_agents`."""
    return InterComService.open(path, model=ScriptedAssistant(replies), tools=[tool])


@pytest.fixture
def two_agents(tmp_path) -> Path:
    """Give the log of Ann, who has a tool, of Bob and of a person."""

    def press(button: str) -> str:
        return button

    with InterComService("two", model=ScriptedAssistant(), logs=tmp_path) as intercom:
        intercom.add(Agent("Ann", tools=[press]), Agent("Bob"))
        intercom.add_person("You")
        return intercom.log.path


def presses_for_ever(path: Path, effects: Path, reached: Connection) -> None:
    """Let Ann's tool do its work and never return."""

    def press(button: str) -> str:
        append(effects, button)
        hang(reached)
        return button

    ann = [[call("press", button="red"), call("send_message", chat_id="bob", message="I pressed it.")], "Done."]
    intercom = opened(path, press, {"Ann": ann})
    intercom.start()
    intercom.send_message("Press it.", "ann", "you")
    threading.Event().wait()


def test_killed_while_a_tool_works_it_is_not_called_again(nursery, two_agents, tmp_path):
    """After the crash the model is told that the outcome is not known, and the rest of its step is carried out once."""
    effects = tmp_path / "effects"
    effects.touch()
    with victim(nursery, presses_for_ever, two_agents, effects) as (_, reached):
        assert reached.poll(60)

    def press(button: str) -> str:
        append(effects, f"{button} again")
        return button

    with opened(two_agents, press) as intercom:
        assert intercom.wait(60) == "quiet"
        conversation = intercom["ann"].conversation

    assert lines(effects) == ["red"]
    outputs = [item["output"] for item in conversation if item.get("type") == "function_call_output"]
    assert outputs[0].startswith("Error: outcome unknown: the process ended before this tool was done")
    assert outputs[1].startswith("sent to bob")
    assert [message.text for message in intercom_messages(two_agents)] == ["Press it.", "I pressed it."]


def intercom_messages(path: Path) -> list:
    """Return the messages of a log that no service writes."""
    intercom = opened(path, named_press())
    messages = intercom.messages
    intercom.stop()
    return messages


def named_press():
    """Return a tool named press."""

    def press(button: str) -> str:
        return button

    return press


def accepts_and_never_tells(path: Path, reached: Connection) -> None:
    """Accept a message, and be killed before anybody could note the acknowledgement."""
    message = opened(path, named_press()).send_message("Hello", "bob", "you", key="one")
    hang(reached, message.id)


def test_killed_between_accept_and_acknowledgement_a_retry_gives_the_same_message(nursery, two_agents):
    """The same key gives the message that was accepted before the crash, and Bob reads it once."""
    with victim(nursery, accepts_and_never_tells, two_agents) as (_, reached):
        assert reached.poll(60)
        accepted = reached.recv()

    with opened(two_agents, named_press()) as intercom:
        again = intercom.send_message("Hello", "bob", "you", key="one")
        assert intercom.wait(60) == "quiet"
        turns = [item["content"] for item in intercom["bob"].conversation if item.get("role") == "user"]

        assert accepted == again.id
        assert [accepted] == [message.id for message in intercom.messages]
        assert [turn.count("Hello") for turn in turns] == [1]


def stops_half_way_through_a_transaction(path: Path, reached: Connection) -> None:
    """Write the message, and be killed before its delivery is written and both are committed."""
    whole = Posted.statement

    def half(self: Posted):
        sql, values = whole(self)
        return sql, itertools.chain(values, stop_here())

    def stop_here():
        hang(reached)
        yield ()

    Posted.statement = half
    opened(path, named_press()).send_message("Hello", "bob", "you", key="one")


def test_killed_half_way_through_a_transaction_nothing_of_it_is_left(nursery, two_agents):
    """A message that was not acknowledged and not whole is gone, and can be sent again under its key."""
    with victim(nursery, stops_half_way_through_a_transaction, two_agents) as (_, reached):
        assert reached.poll(60)

    with opened(two_agents, named_press()) as intercom:
        before = list(intercom.messages)
        intercom.send_message("Hello", "bob", "you", key="one")
        assert intercom.wait(60) == "quiet"

        assert before == []
        assert [message.text for message in intercom.messages] == ["Hello"]


def commits_and_never_rings(path: Path, reached: Connection) -> None:
    """Make a message durable, and be killed before its receiver is told."""
    intercom = opened(path, named_press())
    intercom._engine.router._deliver = lambda *_, **__: hang(reached)
    intercom.start()
    intercom.send_message("Hello", "bob", "you")


def test_killed_between_commit_and_ring_the_receiver_reads_it_afterwards(nursery, two_agents):
    """What is in the log is delivered by whoever opens it next."""
    with victim(nursery, commits_and_never_rings, two_agents) as (_, reached):
        assert reached.poll(60)

    with opened(two_agents, named_press()) as intercom:
        assert intercom.wait(60) == "quiet"

        assert "Hello" in intercom["bob"].conversation[0]["content"]


def thinks_for_ever(path: Path, reached: Connection) -> None:
    """Be killed when the model was asked and its answer is not in the log."""
    intercom = opened(path, named_press(), {"Bob": partial(asked, reached)})
    intercom.start()
    intercom.send_message("Hello", "bob", "you")
    threading.Event().wait()


def asked(reached: Connection, request: dict) -> str:
    """Pass the request on and stay there."""
    hang(reached, request)
    return "never"


def test_killed_during_a_model_call_the_same_request_is_made_again(nursery, two_agents):
    """Only a model call can repeat, and it repeats to the letter."""
    with victim(nursery, thinks_for_ever, two_agents) as (_, reached):
        assert reached.poll(60)
        request = reached.recv()

    model = ScriptedAssistant({"Bob": [call("send_message", chat_id="you", message="Hello, you."), "Done."]})
    with InterComService.open(two_agents, model=model, tools=[named_press()]) as intercom:
        assert intercom.wait(60) == "quiet"

        assert request == model.requests_of("Bob")[0]
        assert [message.text for message in intercom.people["you"].inbox] == ["Hello, you."]
        assert [intercom.reason] == ["quiet"]
