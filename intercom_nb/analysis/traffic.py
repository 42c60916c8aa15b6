"""Who wrote to whom: as counts, as a matrix, as a graph."""

from collections import Counter
from typing import TYPE_CHECKING, Any, Literal

from intercom_nb.analysis.reading import Source, Until, frames_from, logs_of
from intercom_nb.analysis.spending import sending
from intercom_nb.analysis.tables import TABLES, Frames
from intercom_nb.analysis.teams import By, teams_of
from intercom_nb.checks import shown, wrong_type
from intercom_nb.log.reading import querying

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


def delivery_counts(source: "Source", *, until: "Until" = None) -> dict[str, dict[str, int]]:
    """Return who wrote to whom, in deliveries: sender's name → receiver's name → count.

    Parameters
    ----------
    source : Source
        A service, also while it runs, a log, several of them, or a folder of logs.
    until : int or str, optional
        The log as it was at this place, as for `agents_df`. Default: as it is now.

    Returns
    -------
    dict of dict of int
        Every pair of members is there, also with 0; a group message counts once for each of its receivers. Texts of
        the program (*Begin*) have no sender and do not count.
    """
    logs = {} if isinstance(source, Frames) else logs_of(source)
    if "" not in logs or until is not None:
        matrix = who_to_whom(source, until=until)
        members = [str(name) for name in matrix.index]
        rows = zip(members, matrix.to_numpy().tolist(), strict=True)
        return {s: {r: n for r, n in zip(members, row, strict=True) if r != s} for s, row in rows}
    with querying(logs[""]) as query:
        names = dict(query(_NAMES))
        counts = {names[s]: {names[r]: 0 for r in names if r != s} for s in names}
        for sender_id, receiver_id, count in query(_COUNTS):
            counts[names[sender_id]][names[receiver_id]] = count
    return counts


def who_to_whom(
    source: "Source", count: Count = "messages", through: Through = "all", *, by: By = "agent", until: "Until" = None
) -> "pd.DataFrame":
    """Return who wrote to whom as a matrix, one row a sender, or one row a team.

    Parameters
    ----------
    source : Source
        A service, also while it runs, a log, several of them (added up by name), or a folder of logs.
    count : {"messages", "characters", "tokens", "usd"}
        What a cell adds up. ``messages`` and ``characters``: of each delivery, so a group message counts once for each
        of its receivers. ``tokens`` and ``usd``: what the sender spent on saying it. All input and output tokens (the
        cost) of the step that sent a message are shared evenly among the messages of that step, and a message's share
        evenly among its receivers, so that the matrix adds up to what the sending steps spent, as
        `redundant_messages` counts it. Persons spend nothing.
    through : {"all", "direct", "group"}
        Only messages between two, only those in group chats, or both.
    by : {"agent", "team"} or int
        ``team`` adds up the members of each team, what they wrote to each other on the diagonal; a number adds up by
        so many levels of the teams' names, so 1 counts ``studio/design`` under ``studio``. Members without a team,
        persons too, keep their own names, so nobody is left out; one who is called like a team counts with it.
    until : int or str, optional
        The log as it was at this place, as for `agents_df`. Default: as it is now.

    Returns
    -------
    DataFrame, shape (n_members, n_members)
        Index ``sender``, columns ``receiver``, by name, in the order they were added. int for messages and characters;
        float for tokens and usd, NaN where a step's price is not known and for a log read back from text. Zeros stay:
        silence is a finding.

    Raises
    ------
    ValueError
        If `count`, `through` or `by` is none of these.

    Examples
    --------
    >>> who_to_whom(intercom, "messages").sum(axis="columns").to_dict()
    {'Founder': 2, 'Marketing Expert': 1, 'Network Engineer': 0}
    """
    import numpy as np
    import pandas as pd

    if count not in ("messages", "characters", "tokens", "usd"):
        raise ValueError(f"count={shown(count)}: right would be 'messages', 'characters', 'tokens' or 'usd'")
    if through not in ("all", "direct", "group"):
        raise ValueError(f"through={shown(through)}: right would be 'all', 'direct' or 'group'")
    wanted = ("agents", "deliveries", *(() if count == "messages" else ("messages", "steps")))
    found = frames_from(source, {name: TABLES[name] for name in wanted}, strict=True, until=until)
    names, _ = _counted_as(found["agents"], by)
    place, members = pd.factorize(np.array(names, object))
    senders, receivers = _ends(found)
    in_group = found["deliveries"]["chat_id"].notna().to_numpy()
    chosen = (senders >= 0) & (through == "all" or in_group == (through == "group"))
    amounts = _amounts(found, count)
    matrix = np.zeros((len(members), len(members)), amounts.dtype)
    np.add.at(matrix, (place[senders[chosen]], place[receivers[chosen]]), amounts[chosen])
    labels = pd.Index(members).astype("str")
    return pd.DataFrame(matrix, labels.rename("sender"), labels.rename("receiver"))


