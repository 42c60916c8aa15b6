"""Measures, each against networkx or a case counted by hand."""

import math
import sqlite3
import statistics
from datetime import UTC, datetime

import networkx as nx
import pandas as pd
import pytest

from intercom_nb import Agent, Fail, Limits, call
from intercom_nb.analysis.activity import activity
from intercom_nb.analysis.colours import colours
from intercom_nb.analysis.frames import read_frames
from intercom_nb.analysis.measures import agent_measures, conversation_measures, left_alone
from intercom_nb.analysis.replies import replies_df
from intercom_nb.analysis.spending import cost
from intercom_nb.analysis.thread_log_reader import read_thread_logs


def say(chat_id, message):
    """Return a call of send_message."""
    return call("send_message", chat_id=chat_id, message=message)


@pytest.fixture
def office(scripted):
    """Give a finished conversation of five: Ann asks Bob and Cy, Bob asks Cy, both answer; Dan and Eve hear nothing."""
    intercom = scripted(
        {
            "Ann": [[say("bob", "one"), say("cy", "two")], "Done.", say("bob", "thanks"), "Done."],
            "Bob": [[say("cy", "what?"), say("ann", "yes")], "Done."],
            "Cy": [say("ann", "no"), "Done."],
        },
        logs="logs",
    )
    intercom.add(*map(Agent, ["Ann", "Bob", "Cy", "Dan"]))
    intercom.add_person("Eve")
    with intercom:
        intercom["ann"].begin()
        intercom.wait()
    return intercom.log.path


def traffic(source):
    """Return who wrote to whom, by name, made from the frames."""
    frames = read_frames(source)
    graph = nx.DiGraph()
    graph.add_nodes_from(frames.agents.name)
    for row in frames.deliveries.dropna(subset="sender").itertuples():
        weight = graph.get_edge_data(row.sender, row.receiver, {"weight": 0})["weight"]
        graph.add_edge(row.sender, row.receiver, weight=weight + 1)
    return graph


def set_times(path, **seconds):
    """Set when messages were accepted, by text, in seconds of 1970."""
    with sqlite3.connect(path) as log:
        for text, at in seconds.items():
            log.execute("UPDATE messages SET created_at = ? WHERE text = ?", (round(at * 1e6), text))
    log.close()


def test_counts_by_hand(office):
    """Sent, received and contacts of each member, in the order they were added."""
    frame = agent_measures(office)

    assert frame.index.tolist() == ["Ann", "Bob", "Cy", "Dan", "Eve"]
    assert frame.kind.tolist() == ["agent"] * 4 + ["person"]
    assert frame.sent.tolist() == [3, 2, 1, 0, 0]
    assert frame.received.tolist() == [2, 2, 2, 0, 0]
    assert frame.contacts.tolist() == [2, 2, 2, 0, 0]


def test_a_group_message_is_sent_once_and_received_by_all(scripted):
    """One message to a group of four: sent 1, three deliveries, three contacts."""
    intercom = scripted()
    intercom.add(*map(Agent, ["Ann", "Bob", "Cy", "Dan"]))
    intercom.create_chat(["bob", "cy", "dan"], "All", "", "ann", "hello")
    ann = agent_measures(intercom).loc["Ann"]

    assert (ann.sent, ann.out_strength, ann.contacts, ann.received) == (1, 3, 3, 0)


def test_the_place_in_the_graph_is_networkx_s(office):
    """Strength, betweenness, PageRank and reciprocity of each member equal what networkx says of the same graph."""
    frame, graph = agent_measures(office), traffic(office)

    assert frame.in_strength.to_dict() == dict(graph.in_degree(weight="weight"))
    assert frame.out_strength.to_dict() == dict(graph.out_degree(weight="weight"))
    assert frame.betweenness.to_dict() == pytest.approx(nx.betweenness_centrality(graph))
    assert frame.pagerank.to_dict() == pytest.approx(nx.pagerank(graph))
    assert frame.reciprocity[:3].to_dict() == pytest.approx(dict(nx.reciprocity(graph, ["Ann", "Bob", "Cy"])))
    assert frame.reciprocity[3:].isna().all()


