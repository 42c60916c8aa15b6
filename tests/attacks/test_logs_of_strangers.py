"""A stranger's log is data: what is in it that no log holds is refused in one sentence, by everybody who reads it."""

import json
import sqlite3
from contextlib import closing

import pytest
from strangers import a_log, change, opened

from intercom_nb import (
    Agent,
    Dashboard,
    InterComError,
    InterComService,
    LogDamagedError,
    NewerLogError,
    ScriptedAssistant,
    difference,
    events_df,
    fork,
    from_jsonl,
    lineage,
    read_frames,
    replay,
    state,
    to_html,
    to_jsonl,
)

READERS = {
    "open": opened,
    "frames": read_frames,
    "state": state,
    "to_html": lambda log: to_html(log, log.with_suffix(".html")),
    "to_jsonl": lambda log: to_jsonl(log, log.with_suffix(".jsonl")),
    "Dashboard": lambda log: Dashboard(log)._repr_mimebundle_(),
    "replay": replay,
    "fork": lambda log: fork(log, logs=None, model=ScriptedAssistant()).stop(),
    "difference": lambda log: difference(log, log),
    "lineage": lineage,
    "play": lambda log: InterComService("again", play=log, logs=None).stop(),
}
ENDLESS = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT x FROM n"
SCHEMAS = {
    "trigger": "CREATE TRIGGER t AFTER INSERT ON places BEGIN UPDATE messages SET text = 'FORGED'; END",
    "endless view": (
        "DROP TABLE events; CREATE VIEW events AS SELECT x AS seq, 'k' AS kind, NULL AS by_id, NULL AS agent_id, "  # noqa: S608
        f"NULL AS chat_id, NULL AS run_id, NULL AS reason, NULL AS data, 't' AS text, 0 AS created_at FROM ({ENDLESS})"
    ),
    "endless meta": f"DROP TABLE meta; CREATE VIEW meta AS SELECT 'schema' AS key, 2 AS value FROM ({ENDLESS})",  # noqa: S608
    "another table": "CREATE TABLE mine (a)",
    "another index": "CREATE INDEX mine ON messages (text)",
    "virtual table": "CREATE VIRTUAL TABLE mine USING fts5(a)",
    "odd types": "ALTER TABLE holds RENAME TO old; CREATE TABLE holds (channel, seq, until_seq)",
    "generated": "ALTER TABLE events ADD COLUMN more TEXT AS (hex(text))",
    "missing table": "DROP TABLE notes",
}


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("schema", SCHEMAS)
def test_a_log_with_another_schema_is_refused(tmp_path, schema, reader):
    """Triggers, views, other tables, indexes and types; nothing in it is believed, and nothing is written."""
    log = a_log(tmp_path)
    change(log, SCHEMAS[schema])
    before = log.read_bytes()

    with pytest.raises(InterComError):
        READERS[reader](log)
    assert log.read_bytes() == before


@pytest.mark.parametrize("reader", READERS)
def test_a_log_of_a_later_version_is_refused(tmp_path, reader):
    """By whoever reads it, with both versions in the sentence."""
    log = a_log(tmp_path)
    change(log, "UPDATE meta SET value = '99' WHERE key = 'schema'")

    with pytest.raises(InterComError, match="its schema is 99, this version of intercom_nb reads up to 2") as raised:
        READERS[reader](log)
    assert reader == "play" or isinstance(raised.value, NewerLogError)


