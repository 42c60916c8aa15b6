"""Why a model call failed, in one sentence without the key, and whether to try it again."""

import json
import math
import re
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any, Literal

import httpx2
import openai

from intercom_nb.errors import ModelError
from intercom_nb.model_settings import NO_SETTINGS, ModelSettings
from intercom_nb.models.values import Address

__all__ = ["Failure", "failure_of", "retry_after_of", "safe"]

Kind = Literal["refused", "passing", "final"]
_REFUSALS = (HTTPStatus.BAD_REQUEST, HTTPStatus.UNPROCESSABLE_ENTITY)
_WORDS = {  # by what other names servers know a setting
    "reasoning_effort": r"reasoning[._]effort|(?<=['\"])reasoning(?=['\"])",
    "verbosity": r"verbosity|(?<=['\"])text(?=['\"])",
    "max_output_tokens": "max_output_tokens|max_completion_tokens|max_tokens",
}
_HOLDS = {"reasoning": "reasoning_effort", "text": "verbosity"}  # objects that hold a setting, and more
# An address, with a user's name and a query: either may hold a key.
_ADDRESS = re.compile(r"(https?://)(?:[^\s/@'\"<>]*@)?([^\s?@'\"<>]*)(?:\?[^\s'\"<>]*)?")
_PASSING = (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.CONFLICT)


class Failure(Exception):  # noqa: N818 - not an error yet: it may be tried again
    """One try of a model call that failed.

    Attributes
    ----------
    error : ModelError
        What to raise if it is not tried again.
    kind : {"refused", "passing", "final"}
        A refused call waits with all others of its endpoint; a passing failure is its own; a final one is final.
    retry_after : float or None
        Seconds the server asked to wait.
    """

    def __init__(self, error: ModelError, kind: Kind, retry_after: float | None = None) -> None:
        super().__init__(str(error))
        self.error = error
        self.kind: Kind = kind
        self.retry_after = retry_after


def failure_of(error: Exception, address: Address, timeout: float, settings: ModelSettings = NO_SETTINGS) -> Failure:
    """Return what an exception of the client means; a setting that a server refuses is named."""
    words = _words_of(error) if isinstance(error, openai.APIStatusError) else str(error)
    said = safe(words, address) or type(error).__name__
    if isinstance(error, openai.APIStatusError):
        unset = _refused(error, words, settings)
        return _setting_failure(error, address, said, unset) if unset else _status_failure(error, address, said)
    # The aiohttp transport reports a refused connection as a timeout of connecting.
    late = isinstance(error, openai.APITimeoutError) and not isinstance(error.__cause__, httpx2.ConnectTimeout)
    if late or isinstance(error, httpx2.ReadTimeout):
        return Failure(ModelError(f"{address!r} did not answer within {timeout:g} s"), "passing")
    if isinstance(error, openai.APIConnectionError):
        cause = safe(str(error.__cause__ or ""), address) or said
        return Failure(ModelError(f"{address!r} cannot be reached: {cause}"), "passing")
    if isinstance(error, openai.OpenAIError):
        return Failure(ModelError(f"{address!r} failed: {said}"), "final")
    if isinstance(error, OSError | httpx2.HTTPError):  # what a transport lets through
        return Failure(ModelError(f"{address!r} cannot be reached: {said}"), "passing")
    # A body that is cut off or no JSON at all may come whole the next time; so may one that breaks the rules of HTTP,
    # which a transport tells in errors of its own.
    known = isinstance(error, ValueError | TypeError)
    told = said if known or said == type(error).__name__ else f"{type(error).__name__}: {said}"
    return Failure(ModelError(f"{address!r} answered with nonsense: {told}"), "passing")


def _status_failure(error: openai.APIStatusError, address: Address, said: str) -> Failure:
    status = error.status_code
    if status == HTTPStatus.UNAUTHORIZED:
        sentence = f"{address!r} refused the key: check OPENAI_API_KEY ({said})"
        return Failure(ModelError(sentence, status=status), "final")
    failed = ModelError(f"{address!r} failed with HTTP {status}: {said}", status=status)
    wait = retry_after_of(error.response.headers)
    if "insufficient_quota" in (getattr(error, "code", None), getattr(error, "type", None)):
        return Failure(failed, "final")  # a 429 that no waiting will change
    if status in (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE):
        return Failure(failed, "refused", wait)
    passing = status in _PASSING or status >= HTTPStatus.INTERNAL_SERVER_ERROR
    if (told := error.response.headers.get("x-should-retry")) is not None:
        passing = told == "true"
    return Failure(failed, "passing" if passing else "final", wait)


