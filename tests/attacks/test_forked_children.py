"""A child that was forked hears in one sentence that the service is its parent's, and leaves that as it is."""

import multiprocessing
import os
import select
import signal
import subprocess
import sys

import pytest

from intercom_nb import Agent, InterComService, LifecycleError, ScriptedAssistant

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="there are no forks here"),
    pytest.mark.filterwarnings("ignore:This process:DeprecationWarning"),  # that a fork has none of the threads
]
LIMIT_S = 60

REFUSED = {
    "send_message": lambda s: s.send_message("from the child", "ann"),
    "agent.send_message": lambda s: s["ann"].send_message("from the child"),
    "add": lambda s: s.add(Agent("Bob")),
    "start": lambda s: s.start(),
    "pause": lambda s: s.pause(),
    "agent.pause": lambda s: s["ann"].pause(),
    "resume": lambda s: s.resume(),
    "step": lambda s: s.step(),
    "retry": lambda s: s.retry(),
    "wait": lambda s: s.wait(),
    "messages": lambda s: s.messages,
    "mission": lambda s: setattr(s["ann"], "mission", "another"),
    "create_chat": lambda s: s.create_chat(["ann"], "Chat", "", "ann"),
}
READ = {
    "state": lambda s: s.state,
    "repr": lambda s: repr(s)[:15],
    "agents": lambda s: [agent.id for agent in s.agents],
    "stop": lambda s: s.stop(),
}


def in_child(call):
    """Return what a call comes to in a child that was forked, as text; a child that hangs is killed."""
    reads, writes = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            said = f"returned {call()!r}"
        except BaseException as error:  # noqa: BLE001 - whatever it is, the parent looks at it
            said = f"{type(error).__name__}: {error}"
        os.write(writes, said.encode())
        os._exit(0)
    os.close(writes)
    if not select.select([reads], [], [], LIMIT_S)[0]:
        os.kill(pid, signal.SIGKILL)
    said = os.read(reads, 100_000).decode()
    os.close(reads)
    os.waitpid(pid, 0)
    return said or "hung"


@pytest.fixture(params=["file", "memory"])
def live(tmp_path, request):
    """Give a service that runs."""
    logs = tmp_path / "logs" if request.param == "file" else None
    with InterComService("s", logs=logs, model=ScriptedAssistant(default="Fine."), thread_logs=False) as intercom:
        intercom.add(Agent("Ann"))
        yield intercom


def test_what_needs_the_parent_is_refused_in_one_sentence(live):
    """Nothing hangs, whatever the parent does meanwhile; and the parent goes on as if nothing had been."""
    for name, call in REFUSED.items():
        live.send_message(f"before {name}", "ann")  # it is at work while it is forked
        said = in_child(lambda: call(live))  # noqa: B023 - called at once
        assert said.startswith("LifecycleError: s runs in the process that this one was forked from"), name
    assert live.wait(LIMIT_S) == "quiet"
    assert [message.text for message in live.messages] == [f"before {name}" for name in REFUSED]


@pytest.mark.parametrize("name", READ)
def test_what_is_in_memory_is_read_and_stopping_does_nothing(live, name):
    """A child may look at what it has a copy of."""
    expected = {"state": "'running'", "repr": "'<InterComServic'", "agents": "['ann']", "stop": "None"}

    assert in_child(lambda: READ[name](live)) == f"returned {expected[name]}"
    live.send_message("after", "ann")
    assert live.wait(LIMIT_S) == "quiet"


def test_a_child_may_have_a_service_of_its_own(live, tmp_path):
    """Under its own name, in its own log."""

    def own():
        with InterComService("s", logs=tmp_path / "own", model=ScriptedAssistant(default="Fine.")) as intercom:
            intercom.add(Agent("Bob"))
            intercom.send_message("Hi", "bob")
            return intercom.name, intercom.wait(LIMIT_S), len(intercom.messages)

    assert in_child(own) == "returned ('s-2', 'quiet', 1)"
    assert live.state == "running"


def sent(service):
    """Return what sending comes to."""
    try:
        service.send_message("from a worker", "ann")
    except LifecycleError as error:
        return str(error)
    return "sent"


_SERVICES = []


def _work(_):
    return sent(_SERVICES[0])


def test_workers_of_multiprocessing_are_such_children(live):
    """Also those of a pool."""
    _SERVICES[:] = [live]
    with multiprocessing.get_context("fork").Pool(1) as pool:
        (said,) = pool.map_async(_work, [0]).get(LIMIT_S)
    assert "was forked from" in said


SCRIPT = """
import os, sys
from intercom_nb import Agent, InterComService, LogInUseError, ScriptedAssistant
model = ScriptedAssistant(default="Fine.")
with InterComService("s", logs=sys.argv[1], model=model) as intercom:
    intercom.add(Agent("Ann"))
    intercom.send_message("before", "ann")
    for how in (lambda: sys.exit(7), lambda: os._exit(7), lambda: 1 / 0):
        if (pid := os.fork()) == 0:
            sys.stderr.close()
            how()
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) in (1, 7)
        try:
            InterComService.open(intercom.log, model=model)
        except LogInUseError:
            print("in use")
        intercom.send_message("after", "ann")
    print(intercom.wait(60), len(intercom.messages))
with InterComService.open(intercom.log, model=model) as again:
    print(len(again.messages))
"""


def test_a_child_that_ends_as_programs_do_takes_nothing_with_it(tmp_path):
    """Neither the lock nor what SQLite holds, by whichever way it ends: what it clears away was its copy."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", SCRIPT, str(tmp_path)],
        capture_output=True, text=True, timeout=LIMIT_S, check=False,
    )  # fmt: skip
    assert done.stdout.split("\n") == [*["in use"] * 3, "quiet 4", "4", ""], done.stderr
