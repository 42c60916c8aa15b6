"""Whether a service runs, whether it is quiet, and why it stopped: known exactly, told at once, without polling."""

import asyncio
import math
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Literal

from intercom_nb.errors import LifecycleError
from intercom_nb.limits import Limits, Spent
from intercom_nb.texts.reasons import sentence
from intercom_nb.tools import is_ending_this_task

__all__ = ["Lifecycle", "State"]

State = Literal["new", "running", "paused", "stopped"]
_CALLERS: ContextVar[tuple["Lifecycle", ...]] = ContextVar("intercom_nb_callers", default=())  # whose tool this is


class Lifecycle:
    """The state of one service, shared by every thread that asks for it.

    Parameters
    ----------
    limits : Limits
        What it may spend.

    Attributes
    ----------
    state : str
        ``new``, ``running``, ``paused`` or ``stopped``.
    reason : str
        Why it is not at work: ``quiet``, ``steps``, ``failed``, ``paused``, ``stopped``, ``log``, ``loop``, or the name
        of a limit; empty while it is at work or has not started.
    limits : Limits
        What it may spend; may be changed at any time.
    spent : Spent
        What it has spent.
    """

    def __init__(self, limits: Limits) -> None:
        self.state: State = "new"
        self.reason = ""
        self._details: dict[str, str] = {}
        self.limits = limits
        self.spent = Spent()
        self._changed = threading.Condition()
        self._busy = False
        self._busy_since = 0.0
        self._busy_before = 0.0
        self._waiting: list[Future[str]] = []
        self._watchers: list[Callable[[str, str], None]] = []
        self._elsewhere: LifecycleError | None = None
        self._n_tools = 0  # at work

    def be_elsewhere(self, why: LifecycleError) -> None:
        """Refuse to wait or to run from here on: this is a child that was forked."""
        self._elsewhere = why
        self._changed = threading.Condition()  # the parent's may be held by a thread that is not here

    def check_here(self) -> None:
        """Check that this is the process that the service runs in.

        Raises
        ------
        LifecycleError
            If it is a child that was forked from it.
        """
        if self._elsewhere is not None:
            raise self._elsewhere

    def go_on_from(self, spent: Spent, seconds: float, limits: Limits) -> None:
        """Go on from what was spent in an earlier process, within these limits."""
        with self._changed:
            self.spent, self._busy_before, self.limits = spent, seconds, limits

    def watch(self, watcher: Callable[[str, str], None]) -> None:
        """Call a function with the new state and the reason after each pause and stop."""
        self._watchers.append(watcher)

    @property
    def at_work(self) -> bool:
        """Whether it runs and somebody has something to do."""
        return self.state == "running" and self._busy

    @property
    def seconds(self) -> float:
        """Seconds during which it was at work."""
        return self._busy_before + (time.monotonic() - self._busy_since if self.at_work else 0.0)

    def seconds_left(self) -> float | None:
        """Seconds it may still be at work; None without such a limit."""
        left = self.limits.seconds - self.seconds
        return None if math.isinf(left) else max(left, 0.0)

    def run(self) -> None:
        """Start, or go on after a pause.

        Raises
        ------
        LifecycleError
            If it has stopped.
        """
        with self._changed:
            if self.state == "stopped":
                msg = "this service has stopped for good; InterComService.open(path) goes on with its log"
                raise LifecycleError(msg)
            self._change_state("running", self.reason if not self._busy else "")

    def halt(self, state: Literal["paused", "stopped"], reason: str) -> None:
        """Pause or stop, and say why; a service that has stopped stays so."""
        with self._changed:
            if self.state == "stopped" or (self.state, self.reason) == (state, reason):
                return
            # A conversation that had ended before it was stopped keeps the reason it ended for.
            ended = reason == "stopped" and not self.at_work and self.reason not in ("", "paused")
            if not ended:
                self._details = {}
            self._change_state(state, self.reason if ended else reason)
        for watcher in self._watchers:
            watcher(state, reason)  # outside the lock: it writes to the log

    def busy(self) -> None:
        """Somebody has something to do."""
        with self._changed:
            if not self._busy:
                self._set_state(self.state, busy=True)
                self.reason = "" if self.state in ("new", "running") else self.reason

    def quiet(self, reason: str, detail: str = "") -> None:
        """Nobody has anything to do any more; `detail` says more about the reason, in a sentence of its own."""
        with self._changed:
            self._details = {reason: detail} if detail else {}
            self._set_state(self.state, busy=False)
            if self.state == "running":
                self.reason = reason
                self._tell_waiting()

    def sentence(self, reason: str) -> str:
        """Return why it is not at work, in words."""
        return self._details.get(reason) or sentence(reason)

    def may_step(self, *, new_run: bool = False) -> bool:
        """Return whether another model call is allowed; pauses with the limit's name if one forbids it."""
        if self.state != "running":
            return False
        limit = self.spent.reached(self.limits, seconds=self.seconds, new_run=new_run)
        if limit is not None:
            self.halt("paused", limit)
        return limit is None

    def is_ending(self, error: BaseException) -> bool:
        """Return whether an exception ends the task that it is raised in because the service has stopped.

        A tool can cancel an agent's task too: that is taken back here, for the agent lives on.
        """
        if not is_ending_this_task(error):
            return False
        if self.state == "stopped":
            return True
        task = asyncio.current_task()
        while task is not None and task.uncancel():
            pass
        return False

    @contextmanager
    def tool_at_work(self) -> Iterator[None]:
        """Mark what runs inside the block as a tool of this service's agents, in whichever thread."""
        token = _CALLERS.set((*_CALLERS.get(), self))
        with self._changed:
            self._n_tools += 1
        try:
            yield
        finally:
            _CALLERS.reset(token)
            with self._changed:
                self._n_tools -= 1
                self._changed.notify_all()

    @property
    def is_own_tool(self) -> bool:
        """Whether the caller is a tool of this service's agents."""
        return self in _CALLERS.get()

    def let_tools_end(self, most_s: float) -> None:
        """Wait until no tool is at work any more, but not longer than so many seconds."""
        with self._changed:
            self._changed.wait_for(lambda: not self._n_tools, most_s)

    async def end_if_stopped(self) -> None:
        """End the task that calls it, as whoever stops the service is about to, if that has stopped."""
        task = asyncio.current_task()
        if self.state == "stopped" and task is not None:
            task.cancel()
            await asyncio.sleep(0)

    def _check_caller(self) -> None:
        if self.is_own_tool:
            msg = "this service would wait for its own tool, which waits for it: let the tool return without waiting"
            raise LifecycleError(msg)

    def wait(self, timeout: float | None, watch: Callable[[], None]) -> str:
        """Return why it is not at work, as soon as it is not; ``timeout`` if that takes longer.

        Parameters
        ----------
        timeout : float or None
            Seconds.
        watch : callable
            Called about ten times a second meanwhile.

        Raises
        ------
        LifecycleError
            If it was never started, or a tool of its own agents would wait for ever.
        """
        if timeout is None:
            self._check_caller()
        deadline = math.inf if timeout is None else time.monotonic() + timeout
        while True:
            with self._changed:
                self._check_started()
                left = deadline - time.monotonic()
                if self.at_work and left > 0:
                    self._changed.wait(min(left, 0.1))
                if not self.at_work:
                    return self.reason
                if left <= 0:
                    return "timeout"
            watch()  # outside the lock: it may take its time, and agents must not wait for it

    def when_quiet(self) -> Future[str]:
        """Return a future of why it is not at work."""
        self._check_caller()
        future: Future[str] = Future()
        with self._changed:
            self._check_started()
            if self.at_work:
                self._waiting.append(future)
            else:
                future.set_result(self.reason)
        return future

    def _check_started(self) -> None:
        if self.state == "new":
            msg = "this service has not been started: call start(), or use it in a with block"
            raise LifecycleError(msg)

    def _change_state(self, state: State, reason: str) -> None:
        self._set_state(state, busy=self._busy)
        self.reason = reason
        self._tell_waiting()

    def _set_state(self, state: State, *, busy: bool) -> None:
        # Time at work is added up at every change of what "at work" depends on.
        self._busy_before = self.seconds
        self.state, self._busy = state, busy
        self._busy_since = time.monotonic()

    def _tell_waiting(self) -> None:
        self._changed.notify_all()
        if not self.at_work:
            waiting, self._waiting = self._waiting, []
            for future in waiting:
                if future.set_running_or_notify_cancel():
                    future.set_result(self.reason)
