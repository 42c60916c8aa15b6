"""Conversations that grow too long: cut where a turn begins, nothing lost from the log, the same after a crash."""

import json

import pytest

from intercom_nb import Agent, Fail, InterComService, Limits, ModelError, ScriptedAssistant, call, to_jsonl
from intercom_nb.models import model
from intercom_nb.models.price_list import context_window
from intercom_nb.runs.compaction import is_too_long
from intercom_nb.texts.turns import read_turn

SUMMARY = "Bob (bob) wants a poster; the budget is 400."
LONG = "word " * 400


def asked(request):
    """Tell whether a request asks for a summary."""
    newest = request["input"][-1]
    return newest.get("role") == "user" and "about to be removed" in newest["content"]


def writes(request):
    """Answer with one tool call and silence; summaries when asked for one."""
    if asked(request):
        return SUMMARY
    return call("send_message", chat_id="nobody", message="x") if "role" in request["input"][-1] else "(sent)"


def talk(intercom, turns, text=LONG):
    """Let Ann read so many long messages, one a run."""
    for n in range(turns):
        intercom["ann"].send_message(f"{n}: {text}")
        reason = intercom.wait(60)
    return reason


def forgetful(scripted, policy=writes, **settings):
    """Return a running service of Ann, whose conversation may have 5,000 tokens."""
    intercom = scripted({"Ann": policy}, **settings)
    intercom.add(Agent("Ann", context=5_000))
    intercom.start()
    return intercom


def check_whole(items):
    """Check that every call in a conversation has its output, and every output its call."""
    calls = [item["call_id"] for item in items if item.get("type") == "function_call"]
    assert calls == [item["call_id"] for item in items if item.get("type") == "function_call_output"]


def notes_of(intercom):
    """Return how conversations were shortened, in order."""
    return [how for (how,) in intercom._store.rows("SELECT how FROM compactions ORDER BY seq")]


def test_a_long_conversation_is_replaced_by_a_summary_of_the_same_model(scripted):
    """The newest turns stay, the log keeps all, requests stay within the budget, the call is a step of its own kind."""
    intercom = forgetful(scripted)

    assert talk(intercom, 20) == "quiet"
    ann = intercom["ann"]
    assert set(notes_of(intercom)) == {"summary"}
    assert SUMMARY in read_turn(ann.conversation[0]["content"]).plain[0]
    assert len(ann.history) == 20 * 4
    assert ann.conversation[1:] == ann.history[-len(ann.conversation) + 1 :]
    assert 1 < len(ann.conversation) < 60
    check_whole(ann.conversation)
    answers = intercom._store.rows("SELECT input_tokens FROM steps WHERE kind = 'answer'")
    assert max(tokens for (tokens,) in answers) <= 5_000
    summaries = intercom._store.rows("SELECT input_tokens, output_tokens FROM steps WHERE kind = 'compact'")
    assert len(summaries) == len(notes_of(intercom)) == len([r for r in intercom.assistant.requests if asked(r)])
    assert intercom.spent.steps == len(answers) + len(summaries)
    assert ann.spent.tokens == intercom.spent.tokens
    for request in intercom.assistant.requests:
        check_whole(request["input"])
    assert (
        "items of ann were replaced (summary)"
        in intercom._store.rows("SELECT text FROM events WHERE kind = 'compacted'")[0][0]
    )


@pytest.mark.parametrize("answer", [Fail(400), "  ", call("send_message", chat_id="bob", message="x")])
def test_where_no_summary_comes_the_oldest_turns_are_dropped(scripted, answer):
    """A failure, nothing, or a tool call instead of words."""
    intercom = forgetful(scripted, lambda request: answer if asked(request) else writes(request))

    assert talk(intercom, 12) == "quiet"
    assert set(notes_of(intercom)) == {"dropped"}
    assert "no longer shown" in intercom["ann"].conversation[0]["content"]
    assert len(intercom["ann"].history) == 12 * 4
    assert intercom._store.rows("SELECT COUNT(*) FROM runs WHERE reason <> 'silent'") == [(0,)]


def test_the_offline_stand_in_is_asked_for_no_summary():
    """It can write none: the oldest turns are dropped."""
    with InterComService("offline", model="offline", logs=None, context=5_000) as intercom:
        intercom.add(Agent("Ann"))
        talk(intercom, 10)

        assert set(notes_of(intercom)) == {"dropped"}


