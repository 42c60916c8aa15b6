"""Whatever a server asks for, or breaks, nobody waits for ever, and one that is well again is asked at once."""

import time

import aiohttp
import pytest
from answering import Anything, response, set_to_work, society, text

from talkers import until

WAITS = ["1e9", "inf", "nan", "-1", "1e308", "soon", "Mon, 99 Jan 99999 00:00:00 GMT", ""]


@pytest.mark.parametrize("wait", WAITS)
@pytest.mark.parametrize("status", [429, 500])
def test_an_absurd_wait_fails_nobody_but_its_own_call(status, wait):
    """The others finish, and so does it when it is tried again: the server is well."""
    server = Anything(status, headers={"retry-after": wait})
    with society(server, timeout=2) as intercom:
        began = time.monotonic()
        word, sentence = set_to_work(intercom), intercom.status
        intercom.retry()
        again = intercom.wait(60, progress=False)
        took = time.monotonic() - began

    too_long = status == 429 and wait.startswith("1e")
    assert (word, again) == ("failed" if too_long else "quiet", "quiet")
    assert too_long == (" s, and no call waits longer than 2 s" in sentence)
    assert took < 30
    assert len(server.asked) == 2


def test_retry_asks_a_server_that_is_well_again_at_once():
    """Although it has asked for a pause that is long from over, which ends for everybody then."""
    server = Anything(*[429] * 50, headers={"retry-after": "300"})
    with society(server, timeout=200) as intercom:
        intercom["ann"].begin()
        assert intercom.wait(60, progress=False) == "failed"
        assert "HTTP 429" in intercom.status
        server.answers.clear()
        began = time.monotonic()
        assert intercom.retry() == 1
        assert intercom.wait(60, progress=False) == "quiet"
        intercom["bob"].begin()
        assert intercom.wait(60, progress=False) == "quiet"
        assert time.monotonic() - began < 30


def test_retry_sends_one_call_only_to_a_server_that_is_not_well():
    """The others wait as it has asked."""
    server = Anything(*[429] * 50, headers={"retry-after": "5"})
    with society(server, max_retries=0, timeout=60) as intercom:
        intercom["ann"].begin()
        assert intercom.wait(60, progress=False) == "failed"
        intercom.retry()
        assert intercom.wait(60, progress=False) == "failed"
        intercom["bob"].begin()
        assert until(lambda: intercom["bob"].status == "waiting for the rate limit")
        assert len(server.asked) == 2


ODD = {
    "a bad status line": aiohttp.ClientPayloadError("400, message='Bad status line'"),
    "a lost connection": aiohttp.ServerDisconnectedError(),
    "an error of nobody": LookupError("chunk"),
    "a cut body": b'{"output": [',
    "no object": b"[]",
    "deep": b'{"output": ' + b"[" * 100_000,
}


@pytest.mark.parametrize("case", ODD)
def test_what_breaks_the_rules_of_http_is_tried_again(case):
    """And said in a sentence that names the server, if it stays so."""
    once, always = Anything(ODD[case]), Anything(*[ODD[case]] * 9)
    with society(once) as intercom:
        assert set_to_work(intercom) == "quiet"
    with society(always, max_retries=1) as intercom:
        assert set_to_work(intercom) == "failed"
        intercom.send_message("Begin", "ann")
        intercom.wait(60, progress=False)
        status = intercom.status

    assert (len(once.asked), len(always.asked)) == (2, 4)
    assert "<http://server/v1> " in status
    assert "Recursion" not in status


def test_a_connection_that_breaks_while_an_answer_is_read():
    """What a transport raises after the head of an answer is no raw error either."""

    class Breaks(Anything):
        async def __call__(self, scope, receive, send):
            if self.asked:
                return await super().__call__(scope, receive, send)
            self.asked.append((await receive())["body"])
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b'{"out', "more_body": True})
            raise aiohttp.ClientPayloadError("Response payload is not completed")

    with society(Breaks(response(text("Hi")))) as intercom:
        intercom["ann"].begin()
        assert intercom.wait(60, progress=False) == "quiet"
