"""The command, at work: demos, a folder of agents, what it prints and how it exits."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from intercom_nb import demos
from intercom_nb.command import talks
from terminal import typed

# What is started in the background hears no interrupt; Python then takes none, unless it is told to.
INTERRUPTIBLE = """
import runpy, signal
signal.signal(signal.SIGINT, signal.default_int_handler)
runpy.run_module("intercom_nb", run_name="__main__")
"""


@pytest.fixture
def command(monkeypatch):
    """Give a function that runs the command in this process, at the stand-in's own pace."""
    monkeypatch.setattr(talks, "_PACE_S", 0.0)
    return typed


@pytest.mark.parametrize("demo", [1, 2])
def test_json_is_one_object_and_nothing_else(command, demo):
    """Names, not ids; a group message has a chat and no receiver; deliveries add up."""
    done = command("demo", str(demo), "--json")
    told = json.loads(done.stdout)
    names = {agent.name for agent in demos.cast(demo)}
    n_hearers = {"agent": 1, "group": 2}

    assert (done.exit_code, done.stderr) == (0, "")
    assert list(told) == ["demo", "model", "stopped", "log", "messages", "who"]
    assert (told["demo"], told["stopped"]) == (demo, "quiet")
    assert Path(told["log"]).is_file()
    assert [list(message) for message in told["messages"]] == [
        ["seq", "sender", "receiver", "chat", "type", "text"]
    ] * len(told["messages"])
    assert all(message["sender"] in names for message in told["messages"])
    assert all((message["receiver"] is None) == (message["type"] == "group") for message in told["messages"])
    assert all((message["chat"] is None) == (message["type"] == "agent") for message in told["messages"])
    assert set(told["who"]) == names
    total = sum(n for row in told["who"].values() for n in row.values())
    assert total == sum(n_hearers[message["type"]] for message in told["messages"])


def test_a_person_watching_sees_what_a_newcomer_needs(command):
    """The model, the transcript, why it stopped, who wrote to whom, and where the logs lie."""
    done = command("demo", "--logs", "kept")
    logs = sorted(Path("kept").glob("*.db"))

    assert done.exit_code == 0
    assert done.stdout.count("Model:  offline stand-in (rule-based, no language model)") == 2
    assert "Founder → Marketing Expert\n" in done.stdout
    assert "Founder → group “" in done.stdout
    assert done.stdout.count("Stopped: quiet: nobody has anything left to say.") == 2
    assert done.stdout.count("wrote to:") == 2
    assert len(logs) == 2
    assert all(str(log) in done.stdout for log in logs)
    assert f"Thread logs:  {logs[1].with_suffix('')}/" in done.stdout
    assert (logs[0].with_suffix("") / "Founder").is_file()


def test_a_mistake_is_one_sentence_and_a_status(command):
    """What cannot be done gives 1, what is written wrongly 2; nothing of either is on standard output."""
    no_key = command("demo", "1", "--model", "gpt-5-mini")

    assert (no_key.exit_code, no_key.stdout) == (1, "")
    assert no_key.stderr.startswith("Error: the model 'gpt-5-mini' needs a key")
    for wrong in (["demo", "--json"], ["demo", "3"], ["run", "nowhere"], ["nothing"], ["run", ".", "--to", "ann"]):
        done = command(*wrong)
        assert (done.exit_code, done.stdout) == (2, ""), wrong
        assert "Error:" in done.stderr


def test_a_new_folder_of_agents_runs_as_it_is_written(command):
    """`new` copies a cast, `run` streams what its agents write; a folder that is not empty is left alone."""
    made = command("new", "mine", "--cast", "demo_1")
    done = command("run", "mine")
    told = json.loads(command("run", "mine", "--json").stdout)
    again = command("new", "mine")

    assert made.stdout.splitlines()[0] == str(Path("mine", "01_founder", "mission.md"))
    assert done.exit_code == 0
    assert done.stdout.startswith("Founder, Marketing Expert, Network Engineer\nModel:  offline stand-in")
    assert done.stdout.index("(the program) → Founder") < done.stdout.index("Founder → Marketing Expert\n")
    assert (told["folder"], told["stopped"]) == ("mine", "quiet")
    assert told["who"]["Founder"]["Marketing Expert"] >= 1
    assert (again.exit_code, "is not empty" in again.stderr) == (2, True)


