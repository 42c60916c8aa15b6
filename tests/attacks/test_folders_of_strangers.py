"""A stranger's log writes nothing but thread logs, in a folder made for it."""

import json
import shutil
import sqlite3
from contextlib import closing

import pytest
from strangers import a_log, change, opened

from intercom_nb import Agent, InterComService, LogDamagedError, ScriptedAssistant
from logs import thread_logs_in, thread_logs_of

MINE = "alias ll='ls -l'\n"


@pytest.mark.parametrize(
    ("service", "agent", "path"),
    [
        ("", ".bashrc", ".bashrc"),
        (".ssh", "authorized_keys", ".ssh/authorized_keys"),
        ("..", "notes", "../notes"),
        ("mine", "notes", "mine/notes"),
    ],
)
def test_no_name_in_a_log_chooses_a_path_outside_its_folder(tmp_path, service, agent, path):
    """Neither the service's name nor an agent's leads to a file of mine, whether or not it has room for a name."""
    home = tmp_path / "home"
    log = a_log(tmp_path / "theirs", "Ann").rename(tmp_path / "stranger.db")
    home.mkdir()
    log = log.rename(home / log.name)
    change(log, f"UPDATE meta SET value = '{service}' WHERE key = 'name'; UPDATE agents SET name = '{agent}'")  # noqa: S608 - ours
    mine = home / path
    mine.parent.mkdir(exist_ok=True)
    mine.write_text(MINE)

    if service:
        opened(log)
    else:
        with pytest.raises(LogDamagedError, match="is empty"):
            opened(log)
    assert mine.read_text() == MINE


def test_a_name_that_begins_with_a_dot_is_no_hidden_file(scripted, tmp_path):
    """Nor one that is a device on Windows that device; the agent's name can still be read from its file."""
    intercom = scripted(default="Fine.", logs=tmp_path)
    intercom.add(Agent(".bashrc"), Agent("NUL"))
    intercom.start()
    for agent in intercom.agents:
        agent.begin()
    assert intercom.wait(60) == "quiet"

    assert [path.name for path in thread_logs_in(thread_logs_of(intercom))] == ["%2Ebashrc", "%4EUL"]


def test_a_folder_that_was_not_made_for_the_log_is_left_alone(tmp_path, caplog):
    """Even if it bears the log's name: nothing in it is replaced, and nothing is put into it."""
    log = a_log(tmp_path, thread_logs=False)
    folder = log.with_suffix("")
    folder.mkdir()
    (folder / "Ann").write_text(MINE)

    opened(log, options={"thread_logs": True})

    assert [(path.name, path.read_text()) for path in folder.iterdir()] == [("Ann", MINE)]
    assert "was not made for this log; move it away" in caplog.text


def test_a_folder_made_for_another_log_is_left_alone(tmp_path, caplog):
    """A log put in the place of another does not write over what the other one's agents said."""
    log, other = a_log(tmp_path / "one"), a_log(tmp_path / "two")
    before = (log.with_suffix("") / "Ann").read_text()
    shutil.copy(other, log)

    opened(log)

    assert (log.with_suffix("") / "Ann").read_text() == before
    assert "was not made for this log" in caplog.text


@pytest.mark.parametrize("kind", ["folder", "mark", "file", "dangling", "hard"])
def test_no_link_is_followed(tmp_path, caplog, kind):
    """Whatever of the folder is a link: what it leads to stays as it is, and the service goes on."""
    log = a_log(tmp_path)
    folder, outside = log.with_suffix(""), tmp_path / "outside"
    target = outside / "Ann"
    if kind == "folder":
        folder.rename(outside)
        folder.symlink_to(outside)
    else:
        outside.mkdir()
        name = ".intercom_nb" if kind == "mark" else "Ann"
        (folder / name).rename(target)
        (folder / name).hardlink_to(target) if kind == "hard" else (folder / name).symlink_to(target)
    if kind == "dangling":
        target.unlink()
    before = target.read_bytes() if target.exists() else None

    opened(log)

    assert (target.read_bytes() if target.exists() else None) == before
    assert "cannot be written" in caplog.text


def test_a_file_that_is_no_thread_log_is_not_written_over(tmp_path, caplog):
    """Also in the log's own folder: somebody's notes there stay."""
    log = a_log(tmp_path)
    (log.with_suffix("") / "Ann").write_text(MINE)

    opened(log)

    assert (log.with_suffix("") / "Ann").read_text() == MINE
    assert "is no thread log; move it away" in caplog.text


def test_two_services_of_one_name_have_a_folder_each(tmp_path):
    """What agents of the same name said in two logs does not mix."""
    one = a_log(tmp_path, "Ann")
    with InterComService("world", logs=tmp_path, model=ScriptedAssistant(default="Second.")) as other:
        other.add(Agent("Ann"))
        other["ann"].begin()
        assert other.wait(60) == "quiet"

    assert "Second." not in (one.with_suffix("") / "Ann").read_text()
    assert "Fine." not in (other.log.path.with_suffix("") / "Ann").read_text()


ITEMS = [
    {"role": "user"},
    {"role": "assistant"},
    {"role": "assistant", "content": None},
    {"type": "function_call", "name": "f"},
    {"type": "function_call_output"},
    {"type": ["odd"]},
    {},
]


@pytest.mark.parametrize("item", ITEMS, ids=str)
def test_an_item_that_lacks_a_field_is_written_as_it_is(tmp_path, item):
    """The other items of the file, and everybody else's, are written as ever; the log opens."""
    log = a_log(tmp_path, thread_logs=False)
    payload = json.dumps(item)
    with closing(sqlite3.connect(log, isolation_level=None)) as connection:
        connection.execute("UPDATE items SET payload = ? WHERE agent_id = 'ann' AND idx = 1", (payload,))

    with InterComService.open(log, model=ScriptedAssistant(default="Fine."), options={"thread_logs": True}) as intercom:
        assert intercom.wait(60) == "quiet"
    written = {name: (log.with_suffix("") / name).read_text() for name in ("Ann", "Bob")}

    assert written["Ann"].count("Begin") == 1
    assert "content" not in item or "None" in written["Ann"]
    assert "content" in item or payload in written["Ann"]
    assert "Fine." in written["Bob"]
