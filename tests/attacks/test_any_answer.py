"""Whatever a server answers one agent, the service goes on or says one sentence, and the others finish."""

import json
import logging
import math

import pytest
from answering import LIFTED, Anything, completion, response, set_to_work, society, stream, text, tool_call
from hypothesis import given, settings
from hypothesis import strategies as st

from counts import times

LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(),
    st.text(st.characters(codec=None), max_size=12),
    st.sampled_from(["\ud83d", "\0", "ann", "bob", "message", "function_call", "reasoning", "1e999", "[" * 2_000]),
)
NAMES = st.sampled_from(
    [
        "type",
        "role",
        "content",
        "text",
        "refusal",
        "id",
        "call_id",
        "name",
        "arguments",
        "output",
        "summary",
        "status",
        "usage",
        "function",
        "index",
    ]
)
ANY = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES | st.text(max_size=4), inner, max_size=4),
    max_leaves=8,
)
KINDS = st.sampled_from(["message", "function_call", "reasoning", "function_call_output", "mcp_call", "compaction", ""])
TOOLS = st.sampled_from(["send_message", "create_chat", "leave_chat", "search_agents", "note", "", "\ud83d"])
ARGUMENTS = st.one_of(
    st.just(json.dumps({"chat_id": "bob", "message": "Hello"})), st.just('{"words": "a"}'), st.text(max_size=8), ANY
)
ITEMS = st.one_of(
    st.builds(text, ANY),
    st.builds(tool_call, TOOLS, ARGUMENTS, st.sampled_from(["a", "b", "", None]) | ANY),
    st.builds(lambda kind, rest: {"type": kind, **rest}, KINDS, st.dictionaries(NAMES, ANY, max_size=4)),
    st.dictionaries(NAMES, ANY, max_size=4),
    ANY,
)
COUNTS = st.integers(-(2**70), 2**70) | st.floats() | ANY
USAGE = st.one_of(
    st.fixed_dictionaries(
        {}, optional=dict.fromkeys(("input_tokens", "output_tokens", "prompt_tokens", "completion_tokens"), COUNTS)
    ),
    ANY,
)
HEADS = st.fixed_dictionaries(
    {},
    optional={
        "id": ANY,
        "model": ANY,
        "usage": USAGE,
        "error": st.none() | ANY,
        "status": st.sampled_from(["completed", "incomplete", "failed", "cancelled", "queued", "in_progress"]) | ANY,
        "incomplete_details": st.sampled_from([{"reason": "max_output_tokens"}, {"reason": "content_filter"}]) | ANY,
    },
)
RESPONSES = st.builds(lambda items, head: response(*items, **head), st.lists(ITEMS, max_size=4), HEADS)
CALLS = st.lists(
    st.builds(
        lambda n, i, f, a: {"index": n, "id": i, "function": {"name": f, "arguments": a}}, ANY, ANY, TOOLS, ARGUMENTS
    )
    | ANY,
    max_size=3,
)
SAID = st.fixed_dictionaries({}, optional={"content": ANY, "refusal": ANY, "tool_calls": CALLS | ANY})
FINISH = st.sampled_from(["stop", "length", "content_filter", "tool_calls", None]) | ANY
COMPLETIONS = st.builds(
    lambda said, finish, head: {**completion(finish), **head, "choices": [{"message": said, "finish_reason": finish}]},
    SAID,
    FINISH,
    HEADS,
)
EVENTS = st.one_of(
    st.builds(
        lambda kind, place, delta: {"type": f"response.{kind}.delta", "output_index": place, "delta": delta},
        st.sampled_from(["output_text", "refusal", "function_call_arguments"]),
        ANY,
        ANY,
    ),
    st.builds(
        lambda kind, place, item: {"type": f"response.output_item.{kind}", "output_index": place, "item": item},
        st.sampled_from(["added", "done"]),
        ANY,
        ITEMS,
    ),
    st.builds(
        lambda kind, answer: {"type": f"response.{kind}", "response": answer},
        st.sampled_from(["completed", "incomplete", "failed"]),
        RESPONSES | ANY,
    ),
    ANY,
)
CHUNKS = st.one_of(
    st.builds(
        lambda delta, finish, head: {**head, "choices": [{"delta": delta, "finish_reason": finish}]},
        SAID,
        FINISH,
        HEADS,
    ),
    ANY,
)
FORMS = {
    "responses": (RESPONSES | ANY, False, False),
    "chat completions": (COMPLETIONS | ANY, True, False),
    "streams": (st.lists(EVENTS, min_size=1, max_size=5).map(lambda events: stream(*events)), False, True),
    "streams of chat completions": (
        st.lists(CHUNKS, min_size=1, max_size=5).map(lambda chunks: stream(*chunks)),
        True,
        True,
    ),
}


def note(words: str) -> str:
    """Keep a word."""
    return words


class Raw(logging.Handler):
    """Keeps what the service logs of faults of its own."""

    def __init__(self):
        super().__init__(logging.ERROR)
        self.said = []

    def emit(self, record):
        """Keep it."""
        self.said.append(self.format(record))


@pytest.fixture
def raw():
    """Give the raw errors that the service meets."""
    handler, logger = Raw(), logging.getLogger("intercom_nb")
    logger.addHandler(handler)
    yield handler.said
    logger.removeHandler(handler)


@pytest.mark.parametrize("form", FORMS)
def test_any_answer(form, raw):
    """Two of them in a row; nothing raw is raised on the way, and what is sent back is JSON that can be read."""
    answers, chat, hears = FORMS[form]

    @settings(max_examples=times(500))
    @given(given_answers=st.lists(answers, min_size=1, max_size=2))
    def tried(given_answers):
        server = Anything(*given_answers, chat=chat)
        with society(server, tools=[note], max_retries=0, limits=LIFTED) as intercom:
            if hears:
                intercom.on_delta(lambda delta: delta.text.encode())
            set_to_work(intercom)
            spent = intercom.spent
            assert 0 <= spent.tokens < 2**63
            assert math.isfinite(spent.usd)
            for item in intercom["ann"].conversation:
                json.dumps(item, ensure_ascii=False, allow_nan=False).encode()
        assert raw == []

    tried()
