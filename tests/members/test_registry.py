"""Whom agents are shown, in which order, whom they may reach, and that a log gives the same again."""

import json
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from counts import times
from intercom_nb import (
    Agent,
    ChatRuleError,
    Fail,
    InterComService,
    InvalidToolError,
    LogError,
    ScriptedAssistant,
    UnknownIdError,
    call,
)
from intercom_nb.texts.turns import read_turn

TRADES = ["baker", "plumber", "lawyer", "singer", "farmer", "painter", "pilot", "nurse"]


def many(n, **settings):
    """Return n agents; each trade's mission names the next trade."""
    return [
        Agent(
            f"A{k}",
            description=f"A {TRADES[k % 8]} of village {k // 8}.",
            mission=f"Find a {TRADES[(k + 1) % 8]} in village {k // 8}.",
            **settings,
        )
        for k in range(n)
    ]


def shown(intercom, agent_id):
    """Return the ids of a chat list."""
    return [entry["id"] for entry in intercom.get_chat_list_for(agent_id)]


def tools_of(intercom, name):
    """Return the names of the tools in an agent's newest request."""
    return [tool["name"] for tool in intercom.assistant.requests_of(name)[-1]["tools"]]


def lists_of(assistant, name):
    """Return the chat lists an agent was shown, turn by turn, as text."""
    newest = [[i["content"] for i in r["input"] if i.get("role") == "user"][-1] for r in assistant.requests_of(name)]
    return [turn.partition("\n\nMessage:\n")[0] for turn in newest if turn.startswith("Chat list:\n")]


def turn(intercom, agent_id):
    """Let an agent have one turn to its end."""
    intercom.start()
    intercom[agent_id].begin()
    return intercom.wait(60)


def test_up_to_twenty_agents_everyone_is_shown_and_above_the_relevant(scripted):
    """With the twenty-first the search comes, and at most twenty are listed."""
    intercom = scripted()
    intercom.add(*many(20))
    turn(intercom, "a0")
    assert len(shown(intercom, "a0")) == 19
    assert "search_agents" not in tools_of(intercom, "A0")

    intercom.add(*many(60)[20:])
    turn(intercom, "a0")
    assert "search_agents" in tools_of(intercom, "A0")
    assert len(shown(intercom, "a0")) <= 20
    assert shown(intercom, "a0")[0] == "a1"  # the plumber of its own village


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ("everyone", ["bob", "cid", "dan", "eve", "you"]),
        ("studio", ["bob", "cid"]),
        ("studio/design", ["bob"]),
        ("STUDIO/Design", ["bob"]),
        ("team", ["bob", "cid"]),
        (["dan", "Cid", "nobody", "studio/design"], ["dan", "cid", "bob"]),
        ([], []),
        (1, ["you"]),
    ],
)
def test_a_policy_says_whom_an_agent_is_shown(scripted, policy, expected):
    """Everyone, a team with its parts, one's own, a list, a number; the same for the service and for one agent."""
    for of_service in (True, False):
        intercom = scripted(contacts=policy) if of_service else scripted()
        own = {} if of_service else {"contacts": policy}
        intercom.add(
            Agent("Ann", team="studio", **own),
            Agent("Bob", team="studio/design"),
            Agent("Cid", team="studio/print"),
            Agent("Dan", team="studio-2"),
            Agent("Eve"),
        )
        intercom.add_person()
        assert shown(intercom, "ann") == expected
        turn(intercom, "ann")
        assert ("search_agents" in tools_of(intercom, "Ann")) == (policy != "everyone")


def test_a_team_sees_who_stands_above_and_below_and_nobody_beside(scripted):
    """Its own with the parts of it, and the members of what it is part of."""
    intercom = scripted(contacts="team")
    intercom.add(
        Agent("Head", team="studio"),
        Agent("Ann", team="studio/design"),
        Agent("Bob", team="studio/design/web"),
        Agent("Cid", team="studio/print"),
        Agent("Dan"),
    )
    assert shown(intercom, "ann") == ["head", "bob"]
    assert shown(intercom, "dan") == []


def test_a_function_of_the_agent_says_whom_it_is_shown(scripted, caplog):
    """Ids, names or agents; one that fails shows nobody and ends nothing."""

    def pairs(agent):
        return {"Ann": ["bob"], "Bob": [intercom["cid"]]}[agent.name]

    intercom = scripted(contacts=pairs)
    intercom.add(Agent("Ann"), Agent("Bob"), Agent("Cid"))
    assert shown(intercom, "ann") == ["bob"]
    assert shown(intercom, "bob") == ["cid"]
    assert turn(intercom, "cid") == "quiet"
    assert shown(intercom, "cid") == []
    assert "the contacts of cid failed" in caplog.text


