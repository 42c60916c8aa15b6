"""Whatever people and agents do, in whatever order: nothing is lost, doubled, reordered or overheard.

A model of the service, a few dictionaries, is kept beside a real one with a file log. What the model expects is
compared with the log, with the conversations and with the service that a reopened log gives.
"""

import json
import shutil
import tempfile
import zlib
from collections import Counter
from functools import partial
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from counts import times
from intercom_nb import Agent, InterComError, InterComService, ScriptedAssistant, call
from intercom_nb.routing.courtesy import channel_of
from intercom_nb.texts.instructions import identity
from intercom_nb.texts.turns import read_turn

PLACES = st.integers(0, 60)
HOPS = st.sampled_from([0, 1, 1, 2])
CONTEXT = 2_300  # tokens; guideline and tools take most of it, so a few turns are too long
THANKS, MOST_THANKS = "Thank you, thank you! ", 8  # thanks for thanks: more of them than the guard lets through
QUIET_S = 60  # far more than any example needs: a service that is not quiet by then never will be


# How the agents answer


def newest_turn(request):
    """Return the turn an agent was last given, and whether it has acted on it."""
    turns = [n for n, item in enumerate(request["input"]) if item.get("role") == "user"]
    return read_turn(request["input"][turns[-1]]["content"]), turns[-1] + 1 < len(request["input"])


def policy(request):
    """Answer as the messages say: `hops|who` is passed on, `do|tool|arguments` is done, thanks are given for thanks.

    All else is read in silence.
    """
    turn, acted = newest_turn(request)
    if acted:
        return "done"
    me = identity(request["instructions"])[1]
    steps = ["a note to myself"]
    for n, message in enumerate(turn.incoming):
        kind, _, rest = message.text.partition("|")
        if kind == "do":
            tool, _, arguments = rest.partition("|")
            steps.append(call(tool, **json.loads(arguments.partition("|")[0])))
        elif message.text.startswith(THANKS) and message.text.count(THANKS) < MOST_THANKS:
            steps.append(call("send_message", chat_id=message.chat_id, message=THANKS + message.text))
        elif kind.isdigit() and kind != "0":
            choice = zlib.crc32(f"{me} {message.text}".encode())
            known = [entry.id for entry in turn.chat_list] + [message.chat_id, "nobody", me]
            text = f"{int(kind) - 1}|{rest}>{me}.{n}"
            steps.append(call("send_message", chat_id=known[choice % len(known)], message=text))
    return steps


# What a service says of itself


def snapshot(intercom):
    """Return everything that a log should bring back."""
    members = intercom.registry.members
    agents = intercom.registry.get_agents()
    states = intercom._engine.inboxes.states
    spent = intercom.spent
    return {
        "members": [(type(m).__name__, m.id, m.name, m.description) for m in members],
        "agents": [(a.id, a.mission, intercom.registry.version_of(a.id), a.spec.mail, a.status) for a in agents],
        "chats": [(c.id, c.name, c.description, c.admin_id, c.members) for c in intercom.registry.chats],
        "chat lists": {m.id: intercom.get_chat_list_for(m.id) for m in members},
        "pending": {a.id: list(states[a.id].inbox) for a in agents},
        "waiting": {a.id: list(states[a.id].held_mail) for a in agents},
        "unfinished": {a.id: states[a.id].run and (states[a.id].run.run_id, states[a.id].run.step) for a in agents},
        "conversations": {a.id: a.conversation for a in agents},
        "inboxes": {m.id: m.inbox for m in members if m not in agents},
        "spent": (spent.messages, spent.runs, spent.steps, spent.tokens, spent.usd),
    }


# What every log promises


def expected_deliveries(query):
    """Return who should have received what: whoever was a member when it was accepted, but for its sender."""
    stays = query("SELECT chat_id, agent_id, seq, until_seq FROM memberships")
    return {
        (seq, member_id)
        for seq, chat_id, receiver_id, sender_id in query("SELECT seq, chat_id, receiver_id, sender_id FROM messages")
        for member_id in (
            [receiver_id]
            if chat_id is None
            else [m for c, m, since, until in stays if c == chat_id and since < seq and (until is None or until > seq)]
        )
        if member_id != sender_id
    }


def check_conversation(items, messages, taken, waited):
    """Check one agent's conversation: its messages once each, in order but for what waited, each call answered."""
    turns = [read_turn(item["content"]) for item in items if item.get("role") == "user"]
    plain = [line for turn in turns for text in turn.plain for line in text.split("\n\n")]
    heard = [messages[seq] for seq in taken]

    said = [(m.sender_id, m.chat_id or m.sender_id, m.text) for m in heard if m.sender_id is not None]
    read = [(i.author_id, i.chat_id, i.text) for turn in turns for i in turn.incoming]
    assert Counter(said) == Counter(read)
    assert [each for each in said if each[2] not in waited] == [each for each in read if each[2] not in waited]
    assert [m.text for m in heard if m.sender_id is None] == plain

    owed = []
    for item in items:
        if item.get("type") == "function_call":
            owed.append(item["call_id"])
        elif item.get("type") == "function_call_output":
            assert owed.pop(0) == item["call_id"]
        else:
            assert owed == [] or item.get("role") == "assistant"
    assert owed == []


