"""The seed's thread logs: one text file an agent, written beside the log as items are committed."""

import json
import logging
import os
import re
import zlib
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any, Literal

from intercom_nb.log.facts import Fact, ItemsAdded, RunBegan
from intercom_nb.log.store import Store
from intercom_nb.messages import Item, item_type
from intercom_nb.texts.turns import escape

__all__ = ["ThreadLogs", "file_name"]

_LOGGER = logging.getLogger(__name__)
_UNSAFE = re.compile(r'[/\\:*?"<>|%\x00-\x1f]|^\.+$|[. ]$')
_LONGEST = 200  # bytes; file systems take 255
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
    """Writes ``<folder>/<agent name>`` for each agent of one service. The log is the truth; these are for reading.

    Parameters
    ----------
    folder : Path
        Made when the first item is written.
    name_of : callable
        Agent id → agent name.
    """

    def __init__(self, folder: Path, name_of: Callable[[str], str]) -> None:
        self.folder = folder
        self._name_of = name_of
        self._paths: dict[str, str] = {}  # of the agents that something was written of

    def __call__(self, facts: Sequence[Fact]) -> None:
        """Write what was added to conversations, each agent's in one go; called by the log, once it is durable."""
        shown = {(fact.agent_id, fact.turn_idx): fact.chat_list for fact in facts if isinstance(fact, RunBegan)}
        texts: dict[str, list[str]] = {}
        for fact in facts:
            if isinstance(fact, ItemsAdded):
                first = _text(fact.items[0], shown.get((fact.agent_id, fact.idx)))
                texts.setdefault(fact.agent_id, []).extend([first, *map(_text, fact.items[1:])])
        self._append(texts)

    def complete(self, store: Store) -> None:
        """Write what is missing: a crash may have come between the log and these files, or somebody have changed them.

        Of a log that was closed, a file that begins and ends as it should is taken at its word.
        """
        whole = self._whole(store) if store.was_closed else set()
        for (agent_id,) in store.rows(_SPEAKERS):
            path = self._paths[agent_id] = self._path_of(agent_id)
            if agent_id not in whole:
                self._trying(path, partial(_mend, path, store, agent_id))

    def _whole(self, store: Store) -> set[str]:
        """Return the agents whose files begin with their first items and end with their newest."""
        first, newest = (_by_agent(store.rows(sql, _ENDS)) for sql in (_FIRST, _NEWEST))
        return {
            agent_id for agent_id in first if _is_between(self._path_of(agent_id), first[agent_id], newest[agent_id])
        }

    def _append(self, texts: Mapping[str, Sequence[str]]) -> None:
        for agent_id, parts in texts.items():
            path = self._paths.get(agent_id)
            # The first write of a service replaces what an earlier one of the same name has left.
            mode: Literal["wb", "ab"] = "wb" if path is None else "ab"
            if path is None:
                path = self._paths[agent_id] = self._path_of(agent_id)
            self._trying(path, partial(_write, path, mode, "".join(parts).encode()))

    def _path_of(self, agent_id: str) -> str:
        return str(self.folder / file_name(self._name_of(agent_id)))

    def _trying(self, path: str, write: Callable[[], None]) -> None:
        """Write; these files are for reading, so that one that cannot be written stops nobody."""
        try:
            try:
                write()
            except FileNotFoundError:  # no folder yet, or no more
                self.folder.mkdir(parents=True, exist_ok=True)
                write()
        except OSError as error:
            _LOGGER.warning("thread log %s cannot be written: %s", path, error)


def _write(path: str, mode: Literal["wb", "ab"], data: bytes) -> None:
    # Bytes, and no Path: once for each step, either costs as much as the write.
    with open(path, mode) as file:  # noqa: PTH123
        file.write(data)


def _mend(path: str, store: Store, agent_id: str) -> None:
    """Write a file from the first place on at which it is not what the log says; a few items at a time."""
    with open(os.open(path, os.O_RDWR | os.O_CREAT, 0o666), "r+b") as file:  # noqa: PTH123 - as it is, and made if it is not there
        size, known = os.fstat(file.fileno()).st_size, True
        idx = 0
        while rows := store.rows(_PORTION, agent_id, idx, _AT_ONCE):
            data, at = _data(rows), file.tell()
            if known and file.read(len(data)) != data:
                known = False
                file.seek(at)
                file.truncate()
            if not known:
                file.write(data)
            idx += len(rows)
        if file.tell() < size:
            file.truncate()


def _is_between(path: str, first: bytes, newest: bytes) -> bool:
    """Return whether a file begins and ends thus; few items are both, and all of it."""
    try:
        with open(path, "rb") as file:  # noqa: PTH123 - as above
            if file.read(len(first)) != first:
                return False
            file.seek(-len(newest), os.SEEK_END)
            return file.read() == newest and (file.tell() > len(first) or first == newest)
    except OSError:  # not there, or shorter
        return False


def _by_agent(rows: Sequence[Sequence[Any]]) -> dict[str, bytes]:
    return {agent_id: _data([row for _, *row in of]) for agent_id, of in groupby(rows, key=itemgetter(0))}


def _data(rows: Sequence[Sequence[Any]]) -> bytes:
    return "".join(_text(json.loads(payload), chat_list) for payload, chat_list in rows).encode()


def _text(item: Item, chat_list: str | None = None) -> str:
    kind = item_type(item)
    if kind in ("user", "assistant"):
        content = str(item["content"])
        # A turn is escaped already, message by message; a model's own words are escaped here.
        body = content if kind == "user" else escape(content)
    elif kind == "function_call":
        body = escape(f"{item['name']}({item['arguments']})")
    elif kind == "function_call_output":
        body = escape(str(item["output"]))
    else:
        body = escape(json.dumps(item, ensure_ascii=False))
    shown = "" if chat_list is None else f"Chat list:\n{chat_list}\n\n"
    return f"{'=' * 20}{kind}{'=' * 20}\n{shown}{body}\n"


def file_name(name: str) -> str:
    """Return a name as one that files and folders may have; two names that differ stay different.

    Examples
    --------
    >>> file_name("Founder"), file_name("a/b"), file_name("..")
    ('Founder', 'a%2Fb', '%2E%2E')
    """
    safe = _UNSAFE.sub(lambda found: "".join(f"%{ord(c):02X}" for c in found[0]), name)
    data = safe.encode()
    if len(data) <= _LONGEST:
        return safe
    return f"{data[:_LONGEST].decode(errors='ignore')}~{zlib.crc32(data):08x}"
