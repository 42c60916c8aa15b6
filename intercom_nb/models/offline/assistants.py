"""The offline assistant and the scripted assistant: stand-ins for a model server, with no language model in them.

Both are ASGI apps that speak POST …/responses as OpenAI's Responses API does, so the client in front of them is the
real one::

    transport = httpx2.ASGITransport(OfflineAssistant())
    http_client = httpx2.AsyncClient(transport=transport)
    client = AsyncOpenAI(base_url="http://offline/v1", api_key="offline", http_client=http_client)

The same request always gets the same answer, ids included.
"""

import asyncio
import threading
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import httpx2

from intercom_nb.checks import checked_flag, checked_seconds, checked_whole, shown, wrong_type
from intercom_nb.models.offline.rules import Call, decide
from intercom_nb.models.offline.wire import (
    Receive,
    Scope,
    Send,
    WireRequest,
    error_json,
    parse_request,
    read_body,
    response_json,
    send_events,
    send_json,
)
from intercom_nb.models.values import OFFLINE_MODEL
from intercom_nb.texts.instructions import identity
from intercom_nb.texts.names import checked_text

__all__ = ["OFFLINE_MODEL", "Call", "Fail", "OfflineAssistant", "ScriptedAssistant", "ScriptedReply", "call"]


@dataclass(frozen=True, slots=True)
class Fail:
    """A scripted HTTP failure.

    Attributes
    ----------
    status : int
        HTTP status; 200 with a garbage body is a failure too.
    body : str or dict, optional
        A str goes out as it is. Default: an error in the server's usual form.
    retry_after : float, optional
        Seconds to wait before another try, sent as the header of that name.
    hang : float
        Seconds before anything is answered.
    disconnect : bool
        Break the connection instead of answering.
    """

    status: int = 500
    body: str | dict[str, Any] | None = None
    retry_after: float | None = None
    hang: float = 0.0
    disconnect: bool = False

    def __post_init__(self) -> None:
        if not 100 <= checked_whole(self.status, "status") <= 599:  # noqa: PLR2004 - those that HTTP has
            raise ValueError(f"status={self.status}: it should be a status of HTTP, such as 429 or 500")
        if self.body is not None and not isinstance(self.body, str | dict):
            raise wrong_type("body", self.body, "a str, a dict, or None")
        if self.retry_after is not None:
            checked_seconds(self.retry_after, "retry_after")
        checked_seconds(self.hang, "hang")
        checked_flag(self.disconnect, "disconnect")


ScriptedReply: TypeAlias = (
    "str | Call | Fail | list[str | Call] | tuple[str | Call, ...] | Callable[[WireRequest], ScriptedReply]"
)
"""What answers one request: a text (which ends the run), a tool call, several of both in one step, a failure,
or a function that is given the request and returns one of these."""


def call(tool: str, /, **arguments: object) -> Call:
    """Return a tool call, its arguments given by keyword.

    Examples
    --------
    >>> call("send_message", chat_id="founder", message="Hello")
    Call(name='send_message', arguments={'chat_id': 'founder', 'message': 'Hello'})
    """
    return Call(tool, arguments)


