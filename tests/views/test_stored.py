"""What a notebook keeps of a view: a small picture of its part, renewed when things have settled."""

import base64
import io
import os
import re
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from nbconvert import HTMLExporter
from PIL import Image

from intercom_nb import Agent, AgentsView, Dashboard, GraphView, Timeline, Transcript, demos
from views_fixtures import Page, record

ROOT = Path(__file__).parents[2]
WIDGET = "application/vnd.jupyter.widget-view+json"
SETUP = """
from intercom_nb import Agent, InterComService, ScriptedAssistant
intercom = InterComService("kept", model=ScriptedAssistant(default="ok"), logs=None)
intercom.add(Agent("Ann"), Agent("Bob"))
"""


@pytest.fixture(autouse=True)
def _recorded(monkeypatch):
    record(monkeypatch)


def saved(page):
    """Return the pictures that a page was sent."""
    return [content["png"] for _, content in page.customs if content["kind"] == "saved"]


def test_each_view_keeps_a_picture_of_its_part(tmp_path):
    """At most 60 kB of text, each another one; a picture of a member or chat shows that one."""
    finished = demos.run(2, model="offline", logs=tmp_path)
    shown = [Dashboard, Transcript, GraphView, AgentsView, Timeline]
    views = [view(finished.log) for view in shown] + [
        AgentsView(finished.log, "founder"),
        Transcript(finished, "chat-1"),
    ]
    pictures = [view._repr_mimebundle_()["image/png"] for view in views]

    assert all(len(base64.b64encode(png)) <= 60_000 for png in pictures)
    assert len({hash(png) for png in pictures}) == len(pictures)
    sizes = [Image.open(io.BytesIO(png)).size for png in pictures]
    assert sizes[5][1] < sizes[3][1], "one member takes less room than four"


def test_a_crowd_takes_no_more(scripted):
    """Of 300 members who all wrote long texts, too."""
    service = scripted(default="ok")
    service.add(*(Agent(f"Agent {n}", description="x" * 200) for n in range(300)))
    people = [service.add_person(f"Person {n}") for n in range(30)]
    for n, person in enumerate(people * 5):
        person.send_message(f"{n} " * 300, f"agent-{n}")
    for view in (Dashboard, Transcript, GraphView, AgentsView, Timeline):
        assert len(base64.b64encode(view(service)._repr_mimebundle_()["image/png"])) <= 60_000


def test_a_picture_names_its_view_and_is_renewed_when_things_have_settled(scripted):
    """The page is sent the new one, without having asked, also where nobody looks; what nobody has is not drawn."""
    service = scripted(default="ok")
    service.add(Agent("Ann"))
    view = Dashboard(service)
    page = Page(view)
    png = view._repr_mimebundle_()["image/png"]
    never_shown = Page(service.transcript())
    assert view.widget.mark.encode() in png[:120]
    Image.open(io.BytesIO(png)).verify()

    service.send_message("Hello", "ann")
    page.until(lambda page: len(saved(page)) == 1)
    assert base64.b64decode(saved(page)[0]) != png
    service.stop()
    assert len(saved(page)) == 1, "nothing has happened since"
    assert saved(never_shown) == []


def test_what_happened_until_the_end_is_in_the_picture(scripted):
    """A stop draws what was not drawn yet."""
    service = scripted(default="ok")
    service.add(Agent("Ann"))
    view = Dashboard(service)
    page = Page(view)
    first = view._repr_mimebundle_()["image/png"]
    for n in range(3):
        service.send_message(f"Hello {n}", "ann")
    service.stop()

    assert saved(page)
    assert base64.b64decode(saved(page)[-1]) != first
    assert base64.b64decode(saved(page)[-1]) == view._repr_mimebundle_()["image/png"]


def test_a_page_learns_that_its_kernel_is_there(scripted):
    """A page that is opened again asks; only then it puts a live view before the pictures."""
    page = Page(Dashboard(scripted(default="ok")))
    assert {"kind": "here"} in page.send(kind="probe")


@pytest.mark.slow
@pytest.mark.kernel
def test_a_notebook_that_a_program_runs_keeps_pictures_of_the_end(tmp_path):
    """nbclient: no widget without its state; the picture shown before the talk is renewed when wait() returns."""
    cells = [SETUP, "intercom", "'between'", "intercom.start()\n_ = intercom.send_message('Hello', 'ann')"]
    cells += ["_ = intercom.wait(progress=False)", "_ = intercom.send_message('Again', 'bob')\nintercom.stop()"]
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    client = NotebookClient(book, timeout=60, resources={"metadata": {"path": str(tmp_path)}})
    seen = []
    with client.setup_kernel(env={**os.environ, "PYTHONPATH": str(ROOT)}):
        for place, cell in enumerate(book.cells):
            client.execute_cell(cell, place)
            seen.append([output["data"].get("image/png") for output in book.cells[1].outputs])

    (output,) = book.cells[1].outputs
    assert set(output["data"]) == {"text/plain", "image/png"}
    assert [seen[n] != seen[n - 1] for n in range(2, 6)] == [False, False, True, True]
    assert [len(cell.outputs) for cell in book.cells] == [0, 1, 1, 0, 0, 0]
    assert not book.metadata.get("widgets", {}).get("application/vnd.jupyter.widget-state+json", {}).get("state")

    html, _ = HTMLExporter().from_notebook_node(book)
    assert output["data"]["image/png"].strip() in html
    assert not re.search("widget-view", html)
