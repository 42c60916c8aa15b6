"""A loop that has ended, and a run that cannot begin, are told to whoever waits."""

import asyncio
import logging
import sys

import pytest

from intercom_nb import Agent, InterComService, LifecycleError, ScriptedAssistant, call

LIMIT_S = 30  # each wait: what hangs is a failure


@pytest.fixture(autouse=True)
def _quiet_log(caplog):
    caplog.set_level(logging.CRITICAL)


def uses(tool):
    """Return a reply that calls a tool when somebody has written, and then is silent."""
    return lambda request: call(tool) if request["input"][-1].get("role") == "user" else "Done."


async def exits() -> str:
    """Leave something on the loop that ends the interpreter."""
    asyncio.get_running_loop().call_soon(sys.exit)
    return "done"


async def interrupts() -> str:
    """Leave a task on the loop that is interrupted."""

    async def interrupted():
        raise KeyboardInterrupt

    asyncio.ensure_future(interrupted())  # noqa: RUF006 - nobody waits for it, which is the point
    return "done"


async def stops() -> str:
    """Stop the loop."""
    asyncio.get_running_loop().stop()
    return "done"


@pytest.mark.parametrize("tool", [exits, interrupts, stops], ids=lambda tool: tool.__name__)
def test_a_loop_that_has_ended_is_told(tool, tmp_path):
    """Whoever waits is told, nothing more is accepted, and another service goes on with the log."""
    model = ScriptedAssistant({"Ann": uses(tool.__name__)}, default="Read.")
    intercom = InterComService("s", logs=tmp_path, model=model, thread_logs=False)
    intercom.add(Agent("Ann", tools=[tool]), Agent("Bob"))
    with intercom:
        quiet = asyncio.run(_begins_and_waits(intercom))

        assert quiet == intercom.wait(LIMIT_S, progress=False) == intercom.reason == "loop"
        assert intercom.status.startswith("stopped: code of a tool or a listener ended the loop")
        with pytest.raises(LifecycleError, match="has stopped"):
            intercom.send_message("Are you there?", "bob")

    with InterComService.open(intercom.log.path, model=model, tools=[tool]) as opened:
        opened.send_message("Are you there?", "bob")

        assert opened.wait(LIMIT_S, progress=False) == "quiet"


async def _begins_and_waits(intercom):
    intercom.send_message("Begin", "ann")
    return await asyncio.wait_for(intercom.quiet(), LIMIT_S)


@pytest.mark.parametrize("which", [lambda: [asyncio.current_task()], asyncio.all_tasks], ids=["own", "all"])
def test_an_agent_whose_task_a_tool_cancels_has_failed(which, scripted):
    """It can be tried again, and the others go on."""
    cancelled = []

    async def gives_up() -> str:
        """Cancel tasks of the loop, once."""
        if not cancelled:
            cancelled.extend(task.cancel() for task in which())
        return "done"

    intercom = scripted({"Ann": uses("gives_up"), "Bob": lambda _: "Read."})
    intercom.add(Agent("Ann", tools=[gives_up]), Agent("Bob"))
    with intercom:
        intercom.send_message("Begin", "ann")

        assert intercom.wait(LIMIT_S, progress=False) == "failed"
        assert "CancelledError" in intercom.status
        intercom.send_message("Are you there?", "bob")
        assert intercom.wait(LIMIT_S, progress=False) == "failed"
        assert intercom["bob"].spent.runs == 1
        assert intercom.retry() == 1
        assert intercom.wait(LIMIT_S, progress=False) == "quiet"


def test_a_key_that_is_missing_at_the_first_call_is_a_failed_run(tmp_path):
    """A log opened without the key of one agent's model: that agent says so, and can be tried again."""
    offline = ScriptedAssistant(default="Read.")
    with InterComService("s", logs=tmp_path, model=offline, api_key="k" * 20, thread_logs=False) as intercom:
        intercom.add(Agent("Ann", model="gpt-nowhere"), Agent("Bob"))

    with InterComService.open(intercom.log.path, model=offline) as opened:
        opened.send_message("Hi", "ann")
        opened.send_message("Hi", "bob")

        assert opened.wait(LIMIT_S, progress=False) == "failed"
        assert "the model 'gpt-nowhere' needs a key: set OPENAI_API_KEY" in opened.status
        assert opened["ann"].status in ("failed", "waiting")
        assert opened["bob"].spent.runs == 1
        assert opened.retry() == 1
        assert opened.wait(LIMIT_S, progress=False) == "failed"
        opened["ann"].model = offline
        assert opened.retry() == 1
        assert opened.wait(LIMIT_S, progress=False) == "quiet"
