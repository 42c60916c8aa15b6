"""What an agent's turn costs, beside a bare loop on the same client: CPU in one process, taking turns.

A turn is: an agent gets a message from another one, its model calls `send_message`, the message is accepted (durably,
in a log on disk, with thread logs) and wakes the next agent, the model is asked once more and falls silent. The limit L
is ``responses.create(extra_body=…)`` on one shared client of the same transport, for the same two requests, and nothing
kept. Beside it stands what a message from a cell costs: sent, answered by one model call, waited for, one after the
other. The server is a process of its own.
Prints a table and writes ``benchmarks/results/turns.json``; the exit status says whether the goals are met.

    python benchmarks/turns.py [--repeats 7] [--only turn log reaction peer] [--peer-python PATH]

``--peer-python`` is the Python of an environment with openai-agents in it; without one, that part is left out.
"""

import argparse
import asyncio
import contextlib
import json
import math
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import httpx2
import openai
from fake_server import FakeServer
from goals import Goals

from intercom_nb import Agent, InterComService, Limits
from intercom_nb.log.facts import Posted
from intercom_nb.routing.chat_tools import CHAT_TOOLS
from intercom_nb.texts.turns import ChatEntry, chat_list_text

AGENTS = 16
OTHERS = 4  # with whom a service warms up
SIZES = {1: None, 6: 0.60, 50: 0.25, 200: 0.15}  # items → the goal beside plain `responses.create`
LOG_ROUNDS = 4  # in a row, of one kind: the difference is small beside what else moves
WARM = 4  # items of one turn
PEER_ITEMS = 30
UNLIMITED = Limits(runs=math.inf, tokens=math.inf, usd=math.inf, seconds=math.inf)
TEXT = "What do you think of the second draft, and what should be in the third? The plan is due on Friday, page {}."
FIELDS = """accounting advertising analytics architecture banking biology branding chemistry contracts customs design
energy events farming fashion finance gardens geology history hospitals housing insurance journalism languages law
logistics mathematics medicine mining music networks nutrition patents payroll pensions photography physics planning
politics pricing printing privacy recycling research retail robotics sales schools security shipping software sports
statistics taxes textiles theatre tourism traffic translation transport travel vaccines video weather
"""
TOOLS = [tool.schema for tool in CHAT_TOOLS.values()]


def settings_of(server):
    """Return the settings of a service whose agents the fake server answers."""
    return {"model": "fake", "base_url": server.url, "api_key": "none", "limits": UNLIMITED}


def opening_of(server):
    """Return with what a log is opened; its own model stays, and no limit that it had is left."""
    return {name: value for name, value in settings_of(server).items() if name != "model"}


def service(server, logs, **more):
    """Return a service whose agents the fake server answers."""
    name = "bench" if logs else "bench without log"  # so that both may run
    return InterComService(name, logs=logs, **settings_of(server), **more)


def add_agents(intercom, n, *, name="Agent"):
    """Add n agents with descriptions of usual length."""
    draw = random.Random(n)  # noqa: S311 - nothing secret
    fields = [", ".join(draw.sample(FIELDS.split(), 3)) for _ in range(n)]
    intercom.add(*(Agent(f"{name} {k}", description=f"Knows {field}.") for k, field in enumerate(fields)))
    return intercom.registry.get_agents()


def let_all_turn(intercom, agents, page):
    """Let each agent have a turn, one after the other."""
    for agent in agents:
        let_all_turn_at_once(intercom, [agent], page)


def let_all_turn_at_once(intercom, agents, page):
    """Let all agents have a turn at the same time."""
    for agent in agents:
        writer = "agent-1" if agent.id == "agent-0" else "agent-0"
        intercom.send_message(TEXT.format(page), agent.id, writer)
    intercom.wait(progress=False)


