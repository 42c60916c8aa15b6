"""The frames: their columns and dtypes, what is in them, and that a live log is read safely."""

import itertools
import json
import shutil
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path

import pandas as pd
import pytest

from intercom_nb import Agent, Fail, Limits, LogDamagedError, LogError, NewerLogError, call
from intercom_nb.analysis import frames as f
from intercom_nb.analysis import reading
from intercom_nb.analysis.tables import Frames
from intercom_nb.log.schema import VERSION
from logs import add_rows, new_log

KINDS = {"T": "string[pyarrow]", "N": "Int64", "AT": "datetime64[us, UTC]", "X": "float64", "IS": "boolean"}
WRITTEN = {
    "agents": "agent_id:T name:T kind:T team:T description:T mission:T model:T settings:T tools:T mail:T "
    "begins:IS max_runs:N max_tokens:N max_usd:X notes:IS context:N contacts:T data:T version:N seq:N created_at:AT "
    "added_at:AT",
    "chats": "chat_id:T name:T description:T admin_id:T admin:T n_members:N seq:N created_at:AT",
    "memberships": "chat_id:T chat:T agent_id:T agent:T joined_seq:N left_seq:N joined_at:AT left_at:AT",
    "messages": "seq:N message_id:T created_at:AT sender:T receiver:T chat:T text:T sender_id:T receiver_id:T "
    "chat_id:T run_id:T",
    "deliveries": "seq:N message_id:T created_at:AT sender:T receiver:T chat:T state:T consumed_at:AT latency_s:X "
    "sender_id:T receiver_id:T chat_id:T run_id:T consumed_seq:N",
    "runs": "run_id:T agent_id:T agent:T agent_version:N began_seq:N ended_seq:N began_at:AT ended_at:AT duration_s:X "
    "reason:T error:T attempts:N n_steps:N n_received:N n_sent:N input_tokens:N cached_tokens:N output_tokens:N usd:X "
    "turn_idx:N chat_list:T",
    "steps": "run_id:T step:N seq:N agent_id:T agent:T kind:T asked:T model:T settings:T input_tokens:N "
    "cached_tokens:N output_tokens:N usd:X latency_s:X first_token_s:X repaired:IS error:T is_waiting:IS attempt:N "
    "response_id:T fingerprint:T created_at:AT",
    "tool_calls": "run_id:T step:N n:N call_id:T agent_id:T agent:T tool:T source:T arguments:T output:T is_failed:IS "
    "began_at:AT ended_at:AT duration_s:X",
    "items": "agent_id:T agent:T idx:N run_id:T step:N type:T text:T payload:T",
    "events": "seq:N kind:T by_id:T by:T agent_id:T agent:T chat_id:T chat:T run_id:T reason:T data:T text:T "
    "created_at:AT",
    "options": "seq:N name:T value:T set_at:AT is_newest:IS",
    "halts": "seq:N agent_id:T agent:T reason:T began_at:AT ended_at:AT ended_seq:N",
}
COLUMNS = {
    name: {column: KINDS[kind] for column, kind in (word.split(":") for word in written.split())}
    for name, written in WRITTEN.items()
}


def dtypes(frame):
    """Return the dtypes of a frame, as text, by column."""
    return {name: str(dtype) for name, dtype in frame.dtypes.items()}


def all_frames(source, **settings):
    """Return every frame, each from its own function."""
    return {name: getattr(f, f"{name}_df")(source, **settings) for name in COLUMNS}


def write_log(path, n=0, schema=VERSION):
    """Write a log of two agents and n messages, each read by a run, by SQL alone; the first 3,000 are direct."""
    to = lambda k: {"receiver_id": "bob"} if k < 3000 else {"chat_id": "chat-1"}  # noqa: E731
    messages = [{"seq": 9 + k, "id": f"m-{9 + k}", "sender_id": "ann", "created_at": k} | to(k) for k in range(n)]
    return new_log(
        path,
        schema,
        agents=[{"agent_id": "ann", "seq": 1, "name": "Ann"}, {"agent_id": "bob", "seq": 2, "name": "Bob"}],
        chats=[{"chat_id": "chat-1", "seq": 3, "name": "Plan"}],
        admins=[{"chat_id": "chat-1", "seq": 4, "agent_id": "ann"}],
        messages=messages,
        deliveries=[{"agent_id": "bob", "seq": message["seq"]} for message in messages],
    )


