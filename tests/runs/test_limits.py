"""Limits: each pauses with its name, is met exactly, and a higher one goes on."""

import math

import pytest

from intercom_nb import (
    Agent,
    Limits,
    ScriptedAssistant,
    call,
)
from talkers import never_silent, tell, unfinished, unread, until


@pytest.mark.parametrize(
    ("limits", "name", "higher"),
    [
        (Limits(runs=3), "runs", Limits(runs=9)),
        (Limits(tokens=5_000), "tokens", Limits(tokens=20_000)),
        (Limits(seconds=0.2), "seconds", Limits(seconds=0.5)),
    ],
)
def test_a_limit_pauses_with_its_name_and_a_higher_one_goes_on(scripted, limits, name, higher):
    """Everything pending stays pending, and is read once the limit is raised."""
    intercom = never_silent(scripted, limits=limits)
    intercom.assistant.delay = 0.01
    intercom.start()
    intercom["ann"].begin()

    first = intercom.wait(60)
    assert until(lambda: {agent.status for agent in intercom.registry} <= {"idle", "waiting"})
    spent = intercom.spent.runs
    left = unread(intercom) + unfinished(intercom)
    intercom.limits = higher
    intercom.resume()
    second = intercom.wait(60)

    assert [first, second] == [name, name]
    assert left >= 1
    assert intercom.spent.runs > spent
    assert intercom.state == "paused"
    assert f"limit of {name}" in intercom.status


def test_the_limit_of_runs_is_met_exactly(scripted):
    """Not one run more than allowed begins."""
    intercom = never_silent(scripted, limits=Limits(runs=7))
    intercom.start()
    intercom["ann"].begin()

    assert intercom.wait(60) == "runs"
    assert intercom._store.rows("SELECT COUNT(*) FROM runs") == [(7,)]
    assert (intercom.spent.runs, unread(intercom)) == (7, 1)


def test_the_limit_of_seconds_ends_a_model_call_in_flight(scripted):
    """A call that would take half a minute does not; the same run goes on with a higher limit."""
    intercom = scripted({"Ann": ["Never read.", "At last."]}, limits=Limits(seconds=0.1))
    intercom.assistant.delay = 30
    intercom.add(Agent("Ann"))
    intercom.start()
    intercom["ann"].begin()
    first = intercom.wait(60)
    intercom.assistant.delay = 0

    intercom.limits = Limits(seconds=math.inf)
    intercom.resume()

    assert [first, intercom.wait(60)] == ["seconds", "quiet"]
    assert intercom._store.rows("SELECT COUNT(*) FROM runs") == [(1,)]


def test_a_run_that_meets_its_limit_of_steps_ends_and_the_service_goes_on(scripted):
    """wait() says that an agent was cut off; the mail of others is read, and it reads its next mail itself."""
    endless = ScriptedAssistant(default=lambda _request: call("send_message", chat_id="nobody", message="?"))
    intercom = scripted({"Bob": ["Read."]}, limits=Limits(steps_per_run=4))
    intercom.add(Agent("Ann", model=endless), Agent("Bob"))
    intercom.start()
    intercom["ann"].begin()

    assert intercom.wait(60) == "steps"
    assert len(endless.requests) == 4
    intercom["bob"].begin()
    assert intercom.wait(60) == "steps"
    endless.enqueue("Ann", "Enough.")
    intercom["ann"].send_message("Stop it.")
    assert intercom.wait(60) == "quiet"
    assert intercom._store.rows("SELECT reason FROM runs ORDER BY seq") == [("steps",), ("silent",), ("silent",)]


def test_a_conversation_cut_off_by_the_limit_of_steps_is_whole(scripted):
    """The last call of the cut-off run has its output."""
    intercom = scripted({"Ann": lambda _request: tell("bob", "again")}, limits=Limits(steps_per_run=3))
    intercom.add(Agent("Ann"), Agent("Bob"))
    intercom.start()
    intercom["ann"].begin()

    assert intercom.wait(60) == "steps"
    kinds = [item.get("type", item.get("role")) for item in intercom["ann"].conversation]
    assert kinds == ["user", *["function_call", "function_call_output"] * 3]


def test_raising_no_limit_pauses_again(scripted):
    """resume() alone does not get past a limit, and says its name again."""
    intercom = never_silent(scripted, limits=Limits(runs=2))
    intercom.start()
    intercom["ann"].begin()
    first = intercom.wait(60)
    intercom.resume()

    assert [first, intercom.wait(60)] == ["runs", "runs"]
    assert intercom.spent.runs == 2


@pytest.mark.parametrize("name", ["steps_per_run", "runs", "tokens", "usd", "seconds"])
@pytest.mark.parametrize("value", [0, -1, math.nan, "10", None, True])
def test_a_limit_that_makes_no_sense_is_refused(name, value):
    """A limit is a number above 0."""
    with pytest.raises(ValueError, match=rf"Limits\({name}="):
        Limits(**{name: value})
