"""What happens to the log's file while it is written is noticed before anything more is acknowledged."""

import os
import shutil
import sqlite3
from contextlib import closing

import pytest
from strangers import a_log

from intercom_nb import Agent, InterComService, LogError, LogInUseError, ScriptedAssistant

FAULTS = {
    "deleted": lambda log: log.unlink(),
    "moved": lambda log: log.rename(log.with_name("elsewhere.db")),
    "replaced": lambda log: (shutil.copy(log, log.with_suffix(".copy")), log.with_suffix(".copy").replace(log)),
    "truncated": lambda log: os.truncate(log, 0),
    "wal deleted": lambda log: log.with_name(f"{log.name}-wal").unlink(),
    "wal truncated": lambda log: os.truncate(log.with_name(f"{log.name}-wal"), 0),
    "folder deleted": lambda log: shutil.rmtree(log.parent),
    "folder moved": lambda log: log.parent.rename(log.parent.with_name("elsewhere")),
    "lock deleted": lambda log: log.with_name(f".{log.name}.lock").unlink(),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_nothing_is_acknowledged_after_the_file_is_gone(tmp_path, fault):
    """The next message is refused in a sentence, and the service stops, with `log` for a reason."""
    intercom = InterComService("s", logs=tmp_path / "logs", model=ScriptedAssistant(default="Fine."), thread_logs=False)
    intercom.add(Agent("Ann"))
    intercom.start()
    intercom.send_message("before", "ann")
    assert intercom.wait(60) == "quiet"

    FAULTS[fault](intercom.log.path)
    with pytest.raises(LogError, match="while it was written; nothing more is accepted"):
        intercom.send_message("after", "ann")
    assert intercom.reason == "log"
    intercom.stop()


def test_a_log_has_one_writer_whatever_leads_to_it(tmp_path):
    """A link to a log has the log's own lock; a second name of its file is refused."""
    log = a_log(tmp_path)
    link = tmp_path / "latest.db"
    link.symlink_to(log.name)

    with (
        InterComService.open(log, model="offline"),
        pytest.raises(LogInUseError),
    ):
        InterComService.open(link, model="offline")
    link.unlink()
    link.hardlink_to(log)
    with pytest.raises(LogError, match="a hard link"):
        InterComService.open(link, model="offline")


def test_a_copy_without_its_write_ahead_file_says_so(tmp_path, capsys):
    """What was said last may be missing in it."""
    with InterComService("s", logs=tmp_path, model=ScriptedAssistant(default="Fine."), thread_logs=False) as intercom:
        copy = tmp_path / "copy.db"
        shutil.copy(intercom.log.path, copy)
    InterComService.open(copy, model="offline").stop()
    told = capsys.readouterr()

    assert "its write-ahead file is missing; what was said last may be too" in told.out + told.err


def test_a_full_disk_is_called_one(tmp_path):
    """Also where SQLite has undone the transaction itself; what was said before is there."""
    intercom = InterComService("s", logs=tmp_path, model=ScriptedAssistant(default="Fine."), thread_logs=False)
    intercom.add(Agent("Ann"))
    intercom.send_message("before", "ann")
    ((pages,),) = intercom._store._writes.execute("PRAGMA page_count")
    intercom._store._writes.execute(f"PRAGMA max_page_count = {pages}")

    with pytest.raises(LogError, match="full"):
        intercom.send_message("x" * 200_000, "ann")
    intercom.stop()
    with closing(sqlite3.connect(intercom.log.path)) as log:
        assert log.execute("SELECT text FROM messages ORDER BY seq LIMIT 1").fetchone() == ("before",)


def test_a_later_change_of_the_working_folder_is_none_of_the_logs(tmp_path, monkeypatch):
    """A relative folder of logs is made absolute at once."""
    intercom = InterComService("s", logs="logs", model=ScriptedAssistant(default="Fine."))
    intercom.add(Agent("Ann"))
    (tmp_path / "sub").mkdir()
    monkeypatch.chdir(tmp_path / "sub")
    with intercom:
        intercom["ann"].begin()
        assert intercom.wait(60) == "quiet"
        assert len(intercom.messages) == 1

    assert list((tmp_path / "sub").iterdir()) == []
