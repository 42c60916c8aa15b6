"""Many logs as one table: conditions, how each ended, and what is wrong with a file that is no log."""

import json
import shutil
import sqlite3
from contextlib import closing

import pandas as pd
import pytest

from intercom_nb import (
    Agent,
    Fail,
    InterComService,
    Limits,
    LogError,
    MissionLab,
    ScriptedAssistant,
    call,
    messages_df,
    read_frames,
    runs_of,
)

HELLO = call("send_message", chat_id="bob", message="Hello")


def ran(folder, name, *, replies=None, default="Done.", mission="", begin=True, **settings):
    """Return the log of a finished service of two agents."""
    assistant = ScriptedAssistant(replies or {"Ann": [HELLO, "Sent."]}, default=lambda _: default)
    with InterComService(name, model=assistant, logs=folder, max_retries=0, **settings) as intercom:
        intercom.add(Agent("Ann", mission=mission), Agent("Bob"))
        if begin:
            intercom["ann"].begin()
        intercom.wait(60)
        return intercom.log


def test_a_folder_is_a_table_of_its_logs(tmp_path):
    """Conditions, outcomes and each tag as a column; the kinds of columns are those of every frame."""
    for name, condition in (("one", "a"), ("two", "b")):
        ran(tmp_path, name, tags={"condition": condition}, settings={"temperature": 0}, mission=name)
    ran(tmp_path / "more", "three", mission="one")

    table = runs_of(tmp_path)

    assert table.shape == (3, 21)
    assert table.name.tolist() == ["one", "two", "three"]
    assert table.log.str.endswith(("-one", "-two", "-three")).all()
    assert table.log[2].startswith("more/")
    assert table.tag_condition.tolist()[:2] == ["a", "b"]
    assert pd.isna(table.tag_condition[2])
    assert [json.loads(tags) for tags in table.tags] == [{"condition": "a"}, {"condition": "b"}, {}]
    assert json.loads(table.settings[0]) == {"temperature": 0}
    assert table.missions[0] == table.missions[2] != table.missions[1]
    assert table.model.tolist() == ["scripted()"] * 3
    assert table.reason.tolist() == ["quiet"] * 3
    assert table[["agents", "messages", "runs"]].to_numpy().tolist() == [[2, 2, 2]] * 3
    assert (table.tokens > 0).all()
    assert table.usd.tolist() == [0.0] * 3
    assert (table.began_at < table.ended_at).all()
    assert table.dtypes.astype(str).loc[["name", "messages", "usd", "began_at"]].tolist() == [
        "string[pyarrow]", "Int64", "float64", "datetime64[us, UTC]",
    ]  # fmt: skip
    assert table.error.isna().all()
    assert table.groupby("tag_condition").messages.sum().to_dict() == {"a": 2, "b": 2}


@pytest.mark.parametrize(
    ("reason", "how"),
    [
        ("quiet", {}),
        ("quiet", {"begin": False}),
        ("failed", {"replies": {"Ann": [Fail(404)]}}),
        (
            "steps",
            {"replies": {"Ann": lambda _: call("leave_chat", chat_id="chat-9")}, "limits": Limits(steps_per_run=2)},
        ),
        ("runs", {"limits": Limits(runs=1)}),
    ],
)
def test_the_reason_is_the_word_that_wait_returned(tmp_path, reason, how):
    """Read from what stands in the log, for nobody is there to be asked."""
    ran(tmp_path, "one", **how)

    assert runs_of(tmp_path).reason.tolist() == [reason]


def test_what_is_at_work_or_was_paused_says_so(scripted, tmp_path):
    """A log that is open has no reason yet; mail that waits for whom somebody paused has one."""
    intercom = scripted({"Ann": [HELLO, "Sent."]}, logs=tmp_path)
    intercom.add(Agent("Ann"), Agent("Bob"))
    intercom["bob"].pause()
    intercom.start()
    intercom["ann"].begin()
    intercom.wait(60)

    assert runs_of(intercom).reason.isna().all()
    assert runs_of(intercom.log).messages.tolist() == [2]
    intercom.stop()
    assert runs_of(tmp_path).reason.tolist() == ["paused"]


def test_a_log_in_memory_and_a_list_are_tables_too(scripted, tmp_path):
    """With the names that the other frames give them."""
    intercom = scripted()
    log = ran(tmp_path, "one")

    assert runs_of(intercom).log.tolist() == ["test"]
    assert runs_of([intercom, log]).log.tolist() == ["test", *messages_df([log]).log.unique()]
    assert log.runs_of().equals(runs_of(log.path))


def test_a_file_that_is_no_log_is_a_row_that_says_so(tmp_path):
    """Damaged, cut short, of another program, empty, or a folder; the others are read all the same."""
    good = ran(tmp_path, "good").path
    (tmp_path / "text.db").write_text("no log")
    (tmp_path / "empty.db").touch()
    (tmp_path / "folder.db").mkdir()
    (tmp_path / "cut.db").write_bytes(good.read_bytes()[:5_000])
    shutil.copy(good, tmp_path / "odd.db")
    with closing(sqlite3.connect(tmp_path / "odd.db")) as odd:
        odd.execute("UPDATE options SET value = '[' WHERE name = 'tags'")
        odd.commit()
    with closing(sqlite3.connect(tmp_path / "other.db")) as other:
        other.execute("CREATE TABLE mine (x)")
        other.commit()

    table = runs_of(tmp_path).set_index("log")

    assert table.error.isna().sum() == 1
    assert table.loc[good.stem, "messages"] == 2
    for name in ("text", "empty", "folder", "cut", "odd", "other"):
        assert f"{name}.db: " in table.loc[name, "error"]
        assert pd.isna(table.loc[name, "messages"])


def test_what_cannot_be_a_table_is_refused(tmp_path, scripted):
    """In a sentence."""
    with pytest.raises(LogError, match=r"there is no log in this folder; logs end in \.db"):
        runs_of(tmp_path)
    with pytest.raises(TypeError, match="frames do not say how it ran"):
        runs_of(read_frames(scripted()))
    for wrong in (None, 5, b"x"):
        with pytest.raises(TypeError, match="it should be a service, or the path"):
            runs_of(wrong)


def test_labs_side_by_side_have_folders_of_their_own(tmp_path):
    """Neither logs nor thread logs of two labs meet, and no lock is left."""
    agents = [Agent("Ann", mission="Ask."), Agent("Bob", description="Knows it.")]
    labs = [MissionLab(agents, model="offline", logs=tmp_path) for _ in range(2)]
    for lab in (*labs, labs[0]):
        lab.run(progress=False)

    assert [run.log.path.parent for run in labs[0].runs] == [labs[0].runs[0].log.path.parent] * 2
    assert labs[0].runs[0].log.path.parent != labs[1].runs[0].log.path.parent
    assert sorted(runs_of(tmp_path).name) == ["lab_1", "lab_1", "lab_2"]
    assert len(list(tmp_path.rglob("Ann"))) == 3
    assert not list(tmp_path.rglob("*.lock"))
    assert not list(tmp_path.rglob(".*.lock"))
