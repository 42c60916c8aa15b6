"""What long logs cost: their state at any place, going on with one, the first display of a view, the picture beside it.

Each log is looked at in a process of its own. Prints a table and writes ``benchmarks/results/long_logs.json``.

    python benchmarks/long_logs.py [--sizes 100000 1000000] [--repeats 3]
"""

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from goals import Goals

from intercom_nb import Agent, InterComService, snapshot
from intercom_nb.log.reading import querying
from intercom_nb.log.state import state
from intercom_nb.views.feed import newest_facts

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from logs import add_rows, lengthen

AGENTS, PORTION = 105, 50_000  # one of them has more partners than are always listed
MEGABYTE = 1 << 20


def make_log(folder, n):
    """Return a log of n messages, each heard by one or by a group, and two items of a conversation for each."""
    intercom = InterComService(f"long {n}", model="offline", logs=folder, courtesy=False)
    intercom.add(*(Agent(f"Agent {k}") for k in range(AGENTS)))
    intercom.create_chat([f"agent-{k}" for k in range(1, 9)], "All", "", "agent-0")
    for k in range(1, AGENTS):
        intercom.send_message("Hello", f"agent-{k}", "agent-0")
    intercom.stop()
    for begin in range(0, n, PORTION):
        many = min(PORTION, n - begin)
        lengthen(intercom.log.path, many)
        add_rows(intercom.log.path, "items", (item(k) for k in range(2 * begin, 2 * (begin + many))))
    InterComService.open(intercom.log.path, model="offline").stop()  # writes the thread logs, once
    return intercom.log.path


def item(k):
    """Return the k-th item of all conversations."""
    kind = ("user", "assistant")[k // AGENTS % 2]
    payload = json.dumps({"role": kind, "content": f"Number {k}: what I think of it is this, and what do you?"})
    where = {"agent_id": f"agent-{k % AGENTS}", "idx": k // AGENTS, "seq": 1, "run_id": "made", "step": 0}
    return {**where, "type": kind, "payload": payload}


def timed(act):
    """Return how many seconds something took, and what came of it."""
    began = time.perf_counter()
    found = act()
    return time.perf_counter() - began, found


def first_display(path):
    """Return what a page is told of a log at first."""
    with querying(path) as query:
        return newest_facts(query)


def memory():
    """Return the most memory that this process ever had, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (MEGABYTE if sys.platform == "darwin" else 1 << 10)


def look(path):
    """Look at a log in this process, and print what it took as JSON."""
    InterComService("warm", model="offline", logs=None).stop()
    before = memory()
    opened, intercom = timed(lambda: InterComService.open(path, model="offline"))
    more = memory() - before
    intercom.stop()
    last = state(path).place
    places = {"end": last, "middle": last // 2, "start": 1}
    states = {name: timed(lambda at=at: state(path, at))[0] for name, at in places.items()}
    shown, facts = timed(lambda: first_display(path))
    snapshot(path)  # the drawing library is loaded, and finds its fonts
    drawn, picture = timed(lambda: snapshot(path).data)
    print(
        json.dumps(
            {f"state at the {name}, s": seconds for name, seconds in states.items()}
            | {"open, s": opened, "open, MB more": more, "first display, s": shown}
            | {"first display, MB": len(json.dumps(facts, ensure_ascii=False).encode()) / MEGABYTE}
            | {"picture, s": drawn, "picture, MB": len(picture) / MEGABYTE}
        )
    )


def in_process_of_its_own(*asked):
    """Return what this script prints when it is asked that; what was large once passes its peak on to its children."""
    command = [sys.executable, __file__, *map(str, asked)]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)  # noqa: S603 - ours


def measure(folder, n, repeats):
    """Return what `look` prints of a log of n messages, a list for each figure."""
    path = in_process_of_its_own("--make", folder, n)
    runs = [in_process_of_its_own("--look", path) for _ in range(repeats)]
    return {what: [run[what] for run in runs] for what in runs[0]}


MOST = {
    "state at the end, s": 0.5, "state at the middle, s": 0.5, "state at the start, s": 0.5, "open, s": 3.0,
    "open, MB more": 150.0, "first display, MB": 1.0, "picture, s": 2.0, "picture, MB": 1.0,
}  # fmt: skip


def main():
    """Make the logs, look at each, print and keep the figures."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[100_000, 1_000_000])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--look", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--make", nargs=2, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.look:
        look(given.look)
        return 0
    if given.make:
        folder, n = given.make
        print(json.dumps(str(make_log(Path(folder), int(n)))))
        return 0
    goals, found = Goals("long_logs"), {}
    for n in given.sizes:
        with tempfile.TemporaryDirectory() as folder:
            found[n] = measure(folder, n, given.repeats)
        for what, figures in found[n].items():
            goals.add(f"{what}, {n:,} messages", figures, most=MOST.get(what))
    least, most = min(given.sizes), max(given.sizes)
    for what in found[least]:
        ratio = statistics.median(found[most][what]) / max(statistics.median(found[least][what]), 1e-3)
        goals.add(f"{what}, {most:,} / {least:,} messages", ratio)
    return goals.close()


if __name__ == "__main__":
    sys.exit(main())
