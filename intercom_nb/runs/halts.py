"""What keeps one agent from going on while the others do: somebody paused it, or it met a limit of its own."""

from collections.abc import Iterable

from intercom_nb.log.facts import Halted, Resumed
from intercom_nb.log.store import Store
from intercom_nb.runs.agent_state import AgentState

__all__ = ["PAUSED", "Halts"]

PAUSED = "paused"
"""The reason of a halt that a person asked for; every other one is a limit's name."""


class Halts:
    """Halts the agents of one service, and writes it down; what follows from it is the scheduler's."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def pause(self, state: AgentState) -> bool:
        """Pause an agent; return whether it was not paused before."""
        with self._store.transaction() as tx:
            if state.paused:
                return False
            tx.add(Halted(tx.seq(), state.agent.id, PAUSED, tx.at))
            tx.note("agent_paused", f"{state.agent.id} is paused", agent_id=state.agent.id, reason=PAUSED)
            state.paused = True
        return True

    def resume(self, state: AgentState) -> bool:
        """Let an agent go on that was paused; return whether it was."""
        with self._store.transaction() as tx:
            if not state.paused:
                return False
            tx.add(Resumed(tx.seq(), state.agent.id, (PAUSED,)))
            tx.note("agent_resumed", f"{state.agent.id} goes on", agent_id=state.agent.id, reason=PAUSED)
            state.paused = False
        return True

    def meet(self, state: AgentState, limit: str) -> None:
        """Leave an agent alone that has met a limit of its own."""
        with self._store.transaction() as tx:
            if state.limit:
                return
            tx.add(Halted(tx.seq(), state.agent.id, limit, tx.at))
            text = f"{state.agent.id} met the limit of {limit} set by agent.limits"
            tx.note("agent_limited", text, agent_id=state.agent.id, reason=limit)
            state.limit = limit

    def lift_limits(self, states: Iterable[AgentState]) -> list[AgentState]:
        """Let agents that met a limit of their own look again whether they may go on; return those."""
        with self._store.lock:
            met = [state for state in states if state.limit]
            if met:
                with self._store.transaction() as tx:
                    for state in met:
                        tx.add(Resumed(tx.seq(), state.agent.id, (state.limit,)))
                    for state in met:
                        state.limit = ""
            return met
