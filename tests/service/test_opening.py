"""A log goes on as it was: on the same model and server, as it was told, within what is left of its limits."""

import json
import socket

import httpx2
import openai
import pytest

from intercom_nb import (
    Agent,
    Dashboard,
    InterComService,
    Limits,
    LogError,
    MissingKeyError,
    Price,
    ScriptedAssistant,
    agents_df,
    events_df,
    options_df,
    steps_df,
)
from models.model_server import Server

KEY = "sk-proj-OPENING0123456789abcdef"
OTHER = "sk-proj-ELSEWHERE0123456789"
FAR = "https://models.example/v1"


def silent(_path, _body):
    """Answer with a word, for 400,000 tokens."""
    output = [{"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Done."}]}]
    usage = {"input_tokens": 400_000, "output_tokens": 0, "total_tokens": 400_000}
    return 200, {"id": "r-1", "model": "far-1", "output": output, "usage": usage}


class Asked(httpx2.ASGITransport):
    """The way to a server of ours, which remembers what each request bore."""

    def __init__(self):
        super().__init__(Server(silent))
        self.bearers = []

    async def handle_async_request(self, request):
        """Let a request through."""
        self.bearers.append((request.url.host, request.headers.get("authorization")))
        return await super().handle_async_request(request)


def client(transport=None, base_url=FAR, key=KEY):
    """Return a client of a server of ours, which stands for a far one."""
    http = httpx2.AsyncClient(transport=transport or Asked())
    return openai.AsyncOpenAI(base_url=base_url, api_key=key, http_client=http, max_retries=0)


def far_log(tmp_path, **settings):
    """Return the log of a service on a named model far away, whose agent has had a turn there."""
    given = {"model": "far-1", "client": client(), "thread_logs": False} | settings
    with InterComService("far", logs=tmp_path, **given) as made:
        made.add(Agent("Ann"))
        made["ann"].begin()
        assert made.wait(20, progress=False) == "quiet"
    return made.log.path


@pytest.fixture
def _no_sockets(monkeypatch):
    """Fail whatever asks for a connection, or for the address of a name."""

    def refused(*_):
        raise AssertionError("the network was asked for something")

    for name in ("connect", "connect_ex"):
        monkeypatch.setattr(socket.socket, name, refused)
    monkeypatch.setattr(socket, "getaddrinfo", refused)


@pytest.mark.usefixtures("_no_sockets")
def test_a_log_goes_on_as_it_was(tmp_path):
    """Model, server, settings, limits, courtesy, contacts and context are the log's; nothing is asked or noted."""
    told = {
        "settings": {"temperature": 0.5},
        "limits": Limits(usd=2),
        "courtesy": False,
        "context": 9_000,
        "contacts": "relevant",
        "prices": {"far-1": Price(input=1, output=1)},
    }
    made = InterComService("far", model="far-1", base_url=f"{FAR}?key=x", api_key=KEY, logs=tmp_path, **told)
    made.add(Agent("Ann"))
    made.stop()
    before = options_df(made.log.path)

    opened = InterComService.open(made.log.path, api_key=KEY)
    opened.stop()

    assert opened.model == f"far-1 at {FAR}"
    assert (opened.limits, opened.settings.as_dict()) == (Limits(usd=2), {"temperature": 0.5})
    assert options_df(made.log.path).equals(before)
    kept = before.set_index("name")["value"].map(json.loads)
    assert kept[["base_url", "courtesy", "context", "contacts"]].tolist() == [FAR, False, 9_000, "relevant"]
    assert "options_changed" not in set(events_df(made.log.path)["kind"])
    assert KEY.encode() not in made.log.path.read_bytes()


