"""Who wrote to whom: the matrix by each count, the graphs, every number worked out by hand."""

import math
import shutil
import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import networkx as nx
import pandas as pd
import pytest

from intercom_nb import Agent, call
from intercom_nb.analysis import collapse, delivery_counts, graph, read_frames, who_to_whom
from logs import new_log

NAMES = ["Ann", "Bob", "Cid", "You"]
TEAMS = {"ann": "studio/design", "bob": "studio/code", "cid": "Studio/Design"}


@pytest.fixture
def log(tmp_path):
    """Give a log of three agents and a person, in which runs of known and unknown cost send what the tests count.

    The second step of run 1 of Ann (40 + 10 tokens, 0.1 dollars) sends a direct message to Bob and a group message to
    Bob and Cid; run 2 of Bob (10 + 2 tokens, price unknown) answers Ann; run 3 of Cid sends nothing. The person writes
    to Ann, and the program begins Cid.
    """
    columns = ("seq", "id", "chat_id", "receiver_id", "sender_id", "text", "run_id", "created_at")
    messages = [
        (20, "m-20", None, "cid", None, "Begin", None, 0),
        (21, "m-21", None, "ann", "you", "Go", None, 1_000_000),
        (22, "m-22", None, "bob", "ann", "Hello", "run-1", 2_000_000),
        (23, "m-23", "chat-1", None, "ann", "Grüße", "run-1", 3_000_000),
        (24, "m-24", None, "ann", "bob", "Hi", "run-2", 4_000_000),
    ]
    spent = [("run-1", 0, 9, 60, 10, 0.5), ("run-1", 1, 10, 40, 10, 0.1), ("run-2", 0, 11, 10, 2, None)]
    spent.append(("run-3", 0, 12, 5, 1, 1.0))
    of_step = ("run_id", "step", "seq", "input_tokens", "output_tokens", "usd")
    delivered = [("cid", 20), ("ann", 21), ("bob", 22), ("bob", 23), ("cid", 23), ("ann", 24)]
    ended = {"until_seq": 90, "ended_at": 1, "reason": "silent"}
    return new_log(
        tmp_path / "log.db",
        agents=[
            {
                "agent_id": name.lower(),
                "seq": n,
                "name": name,
                "description": "D.",
                "kind": "person" if name == "You" else "agent",
            }
            for n, name in enumerate(NAMES)
        ],
        chats=[{"chat_id": "chat-1", "seq": 5, "name": "Plan"}],
        runs=[
            {"run_id": f"run-{n}", "agent_id": agent, "seq": 5 + n} | ended
            for n, agent in enumerate(["ann", "bob", "cid"], 1)
        ],
        steps=[dict(zip(of_step, row, strict=True)) | {"until_seq": row[2]} for row in spent],
        messages=[dict(zip(columns, row, strict=True)) for row in messages],
        deliveries=[{"agent_id": one, "seq": seq, "until_seq": seq} for one, seq in delivered],
    )


@pytest.fixture
def teams(log):
    """Give the same log: Ann and Cid design, Bob codes, the person is in no team."""
    return in_teams(log, TEAMS)


def in_teams(log, teams):
    """Put the agents of a log into teams, and return it."""
    with closing(sqlite3.connect(log)) as changed:
        changed.executemany(
            "UPDATE agents SET team = ? WHERE agent_id = ?", [(team, one) for one, team in teams.items()]
        )
        changed.commit()
    return log


def rows(matrix):
    """Return the rows of a matrix, -1 for what is not known."""
    return matrix.fillna(-1).to_numpy().tolist()


def test_messages_are_deliveries(log):
    """A group message counts for each receiver; a text of the program has no sender; zeros stay."""
    matrix = who_to_whom(log)

    assert rows(matrix) == [[0, 2, 1, 0], [1, 0, 0, 0], [0, 0, 0, 0], [1, 0, 0, 0]]
    assert matrix.index.tolist() == matrix.columns.tolist() == NAMES
    assert (matrix.index.name, matrix.columns.name) == ("sender", "receiver")
    assert set(map(str, matrix.dtypes)) == {"int64"}


def test_through_direct_and_group_add_up(log):
    """Each delivery is one or the other."""
    direct, group = who_to_whom(log, through="direct"), who_to_whom(log, through="group")

    assert rows(direct) == [[0, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 0], [1, 0, 0, 0]]
    assert rows(group) == [[0, 1, 1, 0], [0] * 4, [0] * 4, [0] * 4]
    assert (direct + group).equals(who_to_whom(log))


def test_characters_are_those_of_each_delivery(log):
    """Characters, not bytes."""
    assert rows(who_to_whom(log, "characters")) == [[0, 10, 5, 0], [2, 0, 0, 0], [0] * 4, [2, 0, 0, 0]]


