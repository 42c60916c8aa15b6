"""How the runs of a study get done: some at once, each a service of its own, none of them in the way of a cell."""

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from intercom_nb.errors import InterComError
from intercom_nb.lab.conditions import Condition, Prepared, fingerprint
from intercom_nb.lab.study_folder import StudyFolder, tags_of
from intercom_nb.limits import Spent
from intercom_nb.notebook import keep_output_out_of_cells
from intercom_nb.runs.purse import Purse, paid_from
from intercom_nb.service.service import InterComService

__all__ = ["StudyWork", "Unit"]

_CHANGED_S = 0.2  # how often those who look are told


@dataclass(frozen=True, slots=True)
class Unit:
    """One run that is to be made: a condition and a replication."""

    condition: Condition
    replication: int
    make: Callable[[], Prepared]


class StudyWork:
    """Runs under way.

    Parameters
    ----------
    study : str
        The study's name.
    folder : StudyFolder
        Where logs go.
    units : sequence of Unit
        What is to be run, in this order.
    at_once : int
        How many services at a time.
    purse : Purse
        What all of them spend from.

    Attributes
    ----------
    n_units : int
        How many there were to run.
    n_done : int
        How many have finished.
    trouble : str
        Why it ended before all was done, one sentence; empty if it did not.
    """

    def __init__(self, study: str, folder: StudyFolder, units: Sequence[Unit], at_once: int, purse: Purse) -> None:
        self.n_units = len(units)
        self.n_done = 0
        self.trouble = ""
        self.purse = purse
        self._study = study
        self._folder = folder
        self._left = deque(units)
        self._running: dict[str, InterComService] = {}
        self._stopping = False
        self._began = time.monotonic()
        self._changed = threading.Condition()
        self._lock = folder.own()
        self._threads = [
            threading.Thread(target=self._work, name=f"intercom study {n + 1}", daemon=True)
            for n in range(min(at_once, len(units)))
        ]
        if not self._threads:
            folder.let_go(self._lock)
        for thread in self._threads:
            thread.start()

    @property
    def at_work(self) -> list[str]:
        """What runs now: condition and replication."""
        with self._changed:
            return list(self._running)

    @property
    def is_over(self) -> bool:
        """Whether nothing runs any more."""
        with self._changed:
            return not self._threads

    def seconds_left(self) -> float | None:
        """Return how long it may still take, going by the runs that are done; None while none is."""
        with self._changed:
            if not self.n_done:
                return None
            return (time.monotonic() - self._began) / self.n_done * (self.n_units - self.n_done)

    def wait(self, timeout: float | None, tell: Callable[[], None]) -> bool:
        """Wait until nothing runs any more; return whether that came about in time."""
        until = None if timeout is None else time.monotonic() + timeout
        while True:
            tell()
            with self._changed:
                if not self._threads:
                    return True
                left = _CHANGED_S if until is None else min(until - time.monotonic(), _CHANGED_S)
                if left <= 0:
                    return False
                self._changed.wait(left)

    def stop(self) -> Spent:
        """Begin no further run and end those under way; return what calls in flight may still cost."""
        with self._changed:
            self._stopping = True
            self._left.clear()
            running = list(self._running.values())
        in_flight = self.purse.in_flight
        for service in running:
            service.stop()
        return in_flight

    # -- in its threads

    def _work(self) -> None:
        keep_output_out_of_cells()
        try:
            while (unit := self._next()) is not None:
                self._run(unit)
        except Exception as error:  # noqa: BLE001 - whatever it is, those who wait are told
            is_ours = isinstance(error, InterComError | TypeError | ValueError)
            self._end(str(error) if is_ours else f"{type(error).__name__}: {error}")
        finally:
            with self._changed:
                self._threads.remove(threading.current_thread())
                if not self._threads:
                    self._folder.let_go(self._lock)
                self._changed.notify_all()

    def _next(self) -> Unit | None:
        with self._changed:
            return self._left.popleft() if self._left else None

    def _run(self, unit: Unit) -> None:
        made = unit.make()
        place = self._folder.place_to_work()
        tags = tags_of(self._study, unit.condition.labels, unit.replication, fingerprint(made))
        share = self.purse.share()
        with paid_from(share):
            service = InterComService(unit.condition.stem, logs=place, **{**made.options, "tags": tags})
        key = f"{unit.condition.name} #{unit.replication}"
        log = service.log
        assert log is not None  # noqa: S101 - a study's runs are on file
        with service:
            with self._changed:
                if not self._stopping:
                    self._running[key] = service
            if not self._stopping:
                _talk(service, made)
        with self._changed:
            self._running.pop(key, None)
        self._put_away(Path(log), unit, share.met)

    def _put_away(self, log: Path, unit: Unit, met: str) -> None:
        if met:
            self._folder.put_aside(log)
            most = getattr(self.purse.limits, met)
            self._end(f"the budget was met ({met}: {most:,.10g}); set a higher one and run again")
        elif self._stopping:
            self._folder.put_aside(log)
        else:
            self._folder.finish(log, f"{unit.condition.stem}-{unit.replication:03d}")
            with self._changed:
                self.n_done += 1
                self._changed.notify_all()

    def _end(self, why: str) -> None:
        with self._changed:
            self.trouble = self.trouble or why
            self._stopping = True
            self._left.clear()
            running = list(self._running.values())
        for service in running:
            service.pause()


def _talk(service: InterComService, made: Prepared) -> None:
    service.add(*made.agents)
    for agent_id in made.begins:
        next(agent for agent in made.agents if agent.id == agent_id).begin()
    service.wait(progress=False)