@pytest.fixture
def talk(scripted, tmp_path):
    """Give a running service: a person tells Ann to go; she makes a group of Bob and Cid, who answer or fail."""
    replies = {
        "Ann": [
            [call("create_chat", agent_ids=["bob", "cid"], name="Plan", description="P.", message="Hello"), call("no")],
            "Done.",
        ],
        "Bob": [call("send_message", chat_id="ann", message="Hi")],
        "Cid": [Fail(status=400)],
    }
    intercom = scripted(replies, logs=tmp_path, default="ok")
    intercom.add(Agent("Ann", mission="One."), Agent("Bob"), Agent("Cid"))
    intercom.add_person()
    intercom["ann"].mission = "Two."
    intercom.send_message("Go", "ann", "you")
    intercom.start()
    intercom.wait(60)
    return intercom


def test_columns_and_dtypes_are_the_same_however_a_log_is_read(talk, scripted, tmp_path):
    """A log with nothing in it, one in memory, a live one, a closed one: each has these, in this order."""
    empty = write_log(tmp_path / "empty.db")
    live = all_frames(talk)
    talk.stop()
    closed = all_frames(talk.log)

    for frames in (live, closed, all_frames(empty), all_frames(scripted())):
        assert {name: dtypes(frame) for name, frame in frames.items()} == COLUMNS
        assert [list(frame.columns) for frame in frames.values()] == [list(columns) for columns in COLUMNS.values()]
    pd.testing.assert_frame_equal(live["messages"], closed["messages"])
    pd.testing.assert_frame_equal(live["runs"], closed["runs"])


def test_a_log_in_memory_has_the_frames_of_a_file(scripted, tmp_path):
    """The same conversation gives the same messages, whichever way it is kept."""
    told = []
    for logs in (None, tmp_path):
        intercom = scripted({"Ann": [call("send_message", chat_id="bob", message="Hi"), "Done."]}, logs=logs)
        intercom.add(Agent("Ann"), Agent("Bob"))
        intercom["ann"].begin()
        with intercom:
            intercom.wait(60)
        told.append(f.messages_df(intercom).drop(columns="created_at"))

    pd.testing.assert_frame_equal(*told)
    assert told[0].text.tolist() == ["Begin", "Hi"]


def test_messages_and_deliveries_say_who_where_and_when(talk):
    """One row a message, one row a receiver of it, names beside ids."""
    messages, deliveries, runs = f.messages_df(talk), f.deliveries_df(talk), f.runs_df(talk)
    said = messages[["sender", "receiver", "chat", "text"]].fillna("-").to_numpy().tolist()

    assert said == [["You", "Ann", "-", "Go"], ["Ann", "-", "Plan", "Hello"], ["Bob", "Ann", "-", "Hi"]]
    assert messages.message_id.tolist() == [f"m-{seq}" for seq in messages.seq]
    assert [message.created_at for message in talk.messages] == messages.created_at.tolist()
    assert deliveries.sender.tolist() == ["You", "Ann", "Ann", "Bob"]
    assert deliveries.receiver.tolist() == ["Ann", "Bob", "Cid", "Ann"]
    assert set(deliveries.state) == {"consumed"}
    joined = deliveries.merge(runs, on="run_id")
    assert joined.agent_id.tolist() == deliveries.receiver_id.tolist()
    assert joined.consumed_at.tolist() == joined.began_at.tolist()
    assert (joined.began_at - joined.created_at).dt.total_seconds().tolist() == deliveries.latency_s.tolist()


def test_agents_have_their_teams(scripted):
    """Empty, not missing, for those without one, persons too; in every version."""
    intercom = scripted()
    intercom.add(Agent("Ann", team="studio/design"), Agent("Bob"))
    intercom.add_person()
    intercom["ann"].mission = "New."

    assert f.agents_df(intercom).team.tolist() == ["studio/design", "", ""]
    assert f.agents_df(intercom, versions=True).team.tolist() == ["studio/design", "studio/design", "", ""]


