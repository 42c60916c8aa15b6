"""Playing a recording: the same answers in the same order, with no network."""

import asyncio
import math
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from intercom_nb.errors import ModelError, RecordingError
from intercom_nb.models.recording.recorder import differences, fingerprint, lines_of
from intercom_nb.models.recording.tape import Tape
from intercom_nb.models.values import Answer, Request

__all__ = ["Player"]

_PATIENCE_S = 5.0  # without any movement, before what a recording expects next is no longer waited for
_TOOL_S = 60.0  # the same while some agent's own tools may be at work


class Player(Tape):
    """Answers from a recording.

    A step is let go on once every step before it in the recording is in the log, and everybody who took mail before it
    then has taken it now. What does not come (a person who says nothing this time) is not waited for for long.

    Parameters
    ----------
    path : Path
        Of the recording.
    renew : str, optional
        How to make it anew, in words.

    Raises
    ------
    RecordingError
        If it is not there or is no recording.
    """

    live = False

    def __init__(self, path: Path, renew: str = "") -> None:
        self._path = path
        self._renew = renew or f"record={str(path)!r}"
        head, *self._lines = lines_of(path, self._renew)
        self.model = head["model"]
        self._of: dict[str, list[int]] = {}
        for idx, line in enumerate(self._lines):
            self._of.setdefault(line["agent"], []).append(idx)
        self._takes = sorted((line["after"], idx) for idx, line in enumerate(self._lines) if "after" in line)
        self._n_taken = 0  # how many of them are settled, from the front
        self._asked: dict[str, int] = {}
        self._taken: set[int] = set()
        self._given: dict[str, int] = {}
        self._ended: set[int] = set()
        self._next = 0
        self._moved = asyncio.Event()

    @asynccontextmanager
    async def taking(self, agent_id: str) -> AsyncIterator[bool]:
        """Wait until as many steps are in the log as were when this mail was taken."""
        idx = self._upcoming(agent_id)
        after = None if idx is None else self._lines[idx].get("after")
        if idx is None or after is None:
            yield idx is None
            return
        await self._until(lambda: self._next >= after or idx in self._taken)
        yield True
        self._take(idx)

    @asynccontextmanager
    async def committing(self, agent_id: str) -> AsyncIterator[None]:
        """Let the next step go on once this one is in the log."""
        yield
        if (idx := self._given.pop(agent_id, None)) is not None:
            self._end(idx)

    async def answer(self, request: Request, ask: Callable[[Request], Awaitable[Answer]]) -> Answer:
        """Return the recorded answer, when it is its turn."""
        del ask
        agent_id = request.origin.agent_id
        n = self._asked.get(agent_id, 0) + 1
        who = f"{self._path.name}: agent {agent_id!r}, call {n} (step {request.origin.step} of {request.origin.run_id})"
        idx = self._upcoming(agent_id)
        if idx is None:
            raise self._stale(f"{who}: the recording ends before it")
        line = self._lines[idx]
        self._asked[agent_id] = n
        self._take(idx)
        if differs := differences(line["request"], fingerprint(request)):
            self._end(idx)
            raise self._stale(f"{who} is not the one recorded: {differs}")
        try:
            await self._until(lambda: self._may_end(idx))
        except asyncio.CancelledError:
            self._asked[agent_id] = n - 1  # it will be asked again
            raise
        self._given[agent_id] = idx
        if "error" in line:
            raise ModelError(line["error"], status=line["status"])
        return Answer(line["response"], line["latency_s"], line.get("first_token_s"))

    def rest(self) -> str:
        """Return what of the recording was not asked for, in words; empty if it all was."""
        left = {agent_id: len(of) - self._asked.get(agent_id, 0) for agent_id, of in self._of.items()}
        told = ", ".join(f"{n} of agent {agent_id!r}" for agent_id, n in left.items() if n > 0)
        name, renew = self._path.name, self._renew
        return f"{name}: the recording has more calls than were made: {told}; {renew} renews it" if told else ""

    def _stale(self, what: str) -> RecordingError:
        error = RecordingError(f"{what}; {self._renew} renews it")
        self.fault = self.fault or str(error)
        return error

    def compacts(self, agent_id: str, *, able: bool) -> bool:
        """Return whether the recording has this agent's conversation compacted next."""
        del able
        idx = self._upcoming(agent_id)
        return idx is not None and self._lines[idx]["request"].get("kind") == "compact"

    def _upcoming(self, agent_id: str) -> int | None:
        indices, n = self._of.get(agent_id, []), self._asked.get(agent_id, 0)
        return indices[n] if n < len(indices) else None

    def _may_end(self, idx: int) -> bool:
        if idx in self._ended:
            return True  # it was no longer waited for, and now it comes after all
        return idx == self._next and not self._given and self._awaited() > idx

    def _awaited(self) -> float:
        """Return after how many steps the first mail was taken that is not taken yet."""
        while self._n_taken < len(self._takes) and self._takes[self._n_taken][1] in self._taken:
            self._n_taken += 1
        return self._takes[self._n_taken][0] if self._n_taken < len(self._takes) else math.inf

    def _take(self, idx: int) -> None:
        if idx not in self._taken:
            self._taken.add(idx)
            self._move()

    def _end(self, idx: int) -> None:
        self._ended.add(idx)
        self._taken.add(idx)
        while self._next in self._ended:
            self._next += 1
        self._move()

    def _move(self) -> None:
        moved, self._moved = self._moved, asyncio.Event()
        moved.set()

    async def _until(self, ready: Callable[[], bool]) -> None:
        while not ready():
            moved = self._moved
            try:
                async with asyncio.timeout(_TOOL_S if self._given else _PATIENCE_S):
                    await moved.wait()
            except TimeoutError:
                if moved is self._moved:
                    self._give_up()

    def _give_up(self) -> None:
        """Wait no longer for what the recording has next."""
        while self._awaited() <= self._next:
            self._taken.add(self._takes[self._n_taken][1])
        line = self._lines[self._next] if self._next < len(self._lines) else None
        if line is not None and self._of[line["agent"]].index(self._next) >= self._asked.get(line["agent"], 0):
            self._end(self._next)
        self._given.clear()
        self._move()
