# ruff: noqa: E501 - a table, a line for each parameter
"""At the door: what makes no sense is told at once, in the cell, in one sentence of ours; then everything goes on."""

import math
import threading
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest

import intercom_nb
from intercom_nb import (
    Agent,
    AgentBuilder,
    Call,
    Fail,
    InterComError,
    InterComService,
    Limits,
    MissionLab,
    OfflineAssistant,
    Person,
    Price,
    ScriptedAssistant,
    Study,
    call,
    collapse,
    colours,
    demos,
    difference,
    divergence,
    fork,
    lineage,
    load_agents,
    read_thread_logs,
    replay,
    save_agents,
)

PACKAGE = str(Path(intercom_nb.__file__).parent)
SECONDS = 30  # for one call; none of them has any business to take so long
LONGEST = 800  # characters of a sentence that somebody can read

SURROGATE, HUGE, FOLDER = "half \ud800", "x" * 300_000, object()  # FOLDER: the path of a folder that is there
NUMBERS = (5, -1, 0, math.nan)
THINGS = (b"x", object(), lambda: None, Agent)
COLLECTIONS = ([], {}, (1, 2))

# What is wrong where something of this kind belongs.
NO_TEXT = (None, *NUMBERS, True, *THINGS, [], {}, SURROGATE)
NO_OPTIONAL_TEXT = NO_TEXT[1:]
NO_CALL = NO_TEXT[:-1]  # what a model writes may hold half a character
NO_NAME = (*NO_TEXT, "", " ", "two\nlines", HUGE)
NO_ID = (*NO_OPTIONAL_TEXT, "", " ", "two words", "chat-1", HUGE)
NO_MEMBER = (None, 5, True, b"x", object(), [], Agent, "", " ", "nobody", SURROGATE, HUGE)
NO_MEMBER_OR_ALL = NO_MEMBER[1:]
NO_FLAG = (None, 5, 0, math.nan, "yes", "", b"x", [], {}, object(), lambda: None, Agent)
NO_COUNT = ("1", "", math.nan, math.inf, -1, 1.5, True, b"x", [], {}, object(), lambda: None, Agent)
NO_OPTIONAL_COUNT = (*NO_COUNT, 0)
NO_SECONDS = ("x", "1", math.nan, -1, True, b"x", [], {}, object(), lambda: None, Agent)
NO_LIMITS = (100_000, 5, -1, "1", b"x", True, [], {}, {"usd": 1}, object(), lambda: None, Limits)
NO_SETTINGS = (
    5,
    "hot",
    b"x",
    True,
    [],
    [1],
    object(),
    lambda: None,
    Agent,
    {"temprature": 1},
    {"temperature": 5},
    {1: 2},
)
NO_MODEL = (5, "foo()", -1, True, "", " ", b"x", [], {}, object(), lambda: None, ScriptedAssistant, SURROGATE)
NO_PATH = (5, -1, True, "", " ", b"x", [], {}, object(), lambda: None, Path, "nul\0", SURROGATE, HUGE)
NO_FUNCTION = (None, 5, -1, True, "x", "", b"x", [], {}, object())
NO_TOOLS = (5, True, "look_up", b"x", {}, object(), lambda: None, [5], [None], ["look_up"], [lambda: None])
NO_CONTACTS = (-1, 0, True, math.nan, 1.5, "", " ", "a//b", b"x", {}, object(), [5], [None], SURROGATE)
NO_TEXTS = (5, "a", b"x", True, [], [1], object(), {"a": 1}, {1: "a"}, {"a": SURROGATE})
NO_SOURCE = (
    None,
    5,
    -1,
    math.nan,
    True,
    b"x",
    {},
    object(),
    lambda: None,
    InterComService,
    "",
    "nowhere.db",
    SURROGATE,
)
NO_SOURCE = (*NO_SOURCE, HUGE, "nul\0", [5], [None], (1, 2))
NO_BY = (None, 0, -1, 1.5, math.nan, True, "", "tem", b"x", [], {}, object(), Agent)
NO_CHOICE = (None, 5, True, "", "tem", b"x", [], {}, object(), Agent)
NO_AXES = (5, "x", b"x", True, [], {}, object(), lambda: None, Agent)