@pytest.mark.parametrize("wrong", [0, True, -1, "", "a//b", "5", [1]])
def test_what_is_no_policy_is_refused(wrong):
    """With a sentence that shows it."""
    with pytest.raises((ValueError, TypeError), match=r"it should be"):
        InterComService("x", logs=None, contacts=wrong)
    with pytest.raises((ValueError, TypeError), match=r"it should be"):
        Agent("Ann", contacts=wrong)


def test_a_team_cannot_be_called_like_a_policy():
    """Nor a number, nor end in a slash; and an agent's own function needs a name."""
    for team in ("everyone", "relevant", "team", "12", "a/", "/a", "a\nb", 'a"b'):
        with pytest.raises(ValueError, match="joined by slashes"):
            Agent("Ann", team=team)
    with pytest.raises(TypeError):
        Agent("Ann", team=None)
    with pytest.raises(InvalidToolError, match="write it with def"):
        Agent("Ann", contacts=lambda _: [])


# -- order ----------------------------------------------------------------------------------------------------------


def test_a_list_is_the_same_text_until_somebody_joins_it(scripted):
    """Byte for byte, though agents are edited and added elsewhere; newcomers come last."""
    intercom = scripted({"A0": ["Done."] * 9})
    intercom.add(*many(400))
    for n in range(3):
        turn(intercom, "a0")
        intercom["a399"].description = f"Something else, number {n}."
        intercom.add(Agent(f"New {n}", description="Knows everything about volcanoes."))
    lists = lists_of(intercom.assistant, "A0")
    assert len(set(lists)) == 1

    intercom.send_message("Hello", "a0", "a399")
    intercom.wait(60)
    grown = lists_of(intercom.assistant, "A0")[-1]
    before, after = ([json.loads(line)["id"] for line in text.splitlines()[1:]] for text in (lists[0], grown))
    assert after[-1] == "a399"
    assert after[:-1] == before[: len(after) - 1]
    assert len(after) <= 20


def test_an_edited_description_of_a_contact_changes_its_line_alone(scripted):
    """In its place."""
    intercom = scripted({"A0": ["Done."] * 2})
    intercom.add(*many(50))
    turn(intercom, "a0")
    place = shown(intercom, "a0").index("a1")
    intercom["a1"].description = "A plumber of village 0, and a beekeeper."
    turn(intercom, "a0")

    first, second = (text.splitlines() for text in lists_of(intercom.assistant, "A0"))
    assert [n for n, (a, b) in enumerate(zip(first, second, strict=True)) if a != b] == [place + 1]


def test_whom_an_agent_talks_to_is_always_listed(scripted):
    """More than the number that fits otherwise."""
    intercom = scripted(contacts=5)
    intercom.add(*many(100))
    for n in range(40, 52):
        intercom.send_message("Hello", f"a{n}", "a0")
    assert shown(intercom, "a0") == [f"a{n}" for n in range(40, 52)]
    assert "a0" in shown(intercom, "a45")


def test_looking_at_a_list_changes_nothing(scripted):
    """It is the turn's list that counts."""
    asked, unasked = scripted(name="asked"), scripted(name="unasked")
    for intercom in (asked, unasked):
        intercom.add(*many(60))
        for n in (40, 30, 20):
            intercom.send_message("Hello", f"a{n}", "a0")
            if intercom is asked:
                shown(intercom, "a0")
    assert shown(asked, "a0") == shown(unasked, "a0")


SOCIETY = st.lists(
    st.tuples(st.sampled_from(["talk", "search", "turn", "edit", "add"]), st.integers(0, 24), st.integers(0, 24)),
    max_size=12,
)


@settings(max_examples=times(15))
@given(policy=st.sampled_from([None, "relevant", 3, "team", "everyone", ["a3", "t1"]]), acts=SOCIETY)
def test_a_log_gives_the_same_lists_again(tmp_path_factory, policy, acts):
    """Whatever happened before, and whether the list is in the run or in the turn."""
    folder = tmp_path_factory.mktemp("again")
    style = "every" if len(acts) % 2 else "newest"
    assistant = ScriptedAssistant()
    with InterComService("again", model=assistant, logs=folder, contacts=policy, chat_list=style) as intercom:
        intercom.add(*(agent for k in range(4) for agent in many(19)[k::4]))
        for act, one, other in acts:
            _act(intercom, assistant, act, one % 19, other % 19)
        intercom.wait(60)
        before = {agent.id: intercom.get_chat_list_for(agent.id) for agent in intercom.registry}
    with InterComService.open(intercom.log.path, model=ScriptedAssistant()) as again:
        assert {agent.id: again.get_chat_list_for(agent.id) for agent in again.registry} == before


