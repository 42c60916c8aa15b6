"""An interrupted log: whatever became of the end of its write-ahead file, whole transactions come back, and are told.

A service that writes is killed by copying its files as they stand: what a kill leaves on the disk is just that.
"""

import random
import shutil
import sqlite3
from contextlib import closing
from itertools import pairwise

import pytest

from intercom_nb import Agent, InterComService, LogDamagedError, ScriptedAssistant, call
from intercom_nb.log.files import lost_bytes
from intercom_nb.log.store import Store

PAGE, HEADER, FRAME = 4096, 32, 24 + 4096

# Every number of the log, with what happened at it: in any prefix of the transactions, a prefix of these.
HAPPENED = """
SELECT seq, 'agent ' || agent_id || ' ' || version FROM agents UNION ALL
SELECT seq, 'chat ' || chat_id FROM chats UNION ALL
SELECT seq, 'joined ' || chat_id || ' ' || agent_id FROM memberships UNION ALL
SELECT until_seq, 'left ' || chat_id || ' ' || agent_id FROM memberships WHERE until_seq IS NOT NULL UNION ALL
SELECT seq, 'message ' || text || ' to ' || (SELECT group_concat(agent_id) FROM (
    SELECT agent_id FROM deliveries WHERE deliveries.seq = messages.seq ORDER BY agent_id)) FROM messages UNION ALL
SELECT seq, 'began ' || run_id || ' ' || chat_list FROM runs UNION ALL
SELECT until_seq, 'ended ' || run_id || ' ' || reason FROM runs WHERE until_seq IS NOT NULL UNION ALL
SELECT seq, 'step ' || run_id || ' ' || step || ' ' || (SELECT group_concat(payload) FROM (
    SELECT payload FROM items WHERE items.run_id = steps.run_id AND items.step = steps.step ORDER BY idx)) FROM steps
UNION ALL SELECT seq, 'event ' || text FROM events WHERE kind <> 'log_recovered' ORDER BY 1, 2
"""

# Rows that no sequence of whole transactions leaves behind.
HALF = [
    "SELECT 'message without delivery', seq FROM messages WHERE seq NOT IN (SELECT seq FROM deliveries)",
    "SELECT 'delivery without message', seq FROM deliveries WHERE seq NOT IN (SELECT seq FROM messages)",
    "SELECT 'gap', agent_id FROM items GROUP BY agent_id HAVING COUNT(*) <> MAX(idx) + 1",
    "SELECT 'taken by no run', seq FROM deliveries WHERE run_id > '' AND run_id NOT IN (SELECT run_id FROM runs)",
    "SELECT 'step of no run', run_id FROM steps WHERE run_id NOT IN (SELECT run_id FROM runs)",
    (
        "SELECT 'call without output', c.rowid FROM items AS c WHERE c.type = 'function_call' AND NOT EXISTS (SELECT 1 "
        "FROM items AS o WHERE o.type = 'function_call_output' AND o.agent_id = c.agent_id AND o.run_id = c.run_id "
        "AND o.step = c.step AND json_extract(o.payload, '$.call_id') = json_extract(c.payload, '$.call_id'))"
    ),
]


def killed(intercom, folder):
    """Return a copy of a service's log as a kill in this moment would leave it."""
    folder.mkdir(exist_ok=True)
    for tail in ("", "-wal"):
        shutil.copy(f"{intercom.log.path}{tail}", folder / f"killed.db{tail}")
    return folder / "killed.db"


def emptied(intercom):
    """Move everything written so far into the log itself."""
    connection = sqlite3.connect(intercom.log.path)
    assert connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0
    connection.close()


@pytest.fixture
def live(scripted, tmp_path):
    """Give a service that is quiet after a short conversation, with nearly all of it in the write-ahead file."""
    replies = {
        "Ann": [call("send_message", chat_id="chat-1", message="Hello all"), "done", "done"],
        "Bob": [[call("send_message", chat_id="ann", message="Hello"), call("leave_chat", chat_id="chat-1")], "done"],
    }
    intercom = scripted(replies, logs=tmp_path / "logs", thread_logs=False)
    intercom.add(Agent("Ann"), Agent("Bob"), Agent("Cid"))
    intercom.create_chat(["bob", "cid"], "Chat", "", "ann")
    emptied(intercom)
    intercom["ann"].begin()
    intercom.start()
    assert intercom.wait(60) == "quiet"
    return intercom


@pytest.fixture
def whole(live, tmp_path):
    """Give the killed copy of that service, closed for writing: its path, and its write-ahead file's bytes."""
    path = killed(live, tmp_path / "copy")
    return path, (path.parent / "killed.db-wal").read_bytes()


