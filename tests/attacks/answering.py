"""A server that answers one agent anything at all, and the others well: whatever it says, those go on."""

import json
import math
from contextlib import contextmanager

import httpx2
import openai

from intercom_nb import Agent, InterComService, Limits

LIFTED = Limits(tokens=math.inf, message_bytes=math.inf, output_bytes=math.inf, answer_bytes=math.inf)


def response(*output, **fields):
    """Return a response."""
    return {"id": "r", "model": "m", "status": "completed", "output": list(output), **fields}


def completion(finish="stop", **message):
    """Return a chat completion."""
    return {"id": "r", "model": "m", "choices": [{"message": message, "finish_reason": finish}]}


def text(words):
    """Return a message item that says this."""
    return {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": words}]}


def tool_call(name, arguments="{}", call_id="c"):
    """Return an item that calls a tool."""
    return {"type": "function_call", "call_id": call_id, "name": name, "arguments": arguments}


def stream(*events):
    """Return server-sent events, as they go over the wire."""
    return b"".join(b"data: " + json.dumps(event).encode() + b"\n\n" for event in events)


class Anything:
    """A server as an ASGI app: Ann is given these answers, one after the other, and then as everybody a good one.

    An answer is JSON, bytes as they go over the wire, the status of a refusal, or an exception to raise.
    """

    def __init__(self, *answers, chat=False, headers=None):
        self.answers = list(answers)
        self.path = "/chat/completions" if chat else "/responses"
        self.fine = completion(content="Fine.") if chat else response(text("Fine."))
        self.headers = headers or {}
        self.asked = []

    async def __call__(self, scope, receive, send):
        """Answer one request."""
        body = (await receive())["body"]
        status, answer, headers = 200, self.fine, {}
        if not scope["path"].endswith(self.path):
            status, answer = 404, {}
        elif b'agent \\"Ann\\"' in body:
            self.asked.append(json.loads(body))
            answer = self.answers.pop(0) if self.answers else answer
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, int):
            status, answer, headers = answer, {"error": {"message": "not now"}}, self.headers
        sent = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        kind = "text/event-stream" if sent.startswith(b"data: ") else "application/json"
        head = [(name.encode(), value.encode()) for name, value in {"content-type": kind, **headers}.items()]
        await send({"type": "http.response.start", "status": status, "headers": head})
        await send({"type": "http.response.body", "body": sent})


@contextmanager
def society(server, *, tools=(), logs=None, **settings):
    """Give a service of Ann, who is answered anything, and Bob, who is answered well."""
    http = httpx2.AsyncClient(transport=httpx2.ASGITransport(server))
    client = openai.AsyncOpenAI(base_url="http://server/v1", api_key="none", http_client=http)
    with InterComService("anything", model="m", client=client, logs=logs, **settings) as intercom:
        intercom.add(Agent("Ann", tools=list(tools)), Agent("Bob"))
        yield intercom


def set_to_work(intercom):
    """Let both begin; Bob finishes and the log goes on, whatever Ann was answered; return the word of `wait`."""
    for agent in intercom.agents:
        agent.begin()
    word = intercom.wait(60, progress=False)
    status = intercom.status
    assert word in ("quiet", "failed", "steps", "courtesy"), status
    assert "\n" not in status
    intercom.send_message("Still there?", "bob")
    intercom.wait(60, progress=False)
    assert intercom["bob"].status == "idle"
    said = [item["content"] for item in intercom["bob"].conversation if item.get("role") == "assistant"]
    assert (set(said), len(said) >= 2) == ({"Fine."}, True)
    return word
