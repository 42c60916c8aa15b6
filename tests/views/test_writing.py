"""What models are writing: it grows on the page while it arrives, and is gone once the message is there."""

import http.server
import json
import threading

import pytest

from intercom_nb import Agent, Dashboard, InterComService
from views_fixtures import Page, record

ARGUMENTS = ['{"chat_id": "bob", "mess', 'age": "Hello \\"Bob\\",\\n', 'how are you?"}']


class Slow(http.server.BaseHTTPRequestHandler):
    """A model server whose answer stops in the middle until somebody has looked."""

    def do_POST(self):
        """Answer POST /v1/responses: a call of send_message, then silence."""
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        first = self.server.first.acquire(blocking=False)
        call = {"type": "function_call", "call_id": "c1", "name": "send_message", "arguments": "".join(ARGUMENTS)}
        silent = {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "(nothing)"}]}
        usage = {"input_tokens": 1, "output_tokens": 1}
        answer = {"id": "r", "model": "slow-1", "output": [call if first else silent], "usage": usage}
        self.server.streamed.append(bool(asked.get("stream")))
        self.send_response(200)
        self.send_header("content-type", "text/event-stream" if asked.get("stream") else "application/json")
        self.end_headers()
        if not asked.get("stream"):
            self.wfile.write(json.dumps(answer).encode())
            return
        if first:
            self._tell({"type": "response.output_item.added", "output_index": 0, "item": {**call, "arguments": ""}})
            for text in ARGUMENTS:
                self._tell({"type": "response.function_call_arguments.delta", "output_index": 0, "delta": text})
                assert self.server.seen.acquire(timeout=60)
        self._tell({"type": "response.completed", "response": answer})

    def _tell(self, event):
        self.wfile.write(f"data: {json.dumps(event)}\n\n".encode())
        self.wfile.flush()

    def log_message(self, *_):
        """Say nothing."""


@pytest.fixture
def slow():
    """Give such a server."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Slow)
    server.first, server.seen, server.streamed = threading.Semaphore(1), threading.Semaphore(0), []
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_message_grows_on_the_page_while_it_is_written(slow, monkeypatch):
    """To whom and what, as far as it has come; gone when the message is there; a page that is hidden asks for none."""
    record(monkeypatch)
    url = f"http://127.0.0.1:{slow.server_port}/v1"
    with InterComService("slow", model="slow-1", base_url=url, api_key="k", logs=None) as intercom:
        intercom.add(Agent("Ann"), Agent("Bob"))
        page = Page(Dashboard(intercom))
        page.hello()
        page.until(lambda page: page.live["service"]["state"] == "running")
        intercom["ann"].begin()
        for expected in ("", 'Hello "Bob",\n', 'Hello "Bob",\nhow are you?'):
            told = {"tool": "send_message", "text": expected, "to": "bob"}
            page.until(lambda page, told=told: page.live["agents"]["ann"].get("writing") == told)
            slow.seen.release()
        page.until(lambda page: "Hello" in str([row[6] for row in page.log["messages"].values()]))
        page.until(lambda page: "writing" not in page.live["agents"]["ann"])
        page.see(visible=False)
        intercom.wait(60, progress=False)
        streamed = len(slow.streamed)
        intercom["bob"].begin()
        intercom.wait(60, progress=False)

    assert slow.streamed[0] is True
    assert not any(slow.streamed[streamed:]), "nobody looks any more"
