"""Views: they tell a page what the log says, live, complete, at a pace that a page can take, and hold nothing."""

import gc
import json
import math
import threading
import time
import weakref
from contextlib import nullcontext
from functools import partial
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from counts import times
from intercom_nb import (
    Agent,
    AgentsView,
    Dashboard,
    GraphView,
    InterComService,
    Limits,
    LogError,
    ScriptedAssistant,
    Timeline,
    Transcript,
    UnknownIdError,
    call,
    demos,
    snapshot,
)
from intercom_nb.views.hub import SendPace
from logs import lengthen
from views_fixtures import Page, record

PARTS = [Dashboard, Transcript, GraphView, AgentsView, Timeline]


@pytest.fixture(autouse=True)
def _recorded(monkeypatch):
    record(monkeypatch)


@pytest.fixture
def finished(tmp_path):
    """Give the second demo, finished, with a log on file."""
    return demos.run(2, model="offline", logs=tmp_path)


def pong(receiver_id):
    """Return a policy that always writes to one other agent."""

    def policy(request):
        if request["input"][-1].get("role") != "user":
            return "(sent)"
        return call("send_message", chat_id=receiver_id, message="It is your turn.")

    return policy


def said(service):
    """Return a service's messages as a page should know them."""
    return {
        m.seq: [m.seq, m.id, m.chat_id or m.receiver_id, m.sender_id, m.run_id, m.text, len(m.text)]
        for m in service.messages
    }


def known(page):
    """Return the messages that a page knows, without their times."""
    return {seq: [row[0], row[1], row[4], row[3], *row[5:]] for seq, row in page.log["messages"].items()}


# -- the facts


def test_a_page_is_told_the_whole_log(finished):
    """Members with their colours, chats, memberships, messages, runs and events, in the form the script reads."""
    page = Page(Dashboard(finished.log.path))
    (first,) = page.hello()

    assert first["reset"] is True
    assert first["live"] is None
    assert known(page) == said(finished)
    assert list(page.log["agents"]) == ["founder", "marketing-expert", "network-engineer", "domain-expert"]
    assert page.log["agents"]["founder"]["colour"] == "#0072b2"
    assert set(page.log["agents"]["founder"]) == {
        "id", "name", "kind", "description", "mission", "colour", "seq", "model", "team",
    }  # fmt: skip
    assert set(page.log["chats"]["chat-1"]) == {"id", "name", "description", "admin", "seq"}
    assert {key[1] for key in page.log["memberships"]} == {"founder", "marketing-expert", "domain-expert"}
    assert [row[1] for row in page.log["events"].values()] == ["started", "chat_created", "stopped"]
    spent = finished.spent
    runs = page.log["runs"].values()
    assert (sum(run[7] for run in runs), sum(run[9] for run in runs), len(runs)) == (
        spent.tokens,
        spent.steps,
        spent.runs,
    )
    assert {run[6] for run in runs} == {"silent"}
    first = finished.messages[0]
    assert page.log["messages"][first.seq][2] == int(first.created_at.timestamp() * 1000)


@settings(max_examples=times(25))
@given(data=st.data())
def test_live_facts_are_complete_whatever_happens(data):
    """After any society, seen from the start, on and off, or from the end: the page has the same log, the right one."""
    with pytest.MonkeyPatch.context() as patch:
        record(patch)
        with InterComService("random", model=ScriptedAssistant(default="done"), logs=None) as service:
            view = Dashboard(service)
            page = Page(view)
            page.hello()
            _random_society(service, page, data)
            page.see(visible=True)
            service.wait(progress=False)
        page.take()
        late = Page(Dashboard(service))
        late.hello()
        again = {kind: dict(rows) for kind, rows in page.log.items()}
        page.hello(seq=0)

    assert known(page) == said(service)
    assert late.log == page.log == again


