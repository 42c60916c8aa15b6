"""How a branch comes about: a new service on a copy of a log up to a place, which goes on there on its own.

Nothing is written down of the branching off but whose branch it is: where the parent went on, the branch goes on, in
the same runs and with the same numbers. So a branch in which nothing is changed, and which is answered what its
parent was, becomes equal to it.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from sqlite3 import Connection
from typing import Any

from intercom_nb.checks import AnyPath, checked_path, wrong_type
from intercom_nb.log.branch import begin_again, copy_into, cut, name_parent
from intercom_nb.log.door import as_damage
from intercom_nb.log.reading import HasStore, in_memory, path_of, querying
from intercom_nb.log.state import place_of
from intercom_nb.log.store import Store
from intercom_nb.members.own_code import OwnCode
from intercom_nb.service.engine import Engine, Shown
from intercom_nb.service.opening import Given, Ground
from intercom_nb.service.recovery import Loader
from intercom_nb.service.said import Said, checked_say, said_at
from intercom_nb.texts.names import checked_name, slug

__all__ = ["Branching", "branching", "forked"]


@dataclass(frozen=True, slots=True)
class Branching:
    """Where a branch begins.

    Attributes
    ----------
    log : service, str or Path
        The parent.
    at : int, str or None
        A place, or the id of a message or a run; None is now.
    say : mapping
        Ids of messages → what is said in their place; the branch begins before them then.
    folder : Path or None
        Where its log is put; None keeps it in memory.
    """

    log: HasStore | AnyPath
    at: int | str | None
    say: Mapping[str, str]
    folder: Path | None


def branching(log: HasStore | AnyPath, at: object, say: object, logs: object) -> Branching:
    """Return where a branch begins, by what somebody gave.

    Raises
    ------
    TypeError, ValueError
        If it makes no sense.
    """
    said = checked_say(say)
    if said and at is not None:
        raise ValueError("say= names the messages before which the branch begins: leave at= out")
    if at is not None and (isinstance(at, bool) or not isinstance(at, int | str)):
        raise wrong_type("at", at, "a place: a number of the log, or the id of a message or a run")
    if logs is None or (logs is ... and in_memory(log) is not None):
        return Branching(log, at, said, None)
    folder = path_of(log).parent if logs is ... else checked_path(logs, "logs", "the path of a folder, or None")
    return Branching(log, at, said, folder.absolute())


def forked(
    where: Branching, given: Given, tools: Iterable[Callable[..., Any]], code: Mapping[str, OwnCode], *, show: Shown
) -> Engine:
    """Return the parts of a service that goes on with a branch of a log; it does not run.

    Parameters
    ----------
    where : Branching
        Of which log, and from where on.
    given : Given
        What it is told otherwise.
    tools : iterable of callable
        The functions that its agents have.
    code : mapping of str to OwnCode
        By agent, what a parent that is here has of the caller's own code.
    show : callable
        As for `Engine`.

    Raises
    ------
    LogError
        If there is no such log or place, or the branch needs functions or an assistant that were not given.
    ValueError
        If a message that is to be said otherwise cannot be.
    """
    given.options()  # first: what is wrong with it is no matter of the log
    called = Path("log in memory") if in_memory(where.log) is not None else path_of(where.log)
    with querying(where.log) as query, as_damage(called):
        name = slug(checked_name(dict(query("SELECT key, value FROM meta"))["name"], kind="service"))
    filling = _Filling(where, called)
    ground = Ground(
        name, lambda loop, fail: Store.branch(where.folder, name, filling, loop=loop, on_failure=fail), called
    )  # fmt: skip
    try:
        engine = ground.carry(given, tools, show=show, code=code, go_on=Loader.branch_off)
        if filling.said is not None:
            _say(engine, filling.said)
    except BaseException:
        if ground.store is not None:
            ground.store.unmake()
        raise
    return engine


class _Filling:
    """Fills a new log with a copy of another one, up to where the branch begins."""

    def __init__(self, where: Branching, called: Path) -> None:
        self._where, self._called = where, called
        self.said: Said | None = None

    def __call__(self, connection: Connection, process: str) -> None:
        """Copy, and cut."""
        where = self._where
        with as_damage(self._called):
            copy_into(connection, where.log)

        def query(sql: str, *given: Any) -> list[tuple[Any, ...]]:
            return connection.execute(sql, given).fetchall()

        if where.say:
            self.said = said_at(query, where.say)
        with as_damage(self._called):
            place = place_of(query, where.at) if self.said is None else self.said.place
            cut(connection, place)
            begin_again(connection, None if self.said is None else self.said.step)
            name_parent(connection, place, process)


def _say(engine: Engine, said: Said) -> None:
    for one in said.messages:
        engine.router.check_message(one.text)
    if said.call is not None:
        engine.conversation_of(said.call.agent_id)  # read before: what is read later knows of half the step
    with engine.transaction() as tx:
        said.write(tx, engine.router, engine.steps, engine.inboxes.states)
    tx.wait()
