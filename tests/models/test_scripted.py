"""The scripted assistant answers as it is told, through the real client."""

import itertools
import threading
from collections.abc import Callable
from typing import Any

import openai
import pytest
from offline_cast import ask_all, post
from openai.types.responses import Response

from intercom_nb.models.offline import Call, Fail, ScriptedAssistant, call
from intercom_nb.texts.instructions import compose


def scripted(app: ScriptedAssistant, *names: str) -> list[Response]:
    """Return the answers to one request from each agent named."""
    return ask_all(app, [{"model": "scripted", "input": "x", "instructions": compose(one, one, "")} for one in names])


def test_scripted_replies_come_in_order_by_agent() -> None:
    """Texts, calls and several at once; then silence."""
    app = ScriptedAssistant({"Ann": ["One.", [call("add", a=1), "Two."]], "Bob": [Call("add", "{garbage")]})
    one, bob, two, three = scripted(app, "Ann", "Bob", "Ann", "Ann")

    assert one.output_text == "One."
    assert bob.output[0].type == "function_call"
    assert bob.output[0].arguments == "{garbage"
    assert [item.type for item in two.output] == ["function_call", "message"]
    assert three.output_text == "(nothing scripted)"
    assert [len(app.requests), len(app.requests_of("Ann"))] == [4, 3]
    assert app.requests[0]["input"] == "x"


def test_scripted_functions_answer_from_the_request() -> None:
    """A function may stand in a list, in place of one, or as the default; its result may be a function again."""
    echo: Callable[[dict[str, Any]], str] = lambda request: request["model"]  # noqa: E731
    app = ScriptedAssistant({"Ann": [echo, "Then."], "Bob": echo}, default=lambda _: lambda _: "Default.")

    assert [answer.output_text for answer in scripted(app, "Ann", "Ann", "Ann", "Bob", "Bob", "Cid")] == [
        "scripted",
        "Then.",
        "Default.",
        "scripted",
        "scripted",
        "Default.",
    ]


def test_scripted_replies_may_have_no_end_or_no_list() -> None:
    """An endless generator is read as needed; a single reply needs no list around it."""
    app = ScriptedAssistant({"Ann": itertools.cycle(["Tick.", "Tock."]), "Bob": "Only."})

    assert [answer.output_text for answer in scripted(app, "Ann", "Ann", "Ann", "Bob", "Bob")] == [
        "Tick.",
        "Tock.",
        "Tick.",
        "Only.",
        "(nothing scripted)",
    ]


def test_scripted_replies_can_be_added_from_another_thread() -> None:
    """Later replies follow those given at the start."""
    app = ScriptedAssistant({"Ann": ["First."]})
    thread = threading.Thread(target=app.enqueue, args=("Ann", "Second.", "Third."))
    thread.start()
    thread.join()

    assert [answer.output_text for answer in scripted(app, "Ann", "Ann", "Ann")] == ["First.", "Second.", "Third."]


def test_scripted_failures_reach_the_client_as_real_ones_do() -> None:
    """Status, body and retry-after go out as written; a broken connection breaks."""
    app = ScriptedAssistant()
    app.enqueue("Ann", Fail(429, retry_after=3), Fail(500, body={"error": {"message": "down"}}), Fail(disconnect=True))
    with pytest.raises(openai.RateLimitError) as limited:
        scripted(app, "Ann")
    with pytest.raises(openai.InternalServerError, match="down"):
        scripted(app, "Ann")
    with pytest.raises(openai.APIConnectionError):
        scripted(app, "Ann")

    assert limited.value.response.headers["retry-after"] == "3"


def test_scripted_garbage_with_status_200_goes_out_as_it_is() -> None:
    """A body that is no response at all."""
    answer = post(ScriptedAssistant(default=lambda _: Fail(200, body="<html>")), b"{}")

    assert (answer.status_code, answer.text) == (200, "<html>")


def test_what_is_no_reply_is_refused_where_it_was_written() -> None:
    """The mistake shows in the cell that made it."""
    with pytest.raises(TypeError, match="a reply is a str, Call, Fail"):
        ScriptedAssistant().enqueue("Ann", 5)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="a reply is a str, Call, Fail"):
        ScriptedAssistant().enqueue("Ann", [Fail()])  # type: ignore[list-item]
