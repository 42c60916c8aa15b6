"""What a person does with a service in a cell, and what a mistake there says."""

import json
import sqlite3

import pytest

from intercom_nb import (
    Agent,
    ChatRuleError,
    InterComError,
    InterComService,
    InvalidNameError,
    LifecycleError,
    Limits,
    LogError,
    LogInUseError,
    MissingKeyError,
    NewerLogError,
    UnknownIdError,
    call,
    events_df,
)


def cast(*names):
    """Return agents with these names."""
    return [Agent(name, description=f"{name} of the cast.") for name in names]


def test_members_are_found_by_id_and_by_name(scripted):
    """The registry, square brackets and tab completion know the same ids."""
    intercom = scripted()
    intercom.add(*cast("Ann", "Marketing Expert"), Agent("Bob", id="B1"))
    you = intercom.add_person("You")

    assert intercom.registry.get_agent("marketing-expert").name == "Marketing Expert"
    assert intercom["Marketing Expert"] is intercom.registry.get_agent("MARKETING-EXPERT")
    assert [agent.id for agent in intercom.registry.get_agents()] == ["ann", "marketing-expert", "B1"]
    assert intercom.people["you"] is you
    assert intercom._ipython_key_completions_() == ["ann", "marketing-expert", "B1", "Ann", "Marketing Expert", "Bob"]


def test_a_chat_list_names_everybody_else_and_ones_groups(scripted):
    """Dicts of id, name, description and type, in that order; nobody is in their own."""
    intercom = scripted()
    intercom.add(*cast("Ann", "Bob"))
    intercom.add_person("You")
    intercom.create_chat(["bob", "you"], "Plan", "The plan.", "ann")
    intercom.create_chat(["ann", "you"], "Other", "Not for long.", "bob")
    intercom.chats["chat-2"].remove_member("ann")

    assert intercom.get_chat_list_for("ann") == [
        {"id": "bob", "name": "Bob", "description": "Bob of the cast.", "type": "agent"},
        {"id": "you", "name": "You", "description": "The person at the notebook.", "type": "agent"},
        {"id": "chat-1", "name": "Plan", "description": "The plan.", "type": "group"},
    ]
    assert list(intercom.get_chat_list_for("ann")[0]) == ["id", "name", "description", "type"]


def test_sending_returns_the_accepted_message(scripted):
    """It is in the log when the call returns, also when nothing runs yet."""
    intercom = scripted(logs="logs")
    intercom.add(*cast("Ann", "Bob"))
    message = intercom.send_message("Hello", receiver_id="bob", sender_id="ann")
    with sqlite3.connect(intercom.log.path) as other:
        rows = other.execute("SELECT seq, id, sender_id, receiver_id, chat_id, text FROM messages").fetchall()
    other.close()

    assert rows == [(message.seq, message.id, "ann", "bob", None, "Hello")]
    assert (message.type, message.run_id) == ("agent", None)
    assert intercom.messages == [message]
    assert intercom["bob"].status == "waiting"


def test_a_key_is_accepted_once(scripted):
    """A cell that runs twice says it once, in this process and after opening the log again."""
    intercom = scripted(logs="logs")
    intercom.add(*cast("Ann", "Bob"))
    first = intercom.send_message("Hello", "bob", "ann", key="greeting")
    second = intercom.send_message("Hello again", "bob", "ann", key="greeting")
    intercom.stop()
    again = InterComService.open(intercom.log.path, model="offline")
    third = again.send_message("Hello", "bob", "ann", key="greeting")
    n_messages = len(again.messages)
    again.stop()

    assert first == second == third
    assert n_messages == 1


def test_a_person_is_a_member_too(scripted):
    """Agents see the person and write to it; nobody waits for an answer, and groups may have persons."""
    intercom = scripted({"Ann": [call("send_message", chat_id="you", message="What budget?"), "waiting", "thanks"]})
    intercom.add(*cast("Ann", "Bob"))
    you = intercom.add_person("You")
    intercom.start()
    you.send_message("Plan a party", "ann")
    intercom.wait(60)
    you.send_message("Ten", "Ann")
    reason = intercom.wait(60)
    chat = intercom.create_chat(["ann", "bob"], "Plan", "x", admin_id="you", message="All of you")
    intercom.wait(60)

    assert [message.text for message in you.inbox] == ["What budget?"]
    assert reason == "quiet"
    assert chat.members == ("you", "ann", "bob")
    assert '"id": "you"' in intercom.assistant.requests[0]["input"][0]["content"]


