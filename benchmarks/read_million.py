"""A million messages into pandas: `messages_df` from a log, against the same frame from Parquet, side by side.

Each reading is a process of its own, the two kinds taking turns; what counts is CPU seconds of the reading itself, and
the peak memory of the whole process. Prints a table and writes ``benchmarks/results/read_million.json``.

    python benchmarks/read_million.py [--messages 1000000] [--repeats 7]
"""

import argparse
import importlib
import json
import random
import resource
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pandas as pd
import pyarrow.parquet  # noqa: F401 - loaded before the clock starts

from intercom_nb.analysis import messages_df
from intercom_nb.log.schema import SCHEMA, VERSION

AGENTS, CHATS, LENGTH = 64, 8, 200
RESULTS = Path(__file__).parent / "results" / "read_million.json"
GOAL_RATIO, GOAL_MB = 1.5, 500


def make_log(path, n):
    """Write a log of n messages, of 200 characters each, every fourth of them in a group."""
    draw = random.Random(1)  # noqa: S311 - nothing secret
    words = [f"word{k}" for k in range(5_000)]
    log = sqlite3.connect(path, isolation_level=None)
    log.executescript("PRAGMA synchronous = OFF; BEGIN;" + SCHEMA)
    log.executemany("INSERT INTO meta VALUES (?, 1, ?)", [("name", "bench"), ("schema", str(VERSION))])
    agent = (
        "INSERT INTO agents (agent_id, version, seq, kind, name, description, mission, settings, tools, mail, "
        "begins, notes, team, data, created_at) "
        "VALUES (?, 1, ?, 'agent', ?, '', '', '{}', '[]', 'when_idle', 0, 0, '', '{}', 0)"
    )
    log.executemany(agent, [(f"agent-{k}", k, f"Agent {k}") for k in range(AGENTS)])
    chat = "INSERT INTO chats VALUES (?, ?, ?, '', 0)"
    log.executemany(chat, [(f"chat-{k}", AGENTS + k, f"Group {k}") for k in range(CHATS)])

    def rows():
        for k in range(n):
            in_group = k % 4 == 0
            text = " ".join(draw.choices(words, k=LENGTH // 8)).ljust(LENGTH, ".")[:LENGTH]
            chat_id = f"chat-{k % CHATS}" if in_group else None
            receiver_id = None if in_group else f"agent-{(k * 7 + 1) % AGENTS}"
            at = 1_700_000_000_000_000 + k * 1_000
            yield 100 + k, f"m-{100 + k}", chat_id, receiver_id, f"agent-{k % AGENTS}", text, f"run-{k // 3}", at, None

    log.executemany("INSERT INTO messages VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", rows())
    log.execute("COMMIT")
    log.close()


def read(kind, path):
    """Read once, in this process, and print what it took as JSON."""
    if kind == "copy":
        messages_df(path).to_parquet(Path(path).with_suffix(".parquet"), index=False)
        print("{}")
        return
    if kind == "log":
        importlib.import_module("adbc_driver_sqlite.dbapi")  # as pandas and pyarrow are: before the clock starts
    wall, cpu = time.perf_counter(), time.process_time()
    frame = messages_df(path) if kind == "log" else pd.read_parquet(path)
    taken = {"cpu_s": time.process_time() - cpu, "wall_s": time.perf_counter() - wall}
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 << 20 if sys.platform == "darwin" else 1 << 10)
    assert len(frame.columns) > 10
    print(json.dumps({**taken, "peak_mb": peak, "rows": len(frame)}))


def in_process_of_its_own(kind, path):
    """Return what `read` prints."""
    command = [sys.executable, __file__, "--read", kind, str(path)]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)  # noqa: S603 - ours


def main():
    """Make the log, read it in turns, print and store the figures."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--messages", type=int, default=1_000_000)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--read", nargs=2, metavar=("KIND", "PATH"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.read:
        read(*given.read)
        return
    with tempfile.TemporaryDirectory() as folder:
        paths = {"log": Path(folder, "million.db"), "parquet": Path(folder, "million.parquet")}
        make_log(paths["log"], given.messages)
        in_process_of_its_own("copy", paths["log"])  # a process that was large once passes its peak on to its children
        taken = {kind: [] for kind in paths}
        for turn in range(given.repeats + 1):
            for kind, path in sorted(paths.items(), reverse=turn % 2 == 1):
                found = in_process_of_its_own(kind, path)
                assert found["rows"] == given.messages
                taken[kind] += [found] if turn else []  # the first turn fills the disk's cache
        sizes = {kind: path.stat().st_size / 1e6 for kind, path in paths.items()}
    medians = {
        kind: {what: statistics.median(run[what] for run in runs) for what in ("cpu_s", "wall_s", "peak_mb")}
        for kind, runs in taken.items()
    }
    pairs = [log["cpu_s"] / parquet["cpu_s"] for log, parquet in zip(taken["log"], taken["parquet"], strict=True)]
    ratio = statistics.median(pairs)
    print(f"{given.messages:,} messages, median of {given.repeats} (a process each, taking turns)\n")
    print(f"{'':10}{'file MB':>9}{'CPU s':>9}{'wall s':>9}{'peak MB':>9}")
    for kind, median in medians.items():
        print(f"{kind:10}{sizes[kind]:9.0f}{median['cpu_s']:9.2f}{median['wall_s']:9.2f}{median['peak_mb']:9.0f}")
    print(f"\nCPU, log / Parquet: {ratio:.2f} (pairs {min(pairs):.2f} to {max(pairs):.2f}; goal ≤ {GOAL_RATIO})")
    print(f"peak of the log's reader: {medians['log']['peak_mb']:.0f} MB (goal < {GOAL_MB})")
    RESULTS.parent.mkdir(exist_ok=True)
    figures = {"messages": given.messages, "ratio": ratio, "pairs": pairs, "medians": medians, "runs": taken}
    RESULTS.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
