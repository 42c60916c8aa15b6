"""The seed's thread logs: one text file an agent, written beside the log as items are committed."""

import json
import logging
from collections.abc import Callable, Mapping, Sequence

from intercom_nb.log.facts import Fact, ItemsAdded, RunBegan
from intercom_nb.log.store import Store
from intercom_nb.log.thread_log_files import ThreadLogFiles
from intercom_nb.messages import Item, item_type
from intercom_nb.texts.turns import escape

__all__ = ["ThreadLogs"]

_LOGGER = logging.getLogger(__name__)


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
            name = self._names.get(agent_id)
            anew = name is None  # the first write replaces what was there: after a crash, it may lack what the log has
            if name is None:
                name = self._names[agent_id] = self._name_of(agent_id)
            try:
                self._files.write(name, "".join(parts).encode(), anew=anew)
            except OSError as error:
                _LOGGER.warning("the thread log of %s cannot be written: %s", name, error)


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
