"""The shared client of one endpoint: sends requests in the way that endpoint takes them, and returns plain JSON."""

import asyncio
import contextlib
import itertools
import json
import math
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import httpx2
import openai

from intercom_nb.checks import AnyPath
from intercom_nb.errors import ModelError
from intercom_nb.models.chat_completions import response_of
from intercom_nb.models.dialect import CHAT, COMPACT, EMBEDDINGS, RESPONSES, Dialect, is_missing_route
from intercom_nb.models.failures import Failure, failure_of, safe
from intercom_nb.models.limiter import Limiter
from intercom_nb.models.streaming import read_chat_stream, read_response_stream
from intercom_nb.models.values import OPENAI_URL, Address, Answer, Delta, Request, TooLarge

__all__ = ["Client", "ClientOptions"]

_CONNECT_TIMEOUT_S = 30.0  # the default of 5 s is missed on a busy loop before the request has even left
_PROBE_S = 0.5  # a path that is not there is refused at once; a model that thinks so long holds nobody else up


@dataclass(frozen=True, slots=True)
class ClientOptions:
    """How clients go about their calls."""

    max_concurrency: int = 64
    max_retries: int = openai.DEFAULT_MAX_RETRIES
    timeout: float = 600.0
    play: AnyPath | None = None
    part: int | None = None  # which of the times that the played log was opened; all of them for None
    since: tuple[int, int] | None = None  # the place and its time that a branch has in common with the played log
    renew: str = ""  # how to make the recording anew, where the environment and no argument asked for it


