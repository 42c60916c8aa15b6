"""Starting, pausing, waiting and stopping: the part of a service that is about time."""

import asyncio
import atexit
import contextlib
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

from intercom_nb.analysis import Log
from intercom_nb.checks import checked_flag, checked_seconds
from intercom_nb.errors import LifecycleError, LogError, RecordingError
from intercom_nb.limits import Limits, Spent
from intercom_nb.model_settings import ModelSettings
from intercom_nb.notebook import Progress, note
from intercom_nb.service.engine import Engine

__all__ = ["Running"]

_WAKES_S = 0.5  # how soon a cell that awaits quiet hears of an interrupt


class Running:
    """What every service can do about time; `InterComService` is the service itself.

    Every method may be called from any thread and returns at once; only `wait` and ``await quiet()`` wait for agents.
    """

    _engine: Engine

    @property
    def name(self) -> str:
        """Its name."""
        return self._engine.name

    @property
    def status(self) -> str:
        """What it is doing, or why it is not at work, in one line."""
        lifecycle = self._engine.lifecycle
        if lifecycle.state == "new":
            return "not started"
        if lifecycle.state == "stopped" and lifecycle.reason != "stopped":
            said = lifecycle.sentence(lifecycle.reason)
            return said if said.startswith("stopped") else f"stopped ({said})"
        if lifecycle.at_work:
            return ", ".join(filter(None, ["at work", self._engine.models.notice]))
        return lifecycle.sentence(lifecycle.reason)

    @property
    def state(self) -> str:
        """``new``, ``running``, ``paused`` or ``stopped``."""
        return self._engine.lifecycle.state

    @property
    def reason(self) -> str:
        """Why it is not at work, in a word that `wait` returns too; empty while it is at work."""
        return self._engine.lifecycle.reason

    @property
    def limits(self) -> Limits:
        """What it may spend; may be set at any time, and `resume` goes on after a limit was met."""
        return self._engine.lifecycle.limits

    @limits.setter
    def limits(self, limits: Limits) -> None:
        self._engine.change_options(limits=limits)

    @property
    def settings(self) -> ModelSettings:
        """What is sent with each model call; may be set at any time, to a dict too, for runs that begin later."""
        return self._engine.options.settings

    @settings.setter
    def settings(self, settings: Mapping[str, Any] | None) -> None:
        self._engine.change_options(settings=settings)

    @property
    def spent(self) -> Spent:
        """What it has spent so far."""
        return self._engine.lifecycle.spent

    @property
    def log(self) -> Log:
        """Its log: goes wherever a path goes, and can be asked, ``intercom.log.who_to_whom()``."""
        return Log(self._engine)

    @property
    def model(self) -> str:
        """What agents without a model of their own run on, and where, in words."""
        return self._engine.models.default.label

    def start(self) -> None:
        """Let agents run; returns at once. A service that runs already goes on.

        Raises
        ------
        LifecycleError
            If it has stopped.
        """
        self._engine.start()
        self._tell_unknown()

    def _tell_unknown(self) -> None:
        if self.state in ("running", "paused") and not self._engine.runtime.here():
            with contextlib.suppress(LogError):  # whoever waits is told of that by the reason
                for sentence in self._engine.tell_unknown():
                    note(f"{self.name}: {sentence}")

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
        return self._engine.step()

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
        self._engine.pause(agent_id)

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
        self._engine.resume(agent_id)

    def stop(self) -> None:
        """Stop for good: end every run at once, close the log, end the threads. A second call does nothing.

        A tool of yours that is at work has two seconds to return; what it does after that nobody hears of, and opened
        again its model is told that the outcome is unknown.
        Nothing accepted is lost: `InterComService.open(path)` goes on with the log.

        Raises
        ------
        RecordingError
            If it played by ``INTERCOM_PLAY`` what is not, or not all of, what was recorded; it has stopped then.
        """
        if self._engine.is_elsewhere:
            return
        if self._engine.runtime.here():
            self._engine.stop()
            return
        self._engine.stop()
        atexit.unregister(self.stop)
        self._engine.models.check_played(whole=self.reason == "quiet")

    def retry(self, agent_id: str | None = None) -> int:
        """Try failed runs again, one agent's or all; returns how many there were."""
        return self._engine.retry(agent_id)

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
            name of the limit that was met; ``log`` if the log could not be written, ``loop`` if some code ended the
            loop that agents run on. `status` says more.

        Raises
        ------
        LifecycleError
            If the service was never started, or the caller is one of its own tools: an async one, or without a timeout.
        RecordingError
            If it plays by ``INTERCOM_PLAY`` what is no longer what was recorded.
        """
        self._engine.lifecycle.check_here()
        timeout = None if timeout is None else checked_seconds(timeout, "timeout")
        checked_flag(progress, "progress")
        if self._engine.runtime.here():
            msg = "wait() would wait for itself here; an async tool uses `await intercom.quiet()` or, better, neither"
            raise LifecycleError(msg)
        self._tell_unknown()
        line = Progress(shown=progress)
        try:
            reason = self._engine.lifecycle.wait(timeout, lambda: line.show(self._progress()))
        except KeyboardInterrupt:
            line.show(f"{self.name}: interrupted; the agents go on, intercom.stop() ends them", last=True)
            raise
        line.show(f"{self.name}: {self._engine.lifecycle.sentence(reason)} ({self.spent})", last=True)
        self._engine.models.check_played()
        return reason

    def _progress(self) -> str:
        notice = self._engine.models.notice
        return f"{self.name}: {self.spent} …" + (f" {notice}" if notice else "")

    async def quiet(self) -> str:
        """Wait as `wait` does, in a cell that leaves the notebook's buttons alive.

        Raises
        ------
        LifecycleError
            If the service was never started, or the caller is one of its own tools.
        RecordingError
            If it plays by ``INTERCOM_PLAY`` what is no longer what was recorded.
        """
        self._engine.lifecycle.check_here()
        self._tell_unknown()
        quiet = asyncio.wrap_future(self._engine.lifecycle.when_quiet())
        try:
            while not quiet.done():
                # An interrupt of the cell wakes no loop that sleeps: it is heard when the loop wakes by itself.
                await asyncio.wait([quiet], timeout=_WAKES_S)
            reason = quiet.result()
        finally:
            quiet.cancel()
        self._engine.models.check_played()
        return reason

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:  # no block is entered, so none would stop it at its end
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.nullcontext() if error is None else contextlib.suppress(RecordingError):
            self.stop()
