"""A log in a few values: what it is called, under which conditions it ran, how far it came, and why it stopped."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from intercom_nb.checks import AnyPath
from intercom_nb.limits import Spent
from intercom_nb.log.reading import HasStore, Query, querying
from intercom_nb.log.times import moment
from intercom_nb.log.transaction import TOTALS

__all__ = ["Summary", "summary"]

_DIGITS = 8  # of a fingerprint: enough to tell the missions of one study apart
_MISSIONS = """
SELECT agent_id, name, description, mission FROM agents AS a
WHERE kind = 'agent' AND version = (SELECT MAX(version) FROM agents WHERE agent_id = a.agent_id)
ORDER BY agent_id
"""
_ENDS = ("started", "paused", "stopped")  # events that say whether it is at work, and the last two why not


@dataclass(frozen=True, slots=True)
class Summary:
    """A log in a few values.

    Attributes
    ----------
    name, log_id : str
        The service's name, and what no other log has.
    agents : int
        How many, people not among them.
    tags : mapping of str to str
        By which it is found among others.
    model, base_url : str or None
        What agents without a model of their own run on, and where, as the log has it.
    settings : str
        What is sent with each model call, as JSON.
    missions : str
        A fingerprint of all that the agents are told of themselves: two logs with the same one have the same cast.
    reason : str or None
        Why it is not at work; None if it is, or if its process ended without a word.
    began, ended : datetime
        Its first and its last place.
    spent : Spent
        By all agents.
    seconds : float
        During which it was at work.
    """

    name: str
    log_id: str
    agents: int
    tags: Mapping[str, str]
    model: str | None
    base_url: str | None
    settings: str
    missions: str
    reason: str | None
    began: datetime
    ended: datetime
    spent: Spent
    seconds: float


def summary(log: HasStore | AnyPath) -> Summary:
    """Return a log in a few values, at a cost that does not grow with what was said in it.

    Raises
    ------
    LogError
        If there is no such log, or it cannot be read as one.
    """
    with querying(log) as query:
        return _read(query)


def _read(query: Query) -> Summary:
    meta: dict[str, str] = dict(query("SELECT key, value FROM meta"))
    told: dict[str, Any] = {
        name: json.loads(value) for name, value in query("SELECT name, value FROM options ORDER BY seq")
    }
    first = query("SELECT at FROM places ORDER BY seq LIMIT 1")[0][0]
    last, *spent, seconds = query(f"SELECT at, {TOTALS} FROM places ORDER BY seq DESC LIMIT 1")[0]  # noqa: S608 - ours
    marks = ", ".join("?" for _ in _ENDS)
    end = query(f"SELECT reason FROM events WHERE kind IN ({marks}) ORDER BY seq DESC LIMIT 1", *_ENDS)  # noqa: S608
    missions = query(_MISSIONS)
    return Summary(
        name=meta["name"],
        log_id=meta["log_id"],
        agents=len(missions),
        tags=dict(told.get("tags") or {}),
        model=told.get("model"),
        base_url=told.get("base_url"),
        settings=json.dumps(told.get("settings") or {}, ensure_ascii=False, sort_keys=True),
        missions=_fingerprint(missions),
        reason=end[0][0] if end else None,
        began=moment(first),
        ended=moment(last),
        spent=Spent(*spent),
        seconds=seconds,
    )


def _fingerprint(missions: Sequence[tuple[Any, ...]]) -> str:
    text = json.dumps(missions, ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:_DIGITS]
