"""The offline and the scripted assistant, through the real client; and the rules on their own."""

import asyncio
import itertools
import json
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx2
import openai
import pytest
from openai.types.responses import Response

from intercom_nb.models.offline import OFFLINE_MODEL, Call, Fail, OfflineAssistant, ScriptedAssistant, call
from intercom_nb.models.offline import past as offline_past
from intercom_nb.models.offline import rules as offline_rules
from intercom_nb.models.offline.rules import decide, experts, opening, reply_to
from intercom_nb.models.offline.words import classify, clip, first_person, is_answer, phrase, stems, task_of
from intercom_nb.texts.instructions import compose
from intercom_nb.texts.turns import ChatEntry, Incoming, chat_list_text, turn_text

FOUNDER_MISSION = (
    "You are a founder of the new AI startup providing a solution for building autonomous AI agents for businesses. "
    "Figure out how to market it. There are no documents or any other material."
)
DESIGNER_MISSION = (
    "You are an owner of a design studio. You know everything about design. "
    "Your business could benefit a lot from the latest AI development: autonomous AI agents."
)
CAST = {
    "Founder": ("Founder of the new AI startup", FOUNDER_MISSION),
    "Marketing Expert": (
        "Knows everything about marketing.",
        "You are a marketing expert. Your mission is to help others in marketing their products.",
    ),
    "Network Engineer": (
        "Knows everything about networks.",
        "You are a network engineer. Your mission is to help others with building robust and scalable networks.",
    ),
    "Domain Expert": (
        "Owner of a design studio whose business could benefit from autonomous AI agents.",
        DESIGNER_MISSION,
    ),
}
PERSON = ChatEntry("you", "You", "The person at the notebook.", "agent")
TOOLS = [
    {"type": "function", "name": name, "description": name, "parameters": {"type": "object"}, "strict": False}
    for name in ("send_message", "create_chat", "add_chat_member", "remove_chat_member", "leave_chat")
]
ALL_TOOLS = {str(tool["name"]) for tool in TOOLS}


# The real client in front of the app


def ask_all(app: Any, requests: Sequence[dict[str, Any]], **options: Any) -> list[Response]:
    """Send requests one after the other through the real client."""

    async def run() -> list[Response]:
        http = httpx2.AsyncClient(transport=httpx2.ASGITransport(app))
        key, url = "offline", "http://offline/v1"
        async with openai.AsyncOpenAI(base_url=url, api_key=key, http_client=http, max_retries=0, **options) as client:
            return [await client.responses.create(**request) for request in requests]

    return asyncio.run(run())


def ask(app: Any, **request: Any) -> Response:
    """Send one request through the real client."""
    return ask_all(app, [{"model": OFFLINE_MODEL, **request}])[0]


def post(app: Any, content: bytes, *, method: str = "POST", path: str = "/v1/responses") -> httpx2.Response:
    """Send raw bytes."""

    async def run() -> httpx2.Response:
        async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://offline") as client:
            return await client.request(method, path, content=content)

    return asyncio.run(run())


def entries_for(names: Sequence[str], *, without: str = "") -> list[ChatEntry]:
    """Return the chat list of a cast, the person among them."""
    return [PERSON] + [ChatEntry(slug(one), one, CAST[one][0], "agent") for one in names if one != without]


def slug(name: str) -> str:
    """Return an id."""
    return name.lower().replace(" ", "-")


def user(*messages: Incoming | str, entries: Sequence[ChatEntry] | None = None) -> dict[str, Any]:
    """Return a turn as an item."""
    return {"role": "user", "content": turn_text(messages, None if entries is None else chat_list_text(entries))}


def direct(author: str, text: str) -> Incoming:
    """Return a direct message."""
    return Incoming(author, slug(author), "agent", author, slug(author), text)


def grouped(author: str, text: str) -> Incoming:
    """Return a message in chat-1."""
    return Incoming("Talk", "chat-1", "group", author, slug(author), text)


def called(call_id: str, name: str, output: str, **arguments: Any) -> list[dict[str, Any]]:
    """Return a tool call and its output as items."""
    return [
        {"type": "function_call", "call_id": call_id, "name": name, "arguments": json.dumps(arguments)},
        {"type": "function_call_output", "call_id": call_id, "output": output},
    ]