def _random_society(service, page, data):
    you = service.add_person("You")
    for n in range(data.draw(st.integers(2, 4))):
        service.add(Agent(f"A{n}", description="x"))
    agents = [agent.id for agent in service.registry]
    chats = []
    for n in range(data.draw(st.integers(1, 12))):
        what = data.draw(st.sampled_from(["write", "write", "chat", "edit", "add", "remove", "hide", "show", "group"]))
        if what == "write":
            you.send_message(f"text {n}", data.draw(st.sampled_from(agents)))
        elif what == "chat":
            chats.append(service.create_chat(agents[:2], f"Chat {n}", "about", admin_id="you"))
        elif what == "edit":
            service[data.draw(st.sampled_from(agents))].mission = f"mission {n}"
        elif what == "add":
            service.add(Agent(f"B{n}"))
        elif what == "remove" and chats and "a0" in chats[-1].members:
            chats[-1].remove_member("a0")
        elif what == "group" and chats:
            chats[-1].send_message(f"all {n}", "you")
        elif what in ("hide", "show"):
            page.see(visible=what == "show")


def test_long_texts_are_cut_and_sent_whole_when_asked_for(scripted):
    """A text is cut at 20,000 characters, and its whole length told."""
    service = scripted(default="done")
    service.add(Agent("Ann"))
    text = "ä\0" * 15_000
    message = service.send_message(text, "ann")
    page = Page(Dashboard(service))
    page.hello()

    assert page.log["messages"][message.seq][6:] == [text[:20_000], 30_000]
    assert page.ask("text", seq=message.seq) == {"text": text}
    assert page.ask("texts", **{"from": 0, "to": 99}) == {"texts": [[message.seq, text[:20_000]]]}


def test_only_the_newest_messages_come_at_once(scripted):
    """Of 700 messages 500 are told, the others by asking, and their texts by asking for those."""
    service = scripted(default="done")
    service.add(Agent("Ann"))
    service.add_person("You")
    seqs = [service.send_message(f"text {n}", "ann", "you").seq for n in range(700)]
    page = Page(service.transcript())
    page.hello()

    assert [row[6] for row in page.log["messages"].values()] == [f"text {n}" for n in range(200, 700)]
    assert page.before["messages"] == 200
    assert page.before["edges"] == [["you", "ann", 200, 0, seqs[199]]]
    page.older(most=150)
    assert (page.before["messages"], len(page.log["messages"])) == (50, 650)
    page.older()
    assert page.before is None
    assert {seq: row[7] for seq, row in page.log["messages"].items()} == {
        seq: len(f"text {n}") for n, seq in enumerate(seqs)
    }
    asked = page.ask("texts", **{"from": seqs[0], "to": seqs[199]})["texts"]
    assert asked == [[seq, f"text {n}"] for n, seq in enumerate(seqs[:200])]


def test_long_texts_come_by_asking(scripted):
    """Those for which there is room are sent at once, the newest first."""
    service = scripted(default="done")
    service.add(Agent("Ann"))
    for _ in range(30):
        service.send_message("x" * 19_000, "ann")
    page = Page(service.transcript())
    page.hello()

    assert [row[6] is None for row in page.log["messages"].values()] == [True] * 17 + [False] * 13


@pytest.mark.alone
@pytest.mark.parametrize("source", ["service", "log"])
def test_a_dashboard_of_a_long_log_opens_at_once(tmp_path, source):
    """Of 100,000 messages it is sent 1 MB at most, in 2 seconds of work; the rest is there for who looks for it."""
    service = demos.run(2, model="offline", logs=tmp_path)
    totals = lengthen(service.log.path, 100_000)
    began = time.process_time()
    opened = InterComService.open(service.log.path, model="offline") if source == "service" else service.log.path
    with opened if source == "service" else nullcontext():
        page = Page(Dashboard(opened))
        first = page.hello()
        if source == "log":
            assert time.process_time() - began < 2
        assert len(json.dumps(first, ensure_ascii=False).encode()) < 1_000_000
        assert len(page.log["messages"]) == 500
        assert all(row[6] for row in page.log["messages"].values())
        assert page.counted() == totals
        for _ in range(3):
            page.older()
            assert page.counted() == totals
        assert len(page.log["messages"]) > 5_000


def test_a_page_that_comes_back_is_told_what_is_new(finished):
    """A hello with a place in the log is answered with what came after it."""
    page = Page(Dashboard(finished.log.path))
    page.hello()
    before = {kind: dict(rows) for kind, rows in page.log.items()}
    seq = sorted(page.log["messages"])[2]
    (second,) = page.hello("two", seq=seq)

    assert second["reset"] is False
    assert [row[0] for row in second["facts"]["messages"]] == sorted(page.log["messages"])[3:]
    assert page.log == before


