"""What this checkout costs beside another one: the same work in two processes that take turns, as paired ratios.

Each process imports its own checkout and does one piece of work at a time, CPU seconds counted, all threads; who goes
first alternates. What is said of each piece is the median of the paired ratios, this checkout's figure divided by the
other's, and its 95 % interval by order statistics, which holds whatever the ratios' distribution is. Only a piece whose
whole interval lies above `--most` is a loss. Prints a table and writes ``benchmarks/results/against.json``; the exit
status says whether there was a loss.

    git worktree add ../before some-commit
    python benchmarks/against.py ../before [--pairs 25] [--most 1.1] [--only turn group open]

Pieces use what a user can call, so that both checkouts know it; what differs between them stands in `Side`.
"""

import argparse
import gc
import inspect
import json
import math
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from fake_server import FakeServer
from goals import Goals
from roles import mission

from intercom_nb import Agent, InterComService, Limits

ROOT = Path(__file__).parents[1]
AGENTS, OTHERS = 16, 2  # who turns; who warms up
WARM = 4  # items of one turn
SENT, GROUP, GROUP_SENT, IDLE, STORED, RING, STAR = 400, 100, 100, 1_000, 5_000, 60, 40
UNLIMITED = Limits(runs=math.inf, tokens=math.inf, usd=math.inf, seconds=math.inf)
TEXT = "What do you think of the second draft, and what should be in the third? The plan is due on Friday, page {}."


