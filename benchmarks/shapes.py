"""What shapes of conversation cost, and what one slow or failing agent does to the rest.

Five shapes at 10, 100 and 1,000 agents: a ring (a word passed on once around), a star (a centre asks all, each
answers), gossip (whoever hears a rumour for the first time tells four others, drawn with a seed), a chain of command
(teams of ten: orders go down, each superior reports once all of its team have), and one room of at most 200 (one member
opens it, five others say something, all hear it; whoever is not in it is idle). Agents decide by roles that a scripted
model reads from their missions (`roles`), on a server of its own process; all they say goes through real tool calls and
a log on disk, with thread logs. Settings are the defaults, courtesy and its guard included; lifted are the limits, the
compaction of long conversations, and the slow beginning that a server of unknown limits is given.

What must come out is foreseen by playing the roles without the package. Messages are the same in every run; model
calls are the same in a ring, elsewhere they lie between two bounds, for messages that arrive during a call are read
together. Every run is held to both, and ends quiet, or the benchmark fails. "One by one" are the calls if none were. A
slow agent takes 10 s a call, a failing one's model answers HTTP 400; the rest is what does not wait for that agent's
word. A thousand agents run once, whatever the repeats. Prints tables and writes ``benchmarks/results/shapes.json``;
the exit status says whether the goals are met.

    python benchmarks/shapes.py [--repeats 3] [--sizes 10 100 1000] [--only shape slow failing together]
"""

import argparse
import math
import random
import statistics
import sys
import tempfile
import threading
import time
from collections import deque
from dataclasses import dataclass
from pathlib import Path

from fake_server import FakeServer
from goals import Goals
from roles import mission
from turns import FIELDS, lift_pace, settings_of

from intercom_nb import Agent, InterComService, messages_df, runs_df, steps_df

UNCOMPACTED = 10**8  # tokens of a conversation
TOLD_EACH, TEAM, SPEAKERS, ROOM = 4, 10, 5, 200
SIZES, LARGE = [10, 100, 1_000], 1_000  # agents; so many run once, whatever the repeats
SIZE = 100  # of the shapes with a slow or a failing agent
SLOW_S, APART_S = 10, 4
HELD_S = 2  # how long the call lasts during which messages arrive


# Shapes: a role for each agent; agent 0 begins.


def ring(n):
    """Let each tell the next; the first hears its word again."""
    return [{"tell": [(k + 1) % n]} for k in range(n)]


def star(n):
    """Let the first ask all others, and each answer."""
    return [{"tell": range(1, n), "gather": n - 1}, *[{"answer": True}] * (n - 1)]


def gossip(n):
    """Let each tell four others, the first time."""
    draw = random.Random(n)  # noqa: S311 - nothing secret
    return [{"tell": draw.sample([m for m in range(n) if m != k], TOLD_EACH)} for k in range(n)]


def chain(n):
    """Let agent k command the ten from 10 k + 1; whoever commands nobody reports at once."""
    teams = [range(TEAM * k + 1, min(TEAM * (k + 1), n - 1) + 1) for k in range(n)]
    return [{"tell": team, "gather": len(team), "answer": k > 0} for k, team in enumerate(teams)]


def room(n):
    """Let the first open a group, a few speak in it, and the rest listen; those beyond 200 are not in it."""
    members = min(n, ROOM)
    speakers = [{"answer": True}] * SPEAKERS
    return [{"tell": range(1, members), "chat": True}, *speakers, *[{}] * (n - 1 - SPEAKERS)]


SHAPES = {"ring": ring, "star": star, "gossip": gossip, "chain of command": chain, "room": room}
ODD_ONE = {"ring": 50, "star": 3, "gossip": 3, "chain of command": 50, "room": 3}  # slow or failing
SLOW = ["star", "gossip", "room"]


@dataclass
class Foreseen:
    """What a shape must come to: messages, steps with tool calls, bounds of runs; what an agent left out received."""

    messages: int = 0
    acting: int = 0
    least_runs: int = 0
    most_runs: int = 0
    received: int = 0


class Played:
    """One agent of a shape, played."""

    def __init__(self, own, tell=(), *, chat=False, gather=0, answer=False):
        self.own, self.tell, self.chat, self.gather, self.answer = own, tell, chat, gather, answer
        self.teller, self.heard, self.reports = (), 0, 0

    def hear(self, teller, *, report):
        """Return what it says to that: pairs of receivers and whether it is a report."""
        self.heard += 1
        self.reports += report
        self.teller = self.teller or teller
        if self.tell:
            tell, self.tell = self.tell, ()
            return [(tell, False)] if self.chat else [([one], False) for one in tell]
        if self.answer and self.reports >= self.gather:
            self.answer = False
            return [([member for member in self.teller if member != self.own], True)]
        return []