@pytest.mark.parametrize("logs", [None, "logs"])
def test_what_happens_arrives_while_it_happens(scripted, logs):
    """A message of an agent reaches the page without the page asking, from a log on file and one in memory."""
    service = scripted({"Ann": [call("send_message", chat_id="bob", message="Hello"), "sent"]}, default="ok", logs=logs)
    service.add(Agent("Ann"), Agent("Bob"))
    page = Page(Dashboard(service))
    page.hello()

    assert page.live["service"]["state"] == "new"
    service.start()
    service["ann"].begin()
    page.until(lambda p: p.live["service"]["reason"] == "quiet" and len(p.log["messages"]) == 2)
    page.until(lambda p: all(run[6] == "silent" for run in p.log["runs"].values()) and len(p.log["runs"]) == 2)
    page.until(lambda p: p.live["agents"]["bob"]["status"] == "idle")  # told apart from facts, and maybe after them
    assert known(page) == said(service)
    assert page.live["agents"]["bob"] == {"status": "idle", "unread": 0, "paused": False}


def test_before_the_start_and_after_the_stop_a_view_is_told(scripted):
    """Edits and messages of a service that does not run arrive too, and how it ended."""
    service = scripted(default="done")
    service.add(Agent("Ann"))
    page = Page(Dashboard(service))
    page.hello()
    service["ann"].mission = "another"
    service.send_message("early", "ann")
    page.until(lambda p: p.log["messages"] and p.log["agents"]["ann"]["mission"] == "another")
    page.until(lambda p: p.live["agents"]["ann"]["unread"] == 1)
    service.stop()
    page.take()

    assert page.live["service"]["state"] == "stopped"
    assert [row[1] for row in page.log["events"].values()] == ["agent_changed", "stopped"]


def test_only_agents_that_changed_are_told(scripted):
    """A batch names the agents whose state is another one, not all of them."""
    service = scripted(default="done")
    service.add(*(Agent(f"A{n}") for n in range(20)))
    page = Page(service.agents_view())
    page.hello()
    page.batches.clear()
    service.send_message("Hi", "a7")
    page.until(lambda p: p.live["agents"]["a7"]["unread"] == 1)

    assert {who for batch in page.batches if batch["live"] for who in batch["live"]["agents"]} == {"a7"}


def test_limits_and_spending_are_told(scripted):
    """What is spent stands beside its limit; a limit that is lifted is null."""
    service = scripted(default="done")
    page = Page(Dashboard(service))
    page.hello()
    told = page.live["service"]

    assert told["limits"] == {"runs": 1000, "messages": None, "tokens": 2_000_000, "usd": 10.0, "seconds": 3600.0}
    assert set(told["spent"]) == set(told["limits"])
    assert told["spent"]["usd"] == 0.0
    assert page.live["people"] == []
    service.add_person("You")
    page.until(lambda p: p.live["people"] == ["you"])


# -- the pace


def test_at_most_twenty_sends_a_second_and_ten_to_one_view():
    """Counted with a clock of our own, for one view and for many."""
    for count, allowed in [(1, 10), (2, 20), (7, 20)]:
        now = [0.0]
        pace = SendPace(partial(lambda time: time[0], now))
        views = [Dashboard.__new__(Dashboard) for _ in range(count)]
        sends = []
        while now[0] < 10:
            for view in views:
                now[0] += max(pace.pause(view), 0.001)
                pace.sent(view)
                sends.append((now[0], view))
        for second in range(9):
            within = [view for at, view in sends if second < at <= second + 1]
            assert len(within) <= allowed
            assert max(map(within.count, views)) <= 10


@pytest.mark.alone
def test_many_views_of_a_busy_service_send_twenty_times_a_second_at_most(scripted):
    """Five parts on the page, and agents that never fall silent."""
    endless = Limits(runs=math.inf, tokens=math.inf)
    service = scripted({"Ann": pong("bob"), "Bob": pong("ann")}, limits=endless, courtesy=False)
    service.add(Agent("Ann"), Agent("Bob"))
    pages = [Page(part(service)) for part in PARTS]
    for page in pages:
        page.hello()
    service.start()
    service["ann"].begin()
    pages[0].until(lambda p: len(p.batches) > 8)
    service.pause()
    times = sorted(at for page in pages for at, content in page.customs if content["kind"] == "facts")[len(pages) :]

    assert all(len([at for at in times if start <= at < start + 1]) <= 20 for start in times)
    assert min(b - a for a, b in pairwise(times)) > 0.04