def opened(path, content, wal):
    """Open a log of these bytes; return what happened in it and what it says of its recovery, or None if refused."""
    for tail in ("-shm", "-wal", ".lock"):
        path.with_name(path.name + tail).unlink(missing_ok=True)
    path.write_bytes(content)
    path.with_name(path.name + "-wal").write_bytes(wal)
    try:
        store = Store.open(path)
    except LogDamagedError:
        return None
    try:
        assert [row for sql in HALF for row in store.rows(sql)] == []
        return store.rows(HAPPENED), store.recovered
    finally:
        store.close()


def lost(path):
    """Return what is said to be lost of a log; it is whole afterwards."""
    with closing(sqlite3.connect(path, isolation_level=None)) as log:
        return lost_bytes(path, log)


def commits(wal):
    """Return where in a write-ahead file a transaction ends, its beginning included."""
    ends = range(HEADER + FRAME, len(wal) + 1, FRAME)
    return [0, HEADER, *(end for end in ends if wal[end - FRAME + 4 : end - FRAME + 8] != b"\0\0\0\0")]


def in_log(rows, happened):
    """Whether some rows are a beginning of what happened."""
    return rows == happened[: len(rows)]


def test_a_killed_service_loses_nothing(live, whole):
    """What was accepted before a kill is there after it, and nothing is said to be lost."""
    path, wal = whole
    happened = live._store.rows(HAPPENED)

    assert (happened, "") == opened(path, path.read_bytes(), wal)
    assert len(commits(wal)) > 3  # several transactions; how many go into one commit is chance


@pytest.mark.slow
def test_a_log_cut_anywhere_opens_to_whole_transactions(live, whole):
    """Cut at every 512 bytes, it opens to the transactions before the cut, and says so if it cut one in two."""
    path, wal = whole
    content, ends, happened = path.read_bytes(), commits(wal), live._store.rows(HAPPENED)
    found = []
    for size in sorted({*range(0, len(wal), 512), *ends, *(end - 1 for end in ends if end)}):
        rows, recovered = opened(path, content, wal[:size])
        assert in_log(rows, happened)
        assert (size in ends) == (recovered == "")
        found.append(len(rows))

    assert sorted(found) == found
    assert len(set(found)) == len(ends) - 1
    assert len(happened) == found[-1]


@pytest.mark.slow
def test_flipped_bytes_lose_no_transaction_silently(live, whole):
    """A byte that changed costs its transaction and those after it, and that is said, or the log is refused."""
    path, wal = whole
    content, happened = path.read_bytes(), live._store.rows(HAPPENED)
    last, before_last = commits(wal)[-1] - FRAME, commits(wal)[-2]
    places = [*range(HEADER), *range(last, last + 24), *range(before_last, before_last + 24)]
    places += random.Random(2).sample(range(HEADER, len(wal)), 100)  # noqa: S311 - a fixed choice
    silent = []
    for place in places:
        for bit in (1, 0x80):
            result = opened(path, content, wal[:place] + bytes([wal[place] ^ bit]) + wal[place + 1 :])
            if result is None:
                continue
            rows, recovered = result
            assert in_log(rows, happened)
            if len(rows) < len(happened) and not recovered:
                silent.append((place, (place - HEADER) % FRAME, bit))

    assert silent == []


def test_a_tail_of_zeros_or_noise_is_told(live, whole):
    """A transaction of which only the space was written, or something else, is reported as lost."""
    path, wal = whole
    content, happened = path.read_bytes(), live._store.rows(HAPPENED)
    noise = random.Random(3).randbytes(FRAME * 3)  # noqa: S311 - a fixed choice

    for tail in (b"\0" * FRAME, b"\0" * 100, noise, noise[:50]):
        rows, recovered = opened(path, content, wal + tail)
        assert (happened, f"({len(tail)} bytes)") == (rows, recovered[recovered.find("(") : recovered.find(")") + 1])


def test_a_service_tells_what_was_lost(whole, capsys):
    """A service opened from a cut log says so once, to the person and in the log, and goes on."""
    path, wal = whole
    path.with_name("killed.db-wal").write_bytes(wal[: commits(wal)[-2] + 100])

    with InterComService.open(path, model=ScriptedAssistant(), options={"thread_logs": False}) as again:
        assert again.wait(60) == "quiet"
        again.send_message("Go on", "ann", "bob")
        assert again.wait(60) == "quiet"
        told = again._store.rows("SELECT text FROM events WHERE kind = 'log_recovered'")
        pending = again._store.rows("SELECT * FROM deliveries WHERE until_seq IS NULL")
    again = InterComService.open(path, model=ScriptedAssistant(), options={"thread_logs": False})
    again.stop()

    assert "(100 bytes)" in told[0][0]
    assert (len(told), pending) == (1, [])
    assert told[0][0] in capsys.readouterr().err
    assert again._store.recovered == ""


