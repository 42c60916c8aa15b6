"""Group commit: who writes the transactions that were handed over, when, and on which thread.

Whatever waits while one transaction is being made durable goes into the next commit together. What follows from a
transaction happens after it is durable (`Transaction.after`), so nobody acts on what could still be lost. Why the
agents' loop writes its own transactions, and a thread everybody else's: ``docs/design/group_commit.md``.
"""

import itertools
import logging
import math
import operator
import queue
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from functools import partial
from pathlib import Path
from typing import Literal, Protocol

from intercom_nb.errors import LogError, UnstorableError
from intercom_nb.log.door import has_too_many_files
from intercom_nb.log.facts import Fact, Statement
from intercom_nb.log.presence import Presence
from intercom_nb.log.transaction import Patience, Totals, Transaction
from intercom_nb.notebook import keep_output_out_of_cells

__all__ = ["PLACE", "Loop", "Writer"]

_AT_ONCE = 1_000  # transactions in one commit: bounds how long the first of them waits
# Each commit is a write to the disk itself: what can wait for company goes there with less.
_A_MOMENT_S, _A_WHILE_S = 0.002, 0.02
_CROWD = 4  # agents: with more than these at work, everything waits for a moment
_LOGGER = logging.getLogger(__name__)

PLACE = "INSERT INTO places VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
"""Writes the end of a transaction: its seq, its time, and the totals by then."""


class Loop(Protocol):
    """The agents' loop, as the log knows it."""

    @property
    def n_at_work(self) -> int:
        """How many agents have something to do."""

    def here(self) -> bool:
        """Whether the caller is on it."""

    def call_later(self, delay_s: float, call: Callable[[], None]) -> None:
        """Call a function on it, from it, after so many seconds."""


