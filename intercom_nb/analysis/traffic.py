"""Who wrote to whom: as counts, as a matrix, as a graph."""

from typing import TYPE_CHECKING, Any, Literal

from intercom_nb.analysis.reading import Source, frames_from, logs_of, querying
from intercom_nb.analysis.tables import TABLES, Frames

if TYPE_CHECKING:
    import networkx as nx
    import pandas as pd

__all__ = ["collapse", "delivery_counts", "graph", "who_to_whom"]

Count = Literal["messages", "characters", "tokens", "usd"]
Through = Literal["all", "direct", "group"]

_NAMES = "SELECT agent_id, name FROM agents GROUP BY agent_id ORDER BY MIN(seq), MIN(rowid)"
_COUNTS = (
    "SELECT m.sender_id, d.agent_id, COUNT(*) FROM deliveries AS d JOIN messages AS m USING (seq) "
    "WHERE m.sender_id IS NOT NULL GROUP BY m.sender_id, d.agent_id"
)


def delivery_counts(source: Source) -> dict[str, dict[str, int]]:
    """Return who wrote to whom, in deliveries: sender's name → receiver's name → count.

    Parameters
    ----------
    source : Source
        A service, also while it runs, a log, several of them, or a folder of logs.

    Returns
    -------
    dict of dict of int
        Every pair of members is there, also with 0; a group message counts once for each of its receivers. Texts of
        the program (*Begin*) have no sender and do not count.
    """
    logs = {} if isinstance(source, Frames) else logs_of(source)
    if "" not in logs:
        matrix = who_to_whom(source)
        members = [str(name) for name in matrix.index]
        rows = zip(members, matrix.to_numpy().tolist(), strict=True)
        return {s: {r: n for r, n in zip(members, row, strict=True) if r != s} for s, row in rows}
    with querying(logs[""]) as query:
        names = dict(query(_NAMES))
        counted = query(_COUNTS)
    counts = {names[s]: {names[r]: 0 for r in names if r != s} for s in names}
    for sender_id, receiver_id, count in counted:
        counts[names[sender_id]][names[receiver_id]] = count
    return counts


def who_to_whom(source: Source, count: Count = "messages", through: Through = "all") -> "pd.DataFrame":
    """Return who wrote to whom as a matrix, one row a sender.

    Parameters
    ----------
    source : Source
        A service, also while it runs, a log, several of them (added up by name), or a folder of logs.
    count : {"messages", "characters", "tokens", "usd"}
        What a cell adds up. ``messages`` and ``characters``: of each delivery, so a group message counts once for each
        of its receivers. ``tokens`` and ``usd``: what the sender spent on saying it. All input and output tokens (the
        cost) of the run that sent a message are shared evenly among the messages of that run, and a message's share
        evenly among its receivers, so that the matrix adds up to what the sending runs spent. Persons spend nothing.
    through : {"all", "direct", "group"}
        Only messages between two, only those in group chats, or both.

    Returns
    -------
    DataFrame, shape (n_members, n_members)
        Index ``sender``, columns ``receiver``, by name, in the order they were added. int for messages and characters;
        float for tokens and usd, NaN where the spending of a run is not known. Zeros stay: silence is a finding.

    Raises
    ------
    ValueError
        If `count` or `through` is none of these.

    Examples
    --------
    >>> who_to_whom(intercom, "messages").sum(axis="columns").to_dict()
    {'Founder': 2, 'Marketing Expert': 1, 'Network Engineer': 0}
    """
    import numpy as np
    import pandas as pd

    if count not in ("messages", "characters", "tokens", "usd"):
        raise ValueError(f"count={count!r}: right would be 'messages', 'characters', 'tokens' or 'usd'")
    if through not in ("all", "direct", "group"):
        raise ValueError(f"through={through!r}: right would be 'all', 'direct' or 'group'")
    wanted = ("agents", "deliveries", *(() if count == "messages" else ("messages", "runs")))
    found = frames_from(source, {name: TABLES[name] for name in wanted}, strict=True)
    members = pd.Index(found["agents"]["name"].drop_duplicates().to_numpy(object))
    deliveries = found["deliveries"]
    amounts = _amounts(found, count)
    in_group = deliveries["chat_id"].notna()
    chosen = deliveries["sender"].notna() & (through == "all" or in_group == (through == "group"))
    told = deliveries[chosen]
    matrix = np.zeros((len(members), len(members)), amounts.dtype)
    places = tuple(members.get_indexer(told[who].to_numpy(object)) for who in ("sender", "receiver"))
    np.add.at(matrix, places, amounts[chosen.to_numpy()])
    labels = members.astype("str")
    return pd.DataFrame(matrix, labels.rename("sender"), labels.rename("receiver"))


