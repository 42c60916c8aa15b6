"""The values of a model call: what is asked, by whom, where, and what came back."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, Protocol, runtime_checkable
from urllib.parse import parse_qsl, unquote, urlsplit, urlunsplit

from intercom_nb.checks import shown, wrong_type
from intercom_nb.limits import Limits
from intercom_nb.messages import Item
from intercom_nb.model_settings import NO_SETTINGS, ModelSettings
from intercom_nb.texts.names import checked_text, code_name, code_text
from intercom_nb.tools import ToolCall

__all__ = [
    "NO_KEY",
    "OFFLINE_MODEL",
    "OPENAI_URL",
    "Address",
    "Answer",
    "Assistant",
    "Delta",
    "End",
    "ModelChoice",
    "Origin",
    "Reply",
    "Request",
    "TooLarge",
    "Usage",
    "model_text",
    "without_credentials",
]

OPENAI_URL = "https://api.openai.com/v1"
_SHORTEST_KEY = 8  # characters
NO_KEY = "none"  # the client insists on some key


@runtime_checkable
class Assistant(Protocol):
    """An ASGI app that speaks POST /v1/responses, such as `OfflineAssistant` or `ScriptedAssistant`."""

    model: str
    label: str

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one request."""


ModelChoice = str | Assistant | None
"""How a model is chosen: by name, as an assistant, or not at all."""

OFFLINE_MODEL = "offline"
"""The model name that means the offline assistant."""


def model_text(model: object) -> str | None:
    """Return how a choice of a model stands in the log: its name; of an assistant that only code can give, ``name()``.

    Raises
    ------
    TypeError
        If it is no model.
    ValueError
        If its name is empty, or written as the log has an assistant's.
    """
    if model is None:
        return None
    if isinstance(model, str):
        if not model.strip():
            raise ValueError(f"model={model!r}: it should be the name of a model, such as 'gpt-5-mini' or 'offline'")
        if code_name(model):
            msg = f"model={shown(model)}: a name with () stands for an assistant of yours; give the assistant itself"
            raise ValueError(msg)
        return checked_text(model, "model")
    if isinstance(model, Assistant) and not isinstance(model, type):
        return model.model if model.model == OFFLINE_MODEL else code_text(model.model)
    raise wrong_type("model", model, "the name of a model, an assistant, or None")


def without_credentials(base_url: str | None) -> str | None:
    """Return the address of a server without a user's name, a password or a query, which may hold a key.

    Examples
    --------
    >>> without_credentials("https://me:secret@models.example/v1?key=secret")
    'https://models.example/v1'
    """
    if base_url is None:
        return None
    parts = urlsplit(base_url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


End = Literal["", "cut_off", "filtered", "refused", "said_nothing"]
"""Why an answer ended; empty if as it should."""


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
    asked : str
        The model that was asked for; `model` may be a dated one of that name, or another.
    response_id : str or None
        The server's own id of the answer; None where it gives none.
    first_token_s : float or None
        Seconds from request to the first piece of an answer that was streamed; None of one that came whole.
    repaired : bool
        Whether the answer could not be taken as it came.
    end : {"", "cut_off", "filtered", "refused", "said_nothing"}
        Why it ended: as it should; at the limit of tokens; by a filter of the server's; because the model would not
        (its words are the text); without a tool call or a word.
    """

    items: tuple[Item, ...]
    calls: tuple[ToolCall, ...]
    text: str
    model: str
    usage: Usage
    usd: float | None
    latency_s: float
    asked: str = ""
    response_id: str | None = None
    first_token_s: float | None = None
    repaired: bool = False
    end: End = ""


@dataclass(frozen=True, slots=True)
class Origin:
    """Whose model call it is: the step of a run of an agent; and the fingerprint of all that it was asked so far."""

    agent_id: str = ""
    run_id: str = ""
    step: int = 0
    fingerprint: str = ""


@dataclass(frozen=True, slots=True)
class Delta:
    """A piece of an answer, as it arrives; a preview, for the completed answer is the truth.

    Attributes
    ----------
    agent_id, run_id : str
        Whose answer it is.
    step : int
        Of that run.
    kind : str
        ``text``, or ``arguments`` of a tool call.
    text : str
        What has arrived.
    idx : int
        The place in the answer of the text or tool call that it belongs to.
    tool : str
        The tool's name, for arguments.
    attempt : int
        Counts the tries of one call: with a higher one the answer begins anew.
    """

    agent_id: str
    run_id: str
    step: int
    kind: str
    text: str
    idx: int = 0
    tool: str = ""
    attempt: int = 1


@dataclass(frozen=True, slots=True)
class Request:
    """One model call, in the words of POST /v1/responses (or of /responses/compact, by its `kind`)."""

    model: str
    instructions: str
    conversation: Sequence[Item]
    tools: Sequence[Mapping[str, Any]] = ()
    origin: Origin = Origin()
    hear: Callable[[Delta], None] | None = None
    settings: ModelSettings = NO_SETTINGS
    kind: Literal["answer", "compact"] = "answer"
    attempt: int = 1
    most_bytes: float = Limits().answer_bytes


class TooLarge(Exception):  # noqa: N818 - whose answer it was is not known where it is raised
    """An answer has more bytes than are read."""


class Answer(NamedTuple):
    """What came back: a response as JSON, the seconds it took, and those to its first piece if it was streamed."""

    response: dict[str, Any]
    latency_s: float
    first_token_s: float | None = None


@dataclass(frozen=True, slots=True)
class Address:
    """Where a client goes: equal addresses share one client.

    Attributes
    ----------
    base_url, api_key : str
        Of the server; the first may hold a user's name, a password and a query.
    app : Assistant, optional
        Who answers in the server's place.
    headers : tuple of str
        What else is sent with each request, by a client of the caller's own.
    """

    base_url: str
    api_key: str
    app: Assistant | None = None
    headers: tuple[str, ...] = ()

    def __repr__(self) -> str:  # no key in any traceback and log
        return f"<{without_credentials(self.base_url)}>"

    @property
    def secrets(self) -> list[str]:
        """What must be told to nobody, wherever it stands, the longest first; what is shorter may be a word."""
        parts = urlsplit(self.base_url)
        user = parts.netloc.rpartition("@")[0]
        named = [value for _, value in parse_qsl(parts.query)]
        written = [part.partition("=")[2] for part in parts.query.split("&")]
        key = self.api_key if self.api_key != NO_KEY else ""
        found = {key, user, *user.split(":"), *map(unquote, user.split(":")), *named, *written, *self.headers}
        return sorted((one for one in found if len(one) >= _SHORTEST_KEY), key=len, reverse=True)
