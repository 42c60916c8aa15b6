"""The seed's thread logs: one text file an agent, written beside the log as items are committed."""

import json
import logging
import re
import zlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Literal

from intercom_nb.log.facts import Fact, ItemsAdded, RunBegan
from intercom_nb.log.store import Store
from intercom_nb.messages import Item, item_type
from intercom_nb.texts.turns import escape

__all__ = ["ThreadLogs", "file_name"]

_LOGGER = logging.getLogger(__name__)
_UNSAFE = re.compile(r'[/\\:*?"<>|%\x00-\x1f]|^\.+$|[. ]$')
_LONGEST = 200  # bytes; file systems take 255


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

    def rewrite(self, store: Store) -> None:
        """Write everything anew from the log: a crash may have come between the log and these files."""
        texts: dict[str, list[str]] = {}
        rows = store.rows(
            "SELECT i.agent_id, i.payload, r.chat_list FROM items AS i LEFT JOIN runs AS r "
            "ON r.run_id = i.run_id AND r.turn_idx = i.idx AND r.attempt = 1 ORDER BY i.agent_id, i.idx"
        )
        for agent_id, payload, chat_list in rows:
            texts.setdefault(agent_id, []).append(_text(json.loads(payload), chat_list))
        self._append(texts)

    def _append(self, texts: Mapping[str, Sequence[str]]) -> None:
        for agent_id, parts in texts.items():
            path = self._paths.get(agent_id)
            # The first write of a service replaces what an earlier one of the same name has left.
            mode: Literal["wb", "ab"] = "wb" if path is None else "ab"
            if path is None:
                path = self._paths[agent_id] = str(self.folder / file_name(self._name_of(agent_id)))
            data = "".join(parts).encode()
            try:
                try:
                    _write(path, mode, data)
                except FileNotFoundError:  # no folder yet, or no more
                    self.folder.mkdir(parents=True, exist_ok=True)
                    _write(path, mode, data)
            except OSError as error:
                _LOGGER.warning("thread log %s cannot be written: %s", path, error)


def _write(path: str, mode: Literal["wb", "ab"], data: bytes) -> None:
    # Bytes, and no Path: once for each step, either costs as much as the write.
    with open(path, mode) as file:  # noqa: PTH123
        file.write(data)


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
