"""What models are writing right now, as far as it has arrived: a preview, gone once the log has the whole step."""

import json
import re
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from intercom_nb.log.facts import Fact, RunEnded, StepTaken
from intercom_nb.models import Delta

__all__ = ["Hear", "Writing"]

Hear: TypeAlias = Callable[[Callable[[Delta], object]], Callable[[], None]]

_MOST = 50_000  # characters of one answer that are kept
_SHOWN = 600  # of its end that are shown
_TO = re.compile(r'"(?:chat_id|name)"\s*:\s*"((?:[^"\\]|\\.)*)"')
_SAID = re.compile(r'"message"\s*:\s*"((?:[^"\\]|\\[^u]|\\u[0-9a-fA-F]{4})*)')


class Writing:
    """The pieces of the answers that have begun, by agent.

    Parameters
    ----------
    hear : callable
        Begins to tell of every piece, and returns what ends that; models stream only while somebody listens.
    """

    def __init__(self, hear: Hear) -> None:
        self._hear = hear
        self._end: Callable[[], None] | None = None
        self._lock = threading.Lock()
        self._answers: dict[str, tuple[tuple[str, int, int], dict[tuple[int, str, str], str]]] = {}

    def listen(self, told: Callable[[], object]) -> None:
        """Begin to hear, and tell of each piece that one came."""
        if self._end is None:

            def hear(piece: Delta) -> None:
                self._add(piece)
                told()

            self._end = self._hear(hear)

    def stop(self) -> None:
        """Hear nothing any more."""
        end, self._end = self._end, None
        if end is not None:
            end()
        with self._lock:
            self._answers.clear()

    def kept(self, facts: Sequence[Fact]) -> None:
        """Forget what is no preview any more: the log has it."""
        runs = {fact.run_id for fact in facts if isinstance(fact, StepTaken | RunEnded)}
        if runs and self._answers:
            with self._lock:
                self._answers = {who: one for who, one in self._answers.items() if one[0][0] not in runs}

    def now(self) -> dict[str, dict[str, str]]:
        """Return what each agent is writing: the end of its text, and to whom if it said so already."""
        with self._lock:
            return {who: _shown(parts) for who, (_, parts) in self._answers.items()}

    def _add(self, piece: Delta) -> None:
        answer = (piece.run_id, piece.step, piece.attempt)
        with self._lock:
            known, parts = self._answers.get(piece.agent_id, (answer, {}))
            if known != answer:
                parts = {}
            key = (piece.idx, piece.kind, piece.tool)
            parts[key] = (parts.get(key, "") + piece.text)[:_MOST]
            self._answers[piece.agent_id] = (answer, parts)


def _shown(parts: Mapping[tuple[int, str, str], str]) -> dict[str, str]:
    """Return the newest part of an answer: a message on its way by its words, other calls by their arguments."""
    (_, kind, tool), text = max(parts.items(), key=lambda one: one[0][0])
    if kind != "arguments":
        return {"text": text[-_SHOWN:]}
    to, said = _TO.search(text), _SAID.search(text)
    shown = {"tool": tool, "text": _plain(said[1]) if said else "" if tool in ("send_message", "create_chat") else text}
    return {**shown, "text": shown["text"][-_SHOWN:], **({"to": _plain(to[1])} if to else {})}


def _plain(escaped: str) -> Any:
    try:
        return json.loads(f'"{escaped}"', strict=False)
    except ValueError:
        return escaped
