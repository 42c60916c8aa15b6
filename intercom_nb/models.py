"""Model servers: one shared client per endpoint and key, and one `Model.respond`. The only file that imports openai.

Everything runs on POST /v1/responses. The offline and scripted assistants are ASGI apps behind the same client, so
a notebook without a key runs the same code as one with.
"""

import asyncio
import json
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Protocol, runtime_checkable

import genai_prices
import httpx2
import openai
from openai.types.responses import Response

from intercom_nb.errors import MissingKeyError, ModelError
from intercom_nb.messages import Item, clean
from intercom_nb.offline import OFFLINE_MODEL, OfflineAssistant
from intercom_nb.settings import setting
from intercom_nb.tools import ToolCall

__all__ = ["Assistant", "Model", "ModelChoice", "Models", "Reply", "Usage", "default_model"]

_OPENAI_URL = "https://api.openai.com/v1"
_NO_KEY = "none"  # the client insists on some key
_CONNECT_TIMEOUT_S = 30.0  # the default of 5 s is missed on a busy loop before the request has even left
_REASONING = re.compile(r"(o\d|gpt-(?!.*chat)[5-9])")


@runtime_checkable
class Assistant(Protocol):
    """An ASGI app that speaks POST /v1/responses, such as `OfflineAssistant` or `ScriptedAssistant`."""

    model: str
    label: str

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one request."""


ModelChoice = str | Assistant | None
"""How a model is chosen: by name, as an assistant, or not at all."""


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one model call; None where the server did not count."""

    input_tokens: int | None = None
    cached_tokens: int | None = None
    output_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """What a model answered in one step.

    Attributes
    ----------
    items : tuple of dict
        As stored in the conversation and sent back with the next request.
    calls : tuple of ToolCall
        The tool calls among them, in order; their ids are unique within the reply.
    text : str
        What the model wrote outside tool calls: a note to itself.
    model : str
        The model that answered, as the server names it.
    usage : Usage
        Tokens.
    usd : float or None
        Cost in US dollars; 0.0 for assistants that cost nothing, None where the price is unknown.
    latency_s : float
        Seconds from request to answer.
    """

    items: tuple[Item, ...]
    calls: tuple[ToolCall, ...]
    text: str
    model: str
    usage: Usage
    usd: float | None
    latency_s: float


@dataclass(frozen=True, slots=True)
class _Address:
    """Where a client goes: equal addresses share one client."""

    base_url: str
    api_key: str
    app: Assistant | None = None

    def __repr__(self) -> str:  # the key stays out of every traceback and log
        return f"<{self.base_url}>"


class Models:
    """The models of one service: says which server a name means, and keeps one client per server and key.

    Lives on the service's loop: clients are made at their first call there and closed by `close`.
    """

    def __init__(
        self,
        default: "ModelChoice" = None,
        *,
        base_url: str | None = None,
        api_key: str | None = None,
        max_concurrency: int = 64,
        max_retries: int = openai.DEFAULT_MAX_RETRIES,
        timeout: float = 600.0,
    ) -> None:
        self._base_url = base_url or setting("OPENAI_BASE_URL")
        self._api_key = api_key or setting("OPENAI_API_KEY")
        self._max_concurrency = max_concurrency
        self._max_retries = max_retries
        self._timeout = timeout
        self._clients: dict[_Address, _Client] = {}
        self._offline = OfflineAssistant()
        self.default = self.named(default)

    def named(self, model: "ModelChoice") -> "Model":
        """Return the model a name (or an assistant) means; None means the default.

        Raises
        ------
        MissingKeyError
            If a model is named and neither a key nor a server of one's own is set.
        """
        if model is None:
            return getattr(self, "default", None) or self._unnamed()
        if not isinstance(model, str):
            return Model(model.model, model.label, self._client(_Address("http://assistant/v1", _NO_KEY, model)))
        if model == OFFLINE_MODEL:
            return self.named(self._offline)
        if self._api_key is None and self._base_url is None:
            raise MissingKeyError(model)
        base_url = self._base_url or _OPENAI_URL
        label = model if base_url == _OPENAI_URL else f"{model} at {base_url}"
        return Model(model, label, self._client(_Address(base_url, self._api_key or _NO_KEY)))

    def _unnamed(self) -> "Model":
        wanted = setting("INTERCOM_MODEL")
        reachable = self._api_key is not None or self._base_url is not None
        return self.named(wanted if wanted is not None and reachable else OFFLINE_MODEL)

    def _client(self, address: _Address) -> "_Client":
        client = self._clients.get(address)
        if client is None:
            made = _Client(address, self._max_concurrency, self._max_retries, self._timeout)
            client = self._clients.setdefault(address, made)  # one, also when two threads ask at once
        return client

    async def close(self) -> None:
        """Close every client; called on the loop that used them."""
        for client in self._clients.values():
            await client.close()


