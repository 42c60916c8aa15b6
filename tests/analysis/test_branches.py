"""Which log is a branch of which, and how two of them part."""

import pytest

from intercom_nb import Agent, InterComService, LogError, ScriptedAssistant, call, divergence, lineage


def tell(receiver_id, message):
    """Return a step that sends one message."""
    return call("send_message", chat_id=receiver_id, message=message)


@pytest.fixture(scope="module")
def family(tmp_path_factory):
    """Give a parent that was stopped, a branch in which nothing is changed, one with another text, and one of that."""
    folder = tmp_path_factory.mktemp("logs")
    said = {
        "Ann": [tell("bob", "What of ducks?"), "sent"],
        "Bob": [tell("cid", "Ducks, she says?"), "sent"],
        "Cid": ["So."],
    }
    model = ScriptedAssistant(said)
    with InterComService("Family", model=model, logs=folder, thread_logs=False) as parent:
        parent.add(Agent("Ann"), Agent("Bob"), Agent("Cid"))
        parent["ann"].begin()
        assert parent.wait(20, progress=False) == "quiet"
        second = parent.messages[1].id
        same = parent.fork(at=second, play=str(parent.log))
        other = parent.fork(say={second: "What of geese?"}, options={"model": answering()})
        below = other.fork(at=second, options={"model": answering()})
        for branch in (same, other, below):
            with branch:
                branch.wait(20, progress=False)
    return parent, same, other, below


def answering():
    """Return a model in which Bob answers Ann, and nobody writes to Cid."""
    return ScriptedAssistant({"Ann": ["sent", "I see."], "Bob": [tell("ann", "Geese are birds."), "sent"]})


def names(family):
    """Return what the logs of a family are called."""
    return [branch.log.path.stem for branch in family]


def test_a_family_is_a_tree(family):
    """Each log with its parent and the place it branched off at, of a list and of a folder."""
    parent, same, other, below = names(family)
    for given in (list(family), [branch.log for branch in family], family[0].log.path.parent):
        frame = lineage(given).frame
        assert frame["parent"].reindex([parent, same, other, below]).fillna("").tolist() == ["", parent, parent, other]
        assert frame.loc[parent, "messages"] == 3
        assert frame["place"].isna().tolist() == [name == parent for name in frame.index]
    lines = str(lineage([branch.log for branch in family])).split("\n")
    assert [line.lstrip().partition(":")[0] for line in lines] == [parent, same, other, below]
    assert [len(line) - len(line.lstrip()) for line in lines] == [0, 4, 4, 8]
    assert "is not here" in str(lineage(below_alone(family)))


def below_alone(family):
    """Return a log without its parent."""
    return family[3].log


def test_two_branches_part_where_one_says_something_else(family):
    """The last place they share, then both side by side, and who wrote more to whom."""
    parent, same, other, _ = family
    found = divergence(parent, other)

    assert found.difference.table in ("items", "messages", "tool_calls", "steps", "places")
    assert found.place == int(lineage(list(family)).frame.loc[other.log.path.stem, "place"])
    assert found.messages["one"]["text"].tolist() == ["What of ducks?", "Ducks, she says?"]
    assert found.messages["other"]["text"].tolist() == ["What of geese?", "Geese are birds."]
    assert found.who_to_whom.loc["Bob"].to_dict() == {"Ann": 1, "Bob": 0, "Cid": -1}
    assert found.who_to_whom.loc["Ann"].to_dict() == {"Ann": 0, "Bob": 0, "Cid": 0}
    assert repr(found).startswith(f"<Divergence: equal up to {found.place}, then up to 2 messages side by side; at ")
    alike = divergence(same, parent)
    assert alike.messages.empty


def test_what_is_no_log_is_told(family, tmp_path):
    """In one sentence."""
    with pytest.raises(LogError, match="no such log"):
        divergence(family[0].log, tmp_path / "none.db")
    with pytest.raises(LogError, match="no log in this folder"):
        lineage(tmp_path)