def _act(intercom, assistant, act, one, other):
    if act == "talk" and one != other:
        intercom.send_message("Hello", f"a{one}", f"a{other}")
    elif act == "search":
        assistant.enqueue(f"A{one}", call("search_agents", query=f"a {TRADES[other % 8]}"), "Done.")
        intercom[f"a{one}"].begin()
        intercom.wait(60)
    elif act == "turn":
        intercom[f"a{one}"].begin()
        intercom.wait(60)
    elif act == "edit":
        intercom[f"a{one}"].description = f"A {TRADES[other % 8]} by the sea."
    elif act == "add":
        name = f"N{len(intercom.registry)}"
        intercom.add(Agent(name, description=f"A {TRADES[other % 8]}.", team=f"t{other % 2}"))


# -- reach ----------------------------------------------------------------------------------------------------------


def same_team(agent, other):
    """Agents reach their own team."""
    return agent.team == other.team


def two_teams(scripted, replies=None, **given):
    """Return a service of two teams that may not reach each other."""
    intercom = scripted(replies, may_contact=same_team, **given)
    intercom.add(*(Agent(name, team="one") for name in ("Ann", "Bob", "Cid")), *(Agent(n, team="two") for n in "XY"))
    return intercom


def test_agents_reach_whom_the_rule_allows_and_nobody_else(scripted):
    """Messages, new groups, new members, forged ids: each is answered with a sentence, and nothing is accepted."""
    steps = [
        [
            call("send_message", chat_id="x", message="Hi"),
            call("send_message", chat_id=' "X" ', message="Hi"),
            call("create_chat", agent_ids=["bob", "x"], name="G", description=""),
            call("create_chat", agent_ids=["bob", "cid"], name="G", description="", message="Hi all"),
            call("add_chat_member", agent_id="y", chat_id="chat-1"),
            call("send_message", chat_id="chat-2", message="Hi"),
            call("send_message", chat_id="bob", message="Hi"),
        ],
        "Done.",
    ]
    intercom = two_teams(scripted, {"Ann": steps})
    turn(intercom, "ann")
    outputs = [item["output"] for item in intercom["ann"].conversation if "output" in item]

    assert all("ann may not reach x" in output for output in outputs[:2])
    assert "may not reach x, so they cannot be in one group" in outputs[2]
    assert outputs[3].startswith("created chat-1")
    assert "y" in outputs[4]
    assert "may_contact" in outputs[4]
    assert "no agent or chat has the id 'chat-2'" in outputs[5]
    assert outputs[6].startswith("sent to bob")
    assert {(m.receiver_id or m.chat_id) for m in intercom.messages if m.sender_id == "ann"} == {"chat-1", "bob"}
    assert intercom.registry.chats[0].members == ("ann", "bob", "cid")
    assert shown(intercom, "ann") == ["bob", "cid", "chat-1"]


def test_the_rule_holds_for_code_in_cells_and_not_for_persons(scripted):
    """In an agent's name the service enforces it; a person may write to anybody."""
    intercom = two_teams(scripted)
    you = intercom.add_person()
    for wrong in (
        lambda: intercom.send_message("Hi", "x", "ann"),
        lambda: intercom.create_chat(["bob", "x"], "G", "", admin_id="ann"),
        lambda: intercom.create_chat(["ann", "x"], "G", "", admin_id="you"),
    ):
        with pytest.raises(ChatRuleError, match="may not reach"):
            wrong()
    assert you.send_message("Hi", "x").receiver_id == "x"
    assert not intercom.registry.chats


def test_a_rule_that_comes_later_holds_in_old_groups(tmp_path):
    """What was allowed when a group was made is asked again with each message."""
    with InterComService("rule", model=ScriptedAssistant(), logs=tmp_path) as intercom:
        intercom.add(Agent("Ann", team="a"), Agent("Bob", team="a"), Agent("Eve", team="b"))
        intercom.create_chat(["bob", "eve"], "G", "", admin_id="ann")
    with InterComService.open(intercom.log.path, model=ScriptedAssistant(), may_contact=same_team) as again:
        with pytest.raises(ChatRuleError, match="ann may not reach eve in chat-1"):
            again.send_message("Hi", "chat-1", "ann")
        with pytest.raises(ChatRuleError, match="ann may not reach eve"):
            again.send_message("Hi", "eve", "ann")
        assert again.messages == []


def test_a_rule_that_fails_forbids(scripted, caplog):
    """And ends no run."""
    intercom = scripted({"Ann": [call("send_message", chat_id="bob", message="Hi"), "Done."]}, may_contact=lambda _: 1)
    intercom.add(Agent("Ann"), Agent("Bob"))

    assert turn(intercom, "ann") == "quiet"
    assert shown(intercom, "ann") == []
    assert "forbidden" in caplog.text
    assert len(intercom.messages) == 1


