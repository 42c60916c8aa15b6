"""What an agent sends twice in a row begins with the same bytes: servers keep those, and ask a fraction for them."""

import itertools
import json

import httpx2
import openai
import pytest

from intercom_nb import Agent, InterComService, ScriptedAssistant, call


class Kept(httpx2.ASGITransport):
    """Sends to an assistant in this process, and keeps the bodies as they were sent."""

    def __init__(self, assistant):
        super().__init__(assistant)
        self.bodies = []

    async def handle_async_request(self, request):
        """Keep one request."""
        self.bodies.append(request.content)
        return await super().handle_async_request(request)


def newest_turn(body):
    """Return where the newest turn begins in a request's body."""
    turn = [item for item in json.loads(body)["input"] if item.get("role") == "user"][-1]
    return body.rindex(json.dumps(turn, ensure_ascii=False, separators=(",", ":")).encode())


@pytest.mark.parametrize("agents", [3, 30])
def test_a_request_begins_as_the_one_before_it(agents):
    """Up to its newest turn each request is, byte for byte, the beginning of the agent's next one."""
    says = [call("send_message", chat_id="agent-2", message="naïve ☃ {}"), "a note"]
    script = ScriptedAssistant({"Agent 0": says * 4}, default="done")
    kept = Kept(script)
    http = httpx2.AsyncClient(transport=kept)
    client = openai.AsyncOpenAI(base_url="http://kept/v1", api_key="none", http_client=http)
    with InterComService("prefix", model="kept", client=client, logs=None) as intercom:
        intercom.add(*(Agent(f"Agent {k}", description=f"Knows field {k}.") for k in range(agents)))
        for n in range(4):
            intercom.send_message(f"page {n}", "agent-0", "agent-1")
            assert intercom.wait(30, progress=False) == "quiet"

    own = [body for body in kept.bodies if json.loads(body)["instructions"].startswith('You are the agent "Agent 0"')]
    assert len(own) == 8
    assert all(later.startswith(body[: newest_turn(body)]) for body, later in itertools.pairwise(own))
    steps = zip(own[::2], own[1::2], strict=True)  # of one run: its turn stays as it is, too
    assert all(later.startswith(body[: body.index(b'],"stream"')]) for body, later in steps)
