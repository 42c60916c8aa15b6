"""MissionLab: change a mission, run again, compare; in code, and by its button."""

import threading

import pytest

from intercom_nb import Agent, Dashboard, MissionLab, ScriptedAssistant, UnknownIdError, call
from views_fixtures import record


@pytest.fixture
def lab(monkeypatch):
    """Give a lab of the first demo, with an editor."""
    record(monkeypatch)
    made = MissionLab(1, model="offline")
    yield made
    made.close()


def until(condition):
    """Wait until something holds."""
    for _ in range(6_000):
        if condition():
            return
        threading.Event().wait(0.01)
    pytest.fail("it does not come about")


def widgets(box):
    """Return every widget in a box."""
    return [box, *(one for child in getattr(box, "children", ()) for one in widgets(child))]


def test_a_run_is_a_log_of_its_own_with_its_outcome(lab):
    """Who wrote to whom, how much, and whether what should come about did."""
    first, second = lab.run(), lab.run()

    assert first.log != second.log
    assert first.log.path.is_file()
    assert first.who["Founder"]["Marketing Expert"] == 2
    assert all(first.goals.values())
    assert (first.reason, first.messages) == ("quiet", 4)
    assert first.tokens > 0
    assert lab.runs == [first, second]


def test_an_edit_counts_from_the_next_run_on_and_is_named(lab):
    """By id or name; the table says what was changed, and what came of it."""
    lab.run()
    lab.edit("Founder", mission="Find somebody who knows everything about networks.", description="A founder.")
    edited = lab.run()
    table = lab.compare()

    assert edited.changed == "mission of Founder, description of Founder"
    assert edited.who["Founder"]["Network Engineer"] > 0
    assert list(table.columns) == ["changed", "reason", "messages", "tokens", "goals_met", "log"]
    assert table.index.tolist() == [1, 2]
    assert table.goals_met[1] == 5 > table.goals_met[2]
    with pytest.raises(UnknownIdError, match="marketing-expert"):
        lab.edit("nobody", mission="x")


def test_a_cast_of_ones_own_has_no_goals(monkeypatch):
    """Any agents; the first of them begins, and none of them joins a service itself."""
    record(monkeypatch)
    script = {"Ann": [call("send_message", chat_id="bob", message="Hi"), "sent"]}
    lab = MissionLab([Agent("Ann"), Agent("Bob")], model=ScriptedAssistant(script, default="done"))
    run = lab.run()

    assert run.who == {"Ann": {"Bob": 1}, "Bob": {"Ann": 0}}
    assert run.goals == {}
    assert lab.compare().goals_met.isna().all()
    with pytest.raises(ValueError, match="at least one agent"):
        MissionLab([])


def test_the_button_runs_beside_the_cells_and_shows_both_runs(lab):
    """A click returns at once; the editor's texts go to the agents, the outcome comes to the editor."""
    bundle = lab._repr_mimebundle_()
    everything = widgets(lab._panel._box)
    (button,) = [one for one in everything if getattr(one, "description", "") == "Run"]
    mission = next(one for one in everything if getattr(one, "placeholder", "") == "mission of Founder")
    lab.run()
    mission.value = "Find somebody who knows everything about <networks>."
    button.click()
    until(lambda: len(lab.runs) == 2 and not button.disabled)

    assert set(bundle) >= {"text/plain", "application/vnd.jupyter.widget-view+json"}
    assert lab.runs[1].changed == "mission of Founder"
    pages = " ".join(str(getattr(one, "value", "")) for one in everything if type(one).__name__ == "HTML")
    assert "Run 1" in pages
    assert "Run 2" in pages
    assert "✗ not met" in pages
    assert "image/png" in lab._repr_mimebundle_()


def test_any_run_can_be_opened_again(lab):
    """In the editor, and in code; what was open before is closed."""
    lab.run()
    lab._repr_mimebundle_()
    chosen = next(one for one in widgets(lab._panel._box) if type(one).__name__ == "Dropdown")
    chosen.value = 1
    (dashboard,) = lab._panel._opened.children
    chosen.value = 0

    assert dashboard.part == "dashboard"
    assert dashboard.comm is None
    assert "text/plain" in lab.runs[0]._repr_mimebundle_()
    assert repr(Dashboard(lab.runs[0].log)).endswith("3 members, 4 messages>")


def test_what_goes_wrong_behind_the_button_is_said(lab):
    """In the editor, for no cell is there to raise in."""
    lab._repr_mimebundle_()
    lab._settings["model"] = "gpt-none"
    lab.start_run()
    until(lambda: lab.trouble)

    assert "OPENAI_API_KEY" in lab.trouble
