"""The public names and their signatures as one text, a line each: a change of the interface shows as a change of lines.

``python tests/promises/api_text.py`` writes it anew.
"""

import dataclasses
import functools
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import intercom_nb
from intercom_nb import analysis, demos, errors

FILE = Path(__file__).with_name("public_api.txt")
_MODULES = re.compile(r"\b(?:[a-z_][a-z_0-9]*\.)+(?=[A-Za-z_])")  # of a type's name
_LONGEST = 100  # characters of a line


def text() -> str:
    """Return the whole of it."""
    lines = list(_of_package())
    for name, module in (("analysis", analysis), ("demos", demos), ("errors", errors)):
        lines += sorted(f"intercom_nb.{name}.{one}" for one in module.__all__)
    return "\n".join(lines) + "\n"


def _of_package() -> Iterator[str]:
    for name in intercom_nb.__all__:
        thing = getattr(intercom_nb, name)
        yield f"{name}{_signature(thing)}"
        if inspect.isclass(thing):
            yield from (f"{name}.{line}" for line in _members(thing))


def _members(kind: type) -> Iterator[str]:
    fields = {field.name for field in dataclasses.fields(kind)} if dataclasses.is_dataclass(kind) else set()
    for name in sorted(one for one in dir(kind) if not one.startswith("_")):
        found = inspect.getattr_static(kind, name)
        if issubclass(kind, Exception) and hasattr(OSError, name):
            continue  # Python's own
        if isinstance(found, property | functools.cached_property):
            yield f"{name}{_returns(found)}{', can be set' if getattr(found, 'fset', None) else ''}"
        elif callable(getattr(kind, name)):
            yield f"{name}{_signature(getattr(kind, name))}"
        elif name not in fields:
            yield name


def _returns(found: Any) -> str:
    made = getattr(found, "fget", None) or found.func
    return f": {_kind(made.__annotations__.get('return', 'Any'))}"


def _signature(thing: Any) -> str:
    """Return a signature; one that is long has a line for each parameter."""
    try:
        signature = inspect.signature(thing)
    except (TypeError, ValueError):
        return ""
    parts, named = [], False
    for one in signature.parameters.values():
        if one.kind is one.KEYWORD_ONLY and not named:
            parts.append("*")
        named = named or one.kind in (one.KEYWORD_ONLY, one.VAR_POSITIONAL)
        stars = {one.VAR_POSITIONAL: "*", one.VAR_KEYWORD: "**"}.get(one.kind, "")
        kind = "" if one.annotation is one.empty else f": {_kind(one.annotation)}"
        parts.append(f"{stars}{one.name}{kind}{'' if one.default is one.empty else f' = {_default(one.default)}'}")
    returns = "" if signature.return_annotation in (inspect.Signature.empty, None) else signature.return_annotation
    end = f" -> {_kind(returns)}" if returns else ""
    line = f"({', '.join(parts)}){end}"
    return line if len(line) <= _LONGEST else "(\n    " + ",\n    ".join(parts) + f"\n){end}"


def _kind(annotation: Any) -> str:
    written = annotation if isinstance(annotation, str) else inspect.formatannotation(annotation)
    return _MODULES.sub("", written).replace("ForwardRef(", "(")


def _default(value: Any) -> str:
    if value is ...:
        return "..."
    if isinstance(value, str | int | float | tuple | None):
        return repr(value)
    return f"{type(value).__name__}()"


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")
