"""Whatever is raised while an agent reacts is told; nobody waits for ever, and the others go on."""

import asyncio
import logging
import sys
import threading

import pytest

from intercom_nb import Agent, LifecycleError, call
from intercom_nb.errors import ToolCallError
from intercom_nb.log.store import Store
from intercom_nb.routing.chat_tools import CHAT_TOOLS
from intercom_nb.runs.notes import NOTE_TOOLS
from intercom_nb.runs.step import Steps


class Wordless(Exception):  # noqa: N818 - it is none of ours
    """An exception that cannot be told: asked for its words, it raises."""

    def __str__(self):
        raise RuntimeError("no words")


LIMIT_S = 30  # each wait: what hangs is a failure
RAISED = [BaseException, asyncio.CancelledError, SystemExit, KeyboardInterrupt, GeneratorExit, Wordless]


@pytest.fixture(autouse=True)
def _quiet_log(caplog):
    caplog.set_level(logging.CRITICAL)


def uses(tool, **arguments):
    """Return a reply that calls a tool when somebody has written, and then is silent."""
    return lambda request: call(tool, **arguments) if request["input"][-1].get("role") == "user" else "Done."


def output_of(agent):
    """Return what came of an agent's one tool call."""
    (output,) = [item["output"] for item in agent.conversation if item.get("type") == "function_call_output"]
    return output


def output_among(intercom, tool):
    """Return what came of a tool that the one agent of a service calls, once everybody is quiet."""
    ann = Agent("Ann", tools=[tool])
    intercom.add(ann)
    with intercom:
        ann.send_message("Begin")

        assert intercom.wait(LIMIT_S, progress=False) == "quiet"
        return output_of(ann)


def others_go_on(intercom):
    """Return whether another agent still reads its mail."""
    before = intercom["bob"].spent.runs
    intercom.send_message("Are you there?", "bob")
    return intercom.wait(LIMIT_S, progress=False) == "quiet" and intercom["bob"].spent.runs == before + 1


@pytest.mark.parametrize("kind", RAISED)
@pytest.mark.parametrize("way", ["async", "sync"])
def test_whatever_a_tool_raises_is_an_output(way, kind, scripted):
    """The model is told of it, the run ends, and the loop lives on."""

    async def on_loop() -> str:
        """Raise something."""
        raise kind("odd")

    def in_thread() -> str:
        """Raise something."""
        raise kind("odd")

    tool = on_loop if way == "async" else in_thread
    intercom = scripted({"Ann": uses(tool.__name__), "Bob": lambda _: "Read."})
    ann = Agent("Ann", tools=[tool])
    intercom.add(ann, Agent("Bob"))
    with intercom:
        ann.send_message("Begin")

        assert intercom.wait(LIMIT_S, progress=False) == "quiet"
        assert kind.__name__ in output_of(ann)
        assert others_go_on(intercom)


@pytest.mark.parametrize("kind", RAISED)
def test_whatever_ends_a_run_of_ours_can_be_tried_again(kind, scripted, monkeypatch):
    """A fault beside every tool is a failed run with its sentence, and the loop lives on."""
    right = Steps.think

    async def fails(self, state, run):
        if state.agent.id == "ann":
            raise kind("odd")
        return await right(self, state, run)

    intercom = scripted({"Ann": lambda _: "Read.", "Bob": lambda _: "Read."})
    intercom.add(Agent("Ann"), Agent("Bob"))
    monkeypatch.setattr(Steps, "think", fails)
    with intercom:
        intercom.send_message("Hi", "ann")
        intercom.send_message("Hi", "bob")

        assert intercom.wait(LIMIT_S, progress=False) == "failed"
        assert kind.__name__ in intercom.status
        assert intercom["bob"].spent.runs == 1
        monkeypatch.setattr(Steps, "think", right)
        assert intercom.retry() == 1
        assert intercom.wait(LIMIT_S, progress=False) == "quiet"


def test_a_tool_that_awaits_what_was_cancelled_is_an_output(scripted):
    """The cancellation of a task of its own is not the end of the agent's."""

    async def fetch() -> str:
        """Await a task that is cancelled."""
        task = asyncio.ensure_future(asyncio.Event().wait())
        task.cancel()
        return str(await task)

    intercom = scripted({"Ann": uses("fetch")})
    ann = Agent("Ann", tools=[fetch])
    intercom.add(ann)
    with intercom:
        ann.send_message("Begin")

        assert intercom.wait(LIMIT_S, progress=False) == "quiet"
        assert "CancelledError" in output_of(ann)


