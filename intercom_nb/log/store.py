"""The log: one SQLite file. Facts are written in transactions, in the order they were handed over."""

import itertools
import logging
import os
import secrets
import sqlite3
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from intercom_nb.errors import LifecycleError, LogDamagedError, LogError, UnstorableError
from intercom_nb.log.alone import read_alone
from intercom_nb.log.door import LAST_PLACE, as_damage, check_schema, distrustful, unopened
from intercom_nb.log.facts import Closed, Fact, MetaKept, Opened, OptionSet
from intercom_nb.log.files import (
    check_head,
    fresh,
    has_tail,
    identity,
    lacks_tail,
    locked,
    lost_bytes,
    removed,
    unlocked,
    uri_of,
)
from intercom_nb.log.presence import Presence
from intercom_nb.log.schema import HALF_STATES, LAST_SEQ, SCHEMA, VERSION
from intercom_nb.log.times import micros, moment, now
from intercom_nb.log.transaction import TOTALS, Totals, Transaction
from intercom_nb.log.writer import PLACE, Loop, Writer
from intercom_nb.messages import Message
from intercom_nb.texts.fences import FENCE, new_key
from intercom_nb.texts.instructions import guideline_digest
from intercom_nb.version import __version__

if TYPE_CHECKING:
    import filelock

__all__ = ["Store"]

_LOGGER = logging.getLogger(__name__)
_LAST_OPENING = "SELECT seq, guideline, until_seq FROM openings ORDER BY seq DESC LIMIT 1"
_FIRST = 1  # the place in the log at which it is made


def _do_nothing() -> None:
    """Do nothing."""


def _process() -> str:
    """Return what the logs that this process makes have in common."""
    # Kept on sys: a module's own globals are emptied when %autoreload reloads it. A process that was forked is another.
    pid, made = sys.__dict__.get("_intercom_nb_process", (0, ""))
    if pid != os.getpid():
        pid, made = sys.__dict__["_intercom_nb_process"] = os.getpid(), secrets.token_hex(8)
    return str(made)


