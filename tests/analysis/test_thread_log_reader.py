"""Thread logs read back: ours and the original prototype's, as the frames of a log."""

import re

import pytest

from intercom_nb import Agent, LogDamagedError, LogError, call
from intercom_nb.analysis import (
    delivery_counts,
    graph,
    messages_df,
    read_frames,
    read_thread_logs,
    to_markdown,
    to_mermaid,
    who_to_whom,
)
from intercom_nb.demos import run
from logs import thread_logs_of

LIST = """{"id": "asst_1", "name": "Marketing Expert", "description": "Knows marketing.", "type": "agent"}
{"id": "asst_3", "name": "Network Engineer", "description": "Knows networks.", "type": "agent"}
{"id": "9f0c", "name": "Plan", "description": "The plan.", "type": "group"}"""
ARRAY = "[" + LIST.replace("\n", ", ") + "]"


def framed(text, *, author="Founder", author_id="asst_2", group=True, space=" "):
    """Return an incoming message in the original's form."""
    name, chat_id, kind = ("Plan", "9f0c", "group") if group else (author, author_id, "agent")
    return (
        f"===Incoming message from {name}===\nchat_id: {chat_id}\ntype: {kind}\nauthor_name: {author}\n"
        f"author_id: {author_id}\nmessage_content:{space}\n{text}\n===End of Incoming message from {name}==="
    )


def turn(*messages, chat_list=LIST, message_id=None):
    """Return a turn as one entry of a thread log."""
    header = "user" if message_id is None else f"user:{message_id}"
    shown = f"Chat list:\n{chat_list}\n\n" if chat_list else ""
    return f"{'=' * 20}{header}{'=' * 20}\n{shown}Message:\n" + "\n\n".join(messages) + "\n"


def said(text, message_id=None):
    """Return what an agent said to itself as one entry of a thread log."""
    return f"{'=' * 20}assistant{'' if message_id is None else ':' + message_id}{'=' * 20}\n{text}\n"


@pytest.fixture
def folder(tmp_path):
    """Give a function that writes thread logs by name, and returns their folder."""

    def write(**texts):
        for name, text in texts.items():
            (tmp_path / name.replace("_", " ")).write_text(text, encoding="utf-8", newline="")
        return tmp_path

    return write


@pytest.mark.parametrize("chat_list", [LIST, ARRAY], ids=["lines", "array"])
@pytest.mark.parametrize("message_id", [None, "msg_abc123"], ids=["plain header", "header with id"])
@pytest.mark.parametrize("space", ["", " "], ids=["bare", "trailing space"])
def test_every_form_of_the_original_says_the_same(folder, chat_list, message_id, space):
    """Headers with an id or without, lists as lines or as one array, a trailing space or none."""
    shown = {"chat_list": chat_list, "message_id": message_id}
    text = "Dear all,\n\n====================\n===\nsee you\n"
    group, direct = framed(text, space=space), framed("Hi", author="Ann", author_id="asst_9", group=False, space=space)
    found = read_thread_logs(
        folder(
            Founder=turn("Begin", **shown) + said("I will write.", message_id),
            Marketing_Expert=turn(group, direct, **shown) + said("Nobody saw this.", message_id),
            Network_Engineer=turn(group, **shown),
        )
    )

    assert found.agents.name.tolist() == ["Marketing Expert", "Network Engineer", "Founder", "Ann"]
    assert found.agents.agent_id.tolist() == ["asst_1", "asst_3", "asst_2", "asst_9"]
    assert found.agents.kind.fillna("-").tolist() == ["agent", "agent", "agent", "-"]
    messages = found.messages[["sender", "receiver", "chat", "text"]].fillna("-").to_numpy().tolist()
    assert messages == [
        ["-", "Founder", "-", "Begin"],
        ["Founder", "-", "Plan", text],
        ["Ann", "Marketing Expert", "-", "Hi"],
    ]
    assert found.deliveries.receiver.tolist() == ["Founder", "Marketing Expert", "Network Engineer", "Marketing Expert"]
    assert found.chats[["chat_id", "name", "description"]].to_numpy().tolist() == [["9f0c", "Plan", "The plan."]]
    assert found.memberships.agent.tolist() == ["Marketing Expert", "Network Engineer", "Founder"]
    assert found.items[found.items.type == "assistant"].text.tolist() == ["Nobody saw this.", "I will write."]
    assert found.messages.created_at.isna().all()


def test_ours_is_read_back_as_the_log_has_it(tmp_path):
    """Both demos, from text alone: the same messages, receivers, groups and conversations."""
    for demo in (1, 2):
        intercom = run(demo, model="offline", logs=tmp_path)
        truth, found = read_frames(intercom), read_thread_logs(thread_logs_of(intercom))

        names = ["sender", "receiver", "chat", "text"]
        assert sorted(map(tuple, found.messages[names].fillna("").to_numpy().tolist())) == sorted(
            map(tuple, truth.messages[names].fillna("").to_numpy().tolist())
        )
        matrix = who_to_whom(truth)
        assert who_to_whom(found).loc[matrix.index, matrix.columns].equals(matrix)
        assert delivery_counts(found) == delivery_counts(intercom)
        who, where = ["agent_id", "name", "description"], ["chat", "agent"]
        assert sorted(found.agents[who].to_numpy().tolist()) == sorted(truth.agents[who].to_numpy().tolist())
        assert sorted(found.memberships[where].to_numpy().tolist()) == sorted(
            truth.memberships[where].to_numpy().tolist()
        )
        ids = ["agent", "idx", "type", "text"]
        mine, theirs = (frames.items[ids].sort_values(ids).reset_index(drop=True) for frames in (found, truth))
        calls = mine.type == "function_call"
        assert mine[~calls].equals(theirs[~calls])
        assert messages_df(found).dtypes.equals(truth.messages.dtypes)


