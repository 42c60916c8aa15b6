"""A write-ahead file that is not the log's own is noticed, whichever other log or copy it is of."""

import shutil

import pytest

from intercom_nb import Agent, InterComService, LogDamagedError, ScriptedAssistant

MODEL = ScriptedAssistant(default="Fine.")


def copied(intercom, folder):
    """Copy the files of a log that is open; return the copy's path."""
    folder.mkdir()
    for ending in ("", "-wal"):
        path = intercom.log.path.with_name(intercom.log.path.name + ending)
        if path.exists():
            shutil.copy(path, folder / f"log.db{ending}")
    return folder / "log.db"


def talk(intercom, *texts):
    """Send messages to an agent, and wait until they are answered."""
    for text in texts:
        intercom.send_message(text, "ann")
    assert intercom.wait(60) == "quiet"


@pytest.fixture
def made(tmp_path):
    """Give two logs as they were before they were closed, and the first as it was once closed, and earlier."""
    found = {}
    for name in ("one", "two"):
        with InterComService("s", logs=tmp_path / name, model=MODEL, thread_logs=False) as intercom:
            intercom.add(Agent("Ann"))
            talk(intercom, "first")
            found[f"{name} early"] = copied(intercom, tmp_path / f"{name}-early")
            talk(intercom, *(f"{name} {n}" for n in range(40)))
            found[name] = copied(intercom, tmp_path / f"{name}-live")
        found[f"{name} closed"] = intercom.log
    return found


@pytest.mark.parametrize(("log", "tail"), [("one closed", "two"), ("one", "two"), ("one closed", "one early")])
def test_a_tail_of_another_log_or_copy_is_refused(made, tmp_path, log, tail):
    """Put beside a log, it would have said what was never said in it, or unsaid what was; the log stays as it is."""
    path = tmp_path / "mixed.db"
    shutil.copy(made[log], path)
    shutil.copy(f"{made[tail]}-wal", f"{path}-wal")
    before = [one.read_bytes() for one in (path, path.with_name("mixed.db-wal"))]

    with pytest.raises(LogDamagedError):
        InterComService.open(path, model=MODEL)
    assert [one.read_bytes() for one in (path, path.with_name("mixed.db-wal"))] == before


def test_the_sentence_says_what_to_do(made, tmp_path):
    """Where the two together would be a whole log of somebody else's."""
    path = tmp_path / "mixed.db"
    shutil.copy(made["one"], path)
    shutil.copy(f"{made['two']}-wal", f"{path}-wal")

    with pytest.raises(LogDamagedError, match=r"the write-ahead file of another log, .*put its own -wal beside it"):
        InterComService.open(path, model=MODEL)


@pytest.mark.parametrize("log", ["one", "one early"])
def test_a_log_with_its_own_tail_is_opened(made, log):
    """With everything that was said."""
    with InterComService.open(made[log], model=MODEL) as intercom:
        assert len(intercom.messages) == (1 if log == "one early" else 41)
