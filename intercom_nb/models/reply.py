"""Reading a server's answer: plain JSON in the form of POST /v1/responses, however oddly it was filled in."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from intercom_nb.messages import Item
from intercom_nb.models.values import End, Usage
from intercom_nb.texts.names import clean
from intercom_nb.tools import ToolCall

__all__ = ["Read", "end_of", "read", "usage_of", "without_nulls"]

Read = tuple[tuple[Item, ...], tuple[ToolCall, ...], str]
"""The items as stored, the tool calls among them, and the text outside them."""


def read(response: Mapping[str, Any]) -> Read:
    """Return what a response says: its items as stored, its tool calls, its text."""
    output = [item for item in response["output"] if isinstance(item, dict)]
    reasons = any(item.get("type") == "reasoning" for item in output)
    items: list[Item] = []
    calls: list[ToolCall] = []
    texts: list[str] = []
    for n, item in enumerate(output):
        if item.get("type") == "function_call":
            call = _call(item, n, {call.call_id for call in calls})
            calls.append(call)
            stored = {"type": "function_call", **_fields(call)}
        elif item.get("type") == "message":
            texts.append(clean(_text(item.get("content"))))
            stored = {"role": "assistant", "content": texts[-1]}
        else:
            stored = without_nulls(item)
        # Where a model reasons, its items refer to each other by id and go back whole.
        whole = without_nulls(item) if reasons else {}
        items.append({**whole, **stored} if "call_id" in stored else whole or stored)
    return tuple(items), tuple(calls), "\n".join(filter(None, texts))


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


def without_nulls(value: Any) -> Any:
    """Return JSON without its nulls: servers send them, and refuse to have them back."""
    if isinstance(value, dict):
        return {key: without_nulls(part) for key, part in value.items() if part is not None}
    return [without_nulls(part) for part in value] if isinstance(value, list) else value


def _count(value: object) -> int | None:
    return int(value) if isinstance(value, int | float) else None


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
    if call_id in taken:
        call_id = f"{call_id}-{n}"
    arguments = item.get("arguments")
    written = arguments if isinstance(arguments, str) else json.dumps(arguments or {})
    return ToolCall(clean(call_id), clean(str(item.get("name") or "")), clean(written))