def test_a_person_consumes_without_a_run(scripted):
    """So how long that took is not known."""
    intercom = scripted()
    intercom.add(Agent("Ann"))
    intercom.add_person()
    intercom.send_message("Hello", "you", "ann")
    delivery = f.deliveries_df(intercom).iloc[0]

    assert delivery.state == "consumed"
    assert pd.isna([delivery.run_id, delivery.consumed_at, delivery.latency_s]).all()


def test_runs_steps_calls_and_items_join(talk):
    """A run has its steps' sums, and the number of messages it read and sent; a failed call has its error."""
    runs = f.runs_df(talk).set_index("agent")
    steps, calls, items, events = f.steps_df(talk), f.tool_calls_df(talk), f.items_df(talk), f.events_df(talk)
    ann = f.runs_df(talk).query("agent == 'Ann'").iloc[0]

    assert runs.loc["Cid", ["reason", "n_steps", "n_received", "n_sent"]].tolist() == ["failed", 1, 1, 0]
    assert runs.loc["Cid", "error"]
    assert pd.isna(runs.loc["Cid", "usd"])
    assert pd.isna(runs.loc["Cid", "input_tokens"])
    assert ann[["reason", "n_steps", "n_received", "n_sent", "attempts"]].tolist() == ["silent", 2, 1, 1, 1]
    assert ann.input_tokens == steps[steps.run_id == ann.run_id].input_tokens.sum()
    assert ann.duration_s == (ann.ended_at - ann.began_at).total_seconds()
    assert steps[steps.agent == "Cid"].error.notna().all()
    assert calls[["agent", "tool", "is_failed"]].to_numpy().tolist() == [
        ["Ann", "create_chat", False],
        ["Ann", "no", True],
        ["Bob", "send_message", False],
    ]
    assert items[items.agent == "Bob"].type.tolist()[:3] == ["user", "function_call", "function_call_output"]
    assert json.loads(items[items.type == "function_call"].payload.iloc[0])["arguments"] == items.text.iloc[1]
    assert {"chat_created", "run_failed"} <= set(events.kind)


def test_money_not_known_is_nan_and_a_total_needs_every_step(tmp_path):
    """Steps of known and unknown price, tokens told and not: sums are made of what is whole."""
    path = write_log(tmp_path / "log.db")
    whole = {"agent_id": "ann", "until_seq": 90, "ended_at": 1, "reason": "silent"}
    names = ("known", "unknown", "failed", "none")
    add_rows(path, "runs", [{"run_id": name, "seq": 4 + n} | whole for n, name in enumerate(names)])
    told = [("known", 0, 10, 0.5, None), ("known", 1, 10, 0.25, None), ("unknown", 0, 10, 1.0, None)]
    told += [("unknown", 1, 10, None, None), ("failed", 0, 7, 0.125, None), ("failed", 1, None, None, "no")]
    columns = ("run_id", "step", "input_tokens", "usd", "error")
    rows = [dict(zip(columns, row, strict=True)) for row in told]
    add_rows(
        path, "steps", [row | {"seq": 20 + n, "until_seq": 20 + n, "output_tokens": 1} for n, row in enumerate(rows)]
    )
    runs = f.runs_df(path).set_index("run_id")

    assert runs.usd.fillna(-1).tolist() == [0.75, -1, 0.125, -1]
    assert runs.input_tokens.fillna(-1).tolist() == [20, 20, 7, -1]
    assert runs.n_steps.tolist() == [2, 2, 2, 0]


def test_agents_are_the_newest_version_or_all(talk):
    """An edit makes a version; the order is that of adding."""
    agents, versions = f.agents_df(talk), f.agents_df(talk, versions=True)

    assert agents.name.tolist() == ["Ann", "Bob", "Cid", "You"]
    assert agents.kind.tolist() == ["agent", "agent", "agent", "person"]
    assert [(a.version, a.mission) for a in versions.itertuples() if a.name == "Ann"] == [(1, "One."), (2, "Two.")]
    assert (agents.loc[0, "version"], agents.loc[0, "mission"]) == (2, "Two.")
    assert agents.loc[0, "added_at"] == versions.loc[0, "created_at"] < agents.loc[0, "created_at"]