def foreseen(roles, without=None):
    """Play a shape, one message after the other, and count; one agent may never do anything."""
    agents = [Played(k, **role) for k, role in enumerate(roles)]
    found, pending = Foreseen(), deque([(0, (), False)])
    while pending:
        to, teller, report = pending.popleft()
        agent = agents[to]
        said = agent.hear(teller, report=report) if to != without else []
        found.received += to == without
        found.most_runs += to != without
        found.messages += len(said)
        found.acting += bool(said)
        for receivers, is_report in said:
            tellers = [to, *receivers] if agent.chat else [to]
            pending += [(one, tellers, is_report) for one in receivers]
    heard = [agent for agent in agents if agent.heard and agent.own != without]
    # Whoever waits for reports reads them later than its order, and whoever began reads what followed from that later.
    again = [agent for agent in heard if agent.heard > 1 and (agent.gather or agent.own == 0)]
    found.least_runs = len(heard) + len(again)
    return found


# Runs


def society(server, folder, roles, *, name="shapes"):
    """Return a service with an agent for each role; its logs are in a new folder, where no others are."""
    logs = tempfile.mkdtemp(dir=folder)
    intercom = InterComService(name, logs=logs, context=UNCOMPACTED, **settings_of(server))
    draw = random.Random(len(roles))  # noqa: S311 - nothing secret
    for k, role in enumerate(roles):
        known, wanted = (", ".join(draw.sample(FIELDS.split(), 3)) for _ in range(2))
        intercom.add(Agent(f"Agent {k}", description=f"Knows {known}.", mission=mission(wanted, **role)))
    lift_pace(intercom)
    return intercom


def run(server, folder, roles, *, name="shapes"):
    """Let a shape run until it is quiet; return the service, why it stopped, and wall and CPU seconds."""
    with society(server, folder, roles, name=name) as intercom:
        began, cpu = time.perf_counter(), time.process_time()
        intercom["agent-0"].begin()
        reason = intercom.wait(300, progress=False)
        taken = time.perf_counter() - began, time.process_time() - cpu
    return intercom, reason, *taken


def said(intercom):
    """Return the messages of agents: all but the word *Begin*."""
    messages = messages_df(intercom)
    return messages[messages.sender_id.notna()]


def check(intercom, roles, without=None):
    """Check that what was to be said and called was, no more and no less; return the number of model calls."""
    awaited, steps = foreseen(roles, without), steps_df(intercom)
    calls = int((steps.error.isna() & (steps.agent_id != f"agent-{without}")).sum())
    assert len(said(intercom)) == awaited.messages, (len(said(intercom)), awaited)
    assert awaited.acting + awaited.least_runs <= calls <= awaited.acting + awaited.most_runs, (calls, awaited)
    return calls


def measure_shape(goals, server, *, repeats, sizes, folder):
    """Measure each shape at each size."""
    hops = {}
    for n in sizes:
        for shape, roles_of in SHAPES.items():
            roles = roles_of(n)
            found = [one_run(server, folder, roles) for _ in range(repeats if n < LARGE else 1)]
            middle = {key: statistics.median(row[key] for row in found) for key in found[0]}
            counts = {key: round(middle[key]) for key in ("messages", "deliveries", "calls", "tokens")}
            rest = {key: middle[key] for key in ("s to quiet", "messages/s", "calls/s", "CPU ms/call")}
            goals.row(f"{shape}, {n:,}", {**counts, "one by one": foreseen_calls(roles), **rest})
            if shape == "ring":
                hops[n] = [1e3 / row["messages/s"] for row in found]
    for n, taken in hops.items():
        goals.add(f"ring of {n:,}: a hop", taken, unit="ms")


def foreseen_calls(roles):
    """Return how many model calls a shape would take if no messages were read together."""
    awaited = foreseen(roles)
    return awaited.acting + awaited.most_runs


def one_run(server, folder, roles):
    """Return the figures of one run of a shape."""
    intercom, reason, wall, cpu = run(server, folder, roles)
    assert reason == "quiet", reason
    calls = check(intercom, roles)
    messages = len(said(intercom))
    return {
        "messages": messages,
        "deliveries": foreseen(roles).most_runs - 1,
        "calls": calls,
        "tokens": intercom.spent.tokens,
        "s to quiet": wall,
        "messages/s": messages / wall,
        "calls/s": calls / wall,
        "CPU ms/call": 1e3 * cpu / calls,
    }


def rest_ended(intercom, odd_one):
    """Return the seconds until everybody but one agent had finished, and the messages until then.

    What came after that agent's first word was waiting for it, or is said about it.
    """
    messages, steps = messages_df(intercom), steps_df(intercom)
    odd_one = f"agent-{odd_one}"
    words = messages[messages.sender_id == odd_one].seq
    first = words.min() if len(words) else math.inf
    others = steps[(steps.agent_id != odd_one) & (steps.seq < first)]
    seconds = (others.created_at.max() - messages.created_at.min()).total_seconds()
    return seconds, int((messages.sender_id.notna() & (messages.seq < first)).sum())


