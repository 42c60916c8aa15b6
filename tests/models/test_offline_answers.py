"""The offline assistant answers what it is asked, waits for those it asked, and sums up once."""

import itertools
from collections.abc import Sequence
from typing import Any

import pytest
from offline_cast import ALL_TOOLS, CAST, addressed, ask, called, direct, entries_for, grouped, instructions_of, user

from intercom_nb.models.offline import Call, OfflineAssistant, call
from intercom_nb.models.offline import past as offline_past
from intercom_nb.models.offline.rules import decide, reply_to
from intercom_nb.models.offline.words import classify
from intercom_nb.texts.turns import Incoming


def answer_of(name: str, *frames: Incoming, before: Sequence[dict[str, Any]] = ()) -> list[Call | str]:
    """Return what one of the cast does on messages."""
    return decide(instructions_of(name), [*before, user(*frames, entries=entries_for(list(CAST)))], ALL_TOOLS)


def test_question_is_answered_in_the_chat_where_it_was_asked() -> None:
    """A direct question goes back to its author, a question in a group to the group."""
    assert addressed(answer_of("Marketing Expert", direct("Founder", "How to sell it?"))) == ["founder"]
    assert addressed(answer_of("Marketing Expert", grouped("Founder", "How to sell it?"))) == ["chat-1"]


def test_several_questions_in_one_chat_get_one_answer() -> None:
    """Two questions in a group and one direct make two answers."""
    frames = [grouped("Founder", "What now?"), grouped("Domain Expert", "And how?"), direct("Founder", "Why?")]

    assert addressed(answer_of("Marketing Expert", *frames)) == ["chat-1", "founder"]


@pytest.mark.parametrize(
    "text", ["To sum up, we sell it. Right?", "Thanks, that helps!", "The studio opens at nine.", "Great, thank you."]
)
def test_what_asks_nothing_is_left_alone(text: str) -> None:
    """Summaries, thanks and plain statements get no answer, in a group or between two."""
    for frame in (direct("Founder", text), grouped("Founder", text)):
        assert answer_of("Marketing Expert", frame) == ["Nothing here asks anything of me."]


def test_answer_outside_the_mission_says_so() -> None:
    """Honest and short, and it asks nothing back."""
    answer = reply_to("Which wine goes with fish?", "Network Engineer", CAST["Network Engineer"][1])

    assert answer == (
        "I am a network engineer. My mission is to help others with building robust and scalable networks. "
        "I can say nothing on wine: it lies outside what I know."
    )


def test_second_answer_needs_no_introduction() -> None:
    """Who has spoken in a chat before comes to the point."""
    before = called("c1", "send_message", "sent", chat_id="founder", message="I am a marketing expert.")
    (answer,) = answer_of("Marketing Expert", direct("Founder", "What of marketing in May?"), before=before)

    assert isinstance(answer, Call)
    assert isinstance(answer.arguments, dict)
    assert answer.arguments["message"].startswith("On marketing, I would ")


def test_answers_never_ask() -> None:
    """Not even where mission or question are full of question marks."""
    assert "?" not in reply_to("Tea? Coffee?", "Ann?", "Do you like tea? You sell tea? What is tea?")


@pytest.mark.parametrize("name", list(CAST))
def test_answer_to_an_answer_never_comes(name: str) -> None:
    """Whatever an agent answers, no other agent takes it for a request."""
    for mission, question in itertools.product([CAST[one][1] for one in CAST], ["What of marketing?", "Why?", "Help!"]):
        assert classify(reply_to(question, name, mission)) == "statement"


def asked_group(*frames: Incoming, tail: Sequence[dict[str, Any]] = ()) -> list[Call | str]:
    """Return what the Founder does after asking two in chat-1, on messages."""
    ids = ["marketing-expert", "domain-expert"]
    made = called("c1", "create_chat", "created chat-1; its admin is you", agent_ids=ids, message="What do you advise?")
    note = {"role": "assistant", "content": [{"type": "output_text", "text": "Asked."}]}
    turn = user(*frames, entries=entries_for(list(CAST), without="Founder"))
    return decide(instructions_of("Founder"), [user("Begin"), *made, note, *tail, turn], ALL_TOOLS)


def test_asker_waits_until_everybody_is_heard() -> None:
    """One of two answers: a note says who is missing."""
    assert asked_group(grouped("Marketing Expert", "I would start small.")) == ["Waiting for Domain Expert."]


def test_asker_sums_up_when_the_last_answer_comes() -> None:
    """Answers of earlier turns count, and each expert gets a line."""
    tail = [user(grouped("Marketing Expert", "I would start small.")), {"role": "assistant", "content": "Waiting."}]
    (summary,) = asked_group(grouped("Domain Expert", "My name is Dora. Studios want samples."), tail=tail)

    assert summary == call(
        "send_message",
        chat_id="chat-1",
        message="To sum up, this is what I take from you:\n"
        '- Marketing Expert: "I would start small."\n- Domain Expert: "Studios want samples."\nThank you all.',
    )


