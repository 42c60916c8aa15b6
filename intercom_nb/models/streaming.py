"""Reading a streamed answer: what arrives is told as it comes, and the completed answer is the truth."""

from collections.abc import AsyncIterable, Mapping
from typing import Any

from intercom_nb.models.chat_completions import Pieces
from intercom_nb.models.reply import bytes_of, name_of
from intercom_nb.models.values import Delta, Request, TooLarge
from intercom_nb.texts.names import clean

__all__ = ["read_chat_stream", "read_response_stream"]

_BROKE_OFF = "the stream broke off"
_KINDS = {
    "response.output_text.delta": "text",
    "response.refusal.delta": "text",
    "response.function_call_arguments.delta": "arguments",
}
_ENDS = ("response.completed", "response.incomplete", "response.failed")


async def read_response_stream(events: AsyncIterable[Any], request: Request) -> dict[str, Any]:
    """Return the response at the end of a stream of POST /v1/responses.

    Raises
    ------
    ValueError
        If the stream ends without one.
    """
    tools: dict[int, str] = {}
    done: list[Any] = []
    size = 0
    async for event in events:
        kind = str(event.get("type")) if isinstance(event, dict) else ""
        if kind in _KINDS:
            place = _place(event)
            size = _checked(size + bytes_of(event.get("delta")), request)
            tool = tools.get(place, "") if _KINDS[kind] == "arguments" else ""
            _tell(request, _KINDS[kind], event.get("delta"), place, tool)
        elif kind == "response.output_item.added":
            # Some servers give two items one place: only what is shown meanwhile could suffer.
            item = event.get("item")
            tools[_place(event)] = name_of(item.get("name")) if isinstance(item, dict) else ""
        elif kind == "response.output_item.done":
            done.append(event.get("item"))
            _checked(sum(map(bytes_of, done)), request)
        elif kind in _ENDS and isinstance(event.get("response"), dict):
            response: dict[str, Any] = event["response"]
            _checked(bytes_of(response), request)
            return response if response.get("output") else {**response, "output": done}
        elif kind == "error":
            return _failed(event)
    raise ValueError(_BROKE_OFF)


async def read_chat_stream(chunks: AsyncIterable[Any], request: Request) -> dict[str, Any]:
    """Return the chat completion that a stream of chunks makes up.

    Raises
    ------
    ValueError
        If the stream ends before it is whole.
    """
    pieces = Pieces()
    size = 0
    async for chunk in chunks:
        if isinstance(chunk, dict):
            for kind, text, place, tool in pieces.add(chunk):
                size = _checked(size + bytes_of(text), request)
                _tell(request, kind, text, place, tool)
    if not pieces.finished:
        raise ValueError(_BROKE_OFF)
    return pieces.completion()


def _tell(request: Request, kind: str, text: object, place: int, tool: str) -> None:
    if request.hear is not None and isinstance(text, str) and text:
        origin = request.origin
        piece = clean(text), place, clean(tool), request.attempt
        request.hear(Delta(origin.agent_id, origin.run_id, origin.step, kind, *piece))


def _failed(event: Mapping[str, Any]) -> dict[str, Any]:
    error = event.get("error") if isinstance(event.get("error"), dict) else event
    return {"status": "failed", "error": error, "output": []}


def _place(event: Mapping[str, Any]) -> int:
    place = event.get("output_index")
    return place if isinstance(place, int) else 0


def _checked(size: int, request: Request) -> int:
    if size > request.most_bytes:
        raise TooLarge
    return size