def seeded_log(server, folder, items):
    """Return a log whose agents have almost so many items each: their next turn makes it that many, or one more."""
    with service(server, folder) as intercom:
        agents = add_agents(intercom, AGENTS + OTHERS)[:AGENTS]
        for page in range(items // 2):
            let_all_turn_at_once(intercom, agents, page)
    return intercom.log.path


@contextlib.contextmanager
def opened(server, log, folder):
    """Give a service that goes on with a copy of a log, and its agents; it is warm, and has read what it will."""
    copy = Path(tempfile.mkdtemp(dir=folder)) / log.name
    shutil.copy(log, copy)
    with InterComService.open(copy, **opening_of(server)) as intercom:
        agents = intercom.registry.get_agents()
        pass_on(intercom, agents[AGENTS:], 0)
        lift_pace(intercom)
        agents = agents[:AGENTS]
        for agent in agents:
            assert agent.conversation is not None
        yield intercom, agents


def pass_on(intercom, agents, page):
    """Let a message go round: one agent after the other gets it and sends it on."""
    numbers = [agent.id.rpartition("-")[2] for agent in agents[1:]]
    intercom.send_message(passing(numbers, page), agents[0].id, agents[-1].id)
    assert intercom.wait(60, progress=False) == "quiet"


def pass_on_at_once(intercom, agents, page):
    """Let all agents send a message on to the next one, at the same time; return what that takes once they may."""
    intercom.pause()
    for k, agent in enumerate(agents):
        intercom.send_message(passing([(k + 1) % len(agents)], page), agent.id, agents[k - 1].id)
    return cpu_of(go_on, intercom)


def go_on(intercom):
    """Let all go on until nobody has anything to do."""
    intercom.resume()
    assert intercom.wait(60, progress=False) == "quiet"


def passing(receivers, page):
    """Return the text of a message that the fake server has sent on to these agents, one after the other."""
    return f"PASS {' '.join(map(str, receivers))} |{TEXT.format(page)}"


def lift_pace(intercom):
    """Let calls begin without a pace, as they do after two seconds of work without a refusal."""
    for client in intercom._engine.models._clients.values():
        client.limiter.pace.rate = math.inf


def cpu_of(work, *arguments):
    """Return the CPU microseconds that some work takes this process."""
    before = time.process_time()
    work(*arguments)
    return (time.process_time() - before) * 1e6


class Bare:
    """The loop to compare with: one shared client, on a loop of its own, in the main thread."""

    def __init__(self, server):
        self._runner = asyncio.Runner()
        limits = httpx2.Limits(max_connections=64, max_keepalive_connections=64)
        http = openai.DefaultAioHttpClient(limits=limits)
        self.client = openai.AsyncOpenAI(base_url=server.url, api_key="none", http_client=http, max_retries=0)

    def run(self, coroutine):
        """Run something on its loop."""
        return self._runner.run(coroutine)

    async def limit(self, requests):
        """Ask for each request, as cheaply as the client's own method can."""
        for request in requests:
            rest = {"input": request["input"], "tools": request["tools"]}
            await self.client.responses.create(
                model="fake", instructions=request["instructions"], store=False, stream=False, extra_body=rest
            )

    async def limit_at_once(self, requests):
        """Ask for all of them at the same time."""
        await asyncio.gather(*(self.limit([request]) for request in requests))

    async def plain(self, requests):
        """Ask for each request, as everybody does."""
        for request in requests:
            await self.client.responses.create(model="fake", store=False, **request)

    def close(self):
        """Close the client and its loop."""
        self.run(self.client.close())
        self._runner.close()


def requests_of(intercom, agents):
    """Return what the agents sent in their last turns, one request for each step."""
    requests = []
    for agent in agents:
        items = agent.conversation
        turn = max(n for n, item in enumerate(items) if item.get("role") == "user")
        shown = chat_list_text(ChatEntry(**entry) for entry in intercom.get_chat_list_for(agent.id))
        items[turn] = {**items[turn], "content": f"Chat list:\n{shown}\n\n{items[turn]['content']}"}
        outputs = [n for n, item in enumerate(items) if n > turn and item.get("type") == "function_call_output"]
        told = {"instructions": agent.instructions, "tools": TOOLS}
        requests += [{"input": items[: n + 1], **told} for n in (turn, *outputs)]
    return requests


def pairs(server, bare, *, items, repeats, folder):
    """Return CPU per model call of ours, of the limit and of plain calls, one of each a repeat."""
    warm = items > WARM  # an agent's first turn opens its thread log, among other things
    log = seeded_log(server, folder, items - WARM * warm)
    ours = {
        "turns": lambda *given: cpu_of(pass_on, *given),
        "at_once": pass_on_at_once,
        "cell": lambda *given: cpu_of(let_all_turn, *given),
    }
    taken = {kind: [] for kind in (*ours, "limit", "limit_at_once", "plain")}
    requests = []
    for repeat in range(repeats + 1):
        found = {}
        kinds = list(taken) if requests else ["turns"]
        random.Random(repeat).shuffle(kinds)  # noqa: S311 - whatever else the computer does meets all of them
        for kind in kinds:
            if kind in ours:
                with opened(server, log, folder) as (intercom, agents):
                    if warm:
                        pass_on(intercom, agents, 998)
                    assert {len(agent.conversation) for agent in agents[:-1]} == {items // 2 * 2}
                    steps = intercom.spent.steps
                    cpu = ours[kind](intercom, agents, 999)
                    found[kind] = cpu / (intercom.spent.steps - steps)
                    requests = requests or requests_of(intercom, agents)
            else:
                found[kind] = cpu_of(bare.run, getattr(bare, kind)(requests)) / len(requests)
        if repeat:  # the first one warms everything
            for kind, figure in found.items():
                taken[kind].append(figure)
    return taken


def ratios(taken, ours, theirs):
    """Return the ratio of each pair."""
    return [a / b for a, b in zip(taken[ours], taken[theirs], strict=True)]


def measure_turns(goals, server, *, repeats, folder):
    """Measure the CPU of a turn for each of its model calls, beside the limit and beside plain calls."""
    bare = Bare(server)
    own = {}
    for items, goal in SIZES.items():
        taken = pairs(server, bare, items=items, repeats=repeats, folder=folder)
        turn = f"turn with {items} items"
        goals.add(f"{turn}: L, CPU of a model call", taken["limit"], unit="µs")
        goals.add(f"{turn}: ours, CPU of a model call", taken["turns"], unit="µs")
        goals.add(f"{turn} ÷ L", ratios(taken, "turns", "limit"), most=1.25)
        goals.add(f"{turn} ÷ L, {AGENTS} at once", ratios(taken, "at_once", "limit_at_once"), most=1.25)
        goals.add(f"{turn} ÷ plain responses.create", ratios(taken, "turns", "plain"), most=goal)
        goals.add(f"{turn} ÷ L, from a cell and waited for", ratios(taken, "cell", "limit"))
        own[items] = statistics.median(a - b for a, b in zip(taken["turns"], taken["limit"], strict=True))
    goals.add("CPU beyond L, at 200 items less at 1 item", own[200] - own[1], unit="µs")
    bare.close()


def measure_log(goals, server, *, repeats, folder):
    """Measure the CPU of a turn with the log and thread logs on disk, beside the same in memory.

    They say the same again and again, so nobody may mind.
    """
    taken = {"log": [], "memory": []}
    with service(server, folder, courtesy=False) as on, service(server, None, courtesy=False) as off:
        sides = {"log": (on, add_agents(on, AGENTS)), "memory": (off, add_agents(off, AGENTS))}
        for intercom, agents in sides.values():
            let_all_turn_at_once(intercom, agents, 999)
            lift_pace(intercom)
        for repeat in range(2 * repeats + 1):
            for kind in sorted(sides, reverse=repeat % 2 == 1):
                steps = sides[kind][0].spent.steps
                cpu = sum(pass_on_at_once(*sides[kind], page) for page in range(LOG_ROUNDS))
                taken[kind] += [cpu / (sides[kind][0].spent.steps - steps)] if repeat else []
    goals.add(f"log on ÷ log off, CPU of a turn, {AGENTS} agents at once", ratios(taken, "log", "memory"), most=1.05)


def measure_reaction(goals, server, *, repeats, folder):
    """Measure the time from a message's acceptance to the arrival of its receiver's request at the server."""
    accepted = []
    with service(server, folder) as intercom:
        agents = add_agents(intercom, 20)
        let_all_turn(intercom, agents, 0)
        lift_pace(intercom)
        note = time.monotonic_ns
        intercom._engine.log.watch(lambda facts: accepted.append(note()) if isinstance(facts[0], Posted) else None)
        server.counts()
        for page in range(1, repeats + 1):
            let_all_turn(intercom, agents, page)
        request = requests_of(intercom, agents[:1])[0]
    ours = [(arrived - at) / 1e6 for at, arrived in zip(accepted, server.counts()["arrived_ns"], strict=True)]
    bare = Bare(server)
    request["input"] = request["input"][repeats:]  # as long as they were on average
    theirs = bare.run(reactions(bare, server, [request] * len(ours)))
    bare.close()
    polled = polling(repeats * 20)
    goals.add("accepted → request arrives, bare queue and task", theirs, unit="ms")
    goals.add("accepted → request arrives, ours", ours, unit="ms")
    beyond = statistics.median(ours) - statistics.median(theirs)
    goals.add("accepted → request arrives, beyond bare", beyond, most=0.5, unit="ms")
    goals.add("the same, polling once a second (wake-up alone)", polled, unit="ms")
    goals.add("polling ÷ what ours takes beyond bare", statistics.median(polled) / max(beyond, 0.001), least=500)


async def reactions(bare, server, requests):
    """Return how long each request took to arrive, put into a queue that a task waits on."""
    queue, put, done = asyncio.Queue(), [], asyncio.Event()

    async def agent():
        while True:
            await bare.limit([await queue.get()])
            done.set()

    task = asyncio.create_task(agent())
    server.counts()
    for request in requests:
        put.append(time.monotonic_ns())
        queue.put_nowait(request)
        await done.wait()
        done.clear()
    task.cancel()
    return [(arrived - at) / 1e6 for at, arrived in zip(put, server.counts()["arrived_ns"], strict=True)]


def polling(n):
    """Return how late threads notice a message that look once a second, as the seed's agents do."""
    put, late = {}, []

    def agent(k):
        while k not in put:
            time.sleep(1)
        late.append((time.monotonic() - put[k]) * 1e3)

    threads = [threading.Thread(target=agent, args=(k,)) for k in range(n)]
    for thread in threads:
        thread.start()
        time.sleep(2 / n)  # so that the moments at which they look are spread over a second
    for k in range(n):
        put[k] = time.monotonic()
    for thread in threads:
        thread.join()
    return late


def measure_peer(goals, server, *, repeats, folder, python):
    """Measure the CPU of a turn, for each of its model calls, beside openai-agents with the same items."""
    if python is None:
        print("openai-agents: left out; --peer-python names a Python that has it")
        return
    bare = Bare(server)
    log = seeded_log(server, folder, PEER_ITEMS)
    with opened(server, log, folder) as (intercom, agents):
        let_all_turn(intercom, agents, 0)
        requests = requests_of(intercom, agents)
    bare.close()
    asked = json.dumps({"url": server.url, "requests": requests})
    found = []
    for _ in range(repeats):
        with opened(server, log, folder) as (intercom, agents):
            steps = intercom.spent.steps
            ours = cpu_of(pass_on, intercom, agents, 999) / (intercom.spent.steps - steps)
        command = [python, str(Path(__file__).with_name("peer.py"))]
        peer = subprocess.run(command, input=asked, capture_output=True, text=True, check=True).stdout  # noqa: S603 - given
        found.append(ours / float(peer))
    goals.add(f"turn with {PEER_ITEMS} items ÷ openai-agents", found, most=0.25)


def main():
    """Measure the parts that were asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parts = {"turn": measure_turns, "log": measure_log, "reaction": measure_reaction, "peer": measure_peer}
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--only", nargs="+", choices=parts, default=list(parts))
    parser.add_argument("--peer-python")
    given = parser.parse_args()
    goals = Goals("turns")
    with FakeServer() as server, tempfile.TemporaryDirectory() as folder:
        for part in given.only:
            more = {"python": given.peer_python} if part == "peer" else {}
            parts[part](goals, server, repeats=given.repeats, folder=Path(folder), **more)
    return goals.close()


if __name__ == "__main__":
    sys.exit(main())
