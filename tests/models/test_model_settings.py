"""Settings of a model call: what is refused at once, what goes before what, and that nothing is lost on the way."""

import copy
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from intercom_nb.model_settings import ModelSettings

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
KEYS = st.sampled_from(["top_k", "min_p", "user", "Zoë"])
NUMBERS = st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**70), 2**70)
JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
VALUES = {
    "temperature": st.floats(0, 2) | st.integers(0, 2),
    "top_p": st.floats(0, 1) | st.integers(0, 1),
    "seed": st.integers(-(2**63) + 1, 2**63 - 1),
    "reasoning_effort": st.sampled_from(["none", "low", "high"]),
    "verbosity": st.sampled_from(["low", "high"]),
    "max_output_tokens": st.integers(1, 2**40),
    "extra": st.dictionaries(KEYS, JSON, max_size=3),
}
WRITTEN = st.fixed_dictionaries({}, optional={name: st.none() | value for name, value in VALUES.items()})


@given(written=WRITTEN)
@settings(max_examples=200, deadline=None)
def test_what_is_written_comes_back(written):
    """From JSON, from a copy and as a dict, what is None included; an `extra` with nothing in it says nothing."""
    made = ModelSettings.of(written)
    kept = {name: value for name, value in written.items() if value != {}}

    assert made.as_dict() == kept
    assert ModelSettings.from_json(made.to_json()) == made == ModelSettings.of(made) == copy.deepcopy(made)
    assert hash(ModelSettings.of(made.as_dict())) == hash(made)
    assert bool(made) == bool(kept)
    assert made.to_json() == ModelSettings.of(dict(reversed(written.items()))).to_json()


@given(agent=WRITTEN, service=WRITTEN)
@settings(max_examples=200, deadline=None)
def test_an_agents_settings_go_before_its_services(agent, service):
    """Name by name, and in `extra` key by key; what is None is gone."""
    got = ModelSettings.of(agent).over(ModelSettings.of(service))
    expected = {**service, **agent}
    if agent.get("extra") and service.get("extra"):
        expected["extra"] = {**service["extra"], **agent["extra"]}
    elif agent.get("extra") == {} and "extra" in service:
        expected["extra"] = service["extra"]
    expected["extra"] = {key: value for key, value in (expected.get("extra") or {}).items() if value is not None}

    assert got.as_dict() == {name: value for name, value in expected.items() if value not in (None, {})}
    assert got.extra == expected["extra"]


def test_none_unsets_what_the_service_set():
    """One setting, one key of `extra`, or all of it; what the agent does not name holds."""
    service = ModelSettings.of({"temperature": 0.5, "seed": 7, "extra": {"top_k": 40, "min_p": 0.1}})

    assert ModelSettings.of(None).over(service) == service
    assert ModelSettings.of({"seed": None}).over(service).as_dict() == {
        "temperature": 0.5,
        "extra": {"top_k": 40, "min_p": 0.1},
    }
    assert ModelSettings.of({"extra": {"top_k": None}}).over(service).extra == {"min_p": 0.1}
    assert "extra" not in ModelSettings.of({"extra": None}).over(service).as_dict()
    assert not ModelSettings.of({"temperature": None, "seed": None, "extra": None}).over(service)


def test_what_means_the_same_is_equal():
    """A whole number or a float, minus zero, an order of names; JSON's true is not 1."""
    one, other = ModelSettings.of({"temperature": 0, "top_p": 1}), ModelSettings.of({"top_p": 1.0, "temperature": -0.0})

    assert one == other
    assert len({one, other}) == 1
    assert ModelSettings.of({"extra": {"a": True}}) != ModelSettings.of({"extra": {"a": 1}})
    assert ModelSettings.of({"seed": None}) != ModelSettings.of({})


def test_nobody_changes_them_afterwards():
    """Neither what was given nor what is handed out is the value itself."""
    given = {"stop": ["END"]}
    made = ModelSettings.of({"extra": given})
    given["stop"].append("MORE")
    made.extra["stop"].append("MORE")
    made.as_dict()["extra"].clear()

    assert made.extra == {"stop": ["END"]}
    with pytest.raises(AttributeError):
        made.text = "{}"


