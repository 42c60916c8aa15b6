"""Mail that waits: who has something to do, agents and persons alike. Where the router puts what was accepted."""

import threading
from collections.abc import Callable, Iterable, Sequence

from intercom_nb.log.transaction import Transaction
from intercom_nb.messages import Message
from intercom_nb.routing.courtesy import channel_of
from intercom_nb.runs.agent_state import AgentState
from intercom_nb.runs.lifecycle import Lifecycle

__all__ = ["Inboxes"]


class Inboxes:
    """The mail of one service's members; changed under the log's lock.

    Parameters
    ----------
    lock : RLock
        Of the log.
    lifecycle : Lifecycle
        Of the same service.
    ring : callable
        Called with the ids of agents that have something to do; may be called from any thread.
    heard : callable
        Called with every accepted message, once it is in the log.

    Attributes
    ----------
    states : dict of str to AgentState
        By agent.
    persons : dict of str to list of Message, or None
        What each person has received, oldest first; None until somebody asks for what an earlier process left.
    due : dict of str
        Agents that have something to do, in the order they became due, so that a start has an order too.
    """

    def __init__(
        self,
        lock: threading.RLock,
        lifecycle: Lifecycle,
        ring: Callable[[Iterable[str]], None],
        heard: Callable[[Message], None],
    ) -> None:
        self._lock = lock
        self._lifecycle = lifecycle
        self._ring = ring
        self._heard = heard
        self.states: dict[str, AgentState] = {}
        self.persons: dict[str, list[Message] | None] = {}
        self.due: dict[str, None] = {}

    def count(self, tx: Transaction, message: Message) -> None:
        """Count a message as sent, with the transaction that says so; an agent's own are those of its runs."""
        tx.keep(self._lifecycle.spent, "messages")
        self._lifecycle.spent.messages += 1
        if message.run_id is not None and message.sender_id in self.states:
            spent = self.states[message.sender_id].spent
            tx.keep(spent, "messages")
            spent.messages += 1

    def deliver(self, message: Message, agent_ids: Sequence[str], person_ids: Sequence[str], *, held: bool) -> None:
        """Put an accepted message into its receivers' inboxes and ring them; one that is held waits beside them."""
        with self._lock:
            for person_id in person_ids:
                received = self.persons[person_id]
                if received is not None:
                    received.append(message)
            states = [self.states[agent_id] for agent_id in agent_ids]
            for state in states:
                (state.held_mail if held else state.inbox).append(message)
            if not held:
                self.become_due([one for one, state in zip(agent_ids, states, strict=True) if not state.is_halted])
        self._heard(message)

    def let_go(self, channels: Sequence[str]) -> None:
        """Put what waited in these channels into the inboxes it was for, in the order of the log."""
        with self._lock:
            states = [
                state for state in self.states.values() if any(channel_of(m) in channels for m in state.held_mail)
            ]
            for state in states:
                free = [message for message in state.held_mail if channel_of(message) in channels]
                state.held_mail = [message for message in state.held_mail if channel_of(message) not in channels]
                state.inbox = sorted(state.inbox + free, key=lambda message: message.seq)
            self.become_due(state.agent.id for state in states if not state.is_halted)

    def become_due(self, agent_ids: Iterable[str]) -> None:
        """Note that these agents have something to do, and ring them."""
        ids = dict.fromkeys(agent_ids)
        if ids:
            with self._lock:
                self.due |= ids
                self._lifecycle.busy()
            self._ring(ids)

    def ring_all(self) -> bool:
        """Ring every agent that has something to do; return whether there is one."""
        with self._lock:
            self._ring(self.due)
            return bool(self.due)

    def ring_one(self, agent_id: str) -> None:
        """Ring one agent."""
        self._ring([agent_id])