def held_back(messages, agent_ids, holds):
    """Return the texts that the guard against courtesy held back, for good or for a while."""
    return {
        m.text
        for m in messages
        if m.sender_id in agent_ids
        and any(channel_of(m) == name and since <= m.seq < (until or m.seq + 1) for name, since, until in holds)
    }


def check_log(intercom, *, quiet):
    """Check what holds in every state of a log, and what else holds when nobody has anything to do."""
    with intercom._store.lock, intercom._store.reading() as query:
        rows = query("SELECT seq, agent_id, until_seq FROM deliveries ORDER BY agent_id, seq")
        expected = expected_deliveries(query)
        places = query("SELECT agent_id, idx, payload FROM items ORDER BY agent_id, idx")
        open_runs = query("SELECT COUNT(*) FROM runs WHERE until_seq IS NULL")[0][0]
        holds = query("SELECT channel, seq, until_seq FROM holds")
    messages = {m.seq: m for m in intercom.messages}

    assert Counter(expected) == Counter((seq, agent_id) for seq, agent_id, _ in rows)
    agent_ids = [agent.id for agent in intercom.registry]
    waited = held_back(messages.values(), agent_ids, holds)
    for agent_id in agent_ids:
        own = [(idx, json.loads(payload)) for owner, idx, payload in places if owner == agent_id]
        assert list(range(len(own))) == [idx for idx, _ in own]
        taken = [seq for seq, receiver, until in rows if receiver == agent_id and until is not None]
        check_conversation([item for _, item in own], messages, taken, waited)
    if quiet:
        assert [row for row in rows if row[2] is None] == []
        assert open_runs == 0
        assert ["idle"] * len(agent_ids) == [agent.status for agent in intercom.registry]
    return {seq: {agent_id for s, agent_id in expected if s == seq} for seq in messages}


# The machine