@pytest.mark.parametrize("kind", RAISED)
def test_a_subscriber_ends_nothing(kind, scripted):
    """What it raises is its own affair."""

    def listen(_):
        raise kind("odd")

    intercom = scripted({"Ann": lambda _: "Read.", "Bob": lambda _: "Read."})
    intercom.add(Agent("Ann"), Agent("Bob"))
    intercom.subscribe(listen)
    with intercom:
        intercom.send_message("Hi", "ann")

        assert intercom.wait(LIMIT_S, progress=False) == "quiet"
        assert others_go_on(intercom)


@pytest.mark.parametrize("kind", RAISED)
def test_a_listener_to_pieces_ends_nothing(kind, scripted):
    """What it raises is its own affair, and it was asked."""
    heard = []

    def listen(delta):
        heard.append(delta)
        raise kind("odd")

    intercom = scripted({"Ann": lambda _: "Read.", "Bob": lambda _: "Read."})
    intercom.add(Agent("Ann"), Agent("Bob"))
    intercom.on_delta(listen)
    with intercom:
        intercom.send_message("Hi", "ann")

        assert intercom.wait(LIMIT_S, progress=False) == "quiet"
        assert heard
        assert others_go_on(intercom)


@pytest.mark.parametrize("tool", [*CHAT_TOOLS.values(), *NOTE_TOOLS.values()], ids=lambda tool: tool.name)
def test_arguments_nested_too_deep_are_told(tool):
    """They are refused in a sentence for the model, as whatever else is no JSON."""
    with pytest.raises(ToolCallError, match="not valid JSON"):
        tool.parse("[" * 100_000)


def test_a_sync_tool_that_waits_is_refused(scripted):
    """It would wait for itself."""
    intercom = scripted({"Ann": uses("idle")})

    def idle() -> str:
        """Wait for everybody."""
        with pytest.raises(LifecycleError, match="own tool"):
            intercom.wait(progress=False)
        return "refused"

    assert output_among(intercom, idle) == "refused"


def test_an_async_tool_that_waits_is_refused(scripted):
    """It would wait for itself."""
    intercom = scripted({"Ann": uses("idle")})

    async def idle() -> str:
        """Wait for everybody."""
        with pytest.raises(LifecycleError, match="own tool"):
            await intercom.quiet()
        return "refused"

    assert output_among(intercom, idle) == "refused"


def test_a_tool_may_wait_for_another_service(scripted):
    """Only its own waits for it."""
    other = scripted({"Bob": lambda _: "Read."}, name="other")
    other.add(Agent("Bob"))

    def ask() -> str:
        """Ask another society."""
        other.send_message("Hi", "bob")
        return other.wait(LIMIT_S, progress=False)

    intercom = scripted({"Ann": uses("ask")})
    with other:
        assert output_among(intercom, ask) == "quiet"


def test_waiting_needs_no_terminal(scripted, monkeypatch):
    """Some programs have no standard error at all."""
    intercom = scripted({"Ann": lambda _: "Read."})
    intercom.add(Agent("Ann"))
    monkeypatch.setattr(sys, "stderr", None)
    with intercom:
        intercom.send_message("Hi", "ann")

        assert intercom.wait(LIMIT_S) == "quiet"


def test_more_transactions_than_one_commit_takes_are_all_written():
    """Nobody rings for what has no room in the first one, and nobody hangs."""
    store = Store.create(None, "many")
    held, go_on = threading.Event(), threading.Event()
    with store.transaction() as first:
        first.note("first", "holds the writer")
        first.after(lambda: (held.set(), go_on.wait(LIMIT_S)))
    assert held.wait(LIMIT_S)
    waiting = []
    for n in range(2_500):
        with store.transaction() as tx:
            tx.note("more", str(n))
        waiting.append(tx)
    go_on.set()

    waiting[-1].done.result(LIMIT_S)

    assert store.rows("SELECT COUNT(*) FROM events WHERE kind = 'more'") == [(2_500,)]
    store.close()
