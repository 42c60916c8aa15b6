"""One agent's working state: its mail, its conversation, and the run it is in."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

from intercom_nb.limits import Spent
from intercom_nb.log.facts import Reason, RunEnded
from intercom_nb.log.transaction import Transaction
from intercom_nb.members.agent import Agent
from intercom_nb.messages import Item, Message
from intercom_nb.model_settings import ModelSettings
from intercom_nb.models import Model
from intercom_nb.runs.fingerprints import Chain

__all__ = ["AgentState", "Run", "end_attempt", "end_attempts", "with_open_attempt"]


@dataclass(slots=True)
class Run:
    """A run in progress.

    Attributes
    ----------
    run_id : str
        Such as ``run-12``.
    instructions : str
        As they were when it began.
    model : Model
        Who answers.
    settings : ModelSettings
        What is sent with each of its calls.
    turn_idx : int
        Place of its turn among all items of its agent.
    chat_list : str or None
        Shown with that turn.
    attempt : int
        1, 2, …: a run that failed or was interrupted goes on in another attempt.
    has_ended : bool
        Whether that attempt is over in the log, so that the next one begins when the run goes on.
    step : int
        The next step.
    first_step : int
        Where its limit of steps counts from; moves when it is retried.
    waiting_items : tuple of dict, optional
        The items of a step whose own tools are at work.
    outputs : dict
        What is known about those tools: place of the call → output and whether it failed; None after a crash.
    fingerprint : str
        Of the request that is on its way; empty while none is.
    """

    run_id: str
    instructions: str
    model: Model
    settings: ModelSettings
    turn_idx: int
    chat_list: str | None
    attempt: int = 1
    has_ended: bool = False
    step: int = 0
    first_step: int = 0
    waiting_items: tuple[Item, ...] | None = None
    outputs: dict[int, tuple[str, bool] | None] = field(default_factory=dict)
    fingerprint: str = ""


@dataclass(slots=True)
class AgentState:
    """One agent's working state; changed under the store's lock.

    Attributes
    ----------
    inbox : list of Message
        What its next run will read.
    held_mail : list of Message
        What waits for a person, until the guard against courtesy lets it go.
    conversation : list of dict or None
        What is sent to its model; None until somebody asks for it.
    chain : Chain
        The fingerprint of its next request; loaded with the conversation.
    bytes, tool_bytes : int
        Size of its conversation and of the tools it is sent with.
    base, replaced : int
        Where in the log its conversation begins, less what was put in place of older items; how many those are.
    most_tokens : int
        What its server was found to take, less a reserve; 0 if that never was too little.
    measured : tuple of int
        Size of the last request that its server counted, and how many tokens those were.
    spent : Spent
        What it has spent itself.
    error : str
        Why its last run failed, one sentence.
    paused : bool
        Whether somebody paused it alone.
    limit : str
        The limit of its own that keeps it from going on; empty if none does.
    told : set of str
        Keys of the remarks it was given: each is made once.
    """

    agent: Agent
    inbox: list[Message] = field(default_factory=list)
    held_mail: list[Message] = field(default_factory=list)
    conversation: list[Item] | None = None
    chain: Chain = field(default_factory=Chain)
    run: Run | None = None
    failed: Run | None = None
    doing: Literal["idle", "thinking", "acting"] = "idle"
    last: str = "silent"
    bytes: int = 0
    tool_bytes: int = 0
    base: int = 0
    replaced: int = 0
    most_tokens: int = 0
    measured: tuple[int, int] = (0, 0)
    spent: Spent = field(default_factory=Spent)
    error: str = ""
    paused: bool = False
    limit: str = ""
    told: set[str] = field(default_factory=set)

    @property
    def is_halted(self) -> bool:
        """Whether it alone may not go on now."""
        return self.paused or bool(self.limit)


def with_open_attempt(states: Iterable[AgentState]) -> list[tuple[AgentState, Run]]:
    """Return those in a run whose attempt is not over, with that run."""
    return [(state, state.run) for state in states if state.run is not None and not state.run.has_ended]


def end_attempts(tx: Transaction, attempts: Iterable[tuple[AgentState, Run]], reason: Reason) -> None:
    """End these attempts; the next process, or the next start, makes others of the same runs."""
    for state, run in attempts:
        end_attempt(tx, state, run, reason)
        tx.keep(run, "has_ended")
        run.has_ended = True


def end_attempt(tx: Transaction, state: AgentState, run: Run, reason: Reason, error: str | None = None) -> None:
    """Write down that an attempt of a run ends here, and what its agent has spent by then."""
    at, spent = tx.at, state.spent.to_json()
    tx.add(RunEnded(run.run_id, run.attempt, tx.seq(), at, reason, error, spent))
