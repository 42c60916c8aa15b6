"""A log as a recording: what each agent was answered, when it took its mail, and in which order that became durable."""

import json
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from intercom_nb.errors import LogError, RecordingError
from intercom_nb.log.door import as_damage
from intercom_nb.log.reading import Query, check_readable, connected
from intercom_nb.log.text_reading import CUT_IN, loaded
from intercom_nb.texts.fences import FENCE
from intercom_nb.texts.names import code_name

__all__ = ["TEXT", "Call", "Recording", "Take", "calls_between", "querying_recording", "read_recording"]

TEXT = ".jsonl"
_STEPS = """
SELECT r.agent_id, s.run_id, s.step, s.seq, s.until_seq, s.kind, s.asked, s.model, s.settings, s.fingerprint,
    s.response_id, s.input_tokens, s.cached_tokens, s.output_tokens, s.latency_s, s.first_token_s, s.error,
    s.waiting_items, s.usd, s.repaired,
    CASE WHEN s.step = (SELECT MAX(step) FROM steps WHERE run_id = s.run_id AND attempt = s.attempt) THEN r.reason END
FROM steps AS s JOIN runs AS r ON r.run_id = s.run_id AND r.attempt = s.attempt
WHERE (s.seq > ?1 OR (?3 AND COALESCE(s.until_seq, ?2) > ?1)) AND s.seq <= ?2 ORDER BY s.seq
"""
_TAKES = """
SELECT d.agent_id, d.until_seq, SUM(m.run_id IS NULL OR m.sender_id IS NOT NULL)
FROM deliveries AS d JOIN messages AS m ON m.seq = d.seq
WHERE d.run_id IS NOT NULL AND d.until_seq > ?1 AND d.until_seq <= ?2
GROUP BY d.until_seq, d.agent_id ORDER BY d.until_seq
"""
# A step's turn was there before it; what came after it are its items, and the outputs of its calls.
_ITEMS = """
SELECT run_id, step, seq, payload FROM items WHERE seq > ?1 AND seq <= ?2 AND type <> 'user' ORDER BY agent_id, idx
"""
_COMPACTIONS = "SELECT agent_id, seq, how, payload FROM compactions WHERE seq > ?1 AND seq <= ?2 ORDER BY seq"
_CUT_OFF = """
SELECT agent_id FROM runs WHERE seq <= ?2 AND until_seq IS NULL
    OR (seq <= ?2 AND until_seq > ?1 AND reason IN ('stopped', 'interrupted') AND NOT EXISTS (
        SELECT 1 FROM runs AS later
        WHERE later.run_id = runs.run_id AND later.attempt > runs.attempt AND later.seq <= ?2))
UNION SELECT d.agent_id FROM deliveries AS d WHERE d.seq <= ?2 AND (d.until_seq IS NULL OR d.until_seq > ?2)
"""
_ALL = "SELECT agent_id FROM agents WHERE version = 1"
_HALTED = """
SELECT reason FROM halts WHERE agent_id IS NULL AND reason <> 'stopped' AND seq > ?1 AND seq <= ?2
    AND (until_seq IS NULL OR until_seq > ?2) ORDER BY seq LIMIT 1
"""
_WITHOUT_MODEL = """
SELECT s.asked FROM steps AS s JOIN runs AS r USING (run_id, attempt)
JOIN agents AS a ON a.agent_id = r.agent_id AND a.version = r.agent_version WHERE a.model IS NULL LIMIT 1
"""
_FENCE = "SELECT value FROM meta WHERE key = ?"
_INCOMPLETE = {"cut_off": "max_output_tokens", "filtered": "content_filter"}


@dataclass(frozen=True, slots=True)
class Take:
    """An agent took its mail: where in the log that was done, and how many messages it was, without remarks."""

    agent_id: str
    place: int
    n: int