def test_the_seeds_chat_methods_work_on_the_chat_itself(scripted):
    """send_message, add_member and remove_member of a chat obey the same rules."""
    intercom = scripted()
    intercom.add(*cast("Ann", "Bob", "Cid", "Dan"))
    chat = intercom.create_chat(["bob", "cid"], "Plan", "The plan.", "ann", "Hello")
    chat.add_member("dan")
    chat.remove_member("cid")
    message = chat.send_message("On we go", "bob")
    intercom.add_chat_member("cid", chat.id, admin_id="ann")
    intercom.remove_chat_member("dan", chat.id, admin_id="ann")
    heard = intercom._store.rows("SELECT agent_id FROM deliveries WHERE seq = ?", message.seq)

    assert (chat.id, chat.name, chat.description, chat.admin_id) == ("chat-1", "Plan", "The plan.", "ann")
    assert chat.members == ("ann", "bob", "cid")
    assert sorted(heard) == [("ann",), ("dan",)]


def test_a_mission_may_change_while_it_runs(scripted):
    """It takes effect at the next run, and each version stays in the log."""
    intercom = scripted({"Ann": ["one", "two"]})
    intercom.add(Agent("Ann", mission="First."))
    intercom.start()
    ann = intercom["ann"]
    ann.begin()
    intercom.wait(60)
    ann.mission = "Second."
    ann.description = "Seconds things."
    ann.begin()
    intercom.wait(60)
    versions = intercom._store.rows("SELECT version, mission, description FROM agents ORDER BY version")
    used = intercom._store.rows("SELECT agent_version FROM runs ORDER BY seq")

    assert versions == [(1, "First.", ""), (2, "Second.", ""), (3, "Second.", "Seconds things.")]
    assert used == [(1,), (3,)]
    told = [request["instructions"].splitlines()[4] for request in intercom.assistant.requests]
    assert told == ["First.", "Second."]
    assert intercom["ann"].mission == "Second."


def test_the_newest_turn_alone_shows_the_chat_list(scripted):
    """The seed's way, the list in every turn, is one argument away."""
    shown = {}
    for where in ("newest", "every"):
        intercom = scripted({"Ann": ["one", "two"]}, name=where, chat_list=where)
        intercom.add(*cast("Ann", "Bob"))
        intercom.start()
        for _ in range(2):
            intercom["ann"].begin()
            intercom.wait(60)
        items = intercom.assistant.requests[1]["input"]
        shown[where] = ["Chat list:" in item["content"] for item in items]

    assert shown == {"newest": [False, False, True], "every": [True, False, True]}


def test_the_prefix_of_a_conversation_stays_the_same(scripted):
    """Within a run each request begins with the whole of the last one, so a server's prompt cache works."""
    intercom = scripted(
        {"Ann": [call("send_message", chat_id="bob", message="Hi"), call("leave_chat", chat_id="x"), "done"]}
    )
    intercom.add(*cast("Ann", "Bob"))
    intercom.start()
    intercom["ann"].begin()
    intercom.wait(60)
    first, second, third = (json.dumps(r["input"])[:-1] for r in intercom.assistant.requests_of("Ann"))

    assert second.startswith(first)
    assert third.startswith(second)


def test_opening_goes_on_where_it_stopped(scripted):
    """Agents, chats, missions, pending mail and tools are there; nothing runs before start."""

    def ping() -> str:
        """Ping."""
        return "pong"

    intercom = scripted(logs="logs", name="first")
    intercom.add(Agent("Ann", mission="Plan.", tools=[ping], mail="asap"), *cast("Bob", "Cid"))
    intercom.create_chat(["bob", "cid"], "Plan", "x", "ann", message="Hello")
    intercom.stop()
    again = InterComService.open(intercom.log.path, model=intercom.assistant, tools=[ping])
    state = again.state
    with again:
        reason = again.wait(60)
    bob = again["bob"]

    assert (state, reason) == ("new", "quiet")
    assert again.name == "first"
    assert [(a.name, a.mission, a.spec.mail, len(a.tools)) for a in again.registry][:1] == [("Ann", "Plan.", "asap", 1)]
    assert again.chats["chat-1"].members == ("ann", "bob", "cid")
    assert "Hello" in bob.conversation[0]["content"]


