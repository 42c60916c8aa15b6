"""What is left after SIGKILL: 200 kills at random moments of one growing conversation, and kills at named points."""

import asyncio
import hashlib
import itertools
import json
import multiprocessing
import os
import random
import shutil
import signal
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from functools import lru_cache, partial
from multiprocessing import forkserver
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest
from counts import times

from intercom_nb import Agent, Call, InterComService, Limits, ScriptedAssistant, call
from intercom_nb.log.facts import Posted
from intercom_nb.texts.instructions import identity
from intercom_nb.texts.turns import Incoming, Turn, read_turn

LOGS, KILLS_PER_LOG, AGENTS = times(10), 20, 20
DEPTH = 3  # answers to answers: makes what follows from one message of the person finite
LIMITS = Limits(steps_per_run=1_000, runs=10**9, tokens=10**12, seconds=3_600)
PRELOAD = ["intercom_nb", "pytest", "openai.resources.responses.responses", "anyio._backends._asyncio"]

Act = tuple[str, str]  # what is done, and the text by which it is known again


# -- how agents behave: a pure function of the request, and every text occurs once ---------------------------
@lru_cache(maxsize=10_000)
def turn_of(text: str) -> Turn:
    """Return a turn, read once."""
    return read_turn(text)


def lot(own_id: str, text: str) -> int:
    """Return a number that this agent draws for this text, always the same."""
    return int.from_bytes(hashlib.sha256(f"{own_id}<{text}".encode()).digest()[:8])


def plan(own_id: str, heard: Incoming) -> list[list[Act]]:
    """Return what an agent does about a message, step by step; each act after those of the step before."""
    drawn, text = lot(own_id, heard.text), heard.text
    say, more = f"{text}/{own_id}.0", f"{text}/{own_id}.1"
    press, knock = f"{text}#{own_id}.press", f"{text}#{own_id}.knock"
    if text.count("/") >= DEPTH:
        return [[("press", press)]] if drawn % 4 == 0 else []
    if heard.type == "group" and drawn // 16 % 3:
        return []
    plans: list[list[list[Act]]] = [
        [[("say", say)]],
        [[("reply", say)]],
        [[("reply", say)], [("say", more)]],
        [[("say", say), ("reply", more)]],
        [[("say", say), ("say", more)]],
        [[("group", say)]],
        [[("group", say)], [("add", ""), ("remove", ""), ("reply", more)]],
        [[("press", press)], [("say", say)]],
        [[("press", press), ("say", say)]],
        [[("knock", knock), ("say", say)]],
        [[("knock", knock)], [("reply", say)]],
        [[("knock", knock), ("press", press)], [("press", f"{press}.2")], [("reply", say)]],
        [[("add", ""), ("say", say)]],
        [[("remove", ""), ("reply", say)]],
        [[("leave", ""), ("say", say)]],
        [],
    ]
    return plans[drawn % len(plans)]


