"""What a model call was asked, and what was recorded: in words, what differs."""

import json
from collections.abc import Sequence
from itertools import zip_longest
from typing import Any

from intercom_nb.log.reading import Query
from intercom_nb.log.state import conversation
from intercom_nb.messages import Item
from intercom_nb.models.recording.recorded import Call
from intercom_nb.models.values import Request
from intercom_nb.texts.instructions import compose, guideline_digest

__all__ = ["differences"]

_SHOWN = 60  # characters of an item's beginning and of its end
_SPEC = """
SELECT a.name, a.agent_id, a.mission, a.description FROM agents AS a
JOIN runs AS r ON a.agent_id = r.agent_id AND a.version = r.agent_version WHERE r.run_id = ? AND r.attempt = 1
"""
_GUIDELINE = "SELECT guideline FROM openings WHERE seq <= ? ORDER BY seq DESC LIMIT 1"


def differences(query: Query, call: Call, request: Request) -> str:
    """Return what differs between a call of a log and one that is made now, whose fingerprint is another."""
    found = []
    if bool(call.how) != (request.kind == "compact" or not request.tools):
        found.append("one of them shortens the conversation, the other continues it")
    if request.model != call.asked:
        found.append(f"the model is {request.model!r} and was {call.asked!r}")
    if (settings := request.settings.to_json()) != call.settings:
        found.append(f"the settings are {settings} and were {call.settings}")
    spec = query(_SPEC, call.run_id)
    same_guideline = query(_GUIDELINE, call.seq) == [(guideline_digest(),)]
    if not spec or compose(*spec[0]) != request.instructions:
        found.append("the instructions differ")
    elif not same_guideline:
        found.append("the guideline that is part of the instructions differs")
    if not call.how and (said := _conversations(_recorded(query, call), list(request.conversation))):
        found.append(said)
    return "; ".join(found) or "the tools differ, or what it was asked before"


def _recorded(query: Query, call: Call) -> list[Item]:
    """Return the conversation that was sent, its newest turn with the chat list that it was shown."""
    items = conversation(query, call.agent_id, call.seq - 1)
    ((n_before,),) = query(
        "SELECT MAX(idx) + 1 FROM items WHERE agent_id = ? AND seq < ?", call.agent_id, call.seq
    )  # fmt: skip
    ((turn_idx, chat_list),) = query(
        "SELECT turn_idx, chat_list FROM runs WHERE run_id = ? AND attempt = 1", call.run_id
    )
    turn = turn_idx - (n_before - len(items))
    if chat_list is not None and 0 <= turn < len(items):
        items[turn] = {**items[turn], "content": f"Chat list:\n{chat_list}\n\n{items[turn]['content']}"}
    return items


def _conversations(was: Sequence[Item], now: Sequence[Item]) -> str:
    """Return the first item that differs between two conversations; empty if none does."""
    for n, (old, new) in enumerate(zip_longest(was, now), 1):
        if old != new:
            return f"item {n} of the conversation is {_shown(new, old)} and was {_shown(old, new)}"
    return ""


def _shown(item: Item | None, other: Item | None) -> str:
    if item is None:
        return "missing"
    text, beside = _text(item), "" if other is None else _text(other)
    if len(text) > 2 * _SHOWN:
        # Where it begins to differ is what a person looks for.
        at = next((n for n, (a, b) in enumerate(zip(text, beside, strict=False)) if a != b), 0)
        at = max(0, min(at - _SHOWN, len(text) - 2 * _SHOWN))
        text = ("…" if at else "") + text[at : at + 2 * _SHOWN] + ("…" if at + 2 * _SHOWN < len(text) else "")
    return repr(text)


def _text(item: Item) -> str:
    content: Any = item.get("content") or item.get("output")
    return content if isinstance(content, str) else json.dumps(item, ensure_ascii=False)