def test_tokens_and_money_add_up_to_what_the_sending_steps_spent(log):
    """50 tokens: 25 a message, half for each receiver of the group; unknown money stays unknown, a person's is none."""
    tokens, usd = who_to_whom(log, "tokens"), who_to_whom(log, "usd")

    assert rows(tokens) == [[0, 37.5, 12.5, 0], [12, 0, 0, 0], [0] * 4, [0] * 4]
    assert usd.loc["Ann"].tolist() == pytest.approx([0, 0.075, 0.025, 0])
    assert math.isnan(usd.loc["Bob", "Ann"])
    assert usd.loc["Bob", ["Bob", "Cid", "You"]].tolist() == [0, 0, 0]
    assert rows(who_to_whom(log, "tokens", "group")) == [[0, 12.5, 12.5, 0], [0] * 4, [0] * 4, [0] * 4]


def test_what_a_log_of_text_does_not_say_is_not_known(log):
    """A message without a time was read back from text, which says nothing of tokens: not that there were none."""
    frames = read_frames(log)
    text = replace(frames, messages=frames.messages.assign(created_at=pd.NaT, run_id=None), steps=frames.steps[:0])

    assert rows(who_to_whom(text, "tokens")) == [[0, -1, -1, 0], [-1, 0, 0, 0], [0] * 4, [-1, 0, 0, 0]]


def test_what_cannot_be_counted_is_said(log):
    """With what would be right."""
    with pytest.raises(ValueError, match="count='words': right would be 'messages'"):
        who_to_whom(log, "words")
    with pytest.raises(ValueError, match="through='post': right would be 'all'"):
        who_to_whom(log, through="post")


@pytest.mark.parametrize("count", ["messages", "characters", "tokens", "usd"])
@pytest.mark.parametrize("through", ["all", "direct", "group"])
def test_teams_add_up_their_members(teams, count, through):
    """Whatever is counted: each cell is the sum of its members' cells, the person keeps the name."""
    single = who_to_whom(teams, count, through)
    added = who_to_whom(teams, count, through, by="team")
    of = {"Ann": "studio/design", "Bob": "studio/code", "Cid": "studio/design", "You": "You"}
    sums = single
    for _ in ("senders", "receivers"):
        sums = sums.groupby(of.get, sort=False).agg(lambda cells: cells.sum(skipna=False)).T

    assert added.index.tolist() == added.columns.tolist() == ["studio/design", "studio/code", "You"]
    assert (added.index.name, added.columns.name) == ("sender", "receiver")
    assert set(added.dtypes) == set(single.dtypes)
    assert rows(added) == [pytest.approx(line) for line in rows(sums)]
    assert added.sum().sum() == pytest.approx(single.sum().sum())


def test_teams_keep_what_is_said_inside_and_what_is_not_known(teams):
    """Within a team is the diagonal; money not known stays so; a number adds up the first levels."""
    assert rows(who_to_whom(teams, by="team")) == [[1, 2, 0], [1, 0, 0], [1, 0, 0]]
    assert math.isnan(who_to_whom(teams, "usd", by="team").loc["studio/code", "studio/design"])
    first = who_to_whom(teams, by=1)
    assert (first.index.tolist(), rows(first)) == (["studio", "You"], [[4, 0], [1, 0]])
    assert who_to_whom(teams, by=2).equals(who_to_whom(teams, by="team"))
    assert who_to_whom(teams, by=9).equals(who_to_whom(teams, by="team"))
    assert who_to_whom(teams, by="agent").equals(who_to_whom(teams))


@pytest.mark.parametrize("by", ["team", 1])
def test_without_teams_everybody_is_alone(log, by):
    """The matrix and the graph are those by agent."""
    assert who_to_whom(log, by=by).equals(who_to_whom(log))
    assert nx.utils.graphs_equal(graph(log, by=by), graph(log))


@pytest.mark.parametrize("by", ["teams", "", 0, -1, True, 1.5, None])
def test_what_cannot_be_added_up_is_said(log, by):
    """By the matrix and by the graph, with what would be right."""
    for function in (who_to_whom, graph):
        with pytest.raises(ValueError, match="right would be 'agent', 'team' or a number of levels"):
            function(log, by=by)


def test_one_name_may_be_in_other_teams_in_other_logs(teams, tmp_path):
    """Each log's agents count under the team they have there; frames read before give the same."""
    other = in_teams(shutil.copy(teams, tmp_path / "other.db"), {"ann": "studio/code", "cid": ""})
    both = who_to_whom([teams, other], by="team")

    assert both.index.tolist() == ["studio/design", "studio/code", "You", "Cid"]
    assert rows(both) == [[1, 2, 0, 0], [1, 3, 0, 1], [1, 1, 0, 0], [0, 0, 0, 0]]
    assert who_to_whom(read_frames([teams, other]), by="team").equals(both)
    pairs = collapse(graph([teams, other], by="team"))
    assert nx.get_node_attributes(pairs, "n_members") == {"studio/design": 2, "studio/code": 2}  # Ann, Cid; Bob, Ann
    assert rows(nx.to_pandas_adjacency(pairs, nodelist=both.index)) == rows(both)


