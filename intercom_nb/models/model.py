"""The models of one service: which server a name means, and one call of it."""

import logging
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from openai import AsyncOpenAI

from intercom_nb.environment import setting
from intercom_nb.errors import MissingKeyError, ModelError, RecordingError
from intercom_nb.limits import Limits
from intercom_nb.messages import Item
from intercom_nb.model_settings import NO_SETTINGS, ModelSettings
from intercom_nb.models.client import Client, ClientOptions
from intercom_nb.models.offline import OfflineAssistant
from intercom_nb.models.price_list import usd_of
from intercom_nb.models.recording.from_environment import by_environment, plays_by_environment
from intercom_nb.models.recording.log_tape import LogTape
from intercom_nb.models.recording.tape import Tape
from intercom_nb.models.reply import cleaned, end_of, name_of, read, read_compacted, usage_of
from intercom_nb.models.server_of_dotenv import refusal_of_server
from intercom_nb.models.values import (
    NO_KEY,
    OFFLINE_MODEL,
    OPENAI_URL,
    Address,
    Answer,
    Assistant,
    Delta,
    End,
    ModelChoice,
    Origin,
    Reply,
    Request,
    Usage,
    model_text,
    without_credentials,
)
from intercom_nb.texts.names import code_text
from intercom_nb.tools import ToolCall

__all__ = ["Model", "Models", "default_model"]

_USUAL = re.compile("accept|content-type|user-agent|x-stainless-", re.IGNORECASE)  # headers of every client
_LOGGER = logging.getLogger(__name__)
_NOWHERE = Address("http://recording/v1", NO_KEY)


def _tape_of(options: ClientOptions) -> Tape:
    if options.play is None:
        return Tape()
    return LogTape(Path(options.play), options.renew, options.part, options.since)


def _headers_of(own: AsyncOpenAI | None) -> tuple[str, ...]:
    """Return what a client of the caller's own sends besides what every client does: it may be a key."""
    if own is None:
        return ()
    given = own.default_headers | own.default_query
    values = [str(value) for name, value in given.items() if not _USUAL.match(name)]
    return tuple(sorted({*values, *(value.rpartition(" ")[2] for value in values)}))


class Models:
    """The models of one service: says which server a name means, and keeps one client per server and key.

    Lives on the service's loop: clients are made at their first call there and closed by `close`.
    """

    def __init__(
        self,
        default: ModelChoice = None,
        *,
        base_url: str | None = None,
        api_key: str | None = None,
        client: AsyncOpenAI | None = None,
        options: ClientOptions = ClientOptions(),  # noqa: B008 - frozen
        name: str = "",
    ) -> None:
        if client is not None and (base_url is not None or api_key is not None):
            msg = "client= says itself where it goes: leave base_url= and api_key= out"
            raise ValueError(msg)
        self._own = client
        self._base_url = base_url or setting("OPENAI_BASE_URL")
        self._api_key = api_key or setting("OPENAI_API_KEY")
        self._refused = ""
        if base_url is None and client is None and options.play is None and not plays_by_environment():
            self._refused = refusal_of_server(api_key)
        if client is not None:
            self._base_url = str(client.base_url).rstrip("/")
            self._api_key = client.api_key
        self._options = options = by_environment(options, name)
        self.tape = _tape_of(options)
        self._clients: dict[Address, Client] = {}
        self._offline = OfflineAssistant()
        self.listeners: list[Callable[[Delta], object]] = []
        self.default = self.named(default)

    @property
    def default_text(self) -> str:
        """What agents without a model of their own run on, as the log keeps it."""
        if not self.tape.live:
            return code_text("played")
        app = self.default.app
        return self.default.name if app is None else str(model_text(app))

    @property
    def server(self) -> str | None:
        """The address of the server for models that are named, without credentials; None for OpenAI's own."""
        return None if self._base_url in (None, OPENAI_URL) else without_credentials(self._base_url)

    def named(self, model: ModelChoice) -> "Model":
        """Return the model a name (or an assistant) means; None means the default.

        Raises
        ------
        MissingKeyError
            If a model is named and neither a key nor a server of one's own is set.
        """
        if model is None:
            return getattr(self, "default", None) or self._unnamed()
        if not self.tape.live:
            name = model if isinstance(model, str) else model.model
            return Model(name, f"{name}, played from a recording", self._client(_NOWHERE), self)
        if not isinstance(model, str):
            return Model(model.model, model.label, self._client(Address("http://assistant/v1", NO_KEY, model)), self)
        if model == OFFLINE_MODEL:
            return self.named(self._offline)
        if self._api_key is None and self._base_url is None:
            raise MissingKeyError(model)
        if self._refused:
            raise MissingKeyError(model, self._refused)
        base_url = self._base_url or OPENAI_URL
        label = model if base_url == OPENAI_URL else f"{model} at {without_credentials(base_url)}"
        address = Address(base_url, self._api_key or NO_KEY, headers=_headers_of(self._own))
        return Model(model, label, self._client(address), self)

    def _unnamed(self) -> "Model":
        if self.tape.model is not None:
            return self.named(self.tape.model)
        wanted = setting("INTERCOM_MODEL")
        reachable = self._api_key is not None or self._base_url is not None
        return self.named(wanted if wanted is not None and reachable else OFFLINE_MODEL)

    def _client(self, address: Address) -> Client:
        client = self._clients.get(address)
        if client is None:
            made = Client(address, self._options, None if address.app is not None else self._own)
            client = self._clients.setdefault(address, made)  # one, also when two threads ask at once
        return client

    def hear(self, delta: Delta) -> None:
        """Tell everybody who listens of a piece of an answer."""
        for call in list(self.listeners):
            try:
                call(delta)
            except BaseException:  # somebody else's code must not fail a run
                _LOGGER.exception("a listener failed on a piece of %s's answer", delta.agent_id)

    def waits(self, agent_id: str) -> bool:
        """Return whether an agent's call waits for a rate limit; from any thread."""
        return any(client.limiter.waits(agent_id) for client in list(self._clients.values()))

    def probe(self) -> None:
        """Let one call of each server through at once, although it has asked for a pause; from any thread."""
        for client in list(self._clients.values()):
            client.limiter.probe()

    @property
    def notice(self) -> str:
        """What a person should know while they wait; empty if nothing."""
        wait_s = max((client.limiter.wait_s() for client in list(self._clients.values())), default=0.0)
        return f"waiting for the rate limit, {wait_s:,.0f} s" if wait_s >= 1 else ""

    def check_played(self, *, whole: bool = False) -> None:
        """Check that what is played by the environment is what was recorded, or all of it; a fault is told once.

        Where an argument asked for it, the failed run says so: in a notebook, no cell fails because a run does.

        Raises
        ------
        RecordingError
            If it is not.
        """
        if not self._options.renew or self.tape.live:
            return
        fault = self.tape.fault or (self.tape.rest() if whole else "")
        self.tape.fault = ""
        if fault:
            raise RecordingError(fault)

    async def close(self) -> None:
        """Close every client; called on the loop that used them."""
        for client in self._clients.values():
            await client.close()


