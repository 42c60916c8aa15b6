"""Any model server: found out once how it wants to be talked to, and the same conversation stored either way."""

import asyncio
import json

import httpx2
import openai
import pytest
from model_server import Server

from intercom_nb import Agent, InterComService
from intercom_nb.models.chat_completions import Pieces, chat_messages, response_of
from intercom_nb.models.dialect import is_missing_route
from logs import unfenced

KEY = "sk-proj-SECRET0123456789abcdef"
NOT_FOUND = (404, {"detail": "Not Found"})
SEND = {"name": "send_message", "arguments": '{"chat_id": "bob", "message": "Hi"}'}


def as_responses(*output, **fields):
    """Return an answer of POST /v1/responses: texts and calls."""
    items = []
    for n, part in enumerate(output):
        if isinstance(part, str):
            content = [{"type": "output_text", "text": part, "annotations": []}]
            items.append({"type": "message", "id": f"m{n}", "role": "assistant", "content": content})
        else:
            items.append({"type": "function_call", "id": f"f{n}", "call_id": f"call-{n}", **part})
    return 200, {"id": "r", "object": "response", "model": "m", "output": items, **fields}


def as_chat(*output, **fields):
    """Return the same as a chat completion."""
    text = "".join(part for part in output if isinstance(part, str)) or None
    calls = [
        {"id": f"call-{n}", "type": "function", "function": part}
        for n, part in enumerate(output)
        if isinstance(part, dict)
    ]
    message = {"role": "assistant", "content": text} | ({"tool_calls": calls} if calls else {})
    return 200, {
        "id": "c",
        "model": "m",
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        **fields,
    }


@pytest.fixture
def served():
    """Give a function that makes a service on a server that answers so; it takes what `InterComService` takes."""
    made = []

    def make(answer, model="m", **settings):
        server = Server(answer)
        http = httpx2.AsyncClient(transport=httpx2.ASGITransport(server))
        client = openai.AsyncOpenAI(base_url="http://server/v1", api_key=KEY, http_client=http)
        intercom = InterComService("test", model=model, client=client, logs=None, **settings)
        intercom.server = server
        intercom.start()
        made.append((intercom, client))
        return intercom

    yield make
    for intercom, client in made:
        intercom.stop()
        asyncio.run(client.close())


def begun(intercom, *agents):
    """Add agents, let the first begin, and return why it stopped."""
    agents = agents or (Agent("Ann", mission="Plan."),)
    intercom.add(*agents)
    agents[0].begin()
    return intercom.wait(60)


def only(path, answers):
    """Answer one path alone, in order and then with the last; the other path is not there."""
    left = list(answers)
    return lambda asked, _: (left.pop(0) if len(left) > 1 else left[0]) if asked == path else NOT_FOUND


def test_the_same_conversation_is_stored_either_way(served):
    """Over Responses and over chat completions: items, messages, tokens, all but the way is the same."""
    stored = []
    for path, form in (("/responses", as_responses), ("/chat/completions", as_chat)):
        usage = {"input_tokens": 9, "output_tokens": 2, "prompt_tokens": 9, "completion_tokens": 2}
        intercom = served(
            only(path, [form("I write.", SEND, usage=usage), form("Done.", usage=usage), form("Hi.", usage=usage)])
        )
        begun(intercom, Agent("Ann", mission="Plan."), Agent("Bob"))
        steps = intercom._store.rows("SELECT model, input_tokens, cached_tokens, output_tokens FROM steps ORDER BY seq")
        said = [json.loads(unfenced(json.dumps(intercom[name].conversation))) for name in ("ann", "bob")]
        stored.append((*said, steps))
        assert [m.text for m in intercom.messages] == ["Begin", "Hi"]
        assert ("through chat completions" in repr(intercom)) == (path == "/chat/completions")

    assert stored[0] == stored[1]
    assert stored[0][0][1:3] == [
        {"role": "assistant", "content": "I write."},
        {"type": "function_call", "call_id": "call-1", **SEND},
    ]