def around():
    """Return a list that holds itself."""
    ring = []
    ring.append(ring)
    return ring


@pytest.mark.parametrize(
    ("written", "error", "words"),
    [
        ({"temprature": 0}, ValueError, "{'temprature': 0}: there is no such setting; did you mean 'temperature'?"),
        ({"max_tokens": 9}, ValueError, "it is called 'max_output_tokens' here"),
        ({"frobnicate": 9}, ValueError, "right would be one of temperature, top_p"),
        ({"top_k": 9}, ValueError, "what a server has of its own goes into 'extra'"),
        ({7: 9}, ValueError, "there is no such setting"),
        ({"temperature": "hot"}, TypeError, "{'temperature': 'hot'}: it should be a number from 0 to 2; None leaves"),
        ({"temperature": True}, TypeError, "a number from 0 to 2"),
        ({"temperature": -0.1}, ValueError, "a number from 0 to 2"),
        ({"temperature": 2.1}, ValueError, "a number from 0 to 2"),
        ({"temperature": math.nan}, ValueError, "{'temperature': nan}"),
        ({"temperature": math.inf}, ValueError, "{'temperature': inf}"),
        ({"top_p": 1.01}, ValueError, "a number from 0 to 1"),
        ({"top_p": 10**400}, ValueError, "a number from 0 to 1"),
        ({"seed": 1.0}, TypeError, "a whole number"),
        ({"seed": False}, TypeError, "a whole number"),
        ({"seed": 2**64}, ValueError, "at most 64 bits"),
        ({"reasoning_effort": 3}, TypeError, "a word that the server knows"),
        ({"reasoning_effort": " "}, ValueError, "a word that the server knows"),
        ({"verbosity": "low\ud800"}, ValueError, "a word that the server knows"),
        ({"max_output_tokens": 0}, ValueError, "a whole number above 0"),
        ({"max_output_tokens": 10.0}, TypeError, "a whole number above 0"),
        ({"extra": [1]}, TypeError, "a JSON object"),
        ({"extra": {1: 2}}, TypeError, "1 should be the name of a field"),
        ({"extra": {"a": math.nan}}, TypeError, "it should be JSON"),
        ({"extra": {"a": {1, 2}}}, TypeError, "it should be JSON"),
        ({"extra": {"a": {1: 2}}}, TypeError, "objects with text as keys"),
        ({"extra": {"a": "\ud800"}}, TypeError, "it should be JSON"),
        ({"extra": {"a": around()}}, TypeError, "it should be JSON"),
        ({"extra": {"temperature": 1}}, ValueError, "write it as settings={'temperature': …}, beside 'extra'"),
        ({"extra": {"max_completion_tokens": 1}}, ValueError, "write it as settings={'max_output_tokens': …}"),
        ({"extra": {"reasoning": {"effort": "low"}}}, ValueError, "write 'effort' as settings={'reasoning_effort': …}"),
        ({"extra": {"text": "plain"}}, TypeError, "'text' should be a JSON object"),
        ("temperature", TypeError, "they should be a mapping"),
        *(
            ({"extra": {key: None}}, ValueError, f"{key!r} is filled in for each call")
            for key in ("model", "input", "instructions", "messages", "tools", "stream", "store")
        ),
    ],
)
def test_what_cannot_be_is_refused_at_once(written, error, words):
    """With the name, the value and what would be right."""
    with pytest.raises(error) as raised:
        ModelSettings.of(written)

    assert words in str(raised.value)
    assert str(raised.value).startswith("settings=")


def test_they_are_made_by_of():
    """Who writes the mapping into the class itself is told."""
    with pytest.raises(TypeError, match=r"write ModelSettings\.of\("):
        ModelSettings({"temperature": 0})


def test_the_repr_is_short():
    """Long values are cut, and nothing is called none."""
    assert repr(ModelSettings.of(None)) == "<ModelSettings: none>"
    assert len(repr(ModelSettings.of({"extra": {"a": "x" * 1_000}}))) < 100
