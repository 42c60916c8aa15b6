"""Memory changes only with what the log accepted: a fault at any point of a transaction leaves no trace in it.

A society does everything that changes memory inside a transaction. Each deed is tried with a fault at its first point,
then at its second, and so on until none is left: points lie after all that is done with a transaction. After
each fault what the service remembers is what the log says, and the service goes on.
"""

import logging
import threading
from contextlib import suppress
from itertools import count

import pytest

from intercom_nb import Agent, InterComService, Limits, ScriptedAssistant, call
from intercom_nb.log.reading import querying
from intercom_nb.log.state import conversation, read_state
from intercom_nb.log.transaction import Transaction
from intercom_nb.texts.turns import read_turn
from remembered import remembered, told

QUIET_S = 60


def deeds(kind, n):
    """Return what an agent does that is told to do something for the n-th time."""
    harbour, pier = f"Harbour {n}", f"Pier {n}"
    return {
        "write": [call("send_message", chat_id="bob", message=f"Tide {n} turns at six.")],
        "thank": [call("send_message", chat_id="bob", message="Thank you!")] * 6,
        "found": [
            call(
                "create_chat", agent_ids=["bob", "cid"], name=harbour, description="all", message=f"Ship {n} arrives."
            ),
            call("add_chat_member", agent_id="dora", chat_id=harbour),
            call("send_message", chat_id=harbour, message=f"Storm {n} is due."),
            call("remove_chat_member", agent_id="cid", chat_id=harbour),
            call("leave_chat", chat_id=harbour),
            call("create_chat", agent_ids=["bob", "cid"], name=pier, description="all"),
        ],
        "search": [call("search_agents", query="lighthouses"), call("search_agents", query=f"keeps number {n}")],
        "note": [
            call("remember", text=f"Harbour {n} closes at nine."),
            call("recall", query="harbour"),
            call("remember", text="Bob has the key."),
        ],
        "press": [call("press", button="red"), call("remember", text="It is red."), call("press", button="blue")],
        "say": [f"Word {n} after word. " * 60],
    }.get(kind, "read")


class Bug(Exception):  # noqa: N818 - what it is
    """What should never happen."""


class Faults:
    """Raises at one of the points of what is done with transactions."""

    def __init__(self, monkeypatch):
        self._left, self._among_agents, self.struck = None, False, False
        for name in ("seq", "add", "note", "after", "undo", "keep"):
            monkeypatch.setattr(Transaction, name, self._with_points(getattr(Transaction, name)))

    def _with_points(self, method):
        def done(*given, **named):
            result = method(*given, **named)
            self._point()
            return result

        return done

    def _point(self):
        if self._left is None or (threading.current_thread() is threading.main_thread()) == self._among_agents:
            return
        if self._left == 0:
            self._left, self.struck = None, True
            raise Bug("off by one")
        self._left -= 1

    def arm(self, n, *, among_agents=False):
        """Let the n-th point from here on fail, of what persons do or of what agents do."""
        self._left, self._among_agents, self.struck = n, among_agents, False

    def disarm(self):
        """Let no point fail; return whether one has."""
        self._left = None
        return self.struck


def press(button: str) -> str:
    """Press a button."""
    return f"pressed {button}"


def answer(request):
    """Do what the first message says, once; then fall silent."""
    turn = request["input"][-1]
    if turn.get("role") != "user":
        return "done"
    told_to = [message.text.partition("|") for message in read_turn(turn["content"]).incoming]
    return deeds(told_to[0][0], told_to[0][2]) if told_to else "They spoke of words."  # in place of older items


class Society:
    """A service whose transactions fail where one asks for it."""

    def __init__(self, folder, faults):
        self.faults = faults
        self.broken = False
        self.model = ScriptedAssistant(default=self.answer)
        self.intercom = InterComService(
            "society",
            model=self.model,
            logs=folder,
            thread_logs=False,
            contacts=2,
            limits=Limits(runs=10_000, tokens=10**9),
        )
        self.tried = 0
        self.attempt(lambda: self.intercom.add(Agent("Ann", tools=[press], notes=True), Agent("Bob", context=2_000)))
        self.intercom.add(Agent("Cid", description="bakes bread"), Agent("Dora", description="keeps lighthouses"))
        self.attempt(lambda: self.intercom.add_person("You"))
        self.intercom.start()

    def answer(self, request):
        """Answer, unless the model is broken."""
        if self.broken:
            msg = "the model is broken"
            raise RuntimeError(msg)
        return answer(request)

    def attempt(self, act):
        """Do something that a person does, with a fault at each of its points, until it has none."""
        for n in count():
            self.faults.arm(n)
            with suppress(Bug):
                act()
            if not self.faults.disarm():
                break
            self.check()
        self.tried += n

    def let(self, name, deed):
        """Let an agent do something again and again, each time with a fault at another point of the first hundred."""
        for n in range(0, 100, 3 if deed in ("thank", "found") else 1):
            self.faults.arm(n, among_agents=True)
            self.intercom.send_message(f"{deed}|{n}", name, "you")
            assert self.intercom.wait(QUIET_S, progress=False) != "timeout"
            if not self.faults.disarm():
                break
            self.check()
            self.intercom.retry()  # nothing to do for one that has read later mail since
            assert self.intercom.wait(QUIET_S, progress=False) in ("quiet", "courtesy")
            self.tried += 1
        self.check()

    def check(self):
        """Compare what the service remembers with what its log says, once that is written and nobody is at work.

        An agent that could not begin is rung again by mail that was on its way: then it is looked at when it has ended.
        """
        for _ in range(3):
            with self.intercom._store.transaction() as behind_all_others:
                pass
            behind_all_others.wait()
            with suppress(AssertionError):
                compare(self.intercom)
                return
            assert self.intercom.wait(QUIET_S, progress=False) != "timeout"
        compare(self.intercom)

    def reopen(self):
        """Stop it, go on with its log, and compare again."""
        self.intercom.stop()
        before = now_of(self.intercom)
        self.intercom = InterComService.open(self.intercom.log.path, model=self.model, tools=[press])
        assert vars(now_of(self.intercom)) == vars(before)
        compare(self.intercom)


