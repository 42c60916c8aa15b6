"""A log that can be asked: a path with every function of this folder as a method."""

import os
from os import PathLike
from pathlib import Path

from intercom_nb.analysis.activity import activity
from intercom_nb.analysis.exports import to_graphml, to_markdown, to_mermaid, to_parquet
from intercom_nb.analysis.frames import (
    agents_df,
    chats_df,
    deliveries_df,
    events_df,
    halts_df,
    items_df,
    memberships_df,
    messages_df,
    options_df,
    read_frames,
    runs_df,
    steps_df,
    tool_calls_df,
)
from intercom_nb.analysis.goals import demo_goals
from intercom_nb.analysis.measures import agent_measures, conversation_measures, left_alone
from intercom_nb.analysis.plots.activity import plot_activity
from intercom_nb.analysis.plots.cost import plot_cost
from intercom_nb.analysis.plots.graph import plot_graph
from intercom_nb.analysis.plots.timeline import plot_timeline
from intercom_nb.analysis.plots.who_to_whom import plot_who_to_whom
from intercom_nb.analysis.replies import replies_df
from intercom_nb.analysis.runs_of import runs_of
from intercom_nb.analysis.spending import cost
from intercom_nb.analysis.traffic import delivery_counts, graph, who_to_whom
from intercom_nb.analysis.waste import redundant_messages
from intercom_nb.checks import AnyPath, checked_path
from intercom_nb.errors import LogError
from intercom_nb.log.reading import HasStore, in_memory, store_of
from intercom_nb.log.state import places, state
from intercom_nb.log.store import Store
from intercom_nb.log.summary import summary
from intercom_nb.log.text import to_jsonl
from intercom_nb.readable import counted

__all__ = ["Log"]


class Log(PathLike[str]):
    """A log, by the path of its file: it goes wherever a path goes, and can be asked what is in it.

    Each function that reads a log is a method of it, too, and takes the same: ``who_to_whom(log)`` is
    ``log.who_to_whom()``. ``intercom.log`` is the log of a service, also while it runs.

    Parameters
    ----------
    source : str, Path or InterComService
        The log's file, or a service. Whether the file is there is told when it is asked.

    Examples
    --------
    >>> log = Log(intercom.log.path)
    >>> log.messages_df().sender.value_counts().to_dict()
    {'Founder': 2, 'Marketing Expert': 1}
    >>> int(log.who_to_whom().loc["Founder", "Marketing Expert"])
    2
    """

    def __init__(self, source: "HasStore | AnyPath") -> None:
        self._store: Store | None = None
        self._path: Path | None = None
        if isinstance(source, str | PathLike) and in_memory(source) is None:
            self._path = checked_path(source, "source", "a service, or the path of a log")
        else:
            self._store = store_of(source)  # type: ignore[arg-type]  # no path, so a service or its log
            self._path = self._store.path

    @property
    def path(self) -> Path | None:
        """Its file; None for a log in memory."""
        return self._path

    @property
    def name(self) -> str:
        """Its file's name; of a log in memory, its service's."""
        return self._store_in_memory().meta["name"] if self._path is None else self._path.name

    def __fspath__(self) -> str:
        """Return its path, for whatever takes one.

        Raises
        ------
        LogError
            If it is in memory, and has none.
        """
        if self._path is None:
            raise LogError(None, "has no path; InterComService(logs='logs') keeps a log on file")
        return str(self._path)

    def __str__(self) -> str:
        return "in memory" if self._path is None else str(self._path)

    def __repr__(self) -> str:
        try:
            name, found = self.name, summary(self)
        except (LogError, OSError) as error:
            return f"<Log {error}>"
        what = f"{counted(found.spent.messages, 'message')}, {counted(found.agents, 'agent')}"
        spent = counted(found.spent.tokens, "token") + (f", ${found.spent.usd:,.4f}" if found.spent.usd else "")
        return f"<Log {name}: {what}, {found.began:%Y-%m-%d %H:%M} UTC, {spent}{'' if self._path else '; in memory'}>"

    def __eq__(self, other: object) -> bool:
        """Return whether another log, or a path, is the same file; of logs in memory, each is like itself only."""
        if isinstance(other, Log) and None in (self._path, other._path):
            return self._store is other._store and self._path is other._path
        if isinstance(other, PathLike) and self._path is not None:
            return self._path == Path(os.fspath(other))
        return NotImplemented

    def __hash__(self) -> int:
        return hash(self._path) if self._path is not None else id(self._store)

    def __reduce__(self) -> tuple[type["Log"], tuple[str]]:
        """Return how it is made anew where it is sent to: by its path."""
        return Log, (os.fspath(self),)

    def _store_in_memory(self) -> Store:
        assert self._store is not None  # noqa: S101 - what has no path has a store
        return self._store

    # -- what it can be asked: the functions of that name, with this log in place of the first argument --------------

    activity = activity
    agent_measures = agent_measures
    agents_df = agents_df
    chats_df = chats_df
    conversation_measures = conversation_measures
    cost = cost
    deliveries_df = deliveries_df
    delivery_counts = delivery_counts
    demo_goals = demo_goals
    events_df = events_df
    graph = graph
    halts_df = halts_df
    items_df = items_df
    left_alone = left_alone
    memberships_df = memberships_df
    messages_df = messages_df
    options_df = options_df
    places = places
    plot_activity = plot_activity
    plot_cost = plot_cost
    plot_graph = plot_graph
    plot_timeline = plot_timeline
    plot_who_to_whom = plot_who_to_whom
    read_frames = read_frames
    redundant_messages = redundant_messages
    replies_df = replies_df
    runs_df = runs_df
    runs_of = runs_of
    state = state
    steps_df = steps_df
    to_graphml = to_graphml
    to_jsonl = to_jsonl
    to_markdown = to_markdown
    to_mermaid = to_mermaid
    to_parquet = to_parquet
    tool_calls_df = tool_calls_df
    who_to_whom = who_to_whom