ODD = {
    "name": "UPDATE meta SET value = '' WHERE key = 'name'",
    "no name": "DELETE FROM meta WHERE key = 'name'",
    "no log id": "DELETE FROM meta WHERE key = 'log_id'",
    "agent's name": "UPDATE agents SET name = 'a' || char(10) || 'b'",
    "settings": "UPDATE agents SET settings = '[1]'",
    "settings no JSON": "UPDATE agents SET settings = '{'",
    "tools": "UPDATE agents SET tools = '{\"a\": 1}'",
    "data deep": "UPDATE agents SET data = '" + "[" * 100_000 + "'",
    "mail": "UPDATE agents SET mail = 'never'",
    "limits": "UPDATE agents SET limits = '{\"wishes\": 3}'",
    "options": "UPDATE options SET value = 'no JSON'",
    "option's type": "UPDATE options SET value = '[1, 2]' WHERE name = 'timeout'",
    "payload": "UPDATE items SET payload = 'no JSON'",
    "payload list": "UPDATE items SET payload = '[]'",
    "payload without content": 'UPDATE items SET payload = \'{"role": "user"}\'',
    "spent": "UPDATE runs SET spent = '[]'",
    "run of nobody": "UPDATE runs SET agent_id = 'nobody' WHERE agent_id = 'ann'",
    "mail of nobody": "UPDATE deliveries SET agent_id = 'nobody', until_seq = NULL, run_id = NULL",
    "time": "UPDATE messages SET created_at = 9223372036854775807",
    "times": "UPDATE places SET at = -9223372036854775808",
    "last place": "UPDATE places SET seq = 9223372036854775806 WHERE seq = (SELECT MAX(seq) FROM places)",
    "no UTF-8": "UPDATE messages SET text = CAST(x'ff41' AS TEXT)",
    "no UTF-8 name": "UPDATE agents SET name = CAST(x'ff41' AS TEXT)",
    "kinds": "UPDATE agents SET kind = 'person' WHERE agent_id = 'ann'",
    "no places": "DELETE FROM places",
    "no agents": "DELETE FROM agents",
}


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("odd", ODD)
def test_an_odd_value_is_one_sentence(tmp_path, odd, reader):
    """Each reader reads over it or says that the log is damaged; nothing raw comes out, nothing is endless."""
    log = a_log(tmp_path)
    change(log, ODD[odd])

    said = ""
    try:
        READERS[reader](log)
    except InterComError as error:
        said = str(error)
    assert len(said) < 1_000
    assert "\n" not in said


def test_damage_is_what_open_says_of_a_value_that_cannot_be(tmp_path):
    """And it says which."""
    log = a_log(tmp_path)
    change(log, ODD["mail"])

    with pytest.raises(LogDamagedError, match=r"holds a value that cannot be .*'never'"):
        opened(log)


def held(tmp_path):
    """Return a log whose agent was about to call a tool when its process ended."""
    log = a_log(tmp_path, "Ann", thread_logs=False)
    call = {"type": "function_call", "call_id": "c1", "name": "run_shell", "arguments": json.dumps({"line": "owned"})}
    with closing(sqlite3.connect(log, isolation_level=None)) as connection:
        connection.execute("UPDATE agents SET tools = '[\"run_shell\"]'")
        connection.execute("UPDATE steps SET until_seq = NULL, waiting_items = ?", (json.dumps([call]),))
        connection.execute("UPDATE runs SET until_seq = NULL, ended_at = NULL, reason = NULL, spent = NULL")
        connection.execute("DELETE FROM items WHERE idx > 0")
    return log


@pytest.mark.parametrize("resume", [False, True])
def test_a_held_call_runs_only_if_that_is_asked_for(tmp_path, capsys, resume):
    """Else the model is told that the outcome is unknown, and a note names the call."""
    ran = []

    def run_shell(line: str) -> str:
        """Run a line."""
        ran.append(line)
        return "done"

    log = held(tmp_path)
    given = {"resume_tools": True} if resume else {}
    with InterComService.open(log, model=ScriptedAssistant(default="Fine."), tools=[run_shell], **given) as intercom:
        assert intercom.wait(60) == "quiet"
        outputs = [item["output"] for item in intercom["ann"].conversation if "output" in item]
    told = capsys.readouterr()
    noted = events_df(log).query("kind == 'tools_not_resumed'").text.tolist()

    assert ran == (["owned"] if resume else [])
    if resume:
        assert (outputs, noted) == (["done"], [])
    else:
        assert outputs[0].startswith("Error: outcome unknown")
        assert "run_shell (ann, " in noted[0]
        assert "run_shell (ann, " in told.out + told.err


def test_a_text_of_a_log_is_no_other_door(tmp_path):
    """A text has no schema to choose, and what its rows say is looked at as in any log."""
    log = a_log(tmp_path)
    text = to_jsonl(log, tmp_path / "again.jsonl")
    text.write_text(text.read_text().replace('"when_idle"', '"never"'))

    with pytest.raises(LogDamagedError, match="'never'"):
        opened(from_jsonl(text))


@pytest.mark.parametrize("breaks", ["\u2028", "\u2029", "\x85"])
def test_a_line_break_in_a_text_ends_no_recording(tmp_path, breaks):
    """A recording of a text with a line break that JSON may hold is played."""
    said = f"one{breaks}two"

    def run(**given):
        with InterComService("breaks", logs=tmp_path, thread_logs=False, **given) as intercom:
            intercom.add(Agent("Ann"))
            intercom["ann"].send_message(said)
            assert intercom.wait(60) == "quiet"
            return intercom["ann"].conversation

    first = run(model=ScriptedAssistant(default=said))
    text = to_jsonl(next(tmp_path.glob("*.db")), tmp_path / "breaks.jsonl")

    assert run(play=text) == first
