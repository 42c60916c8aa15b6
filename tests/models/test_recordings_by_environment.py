"""Users' own notebooks, tested: on the stand-in, or on recordings that a setting names."""

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from intercom_nb import Agent, InterComService, RecordingError, ScriptedAssistant

KEY = "sk-proj-SECRET0123456789abcdef"
FOLDER = "recordings"

FIRST = """
import json, os
from pathlib import Path
from intercom_nb import Agent, InterComService

def talk(name, mission):
    with InterComService(name) as intercom:
        intercom.add(
            Agent("Ann", mission=mission),
            Agent("Bob", description="Knows everything about music."),
        )
        intercom["ann"].begin()
        intercom.wait()
    return [intercom.model, [[m.sender_id, m.receiver_id, m.text] for m in intercom.messages]]
"""
SECOND = """
said = [talk("party", os.environ["MISSION"]), talk("Picnic!", "Choose the music of a picnic.")]
said.append(talk("party", "Choose music for a dance."))
Path("said.json").write_text(json.dumps(said))
"""
MISSION = "Choose the music of a party."


def nbmake(folder, **settings):
    """Test a notebook as a user does; return the exit status, what pytest said, and what the agents said."""
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in (FIRST, SECOND)])
    book.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(book, folder / "party.ipynb")
    said = folder / "said.json"
    said.unlink(missing_ok=True)
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--nbmake", "party.ipynb"]
    environment = {**os.environ, "MISSION": MISSION, "COLUMNS": "500", **settings}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, json.loads(said.read_text()) if said.exists() else None


@pytest.mark.kernel
def test_a_notebook_runs_on_the_stand_in_where_a_key_is_set(tmp_path):
    """It names no model, so the setting does; no network is needed."""
    status, out, said = nbmake(tmp_path, INTERCOM_MODEL="offline", OPENAI_API_KEY=KEY)

    assert status == 0, out
    assert [model for model, _ in said] == ["offline stand-in (rule-based, no language model)"] * 3
    assert all(len(messages) > 1 for _, messages in said)


@pytest.mark.kernel
def test_a_notebook_is_recorded_and_played(tmp_path):
    """Three services, two of them of one name; played they say the same; stale or missing, the notebook fails."""
    recorded, out, said = nbmake(tmp_path, INTERCOM_RECORD=FOLDER)
    assert recorded == 0, out
    names = sorted(path.name for path in (tmp_path / FOLDER).iterdir())
    played, out, again = nbmake(tmp_path, INTERCOM_PLAY=FOLDER, INTERCOM_MODEL="gpt-5-mini", OPENAI_API_KEY=KEY)
    assert played == 0, out
    stale, told, _ = nbmake(tmp_path, INTERCOM_PLAY=FOLDER, MISSION="Choose the food of a party.")
    (tmp_path / FOLDER / "party.2.jsonl").unlink()
    missing, missed, _ = nbmake(tmp_path, INTERCOM_PLAY=FOLDER)

    assert names == ["party.2.jsonl", "party.jsonl", "picnic.jsonl"]
    assert [messages for _, messages in again] == [messages for _, messages in said]
    assert all("played from a recording" in model for model, _ in again)
    assert stale == missing == 1
    assert "party.jsonl: agent 'ann', call 1" in told
    assert "the instructions differ; INTERCOM_RECORD=recordings in place of INTERCOM_PLAY renews it" in told
    assert "party.2.jsonl: there is no such recording; INTERCOM_RECORD=recordings in place of" in missed


def talk(mission="One.", *, begin=True, **settings):
    """Let Ann speak in a service that is recorded or played, and return it, started."""
    intercom = InterComService("talk", logs=None, **settings)
    intercom.add(Agent("Ann", mission=mission))
    intercom.start()
    if begin:
        intercom["ann"].begin()
    return intercom