def test_whom_nobody_sets_to_work_one_says_a_word_to(command):
    """A folder in which nobody begins is refused with what would be right; `--say` and `--begin` are."""
    Path("pair/ann").mkdir(parents=True)
    Path("pair/ann/mission.md").write_text("Plan a party.")
    Path("pair/bob").mkdir()
    Path("pair/bob/mission.md").write_text("You know everything about parties.")
    refused = command("run", "pair")
    said = json.loads(command("run", "pair", "--say", "Who knows about parties?", "--to", "Bob", "--json").stdout)
    begun = command("run", "pair", "--begin", "ann")
    unknown = command("run", "pair", "--begin", "zoe")

    assert refused.exit_code == 2
    assert "give --begin NAME or --say TEXT (there are ann, bob)" in " ".join(refused.stderr.split())
    assert [said["messages"][0][part] for part in ("sender", "receiver")] == ["You", "bob"]
    assert begun.exit_code == 0
    assert "(the program) → ann\n    Begin\n" in begun.stdout
    assert (unknown.exit_code, "zoe" in unknown.stderr) == (1, True)


def test_functions_come_from_a_file_and_a_limit_is_a_status(command):
    """Only what the file itself defines becomes a tool; agents that a limit stopped give 3."""
    Path("one/ann").mkdir(parents=True)
    Path("one/ann/mission.md").write_text("Plan a party for Oslo.")
    Path("one/ann/settings.json").write_text('{"tools": ["inhabitants"], "begin": true}')
    Path("mine.py").write_text(
        "from json import dumps\ndef inhabitants(city: str) -> str:\n    'Return a number.'\n    return dumps(1)\n"
    )
    Path("broken.py").write_text("1 / 0\n")
    without = command("run", "one")
    given = command("run", "one", "--tools", "mine.py")
    broken = command("run", "one", "--tools", "broken.py")
    limited = command("run", "one", "--tools", "mine.py", "--tokens", "1")

    assert (without.exit_code, "inhabitants" in without.stderr) == (1, True)
    assert given.exit_code == 0
    assert (broken.exit_code, broken.stderr) == (
        1,
        "Error: broken.py cannot be run: ZeroDivisionError: division by zero\n",
    )
    assert limited.exit_code == 3
    assert "the limit of tokens is met" in limited.stdout


def test_what_an_agent_writes_does_not_steer_the_terminal(command):
    """Escape sequences, and marks that turn text around, are shown as what they are: unknown characters."""
    Path("one/ann").mkdir(parents=True)
    Path("one/ann/mission.md").write_text("Plan a party.")
    done = command("run", "one", "--say", "red \x1b[31m and \u202eback\u2069")

    assert done.exit_code == 0
    assert "red \ufffd[31m and \ufffdback\ufffd" in done.stdout
    assert "\x1b" not in done.stdout


def test_a_closed_pipe_ends_it_quietly():
    """Whoever reads three lines sees three lines, and no traceback follows."""
    command = [sys.executable, "-m", "intercom_nb", "demo", "1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        first = running.stdout.readline()
        running.stdout.close()
        told = running.stderr.read()

    assert first.startswith("Demo 1: Founder")
    assert told == ""


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such signal")
def test_ctrl_c_stops_the_agents_and_says_how_to_go_on():
    """The log is whole: the sentence names it."""
    command = [sys.executable, "-m", "intercom_nb", "new", "mine"]
    subprocess.run(command, check=True, capture_output=True)
    command = [sys.executable, "-c", INTERRUPTIBLE, "run", "mine"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        while "→" not in running.stdout.readline():
            pass
        running.send_signal(signal.SIGINT)
        _, told = running.communicate()

    assert running.returncode == 130
    assert told.startswith("interrupted; InterComService.open('")
    assert Path(told.split("'")[1]).is_file()
