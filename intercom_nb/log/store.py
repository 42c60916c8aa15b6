"""The log: one SQLite file, group commit.

Facts are written in transactions, in the order they were handed over; whatever waits while one transaction is being
made durable goes into the next commit together. What follows from a transaction happens after it is durable
(`Transaction.after`), so nobody acts on what could still be lost.

The agents' loop writes its own transactions, after the round of the loop in which they were made or, with many agents
at work, after a moment. To hand them to another thread and back would cost more CPU than to write them: two threads
that take turns at Python's one lock, several times in each transaction, doubled the cost of a turn. Everybody else's go
to a thread of the log's own: a keyboard interrupt cannot strike there, nor can a tool that blocks the loop keep a cell
from writing.
"""

import itertools
import logging
import math
import queue
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, Protocol
from urllib.parse import quote

from intercom_nb.errors import LogDamagedError, LogError, NewerLogError
from intercom_nb.log.facts import Fact
from intercom_nb.log.files import check_head, fresh, has_tail, locked, lost_bytes, schema_version
from intercom_nb.log.schema import HALF_STATES, LAST_SEQ, SCHEMA, VERSION
from intercom_nb.log.times import micros, moment, now
from intercom_nb.log.transaction import Patience, Transaction
from intercom_nb.messages import Message
from intercom_nb.notebook import keep_output_out_of_cells

if TYPE_CHECKING:
    import filelock

__all__ = ["Store"]

_AT_ONCE = 1_000  # transactions in one commit: bounds how long the first of them waits
# Each commit is a write to the disk itself: what can wait for company goes there with less.
_A_MOMENT_S, _A_WHILE_S = 0.002, 0.02
_CROWD = 4  # agents: with more than these at work, everything waits for a moment
_LOGGER = logging.getLogger(__name__)


class Loop(Protocol):
    """The agents' loop, as the log knows it."""

    @property
    def n_at_work(self) -> int:
        """How many agents have something to do."""

    def here(self) -> bool:
        """Whether the caller is on it."""

    def call_later(self, delay_s: float, call: Callable[[], None]) -> None:
        """Call a function on it, from it, after so many seconds."""