def instructions_of(name: str, mission: str | None = None) -> str:
    """Return the instructions of one of the cast."""
    return compose(name, slug(name), CAST[name][1] if mission is None else mission)


def begun(mission: str, names: Sequence[str] = tuple(CAST), text: str = "Begin") -> list[Call | str]:
    """Return what the Founder does on a plain text."""
    turn = user(text, entries=entries_for(names, without="Founder"))
    return decide(instructions_of("Founder", mission), [turn], ALL_TOOLS)


def addressed(decision: Sequence[Call | str]) -> list[str]:
    """Return the ids of the agents a decision contacts."""
    ids: list[str] = []
    for one in decision:
        if isinstance(one, Call) and isinstance(one.arguments, dict):
            ids += one.arguments.get("agent_ids") or [one.arguments["chat_id"]]
    return ids


# A service by hand


@dataclass
class Table:
    """The service's part, played by hand: mail, groups and conversations, one run at a time."""

    names: Sequence[str]
    missions: dict[str, str] = field(default_factory=dict)
    app: Any = field(default_factory=OfflineAssistant)
    said: list[tuple[str, str, str]] = field(default_factory=list)
    groups: dict[str, tuple[str, list[str]]] = field(default_factory=dict)
    mail: dict[str, list[Incoming | str]] = field(default_factory=dict)
    conversations: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    def play(self) -> "Table":
        """Run agents until nobody has mail."""
        self.mail["Founder"] = ["Begin"]
        asyncio.run(self._play())
        return self

    async def _play(self) -> None:
        http = httpx2.AsyncClient(transport=httpx2.ASGITransport(self.app))
        async with openai.AsyncOpenAI(base_url="http://offline/v1", api_key="offline", http_client=http) as client:
            for _ in range(100):
                name = next((one for one in self.names if self.mail.get(one)), None)
                if name is None:
                    return
                await self._run(client, name)
        pytest.fail("the conversation does not end")

    async def _run(self, client: openai.AsyncOpenAI, name: str) -> None:
        groups = [ChatEntry(i, title, "", "group") for i, (title, members) in self.groups.items() if name in members]
        conversation = self.conversations.setdefault(name, [])
        conversation.append(user(*self.mail.pop(name), entries=[*entries_for(self.names, without=name), *groups]))
        for _ in range(10):
            body = {"input": conversation, "tools": TOOLS}
            instructions = instructions_of(name, self.missions.get(name))
            response = await client.responses.create(model="offline", instructions=instructions, extra_body=body)
            calls = [item for item in response.output if item.type == "function_call"]
            conversation += [item.model_dump(exclude_none=True, mode="json") for item in response.output]
            if not calls:
                return
            for item in calls:
                output = self._carry_out(name, item.name, json.loads(item.arguments))
                conversation.append({"type": "function_call_output", "call_id": item.call_id, "output": output})
        pytest.fail("the run does not end")

    def _carry_out(self, name: str, tool: str, arguments: dict[str, Any]) -> str:
        by_id = {slug(one): one for one in self.names}
        if tool == "create_chat":
            chat_id = f"chat-{len(self.groups) + 1}"
            members = [name, *(by_id[one] for one in arguments["agent_ids"])]
            self.groups[chat_id] = (arguments["name"], members)
            self._deliver(name, chat_id, arguments["message"], members)
            return f"created {chat_id}; its members are {', '.join(members)}"
        assert tool == "send_message"
        chat_id = arguments["chat_id"]
        receivers = self.groups[chat_id][1] if chat_id in self.groups else [by_id[chat_id]]
        self._deliver(name, chat_id, arguments["message"], receivers)
        return "sent"

    def _deliver(self, sender: str, chat_id: str, text: str, receivers: Sequence[str]) -> None:
        self.said.append((sender, chat_id, text))
        frame = direct(sender, text)
        if chat_id in self.groups:
            frame = Incoming(self.groups[chat_id][0], chat_id, "group", sender, slug(sender), text)
        for one in receivers:
            if one != sender:
                self.mail.setdefault(one, []).append(frame)


def test_first_demo_asks_the_one_expert_sums_up_and_ends() -> None:
    """The Founder writes to the Marketing Expert, is answered, sums up; the Network Engineer hears nothing."""
    table = Table(["Founder", "Marketing Expert", "Network Engineer"]).play()

    assert [said[:2] for said in table.said] == [
        ("Founder", "marketing-expert"),
        ("Marketing Expert", "founder"),
        ("Founder", "marketing-expert"),
    ]
    assert [classify(text) for *_, text in table.said] == ["request", "statement", "summary"]
    assert "Network Engineer" not in table.conversations