def default_model() -> str:
    """Return the name of the model that the environment alone means."""
    return Models().default.name


class Model:
    """One model on one server.

    Attributes
    ----------
    name : str
        As sent with each request.
    """

    __slots__ = ("_client", "_label", "_models", "name")

    def __init__(self, name: str, label: str, client: Client, models: Models) -> None:
        self.name = name
        self._label = label
        self._client = client
        self._models = models

    @property
    def label(self) -> str:
        """As shown to people; says where it runs and how, and of a stand-in that it is one."""
        return self._label + self._client.manner

    def __repr__(self) -> str:
        return f"<Model {self.label}>"

    @property
    def app(self) -> Assistant | None:
        """The assistant of this process that answers; None where a server does."""
        return self._client.address.app

    @property
    def can_summarise(self) -> bool:
        """Whether it can put a conversation into its own words; the offline assistant has none."""
        return self.name != OFFLINE_MODEL

    @property
    def is_stand_in(self) -> bool:
        """Whether an assistant of this process answers, rather than a server."""
        return self.app is not None

    @property
    def is_played(self) -> bool:
        """Whether a recording answers, so that its calls cost nothing."""
        return not self._models.tape.live

    def usd(self, usage: Usage) -> float | None:
        """Return what a call of it costs, by the built-in list; None where that is not known."""
        return 0.0 if self.is_played else usd_of(self.name, usage, self._client.address)

    async def respond(
        self,
        instructions: str,
        conversation: Sequence[Item],
        tools: Sequence[Mapping[str, Any]],
        origin: Origin = Origin(),  # noqa: B008 - frozen
        *,
        settings: ModelSettings = NO_SETTINGS,
        most_bytes: float = Limits().answer_bytes,
    ) -> Reply:
        """Return what the model answers to a conversation.

        Parameters
        ----------
        instructions, conversation, tools
            What it is asked.
        origin : Origin, optional
            Whose step it is.
        settings : ModelSettings, optional
            What is sent besides; what is not set is not sent.
        most_bytes : float, optional
            The largest answer that is read.

        Raises
        ------
        ModelError
            If the call failed for good, after all retries, or the answer makes no sense; also if the server refuses a
            setting, which the sentence names.
        """
        hear = self._models.hear if self._models.listeners else None
        request = Request(self.name, instructions, conversation, tools, origin, hear, settings, most_bytes=most_bytes)
        answer = self._cleaned(await self._models.tape.answer(request, self._client.ask))
        items, calls, text = read(answer.response)
        return self._reply(answer, items, calls, text=text, end=end_of(answer.response, calls, text))

    async def embed(self, model: str, texts: Sequence[str]) -> list[list[float]]:
        """Return a vector for each text, by a model for embeddings on the same server.

        Raises
        ------
        ModelError
            If the call failed for good, or the server has no such path.
        """
        return await self._client.embed(model, texts)

    async def compact(self, instructions: str, conversation: Sequence[Item], origin: Origin) -> Reply | None:
        """Return what OpenAI's own endpoint makes of a conversation to send in its place; None anywhere else.

        Raises
        ------
        ModelError
            If it would not.
        """
        tape = self._models.tape
        if not tape.compacts(origin.agent_id, able=self._client.address.base_url == OPENAI_URL):
            return None
        request = Request(self.name, instructions, conversation, origin=origin, kind="compact")
        answer = self._cleaned(await tape.answer(request, self._client.ask))
        return self._reply(answer, read_compacted(answer.response))

    def _cleaned(self, answer: Answer) -> Answer:
        """Return an answer of which everything can be kept, whoever gave it."""
        try:
            return answer._replace(response=cleaned(answer.response))
        except ValueError as error:
            msg = f"{self.label} answered with nonsense: {error}"
            raise ModelError(msg) from None

    def _reply(
        self,
        answer: Answer,
        items: tuple[Item, ...],
        calls: tuple[ToolCall, ...] = (),
        *,
        text: str = "",
        end: End = "",
    ) -> Reply:
        response, latency_s, first_token_s = answer
        model, usage = name_of(response.get("model")) or self.name, usage_of(response)
        response_id = name_of(response.get("id")) or None
        usd = 0.0 if self.is_played else usd_of(model, usage, self._client.address)
        return Reply(
            *(items, calls, text, model, usage, usd, latency_s),
            asked=self.name,
            response_id=response_id,
            first_token_s=first_token_s,
            end=end,
        )