class Compacting(ScriptedAssistant):
    """A scripted assistant with OpenAI's endpoint for compaction; `broken` makes it refuse."""

    broken = False

    async def __call__(self, scope, receive, send):
        """Answer POST …/responses/compact; leave the rest to the scripted assistant."""
        if not scope["path"].endswith("/compact"):
            await super().__call__(scope, receive, send)
            return
        body = b""
        while (message := await receive())["body"] or message.get("more_body"):
            body += message["body"]
            if not message.get("more_body"):
                break
        self.compacted = json.loads(body)
        usage = {
            "input_tokens": 500,
            "input_tokens_details": {"cached_tokens": 0},
            "output_tokens": 50,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": 550,
        }
        item = {"id": "cmp_1", "type": "compaction", "encrypted_content": "gAAAA"}
        answer = {"id": "r", "object": "response.compaction", "created_at": 0, "output": [item], "usage": usage}
        head = [(b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": 400 if self.broken else 200, "headers": head})
        await send({"type": "http.response.body", "body": json.dumps(answer).encode()})


@pytest.mark.parametrize("broken", [False, True])
def test_openais_own_endpoint_comes_first(monkeypatch, broken):
    """What it answers is sent as it is; where it refuses, a summary takes its place."""
    monkeypatch.setattr(model, "OPENAI_URL", "http://assistant/v1")
    assistant = Compacting({"Ann": writes})
    assistant.broken = broken
    with InterComService("endpoint", model=assistant, logs=None, max_retries=0) as intercom:
        intercom.add(Agent("Ann", context=5_000))
        assert talk(intercom, 8) == "quiet"
        first = intercom["ann"].conversation[0]

        assert set(notes_of(intercom)) == {"summary" if broken else "compacted"}
        assert first.get("type") == (None if broken else "compaction")
        if not broken:
            assert first["encrypted_content"] == "gAAAA"
            assert set(assistant.compacted) == {"model", "instructions", "input"}
            assert intercom._store.rows("SELECT output_tokens FROM steps WHERE kind = 'compact'")[0] == (50,)


TOO_LONG = {
    "error": {"message": "This model's maximum context length is 4096 tokens.", "code": "context_length_exceeded"}
}


def narrow(request):
    """Refuse every request that holds more than three long turns, as a server with a small window does."""
    if sum(LONG in item.get("content", "") for item in request["input"]) > 3:
        return Fail(400, body=TOO_LONG)
    return writes(request)


def test_a_server_that_says_it_was_too_long_is_asked_once_more(scripted):
    """One compaction, one retry, the run ends as if nothing had happened; later the budget is known."""
    intercom = scripted({"Ann": narrow})
    intercom.add(Agent("Ann"))
    intercom.start()

    assert talk(intercom, 10) == "quiet"
    assert intercom._store.rows("SELECT COUNT(*) FROM runs WHERE reason <> 'silent'") == [(0,)]
    assert len(intercom["ann"].history) == 10 * 4
    refused = [r for r in intercom.assistant.requests if sum(LONG in i.get("content", "") for i in r["input"]) > 3]
    assert 1 <= len(refused) <= 4


def test_a_request_that_is_too_long_all_the_same_fails_with_the_servers_words(scripted):
    """One compaction and one retry, not more."""
    intercom = forgetful(scripted, lambda request: SUMMARY if asked(request) else writes(request), max_retries=0)
    talk(intercom, 2)
    intercom.assistant._always["Ann"] = lambda request: SUMMARY if asked(request) else Fail(400, body=TOO_LONG)
    before = len(intercom.assistant.requests)
    intercom["ann"].send_message("one more")

    assert intercom.wait(60) == "failed"
    assert len(intercom.assistant.requests) - before == 3
    assert "maximum context length" in intercom._store.rows("SELECT error FROM runs WHERE reason = 'failed'")[0][0]


def test_a_first_turn_that_is_too_long_fails(scripted):
    """There is nothing to cut off."""
    intercom = scripted({"Ann": [Fail(400, body=TOO_LONG)]}, max_retries=0)
    intercom.add(Agent("Ann"))
    intercom.start()

    assert talk(intercom, 1) == "failed"
    assert notes_of(intercom) == []


@pytest.mark.parametrize(
    "said",
    [
        "Error code: 400 - {'error': {'message': '…', 'code': 'context_length_exceeded'}}",
        "Your input exceeds the context window of this model. Please adjust your input and try again.",
        "This model's maximum context length is 4096 tokens. However, you requested 5000 tokens",
        "The decoder prompt (length 9000) is longer than the maximum model length of 8192.",
        "the request exceeds the available context size, try increasing it",
        "{'type': 'exceed_context_size_error'}",
        "input length exceeds the context length",
        "However, the model is loaded with context length of only 4096 tokens, which is not enough",
        "prompt is too long: 210000 tokens > 200000 maximum",
        "Input is too long for requested model.",
        "The input token count (40000) exceeds the maximum number of tokens allowed (32768).",
        "litellm.ContextWindowExceededError: …",
        "Please reduce the length of the messages or completion.",
        "`inputs` tokens + `max_new_tokens` must be <= 4096",
        "Prompt contains 40000 tokens and 0 draft tokens, too large for model with 32768 maximum context length",
    ],
)
def test_what_servers_say_when_a_request_is_too_long(said):
    """OpenAI, vLLM, llama.cpp, Ollama, LM Studio, Anthropic, Bedrock, Gemini, litellm, Groq, TGI, Mistral."""
    assert is_too_long(ModelError(f"<http://127.0.0.1/v1> failed with HTTP 400: {said}", status=400))


@pytest.mark.parametrize(
    ("said", "status"),
    [
        ("Rate limit reached: too many tokens per minute", 429),
        ("invalid arguments for the tool send_message", 400),
        ("did not answer within 600 s", None),
        ("The server had an error while processing your request", 500),
        ("Incorrect API key provided", 401),
    ],
)
def test_what_servers_say_otherwise(said, status):
    """No compaction mends those."""
    assert not is_too_long(ModelError(said, status=status))


@pytest.mark.parametrize("turns", [6, 9, 13])
def test_a_reopened_log_gives_the_compacted_conversation(scripted, tmp_path, turns):
    """The same items are sent, to the letter; the history is whole; compaction goes on."""
    intercom = forgetful(scripted, logs=tmp_path)
    talk(intercom, turns)
    before, history = intercom["ann"].conversation, intercom["ann"].history
    intercom.stop()

    model = ScriptedAssistant({"Ann": writes})
    with InterComService.open(intercom.log.path, model=model) as again:
        assert again["ann"].conversation == before
        assert again["ann"].history == history
        assert again["ann"].spec.context == 5_000
        assert talk(again, 6) == "quiet"
        assert again["ann"].history[: len(history)] == history
        for request in model.requests:
            check_whole(request["input"])
        assert "Chat list:" in model.requests[-1]["input"][-3]["content"]


def test_a_run_that_was_cut_off_after_its_compaction_goes_on(tmp_path):
    """The compaction is not made again, and the request is the one that was made before."""
    armed = []

    def cut_off(request):
        if asked(request):
            armed.append(request)
            return SUMMARY
        return Fail(500, hang=30) if armed else writes(request)

    first = ScriptedAssistant({"Ann": cut_off})
    intercom = InterComService("cut", model=first, logs=tmp_path)
    intercom.add(Agent("Ann", context=5_000))
    intercom.start()
    while not armed:
        intercom["ann"].send_message(LONG)
        intercom.wait(0.5)
    while len(first.requests_of("Ann")) < 2 or asked(first.requests[-1]):
        intercom.wait(0.05)
    intercom.stop()

    model = ScriptedAssistant({"Ann": writes})
    with InterComService.open(intercom.log.path, model=model) as again:
        assert again.wait(60) == "quiet"
        assert model.requests[0] == first.requests[-1]
        assert notes_of(again) == ["summary"]
        assert again._store.rows("SELECT COUNT(*) FROM steps WHERE kind = 'compact'") == [(1,)]


def test_a_compaction_counts_against_the_limits(scripted):
    """Where the budget does not allow the summary, the service stops with everything pending, and goes on later."""
    intercom = forgetful(scripted)
    talk(intercom, 3)
    intercom.limits = Limits(tokens=intercom.spent.tokens + 4_000)

    assert talk(intercom, 6) == "tokens"
    intercom.limits = Limits()
    intercom.resume()
    assert intercom.wait(60) == "quiet"
    assert len(notes_of(intercom)) >= 1


def test_the_budget_follows_the_models_window():
    """Sixty percent of it, unless it is set."""
    assert context_window("gpt-4o") == 128_000
    assert context_window("gpt-5-mini") == 400_000
    for wrong in (0, -5, "many", True, 1.5):
        with pytest.raises(ValueError, match="context="):
            Agent("Ann", context=wrong)


@pytest.mark.parametrize("way", ["summary", "compacted", "dropped", "too long"])
def test_a_recording_holds_what_shortened_a_conversation(monkeypatch, way):
    """Played, the conversation is cut at the same places, by the same words, with nobody asked."""
    monkeypatch.setattr(model, "OPENAI_URL", "http://assistant/v1" if way == "compacted" else "elsewhere")
    policy = {"too long": narrow, "dropped": lambda r: Fail(500) if asked(r) else writes(r)}.get(way, writes)
    assistant = Compacting({"Ann": policy})
    found = []
    for source in ({"model": assistant}, {"play": "long.jsonl"}, {"play": "again.jsonl"}):
        with InterComService("recorded", logs=None, max_retries=0, **source) as intercom:
            intercom.add(Agent("Ann", context=None if way == "too long" else 5_000))
            assert talk(intercom, 8) == "quiet"
            found.append((intercom["ann"].conversation, intercom["ann"].history, notes_of(intercom)))
        to_jsonl(intercom, "again.jsonl" if "play" in source else "long.jsonl", for_play=True)

    assert found[0] == found[1] == found[2]
    assert set(found[1][2]) == {"summary" if way == "too long" else way}
