"""A log executed again: each of its transactions is made anew by the parts of a service, in the order of the log.

No agent is a task here, nothing waits, and nobody is asked. What a transaction has to do is read from its rows; that it
is done by the same code as then, on a state in memory that came about in the same way, is what a replay shows. Why so:
``docs/design/replay.md``.
"""

import json
import sqlite3
import threading
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from intercom_nb.log.facts import Closed
from intercom_nb.log.reading import Query
from intercom_nb.log.schema import SCHEMA, columns_of
from intercom_nb.log.state import place_of, read_state
from intercom_nb.log.store import Store
from intercom_nb.log.times import moment
from intercom_nb.log.transaction import Transaction
from intercom_nb.log.writer import PLACE
from intercom_nb.log.written import AsWritten, Nothing, Written, transactions
from intercom_nb.models import AnsweredModels, calls_between
from intercom_nb.runs.lifecycle import Lifecycle
from intercom_nb.runs.runtime import InThread
from intercom_nb.service.engine import Engine
from intercom_nb.service.options import Options
from intercom_nb.service.recovery import Loader
from intercom_nb.service.replayed_acts import Acts
from intercom_nb.service.replayed_runs import Runs
from intercom_nb.texts.names import code_name

__all__ = ["Replaying"]

_ASKED = """
SELECT s.asked FROM steps AS s JOIN runs AS r USING (run_id, attempt)
JOIN agents AS a ON a.agent_id = r.agent_id AND a.version = r.agent_version WHERE a.model IS NULL LIMIT 1
"""
_WIDEST = 1_000_000  # numbers of one transaction
_TAKING_UP = ("log_recovered", "tools_not_resumed", "options_changed")
Row = Mapping[str, Any]


class Replaying:
    """Makes the transactions of one log again, in a log of its own in memory.

    Parameters
    ----------
    query : Query
        On the log.
    functions : mapping of str to callable
        Functions of its agents that are known; none of them is called.
    """

    def __init__(self, query: Query, functions: Mapping[str, Callable[..., Any]]) -> None:
        self._functions = Functions(functions)
        self._all = list(transactions(query))
        last = self._all[-1].place
        self._calls = {(call.run_id, call.step): call for call in calls_between(query, 0, last)}
        self._agent_of: dict[str, str] = dict(query("SELECT run_id, agent_id FROM runs"))
        self._branched = _branched(dict(query("SELECT key, value FROM meta")))
        self._asked = [str(asked) for (asked,) in query(_ASKED)]
        self._writing = _AtOnce()
        self.store = Store.branch(None, "replay", partial(_begin, self._all[0]), loop=self._writing)
        self.why = ""  # it went no further, in words
        try:
            self._load(0)
        except BaseException:
            self.store.unmake()
            raise

    @property
    def last(self) -> int:
        """The last place of the log."""
        return self._all[-1].place

    def run(self) -> int:
        """Make one transaction after the other; return the last place that came about as it was written."""
        done = self._all[0].place
        for n, one in enumerate(self._all[1:], 1):
            self.store.clock = partial(moment, one.at)
            self.store.number_from(one.first)
            try:
                self._do(n, one)
                self._writing.write()
                self.store.check()
            except Exception as error:  # noqa: BLE001 - whatever it is: the log says what could not be
                self.why = f"{type(error).__name__}: {error}"
                break
            if self.store.rows("SELECT MAX(seq) FROM places") != [(one.place,)]:
                break
            done = one.place
            if done in self._branched:  # from here on another process went on, with what it read from its copy
                self._let_go()
                self._load(n)
        return done

    def close(self) -> None:
        """Let the log in memory go."""
        self._let_go()
        self.store.unmake()

    # -- the parts --------------------------------------------------------------------------------------------------

    def _load(self, n: int) -> None:
        """Make the parts of a service on the log as it is, as whoever opened it then had them."""
        with self.store.reading() as query:
            state = read_state(query, place_of(query, None))
        options = self._options(dict(state.options), n)
        lifecycle = Told(options.limits)
        lifecycle.go_on_from(state.spent, state.seconds, options.limits)
        self._engine = engine = Engine(
            self.store.meta["name"],
            options=options,
            store=self.store,
            runtime=InThread("replay", _nothing),
            lifecycle=lifecycle,
            models=AnsweredModels(self._default(state.options)),
            show=lambda _: {},
        )
        with self.store.reading() as query:
            Loader(engine, state, query, resume_tools=True).load(self._functions, None)
        runs = Runs(engine, self._calls, self._agent_of, self._functions.unknown)
        self._acts, self._runs = Acts(engine, self._functions), runs
        for agent_id, there in engine.inboxes.states.items():
            if there.run is not None:
                runs.ran_on(there.run)
                runs.ask(agent_id)

    def _let_go(self) -> None:
        self._engine.notes.close()
        self._engine.contacts.finder.close()

    def _options(self, kept: dict[str, str], n: int) -> Options:
        """Return what the service was told, also what was given anew when the log was opened."""
        for one in self._all[n + 1 :] if n else ():
            if any(one.began[table] for table in one.began if table not in ("events", "options")):
                break
            if any(row["kind"] not in _TAKING_UP for row in one.began["events"]):
                break
            kept |= {row["name"]: row["value"] for row in one.began["options"]}
        return self._acts_options(kept)

    def _acts_options(self, kept: Mapping[str, str]) -> Options:
        needed = Options.needed(kept)
        code: dict[str, Any] = {"contacts": self._functions[needed["contacts"]]} if "contacts" in needed else {}
        code |= {"may_contact": _always} if "may_contact" in needed else {}
        return Options.from_kept(kept, thread_logs=False, **code)

    def _default(self, kept: Mapping[str, str]) -> str:
        text = json.loads(kept["model"])
        if text and not code_name(text):
            return str(text)
        return self._asked[0] if self._asked else "offline"

    # -- what a transaction does ------------------------------------------------------------------------------------

    def _do(self, n: int, one: Written) -> None:
        began, ended, runs, acts = one.began, one.ended, self._runs, self._acts
        if began["openings"]:
            self._write(one, "openings", "meta")
            self._writing.write()
            self._let_go()
            self._load(n)
        elif ended["openings"]:
            row = ended["openings"][0]
            with self.store.transaction() as tx:
                tx.add(Closed(row["seq"], tx.seq(), tx.at))
        elif began["options"]:
            self._told(one)
        elif not (runs.did(one) or acts.did(one)):
            self._write(one, "events")

    def _told(self, one: Written) -> None:
        engine, changed = self._engine, {row["name"]: row["value"] for row in one.began["options"]}
        with self.store.transaction() as tx:
            engine.write_options(tx, changed)
        engine.options = self._acts_options(
            dict(self.store.rows("SELECT name, value FROM options ORDER BY seq")) | changed
        )
        engine.lifecycle.limits = engine.options.limits

    def _write(self, one: Written, *tables: str) -> None:
        """Write rows as they are: conditions, and what is neither an agent's doing nor anybody's."""
        with self.store.transaction() as tx:
            as_written(tx, [(table, row) for table in tables for row in one.began[table]])
            if not tx.facts:
                self.store.count_from(one.totals)
                tx.add(Nothing())
                tx.seq()


