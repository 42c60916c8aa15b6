"""Who has something to do, who may go on, and when all is quiet."""

import logging
from collections.abc import Iterable, Sequence

from intercom_nb.errors import LogError, ModelError, listed, told_of
from intercom_nb.log.store import Store
from intercom_nb.log.transaction import Transaction
from intercom_nb.models import Models
from intercom_nb.routing.courtesy import channel_of
from intercom_nb.runs.agent_state import AgentState, Run, end_attempts, with_open_attempt
from intercom_nb.runs.halts import PAUSED, Halts
from intercom_nb.runs.inboxes import Inboxes
from intercom_nb.runs.lifecycle import Lifecycle
from intercom_nb.runs.runner import Runner
from intercom_nb.runs.unheard import nothing_happened
from intercom_nb.texts.names import clean
from intercom_nb.texts.reasons import ODD_ENDS, odd_ends

__all__ = ["Scheduler", "Turns"]

_LOGGER = logging.getLogger(__name__)


class Turns:
    """Whose turn it is, step by step: the one agent that may have a run now, or all of them."""

    def __init__(self) -> None:
        self.only = ""

    def may_run(self, agent_id: str) -> bool:
        """Return whether an agent may have a run now."""
        return self.only in ("", agent_id)


class Scheduler:
    """Lets the agents of one service go on, and says when nobody has anything left to do.

    Parameters
    ----------
    store, models, lifecycle, inboxes, halts, turns
        Of the same service.
    """

    def __init__(
        self, *, store: Store, models: Models, lifecycle: Lifecycle, inboxes: Inboxes, halts: Halts, turns: Turns
    ) -> None:
        self._store = store
        self._models = models
        self._lifecycle = lifecycle
        self._inboxes = inboxes
        self._states = inboxes.states
        self._halts = halts
        self._turns = turns

    # -- going on ---------------------------------------------------------------------------------------------------

    def wake(self) -> None:
        """Ring every agent that has something to do: after a start, a pause, or a crash."""
        with self._store.lock:
            self._turns.only = ""
            self._let_go_on(self._halts.lift_limits(self._states.values()))
            if not self._inboxes.ring_all():
                self._be_quiet()

    def wake_one(self) -> str | None:
        """Ring the agent whose turn it is, for one run, after which the service pauses; return its id."""
        with self._store.lock:
            self._let_go_on(self._halts.lift_limits(self._states.values()))
            # A run that was interrupted comes first.
            due = self._inboxes.due
            self._turns.only = min(due, key=lambda agent_id: self._states[agent_id].run is None, default="")
            if not self._turns.only:
                self._be_quiet()
                self._lifecycle.halt("paused", "paused")
                return None
            self._inboxes.ring_one(self._turns.only)
            return self._turns.only

    def _let_go_on(self, states: Iterable[AgentState]) -> None:
        self._inboxes.become_due(s.agent.id for s in states if not s.is_halted and (s.inbox or s.run is not None))

    def pause(self, agent_id: str) -> None:
        """Let an agent make no further model call; its mail waits, and the others go on."""
        state = self._states[agent_id]
        with self._store.lock:
            if self._halts.pause(state) and state.doing == "idle":
                self._leave_alone(state)

    def resume(self, agent_id: str) -> None:
        """Let an agent go on that was paused."""
        state = self._states[agent_id]
        with self._store.lock:
            if self._halts.resume(state):
                self._let_go_on([state])

    # -- what it can say --------------------------------------------------------------------------------------------

    def status_of(self, agent_id: str) -> str:
        """Return what an agent is doing, in a word or a few."""
        state = self._states[agent_id]
        if state.doing == "idle" and state.paused:
            return "paused"
        if state.doing != "idle":
            return "waiting for the rate limit" if self._models.waits(agent_id) else state.doing
        if state.inbox or state.held_mail or state.run is not None:
            return "waiting"
        return "failed" if state.failed is not None else "idle"

    def unread(self, agent_id: str) -> int:
        """Return how many messages an agent has not yet taken."""
        return len(self._states[agent_id].inbox)

    def is_paused(self, agent_id: str) -> bool:
        """Return whether an agent was paused alone."""
        return self._states[agent_id].paused

    def _be_quiet(self) -> None:
        """Say how the conversation ended: by itself, or because some agent was cut off and nothing came after."""
        # One look at each: of thousands of agents nearly all ended in silence, and nothing is to be said of those.
        odd = [s for s in self._states.values() if s.last != "silent" or s.is_halted or s.held_mail]
        reason, detail = _how_it_ended(odd)
        if reason == "quiet" and not detail:
            detail = nothing_happened(list(self._states.values()), len(self._inboxes.persons), self._label_of)
        self._lifecycle.quiet(reason, detail)

    def _label_of(self, state: AgentState) -> str:
        try:
            return self._models.named(state.agent.model).name
        except ModelError:  # its key is gone by now
            return str(state.agent.model)

    # -- one agent --------------------------------------------------------------------------------------------------

    def may_react(self, agent_id: str) -> bool:
        """Return whether an agent that was rung has anything to do now; what it may not do yet stays due."""
        state = self._states[agent_id]
        return self._lifecycle.state == "running" and bool(state.inbox or state.run is not None or state.is_halted)

    async def react(self, agent_id: str, runner: Runner) -> None:
        """Let an agent run until it has nothing to do or may not go on."""
        state = self._states[agent_id]
        try:
            await runner.react(state)
        except LogError as error:
            _LOGGER.warning("%s stops: %s", agent_id, error)
            self._lifecycle.halt("stopped", "log")
        except ModelError as error:  # such as a key that is missing
            self._give_up(state, str(error))
        except BaseException as error:  # a fault of ours must not leave somebody waiting for ever
            if self._lifecycle.is_ending(error):
                raise
            _LOGGER.exception("%s cannot run", agent_id)
            self._give_up(state, told_of(error))
        finally:
            state.doing = "idle"
            with self._store.lock:
                if state.is_halted:
                    self._leave_alone(state)

    def _give_up(self, state: AgentState, error: str) -> None:
        """Count an agent that can neither begin, go on with nor end a run as one whose run failed; `retry` rings it."""
        with self._store.lock:
            state.last, state.error = "failed", clean(error)
            self._inboxes.due.pop(state.agent.id, None)
            try:
                with self._store.transaction() as tx:
                    text = f"{state.agent.id} could not run: {state.error}"
                    tx.note("run_failed", text, agent_id=state.agent.id, reason="failed")
            finally:  # even what cannot be written down must not leave somebody waiting
                if not self._inboxes.due:
                    self._be_quiet()

    def _leave_alone(self, state: AgentState) -> None:
        """Count an agent that may not go on as having nothing to do; its mail and its run stay as they are."""
        if self._inboxes.due.pop(state.agent.id, self) is None and not self._inboxes.due:
            self._be_quiet()
        self._pause_after_one_run(state)

    def _pause_after_one_run(self, state: AgentState) -> None:
        if self._turns.only == state.agent.id:
            self._turns.only = ""
            self._lifecycle.halt("paused", "paused")

    def run_ended(self, state: AgentState, reason: str) -> None:
        """Take note that a run of an agent is over; called once that is durable."""
        with self._store.lock:
            state.failed = state.run if reason == "failed" else None
            if state.failed is not None:
                state.failed.has_ended = True
            state.run, state.last = None, reason
            if not state.inbox:
                self._inboxes.due.pop(state.agent.id, None)
                state.doing = "idle"
            if not self._inboxes.due:
                self._be_quiet()
            self._pause_after_one_run(state)

    def retry(self, runner: Runner, agent_id: str | None = None) -> int:
        """Open failed runs again, one agent's or all, and return how many."""
        with self._store.lock:
            states = self._states.values() if agent_id is None else [self._states[agent_id]]
            failed = [(state, state.failed) for state in states if state.failed is not None and state.run is None]
            unable = [state for state in states if state.last == "failed" and state.failed is None and _has_work(state)]
            if failed or unable:
                self._models.probe()
            tx = self._go_on(runner, failed) if failed else None
            for state in (*unable, *(state for state, _ in failed)):
                state.last, state.error = "silent", ""  # that was before: how this ends is not known yet
            self._let_go_on(unable)
        if tx is not None:
            tx.wait()
        return len(failed) + len(unable)

    def _go_on(self, runner: Runner, failed: Sequence[tuple[AgentState, Run]]) -> Transaction:
        """Let runs that failed go on in another attempt, once that is written down."""
        with self._store.transaction() as tx:
            for state, run in failed:
                runner.go_on(tx, state, run)
            tx.after(lambda: self._inboxes.become_due(state.agent.id for state, _ in failed))
            for state, run in failed:
                run.first_step = run.step
                state.run, state.failed = run, None
        return tx

    def stop_runs(self) -> None:
        """Write down that the runs in progress end here, because the service stops; opened again, they go on."""
        with self._store.lock:
            if attempts := with_open_attempt(self._states.values()):
                with self._store.transaction() as tx:
                    end_attempts(tx, attempts, "stopped")


