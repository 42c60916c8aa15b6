"""Record and play: the same messages, byte for byte and in the same order, with no model and no network."""

import asyncio
import json
import random
import threading

import pytest
from counts import times

from intercom_nb import Agent, Fail, InterComService, RecordingError, ScriptedAssistant, call
from intercom_nb.demos import cast

KEY = "sk-proj-SECRET0123456789abcdef"
TAPE = "recordings/demo.jsonl"


@pytest.fixture(autouse=True)
def _patience(monkeypatch):
    """Wait for what a recording has next, however busy the machine."""
    monkeypatch.setattr("intercom_nb.models.recording.log_tape._PATIENCE_S", 60)


def said(intercom):
    """Return every message: seq, sender, receiver, chat, text."""
    return [(m.seq, m.sender_id, m.receiver_id, m.chat_id, m.text) for m in intercom.messages]


def talk(agents, *, begin=None, name="talk", **settings):
    """Let agents talk to the end; return what was said, why it stopped, and the service."""
    with_tools = {"logs": None, **settings}
    intercom = InterComService(name, **with_tools)
    try:
        intercom.add(*agents)
        for agent in agents if begin is None else agents[:begin]:
            agent.begin()
        intercom.start()
        reason = intercom.wait(60)
        return said(intercom), reason, intercom
    finally:
        intercom.stop()


class Weather(ScriptedAssistant):
    """An assistant that takes a random time, so that no two runs go alike by themselves."""

    def __init__(self, replies, seed):
        super().__init__(replies, default=lambda _: "Fine.")
        self.dice = random.Random(seed)  # noqa: S311 - weather, not secrets

    async def __call__(self, scope, receive, send):
        """Answer after a while."""
        await asyncio.sleep(self.dice.random() * 0.02)
        await super().__call__(scope, receive, send)


def society(seed):
    """Return thirty agents who make groups and write to each other, and the assistant that says so."""
    dice = random.Random(seed)  # noqa: S311 - as above
    ids = [f"a{n}" for n in range(30)]
    replies = {}
    for n, name in enumerate(ids):
        others = [i for i in ids if i != name]
        steps = [[call("send_message", chat_id=dice.choice(others), message=f"{name} says {k}")] for k in range(3)]
        if n % 5 == 0:
            members = dice.sample(others, 4)
            about = {"name": f"Group {name}", "description": "About.", "message": "Welcome"}
            steps[1].append(call("create_chat", agent_ids=members, **about))
        replies[name] = [part for step in steps for part in (step, "Done.")]
    return [Agent(i) for i in ids], replies


@pytest.mark.parametrize("seed", range(times(3)))
def test_thirty_agents_in_groups_played_five_times(seed):
    """Recorded in bad weather, they say the same in the same order each time, and as they did then."""
    agents, replies = society(seed)
    recorded, reason, _ = talk(agents, model=Weather(replies, seed), record=TAPE)
    played = [talk(society(seed)[0], play=TAPE)[:2] for _ in range(5)]

    assert reason == "quiet"
    assert len(recorded) > 100
    assert played == [(recorded, "quiet")] * 5


@pytest.mark.parametrize("demo", [1, 2])
def test_the_demos_recorded_and_played(demo, monkeypatch):
    """With the model named, and with no key at all; it costs nothing."""
    recorded, _, _ = talk(cast(demo), begin=1, record=TAPE)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    played, reason, intercom = talk(cast(demo), begin=1, play=TAPE)

    assert reason == "quiet"
    assert played == recorded
    assert "played from a recording" in intercom.model
    assert intercom.spent.usd == 0


def test_a_recording_is_text_that_diffs_well(tmp_path):
    """One call a line, keys sorted, letters as they are, no key, no header, no path of this computer."""
    script = {"Zoë": [call("send_message", chat_id="bob", message=f"Grüße, {KEY}"), "Fertig."]}
    talk([Agent("Zoë"), Agent("Bob")], begin=1, model=ScriptedAssistant(script), record=TAPE, api_key=KEY)
    text = (tmp_path / TAPE).read_text(encoding="utf-8")
    lines = [json.loads(line) for line in text.splitlines()]

    assert len(lines) == 4
    assert all(list(line) == sorted(line) for line in lines)
    assert "Grüße" in text
    assert set(lines[1]) == {"agent", "after", "call", "latency_s", "request", "response"}
    assert [(line["agent"], line["call"]) for line in lines[1:]].count(("zoë", 1)) == 1
    for secret in (KEY, "SECRET", "Bearer", "authorization", str(tmp_path)):
        assert secret not in text


