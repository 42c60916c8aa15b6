"""Settings on their way: which field of which path each becomes, and that none is ever left out quietly."""

import asyncio
import json

import httpx2
import openai
import pytest

from intercom_nb import ModelError, ScriptedAssistant
from intercom_nb.model_settings import ModelSettings
from intercom_nb.models import Models
from intercom_nb.runs.compaction import is_too_long

ALL = {
    "temperature": 0.5,
    "top_p": 0.9,
    "seed": 7,
    "reasoning_effort": "low",
    "verbosity": "high",
    "max_output_tokens": 500,
    "extra": {"top_k": 40, "text": {"format": {"type": "text"}}},
}
RESPONSE = {"id": "r", "model": "m", "output": [{"type": "message", "role": "assistant", "content": "Fine."}]}
COMPLETION = {"choices": [{"message": {"content": "Fine."}, "finish_reason": "stop"}]}
PATHS = ["/responses", "/chat/completions"]


def asked(refusal=None, written=ALL, *, path="/responses", times=1):
    """Ask a server that knows one path, and refuses what it is told to; return the error's sentence and the bodies."""
    bodies, told = [], []

    async def app(scope, receive, send):
        body = json.loads((await receive())["body"])
        status, answer = 404, {"detail": "Not Found"}
        if scope["path"].endswith(path):
            bodies.append(body)
            refused = refusal(body) if refusal is not None else None
            status, answer = (400, refused) if refused else (200, RESPONSE if path == "/responses" else COMPLETION)
        head = [(b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": status, "headers": head})
        await send({"type": "http.response.body", "body": json.dumps(answer).encode()})

    async def talk():
        http = httpx2.AsyncClient(transport=httpx2.ASGITransport(app))
        async with openai.AsyncOpenAI(base_url="http://server/v1", api_key="none", http_client=http) as client:
            models = Models("m", client=client)
            for _ in range(times):
                try:
                    await models.default.respond("Be.", [], [], settings=ModelSettings.of(written))
                except ModelError as error:
                    told.append(error)

    asyncio.run(talk())
    return told, bodies


def test_what_is_sent_to_responses():
    """The effort and the verbosity in their objects, what a server has of its own beside ours."""
    told, (body,) = asked()

    assert told == []
    assert {key: body[key] for key in body if key not in ("model", "instructions", "input", "stream", "store")} == {
        "temperature": 0.5,
        "top_p": 0.9,
        "seed": 7,
        "reasoning": {"effort": "low"},
        "text": {"verbosity": "high", "format": {"type": "text"}},
        "max_output_tokens": 500,
        "top_k": 40,
    }


def test_what_is_sent_to_chat_completions():
    """All of it at the top."""
    told, (body,) = asked(path="/chat/completions")

    assert told == []
    assert {key: body[key] for key in body if key not in ("model", "messages", "stream")} == {
        "temperature": 0.5,
        "top_p": 0.9,
        "seed": 7,
        "reasoning_effort": "low",
        "verbosity": "high",
        "max_tokens": 500,
        "top_k": 40,
        "text": {"format": {"type": "text"}},
    }


@pytest.mark.parametrize("path", PATHS)
def test_what_is_unset_is_not_sent(path):
    """None is nobody's value."""
    _, (body,) = asked(written={**dict.fromkeys(ALL), "extra": {"top_k": None}}, path=path)

    assert set(body) <= {"model", "instructions", "input", "messages", "stream", "store"}


def openai_form(field):
    """Return a refusal as OpenAI's server writes it."""
    message = f"Unsupported parameter: '{field}' is not supported with this model."
    return {"error": {"message": message, "type": "invalid_request_error", "param": field, "code": "unsupported"}}


def pydantic_form(field):
    """Return a refusal as servers write it that are made with pydantic; it repeats what was sent."""
    loc = ["body", *field.split(".")]
    return {"detail": [{"loc": loc, "msg": "Extra inputs are not permitted", "input": {"temperature": 0.5, "seed": 7}}]}


def plain_form(field):
    """Return a refusal that is a sentence."""
    return {"error": f"unknown field '{field}' in the request"}


@pytest.mark.parametrize("form", [openai_form, pydantic_form, plain_form])
@pytest.mark.parametrize(
    ("path", "field", "name", "unset"),
    [
        ("/responses", "temperature", "temperature", {"temperature": None}),
        ("/responses", "seed", "seed", {"seed": None}),
        ("/responses", "reasoning.effort", "reasoning_effort", {"reasoning_effort": None}),
        ("/responses", "reasoning", "reasoning_effort", {"reasoning_effort": None}),
        ("/responses", "text.verbosity", "verbosity", {"verbosity": None}),
        ("/responses", "max_output_tokens", "max_output_tokens", {"max_output_tokens": None}),
        ("/responses", "top_k", "extra['top_k']", {"extra": {"top_k": None}}),
        ("/chat/completions", "top_p", "top_p", {"top_p": None}),
        ("/chat/completions", "reasoning_effort", "reasoning_effort", {"reasoning_effort": None}),
        ("/chat/completions", "max_tokens", "max_output_tokens", {"max_output_tokens": None}),
    ],
)
def test_a_setting_that_a_server_refuses_fails_the_call(path, form, field, name, unset):
    """Each time, asked once each, with what it said and how to go on without; it is never left out quietly."""
    told, bodies = asked(lambda _: form(field), path=path, times=2)

    assert len(bodies) == len(told) == 2
    assert bodies[0] == bodies[1]
    for error in told:
        assert error.status == 400
        assert str(error).startswith(f"<http://server/v1> refuses the setting {name}: ")
        assert str(error).endswith(f"; leave it out with settings={unset}")
        assert field.rpartition(".")[2] in str(error)


def test_two_settings_that_do_not_go_together():
    """Both are named."""
    told, _ = asked(lambda _: {"error": {"message": "temperature and top_p cannot both be specified"}})

    assert "refuses the settings temperature, top_p: " in str(told[0])
    assert str(told[0]).endswith("leave them out with settings={'temperature': None, 'top_p': None}")


def test_what_nobody_set_is_left_out_and_what_somebody_set_is_not():
    """A server that refuses both: asked again without ours, it fails by name."""
    told, bodies = asked(lambda body: {"error": {"message": "no store, no seed"}} if {"store", "seed"} & {*body} else 0)

    assert ["store" in body for body in bodies] == [True, False]
    assert all(body["seed"] == 7 for body in bodies)
    assert "refuses the setting seed" in str(told[0])


def test_a_refusal_that_is_about_something_else_names_no_setting():
    """The place that a server gives counts, not the words around it."""
    elsewhere = {"error": {"message": "input[0]: temperature and seed are not roles", "param": "input[0].role"}}
    told, _ = asked(lambda _: elsewhere)
    other, _ = asked(lambda _: {"error": {"message": "the model seed-1 is not loaded"}})

    assert "failed with HTTP 400" in str(told[0])
    assert "failed with HTTP 400" in str(other[0])


def test_a_limit_of_tokens_is_sent_under_the_name_that_the_server_has_for_it():
    """As OpenAI's server asks for it, found out once; the limit itself stays."""
    message = "Unsupported parameter: 'max_tokens' is not supported. Use 'max_completion_tokens' instead."

    def refusal(body):
        return {"error": {"message": message, "param": "max_tokens"}} if "max_tokens" in body else None

    told, bodies = asked(refusal, path="/chat/completions", times=2)

    assert told == []
    limits = [{key: body[key] for key in body if key.startswith("max_")} for body in bodies]
    assert limits == [{"max_tokens": 500}, {"max_completion_tokens": 500}, {"max_completion_tokens": 500}]


def test_a_conversation_that_is_too_long_is_known_as_that():
    """Also where the sentence is about the limit of tokens, and names it twice."""
    message = "'max_tokens' or 'max_completion_tokens' is too large: 500. This model's maximum context length is 4096"
    told, bodies = asked(lambda _: {"error": {"message": message}}, path="/chat/completions")

    assert len(bodies) == 2
    assert is_too_long(told[0])


def test_the_stand_ins_take_settings_and_ignore_them():
    """A test sees them in the request."""
    scripted = ScriptedAssistant(default=lambda _: "Fine.")

    async def talk():
        models = Models(scripted)
        reply = await models.default.respond("Be.", [], [], settings=ModelSettings.of(ALL))
        offline = await models.named("offline").respond("Be.", [], [], settings=ModelSettings.of(ALL))
        await models.close()
        return reply, offline

    reply, offline = asyncio.run(talk())
    assert reply.text == "Fine."
    assert offline.model == "offline"
    assert scripted.requests[0]["temperature"] == 0.5
    assert scripted.requests[0]["top_k"] == 40
