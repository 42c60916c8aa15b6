"""The log as tables and graphs: who said what to whom. Needs pandas and networkx only when one of them is asked for."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import quote

from intercom_nb.errors import LogError
from intercom_nb.store import Store

if TYPE_CHECKING:
    import networkx as nx
    import pandas as pd

__all__ = ["Source", "delivery_counts", "graph", "messages_df", "who_to_whom"]


class HasStore(Protocol):
    """A service, as far as its log is concerned."""

    store: Store


Source = HasStore | str | Path
"""A service, also while it runs, or the path of a log."""

_Query = Callable[..., list[tuple[Any, ...]]]

_NAMES = "SELECT agent_id, name FROM agents GROUP BY agent_id ORDER BY MIN(seq), MIN(rowid)"


@contextmanager
def _reading(source: Source) -> Iterator[_Query]:
    if not isinstance(source, str | Path):
        with source.store.reading() as query:
            yield query
        return
    path = Path(source)
    if not path.is_file():
        raise LogError(path, "there is no such log; give a service, or the path that its .log names")
    connection = sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True, isolation_level=None)
    try:
        connection.execute("BEGIN")
        yield lambda sql, *parameters: connection.execute(sql, parameters).fetchall()
    except sqlite3.Error as error:
        raise LogError(path, f"cannot be read as a log of intercom_nb ({error})") from None
    finally:
        connection.close()


def delivery_counts(source: Source) -> dict[str, dict[str, int]]:
    """Return who wrote to whom, in deliveries: sender's name → receiver's name → count.

    Parameters
    ----------
    source : InterComService, str or Path
        A service, also while it runs, or a log.

    Returns
    -------
    dict of dict of int
        Every pair of members is there, also with 0; a group message counts once for each of its receivers. Texts of
        the program (*Begin*) have no sender and do not count.
    """
    with _reading(source) as query:
        names = dict(query(_NAMES))
        counted = query(
            "SELECT m.sender_id, d.agent_id, COUNT(*) FROM deliveries AS d JOIN messages AS m USING (seq) "
            "WHERE m.sender_id IS NOT NULL GROUP BY m.sender_id, d.agent_id"
        )
    counts = {names[s]: {names[r]: 0 for r in names if r != s} for s in names}
    for sender_id, receiver_id, count in counted:
        counts[names[sender_id]][names[receiver_id]] = count
    return counts


def who_to_whom(source: Source) -> "pd.DataFrame":
    """Return who wrote to whom as a matrix of deliveries, one row a sender.

    Parameters
    ----------
    source : InterComService, str or Path
        A service, also while it runs, or a log.

    Returns
    -------
    DataFrame, shape (n_members, n_members), int
        Index ``sender``, columns ``receiver``, by name, in the order they were added. Zeros stay: silence is a finding.
    """
    import pandas as pd

    counts = delivery_counts(source)
    frame = pd.DataFrame.from_dict(counts, orient="index", columns=list(counts)).fillna(0).astype(int)
    return frame.rename_axis(index="sender", columns="receiver")


def messages_df(source: Source) -> "pd.DataFrame":
    """Return one row per accepted message, oldest first.

    Parameters
    ----------
    source : InterComService, str or Path
        A service, also while it runs, or a log.

    Returns
    -------
    DataFrame, shape (n_messages, 9)
        Index ``seq`` (int, unique). Columns: ``id``, ``time`` (datetime64[us, UTC]), ``sender``, ``receiver``,
        ``chat`` (names; missing where there is none), ``sender_id``, ``receiver_id``, ``chat_id``, ``text``.
    """
    import pandas as pd

    with _reading(source) as query:
        names = dict(query(_NAMES) + query("SELECT chat_id, name FROM chats"))
        rows = query("SELECT seq, id, created_at, sender_id, receiver_id, chat_id, text FROM messages ORDER BY seq")
    frame = pd.DataFrame(rows, columns=["seq", "id", "time", "sender_id", "receiver_id", "chat_id", "text"])
    frame["time"] = pd.to_datetime(frame["time"], unit="us", utc=True)
    for column in ("sender", "receiver", "chat"):
        frame[column] = frame[f"{column}_id"].map(names)
    order = ["id", "time", "sender", "receiver", "chat", "sender_id", "receiver_id", "chat_id", "text"]
    return frame.set_index("seq")[order]


def graph(source: Source) -> "nx.DiGraph":
    """Return who wrote to whom as a graph: a node for each member, an edge for each pair that has exchanged something.

    Parameters
    ----------
    source : InterComService, str or Path
        A service, also while it runs, or a log.

    Returns
    -------
    networkx.DiGraph
        Nodes are names. Edges have ``deliveries`` (int). Members nobody wrote to are nodes without edges.
    """
    import networkx as nx

    counts = delivery_counts(source)
    traffic = nx.DiGraph()
    traffic.add_nodes_from(counts)
    traffic.add_edges_from(
        (sender, receiver, {"deliveries": n}) for sender, row in counts.items() for receiver, n in row.items() if n
    )
    return traffic