def test_every_function_takes_it_in_place_of_a_log(folder):
    """Matrix, graph and exports, with times that are not known."""
    found = read_thread_logs(folder(Bob=turn(framed("Hello")), Cid=turn(framed("Hello"))))

    assert who_to_whom(found, "characters", "group").loc["Founder"].sum() == 10
    assert graph(found).edges["Founder", "Bob", 0] == {"time": None, "seq": 1, "chat": "Plan", "characters": 5}
    assert "## 1: Founder → Plan (Bob, Cid)\n\n> Hello\n" in to_markdown(found)
    assert "->>p" in to_mermaid(found)
    assert set(found.agents.team) == {""}  # text does not say
    assert who_to_whom(found, by="team").equals(who_to_whom(found))


def test_the_same_words_twice_are_two_messages(folder):
    """The first in one file is the first in the other; the order agrees with both."""
    one, two = framed("Yes"), framed("No")
    found = read_thread_logs(folder(Bob=turn(one, two) + turn(one), Cid=turn(one, two, one)))

    assert found.messages.text.tolist() == ["Yes", "No", "Yes"]
    assert found.deliveries.seq.tolist() == [1, 1, 2, 2, 3, 3]


def test_files_that_contradict_each_other_are_read_all_the_same(folder):
    """Two messages in two orders: each is there once."""
    one, two = framed("Yes"), framed("No")
    found = read_thread_logs(folder(Bob=turn(one, two), Cid=turn(two, one)))

    assert sorted(found.messages.text) == ["No", "Yes"]


def test_a_text_with_the_words_of_a_frame_stays_a_text(folder):
    """The original escaped nothing: a header, another's frame, its own last line with text after it."""
    other = framed("x", author="Eve", group=False)
    text = f"{'=' * 20}user{'=' * 20}\n{other}\n===End of Incoming message from Plan===\nmore"
    found = read_thread_logs(folder(Bob=turn(framed(text), chat_list=None)))

    assert found.messages.text.tolist() == [text]


def test_what_we_escape_is_unescaped(scripted, tmp_path):
    """A message that holds a frame comes back as it was sent."""
    text = framed("x") + f"\n{'=' * 20}user{'=' * 20}\r\n\\===End of Incoming message from Ann===\n"
    intercom = scripted({"Ann": [call("send_message", chat_id="a-b", message=text), "Done."]}, logs=tmp_path)
    intercom.add(Agent("Ann"), Agent("a/b"))
    with intercom:
        intercom["ann"].begin()
        intercom.wait(60)
    found = read_thread_logs(thread_logs_of(intercom))

    assert found.messages.text.tolist() == ["Begin", text]
    assert found.messages.receiver.tolist() == ["Ann", "a/b"]


def test_files_of_another_system(tmp_path):
    """A mark of byte order, Windows' line ends, an ending on the name, a hidden file, an empty one."""
    text = turn(framed("Hello\nall"), chat_list=ARRAY) + said("Fine.")
    (tmp_path / "Network Engineer.txt").write_bytes(b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode())
    (tmp_path / "Silent One.log").write_bytes(b"")
    (tmp_path / ".hidden").write_bytes(b"\x00")
    found = read_thread_logs(tmp_path)

    assert found.messages.text.tolist() == ["Hello\nall"]
    assert found.deliveries.receiver_id.tolist() == ["asst_3"]
    assert "Silent One" in found.agents.agent_id.tolist()


GOOD = turn("Begin")
BAD = {
    "no header": ("Hello\n", 1, "should be a header"),
    "no JSON": (turn("Begin", chat_list='{"id": '), 3, "is no JSON"),
    "no entry": (turn("Begin", chat_list='{"id": "x"}'), 3, "object of id, name, description and type"),
    "no list": (turn("Begin", chat_list="[1]"), 3, "object of id, name, description and type"),
    "second line": (turn("Begin", chat_list=LIST + "\nx"), 6, "is no JSON"),
    "no message": (f"{'=' * 20}user{'=' * 20}\nChat list:\n{LIST}\n", 2, "no line 'Message:' ends"),
    "no end": (turn(framed("x").rpartition("\n")[0], chat_list=None), 3, "never ends"),
    "no chat id": (turn(framed("x").replace("chat_id:", "chat:"), chat_list=None), 4, "should begin 'chat_id'"),
    "no type": (turn(framed("x").replace("type: group", "type: crowd"), chat_list=None), 5, "is 'crowd'"),
    "no content": (turn(framed("x").replace("message_content", "text"), chat_list=None), 8, "message_content"),
    "later": (GOOD + GOOD.replace("Chat list:\n{", "Chat list:\n{{"), 11, "is no JSON"),
}


@pytest.mark.parametrize(("text", "line", "wrong"), BAD.values(), ids=BAD)
def test_a_malformed_file_names_the_file_and_the_line(folder, text, line, wrong):
    """And what is wrong there."""
    with pytest.raises(LogDamagedError, match=rf"Cid: line {line} .*{re.escape(wrong)}"):
        read_thread_logs(folder(Bob=GOOD, Cid=text))


def test_bytes_that_are_no_text_name_their_line(tmp_path):
    """A file that is not UTF-8."""
    (tmp_path / "Bob").write_bytes(GOOD.encode() + b"\n\xff\n")
    with pytest.raises(LogDamagedError, match="line 10 is not UTF-8"):
        read_thread_logs(tmp_path)


def test_a_folder_without_thread_logs_is_an_error(tmp_path):
    """One that is not there, and one with nothing in it."""
    with pytest.raises(LogError, match="no such folder"):
        read_thread_logs(tmp_path / "absent")
    with pytest.raises(LogError, match="no thread log"):
        read_thread_logs(tmp_path)