class Told(Lifecycle):
    """A lifecycle that knows how long the service had been at work from the log alone."""

    said = 0.0

    @property
    def seconds(self) -> float:
        """Seconds, as far as they made a difference."""
        return self.said


class Functions(dict[str, Callable[..., Any]]):
    """Functions by name; of one that is not known it has something that bears its name."""

    def __init__(self, known: Mapping[str, Callable[..., Any]]) -> None:
        super().__init__(known)
        self.unknown: set[str] = set()

    def __missing__(self, name: str) -> Callable[..., Any]:
        def unknown() -> str:
            return ""

        unknown.__name__ = name
        self.unknown.add(name)
        self[name] = unknown
        return unknown


class _AtOnce:
    """The agents' loop, as the log knows it: what is handed over is written when the transaction is complete."""

    n_at_work = 0

    def __init__(self) -> None:
        self._thread = threading.get_ident()
        self._calls: list[Callable[[], None]] = []

    def here(self) -> bool:
        return threading.get_ident() == self._thread

    def call_later(self, delay_s: float, call: Callable[[], None]) -> None:
        del delay_s
        self._calls.append(call)

    def write(self) -> None:
        calls, self._calls = self._calls, []
        for call in calls:
            call()


def as_written(tx: Transaction, rows: Sequence[tuple[str, Row]]) -> None:
    """Add rows to a transaction under the numbers that they have in their log."""
    for table, row in sorted(rows, key=lambda one: int(one[1]["seq"])):
        tx.place = tx.place or tx.seq()
        if row["seq"] - tx.place > _WIDEST:
            raise LookupError(f"the numbers of a transaction go from {tx.place} to {row['seq']}")
        while tx.place < row["seq"]:
            tx.seq()
        tx.add(AsWritten(table, row))


def _begin(first: Written, connection: sqlite3.Connection, process: str) -> None:
    """Make a log that has the first transaction of another one: its conditions."""
    del process
    connection.executescript(SCHEMA)
    for table, rows in first.began.items():
        columns = columns_of(table)
        marks = ", ".join("?" * len(columns))
        sql = f"INSERT INTO {table} VALUES ({marks})"  # noqa: S608 - names of ours
        open_ = {"until_seq": None, "closed_at": None} if table == "openings" else {}
        connection.executemany(sql, [tuple({**row, **open_}[column] for column in columns) for row in rows])
    connection.execute(PLACE, (first.place, first.at, *first.totals))


def _branched(meta: Mapping[str, str]) -> set[int]:
    """Return the places at which a log branched off, and the logs that it branched off from."""
    earlier = {place for _, place in json.loads(meta.get("ancestors", "[]"))}
    return earlier | ({int(meta["place"])} if "place" in meta else set())


def _always(sender: object, receiver: object) -> bool:
    """Allow what the log says was said; what was refused is taken from it."""
    del sender, receiver
    return True


def _nothing() -> None:
    """Do nothing."""