def test_betweenness_of_a_go_between(scripted):
    """By hand: all paths between the two others lead through the one who speaks with both."""
    intercom = scripted()
    intercom.add(*map(Agent, ["Ann", "Bob", "Cy"]))
    for sender, receiver in (("ann", "bob"), ("bob", "cy"), ("cy", "bob"), ("bob", "ann")):
        intercom.send_message("hello", receiver, sender)

    assert agent_measures(intercom).betweenness.tolist() == [0.0, 1.0, 0.0]


def test_reply_times_and_shares_by_hand(scripted):
    """Four answers after 1, 2, 3 and 10 seconds: median 2.5, 90th percentile 7.9; four of five were answered."""
    intercom = scripted(logs="logs")
    intercom.add(Agent("Bob"))
    intercom.add_person("Ann")
    for n in range(4):
        intercom.send_message(f"q{n}", "bob", "ann")
        intercom.send_message(f"a{n}", "ann", "bob")
    intercom.send_message("q4", "bob", "ann")
    intercom.stop()
    for n, delay in enumerate([1, 2, 3, 10]):
        set_times(intercom.log.path, **{f"q{n}": 100 * n, f"a{n}": 100 * n + delay})
    frame = agent_measures(intercom.log.path)
    bob = frame.loc["Bob"]

    assert (bob.replies, bob.reply_median_s) == (4, 2.5)
    assert bob.reply_p90_s == pytest.approx(statistics.quantiles([1, 2, 3, 10], n=10, method="inclusive")[-1])
    assert frame.answered_share.to_dict() == {"Bob": 1.0, "Ann": 0.8}


def test_what_is_caused_adds_up_to_what_is_spent(office):
    """Every run's tokens are somebody's, except those of the run that the program's word began."""
    frame, frames = agent_measures(office), read_frames(office)
    tokens = frames.runs.input_tokens + frames.runs.output_tokens
    begun = frames.deliveries[frames.deliveries.sender.isna()].run_id.iloc[0]

    assert frame.tokens_spent.sum() == tokens.sum()
    assert frame.tokens_caused.sum() == pytest.approx(float(tokens[frames.runs.run_id != begun].sum()))
    assert frame.tokens_spent.to_dict()["Bob"] == tokens[frames.runs.agent == "Bob"].sum()


def test_a_run_is_split_evenly_among_what_it_read(scripted):
    """Bob reads one message of Ann's and two of Cy's in one run: a third and two thirds of it."""
    intercom = scripted({"Bob": ["Done."]})
    intercom.add(*map(Agent, ["Ann", "Bob", "Cy"]))
    for sender in ("ann", "cy", "cy"):
        intercom.send_message("hello", "bob", sender)
    with intercom:
        intercom.wait()
    frame = agent_measures(intercom)
    spent = frame.tokens_spent["Bob"]

    assert frame.tokens_caused.to_list() == pytest.approx([spent / 3, 0, spent * 2 / 3])


def test_an_unknown_price_stays_unknown(office):
    """One call without a price makes its agent's money, what caused it and the total NaN, and nobody else's."""
    with sqlite3.connect(office) as log:
        log.execute("UPDATE steps SET usd = 0.25")
        log.execute("UPDATE steps SET usd = NULL WHERE run_id IN (SELECT run_id FROM runs WHERE agent_id = 'cy')")
    log.close()
    spent, money = cost(office).usd, agent_measures(office)

    assert spent[["Cy", "total"]].isna().all()
    assert spent["Bob"] == 0.25 * cost(office).steps["Bob"]
    assert math.isnan(money.usd_spent["Cy"])
    assert math.isnan(money.usd_caused["Ann"])  # Cy read her
    assert money.usd_caused["Dan"] == 0


