"""The dashboard in a real JupyterLab: it lives while cells sleep, and what a person does in it is done."""

import re

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.kernel, pytest.mark.alone]

CAST = """
import itertools, time
from pathlib import Path
from intercom_nb import Agent, Dashboard, InterComService, ScriptedAssistant, call, delivery_counts
from intercom_nb.texts.turns import read_turn

numbers = itertools.count(1)


def talker(to):
    def reply(request):
        if request["input"][-1].get("type") == "function_call_output":
            return "(sent)"
        mission = request["instructions"].split("# Mission")[1].split()[0]
        return call("send_message", chat_id=to, message=f"{mission} {next(numbers)}")
    return reply


def answers(request):
    if request["input"][-1].get("type") == "function_call_output":
        return "(sent)"
    heard = read_turn(request["input"][-1]["content"]).incoming
    return [call("send_message", chat_id=m.chat_id, message=f"You said: {m.text}") for m in heard] or "(nobody)"


model = ScriptedAssistant({"Ann": talker("bob"), "Bob": talker("ann"), "Cid": answers}, delay=0.05)
intercom = InterComService("views", model=model, logs="logs", courtesy=False)
intercom.add(
    Agent("Ann", description="Asks.", mission="apples"),
    Agent("Bob", description="Answers.", mission="pears"),
    Agent("Cid", description="Repeats."),
    Agent("Dan", description="Is never spoken to."),
)
you = intercom.add_person("You")
intercom["ann"].begin()
"""

TOTAL = "() => Number(document.querySelector('[data-part=transcript]')?.dataset.total ?? 0)"
SLEEP = "while not Path('woken').exists():\n    time.sleep(0.1)\ntime.sleep(1)\nprint(len(intercom.messages))"
TALKING = [CAST, "intercom", "intercom.start()", SLEEP]


def more_than(notebook, n):
    """Wait until the transcript has more than so many messages."""
    notebook.wait(f"n => ({TOTAL})() > n", n)


def total(notebook):
    """Return how many messages the transcript has."""
    return notebook.page.evaluate(TOTAL)


def test_run_all_and_it_lives_while_a_cell_sleeps(opened, lab):
    """The transcript grows, Pause works, a mission is edited and used, a message is answered, filters filter."""
    notebook = opened(TALKING, height=1800)
    page = notebook.page
    for n in range(3):
        notebook.run_cell(n)
    notebook.start_cell(3)
    seen = total(notebook)
    more_than(notebook, seen + 10)
    assert notebook.runs, "the cell should still be asleep"

    page.locator("[data-action=pause]").click()
    notebook.wait("() => document.querySelector('[data-part=controls]').dataset.state === 'paused'")
    assert notebook.runs, "Pause should not wait for the cell"
    (lab.folder / "woken").touch()
    page.evaluate("async () => { await window.ended; }")
    before = int(notebook.text_of(3))
    notebook.run_cell(3)
    assert int(notebook.text_of(3)) == before, "paused agents should say nothing"
    notebook.wait(f"n => ({TOTAL})() === n", before)

    card = page.locator("[data-part=agents] [data-agent=ann]")
    card.locator("button").first.click()
    card.get_by_label("Mission").fill("cherries")
    card.get_by_role("button", name="Apply").first.click()
    page.locator("[data-action=resume]").click()
    rows = page.locator("[data-part=transcript] [data-seq]")
    rows.filter(has_text=re.compile(r"cherries \d+")).first.wait_for()

    reply = page.locator("[data-part=reply]")
    reply.get_by_label("Write to").select_option("cid")
    reply.get_by_role("textbox", name="Message").fill("Is anybody there?")
    reply.get_by_role("button", name="Send").click()
    rows.filter(has_text="You said: Is anybody there?").first.wait_for()

    page.get_by_label("Whose messages").select_option("cid")
    notebook.wait("() => [...document.querySelectorAll('[data-part=transcript] [data-seq][data-agent]')].length === 2")
    between = rows.evaluate_all("rows => rows.map(row => [row.dataset.agent, row.dataset.to])")
    assert between == [["you", "cid"], ["cid", "you"]]
    page.get_by_label("Whose messages").select_option("")
    page.get_by_label("Search messages").fill("anybody there")
    notebook.wait("() => [...document.querySelectorAll('[data-part=transcript] [data-seq][data-agent]')].length === 2")

    page.locator("[data-action=stop]").click()
    page.get_by_role("button", name="Yes, stop").click()
    notebook.wait("() => document.querySelector('[data-part=controls]').dataset.state === 'stopped'")
    assert notebook.faults == []


