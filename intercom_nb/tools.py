"""A Python function as a tool: a strict JSON schema in, text out.

The schema comes from the function's signature and docstring (through pydantic), so a tool is written once, as a
function. What a model sends is validated against the same signature; what is wrong with it goes back as a sentence.
"""

import asyncio
import contextvars
import functools
import inspect
import json
import re
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, get_type_hints

import docstring_parser
import pydantic
import pydantic_core

from intercom_nb.errors import InvalidToolError, ToolCallError, listed, told_of
from intercom_nb.notebook import keep_output_out_of_cells
from intercom_nb.texts.names import clean

__all__ = ["Tool", "ToolCall", "functions_by_name", "is_ending_this_task"]


_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A tool call as a model wrote it: nothing in it has been checked yet."""

    call_id: str
    name: str
    arguments: str


class Tool:
    """A Python function, sync or async, as a model sees it.

    Parameters
    ----------
    function : callable
        Its name, annotations and docstring become the schema. A synchronous one runs in a thread of its own, so it
        may take its time and may call the service.
    method : bool, default False
        Leave the first parameter out: it is not the model's to fill.

    Attributes
    ----------
    name : str
        The function's name.

    Raises
    ------
    InvalidToolError
        If the function has no usable name, takes ``*args`` or ``**kwargs``, or has an annotation JSON cannot carry.

    Examples
    --------
    >>> def add(a: int, b: int) -> int:
    ...     "Add two numbers."
    ...     return a + b
    >>> Tool(add).parse('{"a": 1, "b": 2}')
    {'a': 1, 'b': 2}
    """

    def __init__(self, function: Callable[..., Any], *, method: bool = False) -> None:
        if not callable(function):
            raise InvalidToolError(function, "it is not callable; give a function")
        self.function = function
        self.name: str = getattr(function, "__name__", "")
        if not _NAME.fullmatch(self.name):
            raise InvalidToolError(function, "its name should be letters, digits, _ and - only; write it with def")
        self._is_method = method
        if not method:  # a user's is checked at once; ours are right, and made when a service needs them, not on import
            _ = self.schema

    @functools.cached_property
    def _described(self) -> docstring_parser.Docstring:
        return docstring_parser.parse(inspect.getdoc(self.function) or "")

    @functools.cached_property
    def _arguments(self) -> type[pydantic.BaseModel]:
        return _arguments_model(self.function, self.name, self._described, method=self._is_method)

    @functools.cached_property
    def schema(self) -> dict[str, Any]:
        """As sent to the model: ``type name description parameters strict``.

        Strict where the signature allows it, that is without free-form objects and without defaults other than None.
        """
        described = self._described
        parameters = self._arguments.model_json_schema()
        strict = _close(parameters)
        return {
            "type": "function",
            "name": self.name,
            "description": " ".join(filter(None, (described.short_description, described.long_description))),
            "parameters": parameters,
            "strict": strict,
        }

    @functools.cached_property
    def bytes(self) -> int:
        """How long its schema is."""
        return len(json.dumps(self.schema, ensure_ascii=False).encode())

    def __repr__(self) -> str:
        return f"<Tool {self.name}({', '.join(self._arguments.model_fields)})>"

    def parse(self, arguments: str) -> dict[str, Any]:
        """Return the arguments of a call, checked and converted.

        Raises
        ------
        ToolCallError
            If they are no JSON object, or one is missing, surplus or of the wrong type.
        """
        takes = listed(self._arguments.model_fields)
        try:
            given = json.loads(arguments) if arguments.strip() else {}
        except (ValueError, RecursionError) as error:
            msg = f"{self.name}: the arguments are not valid JSON ({error}); right would be an object with {takes}"
            raise ToolCallError(msg) from None
        if not isinstance(given, dict):
            msg = f"{self.name}: the arguments are no JSON object; right would be an object with {takes}"
            raise ToolCallError(msg)
        try:
            checked = self._arguments.model_validate(given)
        except pydantic.ValidationError as error:
            problems = "; ".join(_problem(detail) for detail in error.errors(include_url=False))
            msg = f"{self.name}: {problems}; it takes {takes}"
            raise ToolCallError(msg) from None
        return {name: getattr(checked, name) for name in type(checked).model_fields}

    async def call(self, arguments: str) -> str:
        """Call the function with a model's arguments and return its result as text.

        Raises
        ------
        ToolCallError
            If the arguments do not fit. Whatever the function itself raises is passed on.
        """
        values = self.parse(arguments)
        if inspect.iscoroutinefunction(self.function):
            return _text(await _on_loop(self.function, values))
        return _text(await _in_thread(self.function, values))


def _arguments_model(
    function: Callable[..., Any], name: str, described: docstring_parser.Docstring, *, method: bool
) -> type[pydantic.BaseModel]:
    try:
        parameters = list(inspect.signature(function).parameters.values())[int(method) :]
        hints = get_type_hints(function, include_extras=True)
    except (TypeError, ValueError, NameError) as error:
        raise InvalidToolError(function, f"its signature cannot be read ({error})") from None
    about = {param.arg_name: param.description for param in described.params}
    fields: dict[str, Any] = {}
    for parameter in parameters:
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD, parameter.POSITIONAL_ONLY):
            raise InvalidToolError(function, f"{parameter} cannot be filled by name; give each argument a name")
        default = ... if parameter.default is parameter.empty else parameter.default
        text = about.get(parameter.name)
        field = pydantic.Field(default, description=text) if text else default
        fields[parameter.name] = (hints.get(parameter.name, Any), field)
    config = pydantic.ConfigDict(extra="forbid", arbitrary_types_allowed=False, protected_namespaces=())
    try:
        return pydantic.create_model(name, __config__=config, **fields)
    except (pydantic.errors.PydanticUserError, NameError) as error:
        why = str(error).splitlines()[0]
        raise InvalidToolError(function, f"an argument has a type JSON cannot carry ({why})") from None


def _close(schema: dict[str, Any]) -> bool:
    """Drop titles and close every object; return whether the schema is one that strict mode takes."""
    schema.pop("title", None)
    nested = [*schema.get("$defs", {}).values(), *schema.get("properties", {}).values(), *schema.get("anyOf", [])]
    if isinstance(schema.get("items"), dict):
        nested.append(schema["items"])
    strict = all([_close(part) for part in nested])  # noqa: C419 - every part is closed, also after one that is not strict
    if schema.get("type") != "object":
        return strict and bool({"type", "anyOf", "$ref", "enum", "const"} & schema.keys())
    if "properties" not in schema and schema.get("additionalProperties", True) is not False:
        return False
    schema["additionalProperties"] = False
    properties = schema.setdefault("properties", {})
    # In strict mode every argument is required, and an optional one is written as null.
    optional = [name for name, part in properties.items() if "default" in part]
    if strict and all(properties[name]["default"] is None for name in optional):
        for name in optional:
            del properties[name]["default"]
        schema["required"] = list(properties)
        return True
    schema["required"] = [name for name in properties if name not in optional]
    return False


def _problem(detail: Mapping[str, Any]) -> str:
    where = ".".join(str(part) for part in detail["loc"])
    if detail["type"] == "missing":
        return f"the argument {where!r} is missing"
    if detail["type"] == "extra_forbidden":
        return f"there is no argument {where!r}"
    reason = detail["msg"][0].lower() + detail["msg"][1:]
    return f"the argument {where!r} is {detail['input']!r:.80}: {reason}"


def _text(result: Any) -> str:
    if isinstance(result, str):
        return clean(result)
    try:
        return pydantic_core.to_json(result, fallback=str).decode()
    except (ValueError, TypeError):
        return clean(str(result))


async def _on_loop(function: Callable[..., Any], values: dict[str, Any]) -> Any:
    try:
        return await function(**values)
    except Exception:
        raise
    except BaseException as error:
        # SystemExit would end the loop that all agents share, and a cancellation of something else this agent's task.
        if is_ending_this_task(error):
            raise
        msg = told_of(error)
        raise RuntimeError(msg) from error


def is_ending_this_task(error: BaseException) -> bool:
    """Return whether an exception ends the task that it is raised in, and is not somebody else's that came through."""
    task = asyncio.current_task()
    return isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling() > 0