def test_what_is_given_anew_is_an_intervention(tmp_path):
    """It counts from now on, is a new version of the option, and one event says which."""
    log = far_log(tmp_path)

    opened = InterComService.open(
        log, client=client(), limits=Limits(runs=7), settings={"seed": 1}, options={"courtesy": False, "tags": {}}
    )
    opened.stop()
    options, events = options_df(log), events_df(log)

    assert (opened.limits, opened.settings.seed) == (Limits(runs=7), 1)
    anew = options[options["seq"] > 1].query("is_newest").set_index("name")["value"]
    told = events[events["kind"] == "options_changed"]
    assert set(anew[anew.index.duplicated()]) == set()
    assert json.loads(told["data"].item()) == {
        "courtesy": False, "limits": json.loads(Limits(runs=7).to_json()), "settings": {"seed": 1},
    }  # fmt: skip
    assert {name: json.loads(anew[name]) for name in ("courtesy", "settings")} == {
        "courtesy": False, "settings": {"seed": 1},
    }  # fmt: skip
    again = InterComService.open(log, client=client())
    again.stop()
    assert (again.limits, again.settings.seed) == (Limits(runs=7), 1)  # and stays so


@pytest.mark.parametrize("key", [None, OTHER], ids=["no key", "a key for another server"])
def test_without_what_its_model_needs_it_says_so_and_can_be_looked_at(key, tmp_path, monkeypatch):
    """One sentence names model and server; nobody else's key goes there; a page and frames need no model."""
    log = far_log(tmp_path)
    if key is not None:
        monkeypatch.setenv("OPENAI_API_KEY", key)

    with pytest.raises(MissingKeyError, match=r"'far-1' on https://models\.example/v1") as told:
        InterComService.open(log)

    assert "\n" not in str(told.value)
    assert OTHER not in str(told.value)
    assert "1 member" in repr(Dashboard(log))
    assert agents_df(log)["agent_id"].tolist() == ["ann"]
    with InterComService.open(log, client=client(way := Asked())) as opened:
        opened["ann"].begin()
        opened.wait(20, progress=False)
    assert way.bearers == [("models.example", f"Bearer {KEY}")] * len(way.bearers) != []


@pytest.mark.parametrize("made_on", ["scripted", "played"])
def test_an_assistant_and_a_recording_are_to_be_given_again(made_on, tmp_path):
    """What only code can give is named; given again, it goes on."""
    recording = far_log(tmp_path)
    given = {"model": ScriptedAssistant(default="Done.")} if made_on == "scripted" else {"play": recording}
    made = InterComService("mine", logs=tmp_path, **given)
    made.add(Agent("Ann"))
    made.stop()

    with pytest.raises(LogError, match=f"its agents ran on '{made_on}', which only code can give; give it again"):
        InterComService.open(made.log.path)
    InterComService.open(made.log.path, **given).stop()


def test_going_on_offline_is_on_purpose_and_shown(tmp_path):
    """In the repr, on the dashboard and in each step; and the log says from where on."""
    log = far_log(tmp_path)

    with InterComService.open(log, model="offline") as opened:
        opened["ann"].begin()
        assert opened.wait(20, progress=False) == "quiet"
        shown, page = repr(opened), repr(Dashboard(opened))

    assert "offline stand-in" in shown
    assert "offline stand-in" in page
    asked = steps_df(log)["asked"].tolist()
    assert asked == ["far-1", *["offline"] * (len(asked) - 1)]
    assert len(asked) > 1
    assert json.loads(events_df(log).query("kind == 'options_changed'")["data"].iloc[0])["model"] == "offline"


def test_a_dollar_is_a_dollar_after_reopening(tmp_path):
    """What was spent counts and is said; the limit is met where it would have been."""
    prices = {"far-1": Price(input=1, output=1)}
    log = far_log(tmp_path, limits=Limits(usd=1), prices=prices)

    reopened = InterComService.open(log, client=client())
    try:
        assert "spent $0.40 of $1" in repr(reopened)
        reopened.start()
        for _ in range(3):
            reopened["ann"].begin()
            ended = reopened.wait(20, progress=False)
        assert ended == "usd"
        assert reopened.spent.usd <= 1
    finally:
        reopened.stop()
