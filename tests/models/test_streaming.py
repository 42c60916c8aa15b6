"""Streaming: pieces are told as they arrive, the completed answer is the truth, and nothing depends on it."""

import asyncio
import json

import httpx2
import openai
import pytest
from model_server import Server

from intercom_nb import Agent, Delta, InterComService, OfflineAssistant, ScriptedAssistant, call
from intercom_nb.demos import cast

ARGUMENTS = '{"chat_id": "bob", "message": "Hi"}'


def events(*given):
    """Return server-sent events."""
    return "".join(f"data: {event if isinstance(event, str) else json.dumps(event)}\n\n" for event in given)


def as_response(text):
    """Return a response that says this."""
    part = {"type": "output_text", "text": text, "annotations": []}
    return {"id": "r", "model": "m", "output": [{"type": "message", "role": "assistant", "content": [part]}]}


def piece(text, **fields):
    """Return an event with a piece of text."""
    return {"type": "response.output_text.delta", "output_index": 0, "delta": text, **fields}


def completed(text):
    """Return the event that ends a stream."""
    return {"type": "response.completed", "response": as_response(text)}


def chunk(finish=None, **delta):
    """Return a chunk of a chat completion."""
    return {"id": "c", "model": "m", "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}


def heard(answer, **settings):
    """Let Ann ask a server that answers so; return what was heard, why it stopped, her items and what was asked."""
    server, deltas = Server(answer, "text/event-stream"), []
    http = httpx2.AsyncClient(transport=httpx2.ASGITransport(server))
    client = openai.AsyncOpenAI(base_url="http://server/v1", api_key="k", http_client=http)
    with InterComService(model="m", client=client, logs=None, **settings) as intercom:
        intercom.on_delta(deltas.append)
        intercom.add(Agent("Ann"), Agent("Bob"))
        intercom["ann"].begin()
        reason = intercom.wait(60)
        items = intercom["ann"].conversation[1:]
    asyncio.run(client.close())
    return deltas, reason, items, server.asked


def test_pieces_come_with_whose_they_are_and_only_while_somebody_listens():
    """The agent, the run, the step, text or arguments with the tool's name; then silence after the undo."""
    script = ScriptedAssistant({"Ann": [["I write.", call("send_message", chat_id="bob", message="Hi")], "Done."]})
    deltas = []
    with InterComService(model=script, logs=None) as intercom:
        intercom.add(Agent("Ann"), Agent("Bob"))
        undo = intercom.on_delta(deltas.append)
        intercom["ann"].begin()
        intercom.wait(60)
        undo()
        undo()
        intercom["bob"].begin()
        intercom.wait(60)
        run_id = intercom._store.rows("SELECT run_id FROM runs WHERE agent_id = 'ann'")[0][0]

    anns = [delta for delta in deltas if delta.agent_id == "ann"]
    first = [delta for delta in anns if delta.step == 0]
    assert {delta.run_id for delta in anns} == {run_id}
    assert "".join(d.text for d in first if d.kind == "text") == "I write."
    assert "".join(d.text for d in first if d.kind == "arguments") == ARGUMENTS
    assert {(d.idx, d.tool) for d in first if d.kind == "arguments"} == {(1, "send_message")}
    assert [request["stream"] for request in script.requests] == [True, True, True, False]
    bobs = [delta for delta in deltas if delta.agent_id == "bob"]
    assert bobs[0] == Delta("bob", bobs[0].run_id, 0, "text", "(nothing")
    assert len(bobs) == 2


@pytest.mark.parametrize("demo", [1, 2])
def test_the_demos_go_alike_streamed_or_not(demo):
    """The same messages, numbers included."""
    said = []
    for listens in (False, True):
        with InterComService(model=OfflineAssistant(), logs=None) as intercom:
            if listens:
                intercom.on_delta(lambda _: None)
            founder, *others = cast(demo)
            intercom.add(founder, *others)
            founder.begin()
            assert intercom.wait(60) == "quiet"
            said.append([(m.sender_id, m.receiver_id, m.chat_id, m.text) for m in intercom.messages])

    assert said[0] == said[1]


def test_the_completed_response_is_the_truth():
    """Whatever the pieces said; two items at one place disturb nothing."""
    added = {"type": "response.output_item.added", "output_index": 1, "item": {"type": "function_call", "name": "f"}}
    stream = events(piece("Wrong"), added, added, {"type": "unheard.of"}, completed("Right."))
    deltas, reason, items, _ = heard(lambda _p, _b: (200, stream))

    assert reason == "quiet"
    assert [d.text for d in deltas] == ["Wrong"]
    assert items == [{"role": "assistant", "content": "Right."}]


def test_a_completed_response_without_output_is_what_was_done():
    """Some servers leave the output out at the end."""
    done = {"type": "response.output_item.done", "output_index": 0, "item": as_response("Done.")["output"][0]}
    end = {"type": "response.completed", "response": {"id": "r", "model": "m", "output": []}}
    _, reason, items, _ = heard(lambda _p, _b: (200, events(done, end)))

    assert reason == "quiet"
    assert items == [{"role": "assistant", "content": "Done."}]


def test_a_stream_that_breaks_off_begins_anew():
    """What was heard of it is marked by its attempt, and nothing of it is stored."""
    answers = [events(piece("Half")), events(piece("Whole"), completed("Whole"))]
    deltas, reason, items, asked = heard(lambda _p, _b: (200, answers.pop(0)))

    assert reason == "quiet"
    assert [(d.text, d.attempt) for d in deltas] == [("Half", 1), ("Whole", 2)]
    assert items == [{"role": "assistant", "content": "Whole"}]
    assert len(asked) == 2


@pytest.mark.parametrize(
    "event",
    [
        {"type": "response.failed", "response": {"status": "failed", "error": {"message": "out of memory"}}},
        {"type": "error", "message": "out of memory"},
        {"error": {"message": "out of memory"}},
    ],
    ids=["failed", "error", "bare"],
)
def test_a_stream_that_ends_in_an_error_is_a_failed_run(event):
    """Its sentence is the server's."""
    _, reason, items, _ = heard(lambda _p, _b: (200, events(piece("Half"), event)), max_retries=0)

    assert reason == "failed"
    assert items == []


@pytest.mark.parametrize("way", ["refuses", "ignores"])
def test_a_server_that_cannot_stream_is_not_asked_again(way):
    """Found out once; the run goes on, with nothing to hear."""

    def answer(_path, body):
        if body["stream"] and way == "refuses":
            return 400, {"error": {"message": "streaming is not supported"}}
        return 200, as_response("Fine.")

    server, deltas = Server(answer, "text/event-stream"), []
    http = httpx2.AsyncClient(transport=httpx2.ASGITransport(server))
    client = openai.AsyncOpenAI(base_url="http://server/v1", api_key="k", http_client=http)
    with InterComService(model="m", client=client, logs=None) as intercom:
        intercom.on_delta(deltas.append)
        intercom.add(Agent("Ann"))
        for _ in range(2):
            intercom["ann"].begin()
            assert intercom.wait(60) == "quiet"
    asyncio.run(client.close())

    expected = {"refuses": [True, False, False], "ignores": [True, False]}
    assert [body["stream"] for _, body in server.asked] == expected[way]
    assert deltas == []


def test_chat_completions_stream_too():
    """Text and calls in pieces, usage in a chunk of its own, and the same items stored."""
    call_0 = {"index": 0, "id": "c1", "function": {"name": "send_message", "arguments": ARGUMENTS[:9]}}
    rest = {"index": 0, "function": {"arguments": ARGUMENTS[9:]}}
    usage = {"choices": [], "usage": {"prompt_tokens": 5, "completion_tokens": 3}}
    first = [chunk(content="I "), chunk(content="write."), chunk(tool_calls=[call_0]), chunk("stop", tool_calls=[rest])]
    answers = [events(*first, usage, "[DONE]")]

    def answer(path, _body):
        if path == "/responses":
            return 404, {"detail": "Not Found"}
        return 200, answers.pop(0) if answers else events(chunk("stop", content="Fine."), "[DONE]")

    deltas, reason, items, asked = heard(answer)

    assert reason == "quiet"
    assert items[:2] == [
        {"role": "assistant", "content": "I write."},
        {"type": "function_call", "call_id": "c1", "name": "send_message", "arguments": ARGUMENTS},
    ]
    anns = [d for d in deltas if d.agent_id == "ann" and d.step == 0]
    assert [d.kind for d in anns] == ["text", "text", "arguments", "arguments"]
    assert "".join(d.text for d in anns[2:]) == ARGUMENTS
    assert asked[1][1]["stream_options"] == {"include_usage": True}


def test_a_listener_that_raises_fails_no_run(caplog):
    """It is written to the log of the logging module."""

    def broken(_delta):
        msg = "mine"
        raise RuntimeError(msg)

    with InterComService(model=ScriptedAssistant(), logs=None) as intercom:
        intercom.on_delta(broken)
        intercom.add(Agent("Ann"))
        intercom["ann"].begin()
        reason = intercom.wait(60)

    assert reason == "quiet"
    assert "a listener failed" in caplog.text
