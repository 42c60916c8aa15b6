"""The wire form of the offline and the scripted assistant: POST …/responses as ASGI events and plain dicts."""

import hashlib
import json
import re
from collections.abc import Awaitable, Callable, Iterable, Iterator, MutableMapping
from typing import Any, TypeAlias

from intercom_nb.models.offline.rules import Call

__all__ = [
    "Receive",
    "Scope",
    "Send",
    "WireRequest",
    "error_json",
    "parse_request",
    "read_body",
    "response_json",
    "send_events",
    "send_json",
]

WireRequest: TypeAlias = dict[str, Any]
Scope: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send: TypeAlias = Callable[[MutableMapping[str, Any]], Awaitable[None]]


# Requests


async def read_body(receive: Receive) -> bytes:
    """Return the whole body of a request."""
    parts, more = [], True
    while more:
        event = await receive()
        parts.append(event.get("body", b""))
        more = event.get("more_body", False)
    return b"".join(parts)


def parse_request(body: bytes) -> WireRequest:
    """Return the request in a body.

    Raises
    ------
    ValueError
        If the body is no JSON object; the sentence is for the client.

    Examples
    --------
    >>> parse_request(b'{"input": "Begin"}')
    {'input': 'Begin'}
    """
    try:
        request = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"the body is not valid JSON: {error}") from None
    if not isinstance(request, dict):
        raise ValueError("the body should be a JSON object")  # noqa: TRY004 (the value is wrong, not a caller's type)
    return request


# Answers


def response_json(model: str, request: WireRequest, body: bytes, steps: Iterable[str | Call]) -> dict[str, Any]:
    """Return a complete response with the output items of one step: texts and tool calls.

    Usage counts a token for every four bytes of the JSON, rounded up; nothing is ever cached.

    Examples
    --------
    >>> response_json("offline", {"input": "Begin"}, b"", ["Done."])["output"][0]["content"][0]["text"]
    'Done.'
    """
    # A conversation grows with every step, so a digest of the request is new at every step and the same at a retry.
    digest = hashlib.sha256(body).hexdigest()[:20]
    output = [_item(step, f"{digest}_{n}") for n, step in enumerate(steps)]
    read = _tokens([request.get("instructions"), request.get("input"), request.get("tools")])
    written = _tokens([item.get("arguments") or item["content"][0]["text"] for item in output])
    # The tools are not echoed: the client would spend more time on reading them than on all the rest.
    fixed = {"object": "response", "created_at": 0, "status": "completed", "tools": [], "tool_choice": "auto"}
    usage = {
        "input_tokens": read,
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens": written,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": read + written,
    }
    return {
        "id": f"resp_{digest}",
        **fixed,
        "parallel_tool_calls": True,
        "model": model,
        "output": output,
        "usage": usage,
    }


def _item(step: str | Call, key: str) -> dict[str, Any]:
    if isinstance(step, str):
        part = {"type": "output_text", "text": step, "annotations": []}
        return {"type": "message", "id": f"msg_{key}", "role": "assistant", "status": "completed", "content": [part]}
    arguments = step.arguments if isinstance(step.arguments, str) else json.dumps(step.arguments, ensure_ascii=False)
    ids = {"id": f"fc_{key}", "call_id": f"call_{key}"}
    return {"type": "function_call", **ids, "name": step.name, "arguments": arguments, "status": "completed"}


def _tokens(value: object) -> int:
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return -(-len(text.encode("utf-8", "surrogatepass")) // 4)


def error_json(message: str, code: str) -> dict[str, Any]:
    """Return an error in the form of OpenAI's server."""
    return {"error": {"message": message, "type": "invalid_request_error", "param": None, "code": code}}


async def send_json(
    send: Send, status: int, body: str | dict[str, Any], headers: Iterable[tuple[bytes, bytes]] = ()
) -> None:
    """Send an answer; a str goes out as it is."""
    text = body if isinstance(body, str) else json.dumps(body)
    head = [(b"content-type", b"application/json"), *headers]
    await send({"type": "http.response.start", "status": status, "headers": head})
    await send({"type": "http.response.body", "body": text.encode("utf-8", "replace")})


async def send_events(send: Send, response: dict[str, Any]) -> None:
    """Send a response as the server-sent events of a stream, the completed response last."""
    head = [(b"content-type", b"text/event-stream; charset=utf-8")]
    await send({"type": "http.response.start", "status": 200, "headers": head})
    for n, event in enumerate(_events(response)):
        text = json.dumps({**event, "sequence_number": n}, ensure_ascii=False)
        data = f"event: {event['type']}\ndata: {text}\n\n".encode("utf-8", "replace")
        await send({"type": "http.response.body", "body": data, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


def _events(response: dict[str, Any]) -> Iterator[dict[str, Any]]:
    begun = {**response, "status": "in_progress", "output": [], "usage": None}
    yield {"type": "response.created", "response": begun}
    yield {"type": "response.in_progress", "response": begun}
    for n, item in enumerate(response["output"]):
        where = {"output_index": n, "item_id": item["id"]}
        begun_item: dict[str, Any] = {**item, "status": "in_progress"}
        if item["type"] == "message":
            begun_item["content"] = []
        else:
            begun_item["arguments"] = ""
        yield {"type": "response.output_item.added", "output_index": n, "item": begun_item}
        if item["type"] == "message":
            yield from _text_events(where, item["content"][0])
        else:
            for piece in _pieces(item["arguments"]):
                yield {"type": "response.function_call_arguments.delta", **where, "delta": piece}
            whole = {"name": item["name"], "arguments": item["arguments"]}
            yield {"type": "response.function_call_arguments.done", **where, **whole}
        yield {"type": "response.output_item.done", "output_index": n, "item": item}
    yield {"type": "response.completed", "response": response}


def _text_events(where: dict[str, Any], part: dict[str, Any]) -> Iterator[dict[str, Any]]:
    where = {**where, "content_index": 0}
    yield {"type": "response.content_part.added", **where, "part": {**part, "text": ""}}
    for piece in _pieces(part["text"]):
        yield {"type": "response.output_text.delta", **where, "delta": piece, "logprobs": []}
    yield {"type": "response.output_text.done", **where, "text": part["text"], "logprobs": []}
    yield {"type": "response.content_part.done", **where, "part": part}


def _pieces(text: str) -> list[str]:
    return re.findall(r"\s*\S+\s*$|\s*\S+|\s+", text)