def measure_slow(goals, server, *, repeats, sizes, folder):  # noqa: ARG001 - one size only
    """Measure how long the rest takes beside an agent that takes 10 s a call."""
    alone = {}
    for shape in SLOW:
        found = [run(server, folder, SHAPES[shape](SIZE))[0] for _ in range(max(repeats, 3))]
        alone[shape] = statistics.median(rest_ended(intercom, None)[0] for intercom in found)
    beside = {}

    def run_slow(shape):
        beside[shape] = run(server, folder, SHAPES[shape](SIZE), name=f"slow {shape}")

    for shape in SLOW:
        server.set(name=f"Agent {ODD_ONE[shape]}", delay_s=SLOW_S)
    # They wait for their slow agents at the same time; each has finished the rest before the next begins.
    threads = [threading.Thread(target=run_slow, args=(shape,)) for shape in SLOW]
    for thread in threads:
        thread.start()
        time.sleep(APART_S)
    for thread in threads:
        thread.join()
    for shape in SLOW:
        server.set(name=f"Agent {ODD_ONE[shape]}")
        intercom, reason, wall, _cpu = beside[shape]
        odd_one, roles = ODD_ONE[shape], SHAPES[shape](SIZE)
        seconds, messages = rest_ended(intercom, odd_one)
        assert reason == "quiet", reason
        check(intercom, roles)
        assert messages == foreseen(roles, odd_one).messages, (shape, messages)
        figures = {"rest's messages": messages, "rest, s": seconds, "without, s": alone[shape], "to quiet, s": wall}
        goals.row(f"one slow agent, {shape}", figures)
    for shape in SLOW:
        seconds = rest_ended(beside[shape][0], ODD_ONE[shape])[0]
        goals.add(f"{shape} of {SIZE}: the rest beside a slow agent ÷ without one", seconds / alone[shape])
        share = (seconds - alone[shape]) / SLOW_S
        goals.add(f"{shape} of {SIZE}: what the rest waits, of one slow call", share, most=0.1)


def measure_failing(goals, server, *, repeats, sizes, folder):  # noqa: ARG001 - once, for it is no matter of time
    """Count what is missing where one agent's model refuses every call."""
    others = 0
    for shape, roles_of in SHAPES.items():
        roles, odd_one = roles_of(SIZE), ODD_ONE[shape]
        server.set(name=f"Agent {ODD_ONE[shape]}", status=400)
        intercom, reason, wall, _cpu = run(server, folder, roles)
        server.set(name=f"Agent {ODD_ONE[shape]}")
        assert reason == "failed", reason
        check(intercom, roles, odd_one)
        runs = runs_df(intercom)
        failed = runs[runs.reason == "failed"]
        others += int((failed.agent_id != f"agent-{odd_one}").sum() + runs.ended_at.isna().sum())
        received = foreseen(roles, odd_one).received
        assert 1 <= len(failed) <= received, (len(failed), received)  # each of its runs fails, and nothing else
        messages = len(said(intercom))
        missing = foreseen(roles).messages - messages
        figures = {"messages": messages, "missing": missing, "failed runs": len(failed), "to quiet, s": wall}
        goals.row(f"one failing agent, {shape}", figures)
    goals.add(f"runs of others that failed or never ended, {len(SHAPES)} shapes of {SIZE}", others, most=0)


def measure_together(goals, server, *, repeats, sizes, folder):  # noqa: ARG001 - once, for it is a count
    """Count the model calls that messages cost which arrive during a call."""
    server.set(name="Agent 0", delay_s=HELD_S)
    for k in (1, 10, 100):
        with society(server, folder, [{}, *[{"tell": [0]}] * k, {}]) as intercom:
            *agents, warm = intercom.registry.get_agents()
            for group in ([warm], agents):  # until the first call to a server has ended, the others wait a moment
                for agent in group:
                    agent.begin()
                assert intercom.wait(60, progress=False) == "quiet"
        steps, runs = steps_df(intercom), runs_df(intercom)
        first, *further = steps[steps.agent_id == "agent-0"].seq
        began = runs[runs.agent_id == "agent-0"].began_seq.iloc[0]
        assert said(intercom).seq.between(began, first).sum() == k  # all of them while its first call was in flight
        goals.add(f"further calls for {k} messages that arrive during a call", len(further), most=1)
    server.set(name="Agent 0")


def main():
    """Measure the parts that were asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parts = {
        "shape": measure_shape,
        "slow": measure_slow,
        "failing": measure_failing,
        "together": measure_together,
    }
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    parser.add_argument("--only", nargs="+", choices=parts, default=list(parts))
    given = parser.parse_args()
    goals = Goals("shapes")
    with FakeServer("roles") as server, tempfile.TemporaryDirectory() as folder:
        for part in given.only:
            parts[part](goals, server, repeats=given.repeats, sizes=given.sizes, folder=Path(folder))
    return goals.close()


if __name__ == "__main__":
    sys.exit(main())