@dataclass(frozen=True, slots=True)
class Call:
    """A model call of an agent, or that its conversation was shortened with none.

    Attributes
    ----------
    agent_id, run_id : str
        Whose; the run is empty where no call was made.
    step : int
        Of the run.
    seq : int
        Where in the log it was made; what was sent is what there was before.
    place : int or None
        Where its step became whole; None if no call was made.
    how : str
        How it shortened the conversation; empty if it did not.
    asked, settings, fingerprint : str
        What it was asked under.
    error : str or None
        Why it failed.
    response : dict
        As its server would give it again.
    latency_s : float
        Seconds it took.
    first_token_s : float or None
        Seconds to its first piece.
    usd : float or None
        What it cost.
    repaired : bool
        Whether its form had to be mended.
    """

    agent_id: str
    run_id: str
    step: int
    seq: int
    place: int | None
    how: str
    asked: str
    settings: str
    fingerprint: str
    error: str | None
    response: dict[str, Any]
    latency_s: float
    first_token_s: float | None
    usd: float | None = None
    repaired: bool = False


@dataclass(frozen=True, slots=True)
class Recording:
    """What playing reads of a log.

    Attributes
    ----------
    model : str
        What agents without a model of their own ran on.
    fence : str
        The key of the marks that fence messages; empty in a log that has none.
    calls : list of Call
        In the order of the log.
    takes : list of Take
        In the order of the log.
    cut_off : frozenset of str
        Agents that had something left to do at its end.
    ended : str
        Why they had, in words.
    """

    model: str
    fence: str
    calls: list[Call]
    takes: list[Take]
    cut_off: frozenset[str]
    ended: str


@contextmanager
def querying_recording(path: Path, renew: str) -> Iterator[Query]:
    """Give a function that runs queries on a log, or on the log that a text holds.

    Raises
    ------
    RecordingError
        If it is not there, or neither.
    """
    if not path.is_file():
        raise RecordingError(f"{path.name}: there is no such recording; {renew}")
    try:
        with as_damage(path), loaded(path) if path.suffix == TEXT else connected(path) as connection:
            if path.suffix != TEXT:
                check_readable(path, connection)
            yield lambda sql, *parameters: connection.execute(sql, parameters).fetchall()
    except LogError as error:
        raise RecordingError(f"{path.name}: cannot be played{_why(path, error)}; {renew}") from None


def _why(path: Path, error: LogError) -> str:
    return re.sub(r"^: ", " (", str(error).removeprefix(str(path))) + ")"


def read_recording(path: Path, renew: str, part: int | None = None, since: tuple[int, int] | None = None) -> Recording:
    """Return what playing reads of a log or its text; all of it, or of one of the times that it was opened.

    A branch that shares a past with it, up to the place and its time that `since` says, is given what came later.

    Raises
    ------
    RecordingError
        If there is no such recording.
    """
    with querying_recording(path, renew) as query:
        opened = [seq for (seq,) in query("SELECT seq FROM openings ORDER BY seq")]
        bounds = [0, *opened[1:], query("SELECT MAX(seq) FROM places")[0][0]]
        start, end = (0, bounds[-1]) if part is None else (bounds[part], bounds[part + 1])
        shares = since is not None and query("SELECT 1 FROM places WHERE seq = ? AND at IN (?, 0)", *since) != []
        if since is not None and shares:
            start = since[0]
        return Recording(
            _model(query),
            "".join(value for (value,) in query(_FENCE, FENCE)),
            list(calls_between(query, start, end, half_done=shares)),
            [Take(*row) for row in query(_TAKES, start, end)],
            frozenset(agent_id for (agent_id,) in (query(_ALL) if _cut_in(query) else query(_CUT_OFF, start, end))),
            _ended(query, start, end),
        )


def _cut_in(query: Query) -> int:
    """Return in which line the text of a log was cut off; 0 if it was not."""
    return int(query(CUT_IN)[0][0])


def _ended(query: Query, start: int, end: int) -> str:
    if line := _cut_in(query):
        return f"its text was cut off in line {line}, and is played up to the last place before that"
    halted = query(_HALTED, start, end)
    if not halted:
        return "its service was stopped then, with this left to do"
    reason = halted[0][0]
    return "its service was paused then" if reason == "paused" else f"its service met its limit of {reason} then"


