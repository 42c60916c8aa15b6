"""Many logs as one table: a row for each, with its conditions and what came of it."""

import json
import math
from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from intercom_nb.analysis.reading import Source, logs_of
from intercom_nb.analysis.tables import Frames
from intercom_nb.checks import checked_path, wrong_type
from intercom_nb.errors import LogError
from intercom_nb.log.reading import HasStore, in_memory
from intercom_nb.log.summary import Summary, summary

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["runs_of"]

_COLUMNS = {
    "log": "text", "name": "text", "tags": "text", "began_at": "time", "ended_at": "time", "model": "text",
    "server": "text", "settings": "text", "missions": "text", "reason": "text", "agents": "count", "messages": "count",
    "runs": "count", "steps": "count", "tokens": "count", "usd": "number", "seconds": "number", "parent": "text",
    "parent_place": "count", "error": "text",
}  # fmt: skip


def runs_of(source: "Source") -> "pd.DataFrame":
    """Return one row per log, in the order of their paths: under which conditions it ran, and what came of it.

    Parameters
    ----------
    source : Source
        A folder of logs, with those in its folders; a log's path, a service, or several of them.

    Returns
    -------
    DataFrame, shape (n_logs, 20 + n_tags)
        ``log`` (the file's name without its ending, with its folders where it lies deeper), ``name`` (the service's),
        ``tags`` (JSON), ``began_at``, ``ended_at`` (of what it holds), ``model``, ``server``, ``settings`` (JSON),
        ``missions`` (a fingerprint: the same for the same names, descriptions and missions), ``reason`` (as `wait`
        returns it; missing while it is at work, or where its process was killed), ``agents``, ``messages``, ``runs``,
        ``steps``, ``tokens`` (Int64), ``usd`` (NaN if the price of any call is not known), ``seconds`` (at work),
        ``parent`` (the log it branched off from, if it did: as in ``log`` where that is read too, else its id),
        ``parent_place``, ``error`` (what is wrong with a file that cannot be read as a log; then the rest is missing).
        Then ``tag_…`` for each tag of any of them (text).

    Raises
    ------
    LogError
        If there is no log in the folder.

    Examples
    --------
    >>> runs_of(intercom)[["name", "reason", "messages"]].values.tolist()
    [['demo_1', 'quiet', 4]]
    """
    rows, ids = list[dict[str, Any]](), dict[str, str]()
    for label, log in _labelled(source):
        try:
            found = summary(log)
        except (LogError, OSError) as error:
            rows.append({"log": label, "error": str(error)})
        else:
            rows.append(_row(label, found))
            ids[found.log_id] = label
    for row in rows:
        row["parent"] = ids.get(str(row.get("parent")), row.get("parent"))
    return _as_frame(rows)


def _labelled(source: "Source") -> list[tuple[str, HasStore | Path]]:
    if isinstance(source, Frames):
        raise wrong_type("source", source, "a folder of logs, a log or a service: frames do not say how it ran")
    if isinstance(source, str | PathLike) and in_memory(source) is None:
        path = checked_path(source, "source", "a service, or the path of a log or of a folder of logs")
        if path.is_dir():
            found = sorted(path.rglob("*.db"))
            if not found:
                raise LogError(path, "there is no log in this folder; logs end in .db")
            return [(str(one.relative_to(path).with_suffix("")), one) for one in found]
        return [(path.stem, path)]
    if isinstance(source, Sequence) and not isinstance(source, str):
        return list(logs_of(source).items())
    return [(_name(log), log) for log in logs_of(source).values()]


def _name(log: HasStore | Path) -> str:
    path = log if isinstance(log, Path) else log._store.path  # noqa: SLF001 - the one door of a service's log
    return "" if path is None else path.stem


def _row(label: str, found: Summary) -> dict[str, Any]:
    spent = found.spent
    return {
        "log": label or found.name,
        "name": found.name,
        "tags": json.dumps(dict(found.tags), ensure_ascii=False, sort_keys=True),
        "began_at": found.began,
        "ended_at": found.ended,
        "model": found.model,
        "server": found.base_url,
        "settings": found.settings,
        "missions": found.missions,
        "reason": found.reason,
        "agents": found.agents,
        "messages": spent.messages,
        "runs": spent.runs,
        "steps": spent.steps,
        "tokens": spent.tokens,
        "usd": math.nan if spent.unpriced else spent.usd,
        "seconds": found.seconds,
        "parent": found.parent,
        "parent_place": found.parent_place,
        "error": None,
    } | {f"tag_{key}": value for key, value in found.tags.items()}


def _as_frame(rows: Sequence[dict[str, Any]]) -> "pd.DataFrame":
    import pandas as pd
    import pyarrow as pa

    tags = sorted({name for row in rows for name in row if name not in _COLUMNS})
    kinds = _COLUMNS | dict.fromkeys(tags, "text")
    types: dict[str, Any] = {
        "text": pd.ArrowDtype(pa.string()),
        "count": "Int64",
        "number": "float64",
        "time": "datetime64[us, UTC]",
    }
    columns = {name: pd.Series([row.get(name) for row in rows], dtype=types[kind]) for name, kind in kinds.items()}
    return pd.DataFrame(columns)
