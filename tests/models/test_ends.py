"""What is kept of an answer besides what it says: why it ended, who was asked, its id, and how soon it began."""

import asyncio
import json

import httpx2
import openai
import pytest

from intercom_nb import Agent, InterComService, ScriptedAssistant, call, to_jsonl
from intercom_nb.log.reading import querying
from intercom_nb.models import Models, Origin

NO = "I cannot help with that."
FIRST = {"type": "function_call", "id": "f", "call_id": "c", "name": "leave_chat", "arguments": "{}"}
THOUGHT = {"type": "reasoning", "id": "rs", "summary": []}
CUT = {"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}
FILTERED = {"status": "incomplete", "incomplete_details": {"reason": "content_filter"}}


def text(words):
    """Return a message item that says this."""
    return {"type": "message", "id": "m", "role": "assistant", "content": [{"type": "output_text", "text": words}]}


def refusal(words):
    """Return a message item that refuses so."""
    return {"type": "message", "id": "m", "role": "assistant", "content": [{"type": "refusal", "refusal": words}]}


def response(*output, **fields):
    """Return a response."""
    return {"id": "resp_1", "model": "m-2026", "status": "completed", "output": list(output), **fields}


def completion(finish="stop", **message):
    """Return a chat completion."""
    choice = {"index": 0, "message": {"role": "assistant", "content": None, **message}, "finish_reason": finish}
    return {"id": "resp_1", "model": "m-2026", "choices": [choice]}


def events_of(answer):
    """Return a response or a completion as a stream of server-sent events, in pieces of four letters."""
    if "choices" in answer:
        choice = answer["choices"][0]
        message = choice["message"]
        deltas = [{"tool_calls": [{"index": 0, **c}]} for c in message.get("tool_calls") or []]
        for kind in ("content", "refusal"):
            words = message.get(kind) or ""
            deltas += [{kind: words[n : n + 4]} for n in range(0, len(words), 4)]
        events = [{**answer, "choices": [{"index": 0, "delta": delta}]} for delta in deltas]
        events.append({**answer, "choices": [{"index": 0, "delta": {}, "finish_reason": choice["finish_reason"]}]})
    else:
        parts = [part for item in answer["output"] for part in item.get("content", ())]
        kinds = [("refusal" if "refusal" in part else "output_text", [*part.values()][1]) for part in parts]
        events = [
            {"type": f"response.{kind}.delta", "output_index": 0, "delta": words[n : n + 4]}
            for kind, words in kinds
            for n in range(0, len(words), 4)
        ]
        events.append({"type": f"response.{answer['status']}", "response": answer})
    return "".join(f"data: {json.dumps(event)}\n\n" for event in events)


def server(answer, *, streamed):
    """Return a server that gives this answer, on the path that it is of."""
    path = "/chat/completions" if "choices" in answer else "/responses"

    async def app(scope, receive, send):
        await receive()
        known = scope["path"].endswith(path)
        body = events_of(answer) if streamed and known else json.dumps(answer if known else {})
        kind = b"text/event-stream" if streamed and known else b"application/json"
        head = [(b"content-type", kind)]
        await send({"type": "http.response.start", "status": 200 if known else 404, "headers": head})
        await send({"type": "http.response.body", "body": body.encode()})

    return app


def replied(answer, *, streamed):
    """Return the reply that a server's answer becomes, and what was heard of it."""
    heard = []

    async def talk():
        http = httpx2.AsyncClient(transport=httpx2.ASGITransport(server(answer, streamed=streamed)))
        async with openai.AsyncOpenAI(base_url="http://server/v1", api_key="none", http_client=http) as client:
            models = Models("m", client=client)
            if streamed:
                models.listeners.append(heard.append)
            return await models.default.respond("Be.", [], [], Origin("ann"))

    return asyncio.run(talk()), heard


ASKS = {"id": "c", "type": "function", "function": {"name": "leave_chat", "arguments": "{}"}}
ENDS = {
    "text": (response(text("Fine.")), completion(content="Fine."), "", "Fine."),
    "call": (response(FIRST), completion("tool_calls", tool_calls=[ASKS]), "", ""),
    "call and spaces": (response(text(" "), FIRST), completion(content=" ", tool_calls=[ASKS]), "", " "),
    "cut off": (response(text("Fi"), **CUT), completion("length", content="Fi"), "cut_off", "Fi"),
    "cut off before a word": (response(THOUGHT, **CUT), completion("length"), "cut_off", ""),
    "filtered": (response(text("Fi"), **FILTERED), completion("content_filter", content="Fi"), "filtered", "Fi"),
    "refused": (response(refusal(NO)), completion(refusal=NO), "refused", NO),
    "nothing": (response(), completion(), "said_nothing", ""),
    "only thought": (response(THOUGHT), completion(reasoning_content="So."), "said_nothing", ""),
    "only spaces": (response(text(" \n")), completion(content=" \n"), "said_nothing", " \n"),
}


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("form", [0, 1], ids=["responses", "chat"])
@pytest.mark.parametrize("case", ENDS)
def test_why_an_answer_ended(case, form, streamed):
    """The same over both paths, streamed or not; the text is the model's, a refusal's too."""
    answer, (end, words) = ENDS[case][form], ENDS[case][2:]
    reply, heard = replied(answer, streamed=streamed)

    assert (reply.end, reply.text) == (end, words)
    assert (reply.asked, reply.model, reply.response_id, reply.repaired) == ("m", "m-2026", "resp_1", False)
    assert (reply.first_token_s is not None) == bool(heard)
    assert "".join(delta.text for delta in heard if delta.kind == "text") == (words if streamed else "")
    if streamed and heard:
        assert 0 < reply.first_token_s <= reply.latency_s


@pytest.mark.parametrize("streamed", [False, True])
def test_a_refusal_is_stored_as_what_the_assistant_said(streamed):
    """The same item over both paths, so that it goes back as any other; where a model reasons, whole as it came."""
    stored = [replied(ENDS["refused"][form], streamed=streamed)[0].items for form in (0, 1)]
    whole, _ = replied(response(THOUGHT, refusal(NO)), streamed=streamed)

    assert stored[0] == stored[1] == ({"role": "assistant", "content": NO},)
    assert (whole.end, whole.text) == ("refused", NO)
    assert whole.items == (THOUGHT, refusal(NO))


def test_words_before_a_refusal_stay():
    """Both are what the model said."""
    parts = [{"type": "output_text", "text": "Well."}, {"type": "refusal", "refusal": NO}]
    over_responses, _ = replied(response({**text(""), "content": parts}), streamed=False)
    over_chat, _ = replied(completion(content="Well.", refusal=NO), streamed=False)

    assert over_responses.text == over_chat.text == f"Well.\n{NO}"
    assert over_responses.end == over_chat.end == "refused"


def test_an_answer_without_an_id():
    """Some servers give none."""
    reply, _ = replied({**response(text("Fine.")), "id": None}, streamed=False)

    assert reply.response_id is None


@pytest.mark.parametrize("case", ["text", "cut off", "refused", "filtered", "only thought", "only spaces"])
@pytest.mark.parametrize("form", [0, 1], ids=["responses", "chat"])
def test_a_log_that_is_played_keeps_it(case, form):
    """Played, it ended as it did, with the id, the tokens and the seconds of then; a text has no id and no seconds."""
    http = httpx2.AsyncClient(transport=httpx2.ASGITransport(server(ENDS[case][form], streamed=True)))
    client = openai.AsyncOpenAI(base_url="http://server/v1", api_key="none", http_client=http)

    def kept(**settings):
        with InterComService("ends", thread_logs=False, **settings) as intercom:
            intercom.on_delta(lambda _: None)
            intercom.add(Agent("Ann"))
            intercom["ann"].begin()
            intercom.wait(20)
        with querying(intercom.log.path) as query:
            answered = "SELECT response_id, latency_s, first_token_s FROM steps"
            said = "SELECT reason, asked, s.model, output_tokens, fingerprint FROM runs JOIN steps AS s USING (run_id)"
            return intercom.log.path, query(answered), query(said), intercom["ann"].conversation

    log, *recorded = kept(model="m", client=client)
    _, *played = kept(play=log)
    _, *from_text = kept(play=to_jsonl(log, "ends.jsonl", for_play=True))

    assert played == recorded
    assert from_text == [[(None, 0.0, None)], *recorded[1:]]
    assert recorded[1][0][0] == (ENDS[case][2] or "silent")


def test_a_stand_in_says_as_much():
    """Its first piece is timed, and silence is said to be that."""

    async def talk():
        models = Models(ScriptedAssistant({"Ann": []}, default=lambda _: ""))
        models.listeners.append(lambda _: None)
        silent = await models.default.respond("Be.", [], [])
        spoken = await models.named(ScriptedAssistant(default=lambda _: call("leave_chat"))).respond("Be.", [], [])
        await models.close()
        return silent, spoken

    silent, spoken = asyncio.run(talk())
    assert (silent.end, silent.first_token_s) == ("said_nothing", None)
    assert (spoken.end, spoken.asked) == ("", "scripted")
    assert 0 < spoken.first_token_s <= spoken.latency_s
