"""A log as text, and back: JSON Lines, one row a line, in the order of the log.

The first line is a head that says what it is. Of every other line, the one key is a table and its value a row, without
what is NULL. The same log gives the same bytes, and they give back the same log, row for row. Which columns there are
is asked of the log itself.
"""

import heapq
import json
import math
import operator
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from intercom_nb.checks import AnyPath
from intercom_nb.environment import setting
from intercom_nb.errors import LogError
from intercom_nb.log.pseudonyms import Pseudonyms, without_texts
from intercom_nb.log.reading import HasStore, Query, querying
from intercom_nb.log.schema import CLOCK, META, PROCESS, TABLES, VERSION, described
from intercom_nb.texts.fences import FENCE

__all__ = ["to_jsonl"]

# JSON may hold these three as they are, and readers of lines break at them.
_BREAKS = re.compile("[\x85\u2028\u2029]")
# As it stands in JSON, where a line break before it has become a letter.
_KEY = re.compile(r"(?:(?<![A-Za-z0-9_])|(?<=\\[nrtbf]))sk-[\w*-]{8,}")
_SHORTEST_KEY = 8  # characters; what is shorter may be a word
_encoded = json.JSONEncoder(ensure_ascii=False, sort_keys=True, allow_nan=False).encode
_Alter = Callable[[str, dict[str, Any]], dict[str, Any]]


def to_jsonl(
    log: HasStore | AnyPath,
    path: AnyPath,
    *,
    for_play: bool = False,
    pseudonyms: bool = False,
    texts: bool = True,
) -> Path:
    """Write a log as text: JSON Lines, one fact a line, in the order of the log; `from_jsonl` reads it back.

    Nothing is lost, and the same log gives the same bytes. A key of this environment, or what looks like one of
    OpenAI's, is written as ``(key)`` wherever somebody said it. What is written for others, under pseudonyms or without
    texts, does not tell the key of the marks that fence messages.

    Parameters
    ----------
    log : InterComService, str or Path
        A service, also while it runs, or the path of a log.
    path : str or Path
        Of the text; its folder is made, and a file that is there is replaced.
    for_play : bool, default False
        Leave out times, the package's version and other marks of one computer, so that a recording made anew has no
        difference where nothing has changed. What is left out reads back as 0, or as nothing.
    pseudonyms : bool, default False
        Write ``agent-1``, ``person-1``, ``chat-1``, ``team-1`` for ids, and ``Agent 1`` … for names, the same ones
        everywhere: in columns, frames, chat lists, tool calls, events and what was said. Replaced are whole words that
        are written as the id or the name is, also where such a word means something else. Kept are initials, nicknames,
        other forms of a name, tags, names of models and tools, numbers and times; the service is called ``service``,
        and its server's address is left out. Such a text cannot be played.
    texts : bool, default True
        False leaves out what agents and people said and were told: messages, conversations, missions, descriptions,
        data, notes, tool calls' arguments and outputs, errors and events; how they were connected stays.

    Returns
    -------
    Path
        Of the text.

    Raises
    ------
    LogError
        If there is no such log, or the text cannot be written.

    Examples
    --------
    >>> text = to_jsonl(intercom, intercom.log.path.with_suffix(".jsonl"))
    >>> text.read_text().splitlines()[0]
    '{"intercom_nb": "log", "schema": 2}'
    """
    path = Path(path)
    for_others = pseudonyms or not texts
    head = {"intercom_nb": "log", "schema": VERSION}
    head |= {name: True for name, given in (("for_play", for_play), ("pseudonyms", pseudonyms)) if given}
    head |= {} if texts else {"texts": False}
    part = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with querying(log) as query, part.open("w", encoding="utf-8", newline="\n") as file:
            file.write(_line(head))
            alter, hide = _altering(query, for_play=for_play, pseudonyms=pseudonyms, texts=texts), _hiding()
            rows = (one for one in _rows(query) if not (for_others and one[1].get("key") == FENCE and one[0] == "meta"))
            file.writelines(hide(_line({table: alter(table, row)})) for table, row in rows)
        part.replace(path)
    except OSError as error:
        if isinstance(error, LogError):
            raise
        raise LogError(path, f"cannot be written ({error.strerror}); choose another place for the text") from None
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)
    return path


def _rows(query: Query) -> Iterator[tuple[str, dict[str, Any]]]:
    """Return every row of a log, with its table: in the order of the log, then of the tables, then of their keys."""
    rows = heapq.merge(*(_rows_of(query, n, table) for n, table in enumerate(TABLES)), key=operator.itemgetter(0, 1))
    return ((TABLES[n], row) for _, n, row in rows)


def _rows_of(query: Query, n: int, table: str) -> Iterator[tuple[int, int, dict[str, Any]]]:
    columns = described(table)
    names = [column.name for column in columns]
    key = [column.name for column in sorted(columns, key=lambda one: one.key) if column.key]
    order = ", ".join(dict.fromkeys(["seq", *key]))
    place = names.index("seq")
    for row in query(f"SELECT {', '.join(names)} FROM {table} ORDER BY {order}"):  # noqa: S608 - names of the schema
        yield row[place], n, {name: value for name, value in zip(names, row, strict=True) if value is not None}


def _altering(query: Query, *, for_play: bool, pseudonyms: bool, texts: bool) -> _Alter:
    """Return what makes of a row what is written of it."""
    steps: list[_Alter] = [_for_play] if for_play else []
    steps += [] if texts else [without_texts]
    steps += [Pseudonyms(query).of] if pseudonyms else []

    def altered(table: str, row: dict[str, Any]) -> dict[str, Any]:
        for step in steps:
            row = step(table, row)
        return row

    return altered


def _for_play(table: str, row: dict[str, Any]) -> dict[str, Any]:
    if table == "meta" and META.get(row["key"], "content") != "content":
        return row | {"value": "0"}
    own = CLOCK.get(table, frozenset()) | PROCESS.get(table, frozenset())
    return {name: value for name, value in row.items() if name not in own} if own else row


def _line(value: dict[str, Any]) -> str:
    try:
        text = _encoded(value)
    except ValueError:  # JSON has no word for what is infinite
        ((table, row),) = value.items()
        return _line({table: {name: _finite(part) for name, part in row.items()}})
    return _BREAKS.sub(lambda found: f"\\u{ord(found[0]):04x}", text) + "\n"


def _finite(value: Any) -> Any:
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def _hiding() -> Callable[[str], str]:
    """Return what takes the keys out of a line."""
    key = setting("OPENAI_API_KEY") or ""
    own = key if len(key) >= _SHORTEST_KEY else ""

    def hidden(line: str) -> str:
        line = line.replace(own, "(key)") if own else line
        return _KEY.sub("(key)", line) if "sk-" in line else line

    return hidden
