"""What was true at a place of a log, as plain values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from intercom_nb.agent_spec import AgentSpec
from intercom_nb.limits import Spent
from intercom_nb.messages import Item, Message

__all__ = ["ChatState", "MemberState", "Place", "RunState", "State"]


@dataclass(frozen=True, slots=True)
class Place:
    """The end of a transaction.

    Attributes
    ----------
    seq : int
        Its number in the log.
    at : datetime
        When it was written, UTC.
    """

    seq: int
    at: datetime


@dataclass(frozen=True, slots=True)
class MemberState:
    """An agent or person.

    Attributes
    ----------
    kind : {"agent", "person"}
        Which.
    spec : AgentSpec
        What it is.
    version : int
        How often it was changed, and one.
    since : int
        Where in the log it was added.
    """

    kind: str
    spec: AgentSpec
    version: int
    since: int


@dataclass(frozen=True, slots=True)
class ChatState:
    """A group chat: id, name, description, its admin's id, and its members' ids in the order they joined."""

    chat_id: str
    name: str
    description: str
    admin_id: str
    members: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RunState:
    """The newest run of an agent.

    Attributes
    ----------
    run_id, agent_id : str
        Ids.
    attempt : int
        Of its attempts, the newest.
    since : int
        Where in the log the first of them began.
    spec : AgentSpec
        What its agent was when it began.
    settings : str
        What the service sent with each model call then, as JSON.
    reason : str or None
        Why that attempt ended; None while it goes on.
    error : str or None
        Of a failed one.
    turn_idx : int
        Place of its turn among all items of its agent.
    chat_list : str or None
        Shown with that turn.
    step, first_step : int
        The next step, and where the limit of steps counts from.
    waiting_items : tuple of dict, optional
        What the model answered in a step whose own tools are at work.
    outputs : mapping
        Of those: place of the call → output and whether it failed; None if that is not known.
    """

    run_id: str
    agent_id: str
    attempt: int
    since: int
    spec: AgentSpec
    settings: str
    reason: str | None
    error: str | None
    turn_idx: int
    chat_list: str | None
    step: int = 0
    first_step: int = 0
    waiting_items: tuple[Item, ...] | None = None
    outputs: Mapping[int, tuple[str, bool] | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class State:
    """What was true at a place of a log.

    Attributes
    ----------
    place : int
        Which.
    options : mapping of str to str
        What the service is told, as JSON.
    members : tuple of MemberState
        In the order they were added.
    chats : tuple of ChatState
        In the order they were created.
    pending : tuple of (str, Message)
        Agents, and the mail that waits for them, oldest first.
    runs : tuple of RunState
        The newest run of each agent that ever had one, in the order they began.
    holds : mapping of str to int
        Channels whose mail waits for a person → the first message that does.
    halts : tuple of (str or None, str)
        Agents (None for the service) and the reasons for which they may not go on.
    spent : Spent
        By all of them.
    seconds : float
        During which the service was at work.
    spent_of : mapping of str to Spent
        By each agent that ever had a run.
    told : mapping of str to frozenset of str
        Agents, and the keys of the remarks they were given.
    contacts : tuple of (str, str, str)
        Agents, whom they know, and how: ``talked`` or ``found``; oldest first.
    """

    place: int
    options: Mapping[str, str]
    members: tuple[MemberState, ...]
    chats: tuple[ChatState, ...]
    pending: tuple[tuple[str, Message], ...]
    runs: tuple[RunState, ...]
    holds: Mapping[str, int]
    halts: tuple[tuple[str | None, str], ...]
    spent: Spent
    seconds: float
    spent_of: Mapping[str, Spent]
    told: Mapping[str, frozenset[str]]
    contacts: tuple[tuple[str, str, str], ...]
