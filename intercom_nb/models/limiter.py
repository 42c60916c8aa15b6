"""One limiter for each endpoint: whose turn it is, how fast, and what a refusal (429, 503) means for everybody.

Calls go in the order they came. The pace falls at each refusal and rises slowly in between. Why all agents of a server
share it: ``docs/design/limiter.md``.
"""

import asyncio
import heapq
import itertools
import math
import random
import time
from collections import deque
from collections.abc import Awaitable, Callable
from typing import TypeVar

from intercom_nb.errors import ModelError
from intercom_nb.models.failures import Failure

__all__ = ["Limiter", "Pace"]

T = TypeVar("T")
_START = 32.0  # calls a second at first
_DOUBLES_S = 0.2  # how soon that doubles while nothing is refused
_UNLIMITED = 1_000.0  # a pace beyond this is none
_SLOWEST = 0.1  # calls a second
_FALL = 0.8
_RISE = 0.02  # of the pace, a second; doubles every ten seconds without a refusal
_MEASURED, _MEASURED_S = 10, 0.5  # how many calls in how long a stretch say anything about the limit
_BEFORE = 2 * _START  # what a pace that was none begins to fall from
_INSTANT_S = 1e-6  # no wait: a timer so short can end before the clock has moved
_CREDIT_S = 0.02  # how far a late timer may be made up for
_FIRST_WAIT_S, _LONGEST_WAIT_S = 0.5, 60.0  # after a refusal without Retry-After
_FIRST_RETRY_S, _LONGEST_RETRY_S = 0.5, 8.0  # after other failures: the client's own rule


class Pace:
    """How fast calls may begin.

    Parameters
    ----------
    clock : callable
        Seconds, rising.
    dice : random.Random
        For jitter.
    rate : float
        Calls a second to begin with; infinite for no pace until one is refused.

    Attributes
    ----------
    until : float
        When the pause that a refusal asked for ends.
    refusing_since : float or None
        When the first of the refusals came that no success has followed.
    """

    def __init__(self, clock: Callable[[], float], dice: random.Random, rate: float = _START) -> None:
        self._clock = clock
        self._dice = dice
        self.rate = rate
        self.until = 0.0
        self.refusing_since: float | None = None
        self.refused = False
        self._next = -math.inf
        self._changed = clock()  # when the rate last rose
        self._fell = -math.inf  # when it last fell
        self._in_a_row = 0
        self._probed = -math.inf  # when a call last began too early
        self._n_begun = 0  # since then
        self._begun: deque[float] = deque(maxlen=int(_UNLIMITED))

    def ready_in(self) -> float:
        """Return the seconds until a call may begin."""
        return max(self._next, self.until) - self._clock()

    def begin(self) -> float:
        """Count a call that begins, and return when that was."""
        now = self._clock()
        self._rise(now)
        self._begun.append(now)
        self._n_begun += 1
        if math.isfinite(self.rate):
            self._next = max(self._next, now - _CREDIT_S) + 1 / self.rate
        return now

    def _rise(self, now: float) -> None:
        # Only a pace that is made use of says anything; one that has idled for an hour is no faster for it.
        used_s = min(now - self._changed, 2 / self.rate)
        self._changed = now
        if self.refused:
            self.rate *= 1 + _RISE * 2 ** (min(now - self._fell, 100.0) / 10) * used_s
        else:
            self.rate *= 2 ** (used_s / _DOUBLES_S)
        if self.rate > _UNLIMITED:
            self.rate = math.inf

    def accepted(self, began: float) -> None:
        """Count a call that was let through; `began` is when it began."""
        if began >= self._fell:
            self._in_a_row, self.refusing_since = 0, None
            if began < self.until - _INSTANT_S and began == self._probed:
                self.until = began  # it was let through early, and shows that the server is well

    def probe(self) -> float:
        """Count a call that begins although it is too early, and return when that was."""
        self._probed = self.begin()
        return self._probed

    def refuse(self, began: float, retry_after: float | None) -> None:
        """Slow down for a refused call; `began` is when it began."""
        now = self._clock()
        self.refusing_since = now if self.refusing_since is None else self.refusing_since
        if began in self._begun:
            self._begun.remove(began)
        if began >= self._fell:  # the others that were under way say the same thing once more
            self._in_a_row += 1
            if self._n_begun > 1:  # a first call that is refused after a pause says nothing about the pace
                self.rate = max(_FALL * min(self.rate, self._measured(now)), _SLOWEST)
            self._n_begun = 0
            self._fell, self._changed, self.refused = now, now, True
            backoff = min(_FIRST_WAIT_S * 2 ** (self._in_a_row - 1), _LONGEST_WAIT_S)
            wait = backoff if retry_after is None else retry_after
            self.until = max(self.until, now + wait * (1 + 0.1 * self._dice.random()))
        elif retry_after is not None:
            self.until = max(self.until, now + retry_after)

    def _measured(self, now: float) -> float:
        """Return how many calls a second were let through lately."""
        since = max(now - 2.0, self.until if self.until < now else now - 2.0)
        lately = [began for began in self._begun if began >= since]
        enough = len(lately) >= _MEASURED and now - lately[0] >= _MEASURED_S
        return len(lately) / (now - lately[0]) if enough else min(self.rate, _BEFORE)


