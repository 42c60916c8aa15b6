"""Why a run ended: each reason of the one table, reached through what a user has, and the sentence beside the word."""

import sqlite3
from contextlib import closing

import httpx2
import openai
import pytest

from intercom_nb import Agent, Fail, InterComService, Limits, ScriptedAssistant, call, runs_df
from intercom_nb.log.schema import SCHEMA
from models.model_server import Server
from talkers import until


def answer(*content, **fields):
    """Return a server's answer of one message with this content."""
    output = [{"type": "message", "role": "assistant", "content": list(content)}] if content else []
    return {"id": "r-1", "model": "m", "status": "completed", "output": output, **fields}


def text(words):
    """Return content that says this."""
    return {"type": "output_text", "text": words}


def cut(why):
    """Return what an answer says that was cut off."""
    return {"status": "incomplete", "incomplete_details": {"reason": why}}


ANSWERED = {
    "silent": (answer(text("Done.")), "quiet", "quiet: nobody has anything left to say"),
    "said_nothing": (answer(), "quiet", "quiet, but ann answered with nothing at all"),
    "cut_off": (answer(text("Do"), **cut("max_output_tokens")), "quiet", "quiet, but ann was cut off at the most"),
    "refused": (answer({"type": "refusal", "refusal": "No."}), "quiet", "quiet, but ann refused to answer"),
    "filtered": (answer(**cut("content_filter")), "quiet", "quiet, but ann was stopped by its server's content filter"),
}
ASSISTANTS = {
    "steps": (lambda _: call("leave_chat", chat_id="chat-9"), "steps", "a run was cut off at its limit of steps"),
    "failed": (Fail(404), "failed", "404"),
}
ON_THE_WAY = ("stopped", "interrupted")


def test_every_reason_is_reached_here():
    """A reason that is new in the log's table fails here until it is shown below."""
    listed = SCHEMA.partition("reason IN (")[2].partition(")")[0]

    assert {*ANSWERED, *ASSISTANTS, *ON_THE_WAY} == {word.strip(" '\n") for word in listed.split(",")}


def ended(intercom):
    """Let an agent begin, and return the word of `wait`, the sentence beside it, and the reasons in the frame."""
    with intercom:
        intercom.add(Agent("Ann"))
        intercom["ann"].begin()
        word = intercom.wait(30, progress=False)
        return word, intercom.status, runs_df(intercom)["reason"].tolist()


@pytest.mark.parametrize("reason", ANSWERED)
def test_how_an_answer_ends_is_how_the_run_ended(reason):
    """As a server says it."""
    said, word, sentence = ANSWERED[reason]
    http = httpx2.AsyncClient(transport=httpx2.ASGITransport(Server(lambda *_: (200, said))))
    client = openai.AsyncOpenAI(base_url="http://server/v1", api_key="none", http_client=http)

    got, status, reasons = ended(InterComService("reasons", model="m", client=client, logs=None))

    assert (got, reasons) == (word, [reason])
    assert status.startswith(sentence)


@pytest.mark.parametrize("reason", ASSISTANTS)
def test_a_run_that_is_cut_short_or_fails_says_so(reason):
    """At its limit of steps, and where its model fails."""
    said, word, sentence = ASSISTANTS[reason]
    assistant = ScriptedAssistant({"Ann": [said]} if isinstance(said, Fail) else None, default=said)

    got, status, reasons = ended(
        InterComService("reasons", model=assistant, logs=None, limits=Limits(steps_per_run=2), max_retries=0)
    )

    assert (got, reasons) == (word, [reason])
    assert sentence in status


def test_what_stops_in_the_middle_is_stopped_and_goes_on_silent(tmp_path):
    """The attempt was stopped; the frame shows how the run ended at last, and in which attempt."""
    log = in_the_middle(tmp_path, InterComService.stop)

    assert runs_df(log)["reason"].tolist() == ["stopped"]
    assert gone_on(log) == ("quiet", ["silent"], [2])


def test_what_its_process_left_is_interrupted_and_goes_on_silent(tmp_path):
    """A log whose process is gone: whoever opens it says that the attempt was interrupted."""
    in_the_middle(tmp_path, lambda service: copy_log(service, tmp_path / "left.db"))
    left = InterComService.open(tmp_path / "left.db", model=ScriptedAssistant())
    left.stop()

    assert runs_df(left)["reason"].tolist() == ["interrupted"]
    assert gone_on(tmp_path / "left.db") == ("quiet", ["silent"], [2])


def in_the_middle(folder, then):
    """Let an agent wait for its model, do something, and return the log once the service has stopped."""
    slow = ScriptedAssistant(delay=300)
    intercom = InterComService("middle", model=slow, logs=folder, thread_logs=False)
    intercom.add(Agent("Ann"))
    intercom.start()
    intercom["ann"].begin()
    assert until(lambda: slow.requests and len(runs_df(intercom)))  # its run is on file
    then(intercom)
    intercom.stop()
    return intercom.log.path


def copy_log(service, path):
    """Copy the log of a service that is at work, as its process would leave it if it were killed now."""
    with closing(sqlite3.connect(service.log.path)) as log, closing(sqlite3.connect(path)) as left:
        log.backup(left)


def gone_on(log):
    """Go on with a log; return the word of `wait`, and how the runs in the frame ended, in which attempt."""
    with InterComService.open(log, model=ScriptedAssistant(default="Done.")) as again:
        word = again.wait(30, progress=False)
        frame = runs_df(again)
        return word, frame["reason"].tolist(), frame["attempts"].tolist()
