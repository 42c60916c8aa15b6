"""What a conversation costs in input: the seed's way (the whole chat list in every stored message, UUIDs) and ours.

The same scripted conversations through the same client; what is counted are the bytes of the requests' bodies as they
are sent, and tokens as the stand-in's server counts them (one for every four bytes of what a model reads).
Deterministic. The seed sends each message by itself, with a list of its own; ``chat_list="every"`` shows one list for
all the messages of a turn, so for the seed's way the others are added.
Prints a table and writes ``benchmarks/results/tokens.json``; the exit status says whether the goals are met.

    python benchmarks/tokens.py
"""

import json
import random
import sys
import uuid

import httpx2
import openai
from goals import Goals
from turns import FIELDS, TEXT, UNLIMITED

from intercom_nb import Agent, InterComService, OfflineAssistant, ScriptedAssistant
from intercom_nb.demos import cast
from intercom_nb.texts.turns import read_turn

TURNS, AGENTS = 10, 100
ANSWER = "Understood: this is what I think of it, and what I would do next, at about the length of a usual answer."


class Counted(httpx2.ASGITransport):
    """Sends to an assistant in this process, and keeps every request that passes and what its server counted."""

    def __init__(self, assistant, *, seed):
        super().__init__(assistant)
        self.bodies = []
        self.tokens = 0
        self._seed = seed

    async def handle_async_request(self, request):
        """Keep one request."""
        self.bodies.append(request.content)
        response = await super().handle_async_request(request)
        self.tokens += json.loads(await response.aread())["usage"]["input_tokens"]
        return response

    def bytes(self):
        """Return the bytes of all requests."""
        return sum(map(len, self.bodies)) + sum(more for _, more in self._lists())

    def all_tokens(self):
        """Return the tokens of all requests."""
        return self.tokens + sum(more for _, more in self._lists()) // 4

    def list_bytes(self):
        """Return the bytes of all chat lists in them."""
        return sum(shown + more for shown, more in self._lists())

    def _lists(self):
        """Yield the bytes of each chat list, and of those the seed would have sent besides."""
        for body in self.bodies:
            for item in json.loads(body)["input"]:
                text = item["content"] if item.get("role") == "user" else ""
                if text.startswith("Chat list:\n"):
                    shown = len(json.dumps(text.partition("\n\nMessage:\n")[0], ensure_ascii=False).encode())
                    turn = read_turn(text)
                    yield shown, shown * (len(turn.incoming) + len(turn.plain) - 1) * self._seed

    def prefix_is_kept(self):
        """Tell whether what an agent sent is, up to its newest turn, byte for byte what it sent the time before."""
        before = {}
        for body in self.bodies:
            request = json.loads(body)
            last = before.get(request["instructions"])
            if last is not None and not body.startswith(up_to_newest_turn(last)):
                return False
            before[request["instructions"]] = body
        return True


def up_to_newest_turn(body):
    """Return the beginning of a request's body, as sent, before its newest turn."""
    request = json.loads(body)
    newest = [item for item in request["input"] if item.get("role") == "user"][-1]
    return body[: body.rindex(json.dumps(newest, ensure_ascii=False, separators=(",", ":")).encode())]


def service(assistant, *, seed):
    """Return a service that is counted, and its counter."""
    counted = Counted(assistant, seed=seed)
    http = httpx2.AsyncClient(transport=counted)
    client = openai.AsyncOpenAI(base_url="http://counted/v1", api_key="none", http_client=http)
    how = {"chat_list": "every", "contacts": "everyone"} if seed else {}
    settings = {"model": "counted", "client": client, "logs": None, "limits": UNLIMITED, "courtesy": False}
    return InterComService("tokens", **settings, **how), counted


def demo_2(*, seed):
    """Run demo 2 and return what was counted."""
    draw = random.Random(2)  # noqa: S311 - nothing secret
    intercom, counted = service(OfflineAssistant(), seed=seed)
    agents = cast(2)
    if seed:
        told = [{"description": a.description, "mission": a.mission, "begins": a.spec.begins} for a in agents]
        agents = [Agent(a.name, id=a_uuid(draw), **known) for a, known in zip(agents, told, strict=True)]
    with intercom:
        intercom.add(*agents)
        for agent in agents:
            if agent.spec.begins:
                agent.begin()
        assert intercom.wait(60, progress=False) == "quiet"
        said = len(intercom.messages)
        chats = len(intercom.registry.chats)
    assert said > 3
    if seed:  # its chats have UUIDs, too
        counted.bodies = [body.replace(b"chat-1", a_uuid(draw).encode()) for body in counted.bodies]
        assert chats == 1
    return counted, said


