"""A field is written down once: log, folder, copy, recovery and frame carry each field of an agent and each option."""

import json
import sqlite3
import tempfile
from contextlib import closing
from dataclasses import fields
from pathlib import Path

import openai
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from counts import times
from intercom_nb import (
    Agent,
    InterComService,
    Limits,
    MissionLab,
    Price,
    ScriptedAssistant,
    agents_df,
    load_agents,
    options_df,
    save_agents,
    state,
)
from intercom_nb.agent_spec import AgentSpec
from intercom_nb.service.options import Options
from intercom_nb.texts.documents import with_documents
from intercom_nb.texts.instructions import WHOLE

NOWHERE = "http://127.0.0.1:9/v1"  # nobody listens there, and nobody is asked
KEY = "sk-proj-SPECS0123456789abcdef"


def look_up(word: str) -> str:
    """Look something up."""
    return word


def pick(_me, _others):
    """Choose whom an agent is shown."""
    return []


def may(_me, _other):
    """Allow everything."""
    return True


FUNCTIONS = [look_up, pick]

# Field → the argument that sets it, the value the spec then has, and what the frame of agents shows of it.
FIELDS = {
    "name": ({"name": "Märta Ek"}, "Märta Ek", {"name": "Märta Ek"}),
    "id": ({"id": "boss"}, "boss", {"agent_id": "boss"}),
    "description": ({"description": "Runs it.\n"}, "Runs it.\n", {"description": "Runs it.\n"}),
    "mission": ({"mission": " Market it.\r\n"}, " Market it.\r\n", {"mission": " Market it.\r\n"}),
    "model": ({"model": "spec-2"}, "spec-2", {"model": "spec-2"}),
    "settings": (
        {"settings": {"temperature": 0.5, "seed": None, "extra": {"top_k": 4}}},
        None,
        {"settings": '{"extra": {"top_k": 4}, "seed": null, "temperature": 0.5}'},
    ),
    "tools": ({"tools": [look_up]}, ("look_up",), {"tools": "look_up"}),
    "mail": ({"mail": "asap"}, "asap", {"mail": "asap"}),
    "begins": ({"begins": True}, True, {"begins": True}),
    "limits": (
        {"limits": Limits(tokens=50, usd=0.5, runs=7, seconds=float("inf"))},
        Limits(tokens=50, usd=0.5, runs=7, seconds=float("inf")),
        {"max_tokens": 50, "max_usd": 0.5, "max_runs": 7},
    ),
    "notes": ({"notes": True}, True, {"notes": True}),
    "context": ({"context": 9_000}, 9_000, {"context": 9_000}),
    "team": ({"team": "studio/design"}, "studio/design", {"team": "studio/design"}),
    "contacts": ({"contacts": pick}, "pick()", {"contacts": "pick()"}),
    "data": ({"data": {"age": 40}}, {"age": 40}, {"data": '{"age": 40}'}),
}


@pytest.fixture
def _server(monkeypatch):
    """Have a server that models are at; none of these agents ever asks it."""
    monkeypatch.setenv("OPENAI_BASE_URL", NOWHERE)


def test_every_field_of_an_agent_has_a_value_here():
    """A field that is new fails here until it is shown below that everything carries it."""
    assert tuple(FIELDS) == AgentSpec.names()


@pytest.mark.usefixtures("_server")
@pytest.mark.parametrize("field", FIELDS)
def test_everything_carries_a_field_of_an_agent(field, tmp_path):
    """The stored row, the folder, a lab's copy, the recovered agent and the frame have it."""
    told, value, shown = FIELDS[field]
    agent = Agent(**{"name": "Ann", **told})
    spec = agent.spec
    assert getattr(spec, field) != getattr(AgentSpec(name="Ann", id="ann"), field)
    assert value is None or getattr(spec, field) == value

    save_agents([agent], tmp_path / "agents")
    (loaded,) = load_agents(tmp_path / "agents", tools=FUNCTIONS)
    copied = copy_of(agent, tmp_path)
    log = log_of(agent, tmp_path)
    (row,) = agents_df(log).to_dict("records")

    for held in (stored(log), loaded.spec, copied, state(log).members[0].spec, recovered(log)):
        assert getattr(held, field) == getattr(spec, field)
        assert held == spec
    assert {column: row[column] for column in shown} == shown


