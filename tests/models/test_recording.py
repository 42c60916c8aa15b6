"""A log is a recording: played, the same messages in the same order, with no model and no network."""

import asyncio
import random
import threading
from pathlib import Path

import pytest

from counts import times
from intercom_nb import (
    Agent,
    Fail,
    InterComService,
    Limits,
    LogError,
    RecordingError,
    ScriptedAssistant,
    call,
    to_jsonl,
)
from intercom_nb.demos import cast
from intercom_nb.log.reading import querying

KEY = "sk-proj-SECRET0123456789abcdef"
TAPE = "recordings/demo.jsonl"
KEPT = {"logs": "logs", "thread_logs": False}


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


def recorded(agents, **settings):
    """Let agents talk to the end, and keep the text of their log as a recording; return what `talk` does."""
    said_then, reason, intercom = talk(agents, **KEPT, **settings)
    to_jsonl(intercom.log.path, TAPE, for_play=True)
    return said_then, reason, intercom


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
    then, reason, intercom = recorded(agents, model=Weather(replies, seed))
    played = [
        talk(society(seed)[0], play=source)[:2] for source in (TAPE, intercom.log.path, TAPE, intercom.log.path, TAPE)
    ]

    assert reason == "quiet"
    assert len(then) > 100
    assert played == [(then, "quiet")] * 5


@pytest.mark.parametrize("demo", [1, 2])
def test_the_demos_recorded_and_played(demo, monkeypatch):
    """With the model named, and with no key at all; it costs nothing."""
    then, _, _ = recorded(cast(demo), begin=1)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    played, reason, intercom = talk(cast(demo), begin=1, play=TAPE)

    assert reason == "quiet"
    assert played == then
    assert "played from a recording" in intercom.model
    assert intercom.spent.usd == 0


def test_what_no_longer_matches_is_named_by_agent_and_step():
    """The mission, the tools, the settings, the mail: each in words, and how to make the recording anew."""

    def look_up(city: str) -> str:
        """Look something up."""
        return city

    script = {"Ann": [call("send_message", chat_id="bob", message="Hi"), "Done."]}
    _, _, intercom = recorded([Agent("Ann"), Agent("Bob")], begin=1, model=ScriptedAssistant(script))

    def error_of(*agents, play=TAPE, **settings):
        _, reason, stale = talk(list(agents), begin=1, play=play, **settings)
        assert reason == "failed"
        return stale._store.rows("SELECT error FROM runs WHERE error IS NOT NULL ORDER BY rowid")[0][0]

    changed = error_of(Agent("Ann", mission="Other."), Agent("Bob"))
    assert changed.startswith("demo.jsonl: agent 'ann', call 1 (step 0 of run-")
    assert "is not the one recorded: the instructions differ; " in changed
    assert changed.endswith("; to renew it, run without play= and write to_jsonl(log, 'demo.jsonl', for_play=True)")
    assert "the instructions differ; " in error_of(Agent("Ann", mission="Other."), Agent("Bob"), play=intercom.log.path)
    assert "the tools differ" in error_of(Agent("Ann", tools=[look_up]), Agent("Bob"))
    assert "the model is 'other' and was 'scripted'" in error_of(Agent("Ann"), Agent("Bob"), model="other")
    warm = error_of(Agent("Ann"), Agent("Bob"), settings={"temperature": 1})
    assert 'the settings are {"temperature":1.0} and were {}; ' in warm.replace('": ', '":')
    other = error_of(Agent("Ann"), Agent("Bob", description="New."))
    assert "item 1 of the conversation is" in other
    assert "New." in other.partition(" and was ")[0]


def test_an_agent_that_was_not_there_is_not_in_the_recording():
    """Its run fails with a sentence; the others go on."""
    recorded([Agent("Ann"), Agent("Bob")], model=ScriptedAssistant())
    with InterComService(play=TAPE, logs=None) as intercom:
        intercom.add(Agent("Cid"))
        intercom["cid"].begin()
        assert intercom.wait(60) == "failed"
        error = intercom._store.rows("SELECT error FROM runs")[0][0]

    assert "agent 'cid', call 1" in error
    assert "the recording ends before it" in error


@pytest.mark.parametrize("how", ["limit", "stop"])
def test_what_was_cut_off_is_played_up_to_there(how):
    """All that there is comes as it did; then the sentence says why there is no more."""
    script = {"Ann": [call("send_message", chat_id="bob", message=f"{n}") for n in range(9)]}
    limits = Limits(tokens=4_000) if how == "limit" else Limits()
    agents = [Agent("Ann"), Agent("Bob")]
    if how == "limit":
        then, reason, _ = recorded(
            agents, begin=1, model=ScriptedAssistant(script, default=lambda _: "Fine."), limits=limits
        )
        assert reason == "tokens"
    else:
        stuck = Stuck(script, after=3)
        with InterComService("talk", model=stuck, **KEPT) as intercom:
            intercom.add(*agents)
            agents[0].begin()
            assert stuck.reached.wait(20)
        then = said_in(intercom.log.path)
        to_jsonl(intercom.log.path, TAPE, for_play=True)
    played, reason, again = talk([Agent("Ann"), Agent("Bob")], begin=1, play=TAPE)
    error = again._store.rows("SELECT error FROM runs WHERE error IS NOT NULL")[0][0]

    assert len(then) > 1
    assert [message[1:] for message in played] == [message[1:] for message in then]
    assert reason == "failed"
    assert "the recording ends here, for its service " in error
    assert ("met its limit of tokens" if how == "limit" else "was stopped") in error


