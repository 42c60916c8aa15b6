"""Waste, and the goals of the demos: found where they are, and nowhere else."""

import math

import pytest

from intercom_nb import Agent, call
from intercom_nb.analysis.frames import read_frames
from intercom_nb.analysis.goals import demo_goals
from intercom_nb.analysis.traffic import who_to_whom
from intercom_nb.analysis.waste import redundant_messages
from intercom_nb.demos import cast, run

PLAN = "We sell autonomous AI agents to design studios and need a plan for the first three months."


def say(chat_id, message):
    """Return a call of send_message."""
    return call("send_message", chat_id=chat_id, message=message)


@pytest.fixture
def group(scripted):
    """Give a service with Ann, Bob and Cy in a group, and Dan outside, in which Ann has said the plan."""
    intercom = scripted()
    intercom.add(*map(Agent, ["Ann", "Bob", "Cy", "Dan"]))
    intercom.create_chat(["bob", "cy"], "Launch plan", "", "ann", PLAN)
    return intercom


def found(source, **options):
    """Return how the redundant messages repeat which."""
    frame = redundant_messages(source, **options)
    return list(zip(frame.message_id, frame.how, frame.repeats, strict=True))


def test_what_was_said_in_the_group_is_not_said_again(group):
    """The same sentence in other letters, sent directly to a member, repeats the group's."""
    said = group.messages[0]
    again = group.send_message(PLAN.upper().replace(".", "!"), "bob", "ann")

    assert found(group) == [(again.id, "text", said.id)]
    assert redundant_messages(group).score.tolist() == [100.0]


def test_somebody_who_had_not_heard_it_is_told(group):
    """Dan is not in the group: to tell him is no waste; to tell him twice is."""
    first = group.send_message(PLAN, "dan", "bob")
    second = group.send_message(PLAN, "dan", "cy")

    assert found(group) == [(second.id, "text", first.id)]


def test_a_part_of_what_was_said_is_a_repeat_and_more_is_not(group):
    """The shorter text is looked for in the longer one, never the longer one in the shorter."""
    part = group.send_message("need a plan for the first three months", "bob", "ann")
    group.send_message(f"Since you ask: {PLAN} " + "It should begin with one studio in town. " * 6, "cy", "ann")

    assert [row[0] for row in found(group)] == [part.id]


def test_short_words_are_no_waste(group):
    """Thanks may be given twice."""
    for _ in range(2):
        group.send_message("Thank you!", "bob", "ann")

    assert found(group) == []


def test_a_pointer_to_the_group_both_are_in_is_waste(group):
    """One expert tells another directly about the group both are in."""
    said = group.messages[0]
    texts = [
        "Hello! There is a new group chat, please share your feedback there.",
        "Please have a look at Launch plan.",
        "Could you answer in chat-1?",
    ]
    sent = [group.send_message(text, "cy", "bob") for text in texts]

    assert found(group) == [(message.id, "pointer", said.id) for message in sent]
    assert redundant_messages(group).score.tolist()[1:] == [100.0, 100.0]


def test_a_pointer_for_somebody_outside_is_news(group):
    """Dan does not know the group, and neither does a member who heard nothing in it yet."""
    group.send_message("There is a group chat, please look: Launch plan.", "dan", "bob")
    group.create_chat(["cy", "dan"], "Second", "", "bob")
    group.send_message("Please look at the group Second.", "dan", "bob")
    group.remove_chat_member("cy", "chat-1", "ann")
    group.send_message("Please look at Launch plan.", "cy", "bob")

    assert found(group) == []


def test_who_says_something_of_its_own_does_not_point(group):
    """A long message that also speaks of the group is no pointer."""
    group.send_message(
        "Please look at the group. " + "My own view is another one, for many reasons. " * 10, "cy", "bob"
    )

    assert found(group) == []


def test_the_cost_is_the_senders_step_and_the_receivers_run(scripted):
    """By hand: half of a step that sent two, and a third of a run that consumed three; the matrix has the same half."""
    both = [say("cy", "Please share your thoughts in the group chat."), say("ann", "On it.")]
    intercom = scripted({"Bob": [both, say("ann", "And more."), "Done."]})
    intercom.add(*map(Agent, ["Ann", "Bob", "Cy"]))
    intercom.create_chat(["bob", "cy"], "Launch plan", "", "ann", PLAN)
    with intercom:
        intercom.wait()
    wasted, frames = redundant_messages(intercom), read_frames(intercom)
    (pointer,) = wasted.message_id
    sending = frames.steps[(frames.steps.agent == "Bob") & (frames.steps.step == 0)].iloc[0]
    reading = frames.deliveries.set_index(["message_id", "receiver"]).run_id[pointer, "Cy"]
    steps = frames.steps[frames.steps.run_id == reading]
    shared = (frames.deliveries.run_id == reading).sum()
    sent = (sending.input_tokens + sending.output_tokens) / 2
    by_hand = sent + (steps.input_tokens + steps.output_tokens).sum() / shared

    assert wasted.tokens_wasted.tolist() == [pytest.approx(float(by_hand))]
    assert who_to_whom(intercom, "tokens").loc["Bob", "Cy"] == pytest.approx(float(sent))
    assert not math.isnan(wasted.usd_wasted[0])


def test_nothing_said_is_no_waste(scripted):
    """No rows, the same columns and types."""
    silent = redundant_messages(scripted())

    assert list(silent) == [
        "message_id", "sender", "receiver", "repeats", "how", "score", "tokens_wasted", "usd_wasted",
    ]  # fmt: skip
    assert silent.empty


@pytest.mark.parametrize("threshold", [-1, 101])
def test_a_threshold_is_a_score(scripted, threshold):
    """Anything but 0 to 100 is told at once."""
    with pytest.raises(ValueError, match="from 0 to 100"):
        redundant_messages(scripted(), threshold=threshold)


@pytest.mark.parametrize(("demo", "goals"), [(1, 5), (2, 6)])
def test_the_demos_reach_their_goals(demo, goals):
    """With the offline assistant each criterion is met, and the evidence names messages."""
    frame = demo_goals(run(demo, model="offline", logs="logs"))

    assert list(frame) == ["criterion", "met", "evidence"]
    assert (len(frame), frame.met.all()) == (goals, True)
    assert "m-" in frame.evidence[0]


def test_goals_that_are_missed_say_so(scripted):
    """The founder asks the network engineer only, and makes a group of everybody."""
    intercom = scripted({"Founder": [say("network-engineer", "Help me with marketing."), "Done."]})
    founder, *others = cast(2)
    intercom.add(founder, *others)
    intercom.create_chat(["marketing-expert", "network-engineer", "domain-expert"], "All", "", "founder")
    with intercom:
        founder.begin()
        intercom.wait()
    frame = demo_goals(intercom)

    assert frame.met.tolist() == [False, False, False, False, False, True]
    assert "chat-1 “All”" in frame.evidence[3]


def test_goals_are_asked_of_demos_only(scripted):
    """Another cast is told which names are missing."""
    intercom = scripted()
    intercom.add(Agent("Founder"))

    with pytest.raises(ValueError, match="Marketing Expert, Network Engineer"):
        demo_goals(intercom)
