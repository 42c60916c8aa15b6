"""Recordings: model calls kept as lines of a text file, and played again with no network.

A line is written when its step is in the log, so the order of the lines is the order of the steps. Each line also
says how many steps there were when its agent last took its mail (`after`). Played, mail is taken and answers are given
in that same order; so the same messages come of it, whatever else the computer is doing.

A `Tape` is told of three moments by the runs of a service: mail is about to be taken, the model is asked, the step is
being committed. `Tape` itself does nothing about them.
"""

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from intercom_nb.errors import ModelError, RecordingError
from intercom_nb.models.recording.tape import Tape
from intercom_nb.models.reply import without_nulls
from intercom_nb.models.values import Answer, Request

__all__ = ["Recorder", "differences", "fingerprint", "lines_of"]


_KEPT = ("id", "model", "output", "usage", "status", "incomplete_details")  # a response also echoes its whole request
_SHOWN = 60  # characters of an item's beginning and of its end


class Recorder(Tape):
    """Writes a recording, line by line; an old one of that name is replaced by the first line.

    Parameters
    ----------
    path : Path
        Its folder is made if it is not there.
    model : str
        What agents without a model of their own run on.
    hide : callable
        Takes what no file may hold out of a text.
    """

    def __init__(self, path: Path, model: str, hide: Callable[[str], str]) -> None:
        self._path = path
        self._head = {"intercom_nb": "recording", "version": 1, "model": model}
        self._hide = hide
        self._lock = asyncio.Lock()  # one at a time takes mail or commits: only so is "before" and "after" plain
        self._steps = 0
        self._calls: dict[str, int] = {}
        self._after: dict[str, int] = {}
        self._pending: dict[str, dict[str, Any]] = {}

    def begin(self) -> None:
        """Replace the old recording now, not with the first line."""
        self._put([], "w")

    @asynccontextmanager
    async def taking(self, agent_id: str) -> AsyncIterator[bool]:
        """Note after how many steps this mail is taken."""
        async with self._lock:
            self._after[agent_id] = self._steps
            yield True

    @asynccontextmanager
    async def committing(self, agent_id: str) -> AsyncIterator[None]:
        """Write the line of this step once it is in the log."""
        async with self._lock:
            try:
                yield
            except asyncio.CancelledError:  # the service stops; the log has the step waiting, and keeps it
                self._write(agent_id)
                raise
            self._write(agent_id)

    async def answer(self, request: Request, ask: Callable[[Request], Awaitable[Answer]]) -> Answer:
        """Ask the model, and keep what it answers."""
        agent_id = request.origin.agent_id
        line: dict[str, Any] = {"agent": agent_id, "request": fingerprint(request)}
        if agent_id in self._after:
            line["after"] = self._after[agent_id]
        try:
            answer = await ask(request)
        except ModelError as error:
            self._keep(agent_id, {**line, "error": str(error), "status": error.status})
            raise
        kept = {key: answer.response[key] for key in _KEPT if answer.response.get(key) is not None}
        line |= {"response": without_nulls(kept), "latency_s": round(answer.latency_s, 3)}
        if answer.first_token_s is not None:
            line["first_token_s"] = round(answer.first_token_s, 3)
        self._keep(agent_id, line)
        return answer

    def _keep(self, agent_id: str, line: dict[str, Any]) -> None:
        self._after.pop(agent_id, None)  # not before: a call that is broken off is asked again with the same mail
        self._calls[agent_id] = self._calls.get(agent_id, 0) + 1
        self._pending[agent_id] = {**line, "call": self._calls[agent_id]}

    def _write(self, agent_id: str) -> None:
        if (line := self._pending.pop(agent_id, None)) is not None:
            self._put([line], "w" if self._steps == 0 else "a")
            self._steps += 1

    def _put(self, lines: list[dict[str, Any]], mode: str) -> None:
        lines = [self._head, *lines] if mode == "w" else lines
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open(mode, encoding="utf-8", newline="\n") as file:
                file.writelines(self._hide(_json(part)) + "\n" for part in lines)
        except OSError as error:
            raise RecordingError(f"{self._path.name}: the recording cannot be written ({error.strerror})") from None


def fingerprint(request: Request) -> dict[str, Any]:
    """Return what a recording keeps of a request: enough to know it again, and to say what differs."""
    items = list(request.conversation)
    kind = {} if request.kind == "answer" else {"kind": request.kind}
    return kind | {
        "model": request.model,
        "instructions": _digest(request.instructions),
        "tools": _digest(request.tools),
        "input": _digest(items),
        "items": len(items),
        "last": _shown(items[-1]) if items else "",
    }


def differences(recorded: dict[str, Any], asked: dict[str, Any]) -> str:
    """Return in words what differs between two fingerprints; empty if nothing does."""
    found = []
    if recorded.get("kind") != asked.get("kind"):
        found.append("one of them shortens the conversation, the other continues it")
    if recorded["model"] != asked["model"]:
        found.append(f"the model is {asked['model']!r} and was {recorded['model']!r}")
    found += [f"the {part} differ" for part in ("instructions", "tools") if recorded[part] != asked[part]]
    if recorded["input"] != asked["input"]:
        said = {"items": f"{asked['items']} items", "last": f"the last one {asked['last']!r}"}
        for part in said:
            if recorded[part] != asked[part]:
                said[part] += f" where the recording has {recorded[part]!r}"
        found.append(f"the input differs ({'; '.join(said.values())})")
    return "; ".join(found)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True)


def _digest(value: Any) -> str:
    return hashlib.sha256(_json(value).encode("utf-8", "replace")).hexdigest()[:16]


def _shown(item: dict[str, Any]) -> str:
    text = str(item.get("content") or item.get("output") or _json(item))
    if text.startswith("Chat list:\n") and "\n\nMessage:\n" in text:
        text = text[text.index("Message:\n") :]
    return text if len(text) <= 2 * _SHOWN else f"{text[:_SHOWN]} … {text[-_SHOWN:]}"


def lines_of(path: Path, renew: str) -> list[dict[str, Any]]:
    """Return the lines of a recording, the head first; `renew` says how to make it anew.

    Raises
    ------
    RecordingError
        If it is not there or is no recording.
    """
    try:
        lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
        head = lines[0]
        later = head["intercom_nb"] != "recording" or head["version"] != 1
    except FileNotFoundError:
        raise RecordingError(f"{path}: there is no such recording; {renew} makes it") from None
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise RecordingError(f"{path}: is no recording ({error}); {renew} makes a new one") from None
    if later:
        raise RecordingError(f"{path}: is of a later version; {renew} makes a new one")
    return lines
