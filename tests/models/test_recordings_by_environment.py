"""Users' own notebooks, tested: on the stand-in, or on recordings that a setting names."""

import asyncio
import json
import os
import subprocess
import sys

import nbformat
import pytest

from intercom_nb import Agent, InterComService, RecordingError, ScriptedAssistant, to_jsonl
from intercom_nb.log.reading import querying

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
def test_a_notebook_is_played(tmp_path):
    """Three services, two of them of one name; played they say the same; stale or missing, the notebook fails."""
    first, out, said = nbmake(tmp_path, THREAD_LOGS_PATH=FOLDER)
    assert first == 0, out
    settings = {"INTERCOM_PLAY": FOLDER, "INTERCOM_MODEL": "gpt-5-mini", "OPENAI_API_KEY": KEY}
    from_logs, out, once = nbmake(tmp_path, THREAD_LOGS_PATH=FOLDER, **settings)
    assert from_logs == 0, out
    for name, log in zip(
        ("party", "picnic", "party.2"), sorted(made_logs(tmp_path / FOLDER), key=created), strict=True
    ):
        to_jsonl(log, tmp_path / FOLDER / f"{name}.jsonl", for_play=True)
    from_texts, out, again = nbmake(tmp_path, **settings)
    assert from_texts == 0, out
    stale, told, _ = nbmake(tmp_path, INTERCOM_PLAY=FOLDER, MISSION="Choose the food of a party.")
    (tmp_path / FOLDER / "party.2.jsonl").unlink()
    missing, missed, _ = nbmake(tmp_path, INTERCOM_PLAY=FOLDER)

    assert [messages for _, messages in once] == [messages for _, messages in said]
    assert [messages for _, messages in again] == [messages for _, messages in said]
    assert all("played from a recording" in model for model, _ in again)
    assert stale == missing == 1
    assert "party.jsonl: agent 'ann', call 1" in told
    assert (
        "the instructions differ; to renew it, run without INTERCOM_PLAY and write to_jsonl(log, 'party.jsonl'," in told
    )
    assert "recordings: there is no such recording of a service 'party'; to renew it, run without" in missed


def made_logs(folder):
    """Return the logs of a folder that were not played themselves."""
    for path in folder.glob("*.db"):
        with querying(path) as query:
            if query("SELECT value FROM options WHERE name = 'model'") != [('"played()"',)]:
                yield path


def created(path):
    """Return when a log was made."""
    with querying(path) as query:
        return int(dict(query("SELECT key, value FROM meta"))["created_at"])


def talk(mission="One.", *, begin=True, folder=None, **settings):
    """Let Ann speak in a service that is to be played or is, and return it, started."""
    intercom = InterComService("talk", logs=folder, thread_logs=False, **settings)
    intercom.add(Agent("Ann", mission=mission))
    intercom.start()
    if begin:
        intercom["ann"].begin()
    return intercom


@pytest.fixture(params=["text", "log", "newest"])
def recorded(request, monkeypatch, tmp_path):
    """Put a recording where the setting looks for it, in each of its forms; count services anew."""
    with talk(model=ScriptedAssistant(), folder=FOLDER) as intercom:
        assert intercom.wait(60) == "quiet"
    if request.param == "text":
        to_jsonl(intercom.log.path, f"{FOLDER}/talk.jsonl", for_play=True)
    elif request.param == "log":
        intercom.log.path.rename(f"{FOLDER}/talk.db")
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
        intercom._engine.lifecycle.wait(20, lambda: None)
    with pytest.raises(
        RecordingError,
        match=r"instructions differ; to renew it, run .* to_jsonl\(log, .talk\.jsonl., for_play=True\) there",
    ):
        ways[way]()
    intercom.stop()

    assert intercom.state == "stopped"


@pytest.mark.usefixtures("recorded")
def test_an_error_of_the_cell_itself_goes_first():
    """Leaving the block adds nothing to it."""
    intercom = talk("Two.")
    intercom._engine.lifecycle.wait(20, lambda: None)
    with pytest.raises(ZeroDivisionError), intercom:
        _ = 1 / 0

    assert intercom.state == "stopped"


@pytest.mark.usefixtures("recorded")
def test_what_is_left_of_a_recording_is_told_at_the_end():
    """A notebook that says less than was recorded is not the one that was recorded."""
    intercom = talk(begin=False)
    assert intercom.wait(60) == "quiet"

    with pytest.raises(RecordingError, match=r"more calls than were made: 1 of agent 'ann'; to renew it"):
        intercom.stop()


@pytest.mark.usefixtures("recorded")
def test_what_a_service_is_told_goes_before_the_environment():
    """Its own play= is meant."""
    with own() as one:
        assert one.wait(60) == "quiet"
        assert one["ann"].conversation[-1]["content"] == "Mine."
    with talk() as by_setting:  # the first of its name that the setting is for
        assert by_setting.wait(60) == "quiet"
        assert by_setting["ann"].conversation[-1]["content"] == "(nothing scripted)"


def own():
    """Return a service that plays a log of its own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("INTERCOM_PLAY")
        with talk(model=ScriptedAssistant(default=lambda _: "Mine."), folder="own") as intercom:
            intercom.wait(60)
    return talk(play=intercom.log.path)


def test_the_newest_run_is_played_and_no_run_that_was_played_itself(monkeypatch):
    """Of the logs in one folder: those that the last process made that asked a model."""

    def say(word):
        monkeypatch.setitem(sys.__dict__, "_intercom_nb_process", (os.getpid(), word))  # as if it were another process
        monkeypatch.setitem(sys.__dict__, "_intercom_nb_taped", {})
        heard = []
        for n in (1, 2):
            with talk(model=ScriptedAssistant(default=lambda _: f"{word} {n}"), folder=FOLDER) as intercom:  # noqa: B023
                intercom.wait(60)
                heard.append(intercom["ann"].conversation[-1]["content"])
        return heard

    assert [say("old"), say("new")] == [["old 1", "old 2"], ["new 1", "new 2"]]
    monkeypatch.setenv("INTERCOM_PLAY", FOLDER)
    assert [say("x"), say("y")] == [["new 1", "new 2"]] * 2
    with pytest.raises(RecordingError, match="no such recording of a service 'talk'"):
        talk()


def test_a_log_that_is_opened_again_plays_what_followed(monkeypatch):
    """The service that made it plays up to there, the one that opens it goes on."""

    def run():
        with InterComService("Silent one", model="offline", logs="logs") as intercom:
            intercom.add(Agent("Ann"))
        with InterComService.open(intercom.log.path) as again:
            again["ann"].begin()
            assert again.wait(60) == "quiet"
            return again.log.path, again["ann"].conversation

    log, said = run()
    to_jsonl(log, f"{FOLDER}/silent-one.jsonl", for_play=True)
    monkeypatch.setenv("INTERCOM_PLAY", FOLDER)
    monkeypatch.setitem(sys.__dict__, "_intercom_nb_taped", {})
    played, again = run()

    assert again == said
    assert played != log