def test_the_log_is_one_file_in_the_folder_that_was_named(scripted, monkeypatch, tmp_path):
    """logs= goes before THREAD_LOGS_PATH, that before ./logs; None keeps it in memory."""
    given = scripted(logs=tmp_path / "given").log.path
    default = scripted(name="a", logs=...).log.path
    monkeypatch.setenv("THREAD_LOGS_PATH", str(tmp_path / "set"))
    setting = scripted(name="b", logs=...).log.path
    memory = scripted(name="c", logs=None)

    assert given.parent == tmp_path / "given"
    assert default.parent.resolve() == (tmp_path / "logs").resolve()
    assert setting.parent == tmp_path / "set"
    assert memory.log.path is None
    assert given.name.endswith("-test.db")


def test_every_mistake_in_a_cell_raises_at_once_in_one_sentence(scripted, tmp_path):
    """What is wrong, the value, and what would be right; nothing written before is lost."""
    intercom = scripted(logs="logs")
    intercom.add(*cast("Ann", "Bob", "Cid"))
    intercom.create_chat(["bob", "cid"], "Plan", "x", "ann", message="kept")
    (tmp_path / "file").write_text("not a folder")
    other = Agent("Other")
    scripted(name="other").add(other)
    mistakes = [
        (UnknownIdError, "'zoe'.* bob, cid, chat-1", lambda: intercom.send_message("x", "zoe", "ann")),
        (UnknownIdError, "'zoe'", lambda: intercom.send_message("x", "ann", "zoe")),
        (UnknownIdError, "'zoe'", lambda: intercom["zoe"]),
        (UnknownIdError, "'zoe'", lambda: intercom.get_chat_list_for("zoe")),
        (UnknownIdError, "'chat-9'.* chat-1", lambda: intercom.add_chat_member("bob", "chat-9", "ann")),
        (UnknownIdError, "'chat-1'", lambda: intercom.registry.get_agent("chat-1")),
        (ChatRuleError, "empty", lambda: intercom.send_message("", "ann", "bob")),
        (ChatRuleError, "own id", lambda: intercom.send_message("x", "ann", "ann")),
        (ChatRuleError, "sender_id", lambda: intercom.send_message("x", "chat-1")),
        (ChatRuleError, "admin ann", lambda: intercom.remove_chat_member("cid", "chat-1", "bob")),
        (ChatRuleError, "at least three", lambda: intercom.create_chat(["bob"], "P", "x", "ann")),
        (ChatRuleError, "list of ids", lambda: intercom.create_chat("bob", "P", "x", "ann")),
        (InvalidNameError, "empty", lambda: Agent("  ")),
        (InvalidNameError, "empty", lambda: Agent("\u200b\u200b")),
        (InvalidNameError, "one line", lambda: Agent("a\nb")),
        (InvalidNameError, "no text", lambda: Agent(5)),
        (InvalidNameError, "ids of chats", lambda: Agent("x", id="chat-3")),
        (InvalidNameError, "no spaces", lambda: Agent("x", id="a b")),
        (InvalidNameError, "taken", lambda: intercom.add(Agent("ANN"))),
        (InvalidNameError, "taken", lambda: intercom.add(Agent("New", id="ann"))),
        (InvalidNameError, "taken", lambda: intercom.add(Agent("New"), Agent("new"))),
        (InvalidNameError, "empty", lambda: intercom.add_person("")),
        (InvalidNameError, "empty", lambda: InterComService("")),
        (LifecycleError, "another service", lambda: intercom.add(other)),
        (LifecycleError, "no service yet", lambda: Agent("Zoe").begin()),
        (LifecycleError, "not been started", intercom.wait),
        (MissingKeyError, "OPENAI_API_KEY", lambda: InterComService("x", model="gpt-5-mini")),
        (MissingKeyError, "'gpt-5-mini'", lambda: intercom.add(Agent("New", model="gpt-5-mini"))),
        (LogError, "THREAD_LOGS_PATH", lambda: InterComService("x", logs=tmp_path / "file")),
        (LogError, "no such log", lambda: InterComService.open(tmp_path / "none.db", model="offline")),
        (LogInUseError, "another service", lambda: InterComService.open(intercom.log.path, model="offline")),
        (TypeError, "add_person", lambda: intercom.add("Ann")),
        (TypeError, "mission=5", lambda: setattr(intercom["ann"], "mission", 5)),
        (ValueError, "asap", lambda: Agent("x", mail="now")),
        (ValueError, "newest", lambda: InterComService("x", chat_list="all")),
        (ValueError, "above 0", lambda: Limits(tokens=0)),
    ]
    for kind, words, mistake in mistakes:
        with pytest.raises(kind, match=words) as caught:
            mistake()
        assert "\n" not in str(caught.value)
    texts = [message.text for message in intercom.messages]
    members = [agent.id for agent in intercom.registry]

    assert texts == ["kept"]
    assert members == ["ann", "bob", "cid"]


