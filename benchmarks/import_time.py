"""What `import intercom_nb` costs beside `import openai`, in CPU seconds of processes that do nothing else.

The two take turns, so that whatever else the computer does meets both; what counts is the ratio of the medians, less
what an empty process costs. Prints a table and writes ``benchmarks/results/import_time.json``.

    python benchmarks/import_time.py [--repeats 15]
"""

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
RESULTS = Path(__file__).parent / "results" / "import_time.json"
GOAL_RATIO = 1.2
KINDS = {"empty": "pass", "openai": "import openai", "intercom_nb": "import intercom_nb"}


def cpu_s(code, folder):
    """Run a line in a new process and return its CPU seconds."""
    places = [str(ROOT), os.environ.get("PYTHONPATH", "")]
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environment = {**kept, "PYTHONPATH": os.pathsep.join(filter(None, places)), "PYTHONPYCACHEPREFIX": folder}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", code], check=True, cwd=folder, env=environment)  # noqa: S603 - two words of ours
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main():
    """Take turns, print and keep the medians; the exit status says whether the goal is met."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=15)
    repeats = parser.parse_args().repeats
    taken = {kind: [] for kind in KINDS}
    with tempfile.TemporaryDirectory() as folder:
        for code in KINDS.values():
            cpu_s(code, folder)  # compiles everything into that folder, and warms the disk
        for _ in range(repeats):
            for kind, code in KINDS.items():
                taken[kind].append(cpu_s(code, folder))
    medians = {kind: statistics.median(times) for kind, times in taken.items()}
    ratio = (medians["intercom_nb"] - medians["empty"]) / (medians["openai"] - medians["empty"])
    print(f"{'import':<12} {'median CPU s':>12} {'least':>7} {'most':>7}   ({repeats} processes each, taking turns)")
    for kind, times in taken.items():
        print(f"{kind:<12} {medians[kind]:>12.3f} {min(times):>7.3f} {max(times):>7.3f}")
    print(f"ratio {ratio:.3f}, at most {GOAL_RATIO} is the goal")
    found = {"ratio": round(ratio, 3), "goal": GOAL_RATIO, "repeats": repeats, "median_cpu_s": medians}
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps({**found, "python": platform.python_version()}, indent=2) + "\n", encoding="utf-8")
    return int(ratio > GOAL_RATIO)


if __name__ == "__main__":
    sys.exit(main())
