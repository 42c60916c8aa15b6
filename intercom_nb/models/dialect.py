"""How one endpoint wants to be talked to: found out from its answers, once."""

import json
import re
from http import HTTPStatus
from typing import Any

from intercom_nb.model_settings import ModelSettings
from intercom_nb.models.chat_completions import chat_messages, chat_tools
from intercom_nb.models.values import Request

__all__ = ["CHAT", "COMPACT", "EMBEDDINGS", "RESPONSES", "Dialect", "is_missing_route"]

RESPONSES, CHAT, COMPACT = "/responses", "/chat/completions", "/responses/compact"
EMBEDDINGS = "/embeddings"
_REASONING = re.compile(r"(o\d|gpt-(?!.*chat)[5-9])")
_OPTIONAL = ("include", "parallel_tool_calls", "store", "stream_options", "strict")  # no setting: that a person wants
_LIMITS = {RESPONSES: "max_output_tokens", CHAT: "max_tokens"}
_OTHER_LIMITS = ("max_completion_tokens", "max_tokens", "max_output_tokens")
_NESTED = {"reasoning_effort": ("reasoning", "effort"), "verbosity": ("text", "verbosity")}


def is_missing_route(status: int, body: object) -> bool:
    """Return whether a server says that it has no such path; a 404 that names a model is about the model."""
    if status == HTTPStatus.METHOD_NOT_ALLOWED:
        return True
    said = body if isinstance(body, str) else json.dumps(body, ensure_ascii=False)
    return status == HTTPStatus.NOT_FOUND and re.search(r"\bmodel", said.replace("_", " "), re.IGNORECASE) is None


class Dialect:
    """What is known about one endpoint.

    Attributes
    ----------
    path : str
        Where requests go: ``/responses`` or ``/chat/completions``.
    sure : bool
        Whether that is known, or only assumed.
    dropped : set of str
        Optional fields that it refuses; never a setting.
    limit : str
        What it calls the most tokens that an answer may have, where that is not what its path calls it.
    streams : bool
        Whether it is asked to stream when somebody listens.
    """

    def __init__(self, *, sure: bool = False) -> None:
        self.path = RESPONSES
        self.sure = sure
        self.dropped: set[str] = set()
        self.limit = ""
        self.streams = True

    def settle(self, path: str) -> None:
        """Go this way from now on."""
        self.path, self.sure = path, True

    def body(self, request: Request, path: str, *, stream: bool) -> dict[str, Any]:
        """Return what to send: fields that are set and not refused, nothing else."""
        strict = "strict" not in self.dropped
        if path == CHAT:
            tools: list[Any] = chat_tools(request.tools, strict=strict)
            body: dict[str, Any] = {
                "model": request.model,
                "messages": chat_messages(request.instructions, request.conversation),
                "stream": stream,
            }
            if stream:
                body["stream_options"] = {"include_usage": True}
        else:
            body = {
                "model": request.model,
                "instructions": request.instructions,
                "input": request.conversation,
                "stream": stream,
                "store": False,
            }
            tools = [tool if strict else {k: v for k, v in tool.items() if k != "strict"} for tool in request.tools]
            if _REASONING.match(request.model):
                body["include"] = ["reasoning.encrypted_content"]
        if tools:
            body |= {"tools": tools, "parallel_tool_calls": True}
        kept = {key: value for key, value in body.items() if key not in self.dropped}
        return {**kept, **_fields(request.settings, path, self.limit or _LIMITS[path])}

    def learn(self, status: int, said: object, sent: dict[str, Any]) -> bool:
        """Return whether a refusal named an optional field, which is left out from now on, or another name for one."""
        if status not in (HTTPStatus.BAD_REQUEST, HTTPStatus.UNPROCESSABLE_ENTITY):
            return False
        text = said if isinstance(said, str) else json.dumps(said, ensure_ascii=False)
        present = {*sent, "strict"} if any("strict" in json.dumps(tool) for tool in sent.get("tools", ())) else {*sent}
        named = {field for field in _OPTIONAL if field in present and _names(text, field)}
        if not named and self._renames(text, sent):
            return True
        if not named and sent["stream"] and re.search(r"\bstream(s|ing)?\b", text):
            self.streams = False
            return True
        self.dropped |= named
        return bool(named)

    def _renames(self, text: str, sent: dict[str, Any]) -> bool:
        """Return whether a refusal of the limit of tokens named another one; only once, so that nobody goes round."""
        if self.limit or not any(name in sent and _names(text, name) for name in _LIMITS.values()):
            return False
        self.limit = next((name for name in _OTHER_LIMITS if name not in sent and _names(text, name)), "")
        return bool(self.limit)


def _names(text: str, field: str) -> bool:
    return re.search(rf"\b{field}\b", text) is not None


def _fields(settings: ModelSettings, path: str, limit: str) -> dict[str, Any]:
    """Return settings as the fields of a request; those of `extra` beside them."""
    fields = {name: value for name, value in settings.as_dict().items() if value is not None and name != "extra"}
    if "max_output_tokens" in fields:
        fields[limit] = fields.pop("max_output_tokens")
    for name, (field, inner) in _NESTED.items() if path == RESPONSES else ():
        if name in fields:
            fields[field] = {inner: fields.pop(name)}
    for key, value in settings.extra.items():
        fields[key] = {**value, **fields[key]} if key in fields else value  # an object that holds a setting as well
    return fields