def test_cost_adds_up(office):
    """The last row is the sum of the others, and of the log's own steps."""
    frame, steps = cost(office), read_frames(office).steps

    assert frame.index.tolist() == ["Ann", "Bob", "Cy", "Dan", "total"]
    assert frame.iloc[-1].tolist() == frame.iloc[:-1].sum().tolist()
    assert frame.steps["total"] == len(steps)
    assert frame.input_tokens["total"] == steps.input_tokens.sum()
    assert frame.output_tokens["total"] == steps.output_tokens.sum()


def test_the_conversation_as_a_whole_is_networkx_s(office):
    """Density and reciprocity equal what networkx says of the same graph."""
    whole, graph = conversation_measures(office), traffic(office)

    assert whole.density == nx.density(graph)
    assert whole.reciprocity == nx.overall_reciprocity(graph)
    assert (whole.members, whole.messages, whole.messages_per_member) == (5, 6, 1.2)
    assert whole.never_addressed == left_alone(office) == ["Dan", "Eve"]
    assert whole.stopped == "quiet"


def test_centralisation_of_a_star_and_of_a_ring(scripted):
    """One writes to all: 1 outwards; each to the next: 0."""
    star, ring = scripted(name="star"), scripted(name="ring")
    names = ["Ann", "Bob", "Cy", "Dan"]
    for intercom in (star, ring):
        intercom.add(*map(Agent, names))
    for place, name in enumerate(names):
        ring.send_message("hello", names[(place + 1) % 4].lower(), name.lower())
        if place:
            star.send_message("hello", name.lower(), "ann")
    outwards, around = conversation_measures(star), conversation_measures(ring)

    assert outwards.centralisation_out == 1.0
    assert outwards.centralisation_in == (1 - 0) / 9  # in-degrees 0, 1, 1, 1
    assert (around.centralisation_in, around.centralisation_out) == (0.0, 0.0)
    assert (around.density, around.reciprocity) == (4 / 12, 0.0)


def test_the_longest_chain_follows_the_answers(scripted):
    """Three questions and answers in a row are a chain of six; a word to somebody else is none of it."""
    intercom = scripted()
    intercom.add(Agent("Bob"), Agent("Cy"))
    intercom.add_person("Ann")
    for _ in range(3):
        intercom.send_message("and?", "bob", "ann")
        intercom.send_message("so", "ann", "bob")
    intercom.send_message("hello", "cy", "bob")

    assert conversation_measures(intercom).longest_reply_chain == 6
    assert replies_df(intercom).answers.notna().sum() == 5


def test_how_it_stopped(scripted):
    """At work, quiet, failed, cut off at its steps, stopped and limited: each from the log alone."""
    waiting = scripted({"Bob": ["Done."]}, name="waiting", logs="logs")
    waiting.add(Agent("Bob"))
    waiting["bob"].begin()
    assert conversation_measures(waiting).stopped == "at work"
    waiting.stop()
    assert conversation_measures(waiting.log).stopped == "stopped"

    failed = scripted({"Bob": [Fail(400)]}, name="failed")
    endless = scripted({"Bob": lambda _: call("list_chats")}, name="endless", limits=Limits(steps_per_run=2))
    limited = scripted({"Bob": [say("cy", "one"), "Done."], "Cy": ["Done."]}, name="limited", limits=Limits(runs=1))
    for intercom in (failed, endless, limited):
        intercom.add(Agent("Bob"), Agent("Cy"))
        with intercom:
            intercom["bob"].begin()
            intercom.wait()

    assert [conversation_measures(i).stopped for i in (failed, endless, limited)] == ["failed", "steps", "runs"]