def test_a_hidden_view_is_sent_nothing(scripted):
    """Neither facts nor statuses; once it is seen again, it is told all of it."""
    service = scripted({"Ann": pong("bob"), "Bob": pong("ann")}, courtesy=False)
    service.add(Agent("Ann"), Agent("Bob"))
    page = Page(Dashboard(service))
    page.hello()
    page.see(visible=False)
    sent = len(page.customs)
    service.start()
    service["ann"].begin()
    while service.spent.messages < 50:
        threading.Event().wait(0.01)
    service.pause()

    assert len(page.customs) == sent
    page.see(visible=True)
    page.until(lambda p: known(p) == said(service))


def test_a_view_that_nobody_has_rendered_costs_no_thread(scripted):
    """The thread of the views is there while one can be seen."""
    service = scripted(default="done")
    Dashboard(service).widget  # noqa: B018 - made, and shown nowhere
    names = lambda: [t.name for t in threading.enumerate() if t.name.startswith("intercom views")]  # noqa: E731

    assert names() == []
    page = Page(Dashboard(service))
    page.hello()
    assert len(names()) == 1
    page.send(kind="bye", view="one")
    page.until(lambda _: names() == [])


# -- what is asked


def test_a_run_and_a_conversation_show_thoughts_and_calls(finished):
    """Texts with their kind, calls with arguments and output."""
    page = Page(Dashboard(finished.log.path))
    page.hello()
    first = next(iter(page.log["runs"]))
    items = page.ask("run", run=first)["items"]

    assert items[0] == {"type": "user", "text": "Message:\nBegin"}
    assert items[1]["name"] == "create_chat"
    assert items[1]["output"].startswith("created chat-1")
    assert items[2]["type"] == "assistant"
    assert page.ask("conversation", agent="founder")["items"][:3] == items[:3]
    assert page.ask("conversation", agent="network-engineer") == {"items": []}


def test_search_finds_texts_in_any_case(finished):
    """By the whole text of every message."""
    page = Page(Dashboard(finished.log.path))
    page.hello()
    wanted = [m.seq for m in finished.messages if "sum up" in m.text.lower()]

    assert page.ask("search", text="SUM UP") == {"seqs": wanted}
    assert page.ask("search", text="") == {"seqs": []}


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        ({"what": "text", "seq": 999}, "there is no message 999 in this log"),
        ({"what": "run", "run": "run-x"}, "there is no run 'run-x' in this log"),
        ({"what": "text"}, "text needs 'seq'"),
        (
            {"what": "weather"},
            "there is no answer to 'weather'; right would be older, texts, text, run, conversation, search, do",
        ),
    ],
)
def test_a_question_without_an_answer_gets_a_sentence(finished, asked, sentence):
    """Never an exception in the kernel, never silence."""
    page = Page(Dashboard(finished.log.path))

    assert page.ask(**asked) == {"error": sentence}


# -- what is done


def test_a_board_that_nobody_touched_begins_from_a_view(scripted):
    """Begin starts the service, too; a person joins a group through its admin and writes to it."""
    service = scripted(default="done")
    service.add(Agent("Ann"), Agent("Bob"), Agent("Cy"))
    service.add_person("You")
    chat = service.create_chat(["bob", "cy"], "Plans", "About plans.", admin_id="ann")
    page = Page(Dashboard(service))

    assert page.do("begin", agent="ann") == (True, "Ann begins.")
    assert service.state == "running"
    assert service.messages[-1].receiver_id == "ann"
    assert not page.do("send", **{"as": "you", "to": chat.id, "text": "Hi"})[0]
    assert page.do("join", **{"as": "you", "to": chat.id}) == (True, "You is now in Plans.")
    assert page.do("send", **{"as": "you", "to": chat.id, "text": "Hi"}) == (True, "Sent to Plans.")
    assert "no person here" in page.do("join", **{"as": "ann", "to": chat.id})[1]
    assert not page.do("join", **{"as": "you", "to": "bob"})[0]


