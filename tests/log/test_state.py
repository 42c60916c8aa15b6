"""What was true at any place of a log is read the same at the end as it was read when that place was the end.

Random societies do everything there is to do, one transaction in each commit. After each of them the state is read, and
now and then the log is copied, as a kill in that moment would leave it.
"""

import shutil
import tempfile
import zlib
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from counts import times
from intercom_nb import Agent, InterComError, InterComService, Limits, Price, ScriptedAssistant, call
from intercom_nb.errors import LogError
from intercom_nb.log import writer
from intercom_nb.log.reading import querying
from intercom_nb.log.state import conversation, place_of, places, read_state, state
from intercom_nb.log.store import Store
from intercom_nb.texts.instructions import identity
from intercom_nb.texts.turns import read_turn
from remembered import remembered, told

QUIET_S = 120
LONG = "The harbour keeps its boats where the wind cannot reach them. " * 40
N = st.integers(0, 40)
TOOLS = {
    "remember": {"text": "The harbour closes at nine."},
    "recall": {"query": "harbour"},
    "search_agents": {"query": "keeps harbours"},
    "press": {"button": "red"},
    "break": {},
    "leave_chat": {"chat_id": "chat-1"},
}


def press(button: str) -> str:
    """Press a button."""
    return f"pressed {button}"


class Society:
    """A service with agents of all kinds, what they do, and what was seen of its log after each transaction."""

    def __init__(self, folder):
        self.folder = folder
        self.broken = False
        self.count = 0
        self.seen, self.said, self.copies = {}, {}, {}
        self.intercom = InterComService(
            "society",
            model=self.model(),
            logs=folder / "logs",
            thread_logs=False,
            contacts=2,
            limits=Limits(runs=400),
            prices={"scripted": Price(input=2, output=8)},
        )
        for n in range(4):
            self.add_agent(n)
        self.intercom.add_person("You")
        self.intercom.create_chat(["agent-2", "agent-3", "you"], "Harbour", "for all", "agent-1")

    def model(self):
        """Return who answers."""
        return ScriptedAssistant(default=self.answer)

    def answer(self, request):
        """Do what the messages say; fail while the model is broken."""
        if self.broken:
            msg = "the model is broken"
            raise RuntimeError(msg)
        if "about to be removed" in str(request["input"][-1].get("content")):
            return f"of {len(request['input'])} items: boats and harbours"
        turns = [n for n, item in enumerate(request["input"]) if item.get("role") == "user"]
        turn, acted = read_turn(request["input"][turns[-1]]["content"]), turns[-1] + 1 < len(request["input"])
        if acted:
            return "done"
        me = identity(request["instructions"])[1]
        steps = ["let me see"]
        for message in turn.incoming:
            kind, _, rest = message.text.partition("|")
            if kind == "do":
                tool = rest.partition("|")[0]
                steps.append(call(tool, **TOOLS[tool]))
            elif kind.isdigit() and kind != "0":
                known = [entry.id for entry in turn.chat_list] + [message.chat_id]
                to = known[zlib.crc32(f"{me}{message.text}".encode()) % len(known)]
                steps.append(call("send_message", chat_id=to, message=f"{int(kind) - 1}|{rest} by {me}"))
        return steps

    def add_agent(self, n):
        """Add an agent; which kind follows from its number."""
        agent = Agent(
            f"Agent {n + 1}",
            mission="Keep the harbour." * (n % 3),
            description=f"keeps harbour {n}",
            tools=[press] if n % 2 else [],
            notes=n % 3 == 1,
            mail="asap" if n % 4 == 2 else "when_idle",
            limits=Limits(runs=3) if n % 4 == 3 else None,
            context=2_300 if n % 2 else None,
            data={"n": n, "Wörter": ["é", {"a": None}]},
        )
        self.intercom.add(agent)

    def unique(self, text):
        """Return a text that nobody else says."""
        self.count += 1
        return f"{text}#{self.count}"

    def do(self, kind, a, b):
        """Do one thing; what is not allowed changes nothing."""
        intercom = self.intercom
        agents = [agent.id for agent in intercom.registry]
        one, other = agents[a % len(agents)], [*agents, "you"][b % (len(agents) + 1)]
        acts = {
            "write": lambda: intercom.send_message(self.unique(f"{a % 3}|hello"), one, other),
            "tell": lambda: intercom.send_message(self.unique(f"do|{[*TOOLS][b % len(TOOLS)]}|"), one, "you"),
            "group": lambda: intercom.send_message(self.unique(f"{a % 2}|all"), "chat-1", other),
            "long": lambda: self.read_much(agents[a % len(agents)]),
            "thank": lambda: self.thank("chat-1" if a % 2 else one),
            "admin": lambda: intercom.send_message("do|leave_chat|", intercom.chats["chat-1"].admin_id, "you"),
            "key": lambda: intercom.send_message("0|key", one, "you", key=f"key {b % 3}"),
            "edit": lambda: setattr(intercom[one], "mission", self.unique("Keep it.")),
            "limit": lambda: setattr(intercom[one], "limits", Limits(runs=b + 1)),
            "settings": lambda: setattr(intercom, "settings", {"temperature": a / 40}),
            "limits": lambda: setattr(intercom, "limits", Limits(runs=400 + b)),
            "member": lambda: intercom.add_chat_member(one, "chat-1", intercom.chats["chat-1"].admin_id),
            "removed": lambda: intercom.remove_chat_member(one, "chat-1", intercom.chats["chat-1"].admin_id),
            "new": lambda: self.add_agent(len(agents)) if len(agents) < 7 else None,
            "pause one": lambda: intercom.pause(one),
            "resume one": lambda: intercom.resume(one),
            "pause": intercom.pause,
            "start": intercom.start,
            "retry": intercom.retry,
            "release": intercom.release,
            "break": lambda: setattr(self, "broken", not self.broken),
            "settle": self.settle,
            "reopen": self.reopen,
        }
        try:
            acts[kind]()
        except InterComError:
            if kind in ("start", "settle", "reopen"):
                raise

    def read_much(self, agent_id):
        """Let an agent read more than its context may have, one run after the other."""
        for _ in range(4):
            self.intercom.send_message(self.unique(f"0|{LONG}"), agent_id, "you")
            self.settle()

    def thank(self, chat_id):
        """Let members thank each other where they talk, until the guard holds it."""
        members = self.intercom.chats["chat-1"].members if chat_id == "chat-1" else ["agent-1", "agent-2"]
        senders = [one for one in members if one not in ("you", chat_id)]
        for n in range(8):
            self.intercom.send_message("Thank you!", chat_id, senders[n % len(senders)])

    def settle(self):
        """Let agents run until nobody has anything to do."""
        self.intercom.start()
        self.intercom.wait(QUIET_S, progress=False)

    def reopen(self):
        """Stop it, whatever it is doing, and go on with its log."""
        self.intercom.stop()
        self.intercom = opened(self.intercom.log.path, self.model())

    # -- what is seen

    def look(self, store):
        """Read the state at the last place, and copy the log now and then."""
        with store.reading() as query:
            place = place_of(query, None)
            self.seen[place] = read_state(query, place)
            who = [member.spec.id for member in self.seen[place].members]
            self.said[place] = {agent_id: conversation(query, agent_id, place) for agent_id in who}
        if zlib.crc32(str(place).encode()) % 16 == 0:
            copy = self.folder / f"killed-{place}.db"
            for tail in ("", "-wal"):
                shutil.copy(f"{store.path}{tail}", f"{copy}{tail}")
            self.copies[place] = copy