def test_one_who_is_called_like_a_team_counts_with_it(log):
    """Whoever came first: nothing is lost, and the node is the team's."""
    matrix = who_to_whom(in_teams(log, {"cid": "Ann"}), by="team")

    assert (matrix.index.tolist(), rows(matrix)) == (["Ann", "Bob", "You"], [[1, 2, 0], [1, 0, 0], [1, 0, 0]])
    assert graph(log, by="team").nodes["Ann"]["kind"] == "team"


def test_teams_are_nodes(teams):
    """With how many they are; what members wrote to each other is an edge from the team to itself."""
    traffic = graph(teams, by="team")

    assert list(traffic) == ["studio/design", "studio/code", "You"]
    assert traffic.nodes["studio/design"] == {
        "id": "studio/design",
        "kind": "team",
        "description": None,
        "n_members": 2,
    }
    assert traffic.nodes["You"] == {"id": "you", "kind": "person", "description": "D."}
    assert traffic.number_of_edges() == graph(teams).number_of_edges()
    assert [edge["seq"] for *_, edge in nx.selfloop_edges(traffic, data=True)] == [23]
    matrix = nx.to_pandas_adjacency(collapse(traffic), weight="weight")
    assert rows(matrix) == rows(who_to_whom(teams, by="team"))


def test_the_graph_has_an_edge_for_each_delivery(log):
    """With when, where and how much; everybody is a node."""
    traffic = graph(log)
    at = datetime(1970, 1, 1, tzinfo=UTC)
    edges = [(s, r, e["seq"], e["time"], e["chat"], e["characters"]) for s, r, e in traffic.edges(data=True)]

    assert isinstance(traffic, nx.MultiDiGraph)
    assert traffic.nodes["You"] == {"id": "you", "kind": "person", "description": "D."}
    assert list(traffic) == NAMES
    assert sorted(edges, key=lambda edge: edge[2:1:-1] + edge[:2]) == [
        ("You", "Ann", 21, at + timedelta(seconds=1), None, 2),
        ("Ann", "Bob", 22, at + timedelta(seconds=2), None, 5),
        ("Ann", "Bob", 23, at + timedelta(seconds=3), "Plan", 5),
        ("Ann", "Cid", 23, at + timedelta(seconds=3), "Plan", 5),
        ("Bob", "Ann", 24, at + timedelta(seconds=4), None, 2),
    ]


def test_collapse_adds_up_each_pair(log):
    """The weights are the matrix; networkx computes with them."""
    pairs = collapse(graph(log))
    at = datetime(1970, 1, 1, tzinfo=UTC)
    matrix = nx.to_pandas_adjacency(pairs, nodelist=NAMES, weight="weight")

    assert pairs.edges["Ann", "Bob"] == {
        "weight": 2,
        "characters": 10,
        "first": at + timedelta(seconds=2),
        "last": at + timedelta(seconds=3),
    }
    assert matrix.to_numpy().tolist() == rows(who_to_whom(log))
    assert pairs.nodes["Ann"]["id"] == "ann"


def test_counts_are_the_matrix_without_pandas(log, tmp_path):
    """The same for a log, frames read before, and several logs, added up by name; the same log twice is one."""
    frames, counts = read_frames(log), delivery_counts(log)

    assert counts["Ann"] == {"Bob": 2, "Cid": 1, "You": 0}
    assert counts == delivery_counts(frames)
    assert who_to_whom(frames).equals(who_to_whom(log))
    copy = shutil.copy(log, tmp_path / "copy.db")
    assert who_to_whom([log, copy]).equals(who_to_whom(log) * 2)
    assert who_to_whom([log, copy], "tokens").equals(who_to_whom(log, "tokens") * 2)
    assert who_to_whom([log, log]).equals(who_to_whom(log))
    assert delivery_counts(tmp_path)["Ann"] == {"Bob": 4, "Cid": 2, "You": 0}


@pytest.mark.parametrize("count", ["messages", "characters", "tokens", "usd"])
def test_silence_is_zeros(scripted, count):
    """Nobody, one agent, and agents that say nothing."""
    intercom = scripted()
    assert who_to_whom(intercom, count).shape == (0, 0)
    intercom.add(Agent("Ann"))
    assert rows(who_to_whom(intercom, count)) == [[0]]
    intercom.add(Agent("Bob"))

    assert rows(who_to_whom(intercom, count)) == [[0, 0], [0, 0]]
    assert sorted(collapse(graph(intercom))) == ["Ann", "Bob"]


def test_a_running_service_is_counted(scripted):
    """A service in memory is a source like any other."""
    intercom = scripted({"Ann": [[call("send_message", chat_id="bob", message="Hi")] * 2, "Done."]})
    intercom.add(Agent("Ann"), Agent("Bob"))
    intercom["ann"].begin()
    with intercom:
        intercom.wait(60)
        counted = who_to_whom(intercom)

    assert rows(counted) == [[0, 2], [0, 0]]
    assert graph(intercom).number_of_edges("Ann", "Bob") == 2
