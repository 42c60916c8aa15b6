"""A log that the system does not let anybody open says which of the reasons it is, in one sentence."""

import os
import resource
import shutil
import tempfile
import tracemalloc  # noqa: F401 - what tells of a fault looks at it, and could load it no more
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest
from strangers import a_log

from intercom_nb import Agent, InterComError, InterComService, LogError, ScriptedAssistant, messages_df

NOBODY = 65_534


@pytest.fixture
def folder():
    """Give a folder that everybody may read and write."""
    with tempfile.TemporaryDirectory() as path:
        Path(path).chmod(0o777)
        yield Path(path)


@contextmanager
def as_nobody():
    """Let the block have the rights of nobody in particular, whoever runs this."""
    before = os.geteuid()
    if before == 0:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        if before == 0:
            os.seteuid(before)


def an_unclosed_log(folder):
    """Return a copy of a log that was not closed, with its write-ahead file."""
    with InterComService("s", logs=folder / "live", model=ScriptedAssistant(), thread_logs=False) as intercom:
        intercom.add(Agent("Ann"))
        for path in (folder / "live").glob("*.db*"):
            if not path.name.endswith("-shm"):
                shutil.copy(path, folder / path.name.replace(intercom.log.path.name, "copy.db"))
    return folder / "copy.db"


def test_a_log_that_was_not_closed_in_a_folder_that_cannot_be_written(folder):
    """Whoever reads it is told to copy it with its write-ahead file."""
    log = an_unclosed_log(folder)
    folder.chmod(0o555)
    with as_nobody(), pytest.raises(LogError, match=r"was not closed, .*; copy it together with its -wal"):
        messages_df(log)
    folder.chmod(0o777)

    assert len(messages_df(log)) == 0


def test_a_log_that_may_not_be_read(folder):
    """Neither opened nor shown: whose it is says no."""
    log = a_log(folder, thread_logs=False)
    log.chmod(0)
    for path in folder.glob(".*.lock"):
        path.chmod(0o666)
    for reader in (messages_df, InterComService.open):
        with as_nobody(), pytest.raises(LogError, match="may not be read by you; ask whoever owns it for a copy"):
            reader(log)


def test_a_log_that_may_not_be_written(folder):
    """It can be read, and the sentence says so."""
    log = a_log(folder, thread_logs=False)
    log.chmod(0o444)
    for path in folder.glob(".*.lock"):
        path.chmod(0o666)
    with as_nobody():
        assert len(messages_df(log)) == 2
        with pytest.raises(LogError, match=r"may not be written by you; Dashboard\(path\) and frames read it"):
            InterComService.open(log, model="offline")


@contextmanager
def few_files(n):
    """Let the block open so many files, and no more."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    highest = max(int(name) for name in os.listdir("/dev/fd"))  # noqa: PTH208 - names, not paths
    resource.setrlimit(resource.RLIMIT_NOFILE, (highest + 64, before[1]))
    held = []
    with suppress(OSError):
        while True:
            held.append(os.dup(0))
    try:
        for _ in range(n):
            os.close(held.pop())
        yield
    finally:
        for one in held:
            os.close(one)
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # asyncio's own, of a loop half made
@pytest.mark.parametrize("n", [0, 1, 2, 4, 6, 9])
def test_too_many_open_files_are_called_that(tmp_path, caplog, n):
    """Wherever they run out: one sentence or success, nothing left open or locked, and afterwards all is well."""
    caplog.set_level("CRITICAL")
    log = a_log(tmp_path, "Ann", thread_logs=False)
    model = ScriptedAssistant(default="Fine.")
    messages_df(log)  # whatever it imports is there

    def new():
        with InterComService("new", logs=tmp_path, model=model, thread_logs=False) as intercom:
            intercom.add(Agent("Bob"))

    def again():
        with InterComService.open(log, model=model) as intercom:
            intercom.send_message("Hi", "ann")

    said = []
    for act in (new, again, lambda: messages_df(log)):
        with ExitStack() as few:
            few.enter_context(few_files(n))
            try:
                act()
            except InterComError as error:
                said.append(str(error))
    assert len(said) == 3 or n > 0
    told = ("oo many open files", "unable to open database file")  # the second by what reads for frames
    assert [one for one in said if not any(words in one for words in told)] == []
    InterComService.open(log, model=model).stop()
    new()
