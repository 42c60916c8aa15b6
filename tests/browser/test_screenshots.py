"""Pictures of the views, for a person to look at: light and dark, narrow and wide, few agents and many."""

from pathlib import Path

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.kernel, pytest.mark.alone]

FOLDER = Path(__file__).parents[2] / "build" / "screenshots"
DEMO = """
from intercom_nb import InterComService, Limits
from intercom_nb.demos import cast
intercom = InterComService("startup", logs="logs", limits=Limits(tokens=60_000, runs=100))
intercom.add(*cast(2))
you = intercom.add_person("You")
_ = intercom["founder"].begin()
intercom.start()
intercom.wait()
_ = you.send_message("What should we spend on marketing this year?", "marketing-expert")
intercom.wait()
"""
CROWD = """
import random
from intercom_nb import Agent, InterComService, ScriptedAssistant, call
dice = random.Random(3)
names = [f"{kind} {n}" for n in range(12) for kind in ("Planner", "Writer", "Critic", "Engineer", "Buyer")]
ids = [name.lower().replace(" ", "-") for name in names]
def some(name):
    others = [i for i in ids[:50] if i != name]
    near = [dice.choice(others) for _ in range(2)]
    ask = f"What do you think of draft {dice.randrange(100)}?"
    return [[call("send_message", chat_id=i, message=ask) for i in near], "(sent)"] * 3
about = dict(name="Draft", description="All about the draft.", message="Welcome")
replies = {name: some(i) for name, i in zip(names, ids)}
replies["Planner 0"] = [[call("create_chat", agent_ids=ids[5:12], **about)], "."]
model = ScriptedAssistant(replies, default=lambda _: "(fine)")
intercom = InterComService("crowd", model=model, logs="logs", courtesy=False)
intercom.add(*(Agent(name, description=f"Is a {name.split()[0].lower()}.") for name in names))
for i in ids[:50:3]:
    _ = intercom[i].begin()
intercom.start()
intercom.wait()
"""
SHOWN = "() => document.querySelectorAll('[data-part=graph] .icnb-strand').length > 2"


def dress(notebook, theme):
    """Give JupyterLab this theme, and the notebook all the room."""
    notebook.page.evaluate(
        """async theme => {
            const {commands, shell} = window.jupyterapp;
            await commands.execute('apputils:change-theme', {theme});
            if (!shell.leftCollapsed) await commands.execute('application:toggle-left-area');
        }""",
        f"JupyterLab {theme.title()}",
    )
    notebook.wait("light => document.body.dataset.jpThemeLight === light", str(theme == "light").lower())


@pytest.mark.parametrize("width", [700, 1400])
@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize(("agents", "cell"), [(3, DEMO), (60, CROWD)])
def test_pictures(opened, agents, cell, theme, width):
    """The dashboard as a person sees it once everything has been said; nothing is wider than its place."""
    notebook = opened([cell, "intercom"], width=width, height=1500)
    dress(notebook, theme)
    notebook.run_all()
    notebook.wait(SHOWN)
    notebook.wait("() => document.getAnimations().every(a => a.playState !== 'running')")
    board = notebook.page.locator(".icnb").first
    board.scroll_into_view_if_needed()
    FOLDER.mkdir(parents=True, exist_ok=True)
    board.screenshot(path=FOLDER / f"{agents}-{theme}-{width}.png")
    notebook.page.screenshot(path=FOLDER / f"page-{agents}-{theme}-{width}.png")
    if (agents, theme, width) == (3, "light", 1400):
        board.screenshot(path=FOLDER / "dashboard.png")

    assert board.evaluate("board => board.scrollWidth <= board.clientWidth + 1")
    assert notebook.faults == []
