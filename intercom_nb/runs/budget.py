"""Whether a model call may still be made, given what it and every call in flight may use at most.

Nothing here looks at a conversation as a whole: a state keeps a running count of its bytes. What a call is taken to
need: ``docs/design/budget.md``.
"""

import asyncio
from collections.abc import Iterable

from intercom_nb.limits import Limits, Spent
from intercom_nb.models import Usage
from intercom_nb.models.prices import Prices
from intercom_nb.runs.agent_state import AgentState, Run
from intercom_nb.runs.halts import Halts
from intercom_nb.runs.lifecycle import Lifecycle
from intercom_nb.runs.purse import purse_at_hand

__all__ = ["BYTES_PER_TOKEN", "Budget"]

BYTES_PER_TOKEN = 3  # English has four and more, JSON and most other languages somewhat less
_LOOK_AGAIN_S = 0.05
_FIRST_OUTPUT = 256  # tokens that a model is expected to write while nothing is known about it
_WRAP_UP_AT = 0.9
_WRAP_UP = (
    "Wrap up: {share:.0%} of the {what} that {who} may use are used. Finish what matters most, tell those who wait "
    "for a result what there is, and start nothing new."
)


class Budget:
    """What the calls in flight of one service may use; lives on its loop.

    Parameters
    ----------
    lifecycle, prices, halts
        Of the same service.
    waits : bool
        Whether a call waits for those in flight where they might need what it needs. In a recording that is played
        the order of the calls is given, and each has room, for it had.
    """

    def __init__(self, lifecycle: Lifecycle, prices: Prices, halts: Halts, *, waits: bool) -> None:
        self._waits = waits
        self._purse = purse_at_hand()
        self._lifecycle = lifecycle
        self._prices = prices
        self._halts = halts
        self._most_written: dict[str, int] = {}
        self._reserved: dict[str, Spent] = {}
        self._in_flight = Spent()  # the sum of those
        self._waiting: list[asyncio.Future[None]] = []

    def tokens_of(self, state: AgentState, run: Run) -> int:
        """Return how many tokens the next request of a run may have at most."""
        size = self._request_bytes(state, run)
        known_bytes, known_tokens = state.measured
        return known_tokens + -(-max(size - known_bytes, 0) // BYTES_PER_TOKEN)

    def _request_bytes(self, state: AgentState, run: Run) -> int:
        return state.bytes + state.tool_bytes + len(run.instructions.encode()) + len((run.chat_list or "").encode())

    async def reserve(self, state: AgentState, run: Run) -> bool:
        """Set aside what a call may use, once there is room for it; return False if no limit leaves any.

        A limit of the whole service pauses it; an agent that meets its own is left alone until `resume`.
        """
        need = self._most_needed(run, self.tokens_of(state, run))
        if not await self._paid(need):
            return False
        has_room = await self._room(state, need)
        if self._purse is not None and not has_room:
            self._purse.release(need)
        return has_room

    async def _room(self, state: AgentState, need: Spent) -> bool:
        while self._lifecycle.state == "running":
            if own := _limit_passed(state.agent.limits, state.spent, need):
                self._halts.meet(state, own)
                return False
            spent, limits = self._lifecycle.spent, self._lifecycle.limits
            if limit := _limit_passed(limits, spent, need):
                self._lifecycle.halt("paused", limit)
                return False
            if not (self._waits and _limit_passed(limits, spent, need, self._in_flight)):
                self._reserved[state.agent.id] = need
                self._in_flight.tokens += need.tokens
                self._in_flight.usd += need.usd
                return True
            # It fits, if those in flight use less than they may: wait until one of them has ended.
            freed = asyncio.get_running_loop().create_future()
            self._waiting.append(freed)
            await freed
        return False

    async def _paid(self, need: Spent) -> bool:
        """Set aside the same of what several services share; pause this one if nothing is left for it."""
        while self._purse is not None and self._lifecycle.state == "running":
            limit = self._purse.reserve(self._lifecycle, need)
            if limit is not None:
                if limit:
                    self._lifecycle.halt("paused", limit)
                return not limit
            await asyncio.sleep(_LOOK_AGAIN_S)  # calls of other loops are in flight, which wake nobody here
        return self._purse is None

    def _most_needed(self, run: Run, read: int) -> Spent:
        seen = self._most_written.get(run.model.name, _FIRST_OUTPUT)
        most = run.settings.max_output_tokens
        written = seen if most is None else most
        return Spent(tokens=read + written, usd=self._prices.at_most(run.model, read, written))

    def release(self, state: AgentState) -> None:
        """Give back what was set aside: the call has ended, and what it used is counted."""
        given = self._reserved.pop(state.agent.id, None)
        if given is not None:
            if self._purse is not None:
                self._purse.release(given)
            self._in_flight.tokens -= given.tokens
            # A sum of floats that has lost its last part should be 0, and may be a little beside it.
            self._in_flight.usd = self._in_flight.usd - given.usd if self._reserved else 0.0
            waiting, self._waiting = self._waiting, []
            for freed in waiting:
                if not freed.done():
                    freed.set_result(None)

    def measure(self, state: AgentState, run: Run, usage: Usage) -> None:
        """Learn from what a server counted; called before the answer joins the conversation."""
        if usage.input_tokens:
            state.measured = self._request_bytes(state, run), usage.input_tokens
        if usage.output_tokens:
            most = self._most_written.get(run.model.name, 0)
            self._most_written[run.model.name] = max(most, usage.output_tokens)

    def wrap_up(self, state: AgentState) -> list[tuple[str, str]]:
        """Return what to tell an agent, once, when nine tenths of a limit are used: key and text of each remark."""
        lifecycle = self._lifecycle
        everybody = _limits_nearly_met(lifecycle.limits, lifecycle.spent, lifecycle.seconds)
        own = _limits_nearly_met(state.agent.limits, state.spent)
        remarks = []
        for who, shares in (("you all together", everybody), ("you", own)):
            keys = {f"wrap-up:{state.agent.id}:{who}:{what}:{limit:g}": what for what, limit in shares.items()}
            if keys and not keys.keys() & state.told:
                key = next(iter(keys))
                remarks.append((key, _WRAP_UP.format(share=_WRAP_UP_AT, what=_CALLED[keys[key]], who=who)))
        return remarks


_CALLED = {"tokens": "tokens", "usd": "dollars", "runs": "turns", "seconds": "seconds"}


def _limit_passed(limits: Limits | None, spent: Spent, *needs: Spent) -> str:
    """Return the name of the limit that these calls could pass; empty if none."""
    if limits is None:
        return ""
    if spent.tokens + sum(need.tokens for need in needs) > limits.tokens:
        return "tokens"
    return "usd" if spent.usd + sum(need.usd for need in needs) > limits.usd else ""


def _limits_nearly_met(limits: Limits | None, spent: Spent, seconds: float = 0.0) -> dict[str, float]:
    """Return the limits of which nine tenths are used, the run that begins included."""
    if limits is None:
        return {}
    used: Iterable[tuple[str, float]] = (
        ("tokens", spent.tokens),
        ("usd", spent.usd),
        ("runs", spent.runs + 1),
        ("seconds", seconds),
    )
    return {name: getattr(limits, name) for name, value in used if value >= _WRAP_UP_AT * getattr(limits, name)}