def test_second_demo_makes_one_group_in_which_all_three_speak() -> None:
    """The Founder gathers Marketing Expert and Domain Expert, each answers once, one summary ends it."""
    table = Table(list(CAST)).play()

    assert [members for _, members in table.groups.values()] == [["Founder", "Marketing Expert", "Domain Expert"]]
    assert [said[:2] for said in table.said] == [
        ("Founder", "chat-1"),
        ("Marketing Expert", "chat-1"),
        ("Domain Expert", "chat-1"),
        ("Founder", "chat-1"),
    ]
    assert "Network Engineer" not in table.conversations
    summary = table.said[-1][2]
    assert summary.startswith("To sum up")
    assert "- Marketing Expert: " in summary
    assert "- Domain Expert: " in summary


def test_demos_read_well() -> None:
    """Every message but a group's summary is three plain sentences at most, and the group gets different answers."""
    table = Table(list(CAST)).play()

    assert all(len(text.split(". ")) <= 3 for *_, text in table.said[:-1])
    assert table.said[0][2].count("?") == 1
    assert table.said[0][2].endswith("?")
    assert not any("?" in text for *_, text in table.said[1:])
    assert len({text.rsplit("I would", 1)[1] for *_, text in table.said[1:3]}) == 2


def test_demos_are_the_same_every_time() -> None:
    """Two plays leave the same conversations, ids included, and no call id twice in one of them."""
    one, other = Table(list(CAST)).play(), Table(list(CAST)).play()

    assert one.conversations == other.conversations
    for conversation in one.conversations.values():
        ids = [item["call_id"] for item in conversation if item.get("type") == "function_call"]
        assert len(ids) == len(set(ids))


NETWORK_MISSIONS = [
    "You are a founder of a new company. Plan a robust network for its office.",
    FOUNDER_MISSION.replace(
        "Figure out how to market it.", "Figure out how to connect the computers of our new office to a network."
    ),
    "You are a founder. Our office needs networking for 30 people.",
    "Build an office network.",
    "You run a bakery. Please find out how best to set up NETWORKS in your shops. Do not do any marketing.",
]


@pytest.mark.parametrize("mission", NETWORK_MISSIONS)
def test_another_mission_contacts_another_expert(mission: str) -> None:
    """With a mission about networks the Network Engineer is asked, the Marketing Expert is not."""
    table = Table(["Founder", "Marketing Expert", "Network Engineer"], {"Founder": mission}).play()

    assert [said[:2] for said in table.said] == [
        ("Founder", "network-engineer"),
        ("Network Engineer", "founder"),
        ("Founder", "network-engineer"),
    ]
    assert "network" in table.said[0][2]


@pytest.mark.parametrize("mission", NETWORK_MISSIONS)
def test_another_mission_in_the_large_cast_leaves_marketing_out(mission: str) -> None:
    """Whoever else fits, the Network Engineer is among those asked and the Marketing Expert is not."""
    ids = addressed(begun(mission))

    assert "network-engineer" in ids
    assert "marketing-expert" not in ids


# Whom to ask


def test_another_description_contacts_another_expert() -> None:
    """The description decides, whatever the name."""
    entries = [ChatEntry("a", "Ann", "Knows gardens.", "agent"), ChatEntry("b", "Bob", "Sells on markets.", "agent")]

    assert [entry.id for entry, _ in experts("Figure out how to market it.", entries)] == ["b"]


def test_experts_are_ranked_by_rare_words_and_at_most_five() -> None:
    """A word that only one description has weighs more than one they all have."""
    entries = [ChatEntry(f"a{n}", f"A{n}", "Tea merchant.", "agent") for n in range(9)]
    entries.append(ChatEntry("b", "B", "Tea merchant of Ceylon.", "agent"))

    assert [entry.id for entry, _ in experts("Sell tea from Ceylon.", entries)] == ["b", "a0", "a1", "a2", "a3"]


def test_person_is_not_contacted_by_accident() -> None:
    """A mission that shares words with the person's description leaves the person in peace."""
    decision = begun("You are a person with a notebook. You sell notebooks to people.", ["Network Engineer"])

    assert decision == ["Nobody on my chat list fits my mission, so I write to nobody."]


