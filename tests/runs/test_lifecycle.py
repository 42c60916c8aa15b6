"""Starting, waiting, pausing, limits and stopping: a service is quiet when it says so, and leaves nothing behind."""

import math
import subprocess
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest

from intercom_nb import (
    Agent,
    InterComService,
    InvalidNameError,
    LifecycleError,
    Limits,
    LogError,
    OfflineAssistant,
    ScriptedAssistant,
    call,
)

ROOT = Path(__file__).parents[2]


def ours() -> set[str]:
    """Return the names of the threads of services."""
    return {thread.name for thread in threading.enumerate() if thread.name.startswith("intercom")}


def tell(receiver_id: str, message: str):
    """Return a step that sends one message."""
    return call("send_message", chat_id=receiver_id, message=message)


def pong(receiver_id: str):
    """Return a policy that answers every turn, so that two agents with it never fall silent."""

    def policy(request):
        heard = request["input"][-1]
        return tell(receiver_id, f"for {receiver_id}") if heard.get("role") == "user" else "(sent)"

    return policy


def never_silent(scripted, **settings) -> InterComService:
    """Return a service of two agents who talk to each other without end."""
    intercom = scripted({"Ann": pong("bob"), "Bob": pong("ann")}, courtesy=False, **settings)
    intercom.add(Agent("Ann"), Agent("Bob"))
    return intercom


def until(condition, timeout: float = 60.0) -> bool:
    """Wait until something is so; return whether it came to that."""
    deadline = time.monotonic() + timeout
    while not (so := condition()) and time.monotonic() < deadline:
        threading.Event().wait(0.002)
    return bool(so)


def unread(intercom) -> int:
    """Return the number of pending deliveries in the log."""
    return intercom._store.rows("SELECT COUNT(*) FROM deliveries WHERE until_seq IS NULL")[0][0]


def unfinished(intercom) -> int:
    """Return the number of unfinished runs in the log."""
    return intercom._store.rows("SELECT COUNT(*) FROM runs WHERE until_seq IS NULL")[0][0]


# -- threads --


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


# -- quiet and wait --


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


# -- pause and resume --


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


# -- stop --


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
    with InterComService.open(intercom.log, model=fast) as again:
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


def test_stop_called_by_a_synchronous_tool(scripted):
    """The tool's own thread can wait for the end of the loop."""

    def end() -> str:
        """End it all."""
        intercom.stop()
        return "ended"

    intercom = scripted({"Ann": [call("end"), "Done."]})
    intercom.add(Agent("Ann", tools=[end]))
    intercom.start()
    intercom["ann"].begin()

    assert intercom.wait(60) == "stopped"
    assert until(lambda: not ours())


def test_stop_called_by_an_asynchronous_tool(scripted):
    """The loop cannot wait for its own end, and ends all the same."""

    async def end() -> str:
        """End it all."""
        intercom.stop()
        return "ended"

    intercom = scripted({"Ann": [call("end"), "Done."]})
    intercom.add(Agent("Ann", tools=[end]))
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

        InterComService.open(intercom.log, model=model, tools=[end]).stop()


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


# -- limits --


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


# -- side by side, and from many threads --


def test_two_services_side_by_side_do_not_mix(scripted):
    """Each has its own agents, log and threads; stopping one leaves the other."""
    services = [scripted({"Ann": [tell("bob", f"from {n}"), "Sent."]}, name=f"side {n}") for n in range(2)]
    for intercom in services:
        intercom.add(Agent("Ann"), Agent("Bob"))
        intercom.start()
        intercom["ann"].begin()

    assert [intercom.wait(60) for intercom in services] == ["quiet", "quiet"]
    texts = [[message.text for message in intercom.messages] for intercom in services]
    assert texts == [["Begin", "from 0"], ["Begin", "from 1"]]
    services[0].stop()
    services[1]["bob"].begin()
    assert services[1].wait(60) == "quiet"
    assert len(services[1].messages) == 3


def test_an_agent_belongs_to_one_service(scripted):
    """An agent of one service cannot be added to another, and the other is as it was."""
    one, two = scripted(name="one"), scripted(name="two")
    ann = Agent("Ann")
    one.add(ann)

    with pytest.raises(LifecycleError, match="already belongs to another service"):
        two.add(ann)

    assert len(two.registry) == 0


def test_a_service_of_a_name_that_is_taken_gets_a_number(tmp_path, capsys):
    """Where no cell is known nobody is replaced; a name is free again once its service has stopped."""
    with InterComService("same", model=ScriptedAssistant(), logs=tmp_path) as first:
        with InterComService("same", model=ScriptedAssistant(), logs=tmp_path) as second:
            assert (first.name, second.name, first.status) == ("same", "same-2", first.status)
            assert len(ours()) == 4
        with InterComService(model=ScriptedAssistant(), logs=None) as unnamed:
            assert unnamed.name == "intercom"
    with InterComService("same", model=ScriptedAssistant(), logs=tmp_path) as third:
        assert third.name == "same"

    assert capsys.readouterr().err == ""