def test_memberships_know_when(talk):
    """Founders joined with the chat; who came and went later, when that was noted."""
    talk.add_chat_member("you", "chat-1", "ann")
    talk.remove_chat_member("bob", "chat-1", "ann")
    stays, events, chats = f.memberships_df(talk), f.events_df(talk).set_index("kind"), f.chats_df(talk)

    assert stays.agent.tolist() == ["Ann", "Bob", "Cid", "You"]
    assert stays.joined_at.tolist() == [*chats.created_at.tolist() * 3, events.created_at["member_added"]]
    assert stays.left_at.isna().tolist() == [True, False, True, True]
    assert stays.left_at[1] == events.created_at["member_removed"]
    assert chats[["chat_id", "name", "admin", "n_members"]].to_numpy().tolist() == [["chat-1", "Plan", "Ann", 3]]


@pytest.mark.parametrize("n", [0, 1, 70_001])
@pytest.mark.parametrize("way", ["closed", "open"])
def test_any_number_of_messages(tmp_path, n, way):
    """Also where a column is empty for longer than a driver looks ahead, and beyond one batch."""
    path = write_log(tmp_path / "log.db", n)
    with path.open("rb") if way == "open" else closing(path.open("rb")):
        messages, deliveries = f.messages_df(path), f.deliveries_df(path)

    assert dtypes(messages) == COLUMNS["messages"]
    assert messages.seq.tolist() == list(range(9, 9 + n)) == deliveries.seq.tolist()
    assert messages.chat.count() == max(n - 3000, 0)
    assert messages.receiver.count() == min(n, 3000)
    assert messages.created_at.astype("int64").tolist() == list(range(n))


def test_several_logs_have_a_column_that_says_which(tmp_path, talk):
    """A list or a folder, services among them; the column comes first, and is there for one log too."""
    one, two = write_log(tmp_path / "one.db", 1), write_log(tmp_path / "two.db", 2)
    other = tmp_path / "other"
    other.mkdir()
    shutil.copy(one, other)
    listed, folder = f.messages_df([two, one, talk]), f.messages_df(other)

    assert list(listed.columns) == ["log", *COLUMNS["messages"]]
    assert listed.log.tolist() == ["two"] * 2 + ["one"] + [talk.log.path.stem] * 3
    assert folder.log.tolist() == ["one"]
    assert f.messages_df([one, other / "one.db"]).log.tolist() == [str(one), str(other / "one.db")]
    assert list(f.messages_df([]).columns) == ["log", *COLUMNS["messages"]]
    with pytest.raises(LogError, match="no log in this folder"):
        f.messages_df(Path(__file__).parent)


