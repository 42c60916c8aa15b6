"""Branches of a log: which belongs to which, and how two of them part."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from intercom_nb.analysis.frames import messages_df
from intercom_nb.analysis.reading import logs_of
from intercom_nb.analysis.traffic import who_to_whom
from intercom_nb.checks import AnyPath
from intercom_nb.log.equal import Difference, difference
from intercom_nb.log.reading import HasStore, querying
from intercom_nb.log.summary import summary

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Divergence", "Lineage", "divergence", "lineage"]

_LAST_PLACE = "SELECT COALESCE(MAX(seq), 0) FROM places WHERE seq < ?"
_SIDE = ["sender", "receiver", "chat", "text"]


@dataclass(frozen=True, eq=False)
class Lineage:
    """Which logs are branches of which; printed, it is a tree.

    Attributes
    ----------
    frame : DataFrame
        A row a log, index ``log``: ``name`` (of its service), ``log_id``, ``parent`` (what the log that it branched off
        from is called in this frame, else its id; missing for one that is no branch), ``place`` (where it did),
        ``messages``, ``runs``, ``usd``.
    """

    frame: "pd.DataFrame"

    def __str__(self) -> str:
        below: dict[str, list[str]] = {}
        for log, parent in self.frame["parent"].items():
            below.setdefault(parent if parent in self.frame.index else "", []).append(str(log))
        return "\n".join(self._lines(below, "", "", set())) or "no log"

    def __repr__(self) -> str:
        return str(self)

    def _lines(self, below: Mapping[str, Sequence[str]], of: str, indent: str, seen: set[str]) -> list[str]:
        lines = []
        for log in below.get(of, ()):
            row = self.frame.loc[log].to_dict()
            where = ""
            if isinstance(row["parent"], str):
                alone = "" if row["parent"] in self.frame.index else f" of {row['parent']}, which is not here"
                where = f", from {row['place']} on{alone}"
            lines.append(f"{indent}{log}: {row['messages']} messages{where}")
            if log not in seen:  # a log that is made up may be its own ancestor
                lines += self._lines(below, log, indent + "    ", {*seen, log})
        return lines


@dataclass(frozen=True, eq=False)
class Divergence:
    """How two logs part that have a past in common.

    Attributes
    ----------
    place : int
        The last place up to which they are equal; 0 if they never were.
    difference : Difference or None
        The first row that differs; None if they are equal.
    messages : DataFrame
        What was said from there on, side by side, in the order of each: columns ``one`` and ``other``, each with
        ``sender``, ``receiver``, ``chat`` and ``text``; missing where one has fewer.
    who_to_whom : DataFrame
        How many messages more each wrote to each in the second log than in the first, by name.
    """

    place: int
    difference: Difference | None
    messages: "pd.DataFrame"
    who_to_whom: "pd.DataFrame"

    def __repr__(self) -> str:
        if self.difference is None:
            return "<Divergence: the two are equal>"
        n = len(self.messages)
        return f"<Divergence: equal up to {self.place}, then up to {n} messages side by side; {self.difference}>"


def lineage(logs: HasStore | AnyPath | Sequence[HasStore | AnyPath]) -> Lineage:
    """Return which logs are branches of which.

    Parameters
    ----------
    logs : service, str or Path, or a list of them
        Services, paths of logs, or a folder of logs.

    Raises
    ------
    LogError
        If one of them cannot be read.

    Examples
    --------
    >>> lineage(intercom).frame["messages"].tolist()
    [4]
    """
    import pandas as pd

    rows: dict[str, dict[str, Any]] = {}
    for name, log in logs_of(logs).items():
        found = summary(log)
        called = name or (log.stem if isinstance(log, Path) else found.name)
        known = {"name": found.name, "log_id": found.log_id, "parent": found.parent, "place": found.parent_place}
        spent = {"messages": found.spent.messages, "runs": found.spent.runs, "usd": found.spent.usd}
        rows[called] = known | spent
    by_id = {row["log_id"]: name for name, row in rows.items()}
    for row in rows.values():
        row["parent"] = by_id.get(row["parent"], row["parent"])
    frame = pd.DataFrame.from_dict(rows, orient="index").astype({"place": "Int64"})
    return Lineage(frame.rename_axis("log"))


def divergence(one: HasStore | AnyPath, other: HasStore | AnyPath) -> Divergence:
    """Return where two logs part, what was said then, and who wrote more to whom.

    Parameters
    ----------
    one, other : InterComService, str or Path
        Services or paths of logs, such as a parent and its branch, or two branches.

    Raises
    ------
    LogError
        If one of them cannot be read.

    Examples
    --------
    >>> divergence(intercom, intercom)
    <Divergence: the two are equal>
    """
    import pandas as pd

    found = difference(one, other)
    with querying(one) as query:
        last = query("SELECT MAX(seq) FROM places")[0][0] + 1
        place = query(_LAST_PLACE, last if found is None else found.seq)[0][0]
    sides = {}
    for name, log in (("one", one), ("other", other)):
        said = messages_df(log)
        sides[name] = said[said["seq"] > place][_SIDE].reset_index(drop=True)
    before, after = who_to_whom(one), who_to_whom(other)
    more = after.sub(before, fill_value=0).fillna(0).astype(int)
    order = list(dict.fromkeys([*before.index, *after.index]))
    return Divergence(place, found, pd.concat(sides, axis="columns"), more.reindex(index=order, columns=order))