@pytest.mark.parametrize("description", ["The person at the notebook.", "A human at the keyboard who loves marketing."])
def test_person_is_known_by_the_description(description: str) -> None:
    """A person need not be called You."""
    assert experts("Market pianos.", [ChatEntry("ada", "Ada", description, "agent")]) == []


def test_task_counts_together_with_the_mission() -> None:
    """A plain text other than Begin is a task: it adds whom to ask and is what the opening speaks of."""
    decision = begun("You are a founder.", text="Find somebody for our office network?")

    assert addressed(decision) == ["network-engineer"]
    assert isinstance(decision[0], Call)
    assert isinstance(decision[0].arguments, dict)
    message = decision[0].arguments["message"]
    assert "I was given this task: Find somebody for our office network." in message
    assert message.count("?") == 1


def test_begin_again_does_not_ask_again() -> None:
    """The same question to the same agent is asked once."""
    entries = entries_for(["Marketing Expert"])
    first = decide(instructions_of("Founder"), [user("Begin", entries=entries)], ALL_TOOLS)
    assert isinstance(first[0], Call)
    assert isinstance(first[0].arguments, dict)
    done = called("c1", "send_message", "sent", **first[0].arguments)
    items = [user("Begin"), *done, {"role": "assistant", "content": "Wrote."}, user("Begin", entries=entries)]

    assert decide(instructions_of("Founder"), items, ALL_TOOLS) == ["I have asked Marketing Expert about this already."]


def test_group_that_fits_is_used() -> None:
    """A group on the chat list that is about the matter saves making another."""
    group = ChatEntry("chat-7", "Marketing AI agents", "How autonomous AI for businesses is marketed.", "group")
    turn = user("Begin", entries=[*entries_for(list(CAST), without="Founder"), group])
    decision = decide(instructions_of("Founder"), [turn], ALL_TOOLS)

    assert [one.name for one in decision if isinstance(one, Call)] == ["send_message"]
    assert addressed(decision) == ["chat-7"]


def test_group_made_for_others_is_not_used() -> None:
    """A group of one's own without everybody wanted does not fit."""
    group = ChatEntry("chat-1", "Networks", "Founder asks for advice on networks.", "group")
    made = called("c1", "create_chat", "created chat-1", agent_ids=["network-engineer", "x"], message="Hello?")
    turn = user("Begin", entries=[*entries_for(list(CAST), without="Founder"), group])
    decision = decide(instructions_of("Founder"), [*made, turn], ALL_TOOLS)

    assert [one.name for one in decision if isinstance(one, Call)] == ["create_chat"]


def test_several_are_asked_one_by_one_where_groups_cannot_be_made() -> None:
    """Without create_chat each expert gets a message of its own."""
    turn = user("Begin", entries=entries_for(list(CAST), without="Founder"))

    assert addressed(decide(instructions_of("Founder"), [turn], {"send_message"})) == [
        "marketing-expert",
        "domain-expert",
    ]


def test_opening_says_who_what_for_and_asks_one_question() -> None:
    """Denials stay out of it, and a task with a question mark still leaves one question."""
    assert opening(("Founder", FOUNDER_MISSION, ""), ["marketing", "law"], group=True) == (
        "I am a founder of the new AI startup providing a solution for building autonomous AI agents for businesses. "
        "I have to figure out how to market it. What does each of you advise on marketing and law?"
    )
    assert opening(("Ann", "Sell tea.", "How?"), ["tea"]).count("?") == 1


# Answering


def answer_of(name: str, *frames: Incoming, before: Sequence[dict[str, Any]] = ()) -> list[Call | str]:
    """Return what one of the cast does on messages."""
    return decide(instructions_of(name), [*before, user(*frames, entries=entries_for(list(CAST)))], ALL_TOOLS)


def test_question_is_answered_in_the_chat_where_it_was_asked() -> None:
    """A direct question goes back to its author, a question in a group to the group."""
    assert addressed(answer_of("Marketing Expert", direct("Founder", "How to sell it?"))) == ["founder"]
    assert addressed(answer_of("Marketing Expert", grouped("Founder", "How to sell it?"))) == ["chat-1"]