class Limiter:
    """Lets the calls of one endpoint through, and tries again those that failed in passing.

    Lives on the loop of the service.

    Parameters
    ----------
    max_concurrency : int
        Calls in flight at once.
    max_retries : int
        How often a call is repeated that failed in passing; 0 also lets a refused call fail at once.
    bound : float
        Seconds for which a call is refused before it fails.
    paced : bool
        Whether to begin slowly: for servers whose limits are not known.
    clock : callable
        Seconds, rising.
    """

    def __init__(
        self,
        max_concurrency: int,
        *,
        max_retries: int = 2,
        bound: float = 600.0,
        paced: bool = True,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._free = max_concurrency
        self._max_retries = max_retries
        self._bound = bound
        self._clock = clock
        self._dice = random.Random()  # noqa: S311 - jitter
        self.pace = Pace(clock, self._dice, _START if paced else math.inf)
        self._tickets = itertools.count()
        self._queue: list[tuple[int, asyncio.Future[float]]] = []
        self._timer: asyncio.TimerHandle | None = None
        self._waiting: dict[str, int] = {}
        self._refusal: ModelError | None = None
        self._probes = False
        self.calls = self.refusals = 0

    def probe(self) -> None:
        """Let the next call through at once, whatever a server has asked for: it may be well again; from any thread."""
        self._probes = True

    def waits(self, agent_id: str) -> bool:
        """Return whether an agent waits for the rate limit; from any thread."""
        return self.pace.refused and agent_id in self._waiting

    def wait_s(self) -> float:
        """Return for how many seconds the last in the queue still waits for the rate limit; from any thread."""
        if not self.pace.refused or not self._waiting:
            return 0.0
        return max(self.pace.ready_in(), 0.0) + (len(self._waiting) - 1) / self.pace.rate

    async def run(self, agent_id: str, attempt: Callable[[], Awaitable[T]]) -> T:
        """Return what `attempt` returns, once it is this call's turn and it succeeds.

        Raises
        ------
        ModelError
            If it failed for good.
        """
        ticket, entered, failures = next(self._tickets), self._clock(), 0
        refused_since: float | None = None
        while True:
            began = await self._turn(agent_id, ticket, entered)
            try:
                result = await attempt()
            except Failure as failed:
                failure = failed
            else:
                self.pace.accepted(began)
                return result
            finally:
                self._free += 1
                self._let_through()
            if failure.kind == "refused":
                # It keeps its place; one that is refused again and again goes behind those that are not.
                ticket = ticket if refused_since is None else next(self._tickets)
                refused_since = self._clock() if refused_since is None else refused_since
                self._refuse(failure, began, refused_since)
                continue
            self.pace.accepted(began)
            failures += 1
            if failure.kind == "final" or failures > self._max_retries:
                raise failure.error
            wait = min(_FIRST_RETRY_S * 2 ** (failures - 1), _LONGEST_RETRY_S) * (1 - 0.25 * self._dice.random())
            await asyncio.sleep(wait if failure.retry_after is None else min(failure.retry_after, self._bound))

    def _refuse(self, failure: Failure, began: float, since: float) -> None:
        """Slow everybody down; raise if this call is not to be tried again."""
        self.refusals += 1
        wait, bound = failure.retry_after, self._bound
        too_long = wait is not None and wait >= bound
        # Nobody would be left who waits so long: those behind find out whether it is still so.
        self.pace.refuse(began, bound / 2 if too_long else wait)
        self._refusal = failure.error
        if self._max_retries == 0:
            raise failure.error
        if too_long:
            sentence = f"{failure.error}; it asks to wait {wait:g} s, and no call waits longer than {bound:g} s"
            raise ModelError(sentence, status=failure.error.status)
        if self._clock() - since + max(self.pace.ready_in(), 0.0) >= self._bound:
            raise self._given_up()

    def _given_up(self) -> ModelError:
        status = self._refusal.status if self._refusal is not None else None
        waited = f"the rate limit let no call through within {self._bound:g} s"
        return ModelError(f"{self._refusal}; {waited}", status=status)

    async def _turn(self, agent_id: str, ticket: int, entered: float) -> float:
        """Wait for this call's turn; return when it began."""
        turn: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._queue, (ticket, turn))
        self._waiting[agent_id] = self._waiting.get(agent_id, 0) + 1
        self._let_through()
        try:
            while not turn.done():
                await asyncio.wait([turn], timeout=self._patience(entered))
            return turn.result()
        except BaseException:
            if not turn.cancel():  # it was given its turn in the moment it gave up
                self._free += 1
                self._let_through()
            raise
        finally:
            self._waiting[agent_id] -= 1
            if not self._waiting[agent_id]:
                del self._waiting[agent_id]

    def _patience(self, entered: float) -> float:
        """Return for how many seconds a call may still wait; raise if for none."""
        since = self.pace.refusing_since
        left = self._bound if since is None else self._bound - (self._clock() - max(since, entered))
        if left <= 0:
            raise self._given_up()
        return left

    def _let_through(self) -> None:
        """Give turns to those in front, as many as may begin now."""
        while self._free > 0 and self._queue:
            if self._queue[0][1].done():  # given up
                heapq.heappop(self._queue)
                continue
            wait, probes = self.pace.ready_in(), self._probes
            if wait > _INSTANT_S and not probes:
                self._wake_in(wait)
                return
            self._probes = False
            self._free -= 1
            self.calls += 1
            began = self.pace.probe() if wait > _INSTANT_S else self.pace.begin()
            heapq.heappop(self._queue)[1].set_result(began)

    def _wake_in(self, wait: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(wait, self._let_through)
