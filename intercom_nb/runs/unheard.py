"""What reached nobody: a society that went quiet without a message, or an agent that answered in plain text only."""

from collections.abc import Callable, Iterable, Sequence
from itertools import islice

from intercom_nb.errors import listed
from intercom_nb.messages import Item, item_type
from intercom_nb.runs.agent_state import AgentState
from intercom_nb.texts.reasons import nobody_began, nobody_wrote, unheard
from intercom_nb.texts.turns import read_turn

__all__ = ["nothing_happened"]

_LOOKED_AT = 20  # agents that never wrote: to look at thousands whenever all is quiet would cost more than it tells
_TOLD = 2  # of them
_LONGEST = 60  # characters of what one wrote


def nothing_happened(states: Sequence[AgentState], people: int, label_of: Callable[[AgentState], str]) -> str:
    """Return what to tell of a society that is quiet where too little was said; empty if nothing need be.

    Parameters
    ----------
    states : sequence of AgentState
        Of all its agents.
    people : int
        How many persons there are.
    label_of : callable
        What an agent's model is called.
    """
    if not states or len(states) + people <= 1:
        return ""  # whoever is alone has nobody to write to
    if not any(state.spent.runs for state in states):
        return nobody_began(states[0].agent.id)
    silent = list(islice((s for s in states if s.spent.runs and not s.spent.messages), _LOOKED_AT))
    has_none = not any(state.spent.messages for state in states)
    wrote = [(state, text) for state in silent if (text := _plain_text(state)) and (has_none or _was_asked(state))]
    told = unheard([(state.agent.id, _beginning(text), label_of(state)) for state, text in wrote[:_TOLD]])
    more = f" (and {len(wrote) - _TOLD} more)" if len(wrote) > _TOLD else ""
    if has_none:
        return nobody_wrote(listed(state.agent.id for state in silent[:_TOLD]), told + more)
    return f"quiet, but {told}{more}" if told else ""


def _plain_text(state: AgentState) -> str:
    """Return what an agent's last run wrote for nobody to read."""
    last = (state.conversation or [{}])[-1]
    return " ".join(_text(last).split()) if item_type(last) == "assistant" else ""


def _was_asked(state: AgentState) -> bool:
    """Return whether somebody had written to it alone: of a group, most need not answer."""
    turns = (item for item in reversed(state.conversation or []) if item_type(item) == "user")
    try:
        read = read_turn(_text(next(turns, {})))
    except ValueError:
        return False
    return any(message.type == "agent" for message in read.incoming)


def _text(item: Item) -> str:
    content = item.get("content") or ""
    parts: Iterable[object] = [content] if isinstance(content, str) else content
    return "".join(part if isinstance(part, str) else str(part.get("text") or "") for part in parts if part)  # type: ignore[attr-defined]


def _beginning(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
