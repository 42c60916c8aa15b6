"""A tool of mine runs at most once, and what is told of it is true: it is done, or nobody knows."""

import asyncio
import threading

import pytest

from intercom_nb import Agent, InterComService, ScriptedAssistant, call, tool_calls_df

LIMIT_S = 60


def answer(request):
    """Call two tools, and say what came of them."""
    outputs = [item["output"] for item in request["input"] if "output" in item]
    return [call("work", n=1), call("work", n=2)] if not outputs else " | ".join(outputs)


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_a_tool_at_work_may_end_before_its_service_stops(tmp_path, kind):
    """What it returned is kept, and the next one has not begun; opened again, that is not called either."""
    began, done = threading.Event(), []

    def sync(n: int) -> str:
        """Work."""
        began.set()
        while intercom.state != "stopped":
            pass
        done.append(n)
        return f"done {n}"

    async def asynchronous(n: int) -> str:
        """Work."""
        began.set()
        while intercom.state != "stopped":  # noqa: ASYNC110 - it is told by nothing else
            await asyncio.sleep(0)
        done.append(n)
        return f"done {n}"

    work = sync if kind == "sync" else asynchronous
    work.__name__ = "work"
    with InterComService("s", logs=tmp_path, model=ScriptedAssistant(default=answer), thread_logs=False) as intercom:
        intercom.add(Agent("Ann", tools=[work]))
        intercom["ann"].begin()
        assert began.wait(LIMIT_S)
    assert done == [1]
    assert tool_calls_df(intercom.log).output.tolist() == ["done 1"]

    with InterComService.open(intercom.log, model=ScriptedAssistant(default=answer), tools=[work]) as again:
        assert again.wait(LIMIT_S) == "quiet"
        said = again["ann"].conversation[-1]["content"]
    assert said.startswith("done 1 | Error: outcome unknown")
    assert done == [1]


def test_a_tool_that_does_not_end_keeps_no_stop_waiting(tmp_path):
    """It counts as interrupted: its model hears that nobody knows what came of it, and it is not called again."""
    began, over, n = threading.Event(), threading.Event(), []

    def work(n_: int) -> str:
        """Work."""
        n.append(n_)
        began.set()
        over.wait(LIMIT_S)
        return "too late"

    def once(request):
        outputs = [item["output"] for item in request["input"] if "output" in item]
        return outputs[-1] if outputs else call("work", n_=1)

    with InterComService("s", logs=tmp_path, model=ScriptedAssistant(default=once), thread_logs=False) as intercom:
        intercom.add(Agent("Ann", tools=[work]))
        intercom["ann"].begin()
        assert began.wait(LIMIT_S)
    over.set()
    with InterComService.open(intercom.log, model=ScriptedAssistant(default=once), tools=[work]) as again:
        assert again.wait(LIMIT_S) == "quiet"
        assert again["ann"].conversation[-1]["content"].startswith("Error: outcome unknown")
    assert n == [1]


def test_a_tool_that_stops_its_service_does_not_wait_for_itself(tmp_path):
    """Its stop() returns, and the log is let go."""
    stopped = threading.Event()

    def leave() -> str:
        """Stop."""
        intercom.stop()
        stopped.set()
        return "gone"

    model = ScriptedAssistant(default=lambda request: call("leave") if len(request["input"]) == 1 else "Done.")
    intercom = InterComService("s", logs=tmp_path, model=model, thread_logs=False)
    intercom.add(Agent("Ann", tools=[leave]))
    intercom.start()
    intercom["ann"].begin()
    assert stopped.wait(LIMIT_S)
    InterComService.open(intercom.log, model=model, tools=[leave]).stop()
