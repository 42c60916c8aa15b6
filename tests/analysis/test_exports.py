"""The log for other programs: nothing an agent wrote is more than text in any of them."""

import re

import networkx as nx
import pandas as pd
import pytest

from intercom_nb import Agent
from intercom_nb.analysis import read_frames, to_graphml, to_markdown, to_mermaid, to_parquet

HOSTILE = [
    "<script>alert(1)</script> <img src=x onerror=y>",
    "# Heading\n\n- a list\n1. another\n\n---\nunder\n===",
    "[click](javascript:x) ![](http://e.org/x.png) https://e.org www.e.org",
    "```\ncode\n```\n    indented",
    "a; b #quot; c %% d\nend\nNote over p0: forged\np0->>p1: forged",
    "| a | b |\n|---|---|\n| 1 | 2 |",
    "*bold* _it_ `c` ~~s~~ $x^2$ &lt; \\* <!-- c -->",
    "line\u2028separator\x00nul\x1b[31m \u202eright",
]


@pytest.fixture
def talk(scripted):
    """Give a service with a group and three messages."""
    intercom = scripted()
    intercom.add(Agent("Ann", description="First."), Agent("Bob; drop"), Agent("Cid"))
    you = intercom.add_person()
    intercom["ann"].begin()
    intercom.create_chat(["bob-drop", "cid"], "Plan #1", "P.", "ann", "Hello\nall")
    you.send_message("To <b>you</b>", "ann")
    return intercom


def test_mermaid_has_a_lane_for_everybody_and_every_group(talk):
    """Persons are figures, the program's texts and a group's hearers are notes."""
    assert to_mermaid(talk) == (
        "sequenceDiagram\n"
        "    participant p0 as Ann\n"
        "    participant p1 as Bob#59; drop\n"
        "    participant p2 as Cid\n"
        "    actor p3 as You\n"
        "    participant p4 as Group Plan #35;1\n"
        "    Note over p0: Begin\n"
        "    Note over p4: Ann, Bob#59; drop, Cid\n"
        "    p0->>p4: Hello all\n"
        "    p3->>p0: To #60;b#62;you#60;#47;b#62;\n"
    )


def test_mermaid_shortens_and_notes_who_hears_only_when_it_changes(talk):
    """A long message ends in an ellipsis; a new member makes a new note."""
    talk.send_message("x" * 200, "chat-1", "cid")
    talk.add_chat_member("you", "chat-1", "ann")
    talk.send_message("y", "chat-1", "cid")
    text = to_mermaid(talk, characters=10)

    assert f": {'x' * 9}…\n" in text
    assert text.count("Note over p4") == 2
    assert "Note over p4: Cid, Ann, Bob#59; drop, You\n" in text


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_mermaid_shows_hostile_text_as_one_line_of_text(talk, text):
    """Whatever it holds, it adds one line, of letters, plain punctuation and numbers of characters."""
    before = to_mermaid(talk)
    talk.send_message(text, "ann", "cid")
    after = to_mermaid(talk, characters=10_000)
    line = after.removeprefix(before)

    assert line.startswith("    p2->>p0: ")
    assert line.count("\n") == 1
    assert not re.search(r"[<>;%|`]", re.sub(r"#\d+;", "", line.partition("->>p0: ")[2]))


def test_markdown_is_a_heading_and_a_quotation_each(talk):
    """Who, to whom, when and what."""
    text = re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", "TIME", to_markdown(talk))
    seqs = [message.seq for message in talk.messages]

    assert text == (
        "# Transcript\n\n- **Ann**: First.\n- **Bob; drop**\n- **Cid**\n- **You**: The person at the notebook.\n\n"
        f"## {seqs[0]}: (the program) → Ann\n\n*TIME UTC*\n\n> Begin\n\n"
        f"## {seqs[1]}: Ann → Plan \\#1 (Bob; drop, Cid)\n\n*TIME UTC*\n\n> Hello  \n> all\n\n"
        f"## {seqs[2]}: You → Ann\n\n*TIME UTC*\n\n> To &lt;b&gt;you&lt;/b&gt;\n"
    )


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_markdown_shows_hostile_text_as_text(talk, text):
    """No tag, heading, list, link, image, code, table or formula: what is structure is escaped."""
    before = to_markdown(talk)
    talk.send_message(text, "ann", "cid")
    quoted = to_markdown(talk).removeprefix(before).partition("UTC*\n\n")[2].removesuffix("\n").split("\n")
    bare = [re.sub(r"\\[!-/:-@\[-`{-~]|&(lt|gt|amp|#64);", "x", line.removeprefix(">").strip()) for line in quoted]

    assert all(line.startswith(">") for line in quoted)
    assert not any(
        re.search(r"[<>\[\]`*_|$#&~\\\x00-\x1f\u202e]|^[-+=]|^\d+[.)]|\w:[\w/]|www\.", line) for line in bare
    )
    assert not any(line.startswith(">     ") for line in quoted)


def test_markdown_and_mermaid_of_nothing(scripted):
    """A service without agents has both."""
    assert to_markdown(scripted()) == "# Transcript\n"
    assert to_mermaid(scripted()) == "sequenceDiagram\n"


def test_graphml_is_read_back(talk, tmp_path):
    """Nodes, edges and what is known of them; characters that XML cannot carry are replaced."""
    talk.send_message("x", "ann", "cid")
    talk.add(Agent("Dan", description="bell \x07 \ufffe"))
    path = to_graphml(talk, tmp_path / "who.graphml")
    again = nx.read_graphml(path, force_multigraph=True)

    assert list(again) == ["Ann", "Bob; drop", "Cid", "You", "Dan"]
    assert again.nodes["Dan"]["description"] == "bell \ufffd \ufffd"
    told = [(s, r, e.get("chat"), e["characters"]) for s, r, e in again.edges(data=True)]
    assert told == [("Ann", "Bob; drop", "Plan #1", 9), ("Ann", "Cid", "Plan #1", 9), *told[2:]]
    assert sorted(told[2:]) == [("Cid", "Ann", None, 1), ("You", "Ann", None, 13)]
    assert all(re.match(r"\d{4}-\d\d-\d\dT.*\+00:00$", e["time"]) for *_, e in again.edges(data=True))


def test_parquet_has_every_frame(talk, tmp_path):
    """What pandas reads back is what was there."""
    folder = to_parquet(talk, tmp_path / "deep" / "tables")
    frames = read_frames(talk)

    assert sorted(path.stem for path in folder.iterdir()) == sorted(frames.__slots__)
    for name in frames.__slots__:
        frame = getattr(frames, name)
        pd.testing.assert_frame_equal(frame, pd.read_parquet(folder / f"{name}.parquet").astype(frame.dtypes))