def test_several_questions_in_one_chat_get_one_answer() -> None:
    """Two questions in a group and one direct make two answers."""
    frames = [grouped("Founder", "What now?"), grouped("Domain Expert", "And how?"), direct("Founder", "Why?")]

    assert addressed(answer_of("Marketing Expert", *frames)) == ["chat-1", "founder"]


@pytest.mark.parametrize(
    "text", ["To sum up, we sell it. Right?", "Thanks, that helps!", "The studio opens at nine.", "Great, thank you."]
)
def test_what_asks_nothing_is_left_alone(text: str) -> None:
    """Summaries, thanks and plain statements get no answer, in a group or between two."""
    for frame in (direct("Founder", text), grouped("Founder", text)):
        assert answer_of("Marketing Expert", frame) == ["Nothing here asks anything of me."]


def test_answer_outside_the_mission_says_so() -> None:
    """Honest and short, and it asks nothing back."""
    answer = reply_to("Which wine goes with fish?", "Network Engineer", CAST["Network Engineer"][1])

    assert answer == (
        "I am a network engineer. My mission is to help others with building robust and scalable networks. "
        "I can say nothing on wine: it lies outside what I know."
    )


def test_second_answer_needs_no_introduction() -> None:
    """Who has spoken in a chat before comes to the point."""
    before = called("c1", "send_message", "sent", chat_id="founder", message="I am a marketing expert.")
    (answer,) = answer_of("Marketing Expert", direct("Founder", "What of marketing in May?"), before=before)

    assert isinstance(answer, Call)
    assert isinstance(answer.arguments, dict)
    assert answer.arguments["message"].startswith("On marketing, I would ")


def test_answers_never_ask() -> None:
    """Not even where mission or question are full of question marks."""
    assert "?" not in reply_to("Tea? Coffee?", "Ann?", "Do you like tea? You sell tea? What is tea?")


@pytest.mark.parametrize("name", list(CAST))
def test_answer_to_an_answer_never_comes(name: str) -> None:
    """Whatever an agent answers, no other agent takes it for a request."""
    for mission, question in itertools.product([CAST[one][1] for one in CAST], ["What of marketing?", "Why?", "Help!"]):
        assert classify(reply_to(question, name, mission)) == "statement"


# Waiting, and summing up


def asked_group(*frames: Incoming, tail: Sequence[dict[str, Any]] = ()) -> list[Call | str]:
    """Return what the Founder does after asking two in chat-1, on messages."""
    ids = ["marketing-expert", "domain-expert"]
    made = called("c1", "create_chat", "created chat-1; its admin is you", agent_ids=ids, message="What do you advise?")
    note = {"role": "assistant", "content": [{"type": "output_text", "text": "Asked."}]}
    turn = user(*frames, entries=entries_for(list(CAST), without="Founder"))
    return decide(instructions_of("Founder"), [user("Begin"), *made, note, *tail, turn], ALL_TOOLS)


def test_asker_waits_until_everybody_is_heard() -> None:
    """One of two answers: a note says who is missing."""
    assert asked_group(grouped("Marketing Expert", "I would start small.")) == ["Waiting for Domain Expert."]


def test_asker_sums_up_when_the_last_answer_comes() -> None:
    """Answers of earlier turns count, and each expert gets a line."""
    tail = [user(grouped("Marketing Expert", "I would start small.")), {"role": "assistant", "content": "Waiting."}]
    (summary,) = asked_group(grouped("Domain Expert", "My name is Dora. Studios want samples."), tail=tail)

    assert summary == call(
        "send_message",
        chat_id="chat-1",
        message="To sum up, this is what I take from you:\n"
        '- Marketing Expert: "I would start small."\n- Domain Expert: "Studios want samples."\nThank you all.',
    )


def test_answer_given_directly_counts_for_the_group() -> None:
    """Who was asked in a group and answers between two has been heard; the summary still goes to the group."""
    frames = [direct("Marketing Expert", "I would start small."), grouped("Domain Expert", "Studios want samples.")]

    assert addressed(asked_group(*frames)) == ["chat-1"]


def test_asker_sums_up_once() -> None:
    """After the summary, more words on the matter are left alone."""
    both = user(grouped("Marketing Expert", "Start small, I say."), grouped("Domain Expert", "Studios want samples."))
    summed = called("c2", "send_message", "sent", chat_id="chat-1", message="To sum up, samples.")
    decision = asked_group(grouped("Domain Expert", "And make them pretty."), tail=[both, *summed])

    assert decision == ["Nothing here asks anything of me."]


