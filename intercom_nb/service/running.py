"""Starting, pausing, waiting and stopping: the part of a service that is about time."""

import asyncio
import atexit
import contextlib
import threading
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType
from typing import Self

from intercom_nb.errors import LifecycleError, LogError, RecordingError
from intercom_nb.limits import Limits, Spent
from intercom_nb.log.store import Store
from intercom_nb.log.transaction import Transaction
from intercom_nb.members.registry import Registry
from intercom_nb.models import Models
from intercom_nb.notebook import Progress
from intercom_nb.runs.lifecycle import Lifecycle, State
from intercom_nb.runs.runtime import InThread
from intercom_nb.runs.scheduler import Runs

__all__ = ["Running"]


class Running:
    """What every service can do about time; `InterComService` is the service itself.

    Every method may be called from any thread and returns at once; only `wait` and ``await quiet()`` wait for agents.
    """

    name: str
    store: Store
    registry: Registry
    _models: Models
    _lifecycle: Lifecycle
    _runtime: InThread
    _runs: Runs
    _stopping: threading.RLock

    @property
    def status(self) -> str:
        """What it is doing, or why it is not at work, in one line."""
        lifecycle = self._lifecycle
        if lifecycle.state == "new":
            return "not started"
        if lifecycle.state == "stopped" and lifecycle.reason != "stopped":
            return f"stopped ({lifecycle.sentence(lifecycle.reason)})"
        if lifecycle.at_work:
            return ", ".join(filter(None, ["at work", self._models.notice]))
        return lifecycle.sentence(lifecycle.reason)

    @property
    def state(self) -> State:
        """``new``, ``running``, ``paused`` or ``stopped``."""
        return self._lifecycle.state

    @property
    def reason(self) -> str:
        """Why it is not at work: ``quiet``, ``steps``, ``failed``, ``paused``, ``stopped``, or a limit's name."""
        return self._lifecycle.reason

    @property
    def limits(self) -> Limits:
        """What it may spend; may be set at any time, and `resume` goes on after a limit was met."""
        return self._lifecycle.limits

    @limits.setter
    def limits(self, limits: Limits) -> None:
        self._lifecycle.limits = limits

    @property
    def spent(self) -> Spent:
        """What it has spent so far."""
        return self._lifecycle.spent

    @property
    def log(self) -> Path | None:
        """The log's file; None for a log in memory."""
        return self.store.path

    @property
    def model(self) -> str:
        """What agents without a model of their own run on, and where, in words."""
        return self._models.default.label

    def start(self) -> None:
        """Let agents run; returns at once. A service that runs already goes on.

        Raises
        ------
        LifecycleError
            If it has stopped.
        """
        if self._lifecycle.state == "running":
            return
        self._lifecycle.run()
        self._note("started", f"{self.name} runs; model: {self.model}")
        self._runtime.start(self._runs.react, self._models.close, self._runs.may_react)
        self._runs.wake()

    def step(self) -> str | None:
        """Let one agent have one run, then pause again; returns at once.

        Whose turn it is: that of an interrupted run, else of whoever got mail first.

        Returns
        -------
        str or None
            The agent's id; None if nobody has anything to do.

        Raises
        ------
        LifecycleError
            If it is running, or has stopped.
        """
        if self._lifecycle.state == "running":
            msg = f"{self.name} is running, not step by step; pause() it first"
            raise LifecycleError(msg)
        self._lifecycle.run()
        self._runtime.start(self._runs.react, self._models.close, self._runs.may_react)
        return self._runs.wake_one()

    def pause(self, agent_id: str | None = None) -> None:
        """Make no further model call; calls in flight end and are kept. `resume` goes on.

        Parameters
        ----------
        agent_id : str, optional
            Of one agent: it alone is paused, and its mail waits while the others go on.

        Raises
        ------
        UnknownIdError
            If there is no such agent.
        """
        if agent_id is None:
            self._lifecycle.halt("paused", "paused")
        else:
            self._check_open()
            self._runs.pause(self.registry.get_agent(agent_id).id)

    def resume(self, agent_id: str | None = None) -> None:
        """Go on after a pause or after a limit was met, the service's or an agent's own.

        Parameters
        ----------
        agent_id : str, optional
            Of one agent that was paused alone.

        Raises
        ------
        UnknownIdError
            If there is no such agent.
        LifecycleError
            If it has stopped.
        """
        if agent_id is not None:
            self._check_open()
            self._runs.resume(self.registry.get_agent(agent_id).id)
        elif self._lifecycle.state == "running":
            self._runs.wake()
        else:
            self.start()

    def stop(self) -> None:
        """Stop for good: end every run at once, close the log, end the threads. A second call does nothing.

        Nothing accepted is lost: `InterComService.open(path)` goes on with the log.

        Raises
        ------
        RecordingError
            If it played by ``INTERCOM_PLAY`` what is not, or not all of, what was recorded; it has stopped then.
        """
        if self._runtime.here():
            # Called by a tool on the service's own loop, which cannot wait for itself to end.
            threading.Thread(target=self.stop, name=f"intercom {self.name} stopping", daemon=True).start()
            return
        with self._stopping:  # whoever calls second returns when it has stopped, not before
            self._lifecycle.halt("stopped", "stopped")
            self._runtime.stop()
            self._runs.close()
            self.store.close()
            atexit.unregister(self.stop)
        self._models.check_played(whole=self.reason == "quiet")

    def retry(self, agent_id: str | None = None) -> int:
        """Try failed runs again, one agent's or all; returns how many there were."""
        self._check_open()
        return self._runs.retry(agent_id)

    def wait(self, timeout: float | None = None, *, progress: bool = True) -> str:
        """Wait until nobody has anything left to say, and return why it stopped.

        An interrupt ends the waiting; the agents go on.

        Parameters
        ----------
        timeout : float, optional
            Seconds after which to return ``timeout`` instead.
        progress : bool, default True
            Show messages, runs and tokens meanwhile, in one line below the cell or on the terminal.

        Returns
        -------
        str
            ``quiet``; ``failed`` or ``steps`` if some agent was cut off; ``courtesy`` if some said nothing new to each
            other any more and their mail waits for you (`InterComService.release`); ``paused``, ``stopped``, or the
            name of the limit that was met. `status` says more.

        Raises
        ------
        LifecycleError
            If the service was never started, or the caller is one of its own tools.
        RecordingError
            If it plays by ``INTERCOM_PLAY`` what is no longer what was recorded.
        """
        if self._runtime.here():
            msg = "wait() would wait for itself here; an async tool uses `await intercom.quiet()` or, better, neither"
            raise LifecycleError(msg)
        line = Progress(shown=progress)
        try:
            reason = self._lifecycle.wait(timeout, lambda: line.show(self._progress()))
        except KeyboardInterrupt:
            line.show(f"{self.name}: interrupted; the agents go on, intercom.stop() ends them", last=True)
            raise
        line.show(f"{self.name}: {self._lifecycle.sentence(reason)} ({self.spent})", last=True)
        self._models.check_played()
        return reason

    def _progress(self) -> str:
        notice = self._models.notice
        return f"{self.name}: {self.spent} …" + (f" {notice}" if notice else "")

    async def quiet(self) -> str:
        """Wait as `wait` does, in a cell that leaves the notebook's buttons alive."""
        reason = await asyncio.wrap_future(self._lifecycle.when_quiet())
        self._models.check_played()
        return reason

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.nullcontext() if error is None else contextlib.suppress(RecordingError):
            self.stop()

    def _halted(self, state: str, reason: str) -> None:
        with contextlib.suppress(LogError):  # it may be the log itself that has failed
            self._note(state, f"{self.name}: {self._lifecycle.sentence(reason)}")

    def _note(self, kind: str, text: str) -> None:
        with self.store.transaction() as tx:
            tx.note(kind, text)

    def _check_open(self) -> None:
        self.store.check()
        if self._lifecycle.state == "stopped":
            msg = f"{self.name} has stopped; InterComService.open({str(self.log)!r}) goes on with its log"
            raise LifecycleError(msg)

    def _transaction(self) -> AbstractContextManager[Transaction]:
        self._check_open()
        return self.store.transaction()
