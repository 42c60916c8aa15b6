"""Threads: two for a service, none afterwards; and no tool, no subscriber and no end of Python holds them up."""

import subprocess
import sys
import threading

import pytest

from intercom_nb import (
    Agent,
    InterComService,
    OfflineAssistant,
    ScriptedAssistant,
    call,
)
from talkers import ROOT, never_silent, ours, tell, unread, until


def test_a_with_block_has_two_threads_and_leaves_none():
    """One thread for the agents, one for the log, and none afterwards."""
    with InterComService("threads", model=ScriptedAssistant(), logs=None) as intercom:
        intercom.add(Agent("Ann"))
        intercom["ann"].begin()
        assert intercom.wait(60) == "quiet"
        during = ours()

    assert during == {"intercom threads", "intercom log in memory"}
    assert ours() == set()


def test_a_service_that_is_never_started_leaves_no_thread_when_stopped(scripted):
    """The log's thread ends with stop(), also where agents never ran."""
    intercom = scripted()

    intercom.stop()

    assert ours() == set()
    assert intercom.state == "stopped"


def test_ten_thousand_starts_make_one_thread(scripted):
    """start() is idempotent."""
    intercom = scripted()

    for _ in range(10_000):
        intercom.start()

    assert ours() == {"intercom test", "intercom log in memory"}


def test_an_exception_inside_a_with_block_stops_the_service():
    """The exception comes out as it was, and no thread is left."""
    with (
        pytest.raises(ZeroDivisionError),
        InterComService("broken", model=ScriptedAssistant(), logs=None) as intercom,
    ):
        1 / 0  # noqa: B018

    assert intercom.state == "stopped"
    assert ours() == set()


