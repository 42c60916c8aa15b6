"""Waiting, pausing and stopping: a service is quiet when it says so, and goes on where it stopped."""

import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest

from intercom_nb import (
    Agent,
    InterComService,
    LifecycleError,
    ScriptedAssistant,
)
from talkers import never_silent, pong, tell, unfinished, unread, until


@pytest.mark.alone
def test_wait_returns_within_50_ms_of_quiet():
    """The moment the last run ended is in the log; wait() is told at once, by nobody's polling."""
    late = []
    for n in range(5):
        assistant = ScriptedAssistant({"Ann": [tell("bob", "Hi"), "Sent."]}, delay=0.05)
        intercom = InterComService(f"quiet {n}", model=assistant, logs=None)
        intercom.add(Agent("Ann"), Agent("Bob"))
        with intercom:
            intercom["ann"].begin()
            assert intercom.wait(60) == "quiet"
            returned = datetime.now(UTC).timestamp()
            late.append(returned - intercom._store.rows("SELECT MAX(ended_at) FROM runs")[0][0] / 1e6)

    assert min(late) < 0.05


def test_wait_does_not_return_between_two_runs(scripted):
    """A message that is on its way counts as something left to do."""
    for n in range(20):
        turns = [step for _ in range(10) for step in (tell("bob", "ping"), "(sent)")]
        intercom = scripted({"Ann": turns, "Bob": pong("ann")}, name=f"between {n}", courtesy=False)
        intercom.add(Agent("Ann"), Agent("Bob"))
        intercom.start()
        intercom["ann"].begin()

        assert intercom.wait(60) == "quiet"
        assert Counter(m.sender_id for m in intercom.messages) == {None: 1, "ann": 10, "bob": 10}
        assert (unread(intercom), unfinished(intercom)) == (0, 0)
        intercom.stop()


def test_wait_with_a_timeout_says_so_and_the_agents_go_on(scripted):
    """A timeout ends the waiting only."""
    intercom = never_silent(scripted)
    intercom.start()
    intercom["ann"].begin()

    assert intercom.wait(0.05) == "timeout"
    assert intercom.wait(0) == "timeout"
    before = intercom.spent.messages
    assert until(lambda: intercom.spent.messages > before + 5)


def test_wait_before_start_says_what_to_do(scripted):
    """Waiting for agents that were never started would wait for ever."""
    intercom = scripted()

    with pytest.raises(LifecycleError, match=r"call start\(\)"):
        intercom.wait()


def test_wait_returns_at_once_where_nobody_has_anything_to_do(scripted):
    """A service that has just started is quiet, and so is one that has stopped."""
    intercom = scripted()
    intercom.start()

    assert intercom.wait(60) == "quiet"
    intercom.stop()
    assert intercom.wait(60) == "quiet"


def test_mail_from_before_the_start_is_read_after_it(scripted):
    """What was accepted before start() waits for it."""
    intercom = scripted({"Ann": ["Read."]})
    intercom.add(Agent("Ann"))
    intercom["ann"].begin()
    before = intercom["ann"].status

    intercom.start()

    assert before == "waiting"
    assert intercom.wait(60) == "quiet"
    assert intercom["ann"].conversation[-1] == {"role": "assistant", "content": "Read."}


def test_many_threads_wait_at_once_and_all_are_told(scripted):
    """Each of eight waiting threads gets the reason."""
    intercom = scripted({"Ann": ["Done."]})
    intercom.assistant.delay = 0.1
    intercom.add(Agent("Ann"))
    intercom.start()
    intercom["ann"].begin()

    with ThreadPoolExecutor(8) as pool:
        reasons = list(pool.map(lambda _: intercom.wait(60), range(8)))

    assert reasons == ["quiet"] * 8


def test_pause_stops_before_the_next_model_call_and_resume_goes_on(scripted):
    """The call in flight ends and is kept, no other is made, and nothing is lost by it."""
    intercom = never_silent(scripted)
    intercom.assistant.delay = 0.02
    intercom.start()
    intercom["ann"].begin()
    assert until(lambda: intercom.spent.messages > 5)

    intercom.pause()
    assert until(lambda: {agent.status for agent in intercom.registry} <= {"idle", "waiting"})
    calls = len(intercom.assistant.requests)
    reason = intercom.wait(60)
    kept = intercom._store.rows("SELECT COUNT(*) FROM steps")[0][0]
    threading.Event().wait(0.1)

    assert reason == "paused"
    assert len(intercom.assistant.requests) == calls == kept
    intercom.resume()
    assert until(lambda: len(intercom.assistant.requests) > calls + 5)


def test_mail_is_accepted_during_a_pause(scripted):
    """A paused service takes messages; they are read after resume()."""
    intercom = scripted({"Ann": ["Read."]})
    intercom.add(Agent("Ann"))
    intercom.start()
    intercom.pause()
    intercom["ann"].send_message("Hello")

    assert intercom.wait(60) == "paused"
    assert unread(intercom) == 1
    intercom.resume()
    assert intercom.wait(60) == "quiet"
    assert unread(intercom) == 0


def test_a_pause_of_a_quiet_service_ends_with_resume(scripted):
    """Where nobody has anything to do, resume() is quiet again."""
    intercom = scripted()
    intercom.start()
    intercom.pause()
    paused = intercom.wait(60)
    intercom.resume()

    assert [paused, intercom.wait(60)] == ["paused", "quiet"]


def test_stop_during_a_model_call_returns_at_once_and_open_goes_on_with_the_run(tmp_path):
    """The model is asked again, in the same run."""
    slow = ScriptedAssistant(delay=300)
    intercom = InterComService("slow", model=slow, logs=tmp_path)
    intercom.add(Agent("Ann"))
    intercom.start()
    intercom["ann"].begin()
    assert until(lambda: slow.requests)

    began = time.monotonic()
    intercom.stop()
    took = time.monotonic() - began

    assert took < 100
    fast = ScriptedAssistant({"Ann": ["Here I am."]})
    with InterComService.open(intercom.log.path, model=fast) as again:
        assert again.wait(60) == "quiet"
        assert fast.requests == slow.requests
        assert again._store.rows("SELECT attempt, reason FROM runs") == [(1, "stopped"), (2, "silent")]
        assert again["ann"].conversation[-1] == {"role": "assistant", "content": "Here I am."}


def test_a_stopped_service_says_how_to_go_on(tmp_path):
    """What needs a running service raises; what only reads goes on reading."""
    with InterComService("gone", model=ScriptedAssistant(), logs=tmp_path) as intercom:
        intercom.add(Agent("Ann"))
        intercom["ann"].send_message("Hello")
        intercom.wait(60)

    for call_it in (intercom.start, intercom.resume, intercom["ann"].begin, intercom.retry, intercom.add_person):
        with pytest.raises(LifecycleError, match=r"InterComService\.open"):
            call_it()
    assert [message.text for message in intercom.messages] == ["Hello"]
    assert "stopped" in repr(intercom)
