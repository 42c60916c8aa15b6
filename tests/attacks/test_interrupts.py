"""An interrupt ends what it interrupts, and nothing else: no cell hangs, and no log stays locked."""

import asyncio
import logging
import os
import signal
import threading

import pytest
from interrupting import interrupted_at

from counts import times
from intercom_nb import Agent, InterComService, ScriptedAssistant, call

LIMIT_S = 30  # each wait: what hangs is a failure


@pytest.fixture(autouse=True)
def _quiet_log(caplog):
    caplog.set_level(logging.CRITICAL)


@pytest.fixture
def at_work(scripted):
    """Give a service whose agent is at work until the test is over."""
    began, over = threading.Event(), threading.Event()

    def hold() -> str:
        """Wait for the end of the test."""
        began.set()
        over.wait(LIMIT_S)
        return "done"

    intercom = scripted(
        {"Ann": lambda request: call("hold") if request["input"][-1].get("role") == "user" else "Done."}
    )
    intercom.add(Agent("Ann", tools=[hold]))
    with intercom:
        intercom.send_message("Begin", "ann")
        assert began.wait(LIMIT_S)
        yield intercom
        over.set()


def test_an_interrupt_ends_a_cell_that_awaits_quiet(at_work):
    """As in a kernel: the interrupt cancels the cell's task from a signal, which wakes no loop; the agents go on."""
    cell = None

    async def awaits():
        nonlocal cell
        cell = asyncio.current_task()
        asyncio.get_running_loop().call_soon(sleeps.set)
        return await at_work.quiet()

    sleeps = threading.Event()
    loop = asyncio.new_event_loop()
    before = signal.signal(signal.SIGINT, lambda *_: cell.cancel())

    def interrupt():
        sleeps.wait(LIMIT_S)
        os.kill(os.getpid(), signal.SIGINT)

    other = threading.Thread(target=interrupt)
    other.start()
    try:
        with pytest.raises(asyncio.CancelledError):
            loop.run_until_complete(awaits())
    finally:
        signal.signal(signal.SIGINT, before)
        other.join()
        loop.close()
    assert at_work.status == "at work"


def test_a_stop_that_was_interrupted_anywhere_is_done_by_the_next(tmp_path):
    """Whatever line of it is interrupted: log, threads and descriptors are let go, and the log is whole."""
    stride, n = max(1, 40 // times(40)), 0
    model = ScriptedAssistant(default="Read.")
    for line in range(1, 5_000, stride):
        intercom = InterComService("s", logs=tmp_path, model=model, thread_logs=False)
        intercom.add(Agent("Ann"))
        intercom.start()
        intercom.send_message("Hi", "ann")
        again = interrupted_at(line, intercom.stop)
        intercom.stop()
        n += again

        with InterComService.open(intercom.log.path, model=model) as opened:
            assert opened.wait(LIMIT_S, progress=False) == "quiet"
            assert [message.text for message in opened.messages] == ["Hi"]
        assert [t.name for t in threading.enumerate() if t.name.startswith("intercom")] == []
        if not again:
            break
    assert n >= 10 // stride
    assert not again
