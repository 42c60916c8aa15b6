"""One agent's working state: its mail, its conversation, and the run it is in."""

from dataclasses import dataclass, field
from typing import Literal

from intercom_nb.agent import Agent
from intercom_nb.messages import Item, Message
from intercom_nb.models import Model

__all__ = ["Desk", "Run"]


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
        Place of its turn in the conversation.
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
    """One agent's working state; changed under the store's lock."""

    agent: Agent
    inbox: list[Message] = field(default_factory=list)
    conversation: list[Item] | None = None
    run: Run | None = None
    failed: Run | None = None
    doing: Literal["idle", "thinking", "acting"] = "idle"
    last: str = "silent"
