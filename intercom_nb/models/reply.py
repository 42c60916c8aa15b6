"""Reading a server's answer: plain JSON in the form of POST /v1/responses, however oddly it was filled in."""

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from intercom_nb.messages import Item
from intercom_nb.models.values import End, Usage
from intercom_nb.texts.names import clean
from intercom_nb.tools import ToolCall

__all__ = ["Read", "bytes_of", "cleaned", "end_of", "name_of", "read", "read_compacted", "usage_of"]

Read = tuple[tuple[Item, ...], tuple[ToolCall, ...], str]
"""The items as stored, the tool calls among them, and the text outside them."""

_DEEPEST = 64  # levels; no answer of sense comes near, and Python walks nothing that is much deeper
_MOST_COUNTED = 2**40  # tokens; a log has room for the sum of millions of such counts
_LONGEST_NAME = 200  # characters of a model's name or an answer's id
_OTHERS = ("user", "system", "developer", "tool")  # whose words no answer can hold
_NEEDED = {  # fields that no reader of a conversation does without
    "message": ("role", "content"),
    "function_call": ("call_id", "name", "arguments"),
    "function_call_output": ("call_id", "output"),
}


def read(response: Mapping[str, Any]) -> Read:
    """Return what a response says, once it is `cleaned`: its items as stored, its tool calls, its text."""
    output = [item for item in response["output"] if isinstance(item, dict)]
    reasons = any(item.get("type") == "reasoning" for item in output)
    items: list[Item] = []
    calls: list[ToolCall] = []
    texts: list[str] = []
    for n, item in enumerate(output):
        kind = _kind(item)
        # Where a model reasons, its items refer to each other by id and go back whole.
        if kind == "function_call":
            call = _call(item, n, {call.call_id for call in calls})
            calls.append(call)
            items.append({**(item if reasons else {}), "type": kind, **_fields(call)})
        elif kind == "message":
            texts.append(_text(item.get("content")))
            whole = {**item, "type": kind, "role": "assistant", "content": _parts(item.get("content"))}
            items.append(whole if reasons and whole["content"] else {"role": "assistant", "content": texts[-1]})
        elif kind == "reasoning":
            items.append({**item, "summary": _parts(item.get("summary"))})
        elif kind:
            items.append({key: part for key, part in item.items() if key != "role"})
    return tuple(items), tuple(calls), "\n".join(filter(None, texts))


def read_compacted(response: Mapping[str, Any]) -> tuple[Item, ...]:
    """Return what a server put in a conversation's place: whole items, users' among them, as they came."""
    return tuple(item for item in response["output"] if isinstance(item, dict) and _is_whole(item))


def end_of(response: Mapping[str, Any], calls: Sequence[ToolCall], text: str) -> End:
    """Return why an answer ended, given what was read from it.

    Examples
    --------
    >>> end_of({"output": [], "status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}, (), "So")
    'cut_off'
    >>> end_of({"output": [{"type": "reasoning", "summary": []}]}, (), "")
    'said_nothing'
    """
    details = response.get("incomplete_details")
    reason = details.get("reason") if isinstance(details, dict) else None
    if reason == "content_filter":
        return "filtered"
    if reason or response.get("status") == "incomplete":
        return "cut_off"
    items = (item for item in response["output"] if isinstance(item, dict))
    if any(part.get("refusal") for item in items for part in _parts(item.get("content"))):
        return "refused"
    return "" if calls or text.strip() else "said_nothing"


def usage_of(response: Mapping[str, Any]) -> Usage:
    """Return the tokens a response counts; None for what it does not."""
    usage = response.get("usage")
    if not isinstance(usage, dict):
        return Usage()
    details = usage.get("input_tokens_details")
    cached = details.get("cached_tokens") if isinstance(details, dict) else None
    return Usage(_count(usage.get("input_tokens")), _count(cached), _count(usage.get("output_tokens")))


def name_of(value: object) -> str:
    """Return a name or an id that a server gives, of a length for a log; empty if there is none."""
    return "" if value is None or isinstance(value, dict | list) else str(value)[:_LONGEST_NAME]


def cleaned(value: Any, deepest: int = _DEEPEST) -> Any:
    r"""Return JSON that can be stored and sent back: text that UTF-8 can carry, and neither nulls nor odd numbers.

    Servers send nulls, and refuse to have them back.

    Raises
    ------
    ValueError
        If it goes too deep.

    Examples
    --------
    >>> cleaned({"text": "half \ud83d", "id": None, "n": float("nan")})
    {'text': 'half �'}
    """
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if not isinstance(value, dict | list):
        return value
    if not deepest:
        msg = f"nested more than {_DEEPEST} deep"
        raise ValueError(msg)
    if isinstance(value, list):
        return [cleaned(part, deepest - 1) for part in value]
    parts = ((clean(str(key)), cleaned(part, deepest - 1)) for key, part in value.items())
    return {key: part for key, part in parts if part is not None}


def bytes_of(value: object) -> int:
    """Return how many bytes the texts in a piece of JSON take."""
    if isinstance(value, str):
        return len(value) if value.isascii() else len(value.encode(errors="surrogatepass"))
    parts = [*value, *value.values()] if isinstance(value, dict) else value if isinstance(value, list) else ()
    return sum(map(bytes_of, parts))


def _kind(item: Mapping[str, Any]) -> str:
    """Return what an item is; empty if it cannot be part of an answer."""
    kind = item.get("type", "message" if "role" in item else "")
    if kind == "message":
        return "" if item.get("role") in _OTHERS else "message"
    return kind if isinstance(kind, str) and kind != "function_call_output" else ""


def _is_whole(item: Mapping[str, Any]) -> bool:
    kind = item.get("type", "message")
    return isinstance(kind, str) and all(field in item for field in _NEEDED.get(kind, ()))


def _count(value: object) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value:  # noqa: PLR0124 - nan
        return None
    return int(max(0, min(value, _MOST_COUNTED)))


def _text(content: object) -> str:
    if isinstance(content, str):
        return content
    texts = ("".join(str(part.get(kind) or "") for part in _parts(content)) for kind in ("text", "refusal"))
    return "\n".join(filter(None, texts))


def _parts(content: object) -> list[Mapping[str, Any]]:
    return [part for part in content if isinstance(part, dict)] if isinstance(content, list) else []


def _fields(call: ToolCall) -> dict[str, str]:
    return {"call_id": call.call_id, "name": call.name, "arguments": call.arguments}


def _call(item: Mapping[str, Any], n: int, taken: set[str]) -> ToolCall:
    # Some servers leave the id empty, or give two calls one id; an output could then not say which call it answers.
    call_id = item.get("call_id")
    call_id = call_id if isinstance(call_id, str) and call_id else f"call-{n}"
    while call_id in taken:
        call_id = f"{call_id}-{n}"
    arguments = item.get("arguments")
    written = arguments if isinstance(arguments, str) else json.dumps(arguments or {})
    return ToolCall(call_id, str(item.get("name") or ""), written)