def test_what_is_sent_to_chat_completions_is_what_it_takes(served):
    """Calls in one assistant message with the text before them, outputs as tool messages, tools in their form."""
    intercom = served(only("/chat/completions", [as_chat("I write.", SEND, SEND), as_chat("Done.")]))
    begun(intercom, Agent("Ann", mission="Plan."), Agent("Bob"))
    bodies = [body for path, body in intercom.server.asked if path == "/chat/completions"]

    first, second = bodies[0], next(body for body in bodies if len(body["messages"]) > 2)
    assert set(first) == {"model", "messages", "tools", "stream", "parallel_tool_calls"}
    assert first["stream"] is False
    assert set(first["tools"][0]) == {"type", "function"}
    assert {"name", "description", "parameters"} <= set(first["tools"][0]["function"])
    assert [message["role"] for message in second["messages"]] == ["system", "user", "assistant", "tool", "tool"]
    assert [c["id"] for c in second["messages"][2]["tool_calls"]] == [m["tool_call_id"] for m in second["messages"][3:]]
    assert second["messages"][2]["content"] == "I write."


def test_fifty_agents_find_out_once(served):
    """One request to the path that is not there, also when all begin at once."""
    intercom = served(only("/chat/completions", [as_chat("Fine.")]))
    agents = [Agent(f"Agent {n}") for n in range(50)]
    intercom.add(*agents)
    for agent in agents:
        agent.begin()
    reason = intercom.wait(60)

    assert reason == "quiet"
    assert intercom.server.paths.count("/responses") == 1
    assert intercom.server.paths.count("/chat/completions") == 50


@pytest.mark.parametrize(
    "missing",
    [
        NOT_FOUND,
        (404, "404 page not found"),
        (405, {"detail": "Method Not Allowed"}),
        (200, {"error": "Unexpected endpoint or method. (POST /v1/responses)"}),
    ],
    ids=["fastapi", "ollama", "405", "lm studio"],
)
def test_ways_to_say_that_there_is_no_such_path(served, missing):
    """Each is understood, and chat completions used from then on."""
    intercom = served(lambda path, _: as_chat("Fine.") if path == "/chat/completions" else missing)

    assert begun(intercom) == "quiet"
    assert intercom.server.paths == ["/responses", "/chat/completions"]
    assert intercom.model == "m at http://server/v1 through chat completions"


def test_no_such_model_is_not_no_such_path(served):
    """A 404 that names the model is the answer; nothing else is tried, on either path."""
    missing = 404, {"error": {"message": "The model `m` does not exist", "code": "model_not_found"}}
    intercom = served(lambda _path, _body: missing)

    assert begun(intercom) == "failed"
    assert intercom.server.paths == ["/responses"]
    assert "does not exist" in intercom._store.rows("SELECT error FROM runs")[0][0]


def test_neither_path_is_there(served):
    """The first refusal is what the person reads; the next call looks again."""
    intercom = served(lambda _path, _body: NOT_FOUND)

    assert begun(intercom) == "failed"
    assert intercom.server.paths == ["/responses", "/chat/completions"]
    assert "HTTP 404" in intercom._store.rows("SELECT error FROM runs")[0][0]
    assert "through" not in intercom.model


def test_the_model_is_missing_behind_chat_completions(served):
    """The path is settled by an answer about the model, and its sentence is the one shown."""
    absent = 404, {"error": {"message": "model 'm' not found"}}
    intercom = served(only("/chat/completions", [absent]))

    assert begun(intercom) == "failed"
    assert "model 'm' not found" in intercom._store.rows("SELECT error FROM runs")[0][0]
    assert "through chat completions" in intercom.model


@pytest.mark.parametrize("status", [400, 422])
@pytest.mark.parametrize("path", ["/responses", "/chat/completions"])
@pytest.mark.parametrize("field", ["store", "parallel_tool_calls", "include", "strict"])
def test_a_field_that_is_refused_by_name_is_left_out(served, status, path, field):
    """Once for the endpoint, and the call goes on without it."""
    fine = as_chat("Fine.") if path == "/chat/completions" else as_responses("Fine.")

    def answer(asked, body):
        if asked != path:
            return NOT_FOUND
        refused = field in body or (field == "strict" and '"strict"' in json.dumps(body["tools"]))
        return (
            (status, {"detail": [{"loc": ["body", field], "msg": "Extra inputs are not permitted"}]})
            if refused
            else fine
        )

    intercom = served(answer, model="gpt-5-mini")
    reasons = [begun(intercom, Agent(f"Agent {n}")) for n in range(3)]
    sent = [body for asked, body in intercom.server.asked if asked == path]

    assert reasons == ["quiet"] * 3
    assert len(sent) == (3 if field in ("store", "include") and path == "/chat/completions" else 4)


def test_a_refusal_that_names_no_field_of_ours_is_final(served):
    """Nothing is left out for luck."""
    intercom = served(lambda _path, _body: (400, {"error": {"message": "temperature is too hot"}}))

    assert begun(intercom) == "failed"
    assert len(intercom.server.asked) == 1