class Stuck(ScriptedAssistant):
    """An assistant that after some answers gives none."""

    def __init__(self, replies, after):
        super().__init__(replies, default=lambda _: "Fine.")
        self.after = after
        self.reached = threading.Event()

    async def __call__(self, scope, receive, send):
        """Answer, or wait until nobody asks any more."""
        if len(self.requests) >= self.after:
            self.reached.set()
            await asyncio.sleep(600)
        await super().__call__(scope, receive, send)


def said_in(log):
    """Return every message of a log, as `said` does."""
    with querying(log) as query:
        return query("SELECT seq, sender_id, receiver_id, chat_id, text FROM messages ORDER BY seq")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, "demo.jsonl: there is no such recording; .* to_jsonl"),
        ("", "demo.jsonl: cannot be played .is no text of a log: line 1"),
        ("<html>", "demo.jsonl: cannot be played .is no text of a log: line 1"),
        ('{"intercom_nb": "recording", "model": "m", "version": 1}', "is no text of a log"),
        ('{"intercom_nb": "log", "schema": 9}', "its schema is 9"),
    ],
    ids=["missing", "empty", "html", "of the format before", "later"],
)
def test_a_recording_that_cannot_be_played_says_so_at_once(tmp_path, text, words):
    """In the cell that asks for it."""
    if text is not None:
        (tmp_path / "recordings").mkdir()
        (tmp_path / TAPE).write_text(text)

    with pytest.raises(RecordingError, match=words):
        InterComService(play=TAPE, logs=None)


def test_a_log_that_is_none_says_so_at_once():
    """In the cell that asks for it, without the folder it is in."""
    Path("no.db").write_text("<html>")
    with pytest.raises(RecordingError, match=r"^no\.db: cannot be played \(.*no log|cannot be read"):
        InterComService(play="no.db", logs=None)


def test_nothing_is_to_be_switched_on(monkeypatch):
    """Who asks for a recording is told that there is one."""
    with pytest.raises(RecordingError, match=r"record= is gone: .* every log is a recording: give it to play="):
        InterComService(record=TAPE, logs=None)
    monkeypatch.setenv("INTERCOM_RECORD", "recordings")
    with pytest.raises(RecordingError, match=r"INTERCOM_RECORD is gone: .* for_play=True"):
        InterComService(logs=None)


def test_a_played_log_is_opened_again_only_with_an_answer():
    """It names no model; to play it, or to name one, goes on with it."""
    recorded([Agent("Ann")], model=ScriptedAssistant())
    _, _, played = talk([Agent("Ann")], play=TAPE, **KEPT)
    with pytest.raises(LogError, match="'played', which only code can give"):
        InterComService.open(played.log.path)
    with InterComService.open(played.log.path, model="offline") as again:
        assert again.wait(60) == "quiet"


def test_what_was_played_can_be_played():
    """Its log is as good as the first one."""
    then, _, _ = recorded([Agent("Ann"), Agent("Bob")], model=ScriptedAssistant())
    _, _, once = talk([Agent("Ann"), Agent("Bob")], play=TAPE, **KEPT)
    assert talk([Agent("Ann"), Agent("Bob")], play=once.log)[:2] == (then, "quiet")


def test_failed_calls_are_recorded_and_fail_again():
    """With the same sentence, and the others' work goes on around them."""
    script = {"Ann": [call("send_message", chat_id="bob", message="Hi"), Fail(500)]}
    settings = {"begin": 1, "max_retries": 0}
    then, reason, one = recorded([Agent("Ann"), Agent("Bob")], model=ScriptedAssistant(script), **settings)
    played, again, two = talk([Agent("Ann"), Agent("Bob")], play=TAPE, **settings)
    with querying(one.log) as query:
        errors = [
            query("SELECT error FROM runs ORDER BY rowid"),
            two._store.rows("SELECT error FROM runs ORDER BY rowid"),
        ]

    assert (then, reason) == (played, again)
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
    then, _, _ = recorded(agents(), model=ScriptedAssistant(script, delay=0.01))
    played = [talk(agents(), play=TAPE)[:2] for _ in range(3)]

    assert played == [(played[0][0], "quiet")] * 3
    # That a tool works is a fact of its own in the log, so the numbers are those of the plays, not of the recording.
    assert [message[1:] for message in played[0][0]] == [message[1:] for message in then]


def test_who_does_not_speak_this_time_is_not_waited_for(monkeypatch):
    """A person's message that is missing holds the others up for a moment only."""
    monkeypatch.setattr("intercom_nb.models.recording.log_tape._PATIENCE_S", 0.05)
    then, _, _ = recorded([Agent("Ann"), Agent("Bob")], model=ScriptedAssistant())
    _, reason, intercom = talk([Agent("Ann"), Agent("Bob")], begin=1, play=TAPE)

    assert len(then) == 2
    assert reason == "quiet"
    assert intercom["ann"].conversation[-1]["content"] == "(nothing scripted)"
