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
# How the last run of each agent ended.
_LASTS = """
SELECT DISTINCT (SELECT reason FROM runs WHERE agent_id = one.agent_id ORDER BY seq DESC LIMIT 1)
FROM (SELECT DISTINCT agent_id FROM agents) AS one
"""
_WAITS = """
SELECT 1 FROM deliveries
WHERE until_seq IS NULL AND agent_id IN (SELECT agent_id FROM agents WHERE kind = 'agent') LIMIT 1
"""


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
        Why it is not at work, in the words of `InterComService.wait`; None if it is, or if its process ended without a
        word.
    began, ended : datetime
        Its first and its last place.
    spent : Spent
        By all agents.
    seconds : float
        During which it was at work.
    parent : str or None
        The ``log_id`` of the log that it branched off from; None for one that begins by itself.
    parent_place : int or None
        Where in that one.
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
    parent: str | None = None
    parent_place: int | None = None


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
        reason=_reason(query),
        began=moment(first),
        ended=moment(last),
        spent=Spent(*spent),
        seconds=seconds,
        parent=meta.get("parent"),
        parent_place=int(meta["place"]) if "place" in meta else None,
    )


def _reason(query: Query) -> str | None:
    """Return why a log's service is not at work; None if it has not let go of the log."""
    if query("SELECT 1 FROM openings WHERE until_seq IS NULL"):
        return None
    halts = query("SELECT agent_id, reason FROM halts WHERE until_seq IS NULL ORDER BY seq")
    lasts = {reason for (reason,) in query(_LASTS)}
    of_agent = next((reason for agent_id, reason in halts if agent_id is not None), "stopped")
    found = [reason for agent_id, reason in halts if agent_id is None and reason != "stopped"]
    found += ["failed"] if "failed" in lasts else []
    found += ["courtesy"] if query("SELECT 1 FROM holds WHERE until_seq IS NULL LIMIT 1") else []
    found += [of_agent] if query(_WAITS) else []
    found += ["stopped"] if lasts & {"stopped", "interrupted"} else []
    found += ["steps"] if "steps" in lasts else []
    return str([*found, "quiet"][0])


def _fingerprint(missions: Sequence[tuple[Any, ...]]) -> str:
    text = json.dumps(missions, ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:_DIGITS]
