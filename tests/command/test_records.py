"""Logs as records of runs: the list of them, and one executed again."""

import json
import shutil
import sqlite3
from pathlib import Path

import pytest

from intercom_nb import demos
from terminal import typed


@pytest.fixture
def log():
    """Give the log of a demo, in the usual folder."""
    return Path(str(demos.run(1).log))


def test_the_logs_of_a_folder_are_listed_with_what_they_took(log):
    """One line each under a head; also a log in a folder below, and a file that is no log, with what is wrong."""
    Path("logs/study").mkdir()
    shutil.copy(log, "logs/study/copy.db")
    Path("logs/broken.db").write_text("hello")
    done = typed("runs", "logs")
    head, *lines = done.stdout.splitlines()
    told = {line.split()[0]: line for line in lines}

    assert done.exit_code == 0
    assert head.split() == ["log", "began", "reason", "agents", "messages", "tokens", "usd", "size"]
    assert set(told) == {log.stem, "study/copy", "broken"}
    assert told[log.stem].split()[3:6] == ["quiet", "3", "4"]
    assert told[log.stem].endswith("KB")
    assert "broken.db" in told["broken"]


def test_the_list_is_for_programs_too(log):
    """All columns, times as ISO 8601, and the bytes of each; the usual folder where none is named."""
    (told,) = json.loads(typed("runs", "--json").stdout)

    assert told["log"] == log.stem
    assert (told["reason"], told["messages"], told["agents"]) == ("quiet", 4, 3)
    assert told["began_at"][:2] == "20"
    assert told["bytes"] == log.stat().st_size


def test_one_log_is_a_list_of_one(log):
    """And no logs at all is a sentence."""
    Path("empty").mkdir()
    nothing = typed("runs", "empty")

    assert len(typed("runs", log).stdout.splitlines()) == 2
    assert (nothing.exit_code, nothing.stdout, nothing.stderr.count("\n")) == (1, "", 1)


def test_a_log_that_comes_out_equal_exits_with_0(log):
    """In one sentence, or as one object; a folder means its newest log."""
    done, newest = typed("replay", log), json.loads(typed("replay", "--json").stdout)

    assert done.exit_code == 0
    assert done.stdout.startswith("equal: ")
    assert (newest["equal"], newest["difference"], newest["told"]) == (True, None, done.stdout.strip())


def test_a_log_that_somebody_changed_exits_with_3(log):
    """The first row that differs is told, and nothing in it steers the terminal."""
    with sqlite3.connect(log) as connection:
        connection.execute("UPDATE messages SET text = 'Not\x1b[31m this.' WHERE sender_id = 'founder'")
    connection.close()
    done = typed("replay", log)
    told = json.loads(typed("replay", log, "--json").stdout)

    assert done.exit_code == 3
    assert "differs" in done.stdout
    assert "\x1b" not in done.stdout
    assert not told["equal"]
    assert set(told["difference"]) == {"table", "seq", "columns"}
    assert told["told"].startswith("after ")