class Conversations(RuleBasedStateMachine):
    """Random people doing random things to a real service."""

    def __init__(self):
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="intercom-test-"))
        self.intercom = InterComService("properties", model=ScriptedAssistant(default=policy), logs=self.folder)
        self.count = 0
        self.agents, self.persons = [], []
        self.rosters, self.admins = {}, {}
        self.heard = {}  # seq of a message → who was there to hear it
        self.missions = {}

    def teardown(self):
        """Check a last time, and leave nothing behind."""
        try:
            self.intercom.start()
            self.settle()
            self.reopen()
        finally:
            self.intercom.stop()
            shutil.rmtree(self.folder)

    # -- choices

    def unique(self, word):
        """Return a text that no other text of this example contains."""
        self.count += 1
        return f"{word}#{self.count}#"

    def pick(self, number, some):
        """Return one of some ids; now and then one that nobody has."""
        known = [*some, "nobody"]
        return known[number % len(known)]

    @property
    def members(self):
        """Ids of everybody, in the order they came."""
        return [*self.agents, *self.persons]

    def attempt(self, allowed, act):
        """Do what the rules allow; what they forbid must raise and change nothing."""
        if allowed:
            return act()
        before = [(c.id, c.admin_id, c.members) for c in self.intercom.registry.chats]
        with pytest.raises(InterComError):
            act()
        assert before == [(c.id, c.admin_id, c.members) for c in self.intercom.registry.chats]
        return None

    # -- who there is

    @initialize()
    def begin(self):
        """Begin with three agents and a person."""
        for _ in range(3):
            self.add_agent(asap=False)
        self.add_person()
        self.create_chat(admin=3, others=[0, 1, 2], speak=0)

    @rule(kind=st.sampled_from(["idle", "asap", "person", "taken"]))
    def newcomer(self, kind):
        """Add an agent or a person; a name that is taken adds nobody, not even those beside it."""
        if kind == "taken":
            with pytest.raises(InterComError):
                self.intercom.add(Agent("Newcomer"), Agent("agent 1"))
        elif kind == "person" and len(self.persons) < 3:
            self.add_person()
        elif len(self.agents) < 7:
            self.add_agent(asap=kind == "asap")

    def add_agent(self, *, asap):
        """Add an agent."""
        name = f"Agent {len(self.agents) + 1}"
        mission = self.unique("mission")
        mail = "asap" if asap else "when_idle"
        agent = Agent(name, description=f"is\n{name}", mission=mission, mail=mail, context=CONTEXT)
        self.intercom.add(agent)
        self.agents.append(agent.id)
        self.missions[agent.id] = [mission]

    def add_person(self):
        """Add a person."""
        self.persons.append(self.intercom.add_person(f"Person {len(self.persons) + 1}").id)

    @rule(who=PLACES)
    def edit_mission(self, who):
        """Change what an agent is for."""
        agent_id = self.pick(who, self.agents)
        mission = self.unique("mission")
        if agent_id == "nobody":
            self.attempt(allowed=False, act=lambda: setattr(self.intercom[agent_id], "mission", mission))
        else:
            self.intercom[agent_id].mission = mission
            self.missions[agent_id].append(mission)

    # -- chats

    @precondition(lambda self: len(self.rosters) < 5)
    @rule(admin=PLACES, others=st.lists(PLACES, min_size=1, max_size=5), speak=st.integers(0, 4))
    def create_chat(self, admin, others, speak):
        """Create a chat, often of too few, or with somebody unknown, or with nothing to say."""
        admin_id, other_ids = self.pick(admin, self.members), [self.pick(n, self.members) for n in others]
        roster = list(dict.fromkeys([admin_id, *other_ids]))
        message = [None, None, self.unique("1|all"), "  ", self.unique("hello")][speak]
        allowed = len(roster) >= 3 and "nobody" not in roster and message != "  "
        chat = self.attempt(
            allowed, lambda: self.intercom.create_chat(other_ids, self.unique("Chat"), "for all", admin_id, message)
        )
        if chat is not None:
            self.rosters[chat.id], self.admins[chat.id] = roster, admin_id
            if message is not None:
                self.heard[self.seq_of(message)] = set(roster) - {admin_id}

    def seq_of(self, text):
        """Return the place in the log of a unique text."""
        return next(m.seq for m in self.intercom.messages if m.text == text)

    @rule(changes=st.lists(st.tuples(st.booleans(), PLACES, PLACES, st.integers(0, 4)), min_size=1, max_size=4))
    def change_members(self, changes):
        """Add members to chats and remove some, as the admin or not."""
        for joins, chat, who, by_admin in changes:
            chat_id, who_id, admin_id = self.in_chat(chat, who, by_admin)
            roster, is_admin = self.rosters.get(chat_id, []), admin_id == self.admins.get(chat_id)
            if joins:
                allowed = is_admin and who_id != "nobody" and who_id not in roster
                self.attempt(allowed, partial(self.intercom.add_chat_member, who_id, chat_id, admin_id))
                roster += [who_id] * allowed
            else:
                allowed = is_admin and who_id in roster and who_id != admin_id
                self.attempt(allowed, partial(self.intercom.remove_chat_member, who_id, chat_id, admin_id))
                roster[:] = [member_id for member_id in roster if not (allowed and member_id == who_id)]

    def in_chat(self, chat, who, by_admin):
        """Return ids of a chat, of somebody, and mostly of the chat's admin."""
        chat_id = self.pick(chat, self.rosters)
        admin_id = self.admins.get(chat_id, "nobody") if by_admin else self.pick(who + 1, self.members)
        return chat_id, self.pick(who, self.members), admin_id

    @precondition(lambda self: self.rosters)
    @rule(chat=PLACES, who=PLACES)
    def leave(self, chat, who):
        """Have an agent leave a chat by its own tool call; the chat goes on, under a new admin if need be."""
        chat_id, agent_id = self.pick(chat, self.rosters), self.agents[who % len(self.agents)]
        self.tell(agent_id, "leave_chat", {"chat_id": chat_id})
        roster = self.rosters.get(chat_id, [])
        if agent_id in roster:
            roster.remove(agent_id)
            if self.admins[chat_id] == agent_id and roster:
                self.admins[chat_id] = roster[0]

    @precondition(lambda self: len(self.rosters) < 5)
    @rule(who=PLACES, others=st.lists(PLACES, min_size=1, max_size=4))
    def create_chat_by_tool(self, who, others):
        """Have an agent create a chat by its own tool call."""
        agent_id, other_ids = self.agents[who % len(self.agents)], [self.pick(n, self.members) for n in others]
        roster = list(dict.fromkeys([agent_id, *other_ids]))
        before = len(self.intercom.registry.chats)
        first = self.unique("hello")
        made = {"agent_ids": other_ids, "name": "A chat", "description": "", "message": first}
        self.tell(agent_id, "create_chat", made)
        if len(roster) >= 3 and "nobody" not in roster:
            chat = self.intercom.registry.chats[before]
            self.rosters[chat.id], self.admins[chat.id] = roster, agent_id
            self.heard[self.seq_of(first)] = set(roster) - {agent_id}

    def tell(self, agent_id, tool, arguments):
        """Have an agent call a tool, and wait until it has."""
        self.settle()
        message = self.intercom.send_message(
            self.unique(f"do|{tool}|{json.dumps(arguments)}|"), agent_id, self.persons[0]
        )
        self.heard[message.seq] = {agent_id}
        self.settle()

    # -- messages

    @rule(mail=st.lists(st.tuples(PLACES, PLACES, HOPS), min_size=1, max_size=6))
    def write(self, mail):
        """Write to members, as others, as themselves, as nobody known, or from the program."""
        for sender, receiver, hops in mail:
            receiver_id = self.pick(receiver, self.members)
            sender_id = self.pick(sender, [*self.members, None])
            if sender_id is None and receiver_id not in self.agents:
                continue
            allowed = "nobody" not in (sender_id, receiver_id) and sender_id != receiver_id
            self.send(allowed, self.unique(f"{hops}|direct"), receiver_id, sender_id, {receiver_id})

    @rule(mail=st.lists(st.tuples(PLACES, PLACES, HOPS, st.booleans()), min_size=1, max_size=4))
    def write_to_groups(self, mail):
        """Write to groups, as members and as others."""
        for sender, chat, hops, inside in mail:
            chat_id = self.pick(chat, self.rosters)
            roster = self.rosters.get(chat_id, [])
            sender_id = self.pick(sender, roster if inside else self.members)
            allowed = sender_id in roster and len(roster) > 1
            self.send(allowed, self.unique(f"{hops}|group"), chat_id, sender_id, set(roster) - {sender_id})

    @rule(receiver=PLACES, text=st.sampled_from(["", " \n\t", "0|key"]))
    def write_oddly(self, receiver, text):
        """Send an empty message, which is none, or one message twice with one key, which is one."""
        receiver_id = self.agents[receiver % len(self.agents)]
        if not text.strip():
            self.attempt(allowed=False, act=lambda: self.intercom.send_message(text, receiver_id, self.persons[0]))
            return
        text = self.unique(text)
        message = self.intercom.send_message(text, receiver_id, self.persons[0], key=text)
        again = self.intercom.send_message(text, receiver_id, self.persons[0], key=text)
        assert message == again
        self.heard[message.seq] = {receiver_id}

    def send(self, allowed, text, receiver_id, sender_id, hearers):
        """Send, and remember who was there to hear it."""
        message = self.attempt(allowed, lambda: self.intercom.send_message(text, receiver_id, sender_id))
        if message is not None:
            self.heard[message.seq] = hearers

    @rule(who=PLACES, other=PLACES)
    def thank(self, who, other):
        """Have an agent thank another, and both thank for thanks until the guard lets no more through."""
        agent_id, other_id = self.agents[who % len(self.agents)], self.agents[other % len(self.agents)]
        self.count += 1
        letters = "".join(chr(ord("a") + int(digit)) for digit in str(self.count))  # a number would be something new
        self.tell(agent_id, "send_message", {"chat_id": other_id, "message": f"{THANKS}{letters}"})

    # -- running

    @rule(verb=st.sampled_from(["start", "start", "pause", "settle", "reopen"]))
    def drive(self, verb):
        """Let agents run, pause them, wait for them, or stop them wherever they are and go on with the log."""
        {"start": self.intercom.start, "pause": self.intercom.pause, "settle": self.settle, "reopen": self.reopen}[
            verb
        ]()

    def settle(self):
        """Let agents run until it is quiet, letting through what waits for a person, and look at everything."""
        self.intercom.start()
        while (reason := self.intercom.wait(QUIET_S)) == "courtesy":
            self.check(quiet=False)
            assert self.intercom.release() > 0
        assert reason == "quiet"
        self.check(quiet=True)

    def reopen(self):
        """Stop it, whatever it is doing, and go on with its log."""
        self.intercom.stop()
        before, path = snapshot(self.intercom), self.intercom.log.path
        self.intercom = InterComService.open(path, model=ScriptedAssistant(default=policy))
        assert before == snapshot(self.intercom)
        self.check(quiet=False)

    def check(self, *, quiet):
        """Compare the log with the model."""
        heard = check_log(self.intercom, quiet=quiet)
        assert self.heard == {seq: heard[seq] for seq in self.heard}
        versions = self.intercom._store.rows("SELECT agent_id, mission FROM agents WHERE kind = 'agent' ORDER BY seq")
        for agent_id, missions in self.missions.items():
            assert missions == [mission for owner, mission in versions if owner == agent_id]

    @invariant()
    def chats_are_as_expected(self):
        """Chats have the members, in the order, and the admins that the rules give."""
        chats = self.intercom.registry.chats
        assert {chat_id: tuple(roster) for chat_id, roster in self.rosters.items()} == {c.id: c.members for c in chats}
        for chat in chats:
            assert not chat.members or self.admins[chat.id] == chat.admin_id


Conversations.TestCase.settings = settings(
    max_examples=times(100),
    stateful_step_count=30,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
)
TestConversations = Conversations.TestCase
