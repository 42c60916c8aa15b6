"""Notes that agents keep for themselves: in the log with their step, found by words, and nobody else's."""

import pytest

from intercom_nb import Agent, InterComService, InvalidToolError, ScriptedAssistant, call


def noting(scripted, steps, **settings):
    """Return a service of Ann, who keeps notes as scripted, and of Bob, who keeps none."""
    intercom = scripted({"Ann": steps}, **settings)
    intercom.add(Agent("Ann", notes=True), Agent("Bob"))
    intercom.start()
    return intercom


def outputs(agent):
    """Return what an agent's tool calls gave."""
    return [item["output"] for item in agent.conversation if "output" in item]


def test_a_note_is_found_by_its_words(scripted):
    """In any form of the word, best first, one line each, also in the step that made it."""
    steps = [
        [
            call("remember", text="The harbour hall costs 400 dollars a day."),
            call("remember", text="Bob prefers\ntea."),
            call("recall", query="prices of harbours?"),
        ],
        call("recall", query="what does Bob prefer"),
        call("recall", query='nothing "of" the (sort) NEAR AND * -'),
        call("recall", query=""),
        "Done.",
    ]
    intercom = noting(scripted, steps)
    intercom["ann"].begin()

    assert intercom.wait(60) == "quiet"
    found = outputs(intercom["ann"])
    assert found[:2] == ["noted", "noted"]
    assert found[2].endswith("  The harbour hall costs 400 dollars a day.")
    assert found[3].endswith("  Bob prefers tea.")
    assert found[4] == "you have no note about that"
    assert [line.split("  ")[1] for line in found[5].splitlines()] == [
        "Bob prefers tea.",
        "The harbour hall costs 400 dollars a day.",
    ]
    assert intercom._store.rows("SELECT agent_id, text FROM notes ORDER BY seq") == [
        ("ann", "The harbour hall costs 400 dollars a day."),
        ("ann", "Bob prefers\ntea."),
    ]


def test_wrong_calls_are_answered_with_a_sentence(scripted):
    """An empty note, a missing argument."""
    intercom = noting(scripted, [[call("remember", text="  "), call("recall", words="x")], "Done."])
    intercom["ann"].begin()
    intercom.wait(60)

    first, second = outputs(intercom["ann"])
    assert first == "Error: the note is empty: write what you want to remember"
    assert "there is no argument 'words'" in second
    assert intercom._store.rows("SELECT COUNT(*) FROM notes") == [(0,)]


def test_only_agents_made_with_notes_have_the_tools(scripted):
    """Without them, the tools are neither offered nor carried out."""
    intercom = noting(scripted, ["Done."])
    intercom.assistant.enqueue("Bob", call("recall", query="x"), "Done.")
    intercom["ann"].begin()
    intercom["bob"].begin()
    intercom.wait(60)

    offered = {name: {t["name"] for t in intercom.assistant.requests_of(name)[0]["tools"]} for name in ("Ann", "Bob")}
    assert offered["Ann"] - offered["Bob"] == {"remember", "recall"}
    assert "there is no tool 'recall'" in outputs(intercom["bob"])[0]


def test_an_agents_own_tool_may_not_bear_their_names(scripted):
    """Where it keeps notes."""

    def recall(query: str) -> str:
        """Find something."""
        return query

    intercom = scripted()
    with pytest.raises(InvalidToolError, match="recall cannot be a tool"):
        intercom.add(Agent("Ann", notes=True, tools=[recall]))
    intercom.add(Agent("Bob", tools=[recall]))


def test_notes_outlive_the_process_and_are_private(tmp_path):
    """After the log was opened again they are found, by their owner alone."""
    steps = {"Ann": [call("remember", text="The code word is herring."), "Done."]}
    with InterComService("notes", model=ScriptedAssistant(steps), logs=tmp_path) as intercom:
        intercom.add(Agent("Ann", notes=True), Agent("Bob", notes=True))
        intercom["ann"].begin()
        intercom.wait(60)

    look = {name: [call("recall", query="code word"), "Done."] for name in ("Ann", "Bob")}
    with InterComService.open(intercom.log.path, model=ScriptedAssistant(look)) as again:
        again["ann"].begin()
        again["bob"].begin()
        again.wait(60)

        assert outputs(again["ann"])[-1].endswith("The code word is herring.")
        assert outputs(again["bob"]) == ["you have no note about that"]


def test_a_note_of_a_step_that_never_was_is_not_there(tmp_path):
    """A step that ended with the process is taken again: one note, not two."""
    pressed = []

    def press() -> str:
        """Take a while."""
        pressed.append(1)
        intercom.stop()
        return "pressed"

    steps = {"Ann": [[call("remember", text="I pressed it."), call("press")], "Done."]}
    intercom = InterComService("cut", model=ScriptedAssistant(steps), logs=tmp_path)
    intercom.add(Agent("Ann", notes=True, tools=[press]))
    intercom.start()
    intercom["ann"].begin()
    intercom.wait(60)
    intercom.stop()

    with InterComService.open(intercom.log.path, model=ScriptedAssistant(), tools=[press]) as again:
        assert again.wait(60) == "quiet"
        assert again._store.rows("SELECT text FROM notes") == [("I pressed it.",)]
    assert pressed == [1]
