"""A society that a test kills: twenty agents whose every word follows from what they heard, and occurs once."""

import asyncio
import hashlib
import itertools
import json
import os
import time
from functools import lru_cache
from multiprocessing.connection import Connection
from pathlib import Path

from intercom_nb import Agent, Call, InterComService, Limits, ScriptedAssistant, call
from intercom_nb.texts.instructions import identity
from intercom_nb.texts.turns import Incoming, Turn, read_turn

AGENTS = 20
DEPTH = 3  # answers to answers: makes what follows from one message of the person finite
THANKS, MOST_THANKS = "Thank you, thank you! ", 8  # thanks for thanks: more of them than the guard lets through
LIMITS = Limits(steps_per_run=1_000, runs=10**9, tokens=10**12, seconds=3_600)

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
    if text.startswith(THANKS):
        return [[("reply", THANKS + text)]] if heard.type == "agent" and text.count(THANKS) < MOST_THANKS else []
    say, more = f"{text}/{own_id}.0", f"{text}/{own_id}.1"
    press, knock = f"{text}#{own_id}.press", f"{text}#{own_id}.knock"
    thanks = THANKS + "".join(chr(ord("a") + int(digit)) for digit in str(drawn))  # a number would be something new
    if text.count("/") >= DEPTH:
        return [[[("press", press)]], [[("reply", thanks)]], [], []][drawn % 4]
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
        [[("say", say)], [("reply", thanks)]],
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
            assert intercom.log.path is not None
            self.log = intercom.log.path

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
        return InterComService.open(self.log, model=model, tools=[self.press, self.knock], limits=LIMITS)

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
