"""Model servers: what is sent, what is read back, what a failing one does, and where keys never go."""

import json
import socketserver
import threading
from http.server import BaseHTTPRequestHandler

import pytest

from intercom_nb import Agent, Fail, InterComService, MissingKeyError, ScriptedAssistant, call
from intercom_nb.models import Models, Usage
from intercom_nb.models.price_list import usd_of
from intercom_nb.models.values import Address

KEY = "sk-proj-SECRET0123456789abcdef"


def answer(*output, **fields):
    """Return a server's answer with these output items."""
    return {"id": "resp_1", "object": "response", "created_at": 0, "model": "m", "output": list(output), **fields}


def said(text):
    """Return a message item, as servers write it."""
    content = [{"type": "output_text", "text": text, "annotations": []}]
    return {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": content}


class Server(socketserver.ThreadingTCPServer):
    """A model server of our own on 127.0.0.1: answers with what it is given, keeps what it was asked."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, *answers):
        self.answers = list(answers)
        self.asked = []
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}/v1"


class Handler(BaseHTTPRequestHandler):
    """Answers one request after another on one connection."""

    protocol_version = "HTTP/1.1"

    def do_POST(self):
        """Answer the next thing."""
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.asked.append((self.path, {k.lower(): v for k, v in self.headers.items()}, json.loads(body)))
        status, reply = self.server.answers.pop(0)
        data = (reply if isinstance(reply, str) else json.dumps(reply)).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_):
        """Say nothing."""


@pytest.fixture
def server():
    """Give a function that starts a server with these answers."""
    started = []

    def start(*answers):
        made = Server(*answers)
        threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        started.append(made)
        return made

    yield start
    for made in started:
        made.shutdown()
        made.server_close()


def begun(intercom, agent=None):
    """Add an agent, let it begin, and return it when all is quiet."""
    agent = agent or Agent("Ann", mission="Plan.")
    intercom.add(agent)
    intercom.start()
    agent.begin()
    intercom.wait(60)
    return agent


def test_a_request_holds_what_was_set_and_nothing_else(server):
    """One POST /v1/responses, stream and store explicit, no nulls, the key in its header only."""
    made = server((200, answer(said("Fine."), usage={"input_tokens": 7, "output_tokens": 2, "total_tokens": 9})))
    with InterComService(model="local", base_url=made.url, api_key=KEY) as intercom:
        ann = begun(intercom)
        steps = intercom._store.rows("SELECT model, input_tokens, cached_tokens, output_tokens, usd FROM steps")

    path, headers, request = made.asked[0]
    assert path == "/v1/responses"
    assert headers["authorization"] == f"Bearer {KEY}"
    assert set(request) == {"model", "instructions", "input", "tools", "stream", "store", "parallel_tool_calls"}
    assert (request["model"], request["stream"], request["store"]) == ("local", False, False)
    assert "null" not in json.dumps(request).replace('["string", "null"]', "").replace('{"type": "null"}', "")
    assert ann.conversation[-1] == {"role": "assistant", "content": "Fine."}
    assert steps == [("m", 7, None, 2, None)]
    assert intercom.model == f"local at {made.url}"


def test_usage_may_be_zero_or_absent(server):
    """What a server did not count is unknown, not zero, and limits the service in no way."""
    zero = {"input_tokens": 0, "output_tokens": 0, "total_tokens": 0}
    made = server((200, answer(said("one"))), (200, answer(said("two"), usage=zero)))
    with InterComService(model="local", base_url=made.url) as intercom:
        begun(intercom).begin()
        reason = intercom.wait(60)
        steps = intercom._store.rows("SELECT input_tokens, output_tokens FROM steps ORDER BY seq")

    assert reason == "quiet"
    assert steps == [(None, None), (0, 0)]
    assert made.asked[0][1]["authorization"] == "Bearer none"


def test_reasoning_goes_back_as_it_came(server):
    """Where a model reasons, encrypted reasoning is asked for, and its items return whole and in order."""
    thought = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAA"}
    wanted = {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "leave_chat", "arguments": "{}"}
    made = server((200, answer(thought, wanted)), (200, answer(said("Done."))))
    with InterComService(model="gpt-5-mini", base_url=made.url, api_key=KEY) as intercom:
        begun(intercom)

    first, second = (request for _, _, request in made.asked)
    assert first["include"] == ["reasoning.encrypted_content"]
    assert second["input"][1:3] == [thought, wanted]
    assert second["input"][3]["call_id"] == "call_1"


def test_odd_tool_calls_are_read_where_the_meaning_is_plain(server):
    """Arguments as an object, an empty id, two calls with one id: each output still answers its own call."""
    arguments = {"chat_id": "bob", "message": "Hi"}
    calls = [
        {"type": "function_call", "call_id": "", "name": "send_message", "arguments": arguments},
        {"type": "function_call", "call_id": "c", "name": "leave_chat", "arguments": "{}"},
        {"type": "function_call", "call_id": "c", "name": "nothing", "arguments": "{}"},
    ]
    made = server((200, answer(*calls)), (200, answer(said("Done."))), (200, answer(said("Hi."))))
    with InterComService(model="local", base_url=made.url) as intercom:
        intercom.add(Agent("Bob"))
        ann = begun(intercom)
        texts = [message.text for message in intercom.messages]

    items = ann.conversation[1:7]
    ids = [item["call_id"] for item in items]
    assert ids[:3] == ids[3:]
    assert len(set(ids)) == 3
    assert texts == ["Begin", "Hi"]


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (401, {"error": {"message": f"Incorrect API key provided: {KEY}."}}, "refused the key: check OPENAI_API_KEY"),
        (404, {"error": {"message": "no such model"}}, "HTTP 404"),
        (422, {"detail": "unknown field"}, "HTTP 422"),
        (200, "<html>gateway</html>", "nonsense"),
        (200, "{", "nonsense"),
        (200, {"hello": "world"}, "nonsense"),
        (200, answer(status="failed", error={"code": "server_error", "message": "out of memory"}), "out of memory"),
    ],
    ids=["401", "404", "422", "html", "cut", "other json", "failed"],
)
def test_a_failing_server_is_one_sentence_without_the_key(server, status, body, words):
    """The run failed, it says why, and the key is in no log, repr, exception or thread log."""
    made = server((status, body))
    with InterComService(model="local", base_url=made.url, api_key=KEY, max_retries=0) as intercom:
        ann = begun(intercom)
        reason = intercom.wait(60)
        error = intercom._store.rows("SELECT error FROM runs")[0][0]
        shown = (
            repr(intercom) + intercom._as_html() + repr(ann) + ann._as_html() + repr(intercom._engine.models.default)
        )
    files = b"".join(path.read_bytes() for path in intercom.log.path.parent.rglob("*") if path.is_file())

    assert reason == "failed"
    assert words in error
    assert "\n" not in error
    assert KEY not in error + shown
    assert KEY.encode() not in files


def test_a_passing_failure_is_retried_by_the_client(server):
    """The client's own rules: 429 and 500 twice, then the answer."""
    busy = {"error": {"message": "busy"}}
    made = server((429, busy), (500, busy), (200, answer(said("At last."))))
    with InterComService(model="local", base_url=made.url) as intercom:
        ann = begun(intercom)

    assert len(made.asked) == 3
    assert ann.conversation[-1]["content"] == "At last."


def test_a_server_that_is_not_there_says_so():
    """A refused connection is a failed run with the address in its sentence."""
    with InterComService(model="local", base_url="http://127.0.0.1:9/v1", max_retries=0) as intercom:
        begun(intercom)
        error = intercom._store.rows("SELECT error FROM runs")[0][0]

    assert "http://127.0.0.1:9/v1" in error
    assert "cannot be reached" in error


def test_agents_share_one_client_and_its_connections(server):
    """Twenty agents, one after the other, need one connection, not twenty."""
    made = server(*[(200, answer(said("ok")))] * 20)
    connections = []
    accept = made.get_request
    made.get_request = lambda: connections.append(1) or accept()
    with InterComService(model="local", base_url=made.url) as intercom:
        for n in range(20):
            begun(intercom, Agent(f"Agent {n}"))

    assert len(made.asked) == 20
    assert len(connections) == 1


def test_agents_may_have_models_of_their_own():
    """A name, or an assistant, for one agent; the rest use the service's."""
    one, other = ScriptedAssistant(default="one"), ScriptedAssistant(default="other")
    with InterComService(model=one, logs=None) as intercom:
        ann = begun(intercom)
        bob = begun(intercom, Agent("Bob", model=other))
        cid = begun(intercom, Agent("Cid", model="offline"))

    said_last = [agent.conversation[-1]["content"] for agent in (ann, bob)]
    assert said_last == ["one", "other"]
    assert cid.conversation[-1]["role"] == "assistant"
    assert len(one.requests) == len(other.requests) == 1


def test_the_environment_says_which_model(monkeypatch, tmp_path):
    """Arguments before the environment before .env; without a key or a server, the stand-in."""
    assert Models().default.name == "offline"
    monkeypatch.setenv("INTERCOM_MODEL", "gpt-5-mini")
    assert Models().default.name == "offline"
    (tmp_path / ".env").write_text(f"OPENAI_API_KEY={KEY}\nINTERCOM_MODEL=other\n")
    assert Models().default.label == "gpt-5-mini"
    assert Models("gpt-5").default.label == "gpt-5"
    assert Models("offline").default.name == "offline"
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:1/v1")
    assert Models().default.label == "gpt-5-mini at http://127.0.0.1:1/v1"
    assert KEY not in repr(Models().default)


def test_a_named_model_without_a_key_raises_at_once():
    """In the cell that named it, with what would be right."""
    with pytest.raises(MissingKeyError, match="'gpt-5-mini' needs a key: set OPENAI_API_KEY"):
        InterComService(model="gpt-5-mini")


def test_a_price_that_is_known_is_counted():
    """OpenAI's models cost what the price list says, assistants nothing, unknown models an unknown sum."""
    openai = Address("https://api.openai.com/v1", KEY)
    usage = Usage(1_000_000, 0, 1_000_000)

    assert usd_of("gpt-5-mini", usage, openai) > 0
    assert usd_of("no-such-model", usage, openai) is None
    assert usd_of("gpt-5-mini", usage, Address("http://127.0.0.1:1/v1", KEY)) is None
    assert usd_of("offline", usage, Address("http://assistant/v1", "none", ScriptedAssistant())) == 0.0
    assert KEY not in repr(openai)


def test_one_call_is_in_flight_for_each_agent_and_all_for_the_service():
    """max_concurrency bounds the calls in flight; everybody is answered."""
    at_once, most = 0, 0

    class Counting(ScriptedAssistant):
        async def __call__(self, scope, receive, send):
            nonlocal at_once, most
            at_once += 1
            most = max(most, at_once)
            await super().__call__(scope, receive, send)
            at_once -= 1

    with InterComService(model=Counting(default="ok", delay=0.01), logs=None, max_concurrency=3) as intercom:
        agents = [Agent(f"Agent {n}") for n in range(10)]
        intercom.add(*agents)
        for agent in agents:
            agent.begin()
        reason = intercom.wait(60)

    assert reason == "quiet"
    assert most == 3


def test_a_failure_of_one_step_keeps_the_steps_before():
    """What an agent has done stays done; trying again goes on from there."""
    script = ScriptedAssistant({"Ann": [call("send_message", chat_id="bob", message="Hi"), Fail(500), "done"]})
    with InterComService(model=script, logs=None, max_retries=0) as intercom:
        intercom.add(Agent("Bob"))
        ann = begun(intercom)
        intercom.retry()
        reason = intercom.wait(60)
        steps = intercom._store.rows(
            "SELECT step, s.error IS NULL FROM steps AS s JOIN runs USING (run_id, attempt) "
            "WHERE agent_id = 'ann' ORDER BY step"
        )
        texts = [message.text for message in intercom.messages]

    assert reason == "quiet"
    assert steps == [(0, 1), (1, 0), (2, 1)]
    assert texts == ["Begin", "Hi"]
    assert ann.status == "idle"
