"""What a model is told about its tool calls: wrong ones are one sentence, right ones are read generously."""

import json

import pytest

from intercom_nb import Agent, Call, InvalidToolError, call
from intercom_nb.routing.chat_tools import CHAT_TOOLS


def tried(scripted, *calls, before=None):
    """Return what Ann is told about her calls, and the service; Ann, Bob, Cid and Dan are there, and You."""
    intercom = scripted({"Ann": [list(calls), "done"]})
    intercom.add(*(Agent(name) for name in ("Ann", "Bob", "Cid", "Dan")))
    intercom.add_person("You")
    if before is not None:
        before(intercom)
    intercom.start()
    intercom["ann"].begin()
    reason = intercom.wait(60)
    told = [item["output"] for item in intercom["ann"].conversation if item.get("type") == "function_call_output"]

    assert reason == "quiet"
    assert len(told) == len(calls)
    return told, intercom


def ann_has_a_group(intercom):
    """Make Ann the admin of chat-1, with Bob and Cid."""
    intercom.create_chat(["bob", "cid"], "Plan", "The plan.", "ann")


def bob_has_a_group(intercom):
    """Make Bob the admin of chat-1, with Ann and Cid."""
    intercom.create_chat(["ann", "cid"], "Plan", "The plan.", "bob")


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        (call("shout", text="x"), f"there is no tool 'shout'; right would be one of: {', '.join(CHAT_TOOLS)}"),
        (
            call("send_message", chat_id="bob"),
            "send_message: the argument 'message' is missing; it takes chat_id, message",
        ),
        (
            call("send_message", chat_id="bib", message="x"),
            "no agent or chat has the id 'bib'; right would be one of: bob, cid, dan, you",
        ),
        (
            call("send_message", chat_id="ann", message="x"),
            "'ann' is your own id; right would be one of: bob, cid, dan, you",
        ),
        (call("send_message", chat_id="bob", message=" "), "the message is empty: write what the receiver should read"),
        (
            call("create_chat", agent_ids=["bob"], name="Plan", description="x"),
            (
                "a group has at least three members, ann among them; agent_ids names bob: name two others at least, "
                "or write to a single one with send_message"
            ),
        ),
        (
            call("create_chat", agent_ids=["bob", "bob", "ann"], name="Plan", description="x"),
            (
                "a group has at least three members, ann among them; agent_ids names bob: name two others at least, "
                "or write to a single one with send_message"
            ),
        ),
        (
            call("create_chat", agent_ids=["bob", "eve"], name="Plan", description="x"),
            "no agent has the id 'eve'; right would be one of: bob, cid, dan, you",
        ),
        (
            call("create_chat", agent_ids=["bob", "cid"], name="a\nb", description="x"),
            "the name 'a\\nb' has a line break or control character: the name of a chat is one line",
        ),
        (
            call("create_chat", agent_ids="bob", name="Plan", description="x"),
            (
                "create_chat: the argument 'agent_ids' is 'bob': input should be a valid list; "
                "it takes agent_ids, name, description, message"
            ),
        ),
        (
            call("add_chat_member", agent_id="dan", chat_id="chat-1"),
            "no group chat has the id 'chat-1'; right would be one of: none",
        ),
        (call("leave_chat", chat_id="bob"), "no group chat has the id 'bob'; right would be one of: none"),
    ],
)
def test_a_wrong_call_is_one_sentence(scripted, wrong, sentence):
    """It says what is wrong and which values would be right, and the run goes on."""
    told, intercom = tried(scripted, wrong)

    assert told == [f"Error: {sentence}"]
    assert intercom._store.rows("SELECT failed FROM tool_calls") == [(1,)]
    assert len(intercom.messages) == 1


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        (
            call("add_chat_member", agent_id="bob", chat_id="chat-1"),
            "bob is already a member of chat-1; its members are: ann, bob, cid",
        ),
        (
            call("remove_chat_member", agent_id="dan", chat_id="chat-1"),
            "dan is no member of chat-1; its admin ann can add members",
        ),
        (
            call("remove_chat_member", agent_id="ann", chat_id="chat-1"),
            "you are the admin of chat-1 yourself; to go, call leave_chat",
        ),
    ],
)
def test_an_admins_mistakes_are_told(scripted, wrong, sentence):
    """A member already in, one not in, and removing oneself."""
    told, intercom = tried(scripted, wrong, before=ann_has_a_group)

    assert told == [f"Error: {sentence}"]
    assert intercom.chats["chat-1"].members == ("ann", "bob", "cid")


