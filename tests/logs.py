"""Where a service's files are, and logs that no service wrote."""

import re
import sqlite3
from contextlib import closing

from intercom_nb.log.schema import SCHEMA, VERSION, columns_of
from intercom_nb.log.thread_log_files import folder_of


def thread_logs_of(intercom):
    """Return the folder of the thread logs that a service writes."""
    return folder_of(intercom.log.path)


def thread_logs_in(folder):
    """Return the thread logs of a folder, by name; what marks it as a log's own is none of them."""
    return sorted(path for path in folder.iterdir() if not path.name.startswith("."))


def unfenced(text):
    """Return a text without the marks on its frames, which are others in every log."""
    return re.sub(r"===[a-z]\d{3,} (?=(?:End of )?Incoming message from )", "===", text)


FILLED = {
    "meta": {"seq": 1},
    "places": {"messages": 0, "runs": 0, "steps": 0, "tokens": 0, "usd": 0.0, "unpriced": 0, "seconds": 0.0},
    "agents": {
        "version": 1, "kind": "agent", "description": "", "mission": "", "settings": "{}", "tools": "[]",
        "mail": "when_idle", "begins": 0, "notes": 0, "team": "", "data": "{}", "created_at": 0,
    },
    "chats": {"description": "", "created_at": 0},
    "messages": {"text": "Hello"},
    "runs": {"attempt": 1, "agent_version": 1, "began_at": 0, "turn_idx": 0},
    "steps": {
        "attempt": 1, "kind": "answer", "asked": "m", "model": "m", "settings": "{}", "fingerprint": "", "repaired": 0,
        "created_at": 0, "cached_tokens": 0,
    },
}  # fmt: skip
"""What a row has in the columns that nothing is said of; None in all others."""


def lengthen(path, messages):
    """Write many messages into a log of a service, each heard by one or by a group, answered by a run with a step.

    Returns what a page must count: messages, runs, tokens, and deliveries by sender and receiver.
    """
    with closing(sqlite3.connect(path)) as log:
        ids = [one for (one,) in log.execute("SELECT DISTINCT agent_id FROM agents ORDER BY seq")]
        (last, *totals), *_ = log.execute("SELECT seq, at, messages, runs FROM places ORDER BY seq DESC LIMIT 1")
        (chat,) = log.execute("SELECT chat_id FROM chats").fetchone()
        members = [one for (one,) in log.execute("SELECT agent_id FROM memberships WHERE chat_id = ?", (chat,))]
    (at, said, ran), rows = totals, {table: [] for table in ("messages", "deliveries", "runs", "steps", "places")}
    for n in range(messages):
        seq, when = last + 1 + n * 4, at + n * 100_000
        sender, run = members[n % len(members)], f"long-{seq}"
        heard = [one for one in members if one != sender] if n % 10 == 0 else [ids[n % len(ids)]]
        to = {"chat_id": chat} if n % 10 == 0 else {"receiver_id": heard[0]}
        rows["runs"].append(
            {"run_id": run, "agent_id": sender, "seq": seq, "until_seq": seq + 3, "began_at": when,
             "ended_at": when + 9, "reason": "silent", "spent": "[0, 0, 0, 0, 0.0, 0]"}
        )  # fmt: skip
        rows["steps"].append(
            {
                "run_id": run,
                "step": 0,
                "seq": seq + 1,
                "until_seq": seq + 1,
                "input_tokens": 9,
                "output_tokens": 1,
                "usd": 0.0,
            }
        )
        rows["messages"].append(
            {"seq": seq + 2, "id": f"m-{seq + 2}", "sender_id": sender, "run_id": run, "created_at": when,
             "text": f"Message {n}: what I think of it is this, and I would like to hear from you."} | to
        )  # fmt: skip
        rows["deliveries"] += [{"agent_id": one, "seq": seq + 2, "until_seq": seq + 3, "run_id": run} for one in heard]
        rows["places"].append({"seq": seq + 3, "at": when, "messages": said + n + 1, "runs": ran + n + 1})
    for table, added in rows.items():
        add_rows(path, table, added)
    with closing(sqlite3.connect(path)) as log:
        one = lambda sql: log.execute(sql).fetchone()[0]  # noqa: E731
        pairs = log.execute(
            "SELECT sender_id, agent_id, COUNT(*) FROM messages JOIN deliveries USING (seq) "
            "WHERE sender_id IS NOT NULL GROUP BY 1, 2"
        )
        return {
            "messages": one("SELECT COUNT(*) FROM messages"),
            "runs": one("SELECT COUNT(DISTINCT run_id) FROM runs"),
            "tokens": one("SELECT SUM(input_tokens + output_tokens) FROM steps"),
            "pairs": {(sender, receiver): count for sender, receiver, count in pairs},
        }


def add_rows(path, table, rows):
    """Write rows into a table of a log, each a value by column; `FILLED` has the rest."""
    columns = columns_of(table)
    marks = ", ".join("?" * len(columns))
    filled = FILLED.get(table, {})
    with closing(sqlite3.connect(path)) as log:
        values = ([row.get(column, filled.get(column)) for column in columns] for row in rows)
        log.executemany(f"INSERT INTO {table} VALUES ({marks})", values)  # noqa: S608 - names of ours
        log.commit()


def new_log(path, schema=VERSION, **tables):
    """Write a log by SQL alone: rows by table; every number in it is a place."""
    with closing(sqlite3.connect(path)) as log:
        log.executescript("PRAGMA synchronous = OFF;" + SCHEMA)
    add_rows(path, "meta", [{"key": "schema", "value": str(schema)}, {"key": "name", "value": path.stem}])
    for table, rows in tables.items():
        add_rows(path, table, rows)
    with closing(sqlite3.connect(path)) as log:
        told = [log.execute(f"SELECT MAX(seq) FROM {table}").fetchone()[0] or 0 for table in tables]  # noqa: S608
    add_rows(path, "places", ({"seq": seq, "at": 0} for seq in range(1, 1 + max(told, default=1))))
    return path