def log_of(agent, folder):
    """Return the log of a service that has this agent, and has stopped."""
    service = InterComService("specs", model=ScriptedAssistant(), logs=folder / "logs", thread_logs=False)
    service.add(agent)
    service.stop()
    return service.log.path


def stored(log):
    """Return the spec that the row of a log's first agent is of."""
    with closing(sqlite3.connect(log)) as connection:
        connection.row_factory = sqlite3.Row
        return AgentSpec.from_row(connection.execute("SELECT agent_id AS id, * FROM agents ORDER BY seq").fetchone())


def recovered(log):
    """Return what the first agent of a log is once the log is opened."""
    service = InterComService.open(log, model=ScriptedAssistant(), tools=FUNCTIONS)
    service.stop()
    return service.agents[0].spec


def copy_of(agent, folder):
    """Return what an agent is in the log of a lab's run, to which it is copied."""
    lab = MissionLab([Agent("Opening Speaker"), agent], model=ScriptedAssistant(default="."), logs=folder / "lab")
    run = lab.run(progress=False)
    assert run.reason == "quiet"
    return state(run.log).members[1].spec


# -- any agent

LONG = 2**63 - 1  # the largest number that a log keeps as one
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=30)
WORD = st.from_regex(r"[a-z]{1,9}", fullmatch=True)
TEAM = st.sampled_from(["Crew", "Crew/1", "Équipe & fils", "Crew/east wing/2"])
NUMBER = st.floats(min_value=0, exclude_min=True) | st.integers(1, LONG)
COUNT = st.integers(1, LONG)
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda part: st.lists(part, max_size=3) | st.dictionaries(TEXT, part, max_size=3),
    max_leaves=6,
)


@st.composite
def any_settings(draw):
    """Draw settings of model calls, some of them unset in so many words."""
    kinds = {
        "temperature": st.floats(0, 2),
        "top_p": st.floats(0, 1),
        "seed": st.integers(-LONG, LONG),
        "reasoning_effort": WORD,
        "verbosity": WORD,
        "max_output_tokens": COUNT,
        "extra": st.dictionaries(WORD.map("x_{}".format), PLAIN, max_size=2),
    }
    return draw(st.fixed_dictionaries({}, optional={name: st.none() | kind for name, kind in kinds.items()}))


@st.composite
def any_agent(draw):
    """Draw an agent, each of its fields whatever it can be."""
    text = with_documents(draw(TEXT), draw(st.dictionaries(WORD.map("{}.md".format), TEXT, max_size=2)))
    return Agent(
        draw(st.text(st.characters(categories=["L", "N", "P", "Zs"]), min_size=1, max_size=12).filter(has_a_letter)),
        id=draw(st.none() | WORD),
        description=draw(TEXT),
        mission=draw(st.sampled_from(["", WHOLE])) + text,
        model=draw(st.none() | TEXT.filter(str.strip)),
        settings=draw(any_settings()),
        tools=draw(st.sampled_from([(), (look_up,)])),
        mail=draw(st.sampled_from(["when_idle", "asap"])),
        begins=draw(st.booleans()),
        limits=draw(st.none() | st.builds(Limits, tokens=NUMBER, usd=NUMBER, runs=NUMBER, seconds=NUMBER)),
        notes=draw(st.booleans()),
        context=draw(st.none() | COUNT),
        team=draw(st.just("") | TEAM),
        contacts=draw(
            st.none() | st.sampled_from(["everyone", "relevant", "team", pick]) | TEAM | COUNT | st.lists(TEXT)
        ),
        data=draw(st.dictionaries(TEXT, PLAIN, max_size=3)),
    )


def has_a_letter(name):
    """Return whether a name has a letter or digit."""
    return any(character.isalnum() for character in name)


@pytest.mark.usefixtures("_server")
@given(any_agent())
@settings(max_examples=times(60))
def test_any_agent_is_the_same_saved_copied_and_recovered(agent):
    """Equal specs, whatever stands in them."""
    with tempfile.TemporaryDirectory() as folder:
        save_agents([agent], Path(folder) / "agents")
        (loaded,) = load_agents(Path(folder) / "agents", tools=FUNCTIONS)
        copied = copy_of(agent, Path(folder))
        log = log_of(agent, Path(folder))

        for held in (loaded.spec, copied, stored(log), state(log).members[0].spec, recovered(log)):
            assert held == agent.spec


