"""What live views cost: frames a second in the page, and CPU of the kernel, while 1,000 messages a second come in.

A real JupyterLab and a real Chromium, 5,000 messages in the transcript before it begins; for the CPU, the same messages
with the views on the page and scrolled out of it, taking turns. Prints a table and writes
``benchmarks/results/views.json``.

    python benchmarks/views.py [--repeats 3]
"""

import argparse
import itertools
import json
import statistics
import sys
import tempfile
import uuid
from pathlib import Path

from playwright.sync_api import sync_playwright

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests" / "browser"))

from test_load import POUR  # noqa: E402 - and their messages

from conftest import CHROMIUM, FLAGS, Notebook, Server  # noqa: E402 - the tests' own JupyterLab

RESULTS = Path(__file__).parent / "results" / "views.json"
GOAL_FPS, GOAL_CPU = 45, 0.25
SECONDS = 10
MEASURED = f"""
began, cpu = time.monotonic(), time.process_time()
pour({SECONDS * 1000}, rate=1_000)
print((time.process_time() - cpu) / (time.monotonic() - began))
"""
COUNT = """() => {
    window.times = [];
    const next = at => { window.times.push(at); if (window.runs) requestAnimationFrame(next); };
    requestAnimationFrame(next);
}"""


def measure(browser, server):
    """Return frames a second, the 99th percentile of a frame in ms, and the kernel's CPU with and without views."""
    name = f"{uuid.uuid4().hex[:8]}.ipynb"
    server.write(name, [POUR, "intercom", *["0\n" * 60] * 3, MEASURED])
    context = browser.new_context(viewport={"width": 1400, "height": 1200})
    notebook = Notebook(context.new_page(), server, name)
    notebook.run_cell(0)
    notebook.run_cell(1)
    notebook.wait("() => Number(document.querySelector('[data-part=transcript]')?.dataset.total) === 5000")
    notebook.start_cell(5)
    notebook.page.locator("[data-part=transcript]").scroll_into_view_if_needed()
    notebook.page.evaluate(COUNT)
    sent = notebook.sent_by_kernel
    notebook.page.evaluate("async () => { await window.ended; }")
    sent = notebook.sent_by_kernel - sent
    times = notebook.page.evaluate("window.times")
    frames = sorted(b - a for a, b in itertools.pairwise(times))
    seen = float(notebook.text_of(5))
    notebook.page.locator(".jp-Notebook-cell").last.scroll_into_view_if_needed()
    notebook.run_cell(5)
    hidden = float(notebook.text_of(5))
    context.close()
    return {
        "fps": 1000 * len(frames) / (times[-1] - times[0]),
        "p99_ms": frames[int(0.99 * len(frames))],
        "cpu_seen": seen,
        "cpu_hidden": hidden,
        "cpu_of_views": seen - hidden,
        "sent_per_s": sent / SECONDS,
    }


def main():
    """Measure, print and keep the medians; the exit status says whether the goals are met."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=3)
    repeats = parser.parse_args().repeats
    with tempfile.TemporaryDirectory() as folder, Server(Path(folder)) as server, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, headless=True, args=FLAGS.split())
        found = [measure(browser, server) for _ in range(repeats)]
        browser.close()
    medians = {key: round(statistics.median(one[key] for one in found), 3) for key in found[0]}
    print(f"{'':<14} {'median':>8} {'least':>8} {'most':>8}   ({repeats} repeats of {SECONDS} s)")
    for key, median in medians.items():
        values = [one[key] for one in found]
        print(f"{key:<14} {median:>8.3f} {min(values):>8.3f} {max(values):>8.3f}")
    print(f"goals: at least {GOAL_FPS} frames a second, at most {GOAL_CPU} of a core for the views")
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps({"repeats": repeats, **medians}, indent=2) + "\n", encoding="utf-8")
    return int(medians["fps"] < GOAL_FPS or medians["cpu_of_views"] > GOAL_CPU)


if __name__ == "__main__":
    sys.exit(main())
