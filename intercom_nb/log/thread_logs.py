"""The seed's thread logs: one text file an agent, written beside the log as items are committed."""

import json
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import groupby
from operator import itemgetter
from typing import Any

from intercom_nb.log.facts import Fact, ItemsAdded, RunBegan
from intercom_nb.log.store import Store
from intercom_nb.log.thread_log_files import ThreadLogFiles
from intercom_nb.messages import Item, item_type
from intercom_nb.texts.turns import escape

__all__ = ["ThreadLogs"]

_LOGGER = logging.getLogger(__name__)
_AT_ONCE = 500  # items: an agent's whole history need not be in memory
_ENDS = 3  # items at the beginning and at the end, by which a file is known
_SPEAKERS = """
SELECT agent_id FROM agents AS a WHERE version = 1 AND EXISTS (SELECT 1 FROM items WHERE agent_id = a.agent_id)
ORDER BY seq
"""
_SHOWN = """
i.payload, r.chat_list FROM items AS i
LEFT JOIN runs AS r ON r.run_id = i.run_id AND r.turn_idx = i.idx AND r.attempt = 1
"""
_PORTION = f"SELECT {_SHOWN} WHERE i.agent_id = ?1 AND i.idx >= ?2 ORDER BY i.idx LIMIT ?3"
_OF_EACH = f"SELECT i.agent_id, {_SHOWN.replace('FROM items', 'FROM agents AS a CROSS JOIN items')}"
_FIRST = f"""{_OF_EACH}
WHERE a.version = 1 AND i.agent_id = a.agent_id AND i.idx < ?1 ORDER BY i.agent_id, i.idx
"""
_NEWEST = f"""{_OF_EACH}
WHERE a.version = 1 AND i.agent_id = a.agent_id
    AND i.idx > (SELECT MAX(idx) FROM items WHERE agent_id = a.agent_id) - ?1
ORDER BY i.agent_id, i.idx
"""  # noqa: S608 - ours


class ThreadLogs:
    """Writes a file for each agent of one service, named after it. The log is the truth; these are for reading.

    Parameters
    ----------
    files : ThreadLogFiles
        Where they lie; the folder is made when the first item is written.
    name_of : callable
        Agent id → agent name.
    """

    def __init__(self, files: ThreadLogFiles, name_of: Callable[[str], str]) -> None:
        self._files = files
        self._name_of = name_of
        self._names: dict[str, str] = {}  # of the agents that something was written of

    def __call__(self, facts: Sequence[Fact]) -> None:
        """Write what was added to conversations, each agent's in one go; called by the log, once it is durable."""
        shown = {(fact.agent_id, fact.turn_idx): fact.chat_list for fact in facts if isinstance(fact, RunBegan)}
        texts: dict[str, list[str]] = {}
        for fact in facts:
            if isinstance(fact, ItemsAdded) and fact.items:
                first = _text(fact.items[0], shown.get((fact.agent_id, fact.idx)))
                texts.setdefault(fact.agent_id, []).extend([first, *map(_text, fact.items[1:])])
        self._append(texts)

    def complete(self, store: Store) -> None:
        """Write what is missing: a crash may have come between the log and these files, or somebody have changed them.

        Of a log that was closed, a file that begins and ends as it should is taken at its word.
        """
        whole = self._whole(store) if store.was_closed else set()
        for (agent_id,) in store.rows(_SPEAKERS):
            name = self._names[agent_id] = self._name_of(agent_id)
            if agent_id not in whole:
                self._trying(name, partial(self._files.mend, name, _portions(store, agent_id)))

    def _whole(self, store: Store) -> set[str]:
        """Return the agents whose files begin with their first items and end with their newest."""
        first, newest = (_by_agent(store.rows(sql, _ENDS)) for sql in (_FIRST, _NEWEST))
        return {one for one in first if self._files.is_between(self._name_of(one), first[one], newest[one])}

    def _append(self, texts: Mapping[str, Sequence[str]]) -> None:
        for agent_id, parts in texts.items():
            name = self._names.get(agent_id)
            anew = name is None  # the first write of a new log replaces whatever was there
            if name is None:
                name = self._names[agent_id] = self._name_of(agent_id)
            self._trying(name, partial(self._files.write, name, "".join(parts).encode(), anew=anew))

    def _trying(self, name: str, write: Callable[[], None]) -> None:
        """Write; these files are for reading, so that one that cannot be written stops nobody."""
        try:
            write()
        except OSError as error:
            _LOGGER.warning("the thread log of %s cannot be written: %s", name, error)


def _portions(store: Store, agent_id: str) -> Iterator[bytes]:
    """Yield what the file of an agent is to hold, a few items at a time."""
    idx = 0
    while rows := store.rows(_PORTION, agent_id, idx, _AT_ONCE):
        yield _data(rows)
        idx += len(rows)


def _by_agent(rows: Sequence[Sequence[Any]]) -> dict[str, bytes]:
    return {agent_id: _data([row for _, *row in of]) for agent_id, of in groupby(rows, key=itemgetter(0))}


def _data(rows: Sequence[Sequence[Any]]) -> bytes:
    return "".join(_text(json.loads(payload), chat_list) for payload, chat_list in rows).encode()


def _text(item: Item, chat_list: str | None = None) -> str:
    kind = item_type(item)
    try:
        body = _body(item, kind)
    except KeyError:  # it lacks what its kind needs: a log may be anybody's
        body = escape(json.dumps(item, ensure_ascii=False))
    shown = "" if chat_list is None else f"Chat list:\n{chat_list}\n\n"
    return f"{'=' * 20}{kind}{'=' * 20}\n{shown}{body}\n"


def _body(item: Item, kind: str) -> str:
    if kind == "user":
        return str(item["content"])  # a turn is escaped already, message by message; a model's own words are not
    if kind == "assistant":
        return escape(str(item["content"]))
    if kind == "function_call":
        return escape(f"{item['name']}({item['arguments']})")
    if kind == "function_call_output":
        return escape(str(item["output"]))
    return escape(json.dumps(item, ensure_ascii=False))
