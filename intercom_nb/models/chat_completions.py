"""The adapter for servers that speak chat completions only: a request there, and its answer back, as JSON.

A conversation is stored in the form of POST /v1/responses, whichever way a server is talked to. Reasoning has no
place in chat completions and is left out of what is sent there.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from intercom_nb.messages import Item
from intercom_nb.models.reply import name_of

__all__ = ["Pieces", "chat_messages", "chat_tools", "response_of"]

_ENDS = {"length": "max_output_tokens", "content_filter": "content_filter"}  # finish reasons, as Responses has them


def chat_messages(instructions: str, conversation: Iterable[Item]) -> list[dict[str, Any]]:
    """Return a conversation as chat messages, the instructions first.

    Examples
    --------
    >>> chat_messages("Be kind.", [{"role": "user", "content": "Begin"}])
    [{'role': 'system', 'content': 'Be kind.'}, {'role': 'user', 'content': 'Begin'}]
    """
    messages: list[dict[str, Any]] = [{"role": "system", "content": instructions}]
    for item in conversation:
        kind = item.get("type", "message")
        if kind == "function_call":
            # Calls of one step belong to one message, and to the text said with them.
            if messages[-1]["role"] != "assistant":
                messages.append({"role": "assistant", "content": ""})
            messages[-1].setdefault("tool_calls", []).append(_chat_call(item))
        elif kind == "function_call_output":
            messages.append({"role": "tool", "tool_call_id": item["call_id"], "content": _plain(item["output"])})
        elif kind == "message":
            role = "system" if item["role"] == "developer" else item["role"]
            messages.append({"role": role, "content": _plain(item["content"])})
    return messages


def chat_tools(tools: Sequence[Mapping[str, Any]], *, strict: bool = True) -> list[dict[str, Any]]:
    """Return tools in the form of chat completions."""
    hidden = {"type"} if strict else {"type", "strict"}
    return [{"type": "function", "function": {k: v for k, v in tool.items() if k not in hidden}} for tool in tools]


def response_of(completion: Mapping[str, Any]) -> dict[str, Any]:
    """Return a chat completion as a response.

    Raises
    ------
    ValueError
        If there is no message in it.
    """
    choice = _choice(completion)
    message = choice.get("message")
    if not isinstance(message, dict):
        raise ValueError("no message in it")  # noqa: TRY004 - the server's value is wrong, not a caller's type
    output = [_call_item(call) for call in _dicts(message.get("tool_calls"))]
    text, refusal = _plain(message.get("content")), _plain(message.get("refusal"))
    parts: list[dict[str, Any]] = [{"type": "refusal", "refusal": refusal}] if refusal else []
    if text or not (output or parts):
        parts.insert(0, {"type": "output_text", "text": text, "annotations": []})
    if parts:
        output.insert(0, {"type": "message", "role": "assistant", "status": "completed", "content": parts})
    head = {key: completion[key] for key in ("id", "model") if completion.get(key)}
    if reason := _ENDS.get(str(choice.get("finish_reason"))):
        head |= {"status": "incomplete", "incomplete_details": {"reason": reason}}
    return {**head, "output": output, "usage": _usage(completion)}


class Pieces:
    """A streamed chat completion, put together as it arrives."""

    def __init__(self) -> None:
        self._head: dict[str, Any] = {}
        self._text: list[str] = []
        self._refusal: list[str] = []
        self._reason = ""
        self._calls: list[dict[str, Any]] = []
        self._places: dict[Any, int] = {}

    @property
    def finished(self) -> bool:
        """Whether the end has arrived."""
        return bool(self._reason)

    def add(self, chunk: Mapping[str, Any]) -> list[tuple[str, str, int, str]]:
        """Add a chunk; return what is new in it: kind, text, place in the answer, tool's name."""
        self._head |= {key: chunk[key] for key in ("id", "model", "usage") if chunk.get(key)}
        choice = _choice(chunk)
        self._reason = str(choice.get("finish_reason") or self._reason)
        delta = _dict(choice.get("delta"))
        new = []
        if text := _plain(delta.get("content")):
            self._text.append(text)
            new.append(("text", text, 0, ""))
        if text := _plain(delta.get("refusal")):
            self._refusal.append(text)
            new.append(("text", text, 0, ""))
        for part in _dicts(delta.get("tool_calls")):
            place, call = self._call(part)
            function = _dict(part.get("function"))
            call["name"] += name_of(function.get("name"))
            arguments = function.get("arguments")
            written = arguments if isinstance(arguments, str) else json.dumps(arguments) if arguments else ""
            call["arguments"] += written
            new.append(("arguments", written, place + 1, call["name"]))
        return new

    def _call(self, part: Mapping[str, Any]) -> tuple[int, dict[str, Any]]:
        # Some servers leave the index out; then a new id begins a new call.
        call_id, key = name_of(part.get("id")), part.get("index")
        if not isinstance(key, int | str):
            key = call_id or (len(self._calls) - 1 if self._calls else 0)
        if key not in self._places:
            self._places[key] = len(self._calls)
            self._calls.append({"id": "", "name": "", "arguments": ""})
        place = self._places[key]
        self._calls[place]["id"] = self._calls[place]["id"] or call_id
        return place, self._calls[place]

    def completion(self) -> dict[str, Any]:
        """Return the whole completion."""
        calls = [
            {"id": call["id"], "function": {"name": call["name"], "arguments": call["arguments"]}}
            for call in self._calls
        ]
        message = {"content": "".join(self._text), "refusal": "".join(self._refusal), "tool_calls": calls}
        return {**self._head, "choices": [{"message": message, "finish_reason": self._reason}]}


def _chat_call(item: Item) -> dict[str, Any]:
    arguments = item["arguments"]
    try:
        json.loads(arguments)
    except (ValueError, RecursionError):
        # What a model wrote wrongly once would be refused by many servers each time it is sent back.
        arguments = json.dumps({"unreadable": arguments}, ensure_ascii=False)
    return {
        "id": item["call_id"],
        "type": "function",
        "function": {"name": item["name"], "arguments": arguments},
    }


def _call_item(call: Mapping[str, Any]) -> dict[str, Any]:
    function = _dict(call.get("function")) or call
    return {
        "type": "function_call",
        "call_id": call.get("id"),
        "name": function.get("name"),
        "arguments": function.get("arguments"),
    }


def _usage(completion: Mapping[str, Any]) -> dict[str, Any] | None:
    usage = completion.get("usage")
    if not isinstance(usage, dict):
        return None
    details = usage.get("prompt_tokens_details")
    cached = details.get("cached_tokens") if isinstance(details, dict) else None
    return {
        "input_tokens": usage.get("prompt_tokens"),
        "input_tokens_details": {"cached_tokens": cached},
        "output_tokens": usage.get("completion_tokens"),
    }


def _plain(content: object) -> str:
    if isinstance(content, str):
        return content
    return "".join(str(part.get("text") or part.get("refusal") or "") for part in _dicts(content))


def _choice(completion: Mapping[str, Any]) -> dict[str, Any]:
    return next(iter(_dicts(completion.get("choices"))), {})


def _dict(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _dicts(value: object) -> list[dict[str, Any]]:
    return [part for part in value if isinstance(part, dict)] if isinstance(value, list) else []