def test_a_stopped_service_says_how_to_go_on(scripted):
    """Everything that would write raises, everything that reads still works."""
    intercom = scripted(logs="logs")
    intercom.add(*cast("Ann", "Bob"))
    intercom.send_message("Hello", "ann", "bob")
    intercom.stop()
    for act in (
        lambda: intercom.send_message("x", "ann", "bob"),
        lambda: intercom.add(Agent("New")),
        lambda: intercom.add_person("You"),
        intercom.retry,
        intercom.start,
    ):
        with pytest.raises(LifecycleError, match=r"InterComService\.open"):
            act()

    assert [message.text for message in intercom.messages] == ["Hello"]
    assert intercom.status == "stopped"
    assert "Hello" not in repr(intercom)


def test_a_log_of_a_later_schema_is_refused(scripted):
    """The sentence names both versions."""
    intercom = scripted(logs="logs")
    intercom.stop()
    with sqlite3.connect(intercom.log.path) as log:
        log.execute("UPDATE meta SET value = '99' WHERE key = 'schema'")
    log.close()

    with pytest.raises(NewerLogError, match=r"schema is 99.*up to 2"):
        InterComService.open(intercom.log.path, model="offline")


def test_an_agent_runs_in_one_service(scripted):
    """Adding it again to its own service is the mistake of a name that is taken, and changes nothing."""
    intercom = scripted()
    (ann,) = cast("Ann")
    intercom.add(ann)
    with pytest.raises(InterComError, match="taken"):
        intercom.add(ann)

    assert [agent.name for agent in intercom.registry] == ["Ann"]


def test_slugs_make_room_for_each_other(scripted):
    """Two names with the same slug get two ids; one that looks like a chat's id is changed."""
    intercom = scripted()
    intercom.add(Agent("R2 D2"), Agent("R2-D2"), Agent("Chat 1"), Agent("数据"), Agent("!"))

    assert [agent.id for agent in intercom.registry] == ["r2-d2", "r2-d2-2", "agent-chat-1", "数据", "agent"]


def test_subscribers_hear_every_message_in_order(scripted):
    """Until they end it with the function they were given; what they raise harms nobody."""
    heard = []

    def fail(message):
        raise RuntimeError(message.id)

    intercom = scripted({"Ann": [call("send_message", chat_id="bob", message="Hi"), "done"]})
    intercom.add(*cast("Ann", "Bob"))
    intercom.subscribe(fail)
    end = intercom.subscribe(lambda message: heard.append(message.text))
    intercom.start()
    intercom["ann"].begin()
    intercom.wait(60)
    end()
    end()
    intercom["bob"].begin()
    intercom.stop()

    assert heard == ["Begin", "Hi"]


def test_contacts_that_name_nobodys_team_are_told_once(scripted, tmp_path, capsys):
    """In one sentence with the teams there are, and an event, however often it is waited for."""
    intercom = scripted(default="done", logs=tmp_path)
    intercom.add(Agent("Ann", team="studio", contacts="workshop"), Agent("Bob", contacts=["ann", "attic"]))
    intercom.start()
    intercom["ann"].begin()
    intercom.wait(60, progress=False)
    told = capsys.readouterr()
    said = events_df(intercom).query("kind == 'unknown_contacts'")["text"].tolist()

    assert said == [
        f"contacts name '{team}', and nobody is in such a team or has such a name (teams: studio)"
        for team in ("workshop", "attic")
    ]
    assert [line for line in (told.out + told.err).splitlines() if "contacts name" in line] == [
        f"test: {sentence}" for sentence in said
    ]