def opened(path, model):
    """Open a log of a society."""
    return InterComService.open(path, model=model, tools=[press])


@contextmanager
def watched(folder):
    """Give a society whose log is looked at after each transaction."""
    begin = Store._begin

    def begun(store):
        begin(store)
        if society and store.path.parent != folder:
            society[0].look(store)
            store.watch(lambda _: society[0].look(store))

    society = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(writer, "_AT_ONCE", 1)
        patch.setattr(Store, "_begin", begun)
        society.append(Society.__new__(Society))
        society[0].__init__(folder)
        try:
            yield society[0]
        finally:
            society[0].intercom.stop()


def sums(query, place):
    """Return the totals at a place, added up from the rows."""
    ((messages,),) = query("SELECT COUNT(*) FROM messages WHERE seq <= ?", place)
    ((runs,),) = query("SELECT COUNT(*) FROM runs WHERE attempt = 1 AND seq <= ?", place)
    ((steps, tokens, unpriced),) = query(
        "SELECT COUNT(*), COALESCE(SUM(COALESCE(input_tokens, 0) + COALESCE(output_tokens, 0)), 0), "
        "COALESCE(SUM(usd IS NULL AND error IS NULL), 0) FROM steps WHERE seq <= ?",
        place,
    )
    return messages, runs, steps, tokens, unpriced


def sums_of(query, place):
    """Return what each agent has spent at a place, added up from the rows."""
    runs = "SELECT agent_id, COUNT(*) FROM runs WHERE attempt = 1 AND seq <= ? GROUP BY agent_id"
    sent = (
        "SELECT sender_id, COUNT(*) FROM messages WHERE run_id IS NOT NULL AND sender_id IS NOT NULL AND seq <= ? "
        "GROUP BY sender_id"
    )
    steps = (
        "SELECT agent_id, COUNT(*), SUM(COALESCE(input_tokens, 0) + COALESCE(output_tokens, 0)) FROM steps AS s "
        "JOIN runs AS r ON r.run_id = s.run_id AND r.attempt = 1 WHERE s.seq <= ? GROUP BY agent_id"
    )
    messages, calls = dict(query(sent, place)), {one: rest for one, *rest in query(steps, place)}
    return {one: (messages.get(one, 0), n, *calls.get(one, (0, 0))) for one, n in query(runs, place)}


