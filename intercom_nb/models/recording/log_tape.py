"""Playing a log: the same answers in the same order, with no network."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from intercom_nb.errors import ModelError, RecordingError
from intercom_nb.models.recording.differences import differences
from intercom_nb.models.recording.recorded import TEXT, Call, Take, querying_recording, read_recording
from intercom_nb.models.recording.tape import ALL_MAIL, Tape
from intercom_nb.models.values import Answer, Request

__all__ = ["LogTape"]

_PATIENCE_S = 5.0  # without any movement, before what a recording has next is no longer waited for
_TOOL_S = 60.0  # the same while some agent's own tools may be at work
_FAILED = 404  # whatever it was: not a request that was too long, for that is recorded as a shorter conversation
_TOO_LONG = "context_length_exceeded: the request was too long for its model, as recorded"


class LogTape(Tape):
    """Answers from a log.

    What became durable one after the other, mail that was taken and steps, does so again in the same order: each waits
    for those before it. What does not come (a person who says nothing this time) is not waited for for long.

    Parameters
    ----------
    path : Path
        Of a log, or of its text.
    renew : str, optional
        How to make it anew, in words.
    part : int, optional
        Which of the times that the log was opened; all of them without it.
    since : (int, int), optional
        A place and its time: a recording that has it too is played from there on.

    Raises
    ------
    RecordingError
        If it is not there or is no log.
    """

    live = False

    def __init__(
        self, path: Path, renew: str = "", part: int | None = None, since: tuple[int, int] | None = None
    ) -> None:
        self._path = path
        text = path.with_suffix(TEXT).name
        self._renew = renew or f"to renew it, run without play= and write to_jsonl(log, {text!r}, for_play=True)"
        recording = read_recording(path, self._renew, part, since)
        self.model = recording.model
        self.fence = recording.fence
        self._recording = recording
        whole = [call for call in recording.calls if call.place is not None]
        moments: list[tuple[int, Call | Take]] = [(take.place, take) for take in recording.takes]
        moments += [(call.place, call) for call in whole if call.place is not None]
        self._moments = [moment for _, moment in sorted(moments, key=lambda one: one[0])]
        self._done: set[int] = set()  # ids of moments that are over, or no longer waited for
        self._next = 0
        self._calls: dict[str, deque[Call]] = {}
        # One that never became whole ends the recording of its agent: its tools may have been at work for ever.
        for call in recording.calls:
            if call.place is not None or not call.run_id:
                self._calls.setdefault(call.agent_id, deque()).append(call)
        self._takes: dict[str, deque[Take]] = {}
        for take in recording.takes:
            self._takes.setdefault(take.agent_id, deque()).append(take)
        self._asked: dict[str, int] = {}
        self._given: dict[str, Call] = {}
        self._waiting: set[int] = set()  # ids of moments that somebody is about to make
        self._moved = asyncio.Event()

    # -- the moments ------------------------------------------------------------------------------------------------

    @asynccontextmanager
    async def taking(self, agent_id: str) -> AsyncIterator[int]:
        """Wait until everything is in the log that was when this mail was taken."""
        call, takes = self._upcoming(agent_id), self._takes.get(agent_id)
        if not takes or (call is not None and call.seq < takes[0].place):
            yield ALL_MAIL if call is None else 0
            return
        take = takes[0]
        await self._turn_of(take)
        # A message is in the log a moment before it is in an inbox: what came in that moment was left for the next run.
        yield take.n
        if takes and takes[0] is take:
            takes.popleft()
        self._end(take)

    @asynccontextmanager
    async def committing(self, agent_id: str) -> AsyncIterator[None]:
        """Let what comes next go on once this step is in the log."""
        yield
        if (call := self._given.pop(agent_id, None)) is not None:
            self._end(call)

    async def answer(self, request: Request, ask: Callable[[Request], Awaitable[Answer]]) -> Answer:
        """Return the recorded answer, when it is its turn."""
        del ask
        agent_id = request.origin.agent_id
        call = self._upcoming(agent_id)
        if call is not None and call.how and not _shortens(request):
            call = self._past_shortened(request)
        if call is None:
            raise await self._over(request)
        self._skip_takes(call)
        if not call.run_id:  # it was shortened with no answer: whoever was asked for a summary failed
            self._calls[agent_id].popleft()
            raise ModelError("no summary came, as recorded", status=_FAILED)
        self._asked[agent_id] = self._asked.get(agent_id, 0) + 1
        self._calls[agent_id].popleft()
        if request.origin.fingerprint not in ("", call.fingerprint):
            self._leave(agent_id, call)
            raise self._stale(request, call)
        try:
            await self._turn_of(call)
        except asyncio.CancelledError:
            self._asked[agent_id] -= 1  # it will be asked again
            self._calls[agent_id].appendleft(call)
            raise
        self._given[agent_id] = call
        if call.error is not None:
            raise ModelError(call.error, status=_FAILED)
        return Answer(call.response, call.latency_s, call.first_token_s)

    def compacts(self, agent_id: str, *, able: bool) -> bool:
        """Return whether the recording has this agent's conversation compacted by its server next."""
        del able
        call = self._upcoming(agent_id)
        return call is not None and call.how == "compacted"

    def rest(self) -> str:
        """Return what of the recording was not asked for, in words; empty if it all was."""
        left = {agent_id: sum(bool(call.run_id) for call in calls) for agent_id, calls in self._calls.items()}
        told = ", ".join(f"{n} of agent {agent_id!r}" for agent_id, n in left.items() if n > 0)
        return f"{self._path.name}: the recording has more calls than were made: {told}; {self._renew}" if told else ""

    # -- whose call it is -------------------------------------------------------------------------------------------

    def _upcoming(self, agent_id: str) -> Call | None:
        calls = self._calls.get(agent_id)
        return calls[0] if calls else None

    def _past_shortened(self, request: Request) -> Call | None:
        """Return the call that this one is, which comes after the conversation was shortened; None if none does.

        Raises
        ------
        ModelError
            If it is one that was too long, so that the conversation was shortened.
        """
        calls = self._calls[request.origin.agent_id]
        after = next((one for one in calls if one.run_id), None)
        if after is not None and (after.how or request.origin.fingerprint not in ("", after.fingerprint)):
            raise ModelError(_TOO_LONG)
        while calls and calls[0] is not after:
            calls.popleft()
        return after

    def _skip_takes(self, call: Call) -> None:
        takes = self._takes.get(call.agent_id)
        while takes and takes[0].place < call.seq:
            self._end(takes.popleft())

    # -- what does not fit ------------------------------------------------------------------------------------------

    def _who(self, request: Request) -> str:
        origin = request.origin
        n = self._asked.get(origin.agent_id, 0)
        return f"{self._path.name}: agent {origin.agent_id!r}, call {n} (step {origin.step} of {origin.run_id})"

    def _stale(self, request: Request, call: Call) -> RecordingError:
        try:
            with querying_recording(self._path, self._renew) as query:
                what = differences(query, call, request)
        except RecordingError:
            what = "and the recording is no longer there to say what differs"
        return self._fault(f"{self._who(request)} is not the one recorded: {what}")

    async def _over(self, request: Request) -> RecordingError:
        agent_id = request.origin.agent_id
        self._asked[agent_id] = self._asked.get(agent_id, 0) + 1
        if agent_id not in self._recording.cut_off:
            return self._fault(f"{self._who(request)}: the recording ends before it")
        await self._until(lambda: self._next >= len(self._moments), give_up=False)  # all that there is comes first
        return self._fault(f"{self._who(request)}: the recording ends here, for {self._recording.ended}")

    def _fault(self, what: str) -> RecordingError:
        error = RecordingError(f"{what}; {self._renew}")
        self.fault = self.fault or str(error)
        return error

    # -- the order --------------------------------------------------------------------------------------------------

    def _is_next(self, moment: Call | Take) -> bool:
        if id(moment) in self._done:
            return True  # it was no longer waited for, and now it comes after all
        return self._next < len(self._moments) and self._moments[self._next] is moment and not self._given

    def _end(self, moment: Call | Take) -> None:
        self._done.add(id(moment))
        while self._next < len(self._moments) and id(self._moments[self._next]) in self._done:
            self._next += 1
        self._move()

    def _move(self) -> None:
        moved, self._moved = self._moved, asyncio.Event()
        moved.set()

    def _leave(self, agent_id: str, call: Call) -> None:
        """Wait for nothing more of an agent that is not asked what it was: what it does now is its own."""
        for moment in (call, *self._calls.get(agent_id, ()), *self._takes.get(agent_id, ())):
            self._done.add(id(moment))
        self._end(call)

    async def _turn_of(self, moment: Call | Take) -> None:
        self._waiting.add(id(moment))
        try:
            await self._until(lambda: self._is_next(moment))
        finally:
            self._waiting.discard(id(moment))

    async def _until(self, ready: Callable[[], bool], *, give_up: bool = True) -> None:
        while not ready():
            moved = self._moved
            try:
                async with asyncio.timeout(_TOOL_S if self._given else _PATIENCE_S):
                    await moved.wait()
            except TimeoutError:
                if moved is not self._moved:
                    continue
                if not give_up:
                    return
                self._give_up()

    def _give_up(self) -> None:
        """Wait no longer for what the recording has next."""
        self._given.clear()
        moment = self._moments[self._next] if self._next < len(self._moments) else None
        if moment is not None and id(moment) not in self._waiting:
            self._end(moment)
        else:
            self._move()


def _shortens(request: Request) -> bool:
    return request.kind == "compact" or not request.tools
