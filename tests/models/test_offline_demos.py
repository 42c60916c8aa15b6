"""The offline assistant plays the two demos, and asks others where missions or descriptions differ."""

import pytest
from offline_cast import (
    ALL_TOOLS,
    CAST,
    FOUNDER_MISSION,
    Table,
    addressed,
    begun,
    called,
    entries_for,
    instructions_of,
    user,
)

from intercom_nb.models.offline import Call
from intercom_nb.models.offline import past as offline_past
from intercom_nb.models.offline import rules as offline_rules
from intercom_nb.models.offline.rules import decide, experts, opening
from intercom_nb.models.offline.words import classify
from intercom_nb.texts.turns import ChatEntry


def test_first_demo_asks_the_one_expert_sums_up_and_ends() -> None:
    """The Founder writes to the Marketing Expert, is answered, sums up; the Network Engineer hears nothing."""
    table = Table(["Founder", "Marketing Expert", "Network Engineer"]).play()

    assert [said[:2] for said in table.said] == [
        ("Founder", "marketing-expert"),
        ("Marketing Expert", "founder"),
        ("Founder", "marketing-expert"),
    ]
    assert [classify(text) for *_, text in table.said] == ["request", "statement", "summary"]
    assert "Network Engineer" not in table.conversations


def test_second_demo_makes_one_group_in_which_all_three_speak() -> None:
    """The Founder gathers Marketing Expert and Domain Expert, each answers once, one summary ends it."""
    table = Table(list(CAST)).play()

    assert [members for _, members in table.groups.values()] == [["Founder", "Marketing Expert", "Domain Expert"]]
    assert [said[:2] for said in table.said] == [
        ("Founder", "chat-1"),
        ("Marketing Expert", "chat-1"),
        ("Domain Expert", "chat-1"),
        ("Founder", "chat-1"),
    ]
    assert "Network Engineer" not in table.conversations
    summary = table.said[-1][2]
    assert summary.startswith("To sum up")
    assert "- Marketing Expert: " in summary
    assert "- Domain Expert: " in summary


def test_demos_read_well() -> None:
    """Every message but a group's summary is three plain sentences at most, and the group gets different answers."""
    table = Table(list(CAST)).play()

    assert all(len(text.split(". ")) <= 3 for *_, text in table.said[:-1])
    assert table.said[0][2].count("?") == 1
    assert table.said[0][2].endswith("?")
    assert not any("?" in text for *_, text in table.said[1:])
    assert len({text.rsplit("I would", 1)[1] for *_, text in table.said[1:3]}) == 2


def test_demos_are_the_same_every_time() -> None:
    """Two plays leave the same conversations, ids included, and no call id twice in one of them."""
    one, other = Table(list(CAST)).play(), Table(list(CAST)).play()

    assert one.conversations == other.conversations
    for conversation in one.conversations.values():
        ids = [item["call_id"] for item in conversation if item.get("type") == "function_call"]
        assert len(ids) == len(set(ids))


NETWORK_MISSIONS = [
    "You are a founder of a new company. Plan a robust network for its office.",
    FOUNDER_MISSION.replace(
        "Figure out how to market it.", "Figure out how to connect the computers of our new office to a network."
    ),
    "You are a founder. Our office needs networking for 30 people.",
    "Build an office network.",
    "You run a bakery. Please find out how best to set up NETWORKS in your shops. Do not do any marketing.",
]


@pytest.mark.parametrize("mission", NETWORK_MISSIONS)
def test_another_mission_contacts_another_expert(mission: str) -> None:
    """With a mission about networks the Network Engineer is asked, the Marketing Expert is not."""
    table = Table(["Founder", "Marketing Expert", "Network Engineer"], {"Founder": mission}).play()

    assert [said[:2] for said in table.said] == [
        ("Founder", "network-engineer"),
        ("Network Engineer", "founder"),
        ("Founder", "network-engineer"),
    ]
    assert "network" in table.said[0][2]


@pytest.mark.parametrize("mission", NETWORK_MISSIONS)
def test_another_mission_in_the_large_cast_leaves_marketing_out(mission: str) -> None:
    """Whoever else fits, the Network Engineer is among those asked and the Marketing Expert is not."""
    ids = addressed(begun(mission))

    assert "network-engineer" in ids
    assert "marketing-expert" not in ids


def test_another_description_contacts_another_expert() -> None:
    """The description decides, whatever the name."""
    entries = [ChatEntry("a", "Ann", "Knows gardens.", "agent"), ChatEntry("b", "Bob", "Sells on markets.", "agent")]

    assert [entry.id for entry, _ in experts("Figure out how to market it.", entries)] == ["b"]