class Side:
    """What one checkout does, in its own process.

    Parameters
    ----------
    servers : dict of str to str
        Addresses: of the server that passes messages on, and of the one that plays roles.
    folder : Path
        For its logs.
    """

    def __init__(self, servers, folder):
        self._servers = servers
        self._folder = folder
        self._logs = {}

    def service(self, name="bench", *, server="pass", logs=..., **more):
        """Return a service whose agents a server answers."""
        told = {"model": "fake", "base_url": self._servers[server], "api_key": "none", "limits": UNLIMITED}
        where = tempfile.mkdtemp(dir=self._folder) if logs is ... else logs
        return InterComService(name, logs=where, **told, **more)

    def opened(self, log):
        """Return a service that goes on with a copy of a log."""
        copy = Path(tempfile.mkdtemp(dir=self._folder), log.name)
        shutil.copy(log, copy)
        told = {"base_url": self._servers["pass"], "api_key": "none", "limits": UNLIMITED}
        known = inspect.signature(InterComService.open).parameters
        if any(one.kind is one.VAR_KEYWORD for one in known.values()):
            told["model"] = "fake"
        return InterComService.open(copy, **told)

    # -- pieces of work: each returns CPU seconds, and by what to divide them

    def turn(self, items):
        """Let a message go round among agents that have so many items each."""
        warm = WARM if items > WARM else 0
        with self.opened(self._seeded(items - warm)) as intercom:
            agents = intercom.registry.get_agents()
            pass_on(intercom, agents[AGENTS:])
            lift_pace(intercom)
            if warm:
                pass_on(intercom, agents[:AGENTS])
            steps = intercom.spent.steps
            cpu = cpu_of(pass_on, intercom, agents[:AGENTS])
            return cpu, intercom.spent.steps - steps

    def _seeded(self, items):
        if items not in self._logs:
            with self.service() as intercom:
                agents = add_agents(intercom, AGENTS + OTHERS)
                for page in range(items // 2):
                    for agent in agents[:AGENTS]:
                        writer = "agent-1" if agent.id == "agent-0" else "agent-0"
                        intercom.send_message(TEXT.format(page), agent.id, writer)
                    intercom.wait(progress=False)
            self._logs[items] = intercom.log.path
        return self._logs[items]

    def accepted(self, where):
        """Accept messages of one agent to another, one after the other."""
        intercom = self.service("accepting", logs=None if where == "memory" else ..., courtesy=False)
        add_agents(intercom, 2)
        intercom.send_message("Hello", "agent-0", "agent-1")
        texts = [TEXT.format(page) for page in range(SENT)]
        cpu = cpu_of(lambda: [intercom.send_message(text, "agent-0", "agent-1") for text in texts])
        intercom.stop()
        return cpu, SENT

    def group(self):
        """Accept messages to a group, for each of its receivers."""
        intercom = self.service("group", courtesy=False)
        ids = [agent.id for agent in add_agents(intercom, GROUP + 1)]
        chat = intercom.create_chat(ids[1:], "Everybody", "All of us.", ids[0])
        texts = [TEXT.format(page) for page in range(GROUP_SENT)]
        cpu = cpu_of(lambda: [intercom.send_message(text, chat.id, ids[0]) for text in texts])
        intercom.stop()
        return cpu, GROUP_SENT * GROUP

    def idle(self):
        """Make a service with agents that have nothing to do, start it and let it go."""

        def live():
            intercom = self.service("idle")
            add_agents(intercom, IDLE)
            intercom.start()
            intercom.stop()

        return cpu_of(live), 1

    def open(self):
        """Open a log of many messages and let it go."""
        if "many" not in self._logs:
            intercom = self.service("many", courtesy=False)
            agents = add_agents(intercom, AGENTS)
            for page in range(STORED):
                receiver = agents[page % AGENTS].id
                intercom.send_message(TEXT.format(page), receiver, agents[(page + 1) % AGENTS].id)
            intercom.stop()
            self._logs["many"] = intercom.log.path
        return cpu_of(lambda: self.opened(self._logs["many"]).stop()), 1

    def shape(self, kind):
        """Let a ring or a star of agents talk until it is quiet, for each model call."""
        n = RING if kind == "ring" else STAR
        ring = [{"tell": [(k + 1) % n]} for k in range(n)]
        star = [{"tell": range(1, n), "gather": n - 1}, *[{"answer": True}] * (n - 1)]
        with self.service("shape", server="roles", context=10**8) as intercom:
            for k, role in enumerate(ring if kind == "ring" else star):
                intercom.add(Agent(f"Agent {k}", description="Knows maps.", mission=mission("plans", **role)))
            lift_pace(intercom)

            def talk():
                intercom.registry.get_agent("agent-0").begin()
                assert intercom.wait(120, progress=False) == "quiet"

            return cpu_of(talk), intercom.spent.steps


def add_agents(intercom, n):
    """Add n agents with descriptions of usual length, and return them."""
    draw = random.Random(n)  # noqa: S311 - nothing secret
    words = [
        "accounting",
        "biology",
        "contracts",
        "design",
        "energy",
        "farming",
        "geology",
        "history",
        "insurance",
        "law",
        "mining",
        "physics",
    ]
    fields = [", ".join(draw.sample(words, 3)) for _ in range(n)]
    intercom.add(*(Agent(f"Agent {k}", description=f"Knows {field}.") for k, field in enumerate(fields)))
    return intercom.registry.get_agents()


def pass_on(intercom, agents):
    """Let a message go round: one agent after the other gets it and sends it on."""
    numbers = " ".join(agent.id.rpartition("-")[2] for agent in agents[1:])
    intercom.send_message(f"PASS {numbers} |{TEXT.format(999)}", agents[0].id, agents[-1].id)
    assert intercom.wait(60, progress=False) == "quiet"


def lift_pace(intercom):
    """Let calls begin without a pace, as they do after two seconds of work without a refusal."""
    engine = getattr(intercom, "_engine", intercom)
    models = getattr(engine, "models", None) or engine._models
    for client in models._clients.values():
        client.limiter.pace.rate = math.inf


def cpu_of(work, *arguments):
    """Return the CPU seconds that some work takes this process."""
    gc.collect()
    before = time.process_time()
    work(*arguments)
    return time.process_time() - before


PIECES = {
    "turn, 1 item": ("turn", 1),
    "turn, 6 items": ("turn", 6),
    "turn, 50 items": ("turn", 50),
    "turn, 200 items": ("turn", 200),
    "accepted message, in memory": ("accepted", "memory"),
    "accepted message, FULL": ("accepted", "disk"),
    f"delivery in a group of {GROUP}": ("group",),
    f"{IDLE:,} idle agents": ("idle",),
    f"open a log of {STORED:,} messages": ("open",),
    f"ring of {RING}, a model call": ("shape", "ring"),
    f"star of {STAR}, a model call": ("shape", "star"),
}


def serve(servers):
    """Do pieces of work as they are named on standard input; print their CPU seconds."""
    with tempfile.TemporaryDirectory() as folder:
        side = Side(servers, Path(folder))
        for line in sys.stdin:
            method, *arguments = PIECES[line.strip()]
            cpu, n = getattr(side, method)(*arguments)
            print(json.dumps(cpu / n), flush=True)


class Process:
    """One checkout's process, seen from here."""

    def __init__(self, checkout, servers):
        here = str(Path(__file__).parent)
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(checkout), here])}
        command = [sys.executable, __file__, "--serve", json.dumps(servers)]
        self._process = subprocess.Popen(  # noqa: S603 - ours
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment, cwd=checkout
        )

    def do(self, piece):
        """Do one piece of work; return its CPU seconds."""
        self._process.stdin.write(piece + "\n")
        self._process.stdin.flush()
        return float(json.loads(self._process.stdout.readline()))

    def close(self):
        """End it."""
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()


