"""A transaction: facts that are written together, what follows from them, and what is taken back if they are not."""

import logging
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, Literal, TypeAlias

from intercom_nb.limits import Spent
from intercom_nb.log.facts import Fact, Noted, Posted, RunBegan, StepTaken
from intercom_nb.log.times import micros

__all__ = ["TOTALS", "Patience", "Totals", "Transaction"]

_LOGGER = logging.getLogger(__name__)

Patience: TypeAlias = Literal["none", "company", "more"]


class Transaction:
    """Facts that are written together or not at all; made by `Store.transaction`.

    Attributes
    ----------
    time : datetime
        When it began, UTC: one time for all its facts.
    at : int
        The same as the log keeps it.
    place : int
        Its last number: the place in the log that it ends at.
    seconds : float or None
        How long the service has been at work by then; None if whoever made it does not know.
    done : Future
        Done once the facts are durable and everything given to `after` has run.
    patience : {"none", "company", "more"}
        How long it may wait to share a commit: not at all, for somebody waits for it; a moment, where other agents are
        at work; a while, for the same agent has more to come.
    hasten : callable
        Has it written by the log's own thread, if it was left to the loop.
    """

    __slots__ = (
        "_seqs", "_undoing", "afterwards", "at", "done", "facts", "hasten", "patience", "place", "seconds", "time",
    )  # fmt: skip

    def __init__(self, seqs: Iterator[int], time: datetime) -> None:
        self._seqs = seqs
        self.place = 0
        self.seconds: float | None = None
        self.patience: Patience = "none"
        self.hasten: Callable[[], None] = _do_nothing
        self.time = time
        self.at = micros(self.time)
        self.facts: list[Fact] = []
        self.afterwards: list[Callable[[], None]] = []
        self._undoing: list[tuple[Callable[..., object], tuple[object, ...]]] = []
        self.done: Future[None] = Future()
        # From here on nobody can cancel it: an agent that is stopped must not unmake what the writer is writing.
        self.done.set_running_or_notify_cancel()

    def seq(self) -> int:
        """Return the next number of the log."""
        self.place = next(self._seqs)
        return self.place

    def add(self, *facts: Fact) -> None:
        """Write these facts."""
        self.facts.extend(facts)

    def note(  # noqa: PLR0913 - what an event may say; all but its kind and its sentence is named
        self,
        kind: str,
        text: str,
        *,
        by_id: str | None = None,
        agent_id: str | None = None,
        chat_id: str | None = None,
        run_id: str | None = None,
        reason: str | None = None,
        data: str | None = None,
    ) -> None:
        """Write down, in one sentence, that something happened or that somebody intervened."""
        self.add(
            Noted(self.seq(), kind, by_id, agent_id, chat_id, run_id, reason, data, text, self.at)
        )  # fmt: skip

    def after(self, call: Callable[[], None]) -> None:
        """Call this on the thread that wrote the facts once they are durable, in the order of the transactions."""
        self.afterwards.append(call)

    def undo(self, call: Callable[..., object], *given: object) -> None:
        """Call this if the block raises, so that memory has no more than the log; say so before you change it.

        Called with what is given, the newest first, under the store's lock. It may find that nothing was changed yet.
        """
        self._undoing.append((call, given))

    def keep(self, of: object, *names: str) -> None:
        """Let these attributes of an object be again what they are now if the block raises."""
        self.undo(_set_back, of, {name: getattr(of, name) for name in names})

    def take_back(self) -> None:
        """Undo in memory what goes with facts that will not be written; called by the store, under its lock."""
        while self._undoing:
            call, given = self._undoing.pop()
            try:
                call(*given)
            except Exception:  # the others must be undone all the same
                _LOGGER.exception("a change in memory could not be undone; open the log again to have what it says")

    def wait(self) -> None:
        """Wait until the facts are durable.

        Raises
        ------
        LogError
            If they could not be written.
        """
        self.hasten()  # the caller may be the loop itself, which cannot write while it waits
        self.done.result()


def _do_nothing() -> None:
    """Do nothing."""


def _set_back(of: object, values: Mapping[str, object]) -> None:
    for name, value in values.items():
        setattr(of, name, value)


@dataclass(slots=True)
class Totals(Spent):
    """What a service had spent by a place of its log: kept there, so that no reader adds up the whole log.

    Attributes
    ----------
    seconds : float
        Time at work.
    """

    seconds: float = 0.0

    def add(self, transaction: Transaction) -> None:
        """Count what a transaction says."""
        for fact in transaction.facts:
            if isinstance(fact, Posted):
                self.messages += 1
            elif isinstance(fact, RunBegan):
                self.runs += fact.attempt == 1
            elif isinstance(fact, StepTaken):
                self.steps += 1
                self.tokens += (fact.input_tokens or 0) + (fact.output_tokens or 0)
                self.usd += fact.usd or 0.0
                self.unpriced += fact.usd is None and fact.error is None
        if transaction.seconds is not None:
            self.seconds = transaction.seconds

    def row(self) -> tuple[Any, ...]:
        """Return them as a row of ``places`` has them, after its seq and its time."""
        return (
            self.messages, self.runs, self.steps, self.tokens, self.usd, self.unpriced, self.seconds
        )  # fmt: skip

    def set(self, row: tuple[Any, ...]) -> None:
        """Set them to what `row` has returned."""
        for column, value in zip(fields(self), row, strict=True):
            setattr(self, column.name, value)


TOTALS = ", ".join(field.name for field in fields(Totals))
"""Their columns in ``places``."""