@pytest.mark.parametrize("tool", ["add_chat_member", "remove_chat_member"])
def test_only_the_admin_changes_members(scripted, tool):
    """Who is not the admin is told who is."""
    told, intercom = tried(scripted, call(tool, agent_id="dan", chat_id="chat-1"), before=bob_has_a_group)

    assert told == ["Error: only its admin bob adds and removes members of chat-1; ask bob to do it"]
    assert intercom.chats["chat-1"].members == ("bob", "ann", "cid")


def test_a_chat_of_one_hears_nothing(scripted):
    """The last member is told that nobody would read it."""

    def alone(intercom):
        ann_has_a_group(intercom)
        intercom.chats["chat-1"].remove_member("bob")
        intercom.chats["chat-1"].remove_member("cid")

    told, _ = tried(scripted, call("send_message", chat_id="chat-1", message="x"), before=alone)

    assert told == ["Error: chat-1 has no other member left, so nobody would read it; write to an agent directly"]


@pytest.mark.parametrize("written", ["bob", "Bob", "BOB", ' "bob" ', "`bob`", "“Bob”", "'Bob'"])
def test_ids_are_read_as_models_write_them(scripted, written):
    """Another case, quotes around it, or the exact name."""
    told, intercom = tried(scripted, call("functions.send_message", chat_id=written, message="Hi"))

    assert told == ["sent to bob; an answer would come in a later turn"]
    assert intercom.messages[-1].receiver_id == "bob"


@pytest.mark.parametrize("written", ["bo", "bobb", "Bob Ann", "bob,cid", "chat 1", ""])
def test_ids_are_never_guessed(scripted, written):
    """What is nearly an id is none."""
    told, intercom = tried(scripted, call("send_message", chat_id=written, message="Hi"), before=ann_has_a_group)

    assert told[0].startswith("Error: no agent or chat has the id ")
    assert len(intercom.messages) == 1


def test_several_calls_of_one_step_happen_in_order(scripted):
    """A group made in a step can be used by its next call; a wrong call in between stops nothing."""
    told, intercom = tried(
        scripted,
        call("create_chat", agent_ids=["bob", "cid"], name="Plan", description="x"),
        call("send_message", chat_id="nobody", message="x"),
        call("send_message", chat_id="chat-1", message="one"),
        call("add_chat_member", agent_id="Dan", chat_id="Plan"),
        call("send_message", chat_id="CHAT-1", message="two"),
    )
    heard = intercom._store.rows(
        "SELECT agent_id, text FROM deliveries JOIN messages USING (seq) WHERE text <> 'Begin'"
    )

    assert told[0] == "created chat-1; members: ann, bob, cid"
    assert told[1].startswith("Error: ")
    assert sorted(heard) == [("bob", "one"), ("bob", "two"), ("cid", "one"), ("cid", "two"), ("dan", "two")]


def test_a_first_message_saves_a_call(scripted):
    """create_chat takes it along; null and absent mean none."""
    told, intercom = tried(
        scripted,
        call("create_chat", agent_ids=["bob", "you"], name="A", description="x", message="Hello"),
        call("create_chat", agent_ids=["bob", "cid"], name="B", description="x", message=None),
        call("create_chat", agent_ids=["bob", "cid"], name="C", description="x"),
    )

    assert told == [
        "created chat-1 and sent your message; members: ann, bob, you",
        "created chat-2; members: ann, bob, cid",
        "created chat-3; members: ann, bob, cid",
    ]
    assert [message.text for message in intercom.messages[1:]] == ["Hello"]
    assert [message.text for message in intercom.people["you"].inbox] == ["Hello"]


