"""The tables of the log. Keys carry the guarantees: what must not happen cannot be written down.

A second delivery of a message to the same receiver, a second unfinished run of an agent, a step committed twice and a
repeated idempotency key each violate a key. Columns are flat; times are microseconds since 1970-01-01 UTC. One
counter, ``seq``, numbers messages, versions, memberships, runs, steps and events alike, so "the state as of seq k" is
well defined.

Keys begin with what grows, so what one message adds, to however many receivers, lies side by side at the end of its
tables: a commit writes a few pages, not one for each receiver.

``items`` are never changed: of an agent's items, those before the newest ``until_idx`` in ``compactions`` are no longer
sent to its model; the ``payload`` of that row, a JSON list of items, is sent in their place.
"""

__all__ = ["HALF_STATES", "LAST_SEQ", "SCHEMA", "VERSION"]

VERSION = 1

SCHEMA = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
CREATE TABLE agents (
    agent_id TEXT NOT NULL, version INTEGER NOT NULL, seq INTEGER NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('agent', 'person')), name TEXT NOT NULL, description TEXT NOT NULL,
    mission TEXT NOT NULL, model TEXT, tools TEXT NOT NULL, mail TEXT NOT NULL, created_at INTEGER NOT NULL,
    max_runs REAL, max_tokens REAL, max_usd REAL, notes INTEGER NOT NULL DEFAULT 0, context INTEGER,
    team TEXT NOT NULL DEFAULT '', contacts TEXT,
    PRIMARY KEY (agent_id, version)) STRICT;
CREATE TABLE chats (
    chat_id TEXT PRIMARY KEY, seq INTEGER NOT NULL, name TEXT NOT NULL, description TEXT NOT NULL,
    admin_id TEXT NOT NULL, created_at INTEGER NOT NULL) STRICT;
CREATE TABLE memberships (
    chat_id TEXT NOT NULL REFERENCES chats, agent_id TEXT NOT NULL, joined_seq INTEGER NOT NULL, left_seq INTEGER,
    PRIMARY KEY (chat_id, agent_id, joined_seq)) STRICT;
CREATE UNIQUE INDEX one_membership ON memberships (chat_id, agent_id) WHERE left_seq IS NULL;
CREATE TABLE messages (
    seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, chat_id TEXT REFERENCES chats, receiver_id TEXT, sender_id TEXT,
    text TEXT NOT NULL, run_id TEXT, created_at INTEGER NOT NULL, key TEXT,
    CHECK ((chat_id IS NULL) <> (receiver_id IS NULL))) STRICT;
CREATE UNIQUE INDEX one_key ON messages (key, run_id IS NULL) WHERE key IS NOT NULL;
CREATE TABLE deliveries (
    agent_id TEXT NOT NULL, seq INTEGER NOT NULL REFERENCES messages,
    state TEXT NOT NULL CHECK (state IN ('pending', 'consumed')), run_id TEXT,
    PRIMARY KEY (seq, agent_id)) STRICT, WITHOUT ROWID;
CREATE INDEX inbox ON deliveries (seq, agent_id) WHERE state = 'pending';
CREATE TABLE holds (
    channel TEXT NOT NULL, held_seq INTEGER NOT NULL, released_seq INTEGER, PRIMARY KEY (channel, held_seq)) STRICT;
CREATE UNIQUE INDEX one_hold ON holds (channel) WHERE released_seq IS NULL;
CREATE TABLE runs (
    run_id TEXT PRIMARY KEY, agent_id TEXT NOT NULL, agent_version INTEGER NOT NULL, began_seq INTEGER NOT NULL,
    began_at INTEGER NOT NULL, turn_idx INTEGER NOT NULL, chat_list TEXT, attempts INTEGER NOT NULL DEFAULT 1,
    ended_seq INTEGER, ended_at INTEGER, reason TEXT, error TEXT) STRICT;