def carried_out(act: Act, own_id: str, heard: Incoming, turn: Turn) -> Call:
    """Return the tool call that is one act, addressed by the chat list of the newest turn."""
    kind, text = act
    drawn = lot(own_id, heard.text + text)
    others = [entry.id for entry in turn.chat_list if entry.type == "agent"]
    groups = [entry.id for entry in turn.chat_list if entry.type == "group"] or ["chat-none"]
    other, group = others[drawn % len(others)], groups[drawn // 32 % len(groups)]
    if kind == "group":
        two = [others[(drawn + n) % len(others)] for n in range(2 + drawn // 64 % 2)]
        return call("create_chat", agent_ids=two, name=f"group {drawn % 100}", description=text, message=text)
    return {
        "say": call("send_message", chat_id=other if drawn % 5 else group, message=text),
        "reply": call("send_message", chat_id=heard.chat_id, message=text),
        "press": call("press", button=text),
        "knock": call("knock", door=text),
        "add": call("add_chat_member", agent_id=other, chat_id=group),
        "remove": call("remove_chat_member", agent_id=other, chat_id=group),
        "leave": call("leave_chat", chat_id=group),
    }[kind]


def key_of(arguments: str) -> str:
    """Return the text by which a tool call is known again; empty if it has none."""
    given = json.loads(arguments)
    return str(given.get("message") or given.get("button") or given.get("door") or "")


def policy(request: dict) -> str | list[Call]:
    """Answer up to three messages a step, in order; fall silent when all that was heard is answered."""
    own_id = identity(request["instructions"])[1]
    done = {key_of(item["arguments"]) for item in request["input"] if item.get("type") == "function_call"}
    turns = [turn_of(item["content"]) for item in request["input"] if item.get("role") == "user"]
    newest = next(turn for turn in reversed(turns) if turn.chat_list)
    calls: list[list[Call]] = []
    for heard in itertools.chain.from_iterable(turn.incoming for turn in turns):
        undone = [acts for acts in plan(own_id, heard) if any(text and text not in done for _, text in acts)]
        if undone and len(calls) < 3:
            calls.append([carried_out(act, own_id, heard, newest) for act in undone[0]])
    return [each for acts in calls for each in acts] or "(nothing to add)"


# -- one log and its files -----------------------------------------------------------------------------------
class World:
    """One log with 20 agents, and files beside it: acknowledgements, effects of tools, a byte for each model call."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.seed = seed
        self.acks, self.effects, self.calls = (folder / f"{what}-{seed}" for what in ("acks", "effects", "calls"))
        for file in (self.acks, self.effects, self.calls):
            file.touch()
        with InterComService(f"world {seed}", model=ScriptedAssistant(), logs=folder, limits=LIMITS) as intercom:
            intercom.add(*(self.agent(n) for n in range(AGENTS)))
            intercom.add_person("You")
            for n in range(0, AGENTS, 4):
                ids = [f"a{(n + k) % AGENTS}" for k in range(4)]
                intercom.create_chat(ids, f"round {n}", "from the start", admin_id=ids[0])
            assert intercom.log is not None
            self.log = intercom.log

    def agent(self, n: int) -> Agent:
        """Return the n-th agent; a quarter of them let mail join their runs."""
        return Agent(f"A{n}", tools=[self.press, self.knock], mail="asap" if n % 4 == 3 else "when_idle")

    def press(self, button: str) -> str:
        """Do something outside, and take a while over it."""
        time.sleep(0.002)
        append(self.effects, button)
        time.sleep(0.002)
        return f"pressed {button}"

    async def knock(self, door: str) -> str:
        """Do something outside without a thread."""
        await asyncio.sleep(0.002)
        append(self.effects, door)
        await asyncio.sleep(0.002)
        return f"knocked on {door}"

    def policy(self, request: dict) -> str | list[Call]:
        """Answer by the policy, and count the call."""
        append(self.calls, "", end="c")
        return policy(request)

    def open(self) -> InterComService:
        """Open the log, as whoever goes on after a crash does."""
        model = ScriptedAssistant(default=self.policy)
        return InterComService.open(
            self.log, model=model, tools=[self.press, self.knock], limits=LIMITS, courtesy=False
        )

    def send_next(self, intercom: InterComService, n: int) -> None:
        """Send the n-th message of the person; once it is acknowledged, note that."""
        message = intercom.send_message(f"p{n}", f"a{lot('you', str(n + self.seed)) % AGENTS}", "you", key=f"p{n}")
        assert message.text == f"p{n}"
        append(self.acks, f"p{n}")

    def live(self, ready: Connection) -> None:
        """Go on with the log and keep sending, until killed."""
        intercom = self.open()
        intercom.start()
        ready.send(None)
        for n in itertools.count(len(lines(self.acks))):
            time.sleep(0.02)  # slow enough for agents to get further than to their first answer before they are killed
            self.send_next(intercom, n)


def append(file: Path, line: str, end: str = "\n") -> None:
    """Append a line with one write, which a kill cannot split."""
    descriptor = os.open(file, os.O_WRONLY | os.O_APPEND)
    os.write(descriptor, (line + end).encode())
    os.close(descriptor)


def lines(file: Path) -> list[str]:
    """Return the lines of a file."""
    return file.read_text().splitlines()


# -- processes to kill ---------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def nursery() -> Iterator[multiprocessing.context.ForkServerContext]:
    """Give a server that forks processes which have imported the package already."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOAD)
    yield context
    forkserver._forkserver._stop()


@contextmanager
def victim(nursery, target, *args) -> Iterator[tuple[BaseProcess, Connection]]:
    """Give a process that runs `target(*args, connection)`; what it is given to kill, it is killed at the end."""
    ours, theirs = nursery.Pipe(duplex=False)
    process = nursery.Process(target=target, args=(*args, theirs), daemon=True)
    process.start()
    theirs.close()
    try:
        yield process, ours
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.join()
        exitcode = process.exitcode
        process.close()
        ours.close()
    assert exitcode == -signal.SIGKILL, f"it ended by itself, with {exitcode}, before it was killed"


# -- what must hold after every kill -------------------------------------------------------------------------
class Found:
    """What a log says, read from a copy of its files, so that the next process finds them as the kill left them."""

    def __init__(self, world: World, folder: Path) -> None:
        copy = folder / "copy.db"
        for tail in ("", "-wal"):
            Path(f"{copy}{tail}").unlink(missing_ok=True)
            if Path(f"{world.log}{tail}").exists():
                shutil.copy(f"{world.log}{tail}", f"{copy}{tail}")
        self.world = world
        with closing(sqlite3.connect(copy)) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            self.messages = rows(connection, "SELECT * FROM messages ORDER BY seq")
            self.deliveries = rows(connection, "SELECT * FROM deliveries ORDER BY agent_id, seq")
            self.memberships = rows(connection, "SELECT * FROM memberships")
            self.runs = rows(connection, "SELECT * FROM runs ORDER BY began_seq")
            self.steps = rows(connection, "SELECT * FROM steps ORDER BY run_id, step")
            self.tool_calls = rows(connection, "SELECT * FROM tool_calls")
            self.items: dict[str, list[sqlite3.Row]] = {f"a{n}": [] for n in range(AGENTS)}
            for item in rows(connection, "SELECT * FROM items ORDER BY agent_id, idx"):
                self.items[item["agent_id"]].append(item)
        self.open_runs = [run["run_id"] for run in self.runs if run["ended_seq"] is None]

    def check(self) -> None:
        """Check everything that holds at any moment."""
        self.check_messages()
        self.check_runs()
        for agent_id in self.items:
            self.check_conversation(agent_id)
            self.check_calls(agent_id)
        self.check_effects()

    def check_messages(self) -> None:
        """Nothing accepted is lost or sent twice, and everybody who was there is told, nobody else."""
        keys, texts = [m["key"] for m in self.messages], Counter(m["text"] for m in self.messages)
        lost = set(lines(self.world.acks)) - set(keys)
        assert not lost, f"acknowledged, then lost: {sorted(lost)}"
        assert max(texts.values(), default=1) == 1, f"sent twice: {[text for text, n in texts.items() if n > 1]}"
        numbers = [int(key[1:]) for key in keys if key and ":" not in key]
        assert numbers == list(range(len(numbers))), f"the person's messages are out of order: {numbers}"
        told: dict[int, set[str]] = {}
        for delivery in self.deliveries:
            told.setdefault(delivery["seq"], set()).add(delivery["agent_id"])
        for message in self.messages:
            expected = self.members(message) - {message["sender_id"]}
            got = told.pop(message["seq"], set())
            assert expected == got, f"message {message['seq']} reached {got}, its receivers were {expected}"
        assert not told, f"deliveries without a message: {told}"

    def members(self, message: sqlite3.Row) -> set[str]:
        """Return who was to hear a message, at its moment."""
        if message["chat_id"] is None:
            return {message["receiver_id"]}
        return {
            member["agent_id"]
            for member in self.memberships
            if member["chat_id"] == message["chat_id"]
            and member["joined_seq"] < message["seq"]
            and (member["left_seq"] is None or member["left_seq"] > message["seq"])
        }

    def check_runs(self) -> None:
        """No run failed, nobody has two unfinished ones, and the steps of each have no gap."""
        failed = [(run["run_id"], run["error"]) for run in self.runs if run["reason"] not in (None, "silent")]
        assert not failed, f"runs that did not end in silence: {failed}"
        unfinished = Counter(run["agent_id"] for run in self.runs if run["ended_seq"] is None)
        assert max(unfinished.values(), default=0) <= 1, f"two runs at once: {unfinished}"
        for run_id, steps in itertools.groupby(self.steps, key=lambda step: step["run_id"]):
            numbers = [step["step"] for step in steps]
            assert numbers == list(range(len(numbers))), f"the steps of {run_id} are {numbers}"
        held = {step["run_id"] for step in self.steps if step["held"] is not None}
        assert held <= set(self.open_runs), f"tools at work in runs that have ended: {held - set(self.open_runs)}"

    def check_conversation(self, agent_id: str) -> None:
        """Each consumed delivery is in the conversation once, in order, and no other."""
        text_of = {message["seq"]: message["text"] for message in self.messages}
        mine = [d for d in self.deliveries if d["agent_id"] == agent_id]
        consumed = [(d["run_id"], text_of[d["seq"]]) for d in mine if d["state"] == "consumed"]
        items = self.items[agent_id]
        assert [item["idx"] for item in items] == list(range(len(items))), f"{agent_id}'s items have a gap"
        read = [(item["run_id"], m.text) for item in items if item["type"] == "user" for m in heard_in(item)]
        assert consumed == read, f"{agent_id} was given {consumed}, and has read {read}"
        after = [d["state"] for d in mine]
        assert after == sorted(after), f"{agent_id} has read a message before an earlier one: {after}"

    def check_calls(self, agent_id: str) -> None:
        """Each tool call is followed by its output, in its own step, and none is made twice."""
        items, asked = self.items[agent_id], []
        for (run_id, step), group in itertools.groupby(items, key=lambda item: (item["run_id"], item["step"])):
            made = [(item["type"], json.loads(item["payload"])) for item in group if item["type"] != "user"]
            calls = [item["call_id"] for kind, item in made if kind == "function_call"]
            outputs = [item["call_id"] for kind, item in made if kind == "function_call_output"]
            assert calls == outputs, f"{agent_id} in {run_id}, step {step}: calls {calls}, outputs {outputs}"
            kinds = [kind for kind, _ in made]
            assert kinds == sorted(kinds, key="function_call_output".__eq__), f"{agent_id}: an output before its call"
            asked += [key_of(item["arguments"]) for kind, item in made if kind == "function_call"]
        twice = [key for key, n in Counter(filter(None, asked)).items() if n > 1]
        assert not twice, f"{agent_id} did twice: {twice}"

    def check_effects(self) -> None:
        """No tool worked twice, and of each one that worked the log says so."""
        effects = Counter(lines(self.world.effects))
        assert max(effects.values(), default=1) == 1, f"worked twice: {[e for e, n in effects.items() if n > 1]}"
        own = [c for c in self.tool_calls if c["name"] in ("press", "knock")]
        began = {key_of(c["arguments"]) for c in own}
        assert effects.keys() <= began, f"worked before the log knew of it: {effects.keys() - began}"
        ended = {key_of(c["arguments"]) for c in own if c["output"] is not None and not c["failed"]}
        assert ended <= effects.keys(), f"said to have worked, and did not: {ended - effects.keys()}"

    def check_quiet(self) -> None:
        """Everything was answered, as the policy says, and what a call says was sent is there."""
        pending = [tuple(d) for d in self.deliveries if d["state"] == "pending"]
        assert not pending, f"never read: {pending}"
        assert not self.open_runs, f"never ended: {self.open_runs}"
        for agent_id, items in self.items.items():
            payloads = [json.loads(item["payload"]) for item in items]
            output_of = {p["call_id"]: p["output"] for p in payloads if p.get("type") == "function_call_output"}
            calls = [p for p in payloads if "arguments" in p]
            said = {key_of(p["arguments"]) for p in calls} - {""}
            heard = [m for item in items if item["type"] == "user" for m in heard_in(item)]
            wanted = {text for m in heard for acts in plan(agent_id, m) for _, text in acts if text}
            assert wanted == said, f"{agent_id} should have done {wanted}, and did {said}"
            mine = [p for p in calls if p["name"] in ("send_message", "create_chat")]
            told = {key_of(p["arguments"]) for p in mine if not output_of[p["call_id"]].startswith("Error")}
            by_me = {m["text"] for m in self.messages if m["sender_id"] == agent_id}
            assert told == by_me, f"{agent_id} was told that {told} were sent, and sent {by_me}"


def rows(connection: sqlite3.Connection, sql: str) -> list[sqlite3.Row]:
    """Return rows with names."""
    cursor = connection.cursor()
    cursor.row_factory = sqlite3.Row
    return cursor.execute(sql).fetchall()


def heard_in(item: sqlite3.Row) -> tuple[Incoming, ...]:
    """Return the messages in one turn of a conversation."""
    return turn_of(json.loads(item["payload"])["content"]).incoming


def kill_at_random(nursery, worlds: list[World], folder: Path) -> Counter:
    """Kill conversations side by side again and again, check them each time, let them end; return what was counted."""
    chance = random.Random(worlds[0].seed)  # noqa: S311 - to be repeated, not to be unguessable
    counted: Counter = Counter()
    for n in range(KILLS_PER_LOG):
        with ExitStack() as victims:
            lives = [victims.enter_context(victim(nursery, world.live)) for world in worlds]
            if n % 5:  # each fifth may be killed while it is still opening the log
                assert all(ready.poll(60) for _, ready in lives), "a process did not get to work"
            lives[0][0].join(chance.uniform(0.005, 0.120))
        for world in worlds:
            found = Found(world, folder)
            found.check()
            unknown = [c for c in found.tool_calls if c["output"] is None and c["run_id"] in found.open_runs]
            counted.update({"kills": 1, "unfinished runs": len(found.open_runs), "interrupted tools": len(unknown)})
    for world in worlds:
        with world.open() as intercom:
            world.send_next(intercom, len(lines(world.acks)))
            assert intercom.wait(timeout=60) == "quiet"
        found = Found(world, folder)
        found.check()
        found.check_quiet()
        counted.update({table: len(getattr(found, table)) for table in ("messages", "deliveries", "runs", "steps")})
        counted.update({"repeated model calls": world.calls.stat().st_size - len(found.steps)})
    return counted


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(0, LOGS, 2))
def test_killed_at_random_moments_nothing_is_lost_or_done_twice(seed, nursery, tmp_path):
    """Twenty kills of each of two conversations: what was accepted is read once, in order, and answered once."""
    counted = kill_at_random(nursery, [World(tmp_path, seed), World(tmp_path, seed + 1)], tmp_path)

    assert counted["kills"] == 2 * KILLS_PER_LOG
    assert counted["unfinished runs"] > 0, f"no kill came at a bad moment: {counted}"
    assert counted["messages"] > counted["kills"], f"hardly anything was said: {counted}"


# -- kills at named points -----------------------------------------------------------------------------------
def opened(path: Path, tool, replies=None) -> InterComService:
    """Open a log of `two_agents`."""
    return InterComService.open(path, model=ScriptedAssistant(replies), tools=[tool])


@pytest.fixture
def two_agents(tmp_path) -> Path:
    """Give the log of Ann, who has a tool, of Bob and of a person."""

    def press(button: str) -> str:
        return button

    with InterComService("two", model=ScriptedAssistant(), logs=tmp_path) as intercom:
        intercom.add(Agent("Ann", tools=[press]), Agent("Bob"))
        intercom.add_person("You")
        return intercom.log


def hang(connection: Connection, what: object = None) -> None:
    """Say that the point is reached, and stay there."""
    connection.send(what)
    threading.Event().wait()


def presses_for_ever(path: Path, effects: Path, reached: Connection) -> None:
    """Let Ann's tool do its work and never return."""

    def press(button: str) -> str:
        append(effects, button)
        hang(reached)
        return button

    ann = [[call("press", button="red"), call("send_message", chat_id="bob", message="I pressed it.")], "Done."]
    intercom = opened(path, press, {"Ann": ann})
    intercom.start()
    intercom.send_message("Press it.", "ann", "you")
    threading.Event().wait()


def test_killed_while_a_tool_works_it_is_not_called_again(nursery, two_agents, tmp_path):
    """After the crash the model is told that the outcome is not known, and the rest of its step is carried out once."""
    effects = tmp_path / "effects"
    effects.touch()
    with victim(nursery, presses_for_ever, two_agents, effects) as (_, reached):
        assert reached.poll(60)

    def press(button: str) -> str:
        append(effects, f"{button} again")
        return button

    with opened(two_agents, press) as intercom:
        assert intercom.wait(60) == "quiet"
        conversation = intercom["ann"].conversation

    assert lines(effects) == ["red"]
    outputs = [item["output"] for item in conversation if item.get("type") == "function_call_output"]
    assert outputs[0].startswith("Error: the process ended while this tool was at work")
    assert outputs[1].startswith("sent to bob")
    assert [message.text for message in intercom_messages(two_agents)] == ["Press it.", "I pressed it."]


def intercom_messages(path: Path) -> list:
    """Return the messages of a log that no service writes."""
    intercom = opened(path, named_press())
    messages = intercom.messages
    intercom.stop()
    return messages


def named_press():
    """Return a tool named press."""

    def press(button: str) -> str:
        return button

    return press


def accepts_and_never_tells(path: Path, reached: Connection) -> None:
    """Accept a message, and be killed before anybody could note the acknowledgement."""
    message = opened(path, named_press()).send_message("Hello", "bob", "you", key="one")
    hang(reached, message.id)


def test_killed_between_accept_and_acknowledgement_a_retry_gives_the_same_message(nursery, two_agents):
    """The same key gives the message that was accepted before the crash, and Bob reads it once."""
    with victim(nursery, accepts_and_never_tells, two_agents) as (_, reached):
        assert reached.poll(60)
        accepted = reached.recv()

    with opened(two_agents, named_press()) as intercom:
        again = intercom.send_message("Hello", "bob", "you", key="one")
        assert intercom.wait(60) == "quiet"
        turns = [item["content"] for item in intercom["bob"].conversation if item.get("role") == "user"]

        assert accepted == again.id
        assert [accepted] == [message.id for message in intercom.messages]
        assert [turn.count("Hello") for turn in turns] == [1]


def stops_half_way_through_a_transaction(path: Path, reached: Connection) -> None:
    """Write the message, and be killed before its delivery is written and both are committed."""
    whole = Posted.statement

    def half(self: Posted):
        sql, values = whole(self)
        return sql, itertools.chain(values, stop_here())

    def stop_here():
        hang(reached)
        yield ()

    Posted.statement = half
    opened(path, named_press()).send_message("Hello", "bob", "you", key="one")


def test_killed_half_way_through_a_transaction_nothing_of_it_is_left(nursery, two_agents):
    """A message that was not acknowledged and not whole is gone, and can be sent again under its key."""
    with victim(nursery, stops_half_way_through_a_transaction, two_agents) as (_, reached):
        assert reached.poll(60)

    with opened(two_agents, named_press()) as intercom:
        before = list(intercom.messages)
        intercom.send_message("Hello", "bob", "you", key="one")
        assert intercom.wait(60) == "quiet"

        assert before == []
        assert [message.text for message in intercom.messages] == ["Hello"]


def commits_and_never_rings(path: Path, reached: Connection) -> None:
    """Make a message durable, and be killed before its receiver is told."""
    intercom = opened(path, named_press())
    intercom._runs.deliver = lambda *_, **__: hang(reached)
    intercom.start()
    intercom.send_message("Hello", "bob", "you")


def test_killed_between_commit_and_ring_the_receiver_reads_it_afterwards(nursery, two_agents):
    """What is in the log is delivered by whoever opens it next."""
    with victim(nursery, commits_and_never_rings, two_agents) as (_, reached):
        assert reached.poll(60)

    with opened(two_agents, named_press()) as intercom:
        assert intercom.wait(60) == "quiet"

        assert "Hello" in intercom["bob"].conversation[0]["content"]


def thinks_for_ever(path: Path, reached: Connection) -> None:
    """Be killed when the model was asked and its answer is not in the log."""
    intercom = opened(path, named_press(), {"Bob": partial(asked, reached)})
    intercom.start()
    intercom.send_message("Hello", "bob", "you")
    threading.Event().wait()


def asked(reached: Connection, request: dict) -> str:
    """Pass the request on and stay there."""
    hang(reached, request)
    return "never"


def test_killed_during_a_model_call_the_same_request_is_made_again(nursery, two_agents):
    """Only a model call can repeat, and it repeats to the letter."""
    with victim(nursery, thinks_for_ever, two_agents) as (_, reached):
        assert reached.poll(60)
        request = reached.recv()

    model = ScriptedAssistant({"Bob": [call("send_message", chat_id="you", message="Hello, you."), "Done."]})
    with InterComService.open(two_agents, model=model, tools=[named_press()]) as intercom:
        assert intercom.wait(60) == "quiet"

        assert request == model.requests_of("Bob")[0]
        assert [message.text for message in intercom["you"].inbox] == ["Hello, you."]
        assert [intercom.reason] == ["quiet"]