def _counted_as(agents: "pd.DataFrame", by: By) -> tuple[list[str], list[str]]:
    """Return the name that each agent counts under, and the team if that is one."""
    teams = teams_of(agents["team"], by)
    return [team or name for team, name in zip(teams, agents["name"], strict=True)], teams


def _ends(found: "dict[str, pd.DataFrame]") -> Any:
    """Return the places, among the agents, of each delivery's sender and of its receiver; -1 for the program."""
    agents = _keys(found["agents"], "agent_id")
    return tuple(agents.get_indexer(_keys(found["deliveries"], who)) for who in ("sender_id", "receiver_id"))


def _keys(frame: "pd.DataFrame", column: str) -> "pd.MultiIndex":
    """Return the ids of a column; of several logs, each with its log."""
    import pandas as pd

    return pd.MultiIndex.from_frame(frame[[*(name for name in ("log",) if name in frame), column]])


def _amounts(found: "dict[str, pd.DataFrame]", count: Count) -> Any:
    """Return what each delivery counts, as an array in the order of the deliveries."""
    import numpy as np

    deliveries = found["deliveries"]
    if count == "messages":
        return np.ones(len(deliveries), np.int64)
    messages = found["messages"]
    keys = _keys(messages, "seq").get_indexer(_keys(deliveries, "seq"))
    if count == "characters":
        return messages["text"].str.len().to_numpy(np.int64)[keys]
    cost = sending(messages, found["steps"])[count].to_numpy()
    return (cost / np.bincount(keys, minlength=len(messages)).clip(1))[keys]


def graph(source: "Source", *, by: By = "agent", until: "Until" = None) -> "nx.MultiDiGraph":
    """Return who wrote to whom as a graph: a node for each member, or team, and an edge for each delivery.

    Parameters
    ----------
    source : Source
        A service, also while it runs, a log, several of them (joined by name), or a folder of logs.
    by : {"agent", "team"} or int
        What is a node, as for `who_to_whom`; members of one team who wrote to each other are edges from it to itself.
    until : int or str, optional
        The log as it was at this place, as for `agents_df`. Default: as it is now.

    Returns
    -------
    networkx.MultiDiGraph
        Nodes are names, in the order they were added, with ``id``, ``kind`` (``agent`` or ``person``; None if not
        known) and ``description``; a team's have its name as ``id``, ``team`` as ``kind``, no description (None) and
        ``n_members`` (int, names). Edges, oldest first, have ``time`` (datetime, UTC; None if not known), ``seq``
        (int), ``chat`` (name of the group; None between two) and ``characters`` (int). Members nobody wrote to are
        nodes without edges. Texts of the program (*Begin*) have no sender and no edge.

    Raises
    ------
    ValueError
        If `by` is none of these.

    Examples
    --------
    >>> import networkx as nx
    >>> nx.degree_centrality(collapse(graph(intercom)))
    {'Founder': 1.0, 'Marketing Expert': 1.0, 'Network Engineer': 0.0}
    """
    import networkx as nx

    found = frames_from(
        source, {name: TABLES[name] for name in ("agents", "messages", "deliveries")}, strict=True, until=until
    )
    traffic = nx.MultiDiGraph()
    agents = found["agents"].astype(object)
    names, teams = _counted_as(agents, by)
    sizes = Counter(team for team, _ in set(zip(teams, agents["name"], strict=True)))
    facts = agents[["agent_id", "kind", "description"]].where(agents.notna(), None).itertuples(index=False)
    for name, team, (agent_id, kind, description) in zip(names, teams, facts, strict=True):
        if team:
            traffic.add_node(name, id=name, kind="team", description=None, n_members=sizes[team])
        elif name not in traffic:
            traffic.add_node(name, id=agent_id, kind=kind, description=description)
    told = found["deliveries"][["created_at", "seq", "chat"]].astype(object)
    told = told.where(told.notna(), None).assign(characters=_amounts(found, "characters"))
    for sender, receiver, (at, seq, chat, characters) in zip(*_ends(found), told.itertuples(index=False), strict=True):
        if sender >= 0:
            time = None if at is None else at.to_pydatetime()
            edge = {"time": time, "seq": int(seq), "chat": chat, "characters": int(characters)}
            traffic.add_edge(names[sender], names[receiver], **edge)
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

    if not isinstance(traffic, nx.MultiDiGraph):
        raise wrong_type("traffic", traffic, "a graph, as graph(intercom) returns it")
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