def default_model() -> str:
    """Return the name of the model that the settings alone mean."""
    return Models().default.name


class Model:
    """One model on one server.

    Attributes
    ----------
    name : str
        As sent with each request.
    label : str
        As shown to people; says where it runs, and of a stand-in that it is one.
    """

    __slots__ = ("_client", "label", "name")

    def __init__(self, name: str, label: str, client: "_Client") -> None:
        self.name = name
        self.label = label
        self._client = client

    def __repr__(self) -> str:
        return f"<Model {self.label}>"

    @property
    def is_stand_in(self) -> bool:
        """Whether an assistant of this process answers, rather than a server."""
        return self._client.address.app is not None

    def usd(self, usage: Usage) -> float | None:
        """Return what a call of it costs; None where that is not known."""
        return _usd(self.name, usage, self._client.address)

    async def respond(
        self,
        instructions: str,
        conversation: Sequence[Item],
        tools: Sequence[Mapping[str, Any]],
        *,
        max_output_tokens: int | None = None,
    ) -> Reply:
        """Return what the model answers to a conversation.

        Parameters
        ----------
        instructions, conversation, tools
            As sent.
        max_output_tokens : int, optional
            What it may write at most; not sent unless set.

        Raises
        ------
        ModelError
            If the call failed for good, after the client's own retries, or the answer makes no sense.
        """
        request: dict[str, Any] = {"model": self.name, "instructions": instructions, "stream": False, "store": False}
        if _REASONING.match(self.name):
            request["include"] = ["reasoning.encrypted_content"]
        if max_output_tokens is not None:
            request["max_output_tokens"] = max_output_tokens
        if tools:
            request["parallel_tool_calls"] = True
        # input and tools travel in extra_body: as named arguments the client walks every item of the conversation
        # through its type annotations, 0.3 ms of CPU each.
        request["extra_body"] = {"input": conversation, "tools": tools} if tools else {"input": conversation}
        client = self._client
        async with client.turnstile:
            began = time.perf_counter()
            response = await client.create(request)
            latency_s = time.perf_counter() - began
        return _reply(response, self.name, client.address, latency_s)

    async def compact(self, instructions: str, conversation: Sequence[Item]) -> Reply | None:
        """Return what OpenAI's own endpoint makes of a conversation to send in its place; None anywhere else.

        Raises
        ------
        ModelError
            If it would not.
        """
        client = self._client
        if client.address.base_url != _OPENAI_URL:
            return None
        request = {"model": self.name, "instructions": instructions, "extra_body": {"input": list(conversation)}}
        async with client.turnstile:
            began = time.perf_counter()
            response = await client.compact(request)
            latency_s = time.perf_counter() - began
        items = tuple(item.model_dump(exclude_none=True, mode="json") for item in response.output)
        usage = _usage(response)
        return Reply(items, (), "", self.name, usage, self.usd(usage), latency_s)


