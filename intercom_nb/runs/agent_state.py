"""One agent's working state: its mail, its conversation, and the run it is in."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from intercom_nb.contact_policies import ContactPolicy
from intercom_nb.limits import Spent
from intercom_nb.members.agent import Agent
from intercom_nb.messages import Item, Message
from intercom_nb.models import Model
from intercom_nb.models.prices import Prices

__all__ = ["Desk", "Options", "Run"]


@dataclass(frozen=True, slots=True)
class Options:
    """What a service sets for all its runs; `InterComService` says what each of them means."""

    every_chat_list: bool = False
    prices: Prices = field(default_factory=Prices)
    max_output_tokens: int | None = None
    courtesy: bool = True
    context: int | None = None
    contacts: ContactPolicy = None
    may_contact: Callable[[Any, Any], bool] | None = None
    embeddings: str | None = None


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
    turn_idx : int
        Place of its turn among all items of its agent.
    chat_list : str or None
        Shown with that turn.
    step : int
        The next step.
    first_step : int
        Where its limit of steps counts from; moves when it is retried.
    held : tuple of dict, optional
        The items of a step whose own tools are at work.
    outputs : dict
        What is known about those tools: place of the call → output and whether it failed; None after a crash.
    """

    run_id: str
    instructions: str
    model: Model
    turn_idx: int
    chat_list: str | None
    step: int = 0
    first_step: int = 0
    held: tuple[Item, ...] | None = None
    outputs: dict[int, tuple[str, bool] | None] = field(default_factory=dict)


@dataclass(slots=True)
class Desk:
    """One agent's working state; changed under the store's lock.

    Attributes
    ----------
    inbox : list of Message
        What its next run will read.
    kept : list of Message
        What waits for a person, until the guard against courtesy lets it go.
    conversation : list of dict or None
        What is sent to its model; None until somebody asks for it.
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
    met : str
        The limit of its own that keeps it from going on, or ``paused``; empty if nothing does.
    told : set of str
        Keys of the remarks it was given: each is made once.
    """

    agent: Agent
    inbox: list[Message] = field(default_factory=list)
    kept: list[Message] = field(default_factory=list)
    conversation: list[Item] | None = None
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
    met: str = ""
    told: set[str] = field(default_factory=set)