@pytest.mark.slow
def test_a_service_goes_on_from_every_transaction(live, whole):
    """Killed after any of its transactions, a service says the rest anew, and everything is delivered once."""
    path, wal = whole
    content = path.read_bytes()
    for end in commits(wal):
        path.write_bytes(content)
        path.with_name("killed.db-shm").unlink(missing_ok=True)
        path.with_name("killed.db-wal").write_bytes(wal[:end])
        with InterComService.open(path, model=ScriptedAssistant(), options={"thread_logs": False}) as again:
            assert again.wait(60) == "quiet"
            assert [row for sql in HALF for row in again._store.rows(sql)] == []
            assert again._store.rows("SELECT * FROM deliveries WHERE until_seq IS NULL") == []
            assert again._store.rows("SELECT * FROM runs WHERE until_seq IS NULL") == []
    assert live.state == "running"


def checkpointed(live):
    """Write enough that part of it is in the log itself, while all of the newest is in the write-ahead file."""
    person, other = live.add_person("Eve"), live.add_person("Fay")
    for n in range(170):
        person.send_message(f"{n} " + "x" * 9000, other.id)


def test_what_is_left_from_before_a_checkpoint_is_not_lost(live, tmp_path):
    """Old frames behind the newest ones are in the log already: a kill then has nothing to report."""
    checkpointed(live)
    happened = live._store.rows(HAPPENED)
    path = killed(live, tmp_path / "copy")
    content, wal = path.read_bytes(), path.with_name("killed.db-wal").read_bytes()
    salts = [wal[at + 8 : at + 16] for at in range(HEADER, len(wal), FRAME)]

    assert len(set(salts)) > 1
    assert lost(path) == 0
    assert (happened, "") == opened(path, content, wal)


def test_of_a_transaction_that_was_being_written_only_its_own_bytes_are_lost(live, tmp_path):
    """Old frames behind it are in the log already, and not counted with it."""
    checkpointed(live)
    path = killed(live, tmp_path / "copy")
    content, wal = path.read_bytes(), path.with_name("killed.db-wal").read_bytes()
    n_new = [wal[at + 8 : at + 16] for at in range(HEADER, len(wal), FRAME)].count(wal[16:24])
    begin, end = commits(wal[: HEADER + n_new * FRAME])[-2:]
    rows, recovered = opened(path, content, wal[:begin] + wal[begin : end - 100] + bytes(100) + wal[end:])

    assert rows
    assert f"({end - begin} bytes)" in recovered


@pytest.mark.slow
def test_a_log_cut_in_two_is_never_a_half_state(live, tmp_path):
    """A write-ahead file cut below what the log itself has taken over gives a whole state, or a refusal."""
    checkpointed(live)
    happened = live._store.rows(HAPPENED)
    path = killed(live, tmp_path / "copy")
    content, wal = path.read_bytes(), path.with_name("killed.db-wal").read_bytes()
    sizes = random.Random(4).sample(range(len(wal)), 40)  # noqa: S311 - a fixed choice
    sizes += [end for end, _ in pairwise(commits(wal))][::12]

    for size in sizes:
        result = opened(path, content, wal[:size])
        assert result is None or in_log(result[0], happened)


def test_a_kill_in_the_middle_of_a_checkpoint_loses_nothing(live, tmp_path):
    """A first page that is newer than the rest of the log is no damage while the write-ahead file has the rest."""
    live.add_person("Eve", description="x" * 50_000)
    path = killed(live, tmp_path / "copy")
    content, wal = path.read_bytes(), path.with_name("killed.db-wal").read_bytes()
    newest = [at for at in range(HEADER, len(wal), FRAME) if wal[at : at + 4] == b"\0\0\0\1"][-1]
    half = wal[newest + 24 : newest + FRAME] + content[PAGE:]

    assert (live._store.rows(HAPPENED), "") == opened(path, half, wal)


def test_a_log_without_a_write_ahead_file_has_lost_nothing(tmp_path):
    """Nothing beside the log, or an empty file, or a header alone means nothing is lost."""
    store = Store.create(tmp_path, "example")
    store.close()
    beside = store.path.with_name(store.path.name + "-wal")

    assert lost(store.path) == 0
    beside.write_bytes(b"")
    assert lost(store.path) == 0
    beside.write_bytes(b"x" * 32)
    assert lost(store.path) == 0
    beside.write_bytes(b"x" * 31)
    assert lost(store.path) == 31
    beside.write_bytes(b"x" * 100)
    assert lost(store.path) == 100