def test_a_person_may_do_everything_from_a_view(scripted):
    """Start, write, edit, pause, resume, retry, stop: each says in a sentence what it did."""
    service = scripted(default="done")
    service.add(Agent("Ann"), Agent("Bob"))
    service.add_person("You")
    page = Page(Dashboard(service))

    assert page.do("start") == (True, "test runs.")
    assert page.do("send", **{"as": "you", "to": "ann", "text": "Hi"}) == (True, "Sent to Ann.")
    assert service.messages[-1].sender_id == "you"
    assert page.do("edit", agent="ann", mission="Be brief.") == (True, "Ann is edited; it counts from its next run on.")
    assert service["ann"].mission == "Be brief."
    assert page.do("begin", agent="ann") == (True, "Ann begins.")
    assert page.do("retry") == (True, "No run has failed.")
    assert page.do("pause")[0]
    assert service.state == "paused"
    assert page.do("resume") == (True, "test goes on.")
    assert page.do("pause_agent", agent="bob") == (True, "Bob is paused; its mail waits, and the others go on.")
    page.hello()
    page.until(lambda p: p.live["agents"]["bob"]["paused"])
    assert page.do("resume_agent", agent="bob") == (True, "Bob goes on.")
    page.until(lambda p: not p.live["agents"]["bob"]["paused"])
    assert page.do("retry", agent="ann") == (True, "Ann has no failed run to try again.")
    assert "pause() it first" in page.do("step")[1]
    service.wait(progress=False)
    assert page.do("pause")[0]
    service.send_message("One run", "ann")
    assert page.do("step") == (True, "Ann has one run, then everybody is paused again.")
    page.until(lambda p: p.live["service"]["state"] == "paused" and p.live["agents"]["ann"]["status"] == "idle")
    assert page.do("step") == (True, "Nobody has anything to do.")
    assert page.do("stop")[0]
    assert service.state == "stopped"


def test_what_cannot_be_done_is_said(scripted, finished):
    """The package's own sentences, and nothing is changed."""
    service = scripted(default="done")
    service.add(Agent("Ann"))
    page = Page(Dashboard(service))

    assert page.do("send", **{"as": "ann", "to": "ann", "text": "x"}) == (
        False,
        "'ann' is no person here, and only persons write from a view (intercom.add_person('You') makes one)",
    )
    service.add_person("You")
    assert "no agent or chat has the id 'bob'" in page.do("send", **{"as": "you", "to": "bob", "text": "x"})[1]
    assert "the message is empty" in page.do("send", **{"as": "you", "to": "ann", "text": " "})[1]
    assert page.do("send", to="ann", text="x") == (False, "send needs 'as'")
    assert page.do("edit", agent="ann", mission=7)[0] is False
    assert "there is no action 'explode'" in page.do("explode")[1]
    assert service.messages == []
    service.stop()
    assert page.do("start")[0] is False
    assert Page(Dashboard(finished.log.path)).do("stop") == (
        False,
        f"this view shows a finished log; InterComService.open({str(finished.log.path)!r}) goes on with it",
    )


# -- what is held


def test_a_stopped_service_is_held_by_no_view(tmp_path):
    """Though its dashboard is still on the page, and still answers from the log."""
    service = demos.run(1, model="offline", logs=tmp_path)
    with InterComService.open(service.log.path, model="offline") as service:
        page = Page(Dashboard(service))
        page.hello()
        service.agents_view().widget  # noqa: B018 - made, and shown nowhere
    held = weakref.ref(service)
    del service
    gc.collect()

    assert held() is None
    assert page.ask("search", text="marketing")["seqs"]
    page.hello("again")
    assert page.live["service"]["state"] == "stopped"


def test_a_closed_view_holds_nothing_and_sends_nothing(scripted):
    """It is gone from the page and from the memory of the widgets."""
    service = scripted(default="done")
    service.add(Agent("Ann"))
    view = Dashboard(service)
    page = Page(view)
    page.hello()
    held = weakref.ref(view), weakref.ref(view.widget)
    view.close()
    view.close()
    sent, kept = len(page.customs), page.comm.published
    service.send_message("Hi", "ann")

    assert "closed" in repr(view)
    assert list(view._repr_mimebundle_()) == ["text/plain"]
    assert Dashboard(service) is not view
    assert len(page.customs) == sent
    assert kept[-1][1] == "comm_close"
    del view, page
    gc.collect()
    assert [one() for one in held] == [None, None]


