"""A log as text: row for row the same when it is read back, and what it leaves out when it is asked to."""

import json
import math
import random
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from counts import times
from intercom_nb import (
    Agent,
    Fail,
    InterComService,
    LogError,
    NewerLogError,
    ScriptedAssistant,
    call,
    from_jsonl,
    messages_df,
    runs_df,
    to_jsonl,
)
from intercom_nb.demos import cast
from intercom_nb.log.schema import CLOCK, PROCESS, TABLES
from intercom_nb.texts.instructions import identity
from logs import unfenced

KEY = "sk-proj-SECRET0123456789abcdef"


def rows_of(log):
    """Return every row of every table of a log, by table."""
    with closing(sqlite3.connect(log)) as connection:
        return {table: sorted(connection.execute(f"SELECT * FROM {table}"), key=repr) for table in TABLES}  # noqa: S608


def look_up(city: str) -> str:
    """Look something up, or fail at it."""
    if city == "Atlantis":
        raise LookupError(city)
    return f"{city} is fine.\u2028It rains."


def society(seed, folder):
    """Let a few agents write, make groups, use tools, forget and fail, as a seed says; return their log."""
    dice = random.Random(seed)  # noqa: S311 - which of them speaks is no secret
    names = ["Ann", "Bob", "Cid", "Zoë"][: dice.randint(2, 4)]

    def answers(request):
        if not request.get("tools"):
            return "I was asked things."
        if dice.random() < 0.05:
            return Fail(500)
        others = [name.lower() for name in names if name != identity(request["instructions"]).name]
        doings = [
            lambda: call("send_message", chat_id=dice.choice(others), message="What?\n\0" * dice.randint(1, 3)),
            lambda: call("create_chat", agent_ids=others, name=f"Group {dice.random()}", description="", message="Hi"),
            lambda: call("look_up", city=dice.choice(["Rome", "Atlantis"])),
            lambda: call("remember", text="It rains."),
            *[lambda: "Done."] * 3,
        ]
        return dice.choice(doings)()

    model = ScriptedAssistant(default=answers)
    intercom = InterComService("Society", logs=folder, model=model, max_retries=0, thread_logs=False)
    with intercom:
        intercom.add(*(Agent(name, tools=[look_up], notes=True, context=dice.choice([None, 2_000])) for name in names))
        intercom.add_person("Dora")
        for agent in intercom.agents[:2]:
            agent.begin()
        intercom.wait(20, progress=False)
        for n in range(3):
            intercom.retry()
            intercom.agents[0].send_message(f"And {n}? " * 100)
            intercom.wait(20, progress=False)
    return intercom.log.path


def test_the_societies_do_everything(tmp_path):
    """All of them together have rows in every table."""
    found = [rows_of(society(seed, tmp_path)) for seed in range(8)]

    assert {table for rows in found for table in TABLES if rows[table]} >= {*TABLES} - {"holds"}
    assert {row[10] for rows in found for row in rows["runs"]} >= {"silent", "failed"}


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    """Return the log of one such society."""
    return society(3, tmp_path_factory.mktemp("logs"))


@pytest.mark.parametrize("seed", range(times(10)))
def test_a_society_read_back_is_the_same(seed, tmp_path):
    """Row for row, and as the same bytes again."""
    log = society(seed, tmp_path)
    text = to_jsonl(log, "one.jsonl")
    again = from_jsonl(text, "again.db")

    assert rows_of(again) == rows_of(log)
    assert to_jsonl(again, "two.jsonl").read_bytes() == text.read_bytes()
    assert len(messages_df(again)) == len(messages_df(log))
    lines = [json.loads(line) for line in text.read_text().split("\n")[1:-1]]
    assert [row["seq"] for line in lines for row in line.values()] == sorted(
        r["seq"] for n in lines for r in n.values()
    )
    with InterComService.open(again, model="offline", tools=[look_up]) as opened:
        opened.stop()


TEXTS = st.text(st.characters(codec="utf-8"), max_size=60) | st.sampled_from(
    ["\0", "a\nb", "\r\n", "\x85\u2028\u2029", '"\\', "{}", "[1", "null", "\ufeff", "\U0001f600", "\\u2028", "inf"]
)


@settings(max_examples=times(40), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    TEXTS,
    st.floats(allow_nan=False),
    st.integers(-(2**63), 2**63 - 1) | st.none(),
)
def test_whatever_stands_in_it(log, tmp_path, text, real, whole):
    """Line breaks of any kind, nothing at all, numbers at their limits."""
    hostile = tmp_path / "hostile.db"
    hostile.write_bytes(Path(log).read_bytes())
    with closing(sqlite3.connect(hostile)) as connection, connection:
        connection.execute("UPDATE messages SET text = ?, created_at = ?", (text, whole or 0))
        connection.execute("UPDATE items SET payload = ? || payload", (text,))
        connection.execute("UPDATE steps SET usd = ?, latency_s = ?, input_tokens = ?", (real, -real, whole))
        connection.execute("UPDATE agents SET name = ? || name, mission = ?", (text, text))
        connection.execute("UPDATE events SET text = ?, data = ?", (text, text))
    written = to_jsonl(hostile, tmp_path / "hostile.jsonl")
    again = tmp_path / "again.db"
    again.unlink(missing_ok=True)

    assert rows_of(from_jsonl(written, again)) == rows_of(hostile)
    raw = written.read_bytes()
    assert raw.count(b"\n") == len(raw.decode().splitlines()) == sum(map(len, rows_of(hostile).values())) + 1
    for line in raw.decode().splitlines():
        json.loads(line, parse_constant=pytest.fail)
    for options in ({"for_play": True}, {"texts": False}, {"pseudonyms": True}):
        again.unlink()
        from_jsonl(to_jsonl(hostile, tmp_path / "less.jsonl", **options), again)