class Wrong(NamedTuple):
    """One parameter of one public callable, and what it may not be given."""

    parameter: str
    values: tuple[Any, ...]
    call: Callable[[SimpleNamespace, Any], object]


def by_name(
    parameter: str, values: tuple[Any, ...], make: Callable[..., object], /, *given: Any, **others: Any
) -> Wrong:
    """Return a parameter that is given by its name, of something that needs no service."""
    return Wrong(parameter, values, lambda _, value: make(*given, **{**others, parameter: value}))


def method(
    of: Callable[[SimpleNamespace], Any], name: str, parameter: str, values: tuple[Any, ...], /, **others: Any
) -> Wrong:
    """Return a parameter of a method."""
    return Wrong(parameter, values, lambda w, value: getattr(of(w), name)(**{**others, parameter: value}))


def setter(of: Callable[[SimpleNamespace], Any], name: str, values: tuple[Any, ...]) -> Wrong:
    """Return an attribute, and what it cannot be set to."""
    return Wrong(name, values, lambda w, value: setattr(of(w), name, value))


def service(**options: Any) -> InterComService:
    """Return a service that should not have been made."""
    made = InterComService(**{"name": "wrong", "logs": None, **options})
    made.stop()
    return made


def of_service(parameter: str, values: tuple[Any, ...]) -> Wrong:
    """Return an option of a service."""
    return by_name(parameter, values, service)


def of_open(parameter: str, values: tuple[Any, ...]) -> Wrong:
    """Return a parameter of opening a log; a log that is opened after all is closed again."""
    return Wrong(parameter, values, lambda w, value: InterComService.open(w.finished, **{parameter: value}).stop())


OPTIONS = (
    ("name", (*NO_NAME[1:],)),
    ("model", NO_MODEL),
    ("logs", NO_PATH),
    ("settings", NO_SETTINGS),
    ("limits", (None, *NO_LIMITS)),
    ("base_url", (5, True, "", " ", b"x", [], object(), "no address", "nul\0", SURROGATE, Agent)),
    ("api_key", (5, True, "", " ", b"x", [], object(), "two\nlines", SURROGATE, Agent)),
    ("client", (5, True, "x", b"x", [], {}, object(), lambda: None, Agent)),
    ("max_concurrency", (None, 0, *NO_COUNT)),
    ("max_retries", (None, *NO_COUNT)),
    ("timeout", (None, 0, *NO_SECONDS)),
    ("record", NO_PATH),
    ("play", (*NO_PATH, "nowhere.db", FOLDER)),
    ("thread_logs", NO_FLAG),
    ("chat_list", NO_CHOICE),
    ("prices", (None, 5, "x", b"x", True, [], object(), Price, {"m": 5}, {5: Price(input=1, output=1)}, {"m": Price})),
    ("context", (*NO_OPTIONAL_COUNT, 2**63)),
    ("courtesy", NO_FLAG),
    ("contacts", NO_CONTACTS),
    ("may_contact", (5, True, "x", b"x", [], {}, object())),
    ("embeddings", (5, True, "", " ", b"x", [], object(), Agent, SURROGATE)),
    ("tags", (None, *NO_TEXTS)),
)


def of_study(parameter: str, values: tuple[Any, ...]) -> Wrong:
    """Return a parameter of a study of the first demo."""
    return by_name(parameter, values, Study, name="x", cast=1)


ANEW = ("model", "settings", "limits", "base_url", "api_key", "client", "play", "contacts", "may_contact")
AGENT = (
    ("name", NO_NAME),
    ("description", NO_TEXT),
    ("mission", NO_TEXT),
    ("instructions", NO_OPTIONAL_TEXT),
    ("id", NO_ID),
    ("model", NO_MODEL),
    ("settings", NO_SETTINGS),
    ("tools", (None, *NO_TOOLS)),
    ("mail", NO_CHOICE),
    ("begins", NO_FLAG),
    ("limits", NO_LIMITS),
    ("notes", NO_FLAG),
    ("context", (*NO_OPTIONAL_COUNT, 2**63)),
    ("team", (*NO_TEXT, " ", "a//b", "team")),
    ("contacts", (*NO_CONTACTS, lambda: None)),
    ("data", (5, "x", b"x", True, [], object(), Agent, {1: 2}, {"a": object()}, {"a": math.nan}, {"a": SURROGATE})),
)