def test_question_back_is_answered_and_is_no_answer() -> None:
    """An expert who only asks back has not been heard yet."""
    decision = asked_group(grouped("Marketing Expert", "What is the startup about?"))

    assert addressed(decision) == ["chat-1"]
    assert isinstance(decision[0], Call)
    assert isinstance(decision[0].arguments, dict)
    assert not decision[0].arguments["message"].startswith("To sum up")


def test_advice_in_the_imperative_is_an_answer() -> None:
    """Advice may open like an order without becoming a request to the one who asked for it."""
    assert asked_group(grouped("Marketing Expert", "Find a niche first.")) == ["Waiting for Domain Expert."]


def test_removed_member_is_not_waited_for() -> None:
    """Whoever was taken out of the group need not answer."""
    removed = called("c2", "remove_chat_member", "removed", agent_id="domain-expert", chat_id="chat-1")

    assert addressed(asked_group(grouped("Marketing Expert", "I would start small."), tail=removed)) == ["chat-1"]


def test_refused_call_opens_no_matter() -> None:
    """A message that was not accepted waits for nobody."""
    refused = called("c1", "send_message", "no agent or chat has the id 'x'", chat_id="x", message="What?")

    assert offline_past.read_past(refused, "founder").matters == []


@pytest.mark.parametrize(
    ("output", "accepted"),
    [
        ("sent to ann; an answer would come in a later turn", True),
        ("ann is now a member of chat-1, and has not read what was said there before", True),
        ("ann is no longer a member of chat-1", True),
        ("Error: the chat chat-1 has only two others", False),
        ("no agent or chat has the id 'x'", False),
    ],
)
def test_outputs_say_whether_a_call_was_accepted(output: str, accepted: bool) -> None:  # noqa: FBT001
    """Read from the beginning: later words may deny something else."""
    assert offline_past.is_accepted(output) is accepted


def test_added_member_is_waited_for_in_the_next_matter() -> None:
    """A question after somebody joined is a question to that one too."""
    made = called("c1", "create_chat", "created chat-1", agent_ids=["a", "b"], message="Hello.")
    added = called("c2", "add_chat_member", "c is now a member of chat-1", agent_id="c", chat_id="chat-1")
    asked = called("c3", "send_message", "sent to chat-1", chat_id="chat-1", message="What do you advise?")
    (matter,) = offline_past.read_past([*made, *added, *asked], "founder").matters

    assert matter.missing == {"a", "b", "c"}


def test_in_a_group_of_others_one_answer_is_enough() -> None:
    """Who does not know the members takes the first answer."""
    sent = called("c1", "send_message", "sent", chat_id="chat-1", message="What of networks?")
    turn = user(grouped("Network Engineer", "Lay more cables."), entries=entries_for(list(CAST)))

    assert addressed(decide(instructions_of("Founder"), [*sent, turn], ALL_TOOLS)) == ["chat-1"]


# Odd requests


def test_outputs_are_followed_by_a_note() -> None:
    """What was done, or what went wrong, and nothing more."""
    made, made_output = called("c1", "create_chat", "created chat-3; ...")
    sent, sent_output = called("c2", "send_message", "sent", chat_id="ann")
    bad = called("c3", "send_message", "no agent or chat has the id 'x'; right would be one of: ann", chat_id="x")

    assert decide("", [made, sent, made_output, sent_output], ALL_TOOLS) == [
        "Created chat-3 and wrote to it. Wrote to ann."
    ]
    assert decide("", bad, ALL_TOOLS) == [
        "send_message did not work: no agent or chat has the id 'x'; right would be one of: ann"
    ]


def test_without_send_message_there_is_only_text() -> None:
    """A stand-in with no tools says what it is."""
    response = ask(OfflineAssistant(), input="Hello?", instructions="You are kind.")

    assert (
        response.output_text == "I am a rule-based stand-in and was given no send_message tool, so I write to nobody."
    )