def a_uuid(draw):
    """Return a UUID, the same in each run."""
    return str(uuid.UUID(int=draw.getrandbits(128), version=4))


def many(n, turns, *, seed):
    """Let each of n agents have so many turns; return what was counted."""
    draw = random.Random(n)  # noqa: S311 - nothing secret
    intercom, counted = service(ScriptedAssistant(default=ANSWER), seed=seed)
    with intercom:
        fields = [", ".join(draw.sample(FIELDS.split(), 3)) for _ in range(n)]
        agents = [
            Agent(f"Agent {k}", id=a_uuid(draw) if seed else None, description=f"Knows {field}.")
            for k, field in enumerate(fields)
        ]
        intercom.add(*agents)
        for turn in range(turns):
            for agent, writer in zip(agents, [*agents[1:], agents[0]], strict=True):
                intercom.send_message(TEXT.format(turn), agent.id, writer.id)
            assert intercom.wait(300, progress=False) == "quiet"
    assert len(counted.bodies) == n * turns
    return counted


def request_bytes(n):
    """Return the bytes of a request of the first of n agents, and how many its chat list shows."""
    intercom, counted = service(ScriptedAssistant(default=ANSWER), seed=False)
    draw = random.Random(n)  # noqa: S311 - nothing secret
    with intercom:
        fields = [", ".join(draw.sample(FIELDS.split(), 3)) for _ in range(n)]
        intercom.add(*(Agent(f"Agent {k}", description=f"Knows {field}.") for k, field in enumerate(fields)))
        intercom.send_message(TEXT.format(1), "agent-0", "agent-1")
        intercom.wait(60, progress=False)
    shown = read_turn(json.loads(counted.bodies[0])["input"][-1]["content"]).chat_list
    return len(counted.bodies[0]), len(shown)


def main():
    """Count, print and keep; the exit status says whether the goals are met."""
    goals = Goals("tokens")
    (theirs, said_there), (ours, said) = demo_2(seed=True), demo_2(seed=False)
    goals.add("demo 2, chat lists as sent, the seed's way", theirs.list_bytes(), unit="bytes")
    goals.add("demo 2, chat lists as sent, ours", ours.list_bytes(), unit="bytes")
    goals.add("demo 2, chat lists, ours ÷ the seed's", ours.list_bytes() / theirs.list_bytes(), most=0.5)
    goals.add("demo 2, messages, the seed's way", said_there)
    goals.add("demo 2, messages, ours", said)
    goals.add("demo 2, whole input, ours", ours.bytes(), unit="bytes")
    goals.add("demo 2, whole input, ours", ours.all_tokens(), unit="tokens")
    goals.add("demo 2, whole input, ours ÷ the seed's, bytes", ours.bytes() / theirs.bytes())
    goals.add("demo 2, whole input, ours ÷ the seed's, as the server counts", ours.all_tokens() / theirs.all_tokens())
    theirs, ours = many(AGENTS, TURNS, seed=True), many(AGENTS, TURNS, seed=False)
    goals.add("100 agents, ten turns each, ours", ours.bytes() / 1e6, unit="MB")
    goals.add("100 agents, ten turns each, ours, chat lists", ours.list_bytes() / 1e6, unit="MB")
    told = [json.loads(body) for body in ours.bodies]
    fixed = sum(len(json.dumps([one["instructions"], one["tools"]], ensure_ascii=False).encode()) for one in told)
    goals.add("100 agents, ten turns each, ours, instructions and tools", fixed / 1e6, unit="MB")
    goals.add("100 agents, ten turns each, the seed's way", theirs.bytes() / 1e6, unit="MB")
    goals.add("100 agents, ten turns each, ours ÷ the seed's, bytes", ours.bytes() / theirs.bytes(), most=0.1)
    goals.add("100 agents, ten turns each, as the server counts", ours.all_tokens() / theirs.all_tokens(), most=0.1)
    goals.add("what one agent sends twice in a row is the same up to its newest turn", ours.prefix_is_kept(), least=1)
    (small, _), (large, shown) = request_bytes(1 + 1), request_bytes(1_000)
    goals.add("request bytes per further reachable agent, of 1,000", (large - small) / 998, most=15)
    goals.add("chat list of each, of 1,000", shown, unit="agents")
    return goals.close()


if __name__ == "__main__":
    sys.exit(main())