def test_answer_given_directly_counts_for_the_group() -> None:
    """Who was asked in a group and answers between two has been heard; the summary still goes to the group."""
    frames = [direct("Marketing Expert", "I would start small."), grouped("Domain Expert", "Studios want samples.")]

    assert addressed(asked_group(*frames)) == ["chat-1"]


def test_asker_sums_up_once() -> None:
    """After the summary, more words on the matter are left alone."""
    both = user(grouped("Marketing Expert", "Start small, I say."), grouped("Domain Expert", "Studios want samples."))
    summed = called("c2", "send_message", "sent", chat_id="chat-1", message="To sum up, samples.")
    decision = asked_group(grouped("Domain Expert", "And make them pretty."), tail=[both, *summed])

    assert decision == ["Nothing here asks anything of me."]


def test_question_back_is_answered_and_is_no_answer() -> None:
    """An expert who only asks back has not been heard yet."""
    decision = asked_group(grouped("Marketing Expert", "What is the startup about?"))

    assert addressed(decision) == ["chat-1"]
    assert isinstance(decision[0], Call)
    assert isinstance(decision[0].arguments, dict)
    assert not decision[0].arguments["message"].startswith("To sum up")


def test_advice_in_the_imperative_is_an_answer() -> None:
    """Advice may open like an order without becoming a request to the one who asked for it."""
    assert asked_group(grouped("Marketing Expert", "Find a niche first.")) == ["Waiting for Domain Expert."]


def test_removed_member_is_not_waited_for() -> None:
    """Whoever was taken out of the group need not answer."""
    removed = called("c2", "remove_chat_member", "removed", agent_id="domain-expert", chat_id="chat-1")

    assert addressed(asked_group(grouped("Marketing Expert", "I would start small."), tail=removed)) == ["chat-1"]


def test_refused_call_opens_no_matter() -> None:
    """A message that was not accepted waits for nobody."""
    refused = called("c1", "send_message", "no agent or chat has the id 'x'", chat_id="x", message="What?")

    assert offline_past.read_past(refused, "founder").matters == []


@pytest.mark.parametrize(
    ("output", "accepted"),
    [
        ("sent to ann; an answer would come in a later turn", True),
        ("ann is now a member of chat-1, and has not read what was said there before", True),
        ("ann is no longer a member of chat-1", True),
        ("Error: the chat chat-1 has only two others", False),
        ("no agent or chat has the id 'x'", False),
    ],
)
def test_outputs_say_whether_a_call_was_accepted(output: str, accepted: bool) -> None:  # noqa: FBT001
    """Read from the beginning: later words may deny something else."""
    assert offline_past.is_accepted(output) is accepted


def test_added_member_is_waited_for_in_the_next_matter() -> None:
    """A question after somebody joined is a question to that one too."""
    made = called("c1", "create_chat", "created chat-1", agent_ids=["a", "b"], message="Hello.")
    added = called("c2", "add_chat_member", "c is now a member of chat-1", agent_id="c", chat_id="chat-1")
    asked = called("c3", "send_message", "sent to chat-1", chat_id="chat-1", message="What do you advise?")
    (matter,) = offline_past.read_past([*made, *added, *asked], "founder").matters

    assert matter.missing == {"a", "b", "c"}


def test_in_a_group_of_others_one_answer_is_enough() -> None:
    """Who does not know the members takes the first answer."""
    sent = called("c1", "send_message", "sent", chat_id="chat-1", message="What of networks?")
    turn = user(grouped("Network Engineer", "Lay more cables."), entries=entries_for(list(CAST)))

    assert addressed(decide(instructions_of("Founder"), [*sent, turn], ALL_TOOLS)) == ["chat-1"]


def test_outputs_are_followed_by_a_note() -> None:
    """What was done, or what went wrong, and nothing more."""
    made, made_output = called("c1", "create_chat", "created chat-3; ...")
    sent, sent_output = called("c2", "send_message", "sent", chat_id="ann")
    bad = called("c3", "send_message", "no agent or chat has the id 'x'; right would be one of: ann", chat_id="x")

    assert decide("", [made, sent, made_output, sent_output], ALL_TOOLS) == [
        "Created chat-3 and wrote to it. Wrote to ann."
    ]
    assert decide("", bad, ALL_TOOLS) == [
        "send_message did not work: no agent or chat has the id 'x'; right would be one of: ann"
    ]


def test_without_send_message_there_is_only_text() -> None:
    """A stand-in with no tools says what it is."""
    response = ask(OfflineAssistant(), input="Hello?", instructions="You are kind.")

    assert (
        response.output_text == "I am a rule-based stand-in and was given no send_message tool, so I write to nobody."
    )
