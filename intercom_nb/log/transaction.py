"""A transaction: facts that are written together, and what follows from them."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future
from typing import Literal, TypeAlias

from intercom_nb.log.facts import Fact, Noted
from intercom_nb.log.times import micros, now

__all__ = ["Patience", "Transaction", "nothing"]

Patience: TypeAlias = Literal["none", "company", "more"]


class Transaction:
    """Facts that are written together or not at all; made by `Store.transaction`.

    Attributes
    ----------
    time : datetime
        When it began, UTC: one time for all its facts.
    done : Future
        Done once the facts are durable and everything given to `after` has run.
    patience : {"none", "company", "more"}
        How long it may wait to share a commit: not at all, for somebody waits for it; a moment, where other agents are
        at work; a while, for the same agent has more to come.
    hasten : callable
        Has it written by the log's own thread, if it was left to the loop.
    """

    __slots__ = ("_seqs", "afterwards", "done", "facts", "hasten", "patience", "time")

    def __init__(self, seqs: Iterator[int]) -> None:
        self._seqs = seqs
        self.patience: Patience = "none"
        self.hasten: Callable[[], None] = nothing
        self.time = now()
        self.facts: list[Fact] = []
        self.afterwards: list[Callable[[], None]] = []
        self.done: Future[None] = Future()
        # From here on nobody can cancel it: an agent that is stopped must not unmake what the writer is writing.
        self.done.set_running_or_notify_cancel()

    def seq(self) -> int:
        """Return the next number of the log."""
        return next(self._seqs)

    def add(self, *facts: Fact) -> None:
        """Write these facts."""
        self.facts.extend(facts)

    def note(self, kind: str, text: str, *, agent_id: str | None = None, chat_id: str | None = None) -> None:
        """Write down, in one sentence, that something happened."""
        self.add(Noted(self.seq(), kind, agent_id, chat_id, None, text, micros(self.time)))

    def after(self, call: Callable[[], None]) -> None:
        """Call this on the thread that wrote the facts once they are durable, in the order of the transactions."""
        self.afterwards.append(call)

    def wait(self) -> None:
        """Wait until the facts are durable.

        Raises
        ------
        LogError
            If they could not be written.
        """
        self.hasten()  # the caller may be the loop itself, which cannot write while it waits
        self.done.result()


def nothing() -> None:
    """Do nothing."""