def test_experts_are_ranked_by_rare_words_and_at_most_five() -> None:
    """A word that only one description has weighs more than one they all have."""
    entries = [ChatEntry(f"a{n}", f"A{n}", "Tea merchant.", "agent") for n in range(9)]
    entries.append(ChatEntry("b", "B", "Tea merchant of Ceylon.", "agent"))

    assert [entry.id for entry, _ in experts("Sell tea from Ceylon.", entries)] == ["b", "a0", "a1", "a2", "a3"]


def test_person_is_not_contacted_by_accident() -> None:
    """A mission that shares words with the person's description leaves the person in peace."""
    decision = begun("You are a person with a notebook. You sell notebooks to people.", ["Network Engineer"])

    assert decision == ["Nobody on my chat list fits my mission, so I write to nobody."]


@pytest.mark.parametrize("description", ["The person at the notebook.", "A human at the keyboard who loves marketing."])
def test_person_is_known_by_the_description(description: str) -> None:
    """A person need not be called You."""
    assert experts("Market pianos.", [ChatEntry("ada", "Ada", description, "agent")]) == []


def test_task_counts_together_with_the_mission() -> None:
    """A plain text other than Begin is a task: it adds whom to ask and is what the opening speaks of."""
    decision = begun("You are a founder.", text="Find somebody for our office network?")

    assert addressed(decision) == ["network-engineer"]
    assert isinstance(decision[0], Call)
    assert isinstance(decision[0].arguments, dict)
    message = decision[0].arguments["message"]
    assert "I was given this task: Find somebody for our office network." in message
    assert message.count("?") == 1


def test_begin_again_does_not_ask_again() -> None:
    """The same question to the same agent is asked once."""
    entries = entries_for(["Marketing Expert"])
    first = decide(instructions_of("Founder"), [user("Begin", entries=entries)], ALL_TOOLS)
    assert isinstance(first[0], Call)
    assert isinstance(first[0].arguments, dict)
    done = called("c1", "send_message", "sent", **first[0].arguments)
    items = [user("Begin"), *done, {"role": "assistant", "content": "Wrote."}, user("Begin", entries=entries)]

    assert decide(instructions_of("Founder"), items, ALL_TOOLS) == ["I have asked Marketing Expert about this already."]


def test_group_that_fits_is_used() -> None:
    """A group on the chat list that is about the matter saves making another."""
    group = ChatEntry("chat-7", "Marketing AI agents", "How autonomous AI for businesses is marketed.", "group")
    turn = user("Begin", entries=[*entries_for(list(CAST), without="Founder"), group])
    decision = decide(instructions_of("Founder"), [turn], ALL_TOOLS)

    assert [one.name for one in decision if isinstance(one, Call)] == ["send_message"]
    assert addressed(decision) == ["chat-7"]


def test_group_made_for_others_is_not_used() -> None:
    """A group of one's own without everybody wanted does not fit."""
    group = ChatEntry("chat-1", "Networks", "Founder asks for advice on networks.", "group")
    made = called("c1", "create_chat", "created chat-1", agent_ids=["network-engineer", "x"], message="Hello?")
    turn = user("Begin", entries=[*entries_for(list(CAST), without="Founder"), group])
    decision = decide(instructions_of("Founder"), [*made, turn], ALL_TOOLS)

    assert [one.name for one in decision if isinstance(one, Call)] == ["create_chat"]


def test_several_are_asked_one_by_one_where_groups_cannot_be_made() -> None:
    """Without create_chat each expert gets a message of its own."""
    turn = user("Begin", entries=entries_for(list(CAST), without="Founder"))

    assert addressed(decide(instructions_of("Founder"), [turn], {"send_message"})) == [
        "marketing-expert",
        "domain-expert",
    ]


def test_opening_says_who_what_for_and_asks_one_question() -> None:
    """Denials stay out of it, and a task with a question mark still leaves one question."""
    assert opening(("Founder", FOUNDER_MISSION, ""), ["marketing", "law"], group=True) == (
        "I am a founder of the new AI startup providing a solution for building autonomous AI agents for businesses. "
        "I have to figure out how to market it. What does each of you advise on marketing and law?"
    )
    assert opening(("Ann", "Sell tea.", "How?"), ["tea"]).count("?") == 1


def test_rules_name_what_they_offer() -> None:
    """`__all__` is there and sorted."""
    for module in (offline_past, offline_rules):
        assert sorted(module.__all__) == sorted(set(module.__all__))
        assert all(hasattr(module, name) for name in module.__all__)