def _model(query: Query) -> str:
    found = query("SELECT value FROM options WHERE name = 'model' ORDER BY seq LIMIT 1")
    text = json.loads(found[0][0]) if found else None
    name = code_name(text) or text
    if not name or name == "played":  # a log that was played itself: what it was asked for then
        asked = query(_WITHOUT_MODEL)
        name = asked[0][0] if asked else "offline"
    return str(name)


def calls_between(query: Query, start: int, end: int, *, half_done: bool = False) -> Iterator[Call]:
    """Return the model calls that were made in a part of a log, in its order; and those half done where it begins."""
    items: dict[tuple[str, int], list[tuple[int, str]]] = {}
    for run_id, step, seq, payload in query(_ITEMS, start, end):
        items.setdefault((run_id, step), []).append((seq, payload))
    shorter: dict[str, list[tuple[int, str, str]]] = {}
    for agent_id, seq, how, payload in query(_COMPACTIONS, start, end):
        shorter.setdefault(agent_id, []).append((seq, how, payload))
    found = []
    for taken in query(_STEPS, start, end, half_done):
        agent_id, run_id, step, seq, until_seq, kind, *rest = taken
        asked, model, settings, fingerprint, response_id, *counted, latency_s, first_s, error, answered = rest[:-3]
        usd, mended, end_ = rest[-3:]
        if kind == "compact":
            how, output = _shortened(shorter.get(agent_id, []), seq, answered)
        else:
            how, output = "", _output([text for at, text in items.get((run_id, step), ()) if at > seq], end_)
        response = _response(response_id, model, output, counted, end_)
        places = (until_seq, how, asked, settings, fingerprint, error)
        found.append(Call(agent_id, run_id, step, seq, *places, response, latency_s or 0.0, first_s, usd, bool(mended)))
    for agent_id, rows in shorter.items():  # shortened with no step: whoever was asked, if anybody, failed at it
        found += [Call(agent_id, "", 0, seq, None, how, "", "", "", None, {}, 0.0, None) for seq, how, _ in rows]
    return iter(sorted(found, key=lambda call: call.seq))


def _shortened(waiting: list[tuple[int, str, str]], seq: int, answered: str | None) -> tuple[str, list[dict[str, Any]]]:
    """Return how a step shortened a conversation, and what was answered; what it wrote is no longer waiting then."""
    n = next((n for n, (at, _, _) in enumerate(waiting) if at > seq), None)
    _, how, payload = (seq, "dropped", "[]") if n is None else waiting.pop(n)
    return how, json.loads(payload) if answered is None else [_as_sent(item, None) for item in json.loads(answered)]


def _output(payloads: Sequence[str], end: str | None) -> list[dict[str, Any]]:
    """Return what a model answered, from the items of a step: the outputs of its calls, at the end, are not its own."""
    items = [json.loads(payload) for payload in payloads]
    n_calls = sum(item.get("type") == "function_call" for item in items)
    return [_as_sent(item, end) for item in items[: len(items) - n_calls]]


def _as_sent(item: dict[str, Any], end: str | None) -> dict[str, Any]:
    if item.get("role") != "assistant" or "type" in item or not isinstance(item.get("content"), str):
        return item
    kind = ("refusal", "refusal") if end == "refused" else ("output_text", "text")
    return {"type": "message", "role": "assistant", "content": [{"type": kind[0], kind[1]: item["content"]}]}


def _response(
    response_id: str | None, model: str, output: list[dict[str, Any]], counted: Sequence[int | None], end: str | None
) -> dict[str, Any]:
    read, cached, written = counted
    usage = {"input_tokens": read, "input_tokens_details": {"cached_tokens": cached}, "output_tokens": written}
    response: dict[str, Any] = {"id": response_id, "model": model, "output": output, "usage": usage}
    if end in _INCOMPLETE:
        response |= {"status": "incomplete", "incomplete_details": {"reason": _INCOMPLETE[end]}}
    return response