def ann(w: SimpleNamespace) -> Agent:
    """Return an agent of the service."""
    return w.intercom["ann"]


def there(w: SimpleNamespace) -> InterComService:
    """Return the service."""
    return w.intercom


def frames_of(name: str) -> list[Wrong]:
    """Return the parameters of a function that reads a log."""
    function = getattr(intercom_nb, name)
    wrong = [Wrong("source", NO_SOURCE, lambda _, value: function(value))]
    if (name.endswith("_df") and name != "replies_df") or name == "read_frames":
        wrong.append(Wrong("strict", NO_FLAG, lambda w, value: function(w.intercom, strict=value)))
    return wrong


READERS = (
    "activity", "agent_measures", "agents_df", "chats_df", "conversation_measures", "cost", "deliveries_df",
    "delivery_counts", "demo_goals", "events_df", "graph", "items_df", "left_alone", "memberships_df", "messages_df",
    "plot_activity", "plot_cost", "plot_graph", "plot_timeline", "plot_who_to_whom", "read_frames",
    "redundant_messages", "replies_df", "runs_df", "snapshot", "steps_df", "to_markdown", "to_mermaid",
    "tool_calls_df", "who_to_whom",
)  # fmt: skip
FORKED = (
    ("at", (0, -1, 1.5, math.nan, True, "", "m-0", "nowhere", b"x", [], {}, object(), 2**70, SURROGATE, Agent)),
    ("say", (5, "m-4", b"x", True, [], {}, object(), {"m-4": 5}, {5: "x"}, {"m-99": "x"}, {"m-99": SURROGATE})),
    ("play", (*NO_PATH, "nowhere.db", FOLDER)),
    ("options", (5, "x", b"x", [], object(), {"curtesy": True}, {"courtesy": 5}, {"model": 5}, {5: 5})),
)
VIEWS = ("AgentsView", "Dashboard", "GraphView", "Timeline", "Transcript")
PLOTS = ("plot_activity", "plot_cost", "plot_graph", "plot_timeline", "plot_who_to_whom")


def reading(name: str, parameter: str, values: tuple[Any, ...]) -> Wrong:
    """Return a parameter beside the source of a function that reads a log."""
    return Wrong(parameter, values, lambda w, value: getattr(intercom_nb, name)(w.intercom, **{parameter: value}))


CHAT = {"agent_ids": ["bob", "you"], "name": "All", "description": "", "admin_id": "ann"}
WHO = {"agent_id": "bob", "chat_id": "chat-1", "admin_id": "ann"}
NO_MESSAGE = (*NO_TEXT, "", " ", "\n")