async def _in_thread(function: Callable[..., Any], values: dict[str, Any]) -> Any:
    # A daemon thread for each call, not an executor: an executor's threads are joined when the interpreter exits,
    # so one tool that never returns would keep a kernel from restarting.
    loop = asyncio.get_running_loop()
    outcome: asyncio.Future[Any] = loop.create_future()

    def settle(result: Any, error: BaseException | None) -> None:
        if outcome.cancelled():
            return
        if error is None:
            outcome.set_result(result)
        else:
            outcome.set_exception(error)

    def work() -> None:
        keep_output_out_of_cells()
        result, failure = None, None
        try:
            result = function(**values)
        except BaseException as error:  # noqa: BLE001 - carried to the awaiting task, whatever it is
            # StopIteration cannot be set on a future; SystemExit in a tool must not end the loop that awaits it.
            raised = isinstance(error, Exception) and not isinstance(error, StopIteration)
            failure = error if raised else RuntimeError(told_of(error))
        try:
            loop.call_soon_threadsafe(settle, result, failure)
        except RuntimeError:
            return  # the loop was closed while the tool worked: nobody waits for it any more

    # In this task's context, so that the service knows its own tool when that calls it.
    context = contextvars.copy_context()
    threading.Thread(target=context.run, args=(work,), name=f"intercom tool {function.__name__}", daemon=True).start()
    return await outcome


def functions_by_name(functions: Iterable[Callable[..., Any]]) -> dict[str, Callable[..., Any]]:
    """Return functions by their names."""
    return {function.__name__: function for function in functions}
