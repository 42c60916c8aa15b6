"""Where agents run: one asyncio loop in one daemon thread, beside whatever the notebook's cells are doing."""

import asyncio
import contextlib
import contextvars
import logging
import threading
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Iterator
from concurrent.futures import Future
from typing import Any, Protocol, TypeVar

from intercom_nb.errors import LifecycleError
from intercom_nb.notebook import keep_output_out_of_cells

__all__ = ["InThread", "Runtime", "result_of"]

_LOGGER = logging.getLogger(__name__)
_AT_ONCE = 16  # tasks made in one round of the loop
_PATIENCE_S = 10.0  # for a coroutine tool that blocks the loop; it cannot be ended from outside

T = TypeVar("T")
React = Callable[[str], Awaitable[None]]


async def result_of(future: Future[T]) -> T:
    """Return the result of a future that any thread may finish, this loop's own too.

    `asyncio.wrap_future` would wake the loop through its socket in either case.
    """
    loop, here = asyncio.get_running_loop(), threading.get_ident()
    waiter: asyncio.Future[None] = loop.create_future()

    def wake() -> None:
        if not waiter.done():
            waiter.set_result(None)

    def finished(_: object) -> None:
        if threading.get_ident() == here:
            wake()
        else:
            with contextlib.suppress(RuntimeError):  # the loop has ended, and nobody waits any more
                loop.call_soon_threadsafe(wake)

    future.add_done_callback(finished)
    await waiter
    return future.result()


class Runtime(Protocol):
    """Where agents run; knows nothing of chats, models or SQL."""

    def start(self, react: React, close: Callable[[], Coroutine[Any, Any, None]], may: Callable[[str], bool]) -> None:
        """Be ready to run agents: `react` runs one that `may` go on, `close` is awaited at the end."""

    def ring(self, agent_ids: Iterable[str]) -> None:
        """Let these agents look at their inboxes: non-blocking, repeatable, from any thread."""

    def call_soon(self, call: Callable[..., object], *args: object) -> None:
        """Call a function where agents run, soon; from any thread."""

    @property
    def n_at_work(self) -> int:
        """How many agents have something to do."""

    def call_later(self, delay_s: float, call: Callable[[], None]) -> None:
        """Call a function where agents run, from there, after so many seconds."""

    def here(self) -> bool:
        """Whether the caller is on the loop itself, where waiting for agents would wait for ever."""

    def stop(self) -> None:
        """End every run at once; what was not committed happens again when the log is next opened."""


class InThread(Runtime):
    """One loop in one daemon thread of this process. A run is a task, made when an agent that has none is rung.

    Parameters
    ----------
    name : str
        For the thread.
    on_end : callable
        Called when the loop has ended and nobody had stopped it: some code on it did.
    """

    def __init__(self, name: str, on_end: Callable[[], None]) -> None:
        self._name = name
        self._on_end = on_end
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._is_over = False
        self._fault = ""
        self._context = contextvars.Context()

    def start(self, react: React, close: Callable[[], Coroutine[Any, Any, None]], may: Callable[[str], bool]) -> None:
        """Start the thread; a second call does nothing.

        Raises
        ------
        LifecycleError
            If the system has no means left for a loop.
        """
        if self._thread is not None:
            return
        self._react, self._close, self._may = react, close, may
        ready = threading.Event()
        self._thread = threading.Thread(target=self._work, args=(ready,), name=f"intercom {self._name}", daemon=True)
        self._thread.start()
        ready.wait()
        if self._loop is None:
            self._on_end()
            msg = f"agents cannot run: their loop could not be made ({self._fault}); stop() what you no longer use"
            raise LifecycleError(msg)

    def _work(self, ready: threading.Event) -> None:
        keep_output_out_of_cells()
        # Tasks run in this thread's own context: the caller's would send a tool's print to the caller's cell.
        self._context = contextvars.copy_context()
        try:
            with asyncio.Runner() as runner:
                try:
                    runner.run(self._serve(ready))
                finally:
                    self._tell_end()  # before what is left of it is cancelled: nobody takes that for a failure
                    runner.run(self._close())
        except BaseException as error:  # whatever it is, whoever waits for agents must hear that they run no more
            self._fault = str(error) or type(error).__name__
            _LOGGER.exception("the loop of %s has ended", self._name)
        finally:
            ready.set()

    def _tell_end(self) -> None:
        self._is_over = True
        if not self._ended.is_set():
            self._on_end()

    async def _serve(self, ready: threading.Event) -> None:
        self._loop = asyncio.get_running_loop()
        self._ended = asyncio.Event()
        ready.set()
        while not (self._ended.is_set() or self._is_over):
            with contextlib.suppress(asyncio.CancelledError):  # a tool may cancel every task of the loop: not this one
                await self._ended.wait()
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    def ring(self, agent_ids: Iterable[str]) -> None:
        """Make a task for each of these agents that has none and may go on."""
        self.call_soon(self._make_tasks, iter(list(agent_ids)))

    def call_soon(self, call: Callable[..., object], *args: object) -> None:
        """Call a function on the loop, soon; not at all before the start or after the end."""
        if self._loop is not None:
            # To wake a loop that sleeps costs a write to a socket and back; one that is at work needs none.
            call_soon = self._loop.call_soon if self.here() else self._loop.call_soon_threadsafe
            try:
                call_soon(call, *args, context=self._context)
            except RuntimeError:
                return  # closed in this moment: what was rung stays in the log

    @property
    def n_at_work(self) -> int:
        """How many agents have a task."""
        return len(self._tasks)

    def call_later(self, delay_s: float, call: Callable[[], None]) -> None:
        """Call a function on the loop, from the loop, after so many seconds; with 0, after this round of it."""
        loop = asyncio.get_running_loop()
        if delay_s:
            loop.call_later(delay_s, call, context=self._context)
        else:
            loop.call_soon(call, context=self._context)

    def _make_tasks(self, agent_ids: Iterator[str]) -> None:
        made = 0
        for agent_id in agent_ids:
            if agent_id in self._tasks or self._ended.is_set() or not self._may(agent_id):
                continue
            self._tasks[agent_id] = asyncio.get_running_loop().create_task(
                self._run(agent_id), name=f"run of {agent_id}", context=self._context.copy()
            )
            made += 1
            if made == _AT_ONCE:  # the requests of the first leave while the last still begin
                self.call_soon(self._make_tasks, agent_ids)
                return

    async def _run(self, agent_id: str) -> None:
        try:
            await self._react(agent_id)
        finally:
            # In the same breath as the last look at the inbox: mail that comes later finds no task and makes one.
            del self._tasks[agent_id]

    def here(self) -> bool:
        """Whether the caller is on the loop itself."""
        return self._thread is threading.current_thread() and not self._is_over

    def be_elsewhere(self) -> None:
        """Wake nobody from here on: this is a child that was forked, and the loop is its parent's."""
        self._thread, self._loop = None, None

    def stop(self) -> None:
        """End the loop and its thread; a second call does nothing, or goes on with one that was interrupted."""
        thread = self._thread
        if thread is None or self._loop is None:
            return
        self.call_soon(self._ended.set)
        thread.join(_PATIENCE_S)
        if thread.is_alive():
            _LOGGER.warning("%s does not end: a tool is blocking its loop; it ends with this process", thread.name)
        self._thread = None
