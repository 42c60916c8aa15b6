"""Why a model call failed, in one sentence without the key, and whether to try it again."""

import re
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Literal

import httpx2
import openai

from intercom_nb.errors import ModelError
from intercom_nb.models.values import NO_KEY, Address

__all__ = ["Failure", "failure_of", "retry_after_of", "safe"]

Kind = Literal["refused", "passing", "final"]
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


def failure_of(error: Exception, address: Address, timeout: float) -> Failure:
    """Return what an exception of the client means."""
    said = safe(str(error), address) or type(error).__name__
    if isinstance(error, openai.APIStatusError):
        return _status_failure(error, address, said)
    # The aiohttp transport reports a refused connection as a timeout of connecting.
    if isinstance(error, openai.APITimeoutError) and not isinstance(error.__cause__, httpx2.ConnectTimeout):
        return Failure(ModelError(f"{address!r} did not answer within {timeout:g} s"), "passing")
    if isinstance(error, openai.APIConnectionError):
        cause = safe(str(error.__cause__ or ""), address) or said
        return Failure(ModelError(f"{address!r} cannot be reached: {cause}"), "passing")
    if isinstance(error, openai.OpenAIError):
        return Failure(ModelError(f"{address!r} failed: {said}"), "final")
    if isinstance(error, OSError | httpx2.HTTPError):  # what a transport lets through
        return Failure(ModelError(f"{address!r} cannot be reached: {said}"), "passing")
    # A body that is cut off or no JSON at all may come whole the next time.
    return Failure(ModelError(f"{address!r} answered with nonsense: {said}"), "passing")


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


def retry_after_of(headers: Mapping[str, str]) -> float | None:
    """Return the seconds a server asks to wait; None where it does not say.

    Examples
    --------
    >>> retry_after_of({"retry-after": "1.5"}), retry_after_of({"retry-after-ms": "20"}), retry_after_of({})
    (1.5, 0.02, None)
    """
    told, told_ms = headers.get("retry-after"), headers.get("retry-after-ms")
    try:
        if told_ms is not None:
            return max(float(told_ms) / 1000, 0.0)
        return None if told is None else max(float(told), 0.0)
    except ValueError:
        pass
    try:
        return max(parsedate_to_datetime(told or "").timestamp() - time.time(), 0.0)
    except ValueError:
        return None


def safe(text: str, address: Address, shown: int | None = 500) -> str:
    """Return a text without keys; unless `shown` is None, on one line and of a length for people."""
    key = address.api_key
    hidden = text.replace(key, "(key)") if key not in ("", NO_KEY) else text
    hidden = re.sub(r"\bsk-[\w*-]{8,}", "(key)", hidden)
    return hidden if shown is None else " ".join(hidden.split())[:shown]
