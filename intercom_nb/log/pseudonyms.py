"""What is written of a row for whoever publishes a log: without names, or without texts."""

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from intercom_nb.log.reading import Query

__all__ = ["Pseudonyms", "without_texts"]

# What no person wrote: words of ours, numbers, JSON of settings. A column that is not here counts as a text.
_PLAIN = frozenset(
    {"kind", "reason", "how", "source", "type", "model", "asked", "settings", "fingerprint", "package", "guideline"}
    | {"response_id", "run_id", "id", "call_id", "tools", "mail", "limits", "spent"}
)
_NAMES = frozenset(
    {"agent_id", "chat_id", "receiver_id", "sender_id", "contact_id", "by_id", "channel", "team", "contacts", "key"}
)
_NAMED = frozenset({"agents", "chats"})  # of other tables, a name is a tool's or an option's
_KEPT_VALUES = frozenset({"meta", "options"})
# In JSON, words of the API; a value of these stays as it is.
_API = frozenset({"type", "role", "status", "call_id"})
_WORD = r"[\w-]"
_IDS = "SELECT agent_id, kind, name, team FROM agents ORDER BY seq, version"


def without_texts(table: str, row: dict[str, Any]) -> dict[str, Any]:
    """Return a row without what people and models wrote; JSON keeps its form."""
    return {name: _emptied(value) if _is_text(table, name, value) else value for name, value in row.items()}


def _is_text(table: str, name: str, value: object) -> bool:
    plain = name in _PLAIN or name in _NAMES or name == "name" or (name == "value" and table in _KEPT_VALUES)
    return isinstance(value, str) and not plain


def _emptied(text: str) -> str:
    found = _json_of(text)
    return "" if found is None else json.dumps(_hollow(found), ensure_ascii=False)


def _hollow(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: part if key in _API or key == "name" else _hollow(part) for key, part in value.items()}
    return [_hollow(part) for part in value] if isinstance(value, list) else "" if isinstance(value, str) else value


def _json_of(text: str) -> Any:
    """Return the object or list that a text is as JSON; None for any other text."""
    if text[:1] not in ("{", "["):
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


class Pseudonyms:
    """Replaces the names and ids of a log, the same ones by the same everywhere.

    Parameters
    ----------
    query : Query
        On the log.
    """

    def __init__(self, query: Query) -> None:
        self._new: dict[str, str] = {}
        counted = {"agent": 0, "person": 0, "chat": 0}
        rows = [(*row, "") for row in query("SELECT chat_id, 'chat', name FROM chats ORDER BY seq")]
        for member_id, kind, name, team in [*query(_IDS), *rows]:
            if member_id not in self._new:
                counted[kind] += 1
                self._new[member_id] = f"{kind}-{counted[kind]}"
            word, _, n = self._new[member_id].partition("-")
            self._new.setdefault(name, f"{word.capitalize()} {n}")
            self._add_team(team)
        self._add_service(query)
        self._words = re.compile(_pattern(self._new), re.DOTALL)

    def _add_team(self, team: str) -> None:
        parts = [part for part in team.split("/") if part]
        for part in (part for part in parts if part not in self._new):
            self._new[part] = f"team-{sum(new.startswith('team-') for new in self._new.values()) + 1}"

    def _add_service(self, query: Query) -> None:
        for (name,) in query("SELECT value FROM meta WHERE key = 'name'"):
            self._new.setdefault(name, "service")
        for (text,) in query("SELECT value FROM options WHERE name = 'base_url'"):
            if (address := json.loads(text)) is not None:
                self._new.setdefault(address, "server")

    def of(self, table: str, row: dict[str, Any]) -> dict[str, Any]:
        """Return a row with other names in it."""
        plain = _PLAIN if table in _NAMED else _PLAIN | {"name"}
        return {
            name: self._text(value) if isinstance(value, str) and name not in plain else value
            for name, value in row.items()
        }

    def _text(self, text: str) -> str:
        if (new := self._new.get(text)) is not None:
            return new
        if self._words.search(text) is None:
            return text
        found = _json_of(text)
        if found is None:
            return self._words.sub(lambda one: self._new[one[0]], text)
        return json.dumps(self._inside(found), ensure_ascii=False)

    def _inside(self, value: Any) -> Any:
        if isinstance(value, dict):
            is_call = value.get("type") == "function_call"
            kept = _API | {"name"} if is_call else _API
            return {key: part if key in kept else self._inside(part) for key, part in value.items()}
        if isinstance(value, list):
            return [self._inside(part) for part in value]
        return self._text(value) if isinstance(value, str) else value


def _pattern(words: Iterable[str]) -> str:
    """Return a pattern for whole words, the longest first, that takes no longer for many of them."""
    trie: dict[str, Any] = {}
    for word in words:
        node = trie
        for character in word:
            node = node.setdefault(character, {})
        node[""] = {}
    # In a frame and in a chat list, that somebody is an agent is no name.
    no_type = r"(?<!\ntype: )(?<!\"type\": \")"
    return rf"(?<!{_WORD}){no_type}(?:{_alternatives(trie)})(?!{_WORD})"


def _alternatives(node: Mapping[str, Any]) -> str:
    stack, ends = [], "" in node
    for character, below in node.items():
        if character:
            text = re.escape(character)
            while len(below) == 1 and "" not in below:
                ((character, below),) = below.items()  # noqa: PLW2901 - one branch, walked without recursion
                text += re.escape(character)
            stack.append(text + _alternatives(below))
    if not stack:
        return ""
    group = f"(?:{'|'.join(stack)})"
    return f"{group}?" if ends else group
