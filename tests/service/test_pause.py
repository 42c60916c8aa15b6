"""One agent paused while the others go on, and a service that goes on run by run."""

import pytest

from intercom_nb import Agent, InterComService, LifecycleError, UnknownIdError, call


def tell(receiver_id, text="Hi"):
    """Return a call that writes to somebody."""
    return call("send_message", chat_id=receiver_id, message=text)


def trio(scripted, **settings):
    """Return a service of Ann, who writes to Bob and Cid, who write back."""
    to_ann = [tell("ann", "Yes?"), "(sent)"]
    intercom = scripted({"Ann": [[tell("bob"), tell("cid")], "(sent)"], "Bob": to_ann, "Cid": to_ann}, **settings)
    intercom.assistant.default = lambda _: "(nothing to add)"
    intercom.add(Agent("Ann"), Agent("Bob"), Agent("Cid"))
    return intercom


def who_spoke(intercom):
    """Return the senders of all messages, oldest first."""
    return [message.sender_id for message in intercom.messages if message.sender_id is not None]


def test_a_paused_agents_mail_waits_and_the_others_go_on(scripted):
    """It says so, keeps what it was sent, and answers once it goes on."""
    intercom = trio(scripted)
    intercom["bob"].pause()
    intercom.start()
    intercom["ann"].begin()

    assert intercom.wait(60) == "paused"
    assert "bob" in intercom.status
    assert (intercom["bob"].status, intercom["cid"].status) == ("paused", "idle")
    assert who_spoke(intercom) == ["ann", "ann", "cid"]

    intercom["bob"].resume()

    assert intercom.wait(60) == "quiet"
    assert who_spoke(intercom) == ["ann", "ann", "cid", "bob"]


def test_a_paused_agent_without_mail_keeps_nobody_waiting(scripted):
    """The conversation of the others ends as ever; a second pause changes nothing."""
    intercom = trio(scripted)
    intercom.start()
    intercom.pause("ann")
    intercom.pause("ann")
    intercom["cid"].send_message("Hi")

    assert intercom.wait(60) == "paused"  # what Cid wrote to Ann waits
    intercom.resume("ann")
    assert intercom.wait(60) == "quiet"
    kinds = intercom._store.rows("SELECT kind FROM events WHERE agent_id = 'ann' AND kind LIKE 'agent%' ORDER BY seq")
    assert kinds == [("agent_paused",), ("agent_resumed",)]


def test_resuming_the_service_does_not_resume_an_agent(scripted):
    """They are paused apart."""
    intercom = trio(scripted)
    intercom["bob"].pause()
    intercom["ann"].begin()
    intercom.start()
    intercom.wait(60)
    intercom.pause()
    intercom.resume()

    assert intercom.wait(60) == "paused"
    assert intercom["bob"].status == "paused"


def test_a_pause_outlives_the_process(scripted, tmp_path):
    """Opened again, the agent still waits."""
    intercom = trio(scripted, logs=tmp_path)
    intercom["bob"].pause()
    intercom["ann"].begin()
    intercom.start()
    intercom.wait(60)
    intercom.stop()
    with InterComService.open(intercom.log.path, model=intercom.assistant) as again:
        assert again.wait(60) == "paused"
        assert again["bob"].status == "paused"
        again["bob"].resume()
        assert again.wait(60) == "quiet"


def test_one_run_at_a_time(scripted):
    """Each step is one whole run of one agent, in the order in which they got mail; then nobody has anything to do."""
    intercom = trio(scripted)
    intercom["ann"].begin()
    turns = []
    for _ in range(3):
        turns.append(intercom.step())
        assert intercom.wait(60) == "paused"
        assert intercom.spent.runs == len(turns)

    assert turns == ["ann", "bob", "cid"]
    assert who_spoke(intercom) == ["ann", "ann", "bob", "cid"]
    assert [intercom.step(), intercom.wait(60), intercom.step()] == ["ann", "paused", None]
    intercom.resume()
    assert intercom.wait(60) == "quiet"


def test_resume_ends_stepping(scripted):
    """Also in the middle of a step."""
    intercom = trio(scripted)
    intercom["ann"].begin()
    intercom.step()
    intercom.resume()
    intercom.wait(60)
    intercom.resume()

    assert intercom.wait(60) == "quiet"
    assert who_spoke(intercom) == ["ann", "ann", "bob", "cid"]


def test_wrong_calls_say_what_would_be_right(scripted):
    """A step while it runs; an agent who is not there; a service that has stopped."""
    intercom = trio(scripted)
    intercom.start()
    with pytest.raises(LifecycleError, match=r"pause\(\) it first"):
        intercom.step()
    with pytest.raises(UnknownIdError):
        intercom.pause("dan")
    intercom.stop()
    with pytest.raises(LifecycleError):
        intercom.resume("ann")
    with pytest.raises(LifecycleError):
        intercom.step()