def test_odd_tool_calls_in_the_chat_form(served):
    """Arguments as an object, no id, one id twice, null content, no usage."""
    calls = [
        {"function": {"name": "send_message", "arguments": {"chat_id": "bob", "message": "Hi"}}},
        {"id": "c", "function": {"name": "leave_chat", "arguments": "{}"}},
        {"id": "c", "function": {"name": "nothing", "arguments": None}},
        {"id": "d", "function": {"name": "send_message", "arguments": "{broken"}},
    ]
    odd = 200, {"choices": [{"message": {"content": None, "tool_calls": calls}}], "usage": None}
    intercom = served(only("/chat/completions", [odd, as_chat("Done.")]))
    begun(intercom, Agent("Ann"), Agent("Bob"))
    ids = [item["call_id"] for item in intercom["ann"].conversation if "call_id" in item]
    again = next(body["messages"] for _, body in intercom.server.asked if len(body.get("messages", ())) > 2)

    assert ids[:4] == ids[4:]
    assert len(set(ids)) == 4
    assert [m.text for m in intercom.messages] == ["Begin", "Hi"]
    assert all(json.loads(c["function"]["arguments"]) is not None for c in again[2]["tool_calls"])


def test_an_empty_chat_answer_is_nonsense_and_a_failed_run(served):
    """No choices, no message: one sentence."""
    intercom = served(only("/chat/completions", [(200, {"choices": []})]), max_retries=0)

    assert begun(intercom) == "failed"
    assert "nonsense: no message in it" in intercom._store.rows("SELECT error FROM runs")[0][0]


def test_reasoning_stays_behind_when_a_server_speaks_chat_only():
    """What went through Responses before may go on through chat completions."""
    part = [{"type": "output_text", "text": "So.", "annotations": []}]
    conversation = [
        {"role": "developer", "content": "Mind."},
        {"type": "reasoning", "id": "rs", "summary": []},
        {"type": "message", "id": "m", "role": "assistant", "content": part},
        {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c", "output": "done"},
    ]

    messages = chat_messages("Be.", conversation)
    assert [m["role"] for m in messages] == ["system", "system", "assistant", "tool"]
    assert messages[2]["content"] == "So."


def test_a_client_of_ones_own_is_used_and_left_open(served):
    """Its address in the label, its key in no repr; it may be used after the service has stopped."""
    intercom = served(lambda _path, _body: as_responses("Fine."))
    begun(intercom)
    client = intercom._engine.models._own
    intercom.stop()

    assert intercom.model == "m at http://server/v1"
    assert KEY not in repr(intercom) + repr(intercom._engine.models.default)
    assert not client.is_closed()
    with pytest.raises(ValueError, match="leave base_url= and api_key= out"):
        InterComService(client=client, base_url="http://other/v1")


def test_a_cut_off_body_may_come_whole_the_next_time(served):
    """Malformed JSON is repeated as a broken connection is."""
    answers = [(200, "{"), as_responses("Whole.")]
    intercom = served(lambda _path, _body: answers.pop(0))

    assert begun(intercom) == "quiet"
    assert intercom["ann"].conversation[-1]["content"] == "Whole."


def test_what_a_missing_path_looks_like():
    """A 404 is about the model if it says so."""
    assert is_missing_route(405, None)
    assert is_missing_route(404, {"detail": "Not Found"})
    assert not is_missing_route(404, {"code": "model_not_found", "message": "?"})
    assert not is_missing_route(404, "no such model")
    assert not is_missing_route(400, {"detail": "Not Found"})


def test_a_chat_stream_is_put_together_however_it_is_cut():
    """Arguments in pieces, calls without an index, usage in a chunk of its own."""
    pieces = Pieces()
    for delta in (
        {"content": "I "},
        {"content": "write."},
        {"tool_calls": [{"index": 0, "id": "a", "function": {"name": "f", "arguments": '{"x"'}}]},
        {"tool_calls": [{"index": 0, "function": {"arguments": ": 1}"}}]},
        {"tool_calls": [{"id": "b", "function": {"name": "g", "arguments": {"y": 2}}}]},
    ):
        pieces.add({"id": "c", "model": "m", "choices": [{"delta": delta}]})
    pieces.add({"choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 2}})

    response = response_of(pieces.completion())
    assert response["output"][0]["content"][0]["text"] == "I write."
    assert [item["arguments"] for item in response["output"][1:]] == ['{"x": 1}', '{"y": 2}']
    assert response["usage"]["output_tokens"] == 2