class Store:
    """The log of one service.

    Made by `create` or `open`. Its own thread is a daemon thread named after the log; `close` ends it.

    Attributes
    ----------
    path : Path or None
        The file; None for a log in memory.
    lock : RLock
        Held while a transaction is put together, and by whoever reads the state in memory that goes with the log.
    loop : Loop, optional
        Where agents run; what is handed over from there is written there.
    on_failure : callable
        Called when the log could not be written, on the thread that tried; nothing is written after that.
    recovered : str
        What was found amiss when an old log was opened, one sentence; empty if nothing.
    """

    def __init__(self, path: Path | None, *, lock: "filelock.BaseFileLock | None" = None) -> None:
        self.path = path
        self.recovered = ""
        self._lock = lock
        self.on_failure: Callable[[], None] = lambda: None
        self._failure: LogError | None = None
        self._watchers: list[Callable[[Sequence[Fact]], None]] = []
        self.loop: Loop | None = None
        self._waiting: deque[Transaction] = deque()
        self._writing = threading.Lock()  # held by the one thread that writes, and does what follows
        self._bell: queue.SimpleQueue[Literal["write", "end"]] = queue.SimpleQueue()  # the log's own thread's
        self._rung = False
        self._due = math.inf  # when the loop writes next; used on the loop alone
        self.lock = threading.RLock()
        self._seqs = itertools.count(1)
        self._guard = threading.RLock()
        self._writes = self._connect()
        self._reads = self._writes if path is None else None
        self._open = True
        name = f"intercom log {path.stem if path else 'in memory'}"
        self._writer = threading.Thread(target=self._work, name=name, daemon=True)

    @classmethod
    def create(cls, folder: Path | None, name: str, meta: Mapping[str, str] = MappingProxyType({})) -> "Store":
        """Return a new log ``<folder>/<time>-<file name>.db``; in memory without a folder.

        Parameters
        ----------
        folder : Path or None
            Made if it is not there.
        name : str
            For the file.
        meta : mapping, optional
            What else to remember about the service, by key; `meta` reads it back.

        Raises
        ------
        LogError
            If the folder cannot be written.
        """
        if folder is None:
            store = cls(None)
        else:
            path, lock = fresh(folder, name)
            store = cls(path, lock=lock)
        known = {"name": name, **meta, "schema": VERSION, "created_at": micros(now())}
        with store._guard:
            store._writes.executescript("BEGIN;" + SCHEMA)
            store._writes.executemany("INSERT INTO meta VALUES (?, ?)", [(k, str(v)) for k, v in known.items()])
            store._writes.execute("COMMIT")
        store._begin()
        return store

    @classmethod
    def open(cls, path: Path) -> "Store":
        """Return an existing log, up to its last whole transaction.

        Raises
        ------
        LogInUseError
            If another service is writing it.
        LogDamagedError
            If it is no log, or cut short so that no whole state can be read from it.
        NewerLogError
            If a later version of this package wrote it.
        LogError
            If it is not there or may not be written.
        """
        if not path.is_file():
            raise LogError(path, "there is no such log; a service writes one into its logs= folder")
        lock = locked(path)
        store = None
        try:
            check_head(path)
            store = cls(path, lock=lock)
            if path.with_name(path.name + "-journal").exists():
                # Killed while the log changed its mode: only a connection that may write can undo that half.
                store._writes.execute("SELECT 1 FROM sqlite_master").fetchall()
            store._check(path)
            store._begin()
        except sqlite3.Error as error:
            _give_up(store, lock)
            raise LogDamagedError(path, f"is no whole log ({error}); go back to a copy of it") from None
        except LogError:
            _give_up(store, lock)
            raise
        return store

    def _connect(self) -> sqlite3.Connection:
        target = ":memory:" if self.path is None else str(self.path)
        return sqlite3.connect(target, isolation_level=None, check_same_thread=False, timeout=10)

    def _begin(self) -> None:
        # Only now, for a file that proves to be no log of ours must stay as it was.
        self._writes.execute("PRAGMA journal_mode = WAL")
        self._writes.execute("PRAGMA synchronous = FULL")
        self._writer.start()

    def _check(self, path: Path) -> None:
        with self.reading() as query:
            if (damage := query("PRAGMA quick_check(1)")[0][0]) != "ok":
                raise LogDamagedError(path, f"is damaged ({damage.splitlines()[-1]}); go back to a copy of it")
            found = schema_version(query)
            if found is None:
                raise LogDamagedError(path, "is no log of intercom_nb, or none of its transactions is whole")
            if found > VERSION:
                raise NewerLogError(path, found, VERSION)
            self._seqs = itertools.count(query(LAST_SEQ)[0][0] + 1)
            for amiss, sql in HALF_STATES.items() if has_tail(path) else ():
                if query(sql):
                    raise LogDamagedError(path, f"was cut in two ({amiss}); go back to a copy of it")
        if lost := lost_bytes(path, self._writes):  # only now, for that moves its end into the log
            self.recovered = (
                f"the log ended in a transaction that was not whole ({lost} bytes); it is gone, "
                "and everything before it is there"
            )

    @property
    def meta(self) -> dict[str, str]:
        """What the log says of its service: ``name``, ``schema``, ``created_at`` and what `create` was given."""
        return dict(self.rows("SELECT key, value FROM meta"))

    def watch(self, watcher: Callable[[Sequence[Fact]], None]) -> None:
        """Call `watcher` with all facts of each commit once they are durable, on the thread that wrote them."""
        self._watchers.append(watcher)

    def check(self) -> None:
        """Check that the log can be written.

        Raises
        ------
        LogError
            If it could not be, once.
        """
        if self._failure is not None:
            raise self._failure

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """Give a transaction to fill; it is handed over to be written when the block ends.

        The block holds the store's lock, so what it looks at and changes in memory stays in the order of the log.
        Validate first, then change: a block that raises writes nothing.

        Raises
        ------
        LogError
            If the log is closed, or could not be written before.
        """
        with self.lock:
            self.check()
            if not self._open:
                raise LogError(self.path, "the log is closed")
            transaction = Transaction(self._seqs)
            yield transaction
            self._waiting.append(transaction)
            if self._leave_to_loop(transaction.patience):
                transaction.hasten = self._ring
            else:
                self._ring()

    @contextmanager
    def reading(self) -> Iterator[Callable[..., list[tuple[Any, ...]]]]:
        """Give a function that runs queries, all of them on one state of the log.

        Examples
        --------
        >>> store = Store.create(None, "example")
        >>> with store.reading() as query:
        ...     query("SELECT value FROM meta WHERE key = ?", "name")
        [('example',)]
        >>> store.close()
        """
        with self._guard:
            connection = self._reader()
            own = connection is not self._writes
            if own:
                connection.execute("BEGIN")
            try:
                yield lambda sql, *parameters: connection.execute(sql, parameters).fetchall()
            finally:
                if own:
                    connection.execute("COMMIT")
                    if not self._open:
                        connection.close()
                        self._reads = None

    def rows(self, sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """Return the rows of one query."""
        with self.reading() as query:
            return query(sql, *parameters)

    def messages(self, condition: str = "1", *parameters: Any) -> list[Message]:
        """Return accepted messages, oldest first; `condition` is SQL on the columns of the table."""
        columns = "seq, id, text, sender_id, receiver_id, chat_id, created_at, run_id"
        rows = self.rows(f"SELECT {columns} FROM messages WHERE {condition} ORDER BY seq", *parameters)  # noqa: S608
        return [replace(Message(*row), created_at=moment(row[6])) for row in rows]

    def _reader(self) -> sqlite3.Connection:
        if self._reads is None:
            uri = f"file:{quote(str(self.path))}?mode=ro"
            self._reads = sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False, timeout=10)
        return self._reads

    def _leave_to_loop(self, patience: Patience) -> bool:
        """Return whether the caller is on the agents' loop, which will write what waits."""
        if self.loop is None or not self.loop.here():
            return False
        company = self.loop.n_at_work > (_CROWD if patience == "none" else 1)
        patience_s = _A_WHILE_S if patience == "more" else _A_MOMENT_S if company else 0.0
        due = time.monotonic() + patience_s
        if due < self._due:
            self._due = due
            self.loop.call_later(patience_s, partial(self._write_as_due, due))
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
            while self._waiting:
                self.write()

    def _write_as_due(self, due: float) -> None:
        if due == self._due:  # else it has been written sooner, and what waits now may wait longer
            self._due = math.inf
            self.write()

    def write(self) -> None:
        """Write what waits, in one commit, and do what follows from it; called without the store's lock."""
        if not self._waiting:
            return
        with self._writing:
            self._commit([self._waiting.popleft() for _ in range(min(len(self._waiting), _AT_ONCE))])

    def _commit(self, batch: list[Transaction]) -> None:
        if not batch:
            return
        try:
            self.check()
            # A log in memory has one connection for everybody; readers must not see half a transaction.
            guard: AbstractContextManager[object] = self._guard if self.path is None else nullcontext()
            with guard:
                self._execute(batch)
        except Exception as error:  # noqa: BLE001 - a thread boundary: whoever waits must hear of it, whatever it is
            # What was handed over later builds on this: nothing more is written, so the log stays a whole state.
            if self._failure is None:
                _LOGGER.warning("the log cannot be written: %s", error)
                self._failure = LogError(self.path, f"cannot be written ({error}); nothing more is accepted")
                self.on_failure()
            for transaction in batch:
                transaction.done.set_exception(self._failure)
            return
        facts = [fact for transaction in batch for fact in transaction.facts]
        self._follow([partial(watcher, facts) for watcher in self._watchers])
        for transaction in batch:
            self._follow(transaction.afterwards)
            transaction.done.set_result(None)

    def _follow(self, calls: Sequence[Callable[[], None]]) -> None:
        for call in calls:
            try:
                call()
            except Exception:  # everybody's facts come through here, and the others' must go on
                _LOGGER.exception("what follows from a transaction failed; the transaction itself is in the log")

    def _execute(self, batch: list[Transaction]) -> None:
        connection = self._writes
        connection.execute("BEGIN IMMEDIATE")
        try:
            for transaction in batch:
                for fact in transaction.facts:
                    sql, rows = fact.statement()
                    connection.executemany(sql, rows)
            connection.execute("COMMIT")
        except BaseException:
            connection.execute("ROLLBACK")
            raise

    def close(self) -> None:
        """Write what is waiting, end the log's own thread and let the log go; a log in memory stays readable."""
        with self._guard:
            if not self._open:
                return
            self._open = False
        self._bell.put("end")
        if self._writer.is_alive() and self._writer is not threading.current_thread():
            self._writer.join()
        if self.path is None:
            return
        with self._guard:
            if self._reads is not None:
                self._reads.close()
                self._reads = None
            _close(self._writes, whole=self._writer.ident is not None)
        if self._lock is not None:
            self._lock.release()

    def __del__(self) -> None:
        if getattr(self, "path", self) is None:
            self._writes.close()


def _close(connection: sqlite3.Connection, *, whole: bool) -> None:
    """Close a connection; if asked, make the log one plain file that can be read where nobody may write."""
    if whole:
        try:
            connection.execute("PRAGMA busy_timeout = 0")
            connection.execute("PRAGMA journal_mode = DELETE")
        except sqlite3.Error:
            _LOGGER.debug("somebody is reading the log; it stays in WAL mode")
    connection.close()


def _give_up(store: Store | None, lock: "filelock.BaseFileLock") -> None:
    if store is not None:
        store.close()
    lock.release()