TABLE: dict[str, list[Wrong]] = {
    "InterComService": [of_service(*option) for option in OPTIONS],
    "InterComService.open": [
        Wrong("path", (None, *NO_PATH, "nowhere.db", FOLDER), lambda _, value: InterComService.open(value).stop()),
        of_open("resume_tools", NO_FLAG),
        *(of_open(name, tuple(v for v in values if v is not None)) for name, values in OPTIONS if name in ANEW),
        of_open("tools", (None, *NO_TOOLS)),
        of_open("options", (5, "x", b"x", [], object(), {"curtesy": True}, {"courtesy": 5}, {"model": 5}, {5: 5})),
    ],
    "InterComService's attributes": [
        setter(there, "limits", (None, *NO_LIMITS)),
        setter(there, "settings", NO_SETTINGS),
        *(setter(there, name, ("x", None)) for name in ("name", "log", "model", "agents", "state", "spent", "chats")),
        setter(there, "limit", (Limits(), 5)),
        setter(there, "setings", ({}, 5)),
    ],
    "InterComService's members": [
        Wrong("key", NO_MEMBER, lambda w, value: w.intercom[value]),
        Wrong("agents", (None, 5, "ann", b"x", [], {}, object(), Agent), lambda w, value: w.intercom.add(value)),
        Wrong("twice", (1, 2), lambda w, _: w.intercom.add(*[Agent("Zed")] * 2)),
        Wrong("again", (1, 2), lambda w, _: w.intercom.add(ann(w))),
        Wrong("a name that is taken", ("Ann", "ann"), lambda w, value: w.intercom.add(Agent(value))),
        Wrong("a word that is none", ("tem", "evryone", "relevnt"), lambda w, value: w.intercom.add(Agent("Zed", contacts=value))),
        method(there, "add_person", "name", NO_NAME),
        method(there, "add_person", "description", NO_TEXT, name="Zed"),
        method(there, "add_person", "id", NO_ID, name="Zed"),
        method(there, "add_person", "team", (*NO_TEXT, " ", "a//b", "team"), name="Zed"),
        method(there, "get_chat_list_for", "agent_id", NO_MEMBER),
        method(there, "search", "query", NO_TEXT),
        method(there, "search", "limit", (None, *NO_COUNT), query="ann"),
    ],
    "InterComService's messages": [
        method(there, "send_message", "message", NO_MESSAGE, receiver_id="ann"),
        method(there, "send_message", "receiver_id", NO_MEMBER, message="Hi"),
        method(there, "send_message", "sender_id", NO_MEMBER_OR_ALL, message="Hi", receiver_id="ann"),
        method(there, "send_message", "key", (*NO_OPTIONAL_TEXT, "", " "), message="Hi", receiver_id="ann"),
        method(there, "create_chat", "agent_ids", (None, 5, "ann", b"x", object(), [], [5], ["bob"], {}, HUGE), **CHAT),
        method(there, "create_chat", "name", NO_NAME, **CHAT),
        method(there, "create_chat", "description", NO_TEXT, **CHAT),
        method(there, "create_chat", "admin_id", NO_MEMBER, **CHAT),
        method(there, "create_chat", "message", NO_MESSAGE[1:], **CHAT),
        *(method(there, "add_chat_member", name, NO_MEMBER, **WHO) for name in WHO),
        *(method(there, "remove_chat_member", name, NO_MEMBER, **WHO) for name in WHO),
        Wrong("ids", NO_MEMBER, lambda w, value: w.intercom.release(value)),
        Wrong("call", NO_FUNCTION, lambda w, value: w.intercom.subscribe(value)),
        Wrong("call", NO_FUNCTION, lambda w, value: w.intercom.on_delta(value)),
    ],
    "InterComService's time": [
        *(method(there, name, "agent_id", NO_MEMBER_OR_ALL) for name in ("pause", "resume", "retry")),
        method(there, "wait", "timeout", NO_SECONDS),
        method(there, "wait", "progress", NO_FLAG),
        method(there, "to_html", "path", (None, *NO_PATH, FOLDER)),
    ],
    "Agent": [by_name(name, values, Agent, **({} if name == "name" else {"name": "Zed"})) for name, values in AGENT],
    "Agent's attributes": [
        setter(ann, "mission", NO_TEXT),
        setter(ann, "description", NO_TEXT),
        setter(ann, "model", (*NO_MODEL, "gpt-5-mini")),
        setter(ann, "settings", NO_SETTINGS),
        setter(ann, "limits", NO_LIMITS),
        *(setter(ann, name, ("Zed", None)) for name in ("name", "id", "team", "data", "tools", "spec", "status")),
        setter(ann, "mision", ("x",)),
    ],
    "Agent's methods": [
        method(ann, "init", "begin", NO_FLAG),
        method(ann, "send_message", "message", NO_MESSAGE),
        *(Wrong(name, (1,), lambda _, __, name=name: getattr(Agent("Zed"), name)()) for name in ("init", "begin", "pause", "resume", "retry")),
    ],
    "Person": [
        Wrong("", (5, "You", None, Agent), lambda w, value: Person(value, w.intercom)),
        method(lambda w: w.you, "send_message", "message", NO_MESSAGE, receiver_id="ann"),
        method(lambda w: w.you, "send_message", "receiver_id", NO_MEMBER, message="Hi"),
        *(setter(lambda w: w.you, name, ("x",)) for name in ("name", "id", "team", "description", "inbox")),
    ],
    "Chat": [
        method(lambda w: w.chat, "send_message", "message", NO_MESSAGE, sender_id="ann"),
        method(lambda w: w.chat, "send_message", "sender_id", NO_MEMBER, message="Hi"),
        method(lambda w: w.chat, "add_member", "agent_id", NO_MEMBER),
        method(lambda w: w.chat, "remove_member", "agent_id", NO_MEMBER),
        *(setter(lambda w: w.chat, name, ("x",)) for name in ("name", "id", "description", "admin_id", "members")),
    ],
    "Limits": [by_name(name, (None, 0, 2**63, *NO_SECONDS), Limits) for name in ("steps_per_run", "runs", "tokens", "usd", "seconds")],
    "Price": [
        by_name("input", (None, *NO_SECONDS, math.inf), Price, output=1),
        by_name("output", (None, *NO_SECONDS, math.inf), Price, input=1),
        by_name("cached", (*NO_SECONDS, math.inf), Price, input=1, output=1),
    ],
    "call": [
        Wrong("tool", NO_CALL, lambda _, value: call(value)),
        Wrong("tool", NO_CALL, lambda _, value: Call(value, {})),
        Wrong("arguments", (None, 5, b"x", [], object(), {1: 2}), lambda _, value: Call("send_message", value)),
    ],
    "Fail": [
        by_name("status", ("500", None, -1, 0, 1_000, math.nan, True, b"x", [], object()), Fail),
        by_name("body", (5, True, b"x", [], object(), Agent), Fail),
        by_name("retry_after", ("1", -1, math.nan, True, b"x", [], object()), Fail),
        by_name("hang", (None, *NO_SECONDS), Fail),
        by_name("disconnect", NO_FLAG, Fail),
    ],
    "OfflineAssistant": [by_name("delay", (None, *NO_SECONDS), OfflineAssistant)],
    "ScriptedAssistant": [
        by_name("replies", (5, "x", b"x", True, [1], object(), Agent, {5: ["x"]}, {"Ann": 5}, {"Ann": [5]}), ScriptedAssistant),
        by_name("delay", (None, *NO_SECONDS), ScriptedAssistant),
        by_name("default", (5, b"x", True, {}, object(), [5]), ScriptedAssistant),
        Wrong("agent_name", NO_TEXT, lambda _, value: ScriptedAssistant().enqueue(value, "Hi")),
        Wrong("replies", (None, 5, b"x", {}, object(), [5]), lambda _, value: ScriptedAssistant().enqueue("Ann", value)),
        Wrong("agent_name", NO_TEXT, lambda _, value: ScriptedAssistant().requests_of(value)),
    ],
    "MissionLab": [
        Wrong("cast", (None, 3, 0, -1, True, math.nan, "newsroom", "", b"x", [], {}, object(), [5], Agent, [Agent]), lambda _, value: MissionLab(value)),
        by_name("model", NO_MODEL, MissionLab, 1),
        by_name("logs", (None, *NO_PATH), MissionLab, 1),
        by_name("limits", (None, *NO_LIMITS), MissionLab, 1),
        method(lambda w: w.lab, "edit", "agent", NO_MEMBER, mission="x"),
        method(lambda w: w.lab, "edit", "mission", NO_OPTIONAL_TEXT, agent="founder"),
        method(lambda w: w.lab, "edit", "description", NO_OPTIONAL_TEXT, agent="founder"),
        method(lambda w: w.lab, "run", "timeout", NO_SECONDS),
        method(lambda w: w.lab, "run", "progress", NO_FLAG),
    ],
    "Study": [
        by_name("name", NO_NAME[:-1], Study, cast=1),
        Wrong("cast", (None, 3, 0, -1, True, math.nan, "newsroom", "", b"x", [], {}, object(), [5], Agent, [Agent]), lambda _, value: Study("x", value)),
        of_study("vary", (None, 5, "model", b"x", [], object(), {5: [1]}, {"model": 5}, {"model": []}, {"model": [5]}, {"mission": ["x"]}, {"zed.mission": ["x"]}, {"founder.mission": [5]}, {"founder.name": ["x"]}, {"topology": [5]}, {"begins": [[]]})),
        of_study("replications", (None, 0, *NO_COUNT)),
        of_study("outcomes", (None, 5, "tokens", b"x", object(), ["tokns"], [5], {"x": 5}, {"log": "tokens"}, {5: "tokens"})),
        of_study("begins", (5, "", "zed", b"x", [], {}, object(), [5], ["zed"])),
        of_study("logs", (None, *NO_PATH)),
        of_study("model", NO_MODEL),
        of_study("settings", NO_SETTINGS),
        of_study("limits", (None, *NO_LIMITS)),
        of_study("options", (None, 5, "x", b"x", [], object(), {"curtesy": True}, {"courtesy": 5}, {"model": "x"}, {5: 5})),
        of_study("budget", NO_LIMITS),
        of_study("seeds", NO_FLAG),
        of_study("paired", NO_FLAG[1:]),
        *(method(lambda w: w.study, "run", name, (0, *NO_COUNT)) for name in ("at_once", "upto")),
        method(lambda w: w.study, "run", "again", (5, "", "some", b"x", [], object())),
        method(lambda w: w.study, "wait", "timeout", NO_SECONDS),
        method(lambda w: w.study, "wait", "progress", NO_FLAG),
        method(lambda w: w.study, "compare", "factor", (5, "", "nothing", b"x", [], object())),
        method(lambda w: w.study, "compare", "outcome", (5, "", "nothing", b"x", [], object())),
        method(lambda w: w.study, "compare", "baseline", (5, "", "nothing", b"x", [], object())),
        *(method(lambda w: w.study, name, "level", (None, 95, 0, 1, "0.9", math.nan, True, b"x", [], object())) for name in ("compare", "summary")),
        method(lambda w: w.study, "plot", "ax", NO_AXES),
    ],
    "demos": [
        Wrong("demo", (None, 3, 0, -1, True, 1.5, "1", "", b"x", [], {}, object()), lambda _, value: demos.run(value)),
        Wrong("demo", (None, 3, 0, -1, True, 1.5, "1", "", b"x", [], {}, object()), lambda _, value: demos.cast(value)),
        by_name("model", NO_MODEL, demos.run, 1),
        by_name("logs", NO_PATH, demos.run, 1),
        by_name("show", NO_FUNCTION[1:], demos.run, 1),
    ],
    "AgentBuilder": [
        by_name("path", NO_PATH, AgentBuilder),
        by_name("tools", (None, *NO_TOOLS), AgentBuilder),
        method(lambda w: w.builder, "edit", "name", NO_NAME, mission="x"),
        method(lambda w: w.builder, "edit", "mission", NO_OPTIONAL_TEXT, name="Zed"),
        method(lambda w: w.builder, "edit", "description", NO_OPTIONAL_TEXT, name="Zed"),
        method(lambda w: w.builder, "report", "service", (None, 5, True, b"x", [], object(), InterComService, "nowhere.db", SURROGATE, FOLDER)),
        method(lambda w: w.builder, "apply", "intercom", (None, 5, True, "x", b"x", [], object(), InterComService, Agent("Zed"))),
    ],
    "load_agents": [
        by_name("path", (*NO_PATH, "nowhere", FOLDER), load_agents),
        Wrong("tools", (None, *NO_TOOLS), lambda w, value: load_agents(w.folder, tools=value)),
    ],
    "save_agents": [
        Wrong("agents", (None, 5, True, "x", b"x", object(), Agent, [5], [None], Agent("Zed")), lambda w, value: save_agents(value, w.path / "new")),
        Wrong("path", (None, *NO_PATH), lambda _, value: save_agents([Agent("Zed")], value)),
        Wrong("update", NO_FLAG, lambda w, value: save_agents([Agent("Zed")], w.path / "new", update=value)),
    ],
    "what reads a log": [wrong for name in READERS for wrong in frames_of(name)],
    "how a log is read": [
        reading("agents_df", "versions", NO_FLAG),
        reading("activity", "window", (None, 5, True, "", " ", "tem", "-1s", "0s", b"x", [], object(), Agent, HUGE)),
        reading("plot_activity", "window", (5, True, "", "tem", "-1s", "0s", b"x", [], object(), Agent)),
        *(reading(name, "by", NO_BY) for name in ("who_to_whom", "graph", "plot_graph", "plot_who_to_whom")),
        *(reading(name, "ax", NO_AXES) for name in PLOTS),
        reading("who_to_whom", "count", NO_CHOICE),
        reading("who_to_whom", "through", NO_CHOICE),
        reading("redundant_messages", "threshold", (None, -1, 101, math.nan, math.inf, True, "80", b"x", [], object())),
        reading("to_mermaid", "characters", (None, 0, *NO_COUNT)),
        Wrong("traffic", (None, 5, "x", b"x", [], {}, object(), InterComService), lambda _, value: collapse(value)),
        Wrong("names", (None, 5, "Ann", b"x", True, object(), [5], [None], Agent), lambda _, value: colours(value)),
        Wrong("folder", (None, *NO_PATH, "nowhere"), lambda _, value: read_thread_logs(value)),
    ],
    "fork": [
        Wrong("log", (*NO_SOURCE, FOLDER), lambda _, value: fork(value).stop()),
        *(Wrong(name, values, lambda w, value, name=name: fork(w.finished, logs=None, **{name: value}).stop()) for name, values in FORKED),
        Wrong("logs", NO_PATH, lambda w, value: fork(w.finished, logs=value).stop()),
        Wrong("model", NO_MODEL, lambda w, value: fork(w.finished, logs=None, model=value).stop()),
        Wrong("tools", (None, *NO_TOOLS), lambda w, value: fork(w.finished, logs=None, tools=value).stop()),
        Wrong("tools", ([],), lambda w, value: fork(w.intercom, tools=value).stop()),
        *(method(there, "fork", name, values, logs=None) for name, values in FORKED),
        method(there, "fork", "logs", NO_PATH),
    ],
    "replay": [
        Wrong("log", (*NO_SOURCE, FOLDER), lambda _, value: replay(value)),
        Wrong("tools", (None, 5, True, "look_up", b"x", {}, object(), [5], [None], ["look_up"], [lambda: None]), lambda w, value: replay(w.finished, tools=value)),
    ],
    "branches": [
        Wrong("logs", (None, 5, b"x", {}, object(), lambda: None, "nowhere.db", [5], [None], SURROGATE, HUGE), lambda _, value: lineage(value)),
        Wrong("one", NO_SOURCE, lambda w, value: divergence(value, w.finished)),
        Wrong("other", NO_SOURCE, lambda w, value: divergence(w.finished, value)),
    ],
    "what compares logs": [
        Wrong("one", NO_SOURCE, lambda w, value: difference(value, w.finished)),
        Wrong("other", NO_SOURCE, lambda w, value: difference(w.finished, value)),
        Wrong("until", (0, -1, 1.5, True, "", "m-0", "x", b"x", [], object(), 2**70), lambda w, value: difference(w.finished, w.finished, value)),
    ],
    "what writes a log elsewhere": [
        *(
            Wrong("source", NO_SOURCE, lambda w, value, name=name: getattr(intercom_nb, name)(value, w.path / "new"))
            for name in ("to_graphml", "to_html", "to_parquet")
        ),
        *(
            Wrong("path", (None, *NO_PATH), lambda w, value, name=name: getattr(intercom_nb, name)(w.intercom, value))
            for name in ("to_graphml", "to_html", "to_parquet")
        ),
        *(
            Wrong("path", (FOLDER,), lambda w, value, name=name: getattr(intercom_nb, name)(w.intercom, value))
            for name in ("to_graphml", "to_html")
        ),
    ],
    "views": [
        wrong
        for name in VIEWS
        for wrong in (
            Wrong("source", (*NO_SOURCE, FOLDER), lambda _, value, name=name: getattr(intercom_nb, name)(value)),
            Wrong("focus", (*NO_TEXT, "nobody", HUGE), lambda w, value, name=name: getattr(intercom_nb, name)(w.intercom, value)),
        )
    ],
}  # fmt: skip
CALLS = sum(len(wrong.values) for wrongs in TABLE.values() for wrong in wrongs)