ODD_INPUTS: list[Any] = [
    "Begin",
    "",
    [],
    None,
    7,
    {"role": "user"},
    [None, 3, "x", {}, {"role": "user"}, {"role": "user", "content": 5}],
    [{"role": "user", "content": [{"type": "input_text", "text": "Message:\nBegin"}, 4]}],
    [{"role": "user", "content": "Chat list:\n{}\n\nMessage:\nBegin"}],
    [{"role": "user", "content": "Chat list:\n[1]\n\nMessage:\nBegin"}],
    [{"role": "user", "content": "Chat list:\nnot json\n\nMessage:\nBegin"}],
    [{"role": "user", "content": 'Chat list:\n{"id":1,"name":2,"description":3,"type":4}\n\nMessage:\nBegin'}],
    [{"role": "user", "content": 'Chat list:\n{"id":"a","name":null,"description":[],"type":"agent"}\n\nMessage:\nX?'}],
    [{"type": "function_call"}, {"type": "function_call_output"}],
    [{"type": "function_call", "call_id": [], "name": {}, "arguments": "[]"}, {"role": "user", "content": "Hi?"}],
    [{"type": "function_call", "call_id": "a", "name": "create_chat", "arguments": "{"}, {"role": "user"}],
    [*called("a", "create_chat", "created chat-1", agent_ids=3, message=[1]), {"role": "user", "content": "Begin"}],
    [{"role": "assistant", "content": "Done."}],
    [{"type": "reasoning", "summary": []}, {"role": "user", "content": "\ud800 ?"}],
]


@pytest.mark.parametrize("value", ODD_INPUTS, ids=range(len(ODD_INPUTS)))
@pytest.mark.parametrize("instructions", ["You plan networks.", "", None, 5, ["x"]])
def test_odd_requests_are_answered(value: object, instructions: object) -> None:
    """Nothing a request can hold makes the assistant fail."""
    body = {"model": "offline", "input": value, "instructions": instructions, "tools": [*TOOLS, None, {"name": []}]}
    answer = post(OfflineAssistant(), json.dumps(body).encode())

    assert answer.status_code == 200
    assert Response.model_validate(answer.json()).output


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"{", "not valid JSON"),
        (b"\xff", "not valid JSON"),
        (b"[" * 100_000, "not valid JSON"),
        (b"[]", "should be a JSON object"),
    ],
)
def test_bad_bodies_are_refused_with_a_sentence(content: bytes, said: str) -> None:
    """400 in the server's own form."""
    answer = post(OfflineAssistant(), content)

    assert answer.status_code == 400
    assert said in answer.json()["error"]["message"]


@pytest.mark.parametrize(("method", "path"), [("GET", "/v1/responses"), ("POST", "/v1/chat/completions")])
def test_other_paths_are_not_found(method: str, path: str) -> None:
    """404 in the server's own form."""
    answer = post(OfflineAssistant(), b"{}", method=method, path=path)

    assert answer.status_code == 404
    assert path in answer.json()["error"]["message"]


def test_a_stream_is_one_the_client_understands() -> None:
    """Its strict reader puts the same response together from the events as comes without a stream."""

    async def streamed() -> Response:
        http = httpx2.AsyncClient(transport=httpx2.ASGITransport(ScriptedAssistant(default=lambda _: script)))
        async with (
            openai.AsyncOpenAI(base_url="http://offline/v1", api_key="k", http_client=http) as client,
            client.responses.stream(model="scripted", input="Begin", store=False) as stream,
        ):
            pieces = [event.delta async for event in stream if event.type.endswith(".delta")]
            assert "".join(pieces) == "Thinking  of it.\n" + '{"chat_id": "bob", "message": "Hi there"}'
            return await stream.get_final_response()

    script = ["Thinking  of it.\n", call("send_message", chat_id="bob", message="Hi there")]
    response = asyncio.run(streamed())

    assert response.output_text == "Thinking  of it.\n"
    assert response.output[1].type == "function_call"


# The form of an answer