def damaged(folder):
    """Write logs of every kind of damage; return them with what the error says."""
    whole = write_log(folder / "whole.db", 5_000).read_bytes()
    (folder / "cut.db").write_bytes(whole[: len(whole) // 2])
    (folder / "scribbled.db").write_bytes(whole[:4096] + b"\xab" * 40_960 + whole[45_056:])
    (folder / "text.db").write_text("hello " * 1000)
    (folder / "empty.db").write_bytes(b"")
    with closing(sqlite3.connect(folder / "other.db")) as log:
        log.execute("CREATE TABLE meta (key, value)")
    write_log(folder / "newer.db", schema=99)
    return ["cut", "empty", "newer", "other", "scribbled", "text"]


def test_a_damaged_log_raises_naming_it_or_is_left_out_and_listed(tmp_path):
    """Among many, and by itself; never silently."""
    names = damaged(tmp_path)
    for name in names:
        with pytest.raises(NewerLogError if name == "newer" else LogDamagedError, match=f"{name}.db"):
            f.messages_df(tmp_path / f"{name}.db")
    with pytest.raises(LogError, match=r"cut\.db"):
        f.messages_df(tmp_path)
    frame = f.messages_df(tmp_path, strict=False)
    frames = f.read_frames(tmp_path, strict=False)
    alone = f.messages_df(tmp_path / "text.db", strict=False)

    assert set(frame.log) == {"whole"}
    assert len(frame) == 5_000
    assert [Path(error.partition(":")[0]).stem for error in frame.attrs["errors"]] == names
    assert frames.events.attrs["errors"] == frame.attrs["errors"]
    assert (dtypes(alone), len(alone), len(alone.attrs["errors"])) == (COLUMNS["messages"], 0, 1)
    with pytest.raises(LogError, match="no such log"):
        f.messages_df(tmp_path / "absent.db")


def test_a_log_open_in_this_process_is_not_read_by_another_sqlite(talk, monkeypatch):
    """Two SQLites on one file in one process undo each other's locks: it would die of a bus error."""

    def fail(path, _):
        pytest.fail(f"{path} is open here")

    monkeypatch.setattr(reading, "_through_adbc", fail)
    given = [talk, talk.log, str(talk.log), [talk.log]]

    assert [len(f.messages_df(source)) for source in given] == [3] * 4
    talk.stop()
    with pytest.raises(pytest.fail.Exception):
        f.messages_df(talk.log)


def half_states(frames: Frames) -> list[str]:
    """Say which of the frames hold part of a transaction."""
    told, runs = set(frames.messages.seq), set(frames.runs.run_id)
    gaps = frames.items.groupby("agent_id").idx.agg(lambda idx: idx.max() + 1 - len(idx))
    checks = {
        "a message without a delivery": told == set(frames.deliveries.seq),
        "a run that is not there": runs >= set(frames.steps.run_id) | set(frames.deliveries.run_id.dropna()),
        "a sender's run that is not there": runs >= set(frames.messages.run_id.dropna()),
        "a conversation with a gap": not gaps.any(),
        "a call without its message": int(
            (~frames.tool_calls.is_failed & (frames.tool_calls.tool == "send_message")).sum()
        )
        == int((frames.messages.run_id.notna() & frames.messages.sender_id.notna()).sum()),
    }
    return [what for what, holds in checks.items() if not holds]


READER = """
import json, sys
from intercom_nb.analysis.frames import read_frames
sys.path[:0] = sys.argv[2:]
from test_frames import half_states
sizes = []
for line in sys.stdin:
    frames = read_frames(sys.argv[1])
    sizes.append(len(frames.messages))
    assert half_states(frames) == [], half_states(frames)
    print(len(frames.messages), flush=True)
"""


@pytest.mark.slow
def test_a_live_log_is_read_while_64_agents_write_it(scripted, tmp_path):
    """Here, by two threads at once, and from another process: no failure, and never half a transaction."""
    names = [f"Agent {n}" for n in range(64)]
    over = threading.Event()
    unlimited = Limits(tokens=10**9, runs=10**6)

    def reply(request):
        if over.is_set() or request["input"][-1].get("type") == "function_call_output":
            return "ok"
        # Two each, for messages that arrive together are answered together: the talk would die down.
        return [call("send_message", chat_id=next(others), message="Hello") for _ in range(2)]

    others = itertools.cycle(f"agent-{n}" for n in range(64))
    others_of = dict.fromkeys(names, reply)
    intercom = scripted(others_of, logs=tmp_path, thread_logs=False, limits=unlimited, courtesy=False)
    intercom.add(*(Agent(name) for name in names))
    intercom.assistant.delay = 0.3  # the log must not grow faster than a busy machine reads it
    found, seen = [], []

    def read():
        for _ in range(8):
            frames = f.read_frames(intercom)
            seen.append(len(frames.messages))
            found.extend(half_states(frames))

    command = [sys.executable, "-c", READER, str(intercom.log.path), *map(str, Path(__file__).parents[:2])]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other, intercom:
        for name in names:
            intercom[name].begin()
        threads = [threading.Thread(target=read) for _ in range(2)]
        for thread in threads:
            thread.start()
        elsewhere = []
        while len(elsewhere) < 8 or elsewhere[-1] < max(300, elsewhere[0] + 1):
            other.stdin.write("\n")
            other.stdin.flush()
            elsewhere.append(int(other.stdout.readline()))
        for thread in threads:
            thread.join()
        over.set()
        assert intercom.wait(60) == "quiet"
        other.stdin.close()

    assert found == []
    assert other.returncode == 0
    assert len(seen) == 16
    assert sorted(elsewhere) == elsewhere
    assert elsewhere[0] < elsewhere[-1]
    assert half_states(f.read_frames(intercom.log.path)) == []


def test_importing_the_analysis_loads_nothing_heavy():
    """pandas, pyarrow, numpy and the driver come with the first frame."""
    heavy = "{'pandas', 'pyarrow', 'numpy', 'networkx', 'adbc_driver_sqlite'}"
    code = f"import sys, intercom_nb.analysis; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"
