"""One story, from a newcomer's first lines to the saved page; it grows with what the package can do."""

import http.server
import json
import os
import signal
import subprocess
import sys
import threading

import nbformat
import pytest
from nbclient import NotebookClient
from nbconvert import HTMLExporter

from intercom_nb import Agent, Dashboard, InterComService, Limits, MissingKeyError, messages_df, steps_df, who_to_whom
from intercom_nb.log.state import places, state
from intercom_nb.texts.instructions import identity

KEY = "sk-proj-STORY0123456789abcdef"

NEWCOMER = """
import sys, time
from intercom_nb import Agent, InterComService, Limits

intercom = InterComService("studio", model="story-1", settings={"temperature": 0}, limits=Limits(usd=1), logs="logs")
intercom.add(
    Agent("Ann", description="Plans parties.", mission="Plan a party with Bob."),
    Agent("Bob", description="Knows everything about music.", settings={"temperature": 1}),
)
intercom.start()
intercom["ann"].begin()
print(intercom.log.path, flush=True)
while len(intercom.messages) < 3:
    time.sleep(0.01)
print("talking", flush=True)
time.sleep(60)
"""


class Minds(http.server.BaseHTTPRequestHandler):
    """A model server: Ann asks Bob, Bob answers Ann, and both are silent after that."""

    def do_POST(self):
        """Answer POST /v1/responses."""
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.server.asked.append(asked)
        who = identity(asked["instructions"]).id
        output = [{"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "(nothing)"}]}]
        other = {"ann": "bob", "bob": "ann"}[who]
        if asked["input"][-1].get("role") == "user" and f"said by {who}" not in json.dumps(asked["input"]):
            arguments = json.dumps({"chat_id": other, "message": f"said by {who}"})
            output = [{"type": "function_call", "call_id": "c1", "name": "send_message", "arguments": arguments}]
        usage = {"input_tokens": 100, "output_tokens": 10}
        body = json.dumps({"id": "r-1", "model": "story-1-0824", "output": output, "usage": usage}).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        """Say nothing."""


@pytest.fixture
def minds(monkeypatch):
    """Give a model server on this computer, named in the environment with a key."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Minds)
    server.asked = []
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    monkeypatch.setenv("OPENAI_BASE_URL", f"http://127.0.0.1:{server.server_port}/v1")
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def killed_in_the_middle(folder):
    """Run the newcomer's lines in a process of their own, kill it, and return its log."""
    process = subprocess.Popen(
        [sys.executable, "-c", NEWCOMER], cwd=folder, env=os.environ, stdout=subprocess.PIPE, text=True
    )
    try:
        log = folder / process.stdout.readline().strip()
        assert process.stdout.readline() == "talking\n"
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
    return log


def test_from_the_first_lines_to_the_saved_page(minds, monkeypatch, tmp_path):
    """A named model, a kill, the log opened again as it was, an edit, a look back, a page for others."""
    log = killed_in_the_middle(tmp_path)
    said = {message["message_id"]: message["text"] for message in messages_df(log).to_dict("records")}

    before = len(minds.asked)
    with InterComService.open(log) as intercom:
        assert "story-1 at http://127.0.0.1" in intercom.model
        assert (intercom.limits, intercom.settings.temperature) == (Limits(usd=1), 0)
        assert intercom.wait(60) == "quiet"
        assert set(said) <= {message.id for message in intercom.messages}  # nothing accepted is lost
        talk = [message.text for message in intercom.messages if message.sender_id is not None]
        assert sorted(talk) == ["said by ann", "said by bob"]  # and nothing is said twice
        intercom["ann"].mission = "Plan a picnic with Bob."
        intercom["ann"].begin()
        assert intercom.wait(60) == "quiet"
    assert len(minds.asked) > before

    first = state(log, "m-" + str(next(place.seq for place in places(log) if state(log, place.seq).spent.messages)))
    assert first.members[0].spec.mission == "Plan a party with Bob."
    assert state(log).members[0].spec.mission == "Plan a picnic with Bob."
    steps = steps_df(log)
    assert set(steps["asked"]) == {"story-1"}
    assert set(steps["model"]) == {"story-1-0824"}
    assert who_to_whom(log).loc["Ann", "Bob"] == 1

    with InterComService.open(log) as again:
        page = again.to_html(tmp_path / "studio.html")
    assert "said by ann" not in page.name
    assert page.stat().st_size > 10_000
    for file in (log, page):
        assert KEY.encode() not in file.read_bytes()

    monkeypatch.delenv("OPENAI_API_KEY")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    assert "studio" in repr(Dashboard(log))  # to look at it, no model is needed
    monkeypatch.delenv("OPENAI_BASE_URL")
    offline = InterComService.open(log, model="offline")
    assert "offline" in repr(offline)
    offline.stop()


def test_a_log_whose_model_cannot_be_reached_says_so_and_can_be_looked_at(tmp_path, monkeypatch):
    """One sentence names the model and the server; nobody else's key is sent there."""
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    made = InterComService("far", model="far-1", base_url="https://me:secret@models.example/v1", logs=tmp_path)
    made.add(Agent("Ann"))
    made.stop()

    with pytest.raises(MissingKeyError, match=r"'far-1' on https://models\.example/v1") as told:
        InterComService.open(made.log.path)
    assert "secret" not in str(told.value)
    assert b"secret" not in made.log.path.read_bytes()
    assert len(messages_df(made.log.path)) == 0


@pytest.mark.slow
@pytest.mark.kernel
@pytest.mark.usefixtures("minds")
def test_the_notebook_that_was_saved_shows_the_next_day_what_was_there(tmp_path):
    """Shown while agents talk, saved, its kernel gone: pictures of the end, no widget that nobody can show, no key."""
    log = killed_in_the_middle(tmp_path)
    cells = [
        "from intercom_nb import InterComService\nintercom = InterComService.open(" + repr(str(log)) + ")",
        "intercom",
        "intercom.transcript()",
        "intercom.start()\nyou = intercom.add_person('You')\n_ = you.send_message('Who plays?', 'bob')",
        "_ = intercom.wait(progress=False)",
        "intercom.stop()",
    ]
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    client = NotebookClient(book, timeout=120, resources={"metadata": {"path": str(tmp_path)}})
    with client.setup_kernel(env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}):
        for place, cell in enumerate(book.cells[:3]):
            client.execute_cell(cell, place)
        early = [cell.outputs[0]["data"]["image/png"] for cell in book.cells[1:3]]
        for place, cell in enumerate(book.cells[3:], 3):
            client.execute_cell(cell, place)
    saved = tmp_path / "studio.ipynb"
    nbformat.write(book, saved)

    opened = nbformat.read(saved, as_version=4)
    outputs = [output for cell in opened.cells for output in cell.outputs if output.output_type != "stream"]
    shown = [output["data"] for output in outputs]
    assert [set(data) for data in shown] == [{"text/plain", "image/png"}] * 2
    assert all(data["image/png"] != before for data, before in zip(shown, early, strict=True))
    assert all(len(data["image/png"]) <= 60_000 for data in shown)
    html, _ = HTMLExporter().from_notebook_node(opened)
    assert all(data["image/png"].strip() in html for data in shown)
    assert KEY not in saved.read_text("utf-8") + html