# -- options

# Option → how it is given, what the log keeps of it, and what is given again to go on: code is in no log.
OPTIONS = {
    "model": ({"model": "spec-1", "base_url": NOWHERE}, "spec-1", ()),
    "base_url": ({"model": "spec-1", "base_url": NOWHERE}, NOWHERE, ()),
    "settings": ({"settings": {"seed": 7, "temperature": None}}, {"seed": 7, "temperature": None}, ()),
    "limits": (
        {"limits": Limits(usd=1, tokens=float("inf"))},
        {"runs": 1_000, "seconds": 3_600.0, "steps_per_run": 20, "tokens": None, "usd": 1}
        | {"message_bytes": 256_000, "output_bytes": 1_000_000, "answer_bytes": 8_000_000},
        (),
    ),
    "max_concurrency": ({"max_concurrency": 3}, 3, ()),
    "max_retries": ({"max_retries": 5}, 5, ()),
    "timeout": ({"timeout": 12.5}, 12.5, ()),
    "thread_logs": ({"thread_logs": False}, False, ()),
    "chat_list": ({"chat_list": "every"}, "every", ()),
    "prices": ({"prices": {"spec-1": Price(input=1, output=4)}}, {"spec-1": [1, 4, 1]}, ()),
    "context": ({"context": 9_000}, 9_000, ()),
    "courtesy": ({"courtesy": False}, False, ()),
    "contacts": ({"contacts": ["ann", "crew"]}, '["ann", "crew"]', ()),
    "may_contact": ({"may_contact": may}, "may()", ("may_contact",)),
    "embeddings": ({"embeddings": "embed-1"}, "embed-1", ()),
    "tags": ({"tags": {"condition": "a"}}, {"condition": "a"}, ()),
}
NOT_KEPT = ("api_key", "client", "play")  # a key never enters a log; a client and a recording are no plain values


def test_every_option_has_a_value_here():
    """An option that is new fails here until it is shown below that everything carries it."""
    assert {one.name for one in fields(Options)} == {*OPTIONS, *NOT_KEPT}


@pytest.mark.parametrize("option", OPTIONS)
def test_everything_carries_an_option(option, tmp_path):
    """The stored row, the frame, what a log says it is, and the service that goes on with it have it."""
    told, kept, again = OPTIONS[option]
    service = InterComService("options", logs=tmp_path, **({"model": "offline"} | told))
    service.stop()
    assert json.loads(Options().kept()[option]) != kept
    newest = options_df(service.log.path).query("is_newest").set_index("name")["value"]

    opened = InterComService.open(service.log.path, options={name: told[name] for name in again})
    opened.stop()

    with closing(sqlite3.connect(service.log.path)) as log:
        ((row,),) = log.execute("SELECT value FROM options WHERE name = ?", (option,)).fetchall()
    for text in (row, newest[option], state(service.log.path).options[option]):
        assert json.loads(text) == kept
    assert getattr(opened._engine.options, option) == getattr(service._engine.options, option)
    assert options_df(service.log.path)["name"].is_unique  # nothing was given anew


@pytest.mark.parametrize("option", NOT_KEPT)
def test_of_what_no_log_keeps_it_says_what_was_reached(option, tmp_path):
    """Of a client, where it goes; of a recording, that one was played; of a key, nothing."""
    recording = log_of(Agent("Ann"), tmp_path)
    given = {
        "api_key": {"model": "spec-1", "base_url": NOWHERE, "api_key": KEY},
        "client": {"model": "spec-1", "client": openai.AsyncOpenAI(base_url=NOWHERE, api_key=KEY)},
        "play": {"play": recording},
    }[option]
    service = InterComService("options", logs=tmp_path, **given)
    service.stop()
    newest = options_df(service.log.path).set_index("name")["value"]

    assert option not in newest
    assert KEY.encode() not in service.log.path.read_bytes()
    reached = ('"played()"', "null") if option == "play" else ('"spec-1"', f'"{NOWHERE}"')
    assert (newest["model"], newest["base_url"]) == reached