def _has_work(state: AgentState) -> bool:
    return bool(state.inbox) or state.run is not None


def _how_it_ended(states: Sequence[AgentState]) -> tuple[str, str]:
    """Return the reason for being quiet, and a sentence if there is more to say.

    Parameters
    ----------
    states : sequence of AgentState
        Of those whose last run did not end in silence, that may not go on, or whose mail is held.
    """
    lasts = {state.last for state in states}
    halted = [state for state in states if state.is_halted and (state.inbox or state.run)]
    if "failed" in lasts:
        return "failed", _failures_told(states)
    if halted:
        reason = PAUSED if halted[0].paused else halted[0].limit
        names = listed(s.agent.id for s in halted if (PAUSED if s.paused else s.limit) == reason)
        if reason == PAUSED:
            return reason, f"quiet, but mail waits for whom you paused: {names}; agent.resume() lets it go on"
        return reason, f"quiet, but {names} met the limit of {reason} set by agent.limits; raise it and resume()"
    if held := dict.fromkeys(channel_of(message) for state in states for message in state.held_mail):
        return "courtesy", (
            f"quiet, but {listed(held)} said too little new, and their mail waits; intercom.release() delivers it"
        )
    if "steps" in lasts:
        return "steps", ""
    return "quiet", odd_ends({end: [s.agent.id for s in states if s.last == end] for end in ODD_ENDS})


def _failures_told(states: Sequence[AgentState]) -> str:
    """Say what failed: one sentence, however many runs there are, and one reason, for it is mostly the same."""
    errors = [state.error for state in states if state.last == "failed"]
    runs = "a run" if len(errors) == 1 else f"{len(errors)} runs"
    why = f": {' '.join(errors[0].split())}" if errors[0] else ""
    return f"quiet, but {runs} failed{why}; intercom.retry() tries again"
