"""The offline assistant as a server: odd requests, refusals, streams, delays."""

import asyncio
import json
import time
from typing import Any

import httpx2
import openai
import pytest
from offline_cast import ALL_TOOLS, CAST, TOOLS, called, direct, entries_for, instructions_of, post, user
from openai.types.responses import Response

from intercom_nb.models.offline import OFFLINE_MODEL, Fail, OfflineAssistant, ScriptedAssistant, call
from intercom_nb.models.offline.rules import decide

ODD_INPUTS: list[Any] = [
    "Begin",
    "",
    [],
    None,
    7,
    {"role": "user"},
    [None, 3, "x", {}, {"role": "user"}, {"role": "user", "content": 5}],
    [{"role": "user", "content": [{"type": "input_text", "text": "Message:\nBegin"}, 4]}],
    [{"role": "user", "content": "Chat list:\n{}\n\nMessage:\nBegin"}],
    [{"role": "user", "content": "Chat list:\n[1]\n\nMessage:\nBegin"}],
    [{"role": "user", "content": "Chat list:\nnot json\n\nMessage:\nBegin"}],
    [{"role": "user", "content": 'Chat list:\n{"id":1,"name":2,"description":3,"type":4}\n\nMessage:\nBegin'}],
    [{"role": "user", "content": 'Chat list:\n{"id":"a","name":null,"description":[],"type":"agent"}\n\nMessage:\nX?'}],
    [{"type": "function_call"}, {"type": "function_call_output"}],
    [{"type": "function_call", "call_id": [], "name": {}, "arguments": "[]"}, {"role": "user", "content": "Hi?"}],
    [{"type": "function_call", "call_id": "a", "name": "create_chat", "arguments": "{"}, {"role": "user"}],
    [*called("a", "create_chat", "created chat-1", agent_ids=3, message=[1]), {"role": "user", "content": "Begin"}],
    [{"role": "assistant", "content": "Done."}],
    [{"type": "reasoning", "summary": []}, {"role": "user", "content": "\ud800 ?"}],
]


@pytest.mark.parametrize("value", ODD_INPUTS, ids=range(len(ODD_INPUTS)))
@pytest.mark.parametrize("instructions", ["You plan networks.", "", None, 5, ["x"]])
def test_odd_requests_are_answered(value: object, instructions: object) -> None:
    """Nothing a request can hold makes the assistant fail."""
    body = {"model": "offline", "input": value, "instructions": instructions, "tools": [*TOOLS, None, {"name": []}]}
    answer = post(OfflineAssistant(), json.dumps(body).encode())

    assert answer.status_code == 200
    assert Response.model_validate(answer.json()).output


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"{", "not valid JSON"),
        (b"\xff", "not valid JSON"),
        (b"[" * 100_000, "not valid JSON"),
        (b"[]", "should be a JSON object"),
    ],
)
def test_bad_bodies_are_refused_with_a_sentence(content: bytes, said: str) -> None:
    """400 in the server's own form."""
    answer = post(OfflineAssistant(), content)

    assert answer.status_code == 400
    assert said in answer.json()["error"]["message"]


@pytest.mark.parametrize(("method", "path"), [("GET", "/v1/responses"), ("POST", "/v1/chat/completions")])
def test_other_paths_are_not_found(method: str, path: str) -> None:
    """404 in the server's own form."""
    answer = post(OfflineAssistant(), b"{}", method=method, path=path)

    assert answer.status_code == 404
    assert path in answer.json()["error"]["message"]


def test_a_stream_is_one_the_client_understands() -> None:
    """Its strict reader puts the same response together from the events as comes without a stream."""

    async def streamed() -> Response:
        http = httpx2.AsyncClient(transport=httpx2.ASGITransport(ScriptedAssistant(default=lambda _: script)))
        async with (
            openai.AsyncOpenAI(base_url="http://offline/v1", api_key="k", http_client=http) as client,
            client.responses.stream(model="scripted", input="Begin", store=False) as stream,
        ):
            pieces = [event.delta async for event in stream if event.type.endswith(".delta")]
            assert "".join(pieces) == "Thinking  of it.\n" + '{"chat_id": "bob", "message": "Hi there"}'
            return await stream.get_final_response()

    script = ["Thinking  of it.\n", call("send_message", chat_id="bob", message="Hi there")]
    response = asyncio.run(streamed())

    assert response.output_text == "Thinking  of it.\n"
    assert response.output[1].type == "function_call"


def test_response_is_complete_and_the_same_every_time() -> None:
    """Valid in the client's own types, ids included in the sameness, usage by the stated rule."""
    body = {"model": "offline", "instructions": "Über", "input": "Begin", "tools": TOOLS, "stream": False}
    one, other = (post(OfflineAssistant(), json.dumps(body).encode()).json() for _ in range(2))
    response = Response.model_validate(one)

    assert one == other
    assert (response.status, response.model) == ("completed", OFFLINE_MODEL)
    assert response.usage is not None
    read = json.dumps(["Über", "Begin", TOOLS], ensure_ascii=False, separators=(",", ":")).encode()
    assert response.usage.input_tokens == -(-len(read) // 4)
    assert response.usage.input_tokens_details.cached_tokens == 0
    assert response.usage.total_tokens == response.usage.input_tokens + response.usage.output_tokens


def test_labels_say_what_they_are() -> None:
    """Nobody takes a stand-in for a model."""
    assert OfflineAssistant.label == "offline stand-in (rule-based, no language model)"
    assert "no language model" in repr(OfflineAssistant())
    assert "no language model" in repr(ScriptedAssistant())
    assert {OfflineAssistant.model, ScriptedAssistant.model} == {"offline", "scripted"}


def test_delay_is_waited_before_the_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """The assistant takes its time, and only then."""
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    monkeypatch.setattr(asyncio, "sleep", sleep)
    post(OfflineAssistant(delay=2.5), b"{}")
    post(ScriptedAssistant(default=lambda _: Fail(hang=7)), b"{}")
    post(OfflineAssistant(), b"{}")

    assert slept == [2.5, 7]


@pytest.mark.alone
def test_answers_cost_little_cpu() -> None:
    """A decision on a conversation of two hundred items stays far below what a server would take."""
    group = [called(f"c{n}", "send_message", "sent", chat_id="founder", message=f"Answer {n}.") for n in range(60)]
    items = [item for n, made in enumerate(group) for item in (user(direct("Founder", f"What is {n}?")), *made)]
    items.append(user(direct("Founder", "What of marketing?"), entries=entries_for(list(CAST))))
    decide(instructions_of("Marketing Expert"), items, ALL_TOOLS)
    began = time.process_time()
    for _ in range(10):
        decide(instructions_of("Marketing Expert"), items, ALL_TOOLS)

    assert (time.process_time() - began) / 10 < 0.05
