"""Services side by side, and one that many threads use, subscribers among them."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from intercom_nb import (
    Agent,
    InterComService,
    InvalidNameError,
    LifecycleError,
    Limits,
    LogError,
    ScriptedAssistant,
)
from talkers import tell, unread, until


def test_two_services_side_by_side_do_not_mix(scripted):
    """Each has its own agents, log and threads; stopping one leaves the other."""
    services = [scripted({"Ann": [tell("bob", f"from {n}"), "Sent."]}, name=f"side {n}") for n in range(2)]
    for intercom in services:
        intercom.add(Agent("Ann"), Agent("Bob"))
        intercom.start()
        intercom["ann"].begin()

    assert [intercom.wait(60) for intercom in services] == ["quiet", "quiet"]
    texts = [[message.text for message in intercom.messages] for intercom in services]
    assert texts == [["Begin", "from 0"], ["Begin", "from 1"]]
    services[0].stop()
    services[1]["bob"].begin()
    assert services[1].wait(60) == "quiet"
    assert len(services[1].messages) == 3


def test_an_agent_belongs_to_one_service(scripted):
    """An agent of one service cannot be added to another, and the other is as it was."""
    one, two = scripted(name="one"), scripted(name="two")
    ann = Agent("Ann")
    one.add(ann)

    with pytest.raises(LifecycleError, match="already belongs to another service"):
        two.add(ann)

    assert len(two.registry) == 0


def test_a_service_of_a_name_that_is_taken_gets_a_number(tmp_path, capsys):
    """Where no cell is known nobody is replaced; a name is free again once its service has stopped."""
    with InterComService("same", model=ScriptedAssistant(), logs=tmp_path) as first:
        with InterComService("same", model=ScriptedAssistant(), logs=tmp_path) as second:
            assert (first.name, second.name) == ("same", "same-2")
            assert (first.state, second.state) == ("running", "running")
        with InterComService(model=ScriptedAssistant(), logs=None) as unnamed:
            assert unnamed.name == "intercom"
    with InterComService("same", model=ScriptedAssistant(), logs=tmp_path) as third:
        assert third.name == "same"

    assert capsys.readouterr().err == ""


def test_a_service_that_could_not_be_made_does_not_spoil_its_name(tmp_path):
    """The cell that failed can be mended and run again, also while its exception is still kept."""
    (tmp_path / "file").touch()

    with pytest.raises(LogError) as failed:
        InterComService("again", model=ScriptedAssistant(), logs=tmp_path / "file")
    with InterComService("again", model=ScriptedAssistant(), logs=tmp_path) as intercom:
        state = intercom.state

    assert failed.value is not None
    assert state == "running"


def test_eight_threads_use_one_service_at_once(scripted):
    """800 messages, 80 agents, 8 chats and 80 edits from eight threads: everything is there once, and it gets quiet."""
    intercom = scripted(limits=Limits(runs=10**6, tokens=10**9))
    intercom.add(Agent("Hub"), Agent("Rim"))
    you = intercom.add_person("You")
    intercom.start()

    def use(n: int) -> None:
        chat = intercom.create_chat(["hub", "rim"], f"group {n}", "for all", admin_id="you")
        for k in range(10):
            intercom.add(Agent(f"Agent {n} {k}"))
            agent = intercom[f"agent-{n}-{k}"]
            chat.add_member(agent.id)
            agent.mission = f"{n} {k}"
            for m in range(5):
                you.send_message(f"direct {n} {k} {m}", agent.id)
                intercom.send_message(f"group {n} {k} {m}", chat.id, "you", key=f"{n} {k} {m}")
            assert repr(intercom)
            assert agent.status in ("idle", "waiting", "thinking")
            chat.remove_member(agent.id)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(use, range(8)))

    assert intercom.wait(60) == "quiet"
    texts = Counter(message.text for message in intercom.messages)
    assert texts == Counter(
        f"{w} {n} {k} {m}" for w in ("direct", "group") for n in range(8) for k in range(10) for m in range(5)
    )
    assert len(intercom.registry) == 82
    assert [chat.members for chat in intercom.registry.chats] == [("you", "hub", "rim")] * 8
    assert intercom._store.rows("SELECT COUNT(*) FROM deliveries") == [(400 + 400 * 3,)]
    assert unread(intercom) == 0


def test_a_name_taken_by_another_thread_is_refused_once(scripted):
    """Of eight threads that add an agent of one name, one succeeds."""
    intercom = scripted()

    def add(_n: int) -> bool:
        try:
            intercom.add(Agent("Ann"))
        except InvalidNameError:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(add, range(8))) == [False] * 7 + [True]


def test_one_key_from_eight_threads_is_one_message(scripted):
    """Every thread is given the same message."""
    intercom = scripted()
    intercom.add(Agent("Ann"))

    with ThreadPoolExecutor(8) as pool:
        accepted = set(pool.map(lambda n: intercom.send_message(f"text {n}", "ann", key="k").id, range(8)))

    assert len(accepted) == 1
    assert len(intercom.messages) == 1


def test_what_a_subscriber_raises_does_not_matter(scripted, caplog):
    """It goes to the logging module; agents and other subscribers go on."""
    heard = []

    def broken(_message):
        raise RuntimeError("not today")

    intercom = scripted({"Ann": [tell("bob", "Hi"), "Sent."]})
    intercom.add(Agent("Ann"), Agent("Bob"))
    intercom.subscribe(broken)
    intercom.subscribe(lambda message: heard.append(message.text))
    intercom.start()
    intercom["ann"].begin()

    assert intercom.wait(60) == "quiet"
    assert until(lambda: len(heard) == 2)
    assert heard == ["Begin", "Hi"]
    assert "a subscriber failed" in caplog.text


def test_a_subscription_ends_when_it_is_told_to(scripted):
    """Ending it twice does nothing."""
    heard = []
    intercom = scripted()
    intercom.add(Agent("Ann"))
    intercom.start()
    end = intercom.subscribe(lambda message: heard.append(message.text))
    intercom["ann"].send_message("one")
    assert until(lambda: heard)

    end()
    end()
    intercom["ann"].send_message("two")
    intercom.wait(60)

    assert heard == ["one"]


def test_a_subscriber_may_send_messages(scripted):
    """It runs on the loop, and may use the service there."""
    intercom = scripted()
    intercom.add(Agent("Ann"), Agent("Bob"))
    intercom.subscribe(lambda m: intercom.send_message("I heard.", "bob") if m.receiver_id == "ann" else None)
    intercom.start()
    intercom["ann"].begin()

    assert until(lambda: len(intercom.messages) == 2)
    assert intercom.wait(60) == "quiet"