def test_arguments_that_are_no_json_are_told(scripted):
    """The conversation keeps what the model wrote, and what it was told."""
    told, intercom = tried(scripted, Call("send_message", '{"chat_id": "bob", '))

    assert told[0].startswith("Error: send_message: the arguments are not valid JSON")
    written = [item for item in intercom["ann"].conversation if item.get("type") == "function_call"]
    assert written[0]["arguments"] == '{"chat_id": "bob", '


def test_tools_of_ones_own_run_beside_the_chat_tools(scripted):
    """Sync and async functions; what they raise is text for the model and an event; the step stays in order."""

    def double(n: int) -> int:
        """Double it."""
        return 2 * n

    async def fail() -> str:
        """Fail."""
        raise ZeroDivisionError("by zero")

    intercom = scripted(
        {
            "Ann": [
                [
                    call("send_message", chat_id="bob", message="first"),
                    call("double", n=4),
                    call("functions.fail"),
                    call("double", n="x"),
                    call("send_message", chat_id="bob", message="second"),
                ],
                "done",
            ]
        }
    )
    intercom.add(Agent("Ann", tools=[double, fail]), Agent("Bob"))
    intercom.start()
    intercom["ann"].begin()
    intercom.wait(60)
    told = [item["output"] for item in intercom["ann"].conversation if item.get("type") == "function_call_output"]
    events = intercom._store.rows("SELECT text FROM events WHERE kind = 'tool_failed'")

    assert told[1:3] == ["8", "Error: ZeroDivisionError: by zero"]
    assert told[3].startswith("Error: double: the argument 'n' is 'x': input should be a valid integer")
    assert [message.text for message in intercom.messages] == ["Begin", "first", "second"]
    assert [text.split(" ", 1)[0] for (text,) in events] == ["fail"]
    names = [tool["name"] for tool in intercom.assistant.requests[0]["tools"]]
    assert names == [*CHAT_TOOLS, "double", "fail"]


def test_a_sync_tool_may_call_the_service(scripted):
    """It runs in a thread of its own, so the service can answer it."""

    def report(text: str) -> str:
        """Report."""
        return intercom.send_message(text, "bob", "you").id

    intercom = scripted({"Ann": [call("report", text="from the tool"), "done"]})
    intercom.add(Agent("Ann", tools=[report]), Agent("Bob"))
    intercom.add_person("You")
    intercom.start()
    intercom["ann"].begin()
    intercom.wait(60)

    assert [message.text for message in intercom.messages] == ["Begin", "from the tool"]


def test_a_tool_cannot_take_the_name_of_a_chat_tool(scripted):
    """Nor that of another tool of the same agent."""

    def send_message(text: str) -> str:
        """Send."""
        return text

    def ping() -> str:
        """Ping."""
        return "pong"

    intercom = scripted()
    with pytest.raises(InvalidToolError, match="send_message cannot be a tool"):
        intercom.add(Agent("Ann", tools=[send_message]))
    with pytest.raises(InvalidToolError, match="ping cannot be a tool"):
        intercom.add(Agent("Ann", tools=[ping, ping]))

    assert intercom.registry.get_agents() == []


def test_mail_asap_joins_between_steps(scripted):
    """With mail="asap", what arrives during a run is read in its next step; by default it waits for the next run."""
    seen = {}
    for mail in ("asap", "when_idle"):

        def poke() -> str:
            """Write to Ann while she runs."""
            intercom.send_message("psst", "ann", "bob")  # noqa: B023 - used before the loop goes on
            return "poked"

        intercom = scripted({"Ann": [call("poke"), "done", "read"]}, name=mail)
        intercom.add(Agent("Ann", tools=[poke], mail=mail), Agent("Bob"))
        intercom.start()
        intercom["ann"].begin()
        intercom.wait(60)
        seen[mail] = ["psst" in json.dumps(request["input"]) for request in intercom.assistant.requests]

    assert seen == {"asap": [False, True], "when_idle": [False, False, True]}