def demo(folder, n):
    """Let a demo play on the stand-in, one agent after the other; return its log."""
    intercom = InterComService(f"demo_{n}", logs=folder, model="offline", thread_logs=False)
    intercom.add(*cast(n))
    intercom["founder"].begin()
    while intercom.step() is not None:
        intercom.wait(20, progress=False)
    intercom.stop()
    return intercom.log.path


@pytest.mark.parametrize("n", [1, 2])
def test_a_recording_made_anew_is_the_same_bytes(n, tmp_path, monkeypatch):
    """In another folder, at another time, by another version: nothing to commit."""
    first = to_jsonl(demo(tmp_path / "a", n), "first.jsonl", for_play=True)
    monkeypatch.setattr("intercom_nb.log.store.__version__", "9.9")
    second = to_jsonl(demo(tmp_path / "b", n), "second.jsonl", for_play=True)

    assert first.read_bytes() == second.read_bytes()


def test_what_is_left_out_for_playing_reads_back_as_nothing(log, tmp_path):
    """Times are 0, and so is everything that another run of the same society would have otherwise."""
    again = from_jsonl(to_jsonl(log, "play.jsonl", for_play=True), tmp_path)
    with closing(sqlite3.connect(again)) as connection:
        for table in TABLES:
            for column in CLOCK.get(table, frozenset()) | PROCESS.get(table, frozenset()):
                values = {row[0] for row in connection.execute(f"SELECT {column} FROM {table}")}  # noqa: S608
                assert values <= {0, "", None}

    assert again.name == "play.db"
    assert list(messages_df(again).text) == list(messages_df(log).text)
    assert len(runs_df(again)) == len(runs_df(log))


def test_neither_keys_nor_paths(tmp_path, monkeypatch):
    """Also where somebody said one."""
    monkeypatch.setenv("OPENAI_API_KEY", "some-fake-key-123")
    script = {"Zoë": [call("send_message", chat_id="bob", message=f"Grüße, {KEY}\n{KEY} some-fake-key-123"), "Fertig."]}
    with InterComService("talk", logs=tmp_path / "logs", model=ScriptedAssistant(script), api_key=KEY) as intercom:
        intercom.add(Agent("Zoë"), Agent("Bob"))
        intercom["zoë"].begin()
        intercom.wait(20)
    for options in ({}, {"for_play": True}, {"pseudonyms": True}, {"texts": False}):
        text = to_jsonl(intercom.log.path, "talk.jsonl", **options).read_text()
        assert ("Grüße, (key)" in text) == options.get("texts", True)
        for secret in (KEY, "SECRET", "some-fake-key", "Bearer", str(tmp_path), "/logs"):
            assert secret not in text


def test_pseudonyms_everywhere():
    """Ids and names, in columns, frames, chat lists, calls and what was said; the same ones by the same."""
    names = ("Marta Weiß", "agent", "Jo-Ann")
    script = {
        "Marta Weiß": [
            call(
                "create_chat",
                agent_ids=["agent", "Jo-Ann"],
                name="Secret plans",
                description="Of Marta Weiß.",
                message="Hi",
            ),
            call(
                "send_message", chat_id="Jo-Ann", message="Jo-Ann's friend agent is in the Secret plans, not Jo-Anna."
            ),
            "Told Jo-Ann.",
        ]
    }
    intercom = InterComService("Weiß family", model=ScriptedAssistant(script), logs="logs", tags={"condition": "a"})
    with intercom:
        intercom.add(*(Agent(name, team="Bakers/ovens", mission=f"Be {name}.", data={"n": name}) for name in names))
        intercom.add_person("Dora Schmidt")
        intercom.agents[0].begin()
        intercom.wait(20)
    text = to_jsonl(intercom.log.path, "open.jsonl", pseudonyms=True).read_text()
    closed = to_jsonl(intercom.log.path, "closed.jsonl", pseudonyms=True, texts=False).read_text()

    for name in (
        "Marta",
        "marta",
        "Weiß",
        "weiß",
        "Jo-Ann'",
        "Jo-Ann\\",
        "Secret",
        "Schmidt",
        "dora",
        "Bakers",
        "ovens",
    ):
        assert name not in text
        assert name not in closed
    assert "Agent 3's friend agent-2 is in the Chat 1, not Jo-Anna." in text
    assert "===Incoming message from Agent 1===\\\\nchat_id: agent-1\\\\ntype: agent\\\\n" in unfenced(text)
    assert '"key": "fence"' not in text + closed
    assert '"condition' in closed
    assert "Anna" not in closed
    assert '"arguments": "{\\"chat_id\\": \\"\\"' in closed
    frame = messages_df(from_jsonl("closed.jsonl"))
    assert list(frame.sender_id.dropna()) == ["agent-1"] * 2
    assert set(frame.text) == {""}