def test_activity_counts_every_window(office):
    """By hand: two in the first second, none in the second, four in the third."""
    set_times(office, one=0.1, two=0.9, yes=2.0, no=2.1, thanks=2.2)
    set_times(office, **{"what?": 2.9})
    frame = activity(office, "1s")

    assert frame.index.tolist() == [pd.Timestamp(datetime(1970, 1, 1, 0, 0, s, tzinfo=UTC)) for s in range(3)]
    assert frame.sum(axis="columns").tolist() == [2, 0, 4]
    assert frame.Ann.tolist() == [2, 0, 1]
    assert frame.columns.tolist() == ["Ann", "Bob", "Cy", "Dan", "Eve"]
    assert activity(office, "500ms").sum().sum() == 6


@pytest.mark.parametrize("window", ["soon", "0s", "-1s", "NaT", "1us"])
def test_a_window_is_a_sensible_length_of_time(office, window):
    """No length of time, and one that makes far too many windows, are told at once."""
    set_times(office, one=0, thanks=1000)
    with pytest.raises(ValueError, match="window="):
        activity(office, window)


def test_nobody_nothing_and_one(scripted):
    """An empty log, one agent, and agents that are silent have sensible values and raise nothing."""
    empty, alone, silent = scripted(name="empty"), scripted(name="alone"), scripted(name="silent")
    alone.add(Agent("Ann"))
    silent.add(Agent("Ann"), Agent("Bob"))

    assert [len(agent_measures(i)) for i in (empty, alone, silent)] == [0, 1, 2]
    assert agent_measures(empty).dtypes.to_dict() == agent_measures(alone).dtypes.to_dict()
    assert agent_measures(silent).pagerank.tolist() == [0.5, 0.5]
    assert [activity(i).shape for i in (empty, alone, silent)] == [(0, 0), (0, 1), (0, 2)]
    assert [cost(i).usd["total"] for i in (empty, alone, silent)] == [0, 0, 0]
    assert [left_alone(i) for i in (empty, alone, silent)] == [[], ["Ann"], ["Ann", "Bob"]]
    for intercom, density in ((empty, math.nan), (alone, math.nan), (silent, 0.0)):
        whole = conversation_measures(intercom)
        assert whole.density == pytest.approx(density, nan_ok=True)
        assert math.isnan(whole.reciprocity)
        assert (whole.longest_reply_chain, whole.messages, whole.stopped) == (0, 0, "quiet")


def test_measures_of_several_logs_stand_below_each_other(office, scripted):
    """The first column says which log; what is one number of one conversation asks for one log."""
    other = scripted(name="other", logs="logs")
    other.add(Agent("Zoe"))
    other.stop()
    frame = agent_measures(office.parent)

    assert frame.groupby("log").size().to_dict() == {other.log.path.stem: 1, office.stem: 5}
    assert len(cost([office, other.log])) == 7
    with pytest.raises(ValueError, match="one log, not at 2"):
        conversation_measures(office.parent)


def test_colours_stay_and_differ():
    """Sixty names, sixty colours; who is added later changes nobody's; a name keeps its colour."""
    names = [f"agent {n}" for n in range(60)]
    given = colours(names)

    assert len(set(given.values())) == 60
    assert colours(names[:7]) == {name: given[name] for name in names[:7]}
    assert all(len(colour) == 7 and int(colour[1:], 16) >= 0 for colour in given.values())
    assert colours(["Ann", "Bob", "Ann"]) == colours(["Ann", "Bob"])
    assert colours([]) == {}


def test_a_log_of_text_says_nothing_of_times_and_costs(office):
    """Read back from thread logs: who wrote to whom is known, what it cost and how it stopped is not."""
    frames = read_thread_logs(office.with_suffix(""))
    whole, members, money = conversation_measures(frames), agent_measures(frames), cost(frames)

    assert (whole.messages, whole.stopped) == (6, "unknown")
    assert members.out_strength.sum() == 6
    assert members[["reply_median_s", "tokens_spent", "usd_spent", "tokens_caused", "usd_caused"]].isna().all(axis=None)
    assert money.isna().all(axis=None)
    assert activity(frames).empty
    assert dtypes_of(money) == dtypes_of(cost(office))


def dtypes_of(frame):
    """Return a frame's columns with their types."""
    return frame.dtypes.to_dict()
