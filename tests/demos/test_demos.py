"""The demos, offline: who is written to, and who is left alone."""

from intercom_nb import InterComService, demos
from intercom_nb.analysis import delivery_counts
from intercom_nb.texts.turns import read_turn
from logs import thread_logs_in, thread_logs_of


def test_demo_1_leaves_the_network_engineer_alone():
    """The founder writes to the marketing expert, is answered, and all fall silent."""
    intercom = demos.run(1)
    who = delivery_counts(intercom)

    assert intercom.reason == "quiet"
    assert who["Founder"]["Marketing Expert"] >= 1
    assert who["Marketing Expert"]["Founder"] >= 1
    assert who["Founder"]["Network Engineer"] == 0
    assert intercom.registry.chats == []


def test_demo_2_brings_the_two_experts_together():
    """Exactly one group, of the founder and two experts, in which each of them speaks."""
    intercom = demos.run(2)
    (chat,) = intercom.registry.chats
    speakers = {message.sender_id for message in intercom.messages if message.chat_id == chat.id}

    assert intercom.reason == "quiet"
    assert set(chat.members) == {"founder", "marketing-expert", "domain-expert"}
    assert speakers == set(chat.members)
    assert sum(delivery_counts(intercom)["Network Engineer"].values()) == 0
    assert all(message.chat_id for message in intercom.messages if message.sender_id)


def test_another_mission_asks_another_expert():
    """With a mission about an office network, the founder asks the network engineer, not the marketing expert."""
    with InterComService("network", logs=None) as intercom:
        founder, *others = demos.cast(1)
        intercom.add(founder, *others)
        founder.mission = "You are a founder of a new company. Plan a robust network for its office."
        founder.begin()
        reason = intercom.wait(60)
        who = delivery_counts(intercom)["Founder"]

    assert reason == "quiet"
    assert who["Network Engineer"] >= 1
    assert who["Marketing Expert"] == 0


def test_the_same_demo_twice_says_the_same():
    """The stand-in has no chance in it."""
    first, second = ([(m.sender_id, m.receiver_id, m.text) for m in demos.run(1).messages] for _ in range(2))

    assert first == second


def test_an_agent_left_alone_has_no_thread_log():
    """The network engineer's file would be empty, so there is none; the others' begin with their turn."""
    folder = thread_logs_of(demos.run(1))
    first = (folder / "Founder").read_text(encoding="utf-8").split("=" * 20)[2]

    assert [path.name for path in thread_logs_in(folder)] == ["Founder", "Marketing Expert"]
    assert read_turn(first.strip("\n")).plain == ("Begin",)
