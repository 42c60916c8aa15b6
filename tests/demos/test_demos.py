"""The demos, offline: who is written to, who is left alone, and what the command line prints."""

import json
from pathlib import Path

import pytest

from intercom_nb import InterComService, demos
from intercom_nb.analysis import delivery_counts
from intercom_nb.demos import program
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


@pytest.mark.parametrize("demo", [1, 2])
def test_json_is_one_object_and_nothing_else(capsys, demo):
    """Names, not ids; a group message has a chat and no receiver; deliveries add up."""
    status = demos.main([str(demo), "--json"])
    out, err = capsys.readouterr()
    told = json.loads(out)
    names = {agent.name for agent in demos.cast(demo)}
    n_hearers = {"agent": 1, "group": 2}

    assert (status, err) == (0, "")
    assert list(told) == ["demo", "model", "stopped", "log", "messages", "who"]
    assert (told["demo"], told["stopped"]) == (demo, "quiet")
    assert Path(told["log"]).is_file()
    assert [list(message) for message in told["messages"]] == [
        ["seq", "sender", "receiver", "chat", "type", "text"]
    ] * len(told["messages"])
    assert all(message["sender"] in names for message in told["messages"])
    assert all((message["receiver"] is None) == (message["type"] == "group") for message in told["messages"])
    assert all((message["chat"] is None) == (message["type"] == "agent") for message in told["messages"])
    assert set(told["who"]) == names
    total = sum(n for row in told["who"].values() for n in row.values())
    assert total == sum(n_hearers[message["type"]] for message in told["messages"])


def test_a_person_watching_sees_what_a_newcomer_needs(capsys, monkeypatch):
    """The model, the transcript, why it stopped, who wrote to whom, and where the logs lie."""
    monkeypatch.setattr(program, "_PACE_S", 0.0)
    status = demos.main(["--logs", "kept"])
    out = capsys.readouterr().out
    logs = sorted(Path("kept").glob("*.db"))

    assert status == 0
    assert out.count("Model:  offline stand-in (rule-based, no language model)") == 2
    assert "Founder → Marketing Expert\n" in out
    assert "Founder → group “" in out
    assert out.count("Stopped: quiet: nobody has anything left to say.") == 2
    assert out.count("wrote to:") == 2
    assert len(logs) == 2
    assert all(str(log) in out for log in logs)
    assert f"Thread logs:  {logs[1].with_suffix('')}/" in out
    assert (logs[0].with_suffix("") / "Founder").is_file()


def test_an_agent_left_alone_has_no_thread_log():
    """The network engineer's file would be empty, so there is none; the others' begin with their turn."""
    folder = thread_logs_of(demos.run(1))
    first = (folder / "Founder").read_text(encoding="utf-8").split("=" * 20)[2]

    assert [path.name for path in thread_logs_in(folder)] == ["Founder", "Marketing Expert"]
    assert read_turn(first.strip("\n")).plain == ("Begin",)


def test_a_mistake_on_the_command_line_is_one_line(capsys):
    """A model without a key, --json without a demo, a demo that is not there."""
    assert demos.main(["1", "--model", "gpt-5-mini"]) == 1
    assert capsys.readouterr().err.startswith("error: the model 'gpt-5-mini' needs a key")
    for wrong in (["--json"], ["3"]):
        with pytest.raises(SystemExit):
            demos.main(wrong)
    with pytest.raises(ValueError, match="right would be 1 or 2"):
        demos.cast(3)