def interval(ratios):
    """Return the 95 % interval of a median, by order statistics.

    >>> interval(list(range(1, 26)))
    (8, 18)
    """
    n, ordered = len(ratios), sorted(ratios)
    below, k = 0.0, 0
    while below + math.comb(n, k) / 2**n <= 0.025:
        below += math.comb(n, k) / 2**n
        k += 1
    return ordered[max(k - 1, 0)], ordered[min(n - k, n - 1)]


def main():
    """Compare, print and store; the exit status says whether anything was lost."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("other", type=Path, nargs="?")
    parser.add_argument("--pairs", type=int, default=25)
    parser.add_argument("--most", type=float, default=1.10)
    parser.add_argument("--only", nargs="+", default=[""], metavar="WORD", help="pieces whose names begin with one")
    parser.add_argument("--serve", type=json.loads, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve:
        serve(given.serve)
        return 0
    if given.other is None or not (given.other / "intercom_nb").is_dir():
        parser.error(f"{given.other}: name the other checkout, a folder with intercom_nb in it")
    goals, lost = Goals("against"), 0
    with FakeServer() as passing, FakeServer("roles") as playing:
        servers = {"pass": passing.url, "roles": playing.url}
        sides = [Process(checkout, servers) for checkout in (ROOT, given.other.resolve())]
        for piece in (name for name in PIECES if name.startswith(tuple(given.only))):
            taken = pairs(sides, piece, given.pairs)
            ratios = [ours / theirs for ours, theirs in taken]
            low, high = interval(ratios)
            lost += low > given.most
            own, other = (1e6 * statistics.median(side) for side in zip(*taken, strict=True))
            figures = {"ours, µs": own, "theirs, µs": other, "ratio": statistics.median(ratios)}
            goals.row(piece, {**figures, "from": low, "to": high, "lost": int(low > given.most)})
        for side in sides:
            side.close()
    goals.close()
    return int(lost > 0)


def pairs(sides, piece, n):
    """Return n pairs of CPU seconds, after one that warms everything."""
    for side in sides:
        side.do(piece)
    taken = []
    for k in range(n):
        first = k % 2
        found = {which: sides[which].do(piece) for which in (first, 1 - first)}
        taken.append((found[0], found[1]))
    return taken


if __name__ == "__main__":
    sys.exit(main())