def test_a_service_that_could_not_be_made_does_not_spoil_its_name(tmp_path):
    """The cell that failed can be mended and run again, also while its exception is still kept."""
    (tmp_path / "file").touch()

    with pytest.raises(LogError) as failed:
        InterComService("again", model=ScriptedAssistant(), logs=tmp_path / "file")
    with InterComService("again", model=ScriptedAssistant(), logs=tmp_path) as intercom:
        state = intercom.state

    assert failed.value is not None
    assert state == "running"


def test_eight_threads_use_one_service_at_once(scripted):
    """800 messages, 80 agents, 8 chats and 80 edits from eight threads: everything is there once, and it gets quiet."""
    intercom = scripted(limits=Limits(runs=10**6, tokens=10**9))
    intercom.add(Agent("Hub"), Agent("Rim"))
    you = intercom.add_person("You")
    intercom.start()

    def use(n: int) -> None:
        chat = intercom.create_chat(["hub", "rim"], f"group {n}", "for all", admin_id="you")
        for k in range(10):
            intercom.add(Agent(f"Agent {n} {k}"))
            agent = intercom[f"agent-{n}-{k}"]
            chat.add_member(agent.id)
            agent.mission = f"{n} {k}"
            for m in range(5):
                you.send_message(f"direct {n} {k} {m}", agent.id)
                intercom.send_message(f"group {n} {k} {m}", chat.id, "you", key=f"{n} {k} {m}")
            assert repr(intercom)
            assert agent.status in ("idle", "waiting", "thinking")
            chat.remove_member(agent.id)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(use, range(8)))

    assert intercom.wait(60) == "quiet"
    texts = Counter(message.text for message in intercom.messages)
    assert texts == Counter(
        f"{w} {n} {k} {m}" for w in ("direct", "group") for n in range(8) for k in range(10) for m in range(5)
    )
    assert len(intercom.registry) == 82
    assert [chat.members for chat in intercom.registry.chats] == [("you", "hub", "rim")] * 8
    assert intercom._store.rows("SELECT COUNT(*) FROM deliveries") == [(400 + 400 * 3,)]
    assert unread(intercom) == 0


def test_a_name_taken_by_another_thread_is_refused_once(scripted):
    """Of eight threads that add an agent of one name, one succeeds."""
    intercom = scripted()

    def add(_n: int) -> bool:
        try:
            intercom.add(Agent("Ann"))
        except InvalidNameError:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(add, range(8))) == [False] * 7 + [True]


def test_one_key_from_eight_threads_is_one_message(scripted):
    """Every thread is given the same message."""
    intercom = scripted()
    intercom.add(Agent("Ann"))

    with ThreadPoolExecutor(8) as pool:
        accepted = set(pool.map(lambda n: intercom.send_message(f"text {n}", "ann", key="k").id, range(8)))

    assert len(accepted) == 1
    assert len(intercom.messages) == 1


# -- subscribers --


def test_what_a_subscriber_raises_does_not_matter(scripted, caplog):
    """It goes to the logging module; agents and other subscribers go on."""
    heard = []

    def broken(_message):
        raise RuntimeError("not today")

    intercom = scripted({"Ann": [tell("bob", "Hi"), "Sent."]})
    intercom.add(Agent("Ann"), Agent("Bob"))
    intercom.subscribe(broken)
    intercom.subscribe(lambda message: heard.append(message.text))
    intercom.start()
    intercom["ann"].begin()

    assert intercom.wait(60) == "quiet"
    assert until(lambda: len(heard) == 2)
    assert heard == ["Begin", "Hi"]
    assert "a subscriber failed" in caplog.text


def test_a_subscription_ends_when_it_is_told_to(scripted):
    """Ending it twice does nothing."""
    heard = []
    intercom = scripted()
    intercom.add(Agent("Ann"))
    intercom.start()
    end = intercom.subscribe(lambda message: heard.append(message.text))
    intercom["ann"].send_message("one")
    assert until(lambda: heard)

    end()
    end()
    intercom["ann"].send_message("two")
    intercom.wait(60)

    assert heard == ["one"]


def test_a_subscriber_may_send_messages(scripted):
    """It runs on the loop, and may use the service there."""
    intercom = scripted()
    intercom.add(Agent("Ann"), Agent("Bob"))
    intercom.subscribe(lambda m: intercom.send_message("I heard.", "bob") if m.receiver_id == "ann" else None)
    intercom.start()
    intercom["ann"].begin()

    assert until(lambda: len(intercom.messages) == 2)
    assert intercom.wait(60) == "quiet"


# -- the interpreter's exit --

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