def now_of(intercom):
    """Return what a service remembers; of a failed run, with its steps counted anew, as they are when it is retried."""
    now = remembered(intercom)
    for agent_id, state in intercom._engine.inboxes.states.items():
        if state.failed is not None:
            now.runs[agent_id] = (*now.runs[agent_id][:3], state.failed.step, *now.runs[agent_id][4:])
    return now


def compare(intercom):
    """Compare what a service remembers with what its log says."""
    with querying(intercom.log.path) as query:
        ((place,),) = query("SELECT MAX(seq) FROM places")
        at = read_state(query, place)
        said = {member.spec.id: conversation(query, member.spec.id, place) for member in at.members}
        notes = query("SELECT agent_id, text FROM notes ORDER BY seq DESC LIMIT 5")
    assert vars(now_of(intercom)) == vars(told(at, said))
    found = intercom._engine.notes.search("ann", "")
    assert [text for text, _ in found] == [text for agent_id, text in notes if agent_id == "ann"]


@pytest.fixture
def society(tmp_path, monkeypatch, caplog):
    """Give a society, and compare what it remembers with its log again when it is opened again."""
    caplog.set_level(logging.CRITICAL)
    made = Society(tmp_path, Faults(monkeypatch))
    try:
        yield made
        made.check()
        made.reopen()
        made.intercom.start()
        made.intercom.send_message("hello", "ann", "you")
        assert made.intercom.wait(QUIET_S, progress=False) != "timeout"
        made.check()
    finally:
        made.intercom.stop()


@pytest.mark.parametrize("deed", ["write", "thank", "found", "search", "note", "press", "say"])
def test_a_fault_in_what_an_agent_does_leaves_no_trace_in_memory(society, deed):
    """Chats, members, pending mail, conversations, notes, contacts and what was spent are what the log says."""
    society.let("bob" if deed == "say" else "ann", deed)
    assert society.tried > 30


def test_a_fault_in_what_a_person_does_leaves_no_trace_in_memory(society):
    """Members, options, pauses, limits, chats and mail are what the log says, and each deed can be done again."""
    intercom, ann = society.intercom, society.intercom["ann"]
    group = ["bob", "cid"]
    for act in (
        lambda: "chat-1" in intercom or intercom.create_chat(group, "Quay", "all", "ann", message="Hello"),
        lambda: intercom.add_chat_member("you", "chat-1", "ann"),
        lambda: intercom.remove_chat_member("bob", "chat-1", "ann"),
        lambda: intercom.send_message("Fog.", "chat-1", "you"),
        lambda: intercom.send_message("Fog.", "ann", "you", key="fog"),
        lambda: setattr(ann, "mission", "Watch the fog."),
        lambda: setattr(ann, "description", "watches the fog"),
        lambda: setattr(ann, "limits", Limits(runs=1_000)),
        lambda: setattr(intercom, "limits", Limits(runs=9_000)),
        lambda: setattr(intercom, "settings", {"temperature": 0.5}),
        lambda: intercom.add(Agent("Eve"), Agent("Finn")),
        ann.pause,
        ann.resume,
    ):
        intercom.pause()
        society.attempt(act)
        intercom.resume()
        assert intercom.wait(QUIET_S, progress=False) != "timeout"
        society.check()

    assert society.tried > 50


def test_a_fault_while_failed_runs_are_opened_again_leaves_no_trace_in_memory(society):
    """They are failed as before, all of them, and can be retried."""
    society.broken = True
    for name in ("ann", "bob"):
        society.intercom.send_message("write|0", name, "you")
    assert society.intercom.wait(QUIET_S, progress=False) == "failed"
    society.broken = False
    society.attempt(society.intercom.retry)

    assert society.intercom.wait(QUIET_S, progress=False) == "quiet"
    assert society.tried > 5