class Store:
    """The log of one service.

    Made by `create` or `open`. Its own thread is a daemon thread named after the log; `close` ends it.

    Attributes
    ----------
    path : Path or None
        The file; None for a log in memory.
    lock : RLock
        Held while a transaction is put together, and by whoever reads the state in memory that goes with the log.
    recovered : str
        What was found amiss when an old log was opened, one sentence; empty if nothing.
    clock : callable
        Says when a transaction begins; a replay sets it to what a log says.
    was_closed : bool
        Whether the process that had an old log before let it go itself, and was not killed.
    """

    def __init__(
        self,
        path: Path | None,
        *,
        lock: "filelock.BaseFileLock | None" = None,
        loop: Loop | None = None,
        on_failure: Callable[[], None] = _do_nothing,
    ) -> None:
        self.path = path
        self.recovered = ""
        self.clock: Callable[[], datetime] = now
        self._lock = lock
        self._lock_file = None if lock is None else identity(lock.lock_file)
        self.lock = threading.RLock()
        self._seqs = itertools.count(_FIRST)
        self._guard = threading.RLock()
        self._writes = self._connect()
        self._reads = self._writes if path is None else None
        self._open = True
        self._is_closed = False  # the file, which comes last
        self._opening = 0
        self._newest: Transaction | None = None
        self._elsewhere: LifecycleError | None = None
        self.was_closed = False
        self._totals = Totals()
        self._writer = Writer(
            path, self._writes, guard=self._guard, totals=self._totals, loop=loop, on_failure=on_failure
        )

    @classmethod
    def create(
        cls,
        folder: Path | None,
        name: str,
        meta: Mapping[str, str] = MappingProxyType({}),
        *,
        options: Mapping[str, str] = MappingProxyType({}),
        loop: Loop | None = None,
        on_failure: Callable[[], None] = _do_nothing,
    ) -> "Store":
        """Return a new log ``<folder>/<time>-<file name>.db``; in memory without a folder.

        Parameters
        ----------
        folder : Path or None
            Made if it is not there.
        name : str
            For the file.
        meta : mapping, optional
            What else to remember about the log, by key; `meta` reads it back.
        options : mapping, optional
            What the service is told at first: names, and values as JSON.
        loop : Loop, optional
            Where agents run; what is handed over from there is written there.
        on_failure : callable, optional
            Called when the log could not be written, on the thread that tried; nothing is written after that.

        Raises
        ------
        LogError
            If the folder cannot be written.
        """
        path, lock, store = None, None, None
        try:
            if folder is not None:
                path, lock = fresh(folder, name)
            store = cls(path, lock=lock, loop=loop, on_failure=on_failure)
            store._make(name, meta, options)
            return store  # noqa: TRY300 - here too an interrupt must find it
        except BaseException as error:  # a keyboard interrupt in a cell, too
            if store is not None:
                store.unmake()
            elif path is not None and lock is not None:
                removed(path, lock)
            if path is not None and isinstance(error, Exception) and (told := unopened(path, error)) is not None:
                raise told from None
            if isinstance(error, sqlite3.Error):
                raise LogError(path, f"cannot be made ({error}); choose another folder") from None
            raise

    def _make(self, name: str, meta: Mapping[str, str], options: Mapping[str, str]) -> None:
        at = micros(now())
        known = {"name": name, **meta, "schema": VERSION, "created_at": at}
        if "log_id" not in known:
            known["log_id"] = secrets.token_hex(8)
        if FENCE not in known:
            known[FENCE] = new_key()
        known["process"] = _process()
        seq = next(self._seqs)
        facts: list[Fact] = [OptionSet(option, seq, value) for option, value in options.items()]
        facts.append(_opened(seq))
        with self._guard:
            self._writes.executescript("BEGIN;" + SCHEMA)
            self._writes.executemany("INSERT INTO meta VALUES (?, ?, ?)", [(k, seq, str(v)) for k, v in known.items()])
            for fact in facts:
                self._writes.executemany(*fact.statement())
            self._writes.execute(PLACE, (seq, at, *self._totals.row()))
            self._writes.execute("COMMIT")
        self._opening = seq
        self._begin()

    @classmethod
    def branch(
        cls,
        folder: Path | None,
        name: str,
        fill: Callable[[sqlite3.Connection, str], None],
        *,
        loop: Loop | None = None,
        on_failure: Callable[[], None] = _do_nothing,
    ) -> "Store":
        """Return a new log that is a copy of another one up to a place, and goes on there.

        Parameters
        ----------
        folder, name, loop, on_failure
            As for `create`.
        fill : callable
            Copies the other log into the connection that it is given, with the name of this process.

        Raises
        ------
        LogError
            If the folder cannot be written, or the other log cannot be copied.
        """
        path, lock, store = None, None, None
        try:
            if folder is not None:
                path, lock = fresh(folder, name)
            store = cls(path, lock=lock, loop=loop, on_failure=on_failure)
            fill(store._writes, _process())
            if path is not None:
                with path.open("rb") as file:  # nobody has it open yet, whose locks this could drop
                    os.fsync(file.fileno())
            with as_damage(path), store.reading() as query:
                store._go_on_from(query)
                ((opening, guideline, until),) = query(_LAST_OPENING)
            # Where the other log was open, this one is too; another guideline is another condition, and written down.
            store._opening = opening if until is None and guideline == guideline_digest() else 0
            store._begin()
            return store  # noqa: TRY300 - here too an interrupt must find it
        except BaseException as error:
            if store is not None:
                store.unmake()
            elif path is not None and lock is not None:
                removed(path, lock)
            if isinstance(error, sqlite3.Error):
                raise LogError(path, f"cannot be made ({error}); choose another folder") from None
            raise

    def copy_into(self, target: sqlite3.Connection) -> None:
        """Copy a log in memory, as it is now, into an empty database."""
        with self._guard:
            self._writes.backup(target)

    def unmake(self) -> None:
        """Close a log that nobody was told of, and leave nothing behind of it."""
        self._opening = 0  # nobody goes on with it, so that nothing is written at its end
        lock, self._lock = self._lock, None  # held until the files are gone
        self.close()
        if self.path is not None and lock is not None:
            removed(self.path, lock)

    @classmethod
    def open(cls, path: Path, *, loop: Loop | None = None, on_failure: Callable[[], None] = _do_nothing) -> "Store":
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
            If it is not there, may not be written, or was written before the first release.
        """
        if not path.is_file():
            raise LogError(path, "there is no such log; a service writes one into its logs= folder")
        path = path.resolve()  # the lock lies beside the file, whatever link leads to it
        if path.stat().st_nlink > 1:
            raise LogError(path, "has a second name (a hard link), by which another service could write it; copy it")
        lock = locked(path)
        store = None
        try:
            check_head(path)
            lacks = lacks_tail(path)
            store = cls(path, lock=lock, loop=loop, on_failure=on_failure)
            if path.with_name(path.name + "-journal").exists():
                # Killed while the log changed its mode: only a connection that may write can undo that half.
                store._writes.execute("SELECT 1 FROM sqlite_master").fetchall()
            with as_damage(path):
                store._check(path)
            if lacks:
                store.recovered = "its write-ahead file is missing; what was said last may be too"
            store._begin()
        except LogError:
            _give_up(store, lock)
            raise
        except (sqlite3.Error, OSError) as error:
            _give_up(store, lock)
            if (told := unopened(path, error)) is not None:
                raise told from None
            raise LogDamagedError(path, f"is no whole log ({error}); go back to a copy of it") from None
        return store

    @property
    def is_taken_up(self) -> bool:
        """Whether the log says that it is open: by this process, or where it branched off, by the parent's."""
        return self._opening != 0

    def take_up(self) -> None:
        """Write down that this process goes on with a log that it has opened."""
        is_fenced = FENCE in self.meta
        with self.transaction() as tx:
            opened = _opened(tx.seq())
            tx.add(opened)
            if not is_fenced:  # made before messages were, or read back from a text that does not give its key away
                tx.add(MetaKept(FENCE, tx.seq(), new_key()))
            self._opening = opened.seq
        tx.wait()

    def _connect(self) -> sqlite3.Connection:
        target = ":memory:" if self.path is None else str(self.path)
        return distrustful(sqlite3.connect(target, isolation_level=None, check_same_thread=False, timeout=10))

    def _begin(self) -> None:
        # Only now, for a file that proves to be no log of ours must stay as it was.
        self._writes.execute("PRAGMA journal_mode = WAL")
        self._writes.execute("PRAGMA synchronous = FULL")
        if self.path is not None:
            self._writer.presence = Presence(self.path, None if self._lock is None else self._lock.lock_file)
            self._writer.presence.check()
        self._writer.start()

    def _check(self, path: Path) -> None:
        alone = read_alone(path) if has_tail(path) else None
        with self.reading() as query:
            check_schema(path, query)
            if alone is not None:
                alone.check_tail(path, query)
            # A log that was let go whole is taken at its word: to look at each page takes longer than to open it.
            last_opened = query("SELECT until_seq FROM openings ORDER BY seq DESC LIMIT 1") or [(None,)]
            self.was_closed = last_opened[0][0] is not None and not has_tail(path)
            if not self.was_closed and (damage := query("PRAGMA quick_check(1)")[0][0]) != "ok":
                raise LogDamagedError(path, f"is damaged ({damage.splitlines()[-1]}); go back to a copy of it")
            self._go_on_from(query)
            for amiss, sql in HALF_STATES.items() if has_tail(path) else ():
                if query(sql):
                    raise LogDamagedError(path, f"was cut in two ({amiss}); go back to a copy of it")
        if lost := lost_bytes(path, self._writes):  # only now, for that moves its end into the log
            self.recovered = (
                f"the log ended in a transaction that was not whole ({lost} bytes); it is gone, "
                "and everything before it is there"
            )

    def _go_on_from(self, query: Callable[..., list[tuple[Any, ...]]]) -> None:
        """Let what is written from here on be numbered, and added up, after what is there."""
        if not 0 < (last_seq := query(LAST_SEQ)[0][0]) < LAST_PLACE:
            raise LogDamagedError(
                self.path, f"says that it ends at {last_seq}, which cannot be; go back to a copy of it"
            )
        self._seqs = itertools.count(last_seq + 1)
        self._totals.set(query(f"SELECT {TOTALS} FROM places ORDER BY seq DESC LIMIT 1")[0])  # noqa: S608 - names of ours

    @property
    def meta(self) -> dict[str, str]:
        """What the log says of its service: ``name``, ``schema``, ``created_at`` and what `create` was given."""
        return dict(self.rows("SELECT key, value FROM meta"))

    def number_from(self, seq: int) -> None:
        """Let the next number be this one: a replay leaves out the numbers that its log has left out."""
        self._seqs = itertools.count(seq)

    def count_from(self, totals: tuple[Any, ...]) -> None:
        """Let this be what was spent so far, as a row of ``places`` says it."""
        self._totals.set(totals)

    def watch(self, watcher: Callable[[Sequence[Fact]], None]) -> None:
        """Call `watcher` with all facts of each commit once they are durable, on the thread that wrote them."""
        self._writer.watchers.append(watcher)

    def check(self) -> None:
        """Check that the log can be written.

        Raises
        ------
        LogError
            If it could not be, once.
        LifecycleError
            If this is a child that was forked from the process that writes it.
        """
        if self._elsewhere is not None:
            raise self._elsewhere
        if self._writer.failure is not None:
            raise self._writer.failure

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """Give a transaction to fill; it is handed over to be written when the block ends.

        The block holds the store's lock, so what it looks at and changes in memory stays in the order of the log.
        A block that raises writes nothing, and what it has changed in memory is taken back (`Transaction.undo`). What
        changes memory as the last thing in a block, when nothing can raise any more, need not say how to undo it.

        Raises
        ------
        LogError
            If the log is closed, or could not be written before.
        """
        with self.lock:
            self.check()
            if not self._open:
                raise LogError(self.path, "the log is closed")
            transaction = Transaction(self._seqs, self.clock())
            try:
                yield transaction
                if transaction.facts and not transaction.place:
                    transaction.seq()
            except BaseException:  # a keyboard interrupt in a cell, too
                transaction.take_back()
                raise
            self._writer.hand_over(transaction)
            self._newest = transaction

    def be_elsewhere(self, why: LifecycleError) -> None:
        """Neither write, read nor close from here on: this is a child that was forked, and the log is its parent's."""
        self._elsewhere = why
        self.lock, self._guard = threading.RLock(), threading.RLock()  # those may be held by threads that are not here

    def settle(self) -> None:
        """Wait until everything that was handed over by now is durable.

        Raises
        ------
        LogError
            If it could not be written.
        """
        if self._newest is not None:
            with suppress(UnstorableError):  # of one value alone, and whoever gave it is told
                self._newest.wait()

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
        if self._elsewhere is not None:
            raise self._elsewhere
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
        if self._reads is None and self.path is not None:
            try:
                connection = sqlite3.connect(
                    uri_of(self.path), uri=True, isolation_level=None, check_same_thread=False, timeout=10
                )
            except sqlite3.Error as error:
                raise unopened(self.path, error) or LogError(self.path, f"cannot be read ({error})") from None
            self._reads = distrustful(connection)
        return self._reads or self._writes

    def close(self) -> None:
        """Write what is waiting, end the log's own thread and let the log go; a log in memory stays readable.

        May be called again, also after a call that was interrupted: whatever is left is let go then.
        """
        if self._elsewhere is not None:
            return
        with self.lock:
            if self._open and self._writer.has_started and self._writer.failure is None and self._opening:
                with self.transaction() as tx:
                    self._open = False  # in here: one that is interrupted just after has written it, and does not again
                    seq = tx.seq()
                    tx.add(Closed(self._opening, seq, tx.at))
            self._open = False
        self._writer.end()
        if self.path is None:
            return
        with self._guard:
            if self._reads is not None:
                self._reads.close()
                self._reads = None
            if not self._is_closed:
                _close(self._writes, whole=self._writer.has_started)
                self._is_closed = True
        if self._lock is not None:
            unlocked(self._lock, self._lock_file)

    def __del__(self) -> None:
        if getattr(self, "path", self) is None and getattr(self, "_elsewhere", self) is None:
            self._writes.close()


def _opened(seq: int) -> Opened:
    return Opened(seq, __version__, guideline_digest(), micros(now()))


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
    unlocked(lock, identity(lock.lock_file))
