"""Keys pressed in a view stay in it, all of it can be reached by keys, and a screen reader finds its way."""

import json
from pathlib import Path

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.kernel, pytest.mark.alone]

AXE = Path(__file__).parents[2] / "js" / "node_modules" / "axe-core" / "axe.min.js"
FEW = """
from intercom_nb import InterComService
from intercom_nb.demos import cast
intercom = InterComService("keys", logs="logs")
intercom.add(*cast(2))
you = intercom.add_person("You")
_ = intercom["founder"].begin()
intercom.start()
intercom.wait()
"""
MANY = """
from intercom_nb import Agent, InterComService, ScriptedAssistant, call
def some(n):
    others = (f"agent-{(n * 7 + k) % 300}" for k in (1, 2))
    return [[call("send_message", chat_id=one, message=f"About **part {n}**.") for one in others], "(sent)"]
model = ScriptedAssistant({f"Agent {n}": some(n) for n in range(300)}, default="(fine)")
intercom = InterComService("many", model=model, logs="logs", thread_logs=False, courtesy=False)
intercom.add(*(Agent(f"Agent {n}", description="One of many.") for n in range(300)))
intercom.start()
for n in range(0, 300, 3):
    _ = intercom[f"agent-{n}"].begin()
intercom.wait()
"""
SHOWN = "() => document.querySelectorAll('[data-part=graph] .icnb-strand').length > 2"
CELLS = "() => window.jupyterapp.shell.currentWidget.content.widgets.length"
FOCUSED = "() => Boolean(document.activeElement.closest('.icnb'))"
PLACES = {
    "a button": "[data-action=pause]",
    "a card": "[data-part=agents] .icnb-card-head[tabindex='0']",
    "a node": "[data-part=graph] .icnb-node[tabindex='0']",
    "a row": "[data-part=transcript] [role=log] > [tabindex='0']",
    "the timeline": "[data-part=timeline] canvas[tabindex='0']",
}
KEYS = ["b", "a", "d", "d", "x", "z", "m", "ArrowDown", "ArrowUp", "Shift+Enter", "Escape"]


def test_no_plain_key_reaches_the_notebook(opened):
    """On a button, a card, a node, a row and the timeline: no cell comes or goes, none is run, and focus stays."""
    notebook = opened([FEW, "intercom", "1 + 1"], height=1800)
    notebook.run_all()
    notebook.wait(SHOWN)
    page = notebook.page
    for where, selector in PLACES.items():
        for key in KEYS:
            page.locator(selector).first.focus()
            page.keyboard.press(key)
            assert page.evaluate(FOCUSED), f"{key} on {where} left the view"
        assert page.evaluate(CELLS) == 3, where
        assert page.locator(".icnb").count() == 1, where
    assert page.evaluate("() => window.jupyterapp.shell.currentWidget.content.mode") == "command"
    page.locator(PLACES["a row"]).first.focus()
    page.keyboard.press("Enter")
    assert page.evaluate(FOCUSED)
    assert notebook.faults == []


def test_what_is_pressed_with_ctrl_goes_on_to_the_notebook(opened):
    """Ctrl+S saves it."""
    notebook = opened([FEW, "intercom"], height=1800)
    notebook.run_all()
    notebook.wait(SHOWN)
    notebook.wait("() => window.jupyterapp.shell.currentWidget.context.model.dirty")
    notebook.page.locator(PLACES["a button"]).focus()
    notebook.page.keyboard.press("Control+s")
    notebook.wait("() => !window.jupyterapp.shell.currentWidget.context.model.dirty")


def test_arrows_move_the_slider_and_go_along_lists(opened):
    """The slider by one message; a list is one stop of Tab, and arrows go along it."""
    notebook = opened([FEW, "intercom"], height=1800)
    notebook.run_all()
    notebook.wait(SHOWN)
    page = notebook.page
    page.get_by_role("button", name="Look back").click()
    slider = page.locator("[data-part=slider] input[type=range]")
    slider.focus()
    before = int(slider.input_value())
    for key, expected in (("ArrowLeft", -1), ("ArrowDown", -2), ("ArrowRight", -1), ("ArrowUp", 0), ("Home", -before)):
        page.keyboard.press(key)
        assert int(slider.input_value()) == before + expected, key

    page.get_by_role("button", name="Live", exact=True).click()
    at = "() => document.activeElement.closest('[data-agent]')?.dataset.agent"
    cards = page.locator("[data-part=agents] .icnb-card-head")
    cards.first.focus()
    page.keyboard.press("ArrowDown")
    assert page.evaluate(at) == "marketing-expert"
    page.keyboard.press("End")
    assert page.evaluate(at) == "you"
    for part, entry in (
        ("agents", ".icnb-card-head"),
        ("graph", ".icnb-node"),
        ("transcript", ".icnb-row, .icnb-event"),
    ):
        stops = page.locator(f"[data-part={part}]").locator(entry)
        assert stops.count() > 2
        assert stops.evaluate_all("all => all.filter(one => one.tabIndex === 0).length") == 1, part
    rows = page.locator("[data-part=transcript] .icnb-row")
    rows.last.focus()
    page.keyboard.press("ArrowRight")
    assert page.evaluate("() => document.activeElement.matches('.icnb-row button')")
    assert notebook.faults == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("cast", [FEW, MANY], ids=["5 members", "300 agents"])
def test_nothing_serious_stands_in_the_way_of_a_screen_reader(opened, cast, scheme):
    """As axe-core sees it, the dashboard and the page to share."""
    notebook = opened([cast, "intercom", "_ = intercom.to_html('axe.html')"], height=1800)
    theme = f"JupyterLab {scheme.title()}"
    notebook.page.evaluate(
        "async theme => { await window.jupyterapp.commands.execute('apputils:change-theme', {theme}); }", theme
    )
    notebook.wait("light => document.body.dataset.jpThemeLight === light", str(scheme == "light").lower())
    notebook.run_all()
    notebook.wait(SHOWN)
    notebook.page.locator("[data-part=agents] .icnb-card-head").first.click()
    assert serious(notebook.page, ".icnb") == []
    assert notebook.faults == []


def test_nothing_serious_stands_in_the_way_in_the_page_to_share(opened, lab):
    """The same of a file with 300 agents; it has a heading and a main part, too."""
    notebook = opened([MANY, "intercom.stop()\n_ = intercom.to_html('axe.html')"])
    notebook.run_all()
    for scheme in ("light", "dark"):
        page = notebook.page.context.new_page()
        page.emulate_media(color_scheme=scheme)
        page.goto((lab.folder / "axe.html").as_uri())
        page.wait_for_function(SHOWN)
        assert serious(page, "body") == [], scheme
        assert page.locator("main h1").count() == 1


def serious(page, selector):
    """Return what axe-core finds wrong that is serious or worse, each with its places."""
    page.evaluate(AXE.read_text("utf-8"))
    found = page.evaluate(
        """async selector => {
            const {violations} = await window.axe.run(selector, {resultTypes: ['violations']});
            const grave = violations.filter(({impact}) => ['serious', 'critical'].includes(impact));
            const shown = ({html, failureSummary}) => [html.slice(0, 200), failureSummary];
            return grave.map(({id, nodes}) => [id, nodes.length, nodes.slice(0, 3).map(shown)]);
        }""",
        selector,
    )
    return [json.dumps(one) for one in found]
