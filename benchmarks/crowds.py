"""What many agents cost: broadcasts, idle agents, a thousand turns at once, and messages from many senders.

Prints a table and writes ``benchmarks/results/crowds.json``; the exit status says whether the goals are met.

    python benchmarks/crowds.py [--repeats 5] [--only broadcast idle storm accept]
"""

import argparse
import asyncio
import gc
import math
import sys
import tempfile
import threading
import time
import tracemalloc
from concurrent.futures import Future
from datetime import UTC, datetime
from pathlib import Path

from fake_server import FakeServer
from goals import Goals
from turns import TEXT, Bare, add_agents, cpu_of, requests_of, service

from intercom_nb import InterComService
from intercom_nb.messages import Message

DELAY_S = 0.2
STORM = 1_000
CONCURRENCY = 64  # the service's default
SENDERS, SENT_EACH = 64, 300


class Nowhere:
    """A server that nobody asks."""

    url = "http://127.0.0.1:9/v1"


def crowd(n, logs):
    """Return a service that was not started, and its n agents."""
    intercom = service(Nowhere, logs)
    return intercom, add_agents(intercom, n)


def measure_broadcast(goals, *, repeats, folder):
    """Measure deliveries to agents that wake up and look, and what a stored group message costs for each receiver."""
    for n in (10, 100, 1_000, 10_000):
        rounds = max(1, 20_000 // n)
        intercom, agents = crowd(n, None)
        intercom.start()
        ids = [agent.id for agent in agents]
        message = Message(0, "m-0", "Hello", ids[-1], None, "chat-1", datetime.now(UTC), None)
        intercom._engine.scheduler._turns.only = "nobody"
        found = []
        for _ in range(repeats):
            ours = delivering(intercom, message, ids, rounds) / (rounds * n)
            bare = asyncio.run(queues(n, rounds)) / (rounds * n)
            found.append(bare / ours)
        intercom.stop()
        goals.add(f"deliveries per CPU second ÷ queue and task, {n:,} agents", found, least=0.5)
    for n in (100, 10_000):
        intercom, agents = crowd(n, folder)
        ids = [agent.id for agent in agents]
        chat = intercom.create_chat(ids[1:], "Everybody", "All of us.", ids[0])
        rounds = max(1, 20_000 // n)
        before = stored_bytes(intercom)
        taken = [
            cpu_of(lambda: [chat.send_message(TEXT.format(k), ids[0]) for k in range(rounds)]) / (rounds * n)  # noqa: B023 - called at once
            for _ in range(repeats)
        ]
        size = (stored_bytes(intercom) - before) / (repeats * rounds * n)
        intercom.stop()
        goals.add(f"a stored message in a group of {n:,}, each receiver", taken, most=15, unit="µs")
        goals.add(f"a stored message in a group of {n:,}, each receiver", size, most=100, unit="bytes")


def delivering(intercom, message, ids, rounds):
    """Deliver a message to all, and let each of them look, on their loop and without the log; return microseconds."""
    runtime, found = intercom._engine.runtime, Future()

    async def deliver():
        before = time.process_time()
        for _ in range(rounds):
            intercom._engine.inboxes.deliver(message, ids, [], held=False)
            await asyncio.sleep(0)
            while runtime._tasks:  # noqa: ASYNC110 - what bare tasks do, too
                await asyncio.sleep(0)
        found.set_result((time.process_time() - before) * 1e6)

    task = []
    runtime.call_soon(lambda: task.append(asyncio.ensure_future(deliver())))
    return found.result()


async def queues(n, rounds):
    """Put a message into the queues of n tasks, as often as that; each takes it out. Return CPU microseconds."""

    async def receiver(queue, inbox):
        while True:
            inbox.append(await queue.get())

    inboxes = [[] for _ in range(n)]
    receivers = [(queue := asyncio.Queue(), asyncio.create_task(receiver(queue, inbox))) for inbox in inboxes]
    await asyncio.sleep(0)
    before = time.process_time()
    for _ in range(rounds):
        for queue, _ in receivers:
            queue.put_nowait("Hello")
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    taken = (time.process_time() - before) * 1e6
    assert all(len(inbox) == rounds for inbox in inboxes)
    for _, task in receivers:
        task.cancel()
    return taken


def stored_bytes(intercom):
    """Return how many bytes a log takes, by its pages."""
    return (
        intercom._engine.log.rows("SELECT SUM(pgsize) FROM dbstat")[0][0] if has_dbstat(intercom) else pages(intercom)
    )


def has_dbstat(intercom):
    """Tell whether this SQLite can count the pages of a table."""
    return bool(
        intercom._engine.log.rows("SELECT 1 FROM pragma_compile_options WHERE compile_options = 'ENABLE_DBSTAT_VTAB'")
    )


def pages(intercom):
    """Return the size of a log by its pages."""
    return intercom._engine.log.rows("SELECT page_count * page_size FROM pragma_page_count, pragma_page_size")[0][0]


def measure_idle(goals, *, repeats, folder):
    """Measure what 10,000 agents cost that have nothing to do."""
    crowd(100, folder)[0].stop()
    wall = []
    for _ in range(repeats):
        began = time.perf_counter()
        intercom, agents = crowd(10_000, folder)
        wall.append(time.perf_counter() - began)
        intercom.stop()
    tracemalloc.start()  # not the memory of the process: what was freed before would be taken again, and not be seen
    intercom, agents = crowd(10_000, folder)
    gc.collect()
    size = tracemalloc.get_traced_memory()[0] / len(agents) / 1024
    tracemalloc.stop()
    intercom.start()
    time.sleep(1)
    before = time.process_time()
    time.sleep(5)
    share = 100 * (time.process_time() - before) / 5
    intercom.stop()
    goals.add("10,000 agents created and added, wall", wall, most=2, unit="s")
    goals.add("memory of each", size, most=4, unit="KB")
    goals.add("CPU of 10,000 idle agents", round(share, 1), most=0.0, unit="%")


def measure_storm(goals, *, repeats, folder):
    """Let a thousand agents have a turn at once, on default settings, against a server that answers after 200 ms."""
    with FakeServer() as server:
        server.set(delay_s=DELAY_S)
        found, errors = [], 0
        for _ in range(min(repeats, 3)):
            with InterComService("storm", model="fake", base_url=server.url, api_key="none", logs=folder) as intercom:
                agents = add_agents(intercom, STORM)
                intercom.pause()
                writers = [*agents[1:], agents[0]]
                for agent, writer in zip(agents, writers, strict=True):
                    intercom.send_message(TEXT.format(1), agent.id, writer.id)
                intercom.limits = type(intercom.limits)(runs=math.inf, tokens=math.inf)
                began = time.perf_counter()
                intercom.start()
                reason = intercom.wait(120, progress=False)
                wall = time.perf_counter() - began
                errors += sum(agent.status == "failed" for agent in agents) + (reason != "quiet")
                requests = requests_of(intercom, agents[:50])
            server.set(delay_s=0)
            bare = Bare(server)
            bare.run(bare.limit(requests))
            limit_s = cpu_of(bare.run, bare.limit(requests)) / len(requests) / 1e6
            bare.close()
            server.set(delay_s=DELAY_S)
            least = max(DELAY_S * math.ceil(STORM / CONCURRENCY), STORM * limit_s)
            found.append(wall / least)
        goals.add(f"{STORM:,} turns at once, errors", errors, most=0)
        goals.add(f"{STORM:,} turns at once, wall ÷ what 64 at a time need at least", found, most=1.25)


def measure_accept(goals, *, repeats, folder):
    """Measure how many messages a second are accepted durably, from senders that each wait until theirs is."""
    intercom, agents = crowd(SENDERS, folder)

    def sender(k):
        for n in range(SENT_EACH):
            intercom.send_message(TEXT.format(n), agents[k - 1].id, agents[k].id)

    rates = []
    for _ in range(repeats):
        threads = [threading.Thread(target=sender, args=(k,)) for k in range(SENDERS)]
        began = time.perf_counter()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        rates.append(SENDERS * SENT_EACH / (time.perf_counter() - began))
    intercom.stop()
    goals.add(f"messages accepted, {SENDERS} senders, FULL durability", rates, least=5_000, unit="/s")


def main():
    """Measure the parts that were asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parts = {"broadcast": measure_broadcast, "idle": measure_idle, "storm": measure_storm, "accept": measure_accept}
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--only", nargs="+", choices=parts, default=list(parts))
    given = parser.parse_args()
    goals = Goals("crowds")
    with tempfile.TemporaryDirectory() as folder:
        for part in given.only:
            parts[part](goals, repeats=given.repeats, folder=Path(folder))
    return goals.close()


if __name__ == "__main__":
    sys.exit(main())
