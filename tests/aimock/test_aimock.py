"""Against a fake OpenAI server that is not ours: both demos' shapes, each way of talking, in good and bad weather.

`make aimock` installs the server. What its agents say is written in `fixtures.json`.
"""

import asyncio
import os
import shutil
import socket
import subprocess
from pathlib import Path

import httpx2
import openai
import pytest

from intercom_nb import InterComService
from intercom_nb.demos import cast

_HERE = Path(__file__).parent
_PROGRAM = _HERE / "node_modules" / "@copilotkit" / "aimock" / "dist" / "cli.js"
_MISSING = shutil.which("node") is None or not _PROGRAM.is_file()

# In CI they run and fail rather than be skipped.
pytestmark = pytest.mark.skipif(
    _MISSING and os.environ.get("CI") != "true", reason="needs Node 20 and the fake model server: make aimock"
)

WEATHER = {
    "fine": [],
    "rate limits": ["--chaos-ratelimit", "0.5"],
    "disconnects": ["--chaos-disconnect", "0.2"],
    "malformed": ["--chaos-malformed", "0.2"],
    "dropped": ["--chaos-drop", "0.2"],
    "latency": ["--chaos-latency", "50"],
    "all": [
        *("--chaos-ratelimit", "0.2", "--chaos-disconnect", "0.1"),
        *("--chaos-malformed", "0.1", "--chaos-latency", "20"),
    ],
}
SAID = {
    1: [
        (None, "founder", "Begin"),
        ("founder", "marketing-expert", "How should we market it?"),
        ("marketing-expert", "founder", "Start with case studies."),
        ("founder", "marketing-expert", "So we do it – danke schön."),
    ],
    2: [
        (None, "founder", "Begin"),
        ("founder", "chat-1", "Welcome. What do you advise?"),
        ("marketing-expert", "chat-1", "Case studies first."),
        ("domain-expert", "chat-1", "Show it to studios."),
        ("founder", "chat-1", "I will do both."),
    ],
}


class ChatOnly(httpx2.AsyncHTTPTransport):
    """A way to a server that hides its POST /v1/responses."""

    async def handle_async_request(self, request):
        """Send a request on, or answer it in the server's place."""
        if request.url.path.endswith("/responses"):
            return httpx2.Response(404, json={"detail": "Not Found"}, request=request)
        return await super().handle_async_request(request)


@pytest.fixture(scope="module")
def servers():
    """Give a function that returns the address of a server in some weather; each is started once."""
    running = {}

    def address(weather):
        if weather not in running:
            running[weather] = _start(WEATHER[weather])
        return running[weather][1]

    yield address
    for process, _ in running.values():
        process.terminate()
        process.wait(60)
        process.stdout.close()


def _start(options):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [shutil.which("node"), str(_PROGRAM), "-h", "127.0.0.1", "-p", str(port)]
    command += ["-f", str(_HERE / "fixtures.json"), "--strict", *options]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    for line in process.stdout:
        if "listening" in line.lower():
            return process, f"http://127.0.0.1:{port}/v1"
    pytest.fail(f"the fake server ended with {process.wait()}")


def talk(demo, url, *, chat, streamed):
    """Play a demo's shape to its end; return the service, stopped, and the pieces heard."""
    where, client, pieces = {"base_url": url}, None, []
    if chat:
        # The service's loop, on which its connections live, ends before they could be closed: none is kept.
        http = httpx2.AsyncClient(transport=ChatOnly(limits=httpx2.Limits(max_keepalive_connections=0)))
        client = openai.AsyncOpenAI(base_url=url, api_key="k", http_client=http)
        where = {"client": client}
    with InterComService(model=f"demo-{demo}", **where, logs=None, max_retries=20) as intercom:
        if streamed:
            intercom.on_delta(pieces.append)
        founder, *others = cast(demo)
        intercom.add(founder, *others)
        founder.begin()
        intercom.wait(150)
    if client is not None:
        asyncio.run(client.close())
    return intercom, pieces


def check(demo, intercom):
    """Check that everything was said once, heard by everybody it was for, and that every call has its output."""
    said = [(m.sender_id, m.chat_id or m.receiver_id, m.text) for m in intercom.messages]
    assert intercom.reason == "quiet"
    assert sorted(said, key=str) == sorted(SAID[demo], key=str)
    assert intercom._store.rows("SELECT count(*) FROM deliveries WHERE run_id IS NULL") == [(0,)]
    for agent in intercom.registry:
        calls = [item["call_id"] for item in agent.conversation if item.get("type") == "function_call"]
        outputs = [item["call_id"] for item in agent.conversation if item.get("type") == "function_call_output"]
        assert calls == outputs


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("chat", [False, True], ids=["responses", "chat completions"])
@pytest.mark.parametrize("demo", [1, 2])
def test_the_demos_in_fine_weather(servers, demo, chat, streamed):
    """Over Responses and over chat completions, streamed and not: the same is said."""
    intercom, pieces = talk(demo, servers("fine"), chat=chat, streamed=streamed)

    check(demo, intercom)
    assert ("through chat completions" in repr(intercom)) == chat
    assert ("How should" in "".join(p.text for p in pieces)) == (streamed and demo == 1)
    assert bool(pieces) == streamed


@pytest.mark.parametrize("way", [(False, False), (True, True)], ids=["responses", "chat streamed"])
@pytest.mark.parametrize("demo", [1, 2])
@pytest.mark.parametrize("weather", [weather for weather in WEATHER if weather != "fine"])
def test_the_demos_in_bad_weather(servers, weather, demo, way):
    """Half of the calls refused, a fifth broken off or garbled, all of them late: nothing lost, nothing said twice."""
    chat, streamed = way
    intercom, _ = talk(demo, servers(weather), chat=chat, streamed=streamed)

    check(demo, intercom)
