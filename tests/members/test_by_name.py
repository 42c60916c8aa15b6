"""Agents, chats and people as sequences that also take ids and names; a name means the same wherever it is written."""

import pytest

from intercom_nb import (
    Agent,
    AgentBuilder,
    InterComService,
    MissionLab,
    SharedNameError,
    UnknownIdError,
    call,
    save_agents,
)


def cast(*names):
    """Return agents with these names."""
    return [Agent(name, description=f"{name} of the cast.") for name in names]


@pytest.fixture
def intercom(scripted):
    """Return a service of three agents, a person and a chat."""
    made = scripted()
    made.add(*cast("Ann", "Bob", "Marketing Expert"))
    made.add_person("You")
    made.create_chat(["bob", "you"], "Harbour", "The plan.", "ann")
    return made


def test_they_are_sequences_that_take_ids_and_names(intercom):
    """Places from either end, slices, ``in``, ``len``, and a name in any case."""
    agents = intercom.agents

    assert [agent.id for agent in agents] == ["ann", "bob", "marketing-expert"]
    assert (len(agents), len(intercom.chats), len(intercom.people)) == (3, 1, 1)
    assert agents[0] is agents["ann"] is agents["ANN"] is intercom["Ann"]
    assert agents[-1] is agents["marketing expert"] is intercom["MARKETING-EXPERT"]
    assert agents[1:] == [agents[1], agents[2]]
    assert list(reversed(agents)) == agents[::-1]
    assert intercom.chats["harbour"] is intercom.chats["chat-1"] is intercom.chats[0]
    assert intercom.people["you"] is intercom.people[-1]
    assert "ann" in agents
    assert agents[0] in agents
    assert "zoe" not in agents
    assert None not in agents
    assert "you" not in agents
    assert "Harbour" in intercom.chats
    assert agents.index(agents[1]) == 1
    assert agents == list(agents)
    assert agents != [agents[0]]


def test_the_service_itself_is_its_agents(intercom):
    """What is iterated, counted, asked and completed is agents; a person or a chat is told where it stands."""
    assert list(intercom) == intercom.agents
    assert len(intercom) == 3
    assert "Bob" in intercom
    assert intercom["bob"] in intercom
    assert "you" not in intercom
    assert "chat-1" not in intercom
    for given, place in [
        ("you", "a person: intercom.people['you']"),
        ("Harbour", "a group chat: intercom.chats['chat-1']"),
    ]:
        with pytest.raises(UnknownIdError, match="no agent has the id") as told:
            intercom[given]
        assert str(told.value).endswith(f"it is {place}")
    with pytest.raises(UnknownIdError, match=r"it is an agent: intercom\.agents\['ann'\]"):
        intercom.people["Ann"]
    with pytest.raises(UnknownIdError, match=r"no group chat .* it is a person: intercom\.people\['you'\]"):
        intercom.chats["You"]


def test_what_is_added_is_there_at_once(intercom):
    """It is what there is now; who iterates is not disturbed."""
    agents = intercom.agents
    for agent in agents:
        intercom.add(Agent(f"Friend of {agent.name}"))

    assert len(agents) == 6
    assert "Friend of Bob" in agents


def test_they_are_shown_as_a_small_table(intercom):
    """With what one looks for first, whole for a few; a crowd is cut in the middle; what agents are called is text."""
    assert repr(intercom.agents).splitlines() == [
        "3 agents",
        "  id                name              status",
        "  ann               Ann               idle",
        "  bob               Bob               idle",
        "  marketing-expert  Marketing Expert  idle",
    ]
    assert repr(intercom.chats).splitlines()[0] == "1 chat"
    assert repr(intercom.people).splitlines() == ["1 person", "  id   name  inbox", "  you  You   0"]

    intercom.add(*cast(*(f"Nr {n}" for n in range(50)), "<b>Zed</b>"))
    lines = repr(intercom.agents).splitlines()
    assert (lines[0], len(lines)) == ("54 agents", 23)
    assert "  … 34 more …" in lines
    assert "&lt;b&gt;Zed" in intercom.agents._repr_html_()
    assert "<b>Zed" not in intercom.agents._repr_html_()
    with InterComService("empty", logs=None) as empty:
        assert repr(empty.chats) == "0 chats"


def test_tab_offers_ids_and_names(intercom):
    """Of the agents for the service, of its own kind for each of the others."""
    offered = ["ann", "bob", "marketing-expert", "Ann", "Bob", "Marketing Expert"]
    assert intercom._ipython_key_completions_() == offered
    assert intercom.agents._ipython_key_completions_() == offered
    assert intercom.chats._ipython_key_completions_() == ["chat-1", "Harbour"]


@pytest.mark.parametrize("wrong", [3, -4, 10**30])
def test_a_place_that_is_not_there(intercom, wrong):
    """It says how many there are."""
    with pytest.raises(IndexError, match="among 3 agents"):
        intercom.agents[wrong]


def test_a_name_that_several_have_is_told_with_their_ids(intercom):
    """For a person in code and for a model in a tool call alike; the id of one is always right."""
    intercom.create_chat(["bob", "you"], "Harbour", "Another plan.", "ann")
    with pytest.raises(SharedNameError, match="2 have the name 'harbour'; give the id of one: chat-1, chat-2") as told:
        intercom.send_message("Hello", "harbour", "ann")
    assert told.value.known == ("chat-1", "chat-2")
    assert "harbour" in intercom.chats
    assert intercom.send_message("Hello", "chat-2", "Ann").chat_id == "chat-2"

    intercom.assistant.enqueue("Ann", call("send_message", chat_id="Harbour", message="Hello"), "done")
    intercom.start()
    intercom["ann"].begin()
    intercom.wait(60)
    output = next(item["output"] for item in intercom["ann"].conversation if "output" in item)
    assert "2 have the name 'Harbour'; give the id of one: chat-1, chat-2" in output


def test_names_work_wherever_ids_do(intercom, tmp_path):
    """For people, models, folders, labs and views: exact, in any case."""
    ann, you = intercom["ann"], intercom.people["you"]
    assert you.send_message("Hello", "MARKETING expert").receiver_id == "marketing-expert"
    assert intercom.send_message("Hello", "you", "bob").sender_id == "bob"
    assert intercom.create_chat(["Bob", "Marketing Expert"], "Fair", "x", "ANN").members[1:] == (
        "bob",
        "marketing-expert",
    )
    intercom.chats["fair"].remove_member("Bob")
    intercom.add_chat_member("bob", "Fair", "Ann")
    assert intercom.chats["Fair"].members == ("ann", "marketing-expert", "bob")
    intercom.pause("Ann")
    assert ann.status == "paused"
    assert intercom.get_chat_list_for("Bob")[0]["id"] == "ann"
    assert intercom.retry("BOB") == 0

    save_agents(intercom.agents, tmp_path / "agents")
    builder = AgentBuilder(tmp_path / "agents")
    builder.edit("marketing-expert", mission="Sell it.")
    assert [agent.mission for agent in builder.agents] == ["", "", "Sell it."]
    lab = MissionLab(cast("Ann", "Marketing Expert"), logs=tmp_path)
    lab.edit("marketing expert", mission="Sell it.")
    assert lab.cast["marketing-expert"].mission == "Sell it."