def test_what_no_longer_matches_is_named_by_agent_and_step():
    """The mission, the tools, the mail: each in words, and how to renew the recording."""

    def look_up(city: str) -> str:
        """Look something up."""
        return city

    script = {"Ann": [call("send_message", chat_id="bob", message="Hi"), "Done."]}
    talk([Agent("Ann"), Agent("Bob")], begin=1, model=ScriptedAssistant(script), record=TAPE)

    def error_of(*agents, **settings):
        _, reason, intercom = talk(list(agents), begin=1, play=TAPE, **settings)
        assert reason == "failed"
        return intercom._store.rows("SELECT error FROM runs WHERE error IS NOT NULL ORDER BY rowid")[0][0]

    changed = error_of(Agent("Ann", mission="Other."), Agent("Bob"))
    assert changed.startswith("demo.jsonl: agent 'ann', call 1 (step 0 of run-")
    assert "is not the one recorded: the instructions differ" in changed
    assert changed.endswith("; record='recordings/demo.jsonl' renews it")
    assert "the tools differ" in error_of(Agent("Ann", tools=[look_up]), Agent("Bob"))
    assert "the model is 'other' and was 'scripted'" in error_of(Agent("Ann"), Agent("Bob"), model="other")
    other = error_of(Agent("Ann"), Agent("Bob", description="New."))
    assert "the input differs (1 items; the last one 'Message:" in other


def test_an_agent_that_was_not_there_is_not_in_the_recording():
    """Its run fails with a sentence; the others go on."""
    talk([Agent("Ann"), Agent("Bob")], model=ScriptedAssistant(), record=TAPE)
    with InterComService(play=TAPE, logs=None) as intercom:
        intercom.add(Agent("Cid"))
        intercom["cid"].begin()
        assert intercom.wait(60) == "failed"
        error = intercom._store.rows("SELECT error FROM runs")[0][0]

    assert "agent 'cid', call 1" in error
    assert "the recording ends before it" in error


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, "there is no such recording; record='recordings/demo.jsonl' makes it"),
        ("", "is no recording"),
        ("<html>", "is no recording"),
        ('{"intercom_nb": "recording", "version": 9, "model": "m"}', "of a later version"),
    ],
    ids=["missing", "empty", "html", "later"],
)
def test_a_recording_that_cannot_be_played_says_so_at_once(tmp_path, text, words):
    """In the cell that asks for it."""
    if text is not None:
        (tmp_path / "recordings").mkdir()
        (tmp_path / TAPE).write_text(text)

    with pytest.raises(RecordingError, match=words):
        InterComService(play=TAPE, logs=None)


def test_record_and_play_exclude_each_other():
    """One of them."""
    with pytest.raises(ValueError, match="give one of them"):
        InterComService(play=TAPE, record=TAPE)


def test_failed_calls_are_recorded_and_fail_again():
    """With the same sentence, and the others' work goes on around them."""
    script = {"Ann": [call("send_message", chat_id="bob", message="Hi"), Fail(500)]}
    settings = {"begin": 1, "max_retries": 0}
    recorded, reason, one = talk([Agent("Ann"), Agent("Bob")], model=ScriptedAssistant(script), record=TAPE, **settings)
    played, again, two = talk([Agent("Ann"), Agent("Bob")], play=TAPE, **settings)
    errors = [s.store.rows("SELECT error FROM runs ORDER BY rowid") for s in (one, two)]

    assert (recorded, reason) == (played, again)
    assert reason == "failed"
    assert errors[0] == errors[1]


def test_own_tools_work_again_and_keep_their_place():
    """A slow tool does not change who speaks first."""
    ready = threading.Event()

    def slow() -> str:
        """Take a while."""
        ready.wait(0.05)
        return "done"

    def agents():
        return [Agent("Ann", tools=[slow]), Agent("Bob"), Agent("Cid", mail="asap")]

    script = {
        "Ann": [call("slow"), [call("slow"), call("send_message", chat_id="cid", message="A")], "ok"],
        "Bob": [call("send_message", chat_id="cid", message="B"), call("send_message", chat_id="cid", message="C")],
        "Cid": [call("send_message", chat_id="bob", message="D"), call("send_message", chat_id="bob", message="E")],
    }
    recorded, _, _ = talk(agents(), model=ScriptedAssistant(script, delay=0.01), record=TAPE)
    played = [talk(agents(), play=TAPE)[:2] for _ in range(3)]

    assert played == [(played[0][0], "quiet")] * 3
    # That a tool works is a fact of its own in the log, so the numbers are those of the plays, not of the recording.
    assert [message[1:] for message in played[0][0]] == [message[1:] for message in recorded]


def test_who_does_not_speak_this_time_is_not_waited_for(monkeypatch):
    """A person's message that is missing holds the others up for a moment only."""
    monkeypatch.setattr("intercom_nb.models.recording.log_tape._PATIENCE_S", 0.05)
    recorded, _, _ = talk([Agent("Ann"), Agent("Bob")], model=ScriptedAssistant(), record=TAPE)
    _, reason, intercom = talk([Agent("Ann"), Agent("Bob")], begin=1, play=TAPE)

    assert len(recorded) == 2
    assert reason == "quiet"
    assert intercom["ann"].conversation[-1]["content"] == "(nothing scripted)"