def test_the_graph_shows_who_wrote_to_whom(opened):
    """The nodes are the members, the edges those of the log, and who was never addressed is seen to be."""
    cells = [
        CAST,
        "intercom.start()\n_ = you.send_message('Hello', 'cid')\nintercom.wait(1)\nintercom.stop()",
        "intercom",
    ]
    notebook = opened([*cells, "print(delivery_counts(intercom))"], height=1800)
    notebook.run_all()
    counts = eval(notebook.text_of(3))  # noqa: S307 - our own cell printed it
    names = {"Ann": "ann", "Bob": "bob", "Cid": "cid", "Dan": "dan", "You": "you"}
    expected = {(names[a], names[b], n) for a, row in counts.items() for b, n in row.items() if n}
    notebook.wait("() => document.querySelectorAll('[data-part=graph] .icnb-strand').length > 0")
    strands = notebook.page.locator("[data-part=graph] .icnb-strand").evaluate_all(
        "all => all.map(e => [e.dataset.from, e.dataset.to, Number(e.dataset.count)])"
    )
    nodes = notebook.page.locator("[data-part=graph] g[data-agent]").evaluate_all(
        "all => all.map(e => [e.dataset.agent, e.dataset.addressed])"
    )

    assert {tuple(strand) for strand in strands} == expected
    assert dict(nodes).keys() == set(names.values())
    assert [who for who, addressed in nodes if addressed == "false"] == ["dan"]
    assert notebook.faults == []


def test_reload_a_second_view_and_showing_again_show_the_same(opened):
    """The page holds nothing that the log does not."""
    cells = [
        CAST,
        "intercom.start()\nintercom.wait(1)\nintercom.pause()",
        "intercom",
        "intercom.transcript()",
        "intercom",
    ]
    notebook = opened(cells, height=4000)
    notebook.run_all()
    totals = "() => [...document.querySelectorAll('[data-part=transcript]')].map(e => Number(e.dataset.total))"
    notebook.wait(
        f"() => {{ const all = ({totals})(); return all.length === 3 && all[0] > 5 && new Set(all).size === 1; }}"
    )
    shown = notebook.page.evaluate(totals)
    notebook.page.evaluate("async () => { await window.jupyterapp.commands.execute('docmanager:save'); }")
    notebook.page.reload()
    notebook.wait(
        f"() => {{ const all = ({totals})(); return all.length === 3 && all[0] > 5 && new Set(all).size === 1; }}"
    )

    assert notebook.page.evaluate(totals) == shown
    assert notebook.faults == []


def test_a_finished_log_and_its_course(opened):
    """`Dashboard(path)` shows it; the slider goes back to any message, and graph and transcript follow."""
    cells = [CAST, "intercom.start()\nintercom.wait(1)\nintercom.stop()", "Dashboard(intercom.log.path)"]
    notebook = opened(cells, height=1800)
    notebook.run_all()
    more_than(notebook, 5)
    slider = notebook.page.locator("[data-part=slider] input[type=range]")
    slider.fill("2")
    notebook.wait("() => document.querySelector('[data-part=slider]').dataset.message === '2'")
    notebook.wait("() => document.querySelectorAll('[data-part=transcript] [data-seq][data-to]').length === 2")
    strands = notebook.page.locator("[data-part=graph] .icnb-strand").evaluate_all(
        "all => all.map(e => [e.dataset.from, e.dataset.to])"
    )

    assert strands == [["ann", "bob"]]
    assert notebook.faults == []


def test_an_untouched_board_asks_who_begins_and_a_group_can_be_joined(opened):
    """Begin where nobody has written; join a group and write to it."""
    cast = CAST.replace('intercom["ann"].begin()\n', "")
    group = "_ = intercom.create_chat(['bob', 'cid'], 'Plans', 'About plans.', admin_id='dan')"
    fails = "def fail(request):\n    raise RuntimeError('no answer')\n"
    broken = f"{fails}intercom['dan'].model = ScriptedAssistant(default=fail)\n_ = intercom['dan'].begin()"
    notebook = opened([cast, "intercom", group, broken], height=1800)
    page = notebook.page
    notebook.run_cell(0)
    notebook.run_cell(1)
    page.get_by_label("Who begins").select_option("ann")
    page.locator("[data-part=beginning]").get_by_role("button", name="Begin").click()
    more_than(notebook, 3)
    assert page.locator("[data-part=beginning]").is_hidden()

    notebook.run_cell(2)
    reply = page.locator("[data-part=reply]")
    reply.get_by_label("Write to").select_option("chat-1")
    reply.get_by_role("textbox", name="Message").fill("May I come in?")
    reply.get_by_role("button", name="Join and send").click()
    page.locator("[data-part=transcript] .icnb-row").filter(has_text="May I come in?").first.wait_for()

    page.locator("[data-action=pause]").click()
    notebook.wait("() => document.querySelector('[data-part=controls]').dataset.state === 'paused'")
    assert notebook.faults == []