def greet(request: dict[str, Any]) -> Any:
    """Answer as an agent that writes to another one whenever somebody has written to it."""
    news = request["input"][-1].get("role") == "user"
    return call("send_message", chat_id="bob", message="Hello") if news else "Sent."


@pytest.fixture
def world(tmp_path: Path) -> Iterator[SimpleNamespace]:
    """Give a service with three members and a group, a finished log, a lab, and a folder of agents."""
    with InterComService("finished", model=ScriptedAssistant(), logs=tmp_path / "logs") as finished:
        finished.add(Agent("Ann"), Agent("Bob"))
    folder, empty = tmp_path / "agents", tmp_path / "empty"
    empty.mkdir()
    save_agents([Agent("Cat", mission="Sleep.")], folder)
    model = ScriptedAssistant({"Ann": greet})
    with InterComService("wrong", model=model, logs=tmp_path / "logs") as intercom:
        intercom.add(Agent("Ann"), Agent("Bob"), Agent("Eve"))
        you = intercom.add_person("You")
        chat = intercom.create_chat(["bob", "you"], "All", "everybody", "ann")
        yield SimpleNamespace(
            intercom=intercom, you=you, chat=chat, path=tmp_path, finished=finished.log.path, folder=folder, empty=empty,
            lab=MissionLab(1, model="offline", logs=tmp_path / "logs"), builder=AgentBuilder(folder),
            study=Study("wrong", 1, vary={"courtesy": [True, False]}, outcomes=["tokens"], logs=tmp_path / "logs"),
        )  # fmt: skip
        before = len(intercom.messages)
        intercom["ann"].begin()
        assert intercom.wait(60, progress=False) == "quiet"
        assert [message.text for message in intercom.messages[before:]] == ["Begin", "Hello"]


