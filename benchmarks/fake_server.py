"""A model server in a process of its own, so that what it takes is not counted as ours: POST /v1/responses, no more.

It answers by what the newest item of a request says: after a tool's output a word, to ``PASS 2 0 1|`` a message to
agent-2 that says ``PASS 0 1|``, to everything else one and the same text; or as the rule says that it is given.
``with FakeServer() as server`` starts and ends it. Requests to other paths set it (``/set?delay_s=0.2``) or read what
it has counted since the last reading (``/counts``).
"""

import asyncio
import importlib
import json
import re
import subprocess
import sys
import time
import urllib.parse
import urllib.request

TEXT = "Understood: this is what I think of it, and what I would do next, at about the length of a usual answer. " * 2
PASS = re.compile(r"PASS (\d+) ([\d ]*)\|([^\n]*)")
NAME = re.compile(r'You are the agent "(.*)" \(id: ')
LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
REFUSAL = {"error": {"message": "out of order, as set", "type": "invalid_request_error", "param": None, "code": None}}


class FakeServer:
    """The server's process, seen from the benchmark.

    Parameters
    ----------
    rule : str, optional
        A module beside this one: its ``decide(request)`` returns texts, and tool calls as pairs of name and arguments.
    """

    def __init__(self, rule=None):
        self._rule = [] if rule is None else [rule]

    def __enter__(self):
        command = [sys.executable, __file__, *self._rule]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)  # noqa: S603 - ours
        self.root = f"http://127.0.0.1:{int(self._process.stdout.readline())}"
        self.url = f"{self.root}/v1"
        return self

    def __exit__(self, *_):
        self._process.kill()
        self._process.wait()
        self._process.stdout.close()

    def set(self, **settings):
        """Set ``delay_s``, the seconds before each answer; with an agent's ``name`` only its own, or its ``status``."""
        self._get(f"/set?{urllib.parse.urlencode(settings)}")

    def counts(self):
        """Return what happened since the last reading: calls, connections, the most at once, arrivals in ns."""
        return self._get("/counts")

    def _get(self, path):
        with urllib.request.urlopen(self.root + path) as answer:  # noqa: S310 - our own, on this computer
            return json.loads(answer.read())


OWN = {}  # agents' names → what was set for them alone


class Counts:
    """What the server keeps of the requests it has met."""

    def __init__(self):
        self.calls = self.bytes = self.connections = self.most_at_once = 0
        self.arrived_ns = []


class Connection(asyncio.Protocol):
    """One connection: reads requests one after the other, answers each."""

    counts = Counts()
    at_once = 0
    delay_s = 0.0
    decide = None

    def connection_made(self, transport):
        """Keep the connection."""
        Connection.counts.connections += 1
        self._transport = transport
        self._read = b""

    def data_received(self, data):
        """Take up the requests that are whole."""
        self._read += data
        while (end := self._read.find(b"\r\n\r\n")) >= 0:
            head = self._read[:end]
            length = LENGTH.search(head)
            whole = end + 4 + (int(length[1]) if length else 0)
            if len(self._read) < whole:
                return
            body, self._read = self._read[end + 4 : whole], self._read[whole:]
            self._take(head.split(b" ", 2)[1].decode(), body)

    def _take(self, path, body):
        counts = Connection.counts
        if path.startswith("/set?"):
            told = dict(urllib.parse.parse_qsl(path[5:]))
            if "name" in told:
                OWN[told.pop("name")] = told
            else:
                Connection.delay_s = float(told["delay_s"])
            self._answer({})
        elif path == "/counts":
            Connection.counts = Counts()
            self._answer(vars(counts))
        else:
            counts.arrived_ns.append(time.monotonic_ns())
            counts.calls += 1
            counts.bytes += len(body)
            Connection.at_once += 1
            counts.most_at_once = max(counts.most_at_once, Connection.at_once)
            request = json.loads(body)
            own = own_settings(request)
            status = own.get("status", "200")
            answer = response_to(request, len(body), counts.calls) if status == "200" else REFUSAL
            if delay_s := float(own.get("delay_s", Connection.delay_s)):
                asyncio.get_running_loop().call_later(delay_s, self._finish, answer, status)
            else:
                self._finish(answer, status)

    def _finish(self, answer, status):
        Connection.at_once -= 1
        self._answer(answer, status)

    def _answer(self, answer, status="200"):
        data = json.dumps(answer).encode()
        if not self._transport.is_closing():
            head = f"HTTP/1.1 {status} -\r\nContent-Type: application/json\r\nContent-Length: {len(data)}\r\n\r\n"
            self._transport.write(head.encode() + data)


def own_settings(request):
    """Return what was set for the agent that asks, alone."""
    name = NAME.match(request["instructions"]) if OWN else None
    return {} if name is None else OWN.get(name[1], {})


def decide(request):
    """Return what a model says that does as it is told."""
    newest = request["input"][-1]
    if passed := PASS.search(newest.get("content") or ""):
        receiver, others, rest = passed.groups()
        return [("send_message", {"chat_id": f"agent-{receiver}", "message": f"PASS {others}|{rest}"})]
    return ["done" if newest.get("type") == "function_call_output" else TEXT]


def item_of(part, key):
    """Return an output item: a text, or a tool call of name and arguments."""
    if isinstance(part, str):
        content = [{"type": "output_text", "text": part, "annotations": [], "logprobs": []}]
        return {"type": "message", "id": f"msg_{key}", "role": "assistant", "status": "completed", "content": content}
    name, arguments = part
    called = {"name": name, "arguments": arguments if isinstance(arguments, str) else json.dumps(arguments)}
    return {"type": "function_call", "id": f"fc_{key}", "call_id": f"call_{key}", "status": "completed", **called}


def response_to(request, size, n):
    """Return the answer to a request of so many bytes, the nth."""
    parts = Connection.decide(request)
    keys = [str(n), *(f"{n}_{k}" for k in range(1, len(parts)))]
    read = size // 4
    return {
        "id": f"resp_{n}",
        "object": "response",
        "created_at": 1_700_000_000,
        "status": "completed",
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "model": request["model"],
        "output": [item_of(part, key) for part, key in zip(parts, keys, strict=True)],
        "parallel_tool_calls": True,
        "previous_response_id": None,
        "store": False,
        "temperature": 1.0,
        "tool_choice": "auto",
        "tools": [],
        "top_p": 1.0,
        "metadata": {},
        "usage": {
            "input_tokens": read,
            "input_tokens_details": {"cached_tokens": 0},
            "output_tokens": 50,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": read + 50,
        },
    }


async def main():
    """Serve until killed, on a free port that is printed first."""
    Connection.decide = staticmethod(importlib.import_module(sys.argv[1]).decide if sys.argv[1:] else decide)
    server = await asyncio.get_running_loop().create_server(Connection, "127.0.0.1", 0, backlog=4096)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