class Writer:
    """Writes the transactions of one log; its own thread is a daemon thread named after the log.

    Parameters
    ----------
    path : Path or None
        Of the log, for sentences and the thread's name.
    connection : sqlite3.Connection
        Writes the log, and nobody else does.
    guard : context manager
        Held while a log in memory is written, for it has one connection for everybody.
    totals : Totals
        What was spent up to the last place.
    loop : Loop, optional
        Where agents run; what is handed over from there is written there.
    on_failure : callable
        Called when the log could not be written, on the thread that tried; nothing is written after that.
    """

    def __init__(
        self,
        path: Path | None,
        connection: sqlite3.Connection,
        *,
        guard: AbstractContextManager[object],
        totals: Totals,
        loop: Loop | None,
        on_failure: Callable[[], None],
    ) -> None:
        self._path = path
        self._connection = connection
        self._guard: AbstractContextManager[object] = guard if path is None else nullcontext()
        self._totals = totals
        self._loop = loop
        self._on_failure = on_failure
        self.failure: LogError | None = None
        self.presence: Presence | None = None  # of a log in a file, once it is open
        self.watchers: list[Callable[[Sequence[Fact]], None]] = []
        self._waiting: deque[Transaction] = deque()
        self._writing = threading.Lock()  # held by the one thread that writes, and does what follows
        self._bell: queue.SimpleQueue[Literal["write", "end"]] = queue.SimpleQueue()  # the log's own thread's
        self._rung = False
        self._due = math.inf  # when the loop writes next; used on the loop alone
        name = f"intercom log {path.stem if path else 'in memory'}"
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    @property
    def has_started(self) -> bool:
        """Whether it ever began to write."""
        return self._thread.ident is not None

    def end(self) -> None:
        """Write what is waiting, and end the thread."""
        self._bell.put("end")
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join()

    def hand_over(self, transaction: Transaction) -> None:
        """Take a transaction to be written; called under the store's lock."""
        self._waiting.append(transaction)
        if self._leave_to_loop(transaction.patience):
            transaction.hasten = self._ring
        else:
            self._ring()

    def _leave_to_loop(self, patience: Patience) -> bool:
        """Return whether the caller is on the agents' loop, which will write what waits."""
        if self._loop is None or not self._loop.here():
            return False
        company = self._loop.n_at_work > (_CROWD if patience == "none" else 1)
        patience_s = _A_WHILE_S if patience == "more" else _A_MOMENT_S if company else 0.0
        due = time.monotonic() + patience_s
        if due < self._due:
            self._due = due
            self._loop.call_later(patience_s, partial(self._write_as_due, due))
        return True

    def _ring(self) -> None:
        """Wake the log's own thread; it writes what waits by then."""
        if not self._rung:
            self._rung = True
            self._bell.put("write")

    def _work(self) -> None:
        keep_output_out_of_cells()
        going = True
        while going:
            going = self._bell.get() == "write"
            self._rung = False
            self._write()

    def _write_as_due(self, due: float) -> None:
        if due == self._due:  # else it has been written sooner, and what waits now may wait longer
            self._due = math.inf
            self._write()

    def _write(self) -> None:
        """Write what waits, and do what follows from it; called without the store's lock."""
        while self._waiting:  # nobody rings for what one commit has no room for
            with self._writing:
                self._commit([self._waiting.popleft() for _ in range(min(len(self._waiting), _AT_ONCE))])

    def _commit(self, batch: list[Transaction]) -> None:
        if not batch:
            return
        try:
            if self.failure is not None:
                raise self.failure  # noqa: TRY301 - all who wait are told below
            with self._guard:  # readers must not see half a transaction
                self._execute(batch)
        except Exception as error:  # noqa: BLE001 - a thread boundary: whoever waits must hear of it, whatever it is
            if self.failure is None and _is_of_a_value(error):
                self._commit_alone(batch, error)
                return
            # What was handed over later builds on this: nothing more is written, so the log stays a whole state.
            if self.failure is None:
                _LOGGER.warning("the log cannot be written: %s", error)
                why = "this process has too many open files" if has_too_many_files() else error
                said = LogError(self._path, f"cannot be written ({why}); nothing more is accepted")
                self.failure = error if isinstance(error, LogError) else said
                self._on_failure()
            for transaction in batch:
                transaction.done.set_exception(self.failure)
            return
        if self.watchers:
            facts = [fact for transaction in batch for fact in transaction.facts]
            self._follow([partial(watcher, facts) for watcher in self.watchers])
        for transaction in batch:
            self._follow(transaction.afterwards)
            transaction.done.set_result(None)

    def _commit_alone(self, batch: list[Transaction], error: Exception) -> None:
        """Write each transaction for itself, after one had a value that cannot be kept: that one alone fails."""
        if len(batch) == 1:
            batch[0].done.set_exception(UnstorableError(error))
            return
        for transaction in batch:
            self._commit([transaction])

    def _follow(self, calls: Sequence[Callable[[], None]]) -> None:
        for call in calls:
            try:
                call()
            except Exception:  # everybody's facts come through here, and the others' must go on
                _LOGGER.exception("what follows from a transaction failed; the transaction itself is in the log")

    def _execute(self, batch: list[Transaction]) -> None:
        connection, totals = self._connection, self._totals
        if self.presence is not None:
            self.presence.check()
        before = totals.row()
        connection.execute("BEGIN IMMEDIATE")
        try:
            for transaction in batch:
                if not transaction.facts:
                    continue  # somebody only waits for those before
                for sql, rows in _statements(transaction.facts):
                    connection.executemany(sql, rows)
                totals.add(transaction)
                connection.execute(PLACE, (transaction.place, transaction.at, *totals.row()))
            connection.execute("COMMIT")
        except BaseException:
            with suppress(sqlite3.Error):  # of a full disk SQLite has undone it already, and says so only here
                connection.execute("ROLLBACK")
            totals.set(before)
            raise


def _statements(facts: Sequence[Fact]) -> Iterable[Statement]:
    """Return what writes these facts, in order; those of one kind that follow each other are written in one go."""
    for _, alike in itertools.groupby([fact.statement() for fact in facts], operator.itemgetter(0)):
        found = list(alike)
        yield found[0] if len(found) == 1 else (found[0][0], itertools.chain.from_iterable(rows for _, rows in found))


def _is_of_a_value(error: Exception) -> bool:
    """Return whether it was a value that could not be written, rather than the log."""
    if isinstance(error, sqlite3.IntegrityError):  # a key that is taken says that somebody else writes
        return error.sqlite_errorname in ("SQLITE_CONSTRAINT_NOTNULL", "SQLITE_CONSTRAINT_CHECK")
    if isinstance(error, sqlite3.ProgrammingError | sqlite3.InterfaceError):
        return "binding" in str(error)  # else the connection is at fault
    return isinstance(error, OverflowError | UnicodeEncodeError | sqlite3.DataError)