def rewritten(log, tmp_path, change):
    """Return the text of a log with its lines changed."""
    lines = to_jsonl(log, tmp_path / "wrong.jsonl").read_text().split("\n")
    (tmp_path / "wrong.jsonl").write_text("\n".join(change(lines)))
    return tmp_path / "wrong.jsonl"


def replaced(n, line):
    """Return what puts another line in the place of the n-th, counted from 1."""
    return lambda lines: [*lines[: n - 1], line, *lines[n:]]


PLACE = '"messages": 0, "runs": 0, "seconds": 0.0, "seq": 1, "steps": 0, "tokens": 0, "unpriced": 0, "usd": 0.0'


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda _: [""], "line 1 should be its head"),
        (replaced(1, '{"intercom_nb": "recording", "version": 1}'), "line 1 should be its head"),
        (replaced(1, '{"intercom_nb": "log", "schema": true}'), "line 1 should be its head"),
        (replaced(1, '{"intercom_nb": "log", "schema": 1}'), "line 1 says schema 1, and this version reads 2"),
        (replaced(3, "{"), "line 3 is no row of a log .it is no JSON"),
        (replaced(3, "[]"), "line 3 .*no JSON object"),
        (replaced(3, "[" * 100_000), "line 3 .*recursion"),
        (replaced(3, '{"meta": {}, "runs": {}}'), "line 3 .*right would be"),
        (replaced(3, '{"more": {}}'), "line 3 .*with one of the tables meta"),
        (replaced(3, '{"meta": {"key": "a", "seq": 1}}'), "line 3 .*meta needs its column 'value'"),
        (replaced(3, '{"meta": {"key": "a", "seq": 1, "value": "", "x": 1}}'), "line 3 .*meta has no column 'x'"),
        (replaced(3, '{"meta": {"key": "a", "seq": 1, "value": 1}}'), "line 3 .*value should be .*TEXT and is 1"),
        (replaced(3, '{"meta": {"key": "a", "seq": true, "value": ""}}'), "line 3 .*seq should be .*INTEGER"),
        (replaced(3, '{"meta": {"key": "a", "seq": 9223372036854775808, "value": ""}}'), "line 3 "),
        (replaced(3, '{"meta": {"key": "a", "seq": 1, "value": "\\ud800"}}'), "line 3 "),
        (replaced(3, f'{{"places": {{"at": NaN, {PLACE}}}}}'), "line 3 .*NaN is no number"),
        (lambda lines: [*lines[:9], lines[8], *lines[9:]], "line 10 .*UNIQUE"),
        (lambda lines: lines[:-5], "was cut short after line"),
        (lambda lines: lines[:1], "was cut short after line 1"),
    ],
    ids=map(str, range(19)),
)
def test_what_is_no_text_of_a_log_is_refused(log, tmp_path, change, words):
    """In one sentence with the line's number; no log is left behind."""
    wrong = rewritten(log, tmp_path, change)
    with pytest.raises(LogError, match=words) as refused:
        from_jsonl(wrong)
    assert "\n" not in str(refused.value)
    assert [path.name for path in tmp_path.iterdir()] == ["wrong.jsonl"]


def test_what_cannot_be_read_or_written_is_said(log, tmp_path):
    """A text that is not there, one of a later version, a place that is taken, one that is none."""
    with pytest.raises(LogError, match="there is no such text"):
        from_jsonl("none.jsonl")
    with pytest.raises(NewerLogError, match="its schema is 3"):
        from_jsonl(rewritten(log, tmp_path, replaced(1, '{"intercom_nb": "log", "schema": 3}')))
    (tmp_path / "wrong.jsonl").write_bytes(b"\xff\xfe")
    with pytest.raises(LogError, match="no UTF-8"):
        from_jsonl(tmp_path / "wrong.jsonl")
    text = to_jsonl(log, "right.jsonl")
    assert from_jsonl(text) == Path("right.db")
    with pytest.raises(LogError, match="there is a file of that name"):
        from_jsonl(text)
    with pytest.raises(LogError, match="cannot be written"):
        to_jsonl(log, "right.db/deeper.jsonl")
    with pytest.raises(LogError, match="there is no such log"):
        to_jsonl("none.db", "x.jsonl")
    assert not list(Path().glob(".*.part"))


def test_a_log_in_memory_is_written_too(scripted):
    """While it runs."""
    intercom = scripted({"Ann": ["Fine."]})
    intercom.add(Agent("Ann"))
    intercom["ann"].begin()
    intercom.start()
    intercom.wait(20)

    assert len(messages_df(from_jsonl(to_jsonl(intercom, "memory.jsonl")))) == 1
    assert not math.isnan(runs_df("memory.db").turn_idx[0])
