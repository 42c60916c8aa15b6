"""A Python function as a tool."""

import asyncio
import threading
from enum import Enum
from typing import Annotated, Literal

import pytest
from pydantic import BaseModel, Field

from intercom_nb import InvalidToolError, ToolCallError
from intercom_nb.texts.names import plain_name
from intercom_nb.tools import Tool


class Colour(Enum):
    """A choice."""

    RED = "red"


class Point(BaseModel):
    """A place."""

    x: int
    y: int = 0


def weather(city: str, days: int, unit: Literal["C", "F"] | None = None) -> str:
    """Tell the weather.

    Longer text.

    Parameters
    ----------
    city
        Where.
    """
    return f"{city} {days} {unit}"


def test_the_schema_comes_from_signature_and_docstring():
    """Name, description, parameters and their texts are those of the function, closed and strict."""
    assert Tool(weather).schema == {
        "type": "function",
        "name": "weather",
        "description": "Tell the weather. Longer text.",
        "strict": True,
        "parameters": {
            "type": "object",
            "properties": {
                "city": {"type": "string", "description": "Where."},
                "days": {"type": "integer"},
                "unit": {"anyOf": [{"enum": ["C", "F"], "type": "string"}, {"type": "null"}]},
            },
            "required": ["city", "days", "unit"],
            "additionalProperties": False,
        },
    }


def test_a_tool_without_arguments_is_strict():
    """An empty object is as strict as any."""

    def ping() -> str:
        """Ping."""
        return "pong"

    assert Tool(ping).schema["strict"] is True
    assert asyncio.run(Tool(ping).call("")) == "pong"


def test_defaults_and_open_objects_are_not_strict():
    """Where strict mode would lose a default or refuse a free-form object, it is off and says so."""

    def search(query: str, limit: int = 5) -> str:
        """Search."""
        return query * limit

    def keep(values: dict[str, int]) -> str:
        """Keep."""
        return str(values)

    assert Tool(search).schema["strict"] is False
    assert Tool(search).schema["parameters"]["required"] == ["query"]
    assert Tool(search).parse('{"query": "x"}') == {"query": "x", "limit": 5}
    assert Tool(keep).schema["strict"] is False


def test_rich_types_are_converted():
    """Models, enums and annotated numbers arrive as what the signature says."""

    def draw(point: Point, colour: Colour, width: Annotated[int, Field(gt=0, description="Pixels.")]) -> str:
        """Draw."""
        return f"{type(point).__name__} {colour.name} {width}"

    tool = Tool(draw)
    schema = tool.schema["parameters"]
    assert schema["properties"]["width"]["description"] == "Pixels."
    assert asyncio.run(tool.call('{"point": {"x": 1, "y": 2}, "colour": "red", "width": 3}')) == "Point RED 3"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ("{", "weather: the arguments are not valid JSON"),
        ("[]", "weather: the arguments are no JSON object; right would be an object with city, days, unit"),
        ('{"days": 1}', "weather: the argument 'city' is missing; it takes city, days, unit"),
        ('{"city": "x", "days": 1, "when": 2}', "weather: there is no argument 'when'; it takes city, days, unit"),
        ('{"city": 5, "days": 1}', "weather: the argument 'city' is 5: input should be a valid string"),
        ('{"city": "x", "days": "soon"}', "weather: the argument 'days' is 'soon': input should be a valid integer"),
    ],
    ids=["cut", "array", "missing", "surplus", "type", "value"],
)
def test_wrong_arguments_are_one_sentence(arguments, sentence):
    """What is wrong, the value, and what would be right; on one line."""
    with pytest.raises(ToolCallError) as caught:
        Tool(weather).parse(arguments)

    assert str(caught.value).startswith(sentence)
    assert "\n" not in str(caught.value)


def test_results_are_text():
    """A str as it is, everything else as JSON, and what JSON cannot carry as its str."""

    def give(what: str) -> object:
        """Give."""
        return {"text": "as it is", "list": [1, Point(x=1)], "odd": {1, 2}.__iter__(), "none": None}[what]

    async def call(what):
        return await Tool(give).call(f'{{"what": "{what}"}}')

    assert asyncio.run(call("text")) == "as it is"
    assert asyncio.run(call("list")) == '[1,{"x":1,"y":0}]'
    assert asyncio.run(call("none")) == "null"
    assert asyncio.run(call("odd"))


def test_a_sync_tool_runs_in_a_thread_and_an_async_one_on_the_loop():
    """So a slow function holds nobody up, and may call the service."""

    def where() -> str:
        """Where am I."""
        return threading.current_thread().name

    async def here() -> str:
        """Where am I."""
        return threading.current_thread().name

    assert asyncio.run(Tool(where).call("{}")) == "intercom tool where"
    assert asyncio.run(Tool(here).call("{}")) == threading.current_thread().name


@pytest.mark.parametrize("error", [ValueError("no"), StopIteration("no"), SystemExit("no")])
def test_what_a_tool_raises_reaches_the_caller(error):
    """Even what cannot be set on a future, or would end a thread."""

    def fail() -> str:
        """Fail."""
        raise error

    with pytest.raises((ValueError, RuntimeError), match="no"):
        asyncio.run(Tool(fail).call("{}"))


def test_functions_that_cannot_be_tools_say_why():
    """A lambda, ``*args``, positional-only arguments, a type JSON cannot carry, something not callable."""

    def many(*args: int) -> str:
        """Take many."""

    def first(a: int, /) -> str:
        """Take the first."""

    def odd(a: threading.Thread) -> str:
        """Take a thread."""

    def unknown(a: "Nowhere") -> str:  # noqa: F821
        """Take the unknown."""

    for function, why in [
        (lambda a: a, "its name"),
        (many, "args"),
        (first, "by name"),
        (odd, "JSON"),
        (unknown, "signature"),
        (5, "not callable"),
    ]:
        with pytest.raises(InvalidToolError, match=why):
            Tool(function)


def test_names_are_read_as_models_write_them():
    """Quotes, spaces and a prefix fall away; nothing else does."""
    for written in ["send_message", ' "send_message" ', "functions.send_message", "`functions.send_message`"]:
        assert plain_name(written) == "send_message"

    assert plain_name("Send Message") == "Send Message"