def fault(world: SimpleNamespace, wrong: Wrong, value: Any) -> str:  # noqa: PLR0911 - one for each way to fail
    """Return what is wrong with how a wrong call ends; empty if it is told as it should be."""
    given = world.empty if value is FOLDER else value
    raised: list[BaseException | None] = []

    def attempt() -> None:
        try:
            wrong.call(world, given)
        except BaseException as error:  # noqa: BLE001 - whatever it is, it is what is looked at
            raised.append(error)
        else:
            raised.append(None)

    thread = threading.Thread(target=attempt, daemon=True)
    thread.start()
    thread.join(SECONDS)
    told = f"{wrong.parameter}={repr(given)[:60]}: "
    if not raised:
        return told + "hangs"
    error, sentence = raised[0], str(raised[0])
    if error is None:
        return told + "silence"
    if not isinstance(error, TypeError | ValueError | InterComError) or isinstance(error, UnicodeError):
        return told + f"{type(error).__name__}: {sentence[:200]}"
    if not traceback.extract_tb(error.__traceback__)[-1].filename.startswith(PACKAGE):
        return told + f"is raised elsewhere: {type(error).__name__}: {sentence[:200]}"
    if not 10 < len(sentence) < LONGEST or "\n" in sentence:
        return told + f"is told in no sentence that can be read: {len(sentence)} characters, {sentence[:100]!r}"
    if any(
        words in sentence for words in ("has no attribute", "not supported between", "is not iterable", "subscript")
    ):
        return told + f"is told in Python's words: {sentence[:200]}"
    return ""


@pytest.mark.parametrize("about", TABLE)
def test_what_makes_no_sense_is_told_at_once_and_the_service_goes_on(about, world):
    """TypeError, ValueError or an error of ours, raised by us, in a sentence; then a message goes through."""
    faults = [found for wrong in TABLE[about] for value in wrong.values if (found := fault(world, wrong, value))]

    assert not faults, "\n".join(faults)


def test_enough_is_tried():
    """Over a thousand wrong calls, over everything that can be called."""
    assert CALLS > 1_000
