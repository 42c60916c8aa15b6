"""Logs to write, and to open."""

import pytest

from intercom_nb import (
    Agent,
    InterComService,
    ScriptedAssistant,
    call,
)
from intercom_nb.log.store import Store


@pytest.fixture
def store(tmp_path):
    """Give an empty log in a file."""
    store = Store.create(tmp_path / "logs", "example")
    yield store
    store.close()


@pytest.fixture
def log(tmp_path):
    """Give the path of a closed log of a conversation: three agents, a person, a chat, two runs."""
    replies = {
        "Ann": [call("send_message", chat_id="chat-1", message="Hello all"), "done"],
        "Bob": [
            [call("send_message", chat_id="ann", message="Hello Ann"), call("leave_chat", chat_id="chat-1")],
            "done",
        ],
    }
    with InterComService("closed", model=ScriptedAssistant(replies), logs=tmp_path / "logs") as intercom:
        intercom.add(Agent("Ann"), Agent("Bob"), Agent("Cid"))
        person = intercom.add_person()
        intercom.create_chat(["bob", "cid", person.id], "Chat", "", "ann")
        intercom["ann"].begin()
        assert intercom.wait(60) == "quiet"
    return intercom.log.path