def test_stop_twice_and_from_two_threads_returns_when_it_has_stopped(scripted):
    """Whoever calls stop() may rely on its having stopped when the call returns."""
    for n in range(20):
        intercom = never_silent(scripted, name=f"both {n}")
        intercom.start()
        intercom["ann"].begin()
        left: list[set[str]] = []

        def stop(intercom=intercom, left=left):
            intercom.stop()
            left.append(ours())

        threads = [threading.Thread(target=stop) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert left == [set()] * 4
        intercom.stop()


def test_a_tool_that_blocks_the_loop_keeps_no_cell_from_writing(scripted):
    """What a cell sends meanwhile is in the log when send_message returns; it is read when the tool has ended."""
    began, may_end = threading.Event(), threading.Event()

    async def dawdle() -> str:
        """Block the loop, as no coroutine should."""
        began.set()
        assert may_end.wait(60)
        return "at last"

    intercom = scripted({"Ann": [call("dawdle"), "Done.", "Read."]}, courtesy=False)
    intercom.add(Agent("Ann", tools=[dawdle]))
    intercom.start()
    intercom["ann"].begin()
    assert began.wait(60)

    sent = intercom["ann"].send_message("Hello")
    stored = intercom._store.messages("seq = ?", sent.seq)
    may_end.set()

    assert stored == [sent]
    assert intercom.wait(60) == "quiet"
    assert unread(intercom) == 0


def test_a_coroutine_tool_may_use_the_service_it_runs_on(scripted):
    """On the loop itself send_message returns, too, once its message is in the log."""

    async def tell_bob() -> str:
        """Write to Bob through the service."""
        sent = intercom.send_message("From the loop.", "bob", "ann")
        return str(intercom._store.messages("seq = ?", sent.seq) == [sent])

    intercom = scripted({"Ann": [call("tell_bob"), "Done."], "Bob": ["Read."]})
    intercom.add(Agent("Ann", tools=[tell_bob]), Agent("Bob"))
    intercom.start()
    intercom["ann"].begin()

    assert intercom.wait(60) == "quiet"
    assert "True" in [item.get("output") for item in intercom["ann"].conversation]
    assert unread(intercom) == 0


@pytest.mark.parametrize("asynchronous", [False, True], ids=["its own thread can wait", "the loop cannot wait"])
def test_stop_called_by_a_tool(scripted, asynchronous):
    """The service stops, whether the tool can wait for the end of the loop or is the loop's own."""

    def end() -> str:
        """End it all."""
        intercom.stop()
        return "ended"

    async def end_on_the_loop() -> str:
        """End it all."""
        return end()

    tool = end_on_the_loop if asynchronous else end
    intercom = scripted({"Ann": [call(tool.__name__), "Done."]})
    intercom.add(Agent("Ann", tools=[tool]))
    intercom.start()
    intercom["ann"].begin()

    assert intercom.wait(60) == "stopped"
    assert until(lambda: not ours())


def test_after_a_tool_has_stopped_the_service_its_log_can_be_opened(tmp_path):
    """A with block that ends while a tool's stop() is at work waits for it: the log is free afterwards."""

    async def end() -> str:
        """End it all."""
        intercom.stop()
        return "ended"

    for n in range(5):
        model = ScriptedAssistant({"Ann": [call("end"), "Done."]})
        with InterComService(f"tool {n}", model=model, logs=tmp_path) as intercom:
            intercom.add(Agent("Ann", tools=[end]))
            intercom["ann"].begin()
            assert intercom.wait(60) == "stopped"

        InterComService.open(intercom.log.path, model=model, tools=[end]).stop()


def test_stop_called_by_a_subscriber(scripted):
    """A subscriber runs on the loop, too."""
    intercom = scripted()
    intercom.add(Agent("Ann"))
    intercom.subscribe(lambda _message: intercom.stop())
    intercom.start()
    intercom["ann"].begin()

    assert until(lambda: not ours())
    assert intercom.state == "stopped"


def test_wait_in_a_subscriber_does_not_block_the_loop(scripted):
    """Waiting for agents on the loop they run on raises instead, and the agents go on."""
    intercom = scripted({"Ann": [tell("bob", "Hi"), "Sent."]})
    intercom.add(Agent("Ann"), Agent("Bob"))
    intercom.subscribe(lambda _message: intercom.wait())
    intercom.start()
    intercom["ann"].begin()

    assert intercom.wait(60) == "quiet"
    assert len(intercom.messages) == 2


def test_wait_inside_an_asynchronous_tool_is_an_error_for_the_model(scripted):
    """The model reads what is wrong, and the conversation goes on."""

    async def idle() -> str:
        """Wait for all the others."""
        return intercom.wait()

    intercom = scripted({"Ann": [call("idle"), "I see."]})
    intercom.add(Agent("Ann", tools=[idle]))
    intercom.start()
    intercom["ann"].begin()

    assert intercom.wait(60) == "quiet"
    (output,) = [item["output"] for item in intercom["ann"].conversation if "output" in item]
    assert output.startswith("Error: LifecycleError: wait() would wait for itself")


def test_wait_inside_a_synchronous_tool_ends_with_its_timeout(scripted):
    """Its own run is at work, so it cannot be quiet; other agents are not held up by it."""

    def idle() -> str:
        """Wait for all the others."""
        return intercom.wait(0.2)

    intercom = scripted({"Ann": [call("idle"), "I see."]})
    intercom.add(Agent("Ann", tools=[idle]), Agent("Bob"))
    intercom.start()
    intercom["ann"].begin()
    intercom["bob"].begin()

    assert intercom.wait(60) == "quiet"
    assert [item["output"] for item in intercom["ann"].conversation if "output" in item] == ["timeout"]


SCRIPT = """
import sys
from intercom_nb import Agent, InterComService, {assistant}
def tool() -> str:
    "Never return."
    __import__("threading").Event().wait()
model = {model}
intercom = InterComService("exit", model=model, logs={logs!r})
intercom.add(Agent("Ann", mission="Write to Bob.", tools=[tool]), Agent("Bob"))
intercom.start()
intercom["ann"].begin()
while not ({condition}):
    pass
{end}
"""


@pytest.mark.parametrize(
    ("model", "condition", "end"),
    [
        ("ScriptedAssistant(delay=300)", "model.requests", ""),
        ("ScriptedAssistant({'Ann': [call('tool')]})", "intercom['ann'].status == 'acting'", "sys.exit(0)"),
        ("OfflineAssistant(delay=0.01)", "intercom.spent.steps", "del intercom"),
    ],
)
def test_the_interpreter_exits_with_a_running_service(tmp_path, model, condition, end):
    """Exit code 0, nothing printed, no waiting for models or tools, and the log is whole."""
    assistant = "OfflineAssistant, ScriptedAssistant, call"
    script = SCRIPT.format(assistant=assistant, model=model, condition=condition, logs=str(tmp_path), end=end)
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", script],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    (log,) = tmp_path.glob("*.db")

    def tool() -> str:
        return ""

    intercom = InterComService.open(log, model=OfflineAssistant(), tools=[tool])
    assert intercom.messages[0].text == "Begin"
    intercom.stop()