def _setting_failure(error: openai.APIStatusError, address: Address, said: str, unset: dict[str, Any]) -> Failure:
    # It is never left out quietly: whoever set it would go on to believe that it holds.
    names = [f"extra[{key!r}]" for key in unset.get("extra", ())]
    names = [name for name in unset if name != "extra"] + names
    which, them = ("setting", "it") if len(names) == 1 else ("settings", "them")
    sentence = f"{address!r} refuses the {which} {', '.join(names)}: {said}; leave {them} out with settings={unset!r}"
    return Failure(ModelError(sentence, status=error.status_code), "final")


def _refused(error: openai.APIStatusError, words: str, settings: ModelSettings) -> dict[str, Any]:
    """Return the settings that a refusal names, as one writes them to leave them out."""
    if error.status_code not in _REFUSALS:
        return {}
    text = _place_of(error) or words
    sent = [name for name, value in settings.as_dict().items() if value is not None and name != "extra"]
    unset: dict[str, Any] = {name: None for name in sent if _says(text, _WORDS.get(name, name))}
    extra = {key: None for key in settings.extra if _says(text, re.escape(key)) and _HOLDS.get(key) not in unset}
    return unset | ({"extra": extra} if extra else {})


def _words_of(error: openai.APIStatusError) -> str:
    """Return what a server said; the client's own text has it only where it is called message."""
    body, text = error.body, str(error)
    message = body.get("message") if isinstance(body, dict) else None
    if not body or (isinstance(message, str) and message in text):
        return text
    said = body if isinstance(body, str) else json.dumps(body, ensure_ascii=False, default=str)
    return text if said.lstrip().startswith("<") else f"{text} - {said}"  # a page says less than its status


def _place_of(error: openai.APIStatusError) -> str:
    """Return where in the request a server found what it refuses; empty if it does not say."""
    if isinstance(error.param, str) and error.param:
        return f"'{error.param}'"
    detail = error.body.get("detail") if isinstance(error.body, dict) else None
    faults = [fault for fault in detail if isinstance(fault, dict)] if isinstance(detail, list) else []
    # Not what else is said there: it repeats what was sent, at times all of it.
    places = [fault["loc"] for fault in faults if isinstance(fault.get("loc"), list)]
    return " ".join(f"'{'.'.join(str(part) for part in place if part != 'body')}'" for place in places)


def _says(text: str, word: str) -> bool:
    return re.search(rf"(?<![\w-])(?:{word})(?![\w-])", text) is not None  # a model may be called seed-1


def retry_after_of(headers: Mapping[str, str]) -> float | None:
    """Return the seconds a server asks to wait; None where it does not say, or nothing that could be waited for.

    Examples
    --------
    >>> retry_after_of({"retry-after": "1.5"}), retry_after_of({"retry-after-ms": "20"}), retry_after_of({})
    (1.5, 0.02, None)
    """
    told, told_ms = headers.get("retry-after"), headers.get("retry-after-ms")
    if told is None and told_ms is None:
        return None
    try:
        wait = float(told or "") if told_ms is None else float(told_ms) / 1000
    except ValueError:
        try:
            wait = parsedate_to_datetime(told or "").timestamp() - time.time()
        except (ValueError, OverflowError):
            return None
    return max(wait, 0.0) if math.isfinite(wait) else None


def safe(text: str, address: Address, shown: int | None = 500) -> str:
    """Return a text without keys; unless `shown` is None, on one line and of a length for people."""
    hidden = _ADDRESS.sub(lambda found: f"{found[1]}{found[2]}", text)
    for secret in address.secrets:
        hidden = hidden.replace(secret, "(key)")
    hidden = re.sub(r"\bsk-[\w*-]{8,}", "(key)", hidden)
    return hidden if shown is None else " ".join(hidden.split())[:shown]