KINDS = [
    "write", "write", "tell", "tell", "tell", "group", "long", "thank", "admin", "key", "edit", "limit", "settings",
    "limits", "member", "removed", "new", "pause one", "resume one", "pause", "start", "start", "retry", "release",
    "break", "settle", "settle", "reopen",
]  # fmt: skip


@pytest.mark.slow
@settings(max_examples=times(20), suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(acts=st.lists(st.tuples(st.sampled_from(KINDS), N, N), min_size=5, max_size=30))
def test_the_state_at_each_place_is_what_it_was_there(acts):
    """Read at the end, each place says what was read when it was the end, what rows add up to, and a kill leaves."""
    folder = Path(tempfile.mkdtemp(prefix="intercom-test-"))
    try:
        with watched(folder) as society:
            for act in acts:
                society.do(*act)
            society.settle()
            log = society.intercom.log.path
        check_places(society, log)
        check_kills(society)
    finally:
        shutil.rmtree(folder)


@pytest.mark.slow
def test_the_state_is_right_where_societies_seldom_get():
    """Conversations made shorter, group mail held and released, an admin that left, calls that cost: each place too."""
    folder = Path(tempfile.mkdtemp(prefix="intercom-test-"))
    acts = [("long", 1, 0), ("thank", 1, 0), ("settle", 0, 0), ("release", 0, 0), ("admin", 0, 0), ("settle", 0, 0)]
    try:
        with watched(folder) as society:
            for act in [*acts, ("thank", 2, 0), ("reopen", 0, 0), ("settle", 0, 0)]:
                society.do(*act)
            log = society.intercom.log
            chat = society.intercom.chats["chat-1"]
            assert chat.admin_id != "agent-1"
            assert "agent-1" not in chat.members
        with querying(log) as query:
            assert query("SELECT COUNT(*) FROM compactions")[0][0] > 0
            assert {channel for (channel,) in query("SELECT channel FROM holds")} >= {"chat-1"}
            assert query("SELECT COUNT(*) FROM holds WHERE until_seq IS NOT NULL")[0][0] > 0
            assert read_state(query, place_of(query, None)).spent.usd > 0
        check_places(society, log)
        check_kills(society)
    finally:
        shutil.rmtree(folder)


def check_places(society, log):
    """Compare what the log says of each place with what was seen there."""
    with querying(log) as query:
        assert [place.seq for place in places(log)] == sorted(society.seen)
        for place, seen in society.seen.items():
            now = read_state(query, place)
            assert seen == now
            spent = now.spent
            assert sums(query, place) == (spent.messages, spent.runs, spent.steps, spent.tokens, spent.unpriced)
            of = {one: (s.messages, s.runs, s.steps, s.tokens) for one, s in now.spent_of.items()}
            assert sums_of(query, place) == of
            for agent_id, said in society.said[place].items():
                assert said == conversation(query, agent_id, place)


def check_kills(society):
    """Compare what services recover that were killed at some places with what the log says of those."""
    for place, path in society.copies.items():
        again = opened(path, ScriptedAssistant())
        try:
            is_state, was_said = remembered(again), society.said[place]
            assert vars(is_state) == vars(told(society.seen[place], was_said))
        finally:
            again.stop()


def test_a_place_is_named_by_a_number_a_message_or_a_run(scripted, tmp_path):
    """Each is the end of the transaction it was written in; what is no place is told with what would be."""
    intercom = scripted({"Ann": "Hello."}, logs=tmp_path)
    intercom.add(Agent("Ann"))
    intercom.add_person("You")
    message = intercom.send_message("Hello", "ann", "you")
    intercom.start()
    assert intercom.wait(QUIET_S) == "quiet"
    ends = [place.seq for place in places(intercom)]
    ((run_id, began),) = intercom._store.rows("SELECT run_id, seq FROM runs")

    assert state(intercom, message.id).place == min(end for end in ends if end >= message.seq)
    assert state(intercom, message.id).pending[0][1] == message
    assert state(intercom, run_id).place == min(end for end in ends if end >= began)
    assert state(intercom, str(ends[0])) == state(intercom, ends[0])
    assert state(intercom).place == ends[-1]
    for wrong in (0, -1, 10**30, str(10**30), "nobody", True, 1.5, "m-0"):
        with pytest.raises(LogError, match=f"right would be a number from 1 to {ends[-1]}"):
            state(intercom, wrong)