class Client:
    """The shared client of one address, made at its first call.

    Parameters
    ----------
    address : Address
        Where it goes.
    options : ClientOptions
        How.
    own : AsyncOpenAI, optional
        A client of the caller's, used in place of one made here; the caller closes it.
    """

    def __init__(self, address: Address, options: ClientOptions, own: openai.AsyncOpenAI | None = None) -> None:
        self.address = address
        known = address.app is not None or address.base_url == OPENAI_URL
        self.dialect = Dialect(sure=known)
        self.limiter = Limiter(
            options.max_concurrency,
            max_retries=options.max_retries,
            bound=options.timeout,
            paced=address.app is None,
        )
        self._options = options
        # The limiter does all retrying: it is the one place that knows what the other agents have met.
        self._openai = None if own is None else own.with_options(max_retries=0)
        self._is_own = own is not None
        self._probed: asyncio.Event | None = None

    @property
    def manner(self) -> str:
        """What a person should know of how this endpoint is talked to; mostly nothing."""
        return " through chat completions" if self.dialect.path == CHAT else ""

    async def ask(self, request: Request) -> Answer:
        """Return the response to a request, and the seconds that it and its first piece took.

        Raises
        ------
        ModelError
            If the call failed for good.
        """
        left = self._options.timeout
        tries = itertools.count(1)

        async def attempt() -> Answer:
            nonlocal left
            began = time.perf_counter()
            first: float | None = None

            def hear(delta: Delta) -> None:
                nonlocal first
                first = time.perf_counter() - began if first is None else first
                if request.hear is not None:
                    request.hear(delta)

            tried = replace(request, attempt=next(tries), hear=None if request.hear is None else hear)
            try:
                # The client's own limit is for each try and each read; a person means the whole call.
                async with asyncio.timeout(max(left, 0)):
                    response = await self._attempt(tried)
            except TimeoutError:
                sentence = f"{self.address!r} did not answer within {self._options.timeout:g} s"
                raise Failure(ModelError(sentence), "final") from None
            finally:
                took = time.perf_counter() - began
                left -= took
            return Answer(response, took, first)

        async with self._probing():
            return await self.limiter.run(request.origin.agent_id, attempt)

    async def embed(self, model: str, texts: Sequence[str]) -> list[list[float]]:
        """Return a vector for each text, in their order.

        Raises
        ------
        ModelError
            If the call failed for good.
        """

        async def attempt() -> list[list[float]]:
            try:
                async with asyncio.timeout(self._options.timeout):
                    answer = await self._post(EMBEDDINGS, {"model": model, "input": list(texts)}, math.inf)
                ordered = sorted(answer["data"], key=lambda one: one["index"])
                return [[float(number) for number in one["embedding"]] for one in ordered]
            except Exception as error:  # noqa: BLE001 - as below
                raise failure_of(error, self.address, self._options.timeout) from None

        return await self.limiter.run("", attempt)

    @contextlib.asynccontextmanager
    async def _probing(self) -> AsyncIterator[None]:
        """Let the first call find out how the endpoint is talked to, before the others go the same way."""
        if self.dialect.sure or (self._probed is not None and self._probed.is_set()):
            yield
        elif self._probed is not None:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._probed.wait(), _PROBE_S)
            yield
        else:
            self._probed = asyncio.Event()
            try:
                yield
            finally:
                self._probed.set()

    async def _attempt(self, request: Request) -> dict[str, Any]:
        try:
            response = await self._talk(request)
        except TimeoutError:
            raise
        except TooLarge:
            sentence = (
                f"{self.address!r} answered with more than {request.most_bytes:,} bytes, the most that is read; "
                "Limits(answer_bytes=…) sets another limit"
            )
            raise Failure(ModelError(sentence), "final") from None
        except Exception as error:  # noqa: BLE001 - whatever a transport raises or an odd answer brings about
            raise failure_of(error, self.address, self._options.timeout, request.settings) from None
        self.dialect.sure = True
        if not isinstance(response.get("output"), list):
            sentence = f"{self.address!r} answered with nonsense: no list of output items in it"
            raise Failure(ModelError(sentence), "final")
        fault = response.get("error")
        status = response.get("status")
        unfinished = status == "cancelled" or (status in ("queued", "in_progress") and not response["output"])
        if status == "failed" or unfinished or fault:
            reason = fault.get("message") if isinstance(fault, dict) else fault
            said = safe(str(reason or "no reason given"), self.address)
            kind = "n answer that is " + str(status).replace("_", " ") if unfinished else " failed answer"
            raise Failure(ModelError(f"{self.address!r} reported a{kind}: {said}"), "final")
        return response

    async def _talk(self, request: Request) -> dict[str, Any]:
        """Send a request the way the endpoint takes it, and find that way if it is not known."""
        if request.kind == "compact":
            asked = {"model": request.model, "instructions": request.instructions, "input": request.conversation}
            return await self._post(COMPACT, asked, request.most_bytes)
        if self.dialect.path == CHAT:
            return await self._send(request, CHAT)
        missing: openai.APIStatusError | None = None
        try:
            response = await self._send(request, RESPONSES)
        except openai.APIStatusError as error:
            if self.dialect.sure or not is_missing_route(error.status_code, _said(error)):
                raise
            missing = error
        else:
            if self.dialect.sure or "endpoint" not in str(response.get("error")):
                return response  # else: some servers say with status 200 that there is no such endpoint
        try:
            chat = await self._send(request, CHAT)
        except openai.APIStatusError as error:
            if missing is not None and is_missing_route(error.status_code, _said(error)):
                raise missing from None
            self.dialect.settle(CHAT)
            raise
        self.dialect.settle(CHAT)
        return chat

    async def _send(self, request: Request, path: str) -> dict[str, Any]:
        """Send a request to one path, leaving out what the server refuses to read, unless a person has set it."""
        while True:
            stream = request.hear is not None and self.dialect.streams
            body = self.dialect.body(request, path, stream=stream)
            try:
                answer = await (
                    self._stream(path, body, request) if stream else self._post(path, body, request.most_bytes)
                )
            except openai.APIStatusError as error:
                if not self.dialect.learn(error.status_code, _said(error), body):
                    raise
            else:
                return response_of(answer) if path == CHAT else answer

    async def _post(self, path: str, body: dict[str, Any], most_bytes: float) -> dict[str, Any]:
        async with await self._begin(path, body) as stream:
            return await _object(stream.response, most_bytes)

    async def _stream(self, path: str, body: dict[str, Any], request: Request) -> dict[str, Any]:
        async with await self._begin(path, body) as stream:
            if "application/json" in stream.response.headers.get("content-type", ""):
                answer = await _object(stream.response, request.most_bytes)
                self.dialect.streams = False  # it does not stream, and does not say so; its answer is as good
                return answer
            read = read_chat_stream if path == CHAT else read_response_stream
            return await read(stream, request)

    async def _begin(self, path: str, body: dict[str, Any]) -> openai.AsyncStream[object]:
        """Return an answer that is yet to be read, so that nobody reads more than is wanted."""
        if self._openai is None:
            self._openai = self._connect()
        # Not `responses.create`: that walks every item of the conversation through its type annotations, 0.3 ms of
        # CPU each, and reads the answer into models that are stricter than servers are. Nor `responses.stream`, which
        # is strict about the numbering of events.
        kind = openai.AsyncStream[object]
        return await self._openai.post(path, cast_to=object, body=body, stream=True, stream_cls=kind)

    def _connect(self) -> openai.AsyncOpenAI:
        n = self._options.max_concurrency
        http: httpx2.AsyncClient
        if self.address.app is not None:
            http = httpx2.AsyncClient(transport=httpx2.ASGITransport(self.address.app))
        else:
            # Named limits: None would mean aiohttp's own hundred, and the default keeps a hundred connections only.
            http = openai.DefaultAioHttpClient(limits=httpx2.Limits(max_connections=n, max_keepalive_connections=n))
        return openai.AsyncOpenAI(
            base_url=self.address.base_url,
            api_key=self.address.api_key,
            http_client=http,
            max_retries=0,
            timeout=httpx2.Timeout(self._options.timeout, connect=_CONNECT_TIMEOUT_S),
        )

    async def close(self) -> None:
        """Close the connections; a client of the caller's stays open."""
        if self._openai is not None and not self._is_own:
            await self._openai.close()
            self._openai = None


async def _object(response: httpx2.Response, most_bytes: float) -> dict[str, Any]:
    content = bytearray()
    async for piece in response.aiter_bytes():
        content += piece
        if len(content) > most_bytes:
            raise TooLarge
    try:
        answer = json.loads(content)
    except RecursionError:
        raise ValueError("it is nested too deep") from None
    if not isinstance(answer, dict):
        raise ValueError("no JSON object")  # noqa: TRY004 - the server's value is wrong, not a caller's type
    return answer


def _said(error: openai.APIStatusError) -> object:
    return error.body if error.body is not None else str(error)
