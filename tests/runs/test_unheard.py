"""Where nothing happened, or somebody wrote to nobody: the sentence says who, what, and what to do."""

import pytest

from intercom_nb import Agent, InterComService, ScriptedAssistant, call

SILENT = "quiet: nobody has anything left to say"


def quiet(intercom, *, begin=True):
    """Let the first agent begin; return what `wait` returns and the status says."""
    intercom.start()
    if begin:
        intercom.agents[0].begin()
    return intercom.wait(60, progress=False), intercom.status


@pytest.fixture
def society(scripted):
    """Give a function that makes a service of three agents and a person, whose agents answer as written."""

    def make(replies=None, default="", people=1):
        intercom = scripted(replies, default=default and (lambda _: default))
        intercom.add(Agent("Ann"), Agent("Bob"), Agent("Cid"))
        for n in range(people):
            intercom.add_person(f"You {n}")
        return intercom

    return make


def test_a_service_that_was_only_started_says_who_to_set_to_work(society):
    """Nobody has anything to do: that is no end of a conversation."""
    assert quiet(society(), begin=False) == (
        "quiet",
        "quiet: nobody was set to work yet; intercom['ann'].begin() sets one to work, or write to one",
    )


def test_a_model_that_writes_instead_of_calling_a_tool_is_named_with_what_it_wrote(society):
    """The beginning of it, that only tools reach others, and which model may call none; also once it has stopped."""
    intercom = society({"Ann": ["I would ask Bob,\nthe " + "very " * 50 + "wise."]})

    word, status = quiet(intercom)

    assert word == "quiet"
    assert status.startswith("quiet, but no agent sent a message: ann wrote “I would ask Bob, the very very")
    assert status.endswith("…” as plain text, and only tools reach others; perhaps the model (scripted) calls no tools")
    assert len(status) < 300  # all of it is shown in the dashboard's headline
    assert intercom._live()["service"]["status"] == status
    intercom.stop()
    assert intercom.status == f"stopped ({status})"


def test_whoever_was_asked_and_answered_nobody_is_named(society):
    """Of those who never sent anything; an agent that did may close its run with a word."""
    hello = call("send_message", chat_id="bob", message="What do you think?")
    intercom = society({"Ann": [hello, "Asked."], "Bob": ["I think it is fine."]})

    assert quiet(intercom)[1].startswith("quiet, but bob wrote “I think it is fine.” as plain text, and only tools")

    fine = call("send_message", chat_id="ann", message="Fine.")
    intercom = society({"Ann": [hello, "Asked."], "Bob": [fine, "Said."]}, "Good.")
    assert quiet(intercom) == ("quiet", SILENT)


def test_who_only_heard_a_group_need_not_answer(society):
    """A group message is for all; a closing word of those who keep silent is no fault."""
    group = call("create_chat", agent_ids=["bob", "cid"], name="Plan", description="It.", message="Hello, all.")
    intercom = society({"Ann": [group, "Done."]}, "Nothing to add.")

    assert quiet(intercom) == ("quiet", SILENT)


def test_who_is_alone_has_nobody_to_write_to(scripted):
    """One agent with tools of its own, and no person."""
    intercom = scripted({"Ann": ["The answer is 4."]})
    intercom.add(Agent("Ann"))

    assert quiet(intercom) == ("quiet", SILENT)


def test_many_that_write_to_nobody_are_counted(scripted):
    """Two are quoted."""
    intercom = scripted(default=lambda _: "I would ask.")
    intercom.add(*(Agent(f"A{n}") for n in range(5)))
    for agent in intercom:
        agent.begin()

    status = quiet(intercom)[1]
    assert "a0 wrote “I would ask.” and a1 wrote “I would ask.” as plain text" in status
    assert status.endswith(" (and 3 more)")


def test_it_is_told_of_a_log_that_was_opened_again(tmp_path):
    """What is told is read from what happened, not from this process."""
    with InterComService("again", model=ScriptedAssistant({"Ann": ["I would ask."]}), logs=tmp_path) as first:
        first.add(Agent("Ann"), Agent("Bob"))
        first["ann"].begin()
        first.wait(60)
    with InterComService.open(first.log, model=ScriptedAssistant(default=lambda _: "Me too.")) as second:
        second.wait(60)
        assert second.status == "quiet, but no agent sent a message: ann ended without a word that was heard"
        second["bob"].begin()
        second.wait(60)
        assert "no agent sent a message: bob wrote “Me too.”" in second.status
