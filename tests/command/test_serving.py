"""A log as a live page: what it is told while another process writes, and to whom nothing is given."""

import json
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from intercom_nb import InterComService, demos
from intercom_nb.command.serving import LogServer

WRITE = """
import sys
from intercom_nb import InterComService
with InterComService.open(sys.argv[1]) as intercom:
    intercom.send_message("What about a picnic?", "network-engineer")
    intercom.wait()
"""


@pytest.fixture
def served():
    """Give a server of a demo's log; every connection to it is over at the end."""
    with LogServer(demos.run(1).log) as server:
        thread = threading.Thread(target=server.serve_forever, name="intercom page")
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def asked(url, body=None, **headers):
    """Return status, headers and text of an answer."""
    request = urllib.request.Request(url, body, headers)  # noqa: S310 - ours, on this computer
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
            return answer.status, answer.headers, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers, error.read().decode()


def told(stream):
    """Return the next batch of facts of a stream."""
    line = stream.readline()
    while not line.startswith(b"data:"):
        line = stream.readline()
    return json.loads(line.removeprefix(b"data:"))


def test_the_page_has_all_it_needs_from_here(served):
    """The page, its scripts and its style, under a policy that lets nothing come from elsewhere."""
    status, headers, page = asked(served.address)

    assert status == 200
    assert "<title>demo_1 – intercom_nb</title>" in page
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    for part in ("live.js", "views.js", "views.css"):
        assert f'"{part}"' in page + asked(f"{served.address}live.js")[2].replace("./", "")
        assert asked(served.address + part)[0] == 200


def test_a_page_is_told_what_another_process_writes(served):
    """First all that is there, then what is new, without being asked again."""
    with urllib.request.urlopen(f"{served.address}facts?seq=0", timeout=60) as stream:  # noqa: S310
        first = told(stream)
        subprocess.run([sys.executable, "-c", WRITE, str(served.log)], check=True, capture_output=True)
        said = [row[6] for row in first["facts"]["messages"]]
        while "What about a picnic?" not in said:
            batch = told(stream)
            assert not batch["reset"]
            said += [row[6] for row in batch["facts"]["messages"]]

    assert first["reset"]
    assert first["n"] == 1
    assert said.count("What about a picnic?") == 1


def test_a_page_that_was_away_is_told_the_rest_only(served):
    """It says how far it knows the log."""
    with urllib.request.urlopen(f"{served.address}facts?seq=0", timeout=60) as stream:  # noqa: S310
        rows = told(stream)["facts"]["messages"]
    with urllib.request.urlopen(f"{served.address}facts?seq={rows[-2][0]}", timeout=60) as stream:  # noqa: S310
        batch = told(stream)

    assert not batch["reset"]
    assert batch["facts"]["messages"] == rows[-1:]


def test_questions_are_answered_and_wrong_ones_get_a_sentence(served):
    """A search, a conversation; nothing can be changed, and nonsense breaks nothing."""
    head = {"Content-Type": "application/json"}

    def ask(body):
        return asked(f"{served.address}ask", json.dumps(body).encode(), **head)

    found = json.loads(ask({"what": "search", "text": "TO SUM UP"})[2])
    items = json.loads(ask({"what": "conversation", "agent": "founder"})[2])["items"]

    assert len(found["seqs"]) == 1
    assert any(item["type"] == "call" and item["name"] == "send_message" for item in items)
    for wrong in ({"what": "do", "action": "stop"}, {"what": "text"}, {"what": "text", "seq": "x"}, {}):
        assert "error" in json.loads(ask(wrong)[2])
    assert ask([1])[0] == 400
    assert asked(f"{served.address}ask", b"{", **head)[0] == 400
    assert asked(f"{served.address}ask", b"{}")[0] == 404  # as a form of another page would send it
    assert asked(f"{served.address}ask", b" " * 200_000, **head)[0] == 413


def test_nobody_else_is_given_anything(served):
    """Without the secret, with a wrong one, below it something that is not there, or under another host's name."""
    port = served.server_address[1]
    root = f"http://127.0.0.1:{port}/"

    for url in (root, f"{root}views.js", f"{root}wrong/", f"{root}w%C3%B6rd/", f"{served.address}../../etc/passwd"):
        assert asked(url)[0] == 404
    assert asked(served.address, Host=f"evil.example:{port}")[0] == 404
    assert asked(served.address, Host=f"localhost:{port}")[0] == 200


def test_two_servers_of_one_log_share_nothing_but_it(served):
    """Each has its own address."""
    with LogServer(served.log) as other:
        assert served.address != other.address
        assert other.token not in served.address


def test_a_log_that_is_written_right_now_can_be_served():
    """Its service is in this very process."""
    with InterComService("now") as intercom, LogServer(intercom.log) as server:
        assert server.log == Path(str(intercom.log))