def test_functions_are_given_again_when_a_log_is_opened(tmp_path):
    """They are code, and not in the log; a forgotten rule is not silently no rule."""

    def neighbours(agent):
        return ["bob"] if agent.id == "ann" else []

    made = InterComService(
        "f", model=ScriptedAssistant(), logs=tmp_path, contacts=lambda _: ["cid"], may_contact=same_team
    )
    with made as intercom:
        intercom.add(Agent("Ann", contacts=neighbours), Agent("Bob", team=""), Agent("Cid"), Agent("Dan", team="d"))
        before = [shown(intercom, agent.id) for agent in intercom.registry]
    assert before == [["bob"], ["cid"], [], []]
    with pytest.raises(LogError, match="contacts="):
        InterComService.open(intercom.log.path, may_contact=same_team, tools=[neighbours], model="offline")
    with pytest.raises(LogError, match="may_contact="):
        InterComService.open(intercom.log.path, contacts=lambda _: ["cid"], tools=[neighbours], model="offline")
    with pytest.raises(LogError, match="neighbours"):
        InterComService.open(intercom.log.path, contacts=lambda _: ["cid"], may_contact=same_team, model="offline")
    given = {"contacts": lambda _: ["cid"], "may_contact": same_team, "tools": [neighbours]}
    with InterComService.open(intercom.log.path, model=ScriptedAssistant(), **given) as again:
        assert [shown(again, agent.id) for agent in again.registry] == before
        assert again["dan"].team == "d"


# -- many -----------------------------------------------------------------------------------------------------------


def test_the_sentence_about_an_unknown_id_stays_short(scripted):
    """With a thousand agents it names the nearest, and how to find others."""
    steps = [
        [call("send_message", chat_id="a77O", message="Hi"), call("send_message", chat_id="z" * 9_000, message="x")]
    ]
    intercom = scripted({"A0": [*steps, "Done."]})
    intercom.add(*many(1_000))
    turn(intercom, "a0")
    typo, long = (item["output"] for item in intercom["a0"].conversation if "output" in item)

    assert "nearest are: a77," in typo
    assert typo.endswith("search_agents finds others")
    assert max(len(typo), len(long)) < 300
    with pytest.raises(UnknownIdError, match=r"intercom\.search") as raised:
        intercom.send_message("Hi", "nobody")
    assert len(raised.value.known) == 5


def test_who_cannot_be_reached_is_not_named_to_whom_wrote_a_wrong_id(scripted):
    """Neither among few nor among many."""
    for n in (4, 40):
        intercom = scripted({"A0": [call("send_message", chat_id="a", message="Hi"), "Done."]}, may_contact=same_team)
        intercom.add(*(Agent(f"A{k}", team=str(k % 2) + "t") for k in range(n)))
        turn(intercom, "a0")
        output = next(item["output"] for item in intercom["a0"].conversation if "output" in item)
        assert "a2" in output
        assert not {"a1", "a3"} & set(output.replace(",", " ").replace(";", " ").split())


@pytest.mark.alone
def test_a_chat_list_among_a_thousand_costs_next_to_nothing(scripted):
    """Generously: less CPU in a turn than 2 ms, in which everyone's texts could not be looked through."""
    intercom = scripted(contacts="relevant")
    intercom.add(*many(1_000))
    shown(intercom, "a0")
    began = time.process_time()
    for _ in range(100):
        shown(intercom, "a0")
    assert (time.process_time() - began) / 100 < 0.002


def test_everyone_among_a_thousand_is_shown_where_that_is_asked_for(scripted):
    """Each but oneself, then the groups; and it can be read back."""
    intercom = scripted(contacts="everyone")
    intercom.add(*many(1_000))
    intercom.create_chat(["a1", "a2"], "Three", "A group.", admin_id="a0")
    turn(intercom, "a0")
    text = lists_of(intercom.assistant, "A0")[0]
    entries = read_turn(text + "\n\nMessage:\nx").chat_list

    assert [entry.as_dict() for entry in entries] == intercom.get_chat_list_for("a0")
    assert [entry.id for entry in entries] == [*(f"a{n}" for n in range(1, 1_000)), "chat-1"]


def test_a_run_that_is_tried_again_has_the_list_it_began_with(scripted):
    """The turn is what it was."""
    intercom = scripted({"A0": [Fail(400), "Done."]})
    intercom.add(*many(30))
    turn(intercom, "a0")
    intercom["a1"].description = "Retired."
    intercom.retry()
    intercom.wait(60)
    first, second = lists_of(intercom.assistant, "A0")
    assert first == second