def test_response_is_complete_and_the_same_every_time() -> None:
    """Valid in the client's own types, ids included in the sameness, usage by the stated rule."""
    body = {"model": "offline", "instructions": "Über", "input": "Begin", "tools": TOOLS, "stream": False}
    one, other = (post(OfflineAssistant(), json.dumps(body).encode()).json() for _ in range(2))
    response = Response.model_validate(one)

    assert one == other
    assert (response.status, response.model) == ("completed", OFFLINE_MODEL)
    assert response.usage is not None
    read = json.dumps(["Über", "Begin", TOOLS], ensure_ascii=False, separators=(",", ":")).encode()
    assert response.usage.input_tokens == -(-len(read) // 4)
    assert response.usage.input_tokens_details.cached_tokens == 0
    assert response.usage.total_tokens == response.usage.input_tokens + response.usage.output_tokens


def test_labels_say_what_they_are() -> None:
    """Nobody takes a stand-in for a model."""
    assert OfflineAssistant.label == "offline stand-in (rule-based, no language model)"
    assert "no language model" in repr(OfflineAssistant())
    assert "no language model" in repr(ScriptedAssistant())
    assert {OfflineAssistant.model, ScriptedAssistant.model} == {"offline", "scripted"}


def test_delay_is_waited_before_the_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """The assistant takes its time, and only then."""
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    monkeypatch.setattr(asyncio, "sleep", sleep)
    post(OfflineAssistant(delay=2.5), b"{}")
    post(ScriptedAssistant(default=lambda _: Fail(hang=7)), b"{}")
    post(OfflineAssistant(), b"{}")

    assert slept == [2.5, 7]


@pytest.mark.alone
def test_answers_cost_little_cpu() -> None:
    """A decision on a conversation of two hundred items stays far below what a server would take."""
    group = [called(f"c{n}", "send_message", "sent", chat_id="founder", message=f"Answer {n}.") for n in range(60)]
    items = [item for n, made in enumerate(group) for item in (user(direct("Founder", f"What is {n}?")), *made)]
    items.append(user(direct("Founder", "What of marketing?"), entries=entries_for(list(CAST))))
    decide(instructions_of("Marketing Expert"), items, ALL_TOOLS)
    began = time.process_time()
    for _ in range(10):
        decide(instructions_of("Marketing Expert"), items, ALL_TOOLS)

    assert (time.process_time() - began) / 10 < 0.05


# The scripted assistant


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


# Words


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("To sum up, fine?", "summary"),
        ("Summary: all is well.", "summary"),
        ("In summary, yes.", "summary"),
        ("Thank you very much!", "thanks"),
        ("Okay, got it.", "thanks"),
        ("Thanks. Please also send the plan.", "request"),
        ("Hello all, explain networks.", "request"),
        ("Tell me about tea.", "request"),
        ("What a day. Is it over?", "request"),
        ("Could you look at it", "request"),
        ("Design is everything.", "statement"),
        ("I would start small.", "statement"),
        ("", "statement"),
    ],
)
def test_messages_are_classified(text: str, kind: str) -> None:
    """By their openings and question marks."""
    assert classify(text) == kind


def test_answers_are_told_from_questions_back() -> None:
    """A question at the end does not unmake an answer."""
    assert is_answer("Start small with samples. What is the budget?")
    assert not is_answer("Please send me the documents.")
    assert not is_answer("To sum up, tea.")


def test_stems_leave_out_what_says_nothing() -> None:
    """Generic words, denials and numbers are no topic."""
    assert stems("You are an expert who knows everything and helps others with 30 new networks.") == ("network",)
    assert stems("Plan a party. There are no documents. Never mention politics.") == ("parti",)


def test_phrases_are_runs_of_neighbouring_words() -> None:
    """As written, but for a capital at the start of a sentence."""
    assert phrase("Founder of the new AI startup", {"ai", "startup"}) == "AI startup"
    assert phrase("Marketing, and Networks", {"market"}) == "marketing"
    assert phrase("Nothing here", {"market"}) == ""


def test_missions_turn_into_the_first_person() -> None:
    """Capitals kept, objects told from subjects."""
    assert first_person("You are kind; you're mine. Your cat helps you, and you feed it yourself.") == (
        "I am kind; I'm mine. My cat helps me, and I feed it myself."
    )
    assert task_of("Please plan a network.") == "I have to plan a network."
    assert task_of("AI needs power.") == "AI needs power."


def test_long_texts_are_cut_between_words() -> None:
    """And never longer than asked."""
    assert clip("one two three", 9) == "one two …"
    assert clip("x" * 50, 10) == "x" * 8 + " …"


def test_rules_name_what_they_offer() -> None:
    """`__all__` is there and sorted."""
    for module in (offline_past, offline_rules):
        assert sorted(module.__all__) == sorted(set(module.__all__))
        assert all(hasattr(module, name) for name in module.__all__)
