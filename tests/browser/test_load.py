"""A long transcript, a thousand messages a second: what travels and what stands in the page stays small."""

import time

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.kernel, pytest.mark.alone]

# Written to the log as the service itself writes them, in transactions of ten.
POUR = """
import threading, time
from intercom_nb import Agent, InterComService
intercom = InterComService("load", logs="logs", thread_logs=False)
intercom.add(*(Agent(f"Agent {n}") for n in range(12)))
people = [intercom.add_person(f"Person {n}") for n in range(12)]


def pour(count, rate=None):
    began = time.monotonic()
    for n in range(0, count, 10):
        with intercom._store.transaction() as tx:
            for k in range(n, n + 10):
                text = f"message {k} of many, and some words to fill a line or two"
                intercom._engine.router.post(tx, text, f"person-{k % 12}", f"person-{(k + 1) % 12}")
        if rate is not None:
            time.sleep(max(0, began + (n + 10) / rate - time.monotonic()))
    tx.wait()


pour(5_000)
"""
TOTAL = "() => Number(document.querySelector('[data-part=transcript]')?.dataset.total ?? 0)"
ROWS = "() => document.querySelectorAll('[data-part=transcript] [data-seq]').length"
WINDOW = 300  # rows in the page at most: js/src/log/rows.js


def test_a_thousand_messages_a_second(opened):
    """At most 20 websocket messages a second from all views together; never more rows than the window."""
    cells = [
        POUR,
        "intercom",
        "intercom.graph_view()",
        "intercom.timeline()",
        "pour(10_000, rate=1_000)\ntime.sleep(1)",
    ]
    notebook = opened(cells, height=3000)
    for n in range(4):
        notebook.run_cell(n)
    notebook.wait(f"() => ({TOTAL})() === 5000")
    before, most, began = notebook.sent_by_kernel, 0, time.monotonic()
    notebook.start_cell(4)
    while notebook.runs:
        most = max(most, notebook.page.evaluate(ROWS))
    seconds = max(11, time.monotonic() - began)  # a busy machine takes longer over it
    others = 10  # of the cell itself: that it is busy, what it is, that it is idle
    notebook.wait(f"() => ({TOTAL})() === 15000")

    assert notebook.sent_by_kernel - before <= 20 * seconds + others
    assert notebook.sent_by_kernel - before > 11, "the views should have moved"
    assert 0 < most <= WINDOW
    assert notebook.faults == []


def test_older_rows_come_on_scrolling_up(opened):
    """To the very first, and the page still holds no more than its window."""
    notebook = opened([POUR, "intercom.transcript()"], height=1500)
    notebook.run_all()
    notebook.wait(f"() => ({TOTAL})() === 5000")
    first = "() => Number(document.querySelector('[data-part=transcript] [data-seq][data-agent]')?.dataset.seq)"
    lowest = notebook.page.evaluate(first)
    log = notebook.page.locator("[data-part=transcript] [role=log]")
    for _ in range(3):
        log.evaluate("log => { log.scrollTop = 0; }")
        notebook.wait(f"lowest => ({first})() < lowest", lowest)
        lowest = notebook.page.evaluate(first)
        assert notebook.page.evaluate(ROWS) <= WINDOW

    assert notebook.page.evaluate("() => document.querySelector('[data-part=transcript]').dataset.following") == "false"
    assert notebook.faults == []


def test_looking_back_brings_in_what_it_needs(opened):
    """The page begins with the newest rows; the slider goes to any of the 5,000 messages, and all is counted."""
    cells = [POUR, "intercom.stop()", "from intercom_nb import Dashboard\nDashboard(intercom.log.path)"]
    notebook = opened(cells, height=1800)
    notebook.run_all()
    notebook.wait(f"() => ({TOTAL})() === 5000")
    strands = "[...document.querySelectorAll('[data-part=graph] .icnb-strand')]"
    told = f"() => {strands}.reduce((sum, strand) => sum + Number(strand.dataset.count), 0)"
    notebook.wait(f"() => ({told})() === 5000")
    slider = notebook.page.locator("[data-part=slider] input[type=range]")
    slider.fill("10")
    notebook.wait("() => document.querySelector('[data-part=slider]').dataset.message === '10'")
    notebook.wait("() => document.querySelectorAll('[data-part=transcript] [data-seq][data-to]').length === 10")
    notebook.wait(f"() => ({told})() === 10")
    assert notebook.faults == []


def test_a_hidden_view_hears_nothing(opened):
    """Scrolled out of sight, nothing is sent to it; back in sight, it has everything."""
    cells = [POUR, "intercom.transcript()", *["0\n" * 60] * 3, "pour(1_000, rate=1_000)"]
    notebook = opened(cells, height=700)
    notebook.run_cell(0)
    notebook.run_cell(1)
    notebook.wait(f"() => ({TOTAL})() === 5000")
    notebook.run_cell(4)
    last = notebook.page.locator(".jp-Notebook-cell").last
    last.scroll_into_view_if_needed()
    notebook.run_cell(5)
    before = notebook.sent_by_kernel
    notebook.run_cell(5)

    assert notebook.sent_by_kernel - before <= 12, "only the cell itself should have sent something"
    notebook.page.evaluate("() => { window.jupyterapp.shell.currentWidget.content.activeCellIndex = 1; }")
    notebook.page.locator("[data-part=transcript]").scroll_into_view_if_needed()
    notebook.wait(f"() => ({TOTAL})() === 7000")
    assert notebook.faults == []
