"""Notes that an agent keeps for itself: two tools, `remember` and `recall`, for agents made with ``notes=True``.

A note is a row of the log, written with the step that made it. The full-text index (SQLite's FTS5) is a reader of the
log like any other: it lives in memory and is built anew when it is first asked.
"""

import sqlite3

from intercom_nb.errors import ToolCallError
from intercom_nb.log.facts import NoteKept
from intercom_nb.log.store import Store
from intercom_nb.log.times import moment
from intercom_nb.log.transaction import Transaction
from intercom_nb.texts.english import FUNCTION_WORDS, WORD
from intercom_nb.texts.names import clean
from intercom_nb.tools import Tool

__all__ = ["NOTE_TOOLS", "NoteTools", "Notes"]

_SHOWN = 5  # notes that one recall gives back
_LONGEST = 300  # characters of a note in a line of a recall
_INDEX = "CREATE VIRTUAL TABLE notes USING fts5(text, agent_id UNINDEXED, at UNINDEXED, tokenize = 'porter unicode61')"


class Notes:
    """The notes of one service's agents; used under the store's lock."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._index: sqlite3.Connection | None = None

    def _indexed(self) -> sqlite3.Connection:
        if self._index is None:
            self._index = sqlite3.connect(":memory:", check_same_thread=False, isolation_level=None)
            self._index.execute(_INDEX)
            self._insert(*self._store.rows("SELECT seq, text, agent_id, created_at FROM notes"))
        return self._index

    def _insert(self, *notes: tuple[int, str, str, int]) -> None:
        self._indexed().executemany("INSERT INTO notes (rowid, text, agent_id, at) VALUES (?, ?, ?, ?)", notes)

    def keep(self, tx: Transaction, agent_id: str, run_id: str, step: int, text: str) -> None:
        """Write a note down."""
        self._indexed()  # first, so that what it is built from does not hold this note already
        note = NoteKept(tx.seq(), agent_id, run_id, step, text, tx.at)
        tx.add(note)
        tx.undo(self._forget, note.seq)
        self._insert((note.seq, text, agent_id, note.created_at))

    def _forget(self, seq: int) -> None:
        self._indexed().execute("DELETE FROM notes WHERE rowid = ?", (seq,))

    def search(self, agent_id: str, query: str) -> list[tuple[str, int]]:
        """Return an agent's notes, text and time, that have most to do with some words; without any, its newest."""
        given = WORD.findall(query)
        words = [word for word in given if word.casefold() not in FUNCTION_WORDS] or given
        found = "WHERE agent_id = ? ORDER BY rowid DESC LIMIT ?"
        if not words:
            return self._indexed().execute(f"SELECT text, at FROM notes {found}", (agent_id, _SHOWN)).fetchall()  # noqa: S608 - nothing given is in it
        wanted = " OR ".join(f'"{word}"' for word in words)
        sql = "SELECT text, at FROM notes WHERE notes MATCH ? AND agent_id = ? ORDER BY rank, rowid DESC LIMIT ?"
        return self._indexed().execute(sql, (f"text : ({wanted})", agent_id, _SHOWN)).fetchall()

    def close(self) -> None:
        """Let the index go; the notes are in the log."""
        if self._index is not None:
            self._index.close()
            self._index = None


class NoteTools:
    """What one agent remembers and recalls in one step, inside that step's transaction."""

    def __init__(self, notes: Notes, tx: Transaction, agent_id: str, run_id: str, step: int) -> None:
        self._notes = notes
        self._tx = tx
        self._agent_id = agent_id
        self._run_id = run_id
        self._step = step

    def remember(self, text: str) -> str:
        """Keep a note for yourself; it outlives this conversation, and nobody else reads it."""
        if not text.strip():
            msg = "the note is empty: write what you want to remember"
            raise ToolCallError(msg)
        self._notes.keep(self._tx, self._agent_id, self._run_id, self._step, clean(text))
        return "noted"

    def recall(self, query: str) -> str:
        """Search your own notes.

        Parameters
        ----------
        query
            A few words the note is about; empty for your newest notes.
        """
        found = self._notes.search(self._agent_id, query)
        lines = [f"{moment(at):%Y-%m-%d %H:%M}  {_one_line(text)}" for text, at in found]
        return "\n".join(lines) or "you have no note about that"


def _one_line(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 1]}…"


NOTE_TOOLS: dict[str, Tool] = {
    function.__name__: Tool(function, method=True) for function in (NoteTools.remember, NoteTools.recall)
}
"""The tools by name, in the order the model sees them."""
