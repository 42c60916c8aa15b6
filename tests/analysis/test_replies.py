"""Which message answers which, in cases small enough to say it by hand."""

import pandas as pd
import pytest

from intercom_nb import Agent, call
from intercom_nb.analysis.frames import read_frames
from intercom_nb.analysis.replies import replies_df


def say(chat_id, message):
    """Return a call of send_message."""
    return call("send_message", chat_id=chat_id, message=message)


def answers(source):
    """Return, by text, the text of the message that it answers."""
    frames = read_frames(source)
    texts = frames.messages.set_index("message_id").text
    replies = replies_df(source)
    return {
        texts[own]: None if pd.isna(other) else texts[other]
        for own, other in zip(replies.message_id, replies.answers, strict=True)
    }


def test_a_run_answers_what_it_read_in_the_same_place(scripted):
    """An answer to Ann answers Ann's message, a word to somebody else answers nothing."""
    intercom = scripted(
        {"Ann": [say("bob", "question"), "Done."], "Bob": [[say("ann", "answer"), say("cy", "by the way")], "Done."]}
    )
    intercom.add(*map(Agent, ["Ann", "Bob", "Cy"]))
    with intercom:
        intercom["ann"].begin()
        intercom.wait()

    assert answers(intercom) == {"question": None, "answer": "question", "by the way": None}


def test_a_run_answers_the_newest_of_what_it_read(scripted):
    """Two messages read at once: the answer goes to the second one; both answers of one run answer the same."""
    intercom = scripted({"Bob": [[say("ann", "one"), say("ann", "two")], "Done."]})
    intercom.add(*map(Agent, ["Ann", "Bob"]))
    intercom.send_message("first", "bob", "ann")
    intercom.send_message("second", "bob", "ann")
    with intercom:
        intercom.wait()

    assert answers(intercom) == {"first": None, "second": None, "one": "second", "two": "second"}


def test_a_group_and_a_pair_are_two_places(scripted):
    """What was asked in the group is not answered by a direct message, nor the other way round."""
    intercom = scripted({"Bob": [[say("ann", "privately"), say("chat-1", "to all")], "Done."]})
    intercom.add(*map(Agent, ["Ann", "Bob", "Cy"]))
    intercom.create_chat(["bob", "cy"], "Plan", "", "ann", "asked in the group")
    with intercom:
        intercom.wait()

    assert answers(intercom) == {"asked in the group": None, "privately": None, "to all": "asked in the group"}


def test_a_person_answers_the_newest_since_its_own_last_word(scripted):
    """Without runs, a second message in a row answers nothing, and what is answered once is not answered again."""
    intercom = scripted()
    intercom.add(Agent("Ann"))
    intercom.add_person("You")
    for text, sender, receiver in (
        ("hello", "ann", "you"),
        ("again", "ann", "you"),
        ("yes?", "you", "ann"),
        ("well?", "you", "ann"),
        ("here", "ann", "you"),
        ("good", "you", "ann"),
    ):
        intercom.send_message(text, receiver, sender)

    assert answers(intercom) == {
        "hello": None, "again": None, "yes?": "again", "well?": None, "here": "well?", "good": "here",
    }  # fmt: skip


def test_the_program_is_not_answered(scripted):
    """Begin has no sender: it has no row, and the first word after it answers nothing."""
    intercom = scripted({"Ann": [say("bob", "question"), "Done."]})
    intercom.add(*map(Agent, ["Ann", "Bob"]))
    with intercom:
        intercom["ann"].begin()
        intercom.wait()

    assert answers(intercom) == {"question": None}


def test_delays_are_seconds_between_the_two(scripted):
    """The times of the messages themselves say how long an answer took."""
    intercom = scripted({"Bob": [say("ann", "answer"), "Done."]})
    intercom.add(*map(Agent, ["Ann", "Bob"]))
    question = intercom.send_message("question", "bob", "ann")
    with intercom:
        intercom.wait()
    answer = intercom.messages[-1]
    replies = replies_df(intercom)

    assert replies.delay_s.tolist()[1] == pytest.approx((answer.created_at - question.created_at).total_seconds())
    assert (replies.sender.tolist(), replies.answers_sender.tolist()[1]) == (["Ann", "Bob"], "Ann")


def test_columns_are_the_same_with_and_without_messages(scripted):
    """Nothing said: no rows, the same columns and types."""
    silent, spoken = scripted(name="silent"), scripted(name="spoken")
    spoken.add(*map(Agent, ["Ann", "Bob"]))
    spoken.send_message("hello", "bob", "ann")

    assert replies_df(silent).dtypes.to_dict() == replies_df(spoken).dtypes.to_dict()
    assert list(replies_df(silent)) == [
        "seq", "message_id", "sender", "answers", "answers_sender", "delay_s", "sender_id",
    ]  # fmt: skip
    assert replies_df(silent).empty


def test_every_kind_of_source_says_the_same(scripted):
    """A service, its log's path and its frames; of several logs, the first column says which."""
    intercom = scripted({"Bob": [say("ann", "answer"), "Done."]}, logs="logs")
    intercom.add(*map(Agent, ["Ann", "Bob"]))
    intercom.send_message("question", "bob", "ann")
    with intercom:
        intercom.wait()
        live = replies_df(intercom)
    path = intercom.log.path

    for source in (path, str(path), read_frames(path)):
        pd.testing.assert_frame_equal(replies_df(source), live)
    for source in (path.parent, [path], read_frames(path.parent)):
        stacked = replies_df(source)
        assert stacked.columns[0] == "log"
        pd.testing.assert_frame_equal(stacked.drop(columns="log"), live)
