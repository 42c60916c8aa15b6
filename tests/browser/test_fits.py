"""It fits: on a laptop's screen, in a crowd, and with words as models write them."""

from pathlib import Path

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.kernel, pytest.mark.alone]

FOLDER = Path(__file__).parents[2] / "build" / "screenshots"
FEW = '''
from intercom_nb import InterComService
from intercom_nb.demos import cast
intercom = InterComService("startup", logs="logs")
intercom.add(*cast(2))
you = intercom.add_person("You")
_ = intercom["founder"].begin()
intercom.start()
intercom.wait(progress=False)
_ = you.send_message("""# What we decided

**Point 1**: sell to *small* firms first, see https://example.com/plan for `costs`.

1. Ask three of them
2. Build what two ask for
   - no more than that

| what | who | when |
|------|-----|------|
| offer | Marketing Expert | May |
| price | Founder | June |

```python
def price(hours):
    return hours * 80
```
> Nobody buys what they do not understand.

<b>not bold</b>""", "founder")
intercom.wait(progress=False)
'''
TEAMS = """
from intercom_nb import Agent, InterComService, ScriptedAssistant, call
def some(n):
    others = (f"agent-{(n * 7 + k) % 300}" for k in (1, 2))
    return [[call("send_message", chat_id=one, message=f"About part {n}.") for one in others], "(sent)"]
model = ScriptedAssistant({f"Agent {n}": some(n) for n in range(300)}, default="(fine)")
intercom = InterComService("many", model=model, logs="logs", thread_logs=False, courtesy=False)
intercom.add(*(Agent(f"Agent {n}", description="One of many.", team=f"Town {n % 4}") for n in range(300)))
intercom.start()
for n in range(299, 200, -9):
    _ = intercom[f"agent-{n}"].begin()
intercom.wait(progress=False)
"""
SHOWN = "() => document.querySelectorAll('[data-part=graph] .icnb-strand').length > 2"
BOXES = """() => Object.fromEntries([...document.querySelectorAll('.icnb [data-part]')].map(part => {
    const {top, bottom, height} = part.getBoundingClientRect();
    return [part.dataset.part, {top, bottom, height}];
}))"""


def picture(notebook, name):
    """Keep a picture of the page."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    notebook.page.screenshot(path=FOLDER / f"{name}.png")


def test_on_a_laptop_everything_is_usable_without_scrolling(opened):
    """At 1366 × 768 controls, transcript, graph, cards and timeline are on the screen together; no name is cut."""
    notebook = opened([FEW, "intercom"], width=1366, height=768)
    notebook.run_all()
    notebook.wait(SHOWN)
    notebook.page.locator(".icnb").evaluate("board => board.scrollIntoView({block: 'start'})")
    picture(notebook, "laptop")
    boxes = {part: box for part, box in notebook.page.evaluate(BOXES).items() if box["height"]}
    assert {"controls", "transcript", "reply", "graph", "agents", "timeline", "slider"} <= boxes.keys()
    panel = notebook.page.locator(".jp-WindowedPanel-outer").first.bounding_box()
    assert min(box["top"] for box in boxes.values()) >= panel["y"] - 1
    assert max(box["bottom"] for box in boxes.values()) <= panel["y"] + panel["height"] + 1
    assert boxes["transcript"]["height"] >= 220
    assert boxes["graph"]["height"] >= 150
    names = notebook.page.locator("[data-part=transcript] .icnb-row header .icnb-name")
    assert names.count() > 3
    assert names.evaluate_all("all => all.every(name => name.scrollWidth <= name.clientWidth)")

    handle = notebook.page.get_by_role("separator", name="Height")
    handle.focus()
    notebook.page.keyboard.press("ArrowDown")
    higher = notebook.page.evaluate(BOXES)["transcript"]["height"]
    assert higher == pytest.approx(boxes["transcript"]["height"] + 20, abs=1)

    notebook.page.locator("[data-part=agents] .icnb-card-head").first.click()
    notebook.page.get_by_role("button", name="Conversation").click()
    talk = notebook.page.get_by_label("Conversation", exact=True)
    talk.locator(".icnb-item").first.wait_for()
    picture(notebook, "laptop-conversation")
    assert talk.evaluate("talk => talk.clientHeight") >= 150
    assert notebook.faults == []


def test_markdown_is_drawn_or_shown_as_it_is_written(opened):
    """Headings, lists, a table, code; HTML stays text; a switch shows every sign."""
    notebook = opened([FEW, "intercom.transcript()"], height=1000)
    notebook.run_all()
    row = notebook.page.locator("[data-part=transcript] .icnb-row").filter(has_text="What we decided").first
    row.locator("table").wait_for()
    picture(notebook, "markdown")
    assert row.get_by_role("heading", name="What we decided").count() == 1
    assert row.locator("ol > li").count() == 2
    assert row.locator("th, td").all_inner_texts()[:3] == ["what", "who", "when"]
    assert row.locator("pre").inner_text().startswith("def price(hours):\n    return")
    assert "<b>not bold</b>" in row.inner_text()
    notebook.page.get_by_role("button", name="As written").click()
    assert "**Point 1**" in row.inner_text()
    assert row.locator("table").count() == 0
    assert notebook.faults == []


def test_of_300_agents_those_who_did_something_come_first_and_teams_can_be_picked(opened):
    """Cards by activity; by name, team and state."""
    notebook = opened([TEAMS, "intercom"], height=1100)
    notebook.run_all()
    notebook.wait(SHOWN)
    agents = notebook.page.locator("[data-part=agents]")
    picture(notebook, "teams")
    order = agents.locator(".icnb-card").evaluate_all("all => all.slice(0, 3).map(one => one.textContent)")
    assert not any("0 runs" in text for text in order)
    agents.get_by_label("Team").select_option("Town 1")
    assert agents.locator(".icnb-card").count() == 75
    agents.get_by_label("Find an agent").fill("agent 29")
    assert agents.locator(".icnb-card").count() == 3
    agents.get_by_label("State").select_option("failed")
    assert agents.locator(".icnb-card").count() == 0
    assert agents.get_by_text("no agent is like that").is_visible()
    assert notebook.faults == []