def test_showing_a_service_again_makes_no_second_widget(scripted):
    """One model for every place where it is shown; agents and chats have one of their own."""
    service = scripted(default="done")
    service.add(Agent("Ann"), Agent("Bob"))
    service.add_person("You")
    chat = service.create_chat(["ann", "bob"], "All", "everybody", admin_id="you")
    shown = [thing._repr_mimebundle_() for thing in (service, service, service["ann"], service["ann"], chat)]
    models = [one["application/vnd.jupyter.widget-view+json"]["model_id"] for one in shown]

    assert models[0] == models[1] == Dashboard(service).widget.model_id
    assert models[2] == models[3]
    assert len(set(models)) == 3
    assert service.agents_view().widget.focus == ""
    assert service._seen.hub.view("agents", "ann", list).widget.focus == "ann"
    assert service._seen.hub.view("transcript", "chat-1", list).widget.focus == "chat-1"


# -- where there is no browser


def test_the_last_line_of_a_cell_has_text_a_picture_and_a_widget(scripted):
    """One line, a PNG, and the widget; no tables beside them."""
    service = scripted(default="done")
    service.add(Agent("Ann"))
    for shown in (service, service["ann"], service.transcript()):
        bundle = shown._repr_mimebundle_()

        assert set(bundle) == {"text/plain", "image/png", "application/vnd.jupyter.widget-view+json"}
        assert "\n" not in bundle["text/plain"]
        assert bundle["image/png"].startswith(b"\x89PNG")
        assert not hasattr(shown, "_repr_html_")
    assert set(Agent("Bob")._repr_mimebundle_()) == {"text/plain", "text/html"}


def test_without_widgets_there_are_tables(scripted, monkeypatch):
    """Where anywidget cannot be loaded."""
    service = scripted(default="done")
    monkeypatch.setattr("intercom_nb.views.view.make_widget", _no_widgets)

    assert set(service._repr_mimebundle_()) == {"text/plain", "text/html"}


def _no_widgets(*_):
    raise ImportError("anywidget")


@pytest.mark.parametrize("live", [True, False], ids=["a service", "a log"])
def test_a_focus_that_nobody_has_is_told_with_the_nearest_ids(scripted, finished, live):
    """At once, where it is written; of a service that has its members only in memory, too."""
    service = scripted(default="done")
    service.add(Agent("Founder"))
    with pytest.raises(UnknownIdError, match=r"no agent or chat has the id 'foundr'; the nearest are: founder.*focus="):
        AgentsView(service if live else finished.log.path, "foundr")

    assert AgentsView(service if live else finished.log.path, "founder").focus == "founder"


@pytest.mark.parametrize("what", ["nothing", "members", "demo"])
def test_a_snapshot_is_a_picture_of_any_state(scripted, finished, what):
    """Of an empty service, of one that has not begun, of a finished one and of its log."""
    service = scripted(default="done")
    if what == "members":
        service.add(Agent("Ann $x$ 漢字"), Agent("Bob"))
    pictures = [finished.snapshot(), snapshot(finished.log.path)] if what == "demo" else [service.snapshot()]

    assert all(image.data.startswith(b"\x89PNG") for image in pictures)


def test_views_say_what_they_show(finished, tmp_path):
    """A view's repr names its log; a log that is not there is an error at once."""
    assert repr(Dashboard(finished.log.path)) == f"<Dashboard of log {finished.log.path.name}: 4 members, 5 messages>"
    assert repr(Transcript(finished)).startswith("<Transcript of InterComService demo_2: stopped")
    assert AgentsView(finished.log.path, "founder").widget.focus == "founder"
    with pytest.raises(LogError, match="there is no such log"):
        Dashboard(tmp_path / "nothing.db")


def test_the_picture_of_a_thousand_agents_shows_the_busiest(scripted):
    """It is drawn of a few, whoever they are; one of nobody's talk as well."""
    intercom = scripted(default=lambda _: "(fine)")
    intercom.add(*(Agent(f"Agent {n}") for n in range(1_000)))
    quiet = snapshot(intercom).data
    you = intercom.add_person("You")
    you.send_message("Hello", "agent-777")
    drawn = snapshot(intercom).data

    assert quiet.startswith(b"\x89PNG")
    assert drawn.startswith(b"\x89PNG")
    assert drawn != quiet