def _amounts(found: "dict[str, pd.DataFrame]", count: Count) -> Any:
    """Return what each delivery counts, as an array in the order of the deliveries."""
    import numpy as np
    import pandas as pd

    deliveries = found["deliveries"]
    if count == "messages":
        return np.ones(len(deliveries), np.int64)
    log = [name for name in ("log",) if name in deliveries]
    messages = found["messages"]
    keys = pd.MultiIndex.from_frame(messages[[*log, "seq"]]).get_indexer(
        pd.MultiIndex.from_frame(deliveries[[*log, "seq"]])
    )
    if count == "characters":
        return messages["text"].str.len().to_numpy(np.int64)[keys]
    runs = found["runs"]
    spent = runs["usd"] if count == "usd" else runs["input_tokens"] + runs["output_tokens"]
    sent = runs["n_sent"].to_numpy(np.float64)
    share = spent.to_numpy(np.float64, na_value=np.nan) / np.where(sent > 0, sent, np.nan)
    by = pd.MultiIndex.from_frame(runs[[*log, "run_id"]])
    sent_by = by.get_indexer(pd.MultiIndex.from_frame(messages[[*log, "run_id"]]))
    cost = np.where(sent_by < 0, 0.0, np.append(share, np.nan)[sent_by])
    return (cost / np.bincount(keys, minlength=len(messages)).clip(1))[keys]


def graph(source: Source) -> "nx.MultiDiGraph":
    """Return who wrote to whom as a graph: a node for each member, an edge for each delivery.

    Parameters
    ----------
    source : Source
        A service, also while it runs, a log, several of them (joined by name), or a folder of logs.

    Returns
    -------
    networkx.MultiDiGraph
        Nodes are names, in the order they were added, with ``id``, ``kind`` (``agent`` or ``person``; None if not
        known) and ``description``. Edges, oldest first, have ``time`` (datetime, UTC; None if not known), ``seq``
        (int), ``chat`` (name of the group; None between two) and ``characters`` (int). Members nobody wrote to are
        nodes without edges. Texts of the program (*Begin*) have no sender and no edge.

    Examples
    --------
    >>> import networkx as nx
    >>> nx.degree_centrality(collapse(graph(intercom)))
    {'Founder': 1.0, 'Marketing Expert': 1.0, 'Network Engineer': 0.0}
    """
    import networkx as nx

    found = frames_from(source, {name: TABLES[name] for name in ("agents", "messages", "deliveries")}, strict=True)
    traffic = nx.MultiDiGraph()
    agents = found["agents"][["name", "agent_id", "kind", "description"]].astype(object)
    for name, agent_id, kind, description in agents.where(agents.notna(), None).itertuples(index=False):
        if name not in traffic:
            traffic.add_node(name, id=agent_id, kind=kind, description=description)
    told = found["deliveries"][["sender", "receiver", "created_at", "seq", "chat"]].astype(object)
    told = told.where(told.notna(), None).assign(characters=_amounts(found, "characters"))
    for sender, receiver, at, seq, chat, characters in told.itertuples(index=False):
        if sender is not None:
            time = None if at is None else at.to_pydatetime()
            traffic.add_edge(sender, receiver, time=time, seq=int(seq), chat=chat, characters=int(characters))
    return traffic


def collapse(traffic: "nx.MultiDiGraph") -> "nx.DiGraph":
    """Return a graph with one edge for each pair that has exchanged something, from one with an edge a delivery.

    Parameters
    ----------
    traffic : networkx.MultiDiGraph
        As `graph` returns it; it may have been thinned out, by chat or time, say.

    Returns
    -------
    networkx.DiGraph
        The same nodes. Edges have ``weight`` (int, deliveries), ``characters`` (int, their sum), and ``first`` and
        ``last`` (datetime, UTC; None if not known).
    """
    import networkx as nx

    pairs = nx.DiGraph()
    pairs.add_nodes_from(traffic.nodes(data=True))
    for sender, receiver, edge in traffic.edges(data=True):
        if not pairs.has_edge(sender, receiver):
            pairs.add_edge(sender, receiver, weight=0, characters=0, first=None, last=None)
        pair = pairs.edges[sender, receiver]
        pair["weight"] += 1
        pair["characters"] += edge["characters"]
        if edge["time"] is not None:
            pair["first"] = min(pair["first"] or edge["time"], edge["time"])
            pair["last"] = max(pair["last"] or edge["time"], edge["time"])
    return pairs