class _Client:
    """The shared client of one address, made at its first call."""

    def __init__(self, address: _Address, max_concurrency: int, max_retries: int, timeout: float) -> None:
        self.address = address
        self.turnstile = asyncio.Semaphore(max_concurrency)
        self._max_concurrency = max_concurrency
        self._max_retries = max_retries
        self._timeout = timeout
        self._openai: openai.AsyncOpenAI | None = None

    async def create(self, request: dict[str, Any]) -> Response:
        if self._openai is None:
            self._openai = self._connect()
        try:
            # The client's own limit is for each try and each read; a person means the whole call.
            async with asyncio.timeout(self._timeout):
                response = await self._openai.responses.create(**request)
        except openai.OpenAIError as error:
            raise self._model_error(error) from None
        except TimeoutError:
            raise ModelError(f"{self.address!r} did not answer within {self._timeout:g} s") from None
        except (OSError, httpx2.HTTPError) as error:  # what a transport lets through
            raise ModelError(f"{self.address!r} cannot be reached: {self._safe(str(error))}") from None
        except (ValueError, TypeError) as error:  # the client parses a nonsense body with no guard of its own
            raise ModelError(f"{self.address!r} answered with nonsense: {self._safe(str(error))}") from None
        if not isinstance(response, Response) or not isinstance(response.output, list):
            raise ModelError(f"{self.address!r} answered with nonsense: no list of output items in it")
        if response.status == "failed" or response.error is not None:
            reason = response.error.message if response.error is not None else "no reason given"
            raise ModelError(f"{self.address!r} reported a failed answer: {self._safe(reason)}")
        return response

    async def compact(self, request: dict[str, Any]) -> Any:
        if self._openai is None:
            self._openai = self._connect()
        try:
            async with asyncio.timeout(self._timeout):
                return await self._openai.responses.compact(**request)
        except openai.OpenAIError as error:
            raise self._model_error(error) from None
        except (TimeoutError, OSError, httpx2.HTTPError, ValueError, TypeError) as error:
            raise ModelError(f"{self.address!r} did not compact: {self._safe(str(error))}") from None

    def _connect(self) -> openai.AsyncOpenAI:
        http: httpx2.AsyncClient
        if self.address.app is not None:
            http = httpx2.AsyncClient(transport=httpx2.ASGITransport(self.address.app))
        else:
            # Named limits: None would mean aiohttp's own hundred, and the default keeps a hundred connections only.
            limits = httpx2.Limits(
                max_connections=self._max_concurrency, max_keepalive_connections=self._max_concurrency
            )
            http = openai.DefaultAioHttpClient(limits=limits)
        return openai.AsyncOpenAI(
            base_url=self.address.base_url,
            api_key=self.address.api_key,
            http_client=http,
            max_retries=self._max_retries,
            timeout=httpx2.Timeout(self._timeout, connect=_CONNECT_TIMEOUT_S),
        )

    def _model_error(self, error: openai.OpenAIError) -> ModelError:
        status = getattr(error, "status_code", None)
        said = self._safe(str(error)) or type(error).__name__
        if status == HTTPStatus.UNAUTHORIZED:
            return ModelError(f"{self.address!r} refused the key: check OPENAI_API_KEY ({said})", status=status)
        # The aiohttp transport reports a refused connection as a timeout of connecting.
        if isinstance(error, openai.APITimeoutError) and not isinstance(error.__cause__, httpx2.ConnectTimeout):
            return ModelError(f"{self.address!r} did not answer within {self._timeout:g} s")
        if isinstance(error, openai.APIConnectionError):
            cause = self._safe(str(error.__cause__ or "")) or said
            return ModelError(f"{self.address!r} cannot be reached: {cause}")
        where = f" with HTTP {status}" if status is not None else ""
        return ModelError(f"{self.address!r} failed{where}: {said}", status=status)

    def _safe(self, text: str) -> str:
        key = self.address.api_key
        hidden = text.replace(key, "(key)") if key != _NO_KEY else text
        return re.sub(r"\bsk-[\w*-]{4,}", "(key)", hidden)[:500]

    async def close(self) -> None:
        if self._openai is not None:
            await self._openai.close()
            self._openai = None


def _reply(response: Response, model: str, address: _Address, latency_s: float) -> Reply:
    reasons = any(item.type == "reasoning" for item in response.output)
    items: list[Item] = []
    calls: list[ToolCall] = []
    texts: list[str] = []
    for n, item in enumerate(response.output):
        if item.type == "function_call":
            call = _call(item, n, {call.call_id for call in calls})
            calls.append(call)
            stored = {"type": "function_call", **_fields(call)}
        elif item.type == "message":
            text = clean("".join(getattr(part, "text", None) or "" for part in item.content or []))
            texts.append(text)
            stored = {"role": "assistant", "content": text}
        else:
            stored = item.model_dump(exclude_none=True, mode="json")
        # Where a model reasons, its items refer to each other by id and go back whole.
        whole = item.model_dump(exclude_none=True, mode="json") if reasons else {}
        items.append({**whole, **stored} if "call_id" in stored else whole or stored)
    usage = _usage(response)
    return Reply(
        items=tuple(items),
        calls=tuple(calls),
        text="\n".join(filter(None, texts)),
        model=str(response.model or model),
        usage=usage,
        usd=_usd(str(response.model or model), usage, address),
        latency_s=latency_s,
    )


def _fields(call: ToolCall) -> dict[str, str]:
    return {"call_id": call.call_id, "name": call.name, "arguments": call.arguments}


def _call(item: Any, n: int, taken: set[str]) -> ToolCall:
    # Some servers leave the id empty, or give two calls one id; an output could then not say which call it answers.
    call_id = item.call_id if isinstance(item.call_id, str) and item.call_id else f"call-{n}"
    if call_id in taken:
        call_id = f"{call_id}-{n}"
    arguments = item.arguments if isinstance(item.arguments, str) else json.dumps(item.arguments or {})
    return ToolCall(clean(call_id), clean(str(item.name or "")), clean(arguments))


def _usage(response: Any) -> Usage:
    usage = response.usage
    if usage is None:
        return Usage()
    details = getattr(usage, "input_tokens_details", None)
    return Usage(usage.input_tokens, getattr(details, "cached_tokens", None), usage.output_tokens)


def _usd(model: str, usage: Usage, address: _Address) -> float | None:
    if address.app is not None:
        return 0.0
    if address.base_url != _OPENAI_URL or usage.input_tokens is None:
        return None
    spent = genai_prices.Usage(
        input_tokens=usage.input_tokens, cache_read_tokens=usage.cached_tokens, output_tokens=usage.output_tokens
    )
    try:
        return float(genai_prices.calc_price(spent, model_ref=model, provider_id="openai").total_price)
    except LookupError:
        return None