class _ResponsesApp:
    """An ASGI app that answers POST …/responses; what it answers is up to `_reply`. Lives on the caller's loop."""

    model: str
    label: str
    _called: str

    def __init__(self, delay: float = 0.0) -> None:
        self.delay = checked_seconds(delay, "delay")

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self.label}>"

    def _reply(self, request: WireRequest) -> ScriptedReply:
        raise NotImplementedError

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request."""
        if scope["type"] != "http":
            return
        body = await read_body(receive)
        if scope["method"] != "POST" or not scope["path"].endswith("/responses"):
            wrong = f"{self._called} answers POST /v1/responses only, not {scope['method']} {scope['path']}"
            await send_json(send, 404, error_json(wrong, "not_found"))
            return
        try:
            request = parse_request(body)
        except ValueError as error:
            await send_json(send, 400, error_json(str(error), "bad_request"))
            return
        reply = self._reply(request)
        while callable(reply):
            reply = reply(request)
        _check(reply)
        if self.delay > 0:
            await asyncio.sleep(self.delay)
        if isinstance(reply, Fail):
            await _send_failure(send, reply)
        else:
            steps = [reply] if isinstance(reply, str | Call) else reply
            response = response_json(self.model, request, body, steps)
            if request.get("stream"):
                await send_events(send, response)
            else:
                await send_json(send, 200, response)


class OfflineAssistant(_ResponsesApp):
    """The offline assistant: decides by rules whom to message, whom to answer and when to be silent.

    It needs no key, costs nothing, knows nothing but what the request says, and is no language model.

    Parameters
    ----------
    delay : float, default 0.0
        Seconds it takes before each answer.

    Examples
    --------
    >>> OfflineAssistant()
    <OfflineAssistant: offline stand-in (rule-based, no language model)>
    """

    model = OFFLINE_MODEL
    label = "offline stand-in (rule-based, no language model)"
    _called = "the offline assistant"

    def _reply(self, request: WireRequest) -> ScriptedReply:
        items = request.get("input")
        if isinstance(items, str):
            items = [{"role": "user", "content": items}]
        names = [tool.get("name") for tool in _dicts(request.get("tools"))]
        return decide(_instructions(request), _dicts(items), {name for name in names if isinstance(name, str)})


class ScriptedAssistant(_ResponsesApp):
    """An assistant whose replies are written in advance, agent by agent; for tests and exact demonstrations.

    Parameters
    ----------
    replies : mapping of str to iterable of ScriptedReply, optional
        By agent name, used up in order. A function in place of the iterable answers every request of that agent.
    delay : float, default 0.0
        Seconds it takes before each answer.
    default : function, optional
        Answers for agents with no replies left. Default: silence, the text "(nothing scripted)".

    Attributes
    ----------
    requests : list of dict
        Every request received, oldest first.

    Examples
    --------
    >>> scripted = ScriptedAssistant({"Founder": [call("send_message", chat_id="ann", message="Hi"), "Done."]})
    >>> scripted.enqueue("Ann", Fail(status=503))
    >>> scripted
    <ScriptedAssistant: scripted assistant (replies written in advance, no language model)>
    """

    model = "scripted"
    label = "scripted assistant (replies written in advance, no language model)"
    _called = "the scripted assistant"

    def __init__(
        self,
        replies: Mapping[str, Iterable[ScriptedReply] | Callable[[WireRequest], ScriptedReply]] | None = None,
        delay: float = 0.0,
        *,
        default: Callable[[WireRequest], ScriptedReply] | None = None,
    ) -> None:
        super().__init__(delay)
        self.requests: list[WireRequest] = []
        if default is not None:
            _check(default)
        self._default = default
        self._lock = threading.Lock()
        self._always: dict[str, Callable[[WireRequest], ScriptedReply]] = {}
        self._written: dict[str, Iterator[ScriptedReply]] = {}
        self._queued: defaultdict[str, deque[ScriptedReply]] = defaultdict(deque)
        for name, given in _checked_replies(replies).items():
            if callable(given):
                self._always[name] = given
            else:
                # A single reply is easily written without its list, and a str would fall apart into letters.
                self._written[name] = iter([given] if isinstance(given, str | Call | Fail) else given)

    def enqueue(self, agent_name: str, *replies: ScriptedReply) -> None:
        """Add replies for an agent after those it has; safe from any thread.

        Raises
        ------
        TypeError
            If one of them is no reply.
        """
        checked_text(agent_name, "agent_name")
        for reply in replies:
            _check(reply)
        with self._lock:
            self._queued[agent_name].extend(replies)

    def requests_of(self, agent_name: str) -> list[WireRequest]:
        """Return the requests received from one agent, oldest first."""
        checked_text(agent_name, "agent_name")
        with self._lock:
            return [request for request in self.requests if identity(_instructions(request))[0] == agent_name]

    def _reply(self, request: WireRequest) -> ScriptedReply:
        name = identity(_instructions(request))[0]
        with self._lock:
            self.requests.append(request)
            for reply in self._written.get(name, ()):
                return reply
            if self._queued[name]:
                return self._queued[name].popleft()
        return self._always.get(name) or self._default or "(nothing scripted)"


def _checked_replies(replies: Any) -> Mapping[str, Any]:
    """Return replies by agent; those of a list are checked now, those that are yet to be made when they are used."""
    right = "a dict of agents' names and replies, such as {'Ann': ['Hello.']}"
    if replies is None:
        return {}
    if not isinstance(replies, Mapping):
        raise wrong_type("replies", replies, right)
    for name, given in replies.items():
        if not isinstance(name, str):
            raise wrong_type("replies", replies, right)
        if isinstance(given, list | tuple):
            for reply in given:
                _check(reply)
        elif not callable(given) and not isinstance(given, str | Call | Fail | Iterable):
            raise wrong_type(f"replies[{name!r}]", given, "a list of replies, or a function")
    return replies


def _check(reply: object) -> None:
    """Raise TypeError for anything that is no reply."""
    if isinstance(reply, list | tuple):
        is_reply = all(isinstance(part, str | Call) for part in reply)
    else:
        is_reply = isinstance(reply, str | Call | Fail) or callable(reply)
    if not is_reply:
        raise TypeError(f"a reply is a str, Call, Fail, a list of str and Call, or a function, not {shown(reply)}")


async def _send_failure(send: Send, fail: Fail) -> None:
    if fail.hang > 0:
        await asyncio.sleep(fail.hang)
    if fail.disconnect:
        # The client takes this kind alone for a broken connection.
        raise httpx2.ReadError("the scripted assistant broke the connection, as written")
    body = error_json(f"scripted failure {fail.status}", "scripted") if fail.body is None else fail.body
    headers = [] if fail.retry_after is None else [(b"retry-after", f"{fail.retry_after:g}".encode())]
    await send_json(send, fail.status, body, headers)


def _instructions(request: WireRequest) -> str:
    instructions = request.get("instructions")
    return instructions if isinstance(instructions, str) else ""


def _dicts(items: object) -> list[dict[str, Any]]:
    return [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []
