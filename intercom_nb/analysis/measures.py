"""Measures of a log: of each member, and of the conversation as a whole.

All of them look at members' messages only; texts of the program (*Begin*) have no sender. "Wrote to" means that a
delivery was made, directly or through a group.
"""

import math
from collections import Counter, defaultdict
from dataclasses import fields
from itertools import takewhile
from typing import TYPE_CHECKING, Any

from intercom_nb.analysis.reading import Source, Until
from intercom_nb.analysis.replies import answered_by, delay_s
from intercom_nb.analysis.rows import LogRows, Post, read_rows, stacked
from intercom_nb.analysis.spending import Cost, spending
from intercom_nb.limits import Limits

if TYPE_CHECKING:
    import networkx as nx
    import pandas as pd

__all__ = ["agent_measures", "conversation_measures", "how_it_stopped", "left_alone"]


def agent_measures(source: "Source", *, until: "Until" = None) -> "pd.DataFrame":
    """Return the measures of each member, one row per member.

    Parameters
    ----------
    source : Source
        A service, also while it runs, or a log.
    until : int or str, optional
        The log as it was at this place, as for `agents_df`. Default: as it is now.

    Returns
    -------
    DataFrame, shape (n_members, 19)
        Index ``agent`` (names, in the order they were added). Columns:

        ``agent_id``, ``kind`` (str)
            Id; ``agent`` or ``person``.
        ``sent`` (int)
            Messages it sent; one in a group counts once.
        ``received`` (int)
            Deliveries it got from members, taken in or still pending.
        ``contacts`` (int)
            Distinct others it wrote to or who wrote to it.
        ``replies`` (int)
            How many of its messages answer another, by the rule of `replies_df`.
        ``reply_median_s``, ``reply_p90_s`` (float, seconds)
            Median and 90th percentile (interpolated linearly) of the delays of these; NaN without any.
        ``answered_share`` (float, 0 to 1)
            Share of its messages that some message answers; NaN if it sent none.
        ``reciprocity`` (float, 0 to 1)
            Of its ties, out and in, the share that runs both ways: 2 m / (o + i) with o whom it wrote to, i who wrote
            to it, m both; NaN without ties. Source: ``networkx.reciprocity``.
        ``in_strength``, ``out_strength`` (int, deliveries)
            Sum of the weights of the edges to and from it (Barrat et al., PNAS 101, 2004).
        ``betweenness`` (float, 0 to 1)
            Share of shortest directed paths between two others that lead through it, unweighted and normalised
            (Freeman, Sociometry 40, 1977; Brandes, J. Math. Sociol. 25, 2001).
        ``pagerank`` (float, sums to 1)
            By deliveries, damping 0.85 (Page, Brin et al. 1999); the same for all if nobody wrote.
        ``tokens_spent``, ``usd_spent`` (float)
            Input and output tokens and US dollars of its own model calls.
        ``tokens_caused``, ``usd_caused`` (float)
            Those of the runs that consumed its messages: each run's cost is divided evenly among the messages it
            consumed. What the program's texts caused is nobody's. NaN: money where a price is not known, and all
            four for a log read back from text.

    Examples
    --------
    >>> agent_measures(intercom).sent.tolist()
    [2, 1, 0]
    """
    return stacked(source, _of_agents, until)


def _of_agents(state: LogRows) -> "pd.DataFrame":
    import pandas as pd

    talk, speech, money = _traffic(state), _speech(state), _money(state)
    places = _places(talk)
    rows = [
        {
            "agent_id": member.agent_id,
            "kind": member.kind,
            **speech[member.agent_id],
            "received": talk.in_degree(member.agent_id, weight="weight"),
            "contacts": len({*talk.predecessors(member.agent_id), *talk.successors(member.agent_id)}),
            **places[member.agent_id],
            **money[member.agent_id],
        }
        for member in state.members.values()
    ]
    index = pd.Index(list(state.names.values()), name="agent", dtype="string[pyarrow]")
    return pd.DataFrame(rows, index=index, columns=list(_DTYPES)).astype(_DTYPES)


_DTYPES: dict[str, Any] = {
    "agent_id": "string[pyarrow]",
    "kind": "string[pyarrow]",
    **dict.fromkeys(["sent", "received", "contacts", "replies"], "Int64"),
    **dict.fromkeys(["reply_median_s", "reply_p90_s", "answered_share", "reciprocity"], "float64"),
    **dict.fromkeys(["in_strength", "out_strength"], "Int64"),
    **dict.fromkeys(["betweenness", "pagerank", "tokens_spent", "usd_spent", "tokens_caused", "usd_caused"], "float64"),
}


def _traffic(state: LogRows) -> "nx.DiGraph":
    """Return who wrote to whom: nodes are ids, ``weight`` counts deliveries."""
    import networkx as nx

    counts = Counter((message.sender_id, delivery.receiver_id) for message, delivery in state.pairs())
    talk = nx.DiGraph()
    talk.add_nodes_from(state.members)
    talk.add_weighted_edges_from((sender, receiver, count) for (sender, receiver), count in counts.items())
    return talk


def _speech(state: LogRows) -> dict[str, dict[str, float]]:
    """Return, for each member, what it sent and how it was answered."""
    import numpy as np

    answers = answered_by(state)
    answered = {post.seq for post in answers.values()}
    sent: dict[str, list[Post]] = defaultdict(list)
    for message in state.said:
        sent[message.sender_id or ""].append(message)
    speech = {}
    for agent_id in state.members:
        own = sent[agent_id]
        replies = [delay_s(answers[post.seq], post) for post in own if post.seq in answers]
        delays = [delay for delay in replies if delay is not None]
        median_s, p90_s = np.percentile(delays, (50, 90)).tolist() if delays else (math.nan, math.nan)
        speech[agent_id] = {
            "sent": len(own),
            "replies": len(replies),
            "reply_median_s": median_s,
            "reply_p90_s": p90_s,
            "answered_share": sum(post.seq in answered for post in own) / len(own) if own else math.nan,
        }
    return speech


def _places(talk: "nx.DiGraph") -> dict[str, dict[str, float]]:
    """Return, for each member, its place in the graph."""
    import networkx as nx

    if not talk:
        return {}
    betweenness, pagerank = nx.betweenness_centrality(talk), nx.pagerank(talk)
    mutual = dict(nx.reciprocity(talk, nodes=list(talk)))
    return {
        node: {
            "reciprocity": math.nan if mutual[node] is None else mutual[node],
            "in_strength": talk.in_degree(node, weight="weight"),
            "out_strength": talk.out_degree(node, weight="weight"),
            "betweenness": betweenness[node],
            "pagerank": pagerank[node],
        }
        for node in talk
    }


def _money(state: LogRows) -> dict[str, dict[str, float]]:
    """Return, for each member, what it spent and what its messages made others spend."""
    spent = spending(state)
    caused: dict[str, Cost] = defaultdict(lambda: spent.none)
    for message, delivery in state.pairs():
        caused[message.sender_id or ""] += spent.reading.get((delivery.receiver_id, delivery.seq), spent.none)
    return {
        agent_id: {
            "tokens_spent": own.tokens,
            "usd_spent": own.usd,
            "tokens_caused": caused[agent_id].tokens,
            "usd_caused": caused[agent_id].usd,
        }
        for agent_id, own in spent.of_agent.items()
    }


def conversation_measures(source: "Source", *, until: "Until" = None) -> "pd.Series[Any]":
    """Return the measures of the conversation as a whole.

    Parameters
    ----------
    source : Source
        A service, also while it runs, or a log.
    until : int or str, optional
        The log as it was at this place, as for `agents_df`. Default: as it is now.

    Returns
    -------
    Series, dtype object
        ``members``, ``messages`` (int), ``messages_per_member`` (float)
            How many; the last is NaN without members.
        ``density`` (float, 0 to 1)
            Pairs (one wrote to the other) of all ordered pairs of members; NaN with fewer than two members.
        ``reciprocity`` (float, 0 to 1)
            Share of those pairs where the other wrote back; NaN if nobody wrote
            (``networkx.overall_reciprocity``).
        ``centralisation_in``, ``centralisation_out`` (float, 0 to 1)
            Of in-degree and out-degree, unweighted: the sum of the differences to the highest degree, divided by
            what it is in a star, (n - 1)²: 1 if all write to one (or one to all) and nobody else writes, 0 if all
            are alike; NaN with fewer than two members. Source: Freeman, Social Networks 1, 1979; for directed graphs
            Wasserman and Faust, Social Network Analysis, 1994, section 5.3.
        ``longest_reply_chain`` (int, messages)
            The longest row of messages each of which answers the one before, by the rule of `replies_df`.
        ``never_addressed`` (list of str)
            Names of members nobody wrote to.
        ``stopped`` (str)
            ``quiet``, ``failed`` or ``steps`` (some agent's last run failed, or was cut off at its limit of steps)
            if nothing is left to do; else ``paused``, ``stopped`` or the name of a limit if that is the last thing
            the log says of the service, and ``at work`` if not. A process that was killed says nothing of it.
            ``unknown`` for a log read back from text.

    Examples
    --------
    >>> conversation_measures(intercom).stopped
    'quiet'
    """
    import networkx as nx
    import pandas as pd

    state = read_rows(source, until)
    talk, members = _traffic(state), len(state.members)
    degrees_in, degrees_out = (list(dict(degree).values()) for degree in (talk.in_degree(), talk.out_degree()))
    values = {
        "members": members,
        "messages": len(state.said),
        "messages_per_member": len(state.said) / members if members else math.nan,
        "density": nx.density(talk) if members > 1 else math.nan,
        "reciprocity": nx.overall_reciprocity(talk) if talk.size() else math.nan,
        "centralisation_in": _centralisation(degrees_in),
        "centralisation_out": _centralisation(degrees_out),
        "longest_reply_chain": _longest_chain(state),
        "never_addressed": _never_addressed(state),
        "stopped": how_it_stopped(state),
    }
    return pd.Series(list(values.values()), index=list(values), dtype=object, name="conversation")


def _centralisation(degrees: list[int]) -> float:
    if len(degrees) <= 1:
        return math.nan
    return sum(max(degrees) - degree for degree in degrees) / (len(degrees) - 1) ** 2


def _longest_chain(state: LogRows) -> int:
    answers = answered_by(state)
    lengths: dict[int, int] = {}
    for message in state.said:  # what a message answers is older than it, so its length is known already
        lengths[message.seq] = 1 + (lengths[answers[message.seq].seq] if message.seq in answers else 0)
    return max(lengths.values(), default=0)


def _never_addressed(state: LogRows) -> list[str]:
    addressed = {delivery.receiver_id for _, delivery in state.pairs()}
    return [member.name for member in state.members.values() if member.agent_id not in addressed]


def how_it_stopped(state: LogRows) -> str:
    """Return how a conversation stopped, as `conversation_measures` says it."""
    if state.is_text:
        return "unknown"
    busy = any(run.reason is None for run in state.runs) or any(d.state == "pending" for d in state.deliveries)
    if not busy:
        last = {run.agent_id: run.reason for run in state.runs}
        return next((reason for reason in ("failed", "steps") if reason in last.values()), "quiet")
    halts = [event for event in state.events if event.kind in ("started", "paused", "stopped")]
    since = list(takewhile(lambda event: event.kind != "started", reversed(halts)))
    if not since:
        return "at work"
    limits = {field.name for field in fields(Limits)}
    met = (event.reason for event in since if event.reason in limits)
    return next(met, since[0].kind)


def left_alone(source: "Source", *, until: "Until" = None) -> list[str]:
    """Return who was left alone: the names of the members nobody wrote to, directly or through a group.

    Parameters
    ----------
    source : Source
        A service, also while it runs, or a log.
    until : int or str, optional
        The log as it was at this place, as for `agents_df`. Default: as it is now.

    Returns
    -------
    list of str
        In the order they were added. The program's *Begin* does not count as being written to.

    Examples
    --------
    >>> left_alone(intercom)
    ['Network Engineer']
    """
    return _never_addressed(read_rows(source, until))
