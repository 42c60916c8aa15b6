"""What is sent and answered, against the types that the openai package makes of OpenAI's own schema."""

import json

import httpx2
import jsonschema
import openai
import pytest
from openai.types.chat.completion_create_params import (
    CompletionCreateParamsNonStreaming,
    CompletionCreateParamsStreaming,
)
from openai.types.responses import Response
from openai.types.responses.response_create_params import (
    ResponseCreateParamsNonStreaming,
    ResponseCreateParamsStreaming,
)
from pydantic import TypeAdapter

from intercom_nb import Agent, InterComService, OfflineAssistant
from intercom_nb.demos import cast

TYPES = {
    ("/v1/responses", False): ResponseCreateParamsNonStreaming,
    ("/v1/responses", True): ResponseCreateParamsStreaming,
    ("/v1/chat/completions", False): CompletionCreateParamsNonStreaming,
    ("/v1/chat/completions", True): CompletionCreateParamsStreaming,
}


def faults(path, body):
    """Return what OpenAI's schema says against a request, unknown fields among it."""
    schema = TypeAdapter(TYPES[path, body["stream"]]).json_schema()
    found = [error.message for error in jsonschema.Draft202012Validator(schema).iter_errors(body)]
    return found + [f"there is no field {name}" for name in body if name not in schema["properties"]]


class Between:
    """Stands before an assistant as a server, and keeps every request and answer; it may know chat completions only."""

    def __init__(self, assistant, *, chat=False):
        self.assistant, self.chat = assistant, chat
        self.requests, self.answers = [], []

    async def __call__(self, scope, receive, send):
        """Answer one request."""
        got = await receive()
        self.requests.append((scope["path"], json.loads(got["body"])))
        if self.chat:
            await self._completions(scope["path"], send)
            return
        sent = []

        async def again():
            return {**got, "more_body": False}

        async def keep(message):
            sent.append(message.get("body", b""))
            await send(message)

        await self.assistant(scope, again, keep)
        self.answers.append(b"".join(sent))

    async def _completions(self, path, send):
        tools = [message for message in self.requests[-1][1].get("messages", ()) if message["role"] == "tool"]
        asks = {"id": "c", "type": "function", "function": {"name": "nobody", "arguments": "{}"}}
        message = {"role": "assistant", "content": "Fine."} if tools else {"role": "assistant", "tool_calls": [asks]}
        answer = {"id": "c", "model": "m", "choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}
        known = path.endswith("/chat/completions")
        head = [(b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": 200 if known else 404, "headers": head})
        await send({"type": "http.response.body", "body": json.dumps(answer if known else {}).encode()})


def talk(server, agents, *, streamed=False, **settings):
    """Let agents talk through a server to the end."""
    http = httpx2.AsyncClient(transport=httpx2.ASGITransport(server))
    client = openai.AsyncOpenAI(base_url="http://server/v1", api_key="none", http_client=http)
    with InterComService("schema", model=settings.pop("model", "m"), client=client, logs=None, **settings) as intercom:
        if streamed:
            intercom.on_delta(lambda _: None)
        intercom.add(*agents)
        intercom[agents[0].id].begin()
        return intercom.wait(60)


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("demo", [1, 2])
def test_what_the_demos_send_and_hear_is_what_openai_describes(demo, streamed):
    """Every request of both demos, plain and streamed; every plain answer of the offline assistant."""
    server = Between(OfflineAssistant())

    assert talk(server, cast(demo), streamed=streamed, settings={"max_output_tokens": 5_000}) == "quiet"
    assert len(server.requests) > 5
    assert {fault for request in server.requests for fault in faults(*request)} == set()
    if not streamed:
        for answer in server.answers:
            Response.model_validate_json(answer, strict=True)


@pytest.mark.parametrize("streamed", [False, True])
def test_reasoning_models_are_asked_as_openai_describes(streamed):
    """They are sent one field more."""
    server = Between(OfflineAssistant())

    assert talk(server, cast(1), streamed=streamed, model="gpt-5-mini") == "quiet"
    assert {fault for request in server.requests for fault in faults(*request)} == set()
    assert "include" in server.requests[0][1]


@pytest.mark.parametrize("streamed", [False, True])
def test_chat_completions_are_asked_as_openai_describes(streamed):
    """Tools, calls, outputs and a limit of tokens, in the other form."""
    server = Between(None, chat=True)

    assert talk(server, [Agent("Ann", notes=True)], streamed=streamed, settings={"max_output_tokens": 500}) == "quiet"
    assert [path for path, _ in server.requests].count("/v1/chat/completions") == 2
    assert {fault for request in server.requests for fault in faults(*request)} == set()


def test_the_check_finds_what_is_wrong():
    """A field that is not there, a role that is none, a call without its id."""
    body = {"model": "m", "stream": False, "input": [{"role": "nobody", "content": "x"}], "temperatur": 1}

    assert len(faults("/v1/responses", body)) == 2