@pytest.fixture
def recorded(monkeypatch, tmp_path):
    """Make a recording by the setting, ready to be played by the other; count services anew."""
    monkeypatch.setenv("INTERCOM_RECORD", FOLDER)
    with talk(model=ScriptedAssistant()) as intercom:
        assert intercom.wait(60) == "quiet"
    monkeypatch.delenv("INTERCOM_RECORD")
    monkeypatch.setenv("INTERCOM_PLAY", FOLDER)
    monkeypatch.setitem(sys.__dict__, "_intercom_nb_taped", {})
    return tmp_path / FOLDER


@pytest.mark.usefixtures("recorded")
@pytest.mark.parametrize("way", ["wait", "quiet", "stop", "with"])
def test_a_stale_recording_is_raised_wherever_one_waits(way):
    """Once; and a stopped service has stopped."""
    intercom = talk("Two.")
    ways = {
        "wait": lambda: intercom.wait(60),
        "quiet": lambda: asyncio.run(intercom.quiet()),
        "stop": intercom.stop,
        "with": lambda: intercom.__exit__(None, None, None),
    }
    if way in ("stop", "with"):
        intercom._lifecycle.wait(20, lambda: None)
    with pytest.raises(RecordingError, match=r"instructions differ; INTERCOM_RECORD=recordings in place of"):
        ways[way]()
    intercom.stop()

    assert intercom.state == "stopped"


@pytest.mark.usefixtures("recorded")
def test_an_error_of_the_cell_itself_goes_first():
    """Leaving the block adds nothing to it."""
    intercom = talk("Two.")
    intercom._lifecycle.wait(20, lambda: None)
    with pytest.raises(ZeroDivisionError), intercom:
        _ = 1 / 0

    assert intercom.state == "stopped"


@pytest.mark.usefixtures("recorded")
def test_what_is_left_of_a_recording_is_told_at_the_end():
    """A notebook that says less than was recorded is not the one that was recorded."""
    intercom = talk(begin=False)
    assert intercom.wait(60) == "quiet"

    with pytest.raises(RecordingError, match=r"more calls than were made: 1 of agent 'ann'; INTERCOM_RECORD="):
        intercom.stop()


@pytest.mark.usefixtures("recorded")
def test_what_a_service_is_told_goes_before_the_environment():
    """Its own record= and play= are meant; both variables at once are not."""
    with talk(model=ScriptedAssistant(), record="own.jsonl") as own:
        assert own.wait(60) == "quiet"
    with talk(play="own.jsonl") as own:
        assert own.wait(60) == "quiet"
    with talk() as by_setting:  # the first of its name that the setting is for
        assert by_setting.wait(60) == "quiet"
    assert len(Path("own.jsonl").read_text().splitlines()) == 2


def test_a_recording_is_whole_when_its_service_is_stopped_at_once():
    """The end of the last step is in the log a moment before its line is written."""
    for _ in range(10):
        with talk(model=ScriptedAssistant(), record="own.jsonl") as own:
            assert own.wait(60) == "quiet"
        assert len(Path("own.jsonl").read_text().splitlines()) == 2


def test_both_variables_at_once_are_refused(monkeypatch):
    """One of them."""
    monkeypatch.setenv("INTERCOM_RECORD", FOLDER)
    monkeypatch.setenv("INTERCOM_PLAY", FOLDER)

    with pytest.raises(RecordingError, match="both set"):
        InterComService(logs=None)


def test_a_service_that_calls_no_model_has_a_recording_too(monkeypatch):
    """Else it could not be played; a log that is opened again has the next one."""
    monkeypatch.setenv("INTERCOM_RECORD", FOLDER)
    with InterComService("Silent one") as intercom:
        pass
    with InterComService.open(intercom.log, model="offline"):
        pass
    assert sorted(path.name for path in Path(FOLDER).iterdir()) == ["silent-one.2.jsonl", "silent-one.jsonl"]

    monkeypatch.delenv("INTERCOM_RECORD")
    monkeypatch.setenv("INTERCOM_PLAY", FOLDER)
    monkeypatch.setitem(sys.__dict__, "_intercom_nb_taped", {})
    with InterComService("Silent one") as intercom:
        assert intercom.wait(60) == "quiet"
