"""The log keeps any text, lets nothing in that cannot be stored, and has what memory has."""

import math
import threading

import pytest

from intercom_nb import (
    Agent,
    InterComError,
    InterComService,
    Limits,
    LogError,
    ScriptedAssistant,
    call,
)


@pytest.mark.parametrize(
    "text", ["\0", "a\0b", "\U0010ffff", "\ufffe", "x" * 1_000_000, "\r\n\v\f\x1b[31m", "'; DROP TABLE x"]
)
def test_any_text_is_kept_exactly(scripted, tmp_path, text):
    """A message comes back from the log as it was written."""
    intercom = scripted(logs=tmp_path, limits=Limits(message_bytes=math.inf))
    person = intercom.add_person()
    other = intercom.add_person("Other")
    person.send_message(text + ".", other.id)
    intercom.stop()

    again = InterComService.open(intercom.log.path, model="offline")
    assert [text + "."] == [message.text for message in again.people["other"].inbox]
    again.stop()


ODD = "half a pair \ud800"


UNSTORABLE = {
    "message": lambda intercom: intercom.send_message(ODD, "ann"),
    "mission": lambda intercom: intercom.add(Agent("Dan", mission=ODD)),
    "description": lambda intercom: intercom.add(Agent("Dan", description=ODD)),
    "name": lambda intercom: intercom.add(Agent(ODD)),
    "id": lambda intercom: intercom.add(Agent("Dan", id="\ud800")),
    "person": lambda intercom: intercom.add_person("Eve", description=ODD),
    "person's list": lambda intercom: intercom.add_person("Eve", description=["no text"]),
    "new mission": lambda intercom: setattr(intercom["ann"], "mission", ODD),
    "new description": lambda intercom: intercom.edit("ann", description=["no text"]),
    "chat": lambda intercom: intercom.create_chat(["bob", "cid"], "Chat", ODD, "ann"),
    "key": lambda intercom: intercom.send_message("Hello", "ann", key=ODD),
    "key's type": lambda intercom: intercom.send_message("Hello", "ann", key=object()),
    "key's list": lambda intercom: intercom.send_message("Hello", "ann", key=["no", "key"]),
}


@pytest.mark.parametrize("act", UNSTORABLE.values(), ids=UNSTORABLE)
def test_what_cannot_be_stored_harms_nobody(scripted, tmp_path, act):
    """A value that SQLite or UTF-8 cannot hold is refused or mended; the service goes on either way."""
    intercom = scripted(logs=tmp_path)
    intercom.add(Agent("Ann"), Agent("Bob"), Agent("Cid"))
    outcome = []

    def attempt():
        try:
            act(intercom)
        except Exception as error:  # noqa: BLE001 - the point is that it comes back at all
            outcome.append(error)
        else:
            outcome.append(None)

    # In a thread of its own: a writer that has died would keep the test waiting for ever.
    thread = threading.Thread(target=attempt, daemon=True)
    thread.start()
    thread.join(timeout=60)

    assert len(outcome) == 1
    assert not isinstance(outcome[0], LogError)
    intercom.send_message("and on", "ann")
    assert intercom.messages[-1].text == "and on"


def test_what_a_model_cannot_have_meant_harms_nobody(scripted, tmp_path):
    """Half a surrogate pair in a model's answer, which JSON can carry and UTF-8 cannot, stops no log."""
    intercom = scripted({"Ann": [[ODD, call("send_message", chat_id="bob", message=ODD)], ODD]}, logs=tmp_path)
    intercom.add(Agent("Ann"), Agent("Bob"))
    intercom.start()
    intercom["ann"].begin()

    assert intercom.wait(60) in ("quiet", "failed")


def test_an_owners_key_never_meets_a_steps(scripted, tmp_path):
    """A key that looks like those the service makes for agents' messages stands in nobody's way."""

    def agents_message(name, key):
        send = call("send_message", chat_id="you", message="Hello")
        intercom = scripted({"Ann": [send, "done"]}, name=name, logs=tmp_path)
        intercom.add(Agent("Ann"))
        person = intercom.add_person()
        intercom.send_message("First", person.id, key=key)
        intercom["ann"].begin()
        intercom.start()
        assert intercom.wait(60) == "quiet"
        assert [message.text for message in person.inbox] == ["First", "Hello"]
        return intercom._store.rows("SELECT key FROM messages WHERE sender_id = 'ann'")[0][0]

    key = agents_message("one", "some key")

    assert key == agents_message("two", key)


def same_after_opening(intercom):
    """Return who and what a service has, and what its log has."""

    def shown(service):
        spent = service.spent
        return (
            [(m.id, m.name) for m in service.registry.members],
            [(c.id, c.members) for c in service.registry.chats],
            (spent.messages, spent.runs, spent.steps, spent.tokens),
        )

    intercom.stop()
    again = InterComService.open(intercom.log.path, model=ScriptedAssistant())
    again.stop()
    return shown(intercom), shown(again)


def test_a_chat_whose_first_message_is_refused_is_not_made(scripted, tmp_path):
    """A chat and its first message are accepted together or not at all."""
    intercom = scripted(logs=tmp_path)
    intercom.add(Agent("Ann"), Agent("Bob"), Agent("Cid"))

    with pytest.raises(InterComError, match="empty"):
        intercom.create_chat(["bob", "cid"], "Chat", "", "ann", message=" ")
    memory, log = same_after_opening(intercom)
    assert memory == log
    assert memory[1] == []


def test_agents_are_added_together_or_not_at_all(scripted, tmp_path):
    """One agent that belongs elsewhere keeps those beside it out, in memory as in the log."""
    other, intercom = scripted(name="other"), scripted(logs=tmp_path)
    elsewhere = Agent("Bob")
    other.add(elsewhere)

    with pytest.raises(InterComError, match="belongs to another service"):
        intercom.add(Agent("Ann"), elsewhere)
    memory, log = same_after_opening(intercom)
    assert memory == log
    assert memory[0] == []


def test_what_a_failed_run_spent_is_the_same_in_the_log(scripted, tmp_path):
    """A model call that failed counts alike before a stop and after."""
    intercom = scripted(default=lambda _request: 1 / 0, logs=tmp_path, max_retries=0)
    intercom.add(Agent("Ann"))
    intercom.start()
    intercom["ann"].begin()
    assert intercom.wait(60) == "failed"

    memory, log = same_after_opening(intercom)
    assert memory == log


@pytest.mark.parametrize(
    "names", [["Chat", "Chat!"], ["Chat 7"], ["Chat-1", "chat 1"], ["²", "2"], ["x" * 200, "x" * 199], ["🤖"]]
)
def test_every_made_id_opens_again(scripted, tmp_path, names):
    """Whatever id is made from a name, the log can be opened, and no chat's id is taken."""
    intercom = scripted(logs=tmp_path)
    intercom.add(*map(Agent, names), Agent("Bob"), Agent("Cid"), Agent("Dan"))
    for _ in range(3):
        intercom.create_chat(["bob", "cid"], "Plan", "", "dan")

    memory, log = same_after_opening(intercom)
    assert memory == log
    assert set() == {member_id for member_id, _ in memory[0]} & {chat_id for chat_id, _ in memory[1]}