CREATE UNIQUE INDEX one_run ON runs (agent_id) WHERE ended_seq IS NULL;
CREATE TABLE steps (
    run_id TEXT NOT NULL REFERENCES runs, step INTEGER NOT NULL, seq INTEGER NOT NULL, model TEXT NOT NULL,
    input_tokens INTEGER, cached_tokens INTEGER, output_tokens INTEGER, usd REAL, latency_s REAL, error TEXT,
    created_at INTEGER NOT NULL, held TEXT,
    kind TEXT NOT NULL DEFAULT 'answer' CHECK (kind IN ('answer', 'compact')), PRIMARY KEY (run_id, step)) STRICT;
CREATE TABLE items (
    agent_id TEXT NOT NULL, idx INTEGER NOT NULL, run_id TEXT NOT NULL REFERENCES runs, step INTEGER NOT NULL,
    type TEXT NOT NULL, payload TEXT NOT NULL, PRIMARY KEY (agent_id, idx)) STRICT;
CREATE TABLE compactions (
    agent_id TEXT NOT NULL, seq INTEGER NOT NULL, run_id TEXT NOT NULL REFERENCES runs, until_idx INTEGER NOT NULL,
    how TEXT NOT NULL CHECK (how IN ('compacted', 'summary', 'dropped')), payload TEXT NOT NULL,
    created_at INTEGER NOT NULL, PRIMARY KEY (agent_id, seq)) STRICT;
CREATE TABLE notes (
    seq INTEGER PRIMARY KEY, agent_id TEXT NOT NULL, run_id TEXT NOT NULL REFERENCES runs, step INTEGER NOT NULL,
    text TEXT NOT NULL, created_at INTEGER NOT NULL) STRICT;
CREATE TABLE contacts (
    seq INTEGER PRIMARY KEY, agent_id TEXT NOT NULL, contact_id TEXT NOT NULL) STRICT;
CREATE TABLE tool_calls (
    run_id TEXT NOT NULL REFERENCES runs, step INTEGER NOT NULL, n INTEGER NOT NULL, call_id TEXT NOT NULL,
    name TEXT NOT NULL, arguments TEXT NOT NULL, began_at INTEGER NOT NULL, ended_at INTEGER, output TEXT,
    failed INTEGER NOT NULL, PRIMARY KEY (run_id, step, n)) STRICT;
CREATE TABLE events (
    seq INTEGER PRIMARY KEY, kind TEXT NOT NULL, agent_id TEXT, chat_id TEXT, run_id TEXT, text TEXT NOT NULL,
    created_at INTEGER NOT NULL) STRICT;
"""

LAST_SEQ = """
SELECT MAX(seq) FROM (
    SELECT COALESCE(MAX(seq), 0) AS seq FROM agents
    UNION ALL SELECT COALESCE(MAX(seq), 0) FROM chats
    UNION ALL SELECT COALESCE(MAX(MAX(joined_seq, COALESCE(left_seq, 0))), 0) FROM memberships
    UNION ALL SELECT COALESCE(MAX(seq), 0) FROM messages
    UNION ALL SELECT COALESCE(MAX(MAX(began_seq, COALESCE(ended_seq, 0))), 0) FROM runs
    UNION ALL SELECT COALESCE(MAX(seq), 0) FROM steps
    UNION ALL SELECT COALESCE(MAX(COALESCE(released_seq, 0)), 0) FROM holds
    UNION ALL SELECT COALESCE(MAX(seq), 0) FROM compactions
    UNION ALL SELECT COALESCE(MAX(seq), 0) FROM notes
    UNION ALL SELECT COALESCE(MAX(seq), 0) FROM contacts
    UNION ALL SELECT COALESCE(MAX(seq), 0) FROM events)
"""

# Each finds rows that no sequence of whole transactions can leave behind.
HALF_STATES = {
    "a delivery without its message": "SELECT 1 FROM deliveries WHERE seq NOT IN (SELECT seq FROM messages) LIMIT 1",
    "a message without a delivery": "SELECT 1 FROM messages WHERE seq NOT IN (SELECT seq FROM deliveries) LIMIT 1",
    "a conversation with a gap": "SELECT 1 FROM items GROUP BY agent_id HAVING COUNT(*) <> MAX(idx) + 1 LIMIT 1",
    "a step without its run": "SELECT 1 FROM steps LEFT JOIN runs USING (run_id) WHERE agent_id IS NULL LIMIT 1",
}
