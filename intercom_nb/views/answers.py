"""What a view may ask of a log beyond the facts: texts, one whole text, a run, a conversation, a search."""

import json
from collections.abc import Mapping
from typing import Any

from intercom_nb.errors import listed
from intercom_nb.log.reading import Query
from intercom_nb.views.feed import older_facts, texts_between

__all__ = ["answer"]

_AT_ONCE = 5_000  # messages looked through at once
_NEWEST = 200  # items of a conversation
_OLDER = 5_000  # messages, runs and events at once, without texts


def answer(query: Query, asked: Mapping[str, Any]) -> dict[str, Any]:
    """Return what was asked for, under the name the page expects.

    Parameters
    ----------
    query : Query
        Reads one state of the log.
    asked : mapping
        What came from the page; ``what`` says what is wanted.

    Raises
    ------
    ValueError, KeyError
        If it cannot be answered; the text says why.
    """
    what = asked.get("what")
    if what == "older":
        facts, before = older_facts(query, int(asked["seq"]), min(int(asked["most"]), _OLDER))
        return {"facts": facts, "before": before}
    if what == "texts":
        return {"texts": texts_between(query, int(asked["from"]), int(asked["to"]))}
    if what == "text":
        return {"text": _text(query, int(asked["seq"]))}
    if what == "run":
        return {"items": _run(query, str(asked["run"]))}
    if what == "conversation":
        return {"items": _conversation(query, str(asked["agent"]))}
    if what == "search":
        return {"seqs": _search(query, str(asked["text"]))}
    right = listed(["older", "texts", "text", "run", "conversation", "search", "do"])
    raise ValueError(f"there is no answer to {what!r}; right would be {right}")


def _text(query: Query, seq: int) -> str:
    found = query("SELECT text FROM messages WHERE seq = ?", seq)
    if not found:
        raise ValueError(f"there is no message {seq} in this log")
    return str(found[0][0])


def _run(query: Query, run_id: str) -> list[dict[str, Any]]:
    found = query("SELECT agent_id, turn_idx FROM runs WHERE run_id = ? AND attempt = 1", run_id)
    if not found:
        raise ValueError(f"there is no run {run_id!r} in this log")
    sql = "SELECT payload FROM items WHERE agent_id = ? AND idx >= ? AND run_id = ? ORDER BY idx"
    return _shown(query(sql, *found[0], run_id))


def _conversation(query: Query, agent_id: str) -> list[dict[str, Any]]:
    sql = "SELECT payload FROM items WHERE agent_id = ? ORDER BY idx DESC LIMIT ?"
    return _shown(query(sql, agent_id, _NEWEST)[::-1])


def _shown(rows: list[tuple[Any, ...]]) -> list[dict[str, Any]]:
    """Return items as they are shown: a text, or a call with its output beside it."""
    shown: list[dict[str, Any]] = []
    calls: dict[str, dict[str, Any]] = {}
    for (payload,) in rows:
        item = json.loads(payload)
        kind = str(item.get("type") or item.get("role") or "")
        if kind == "function_call":
            calls[item["call_id"]] = one = {
                "type": "call", "name": item["name"], "arguments": item["arguments"], "output": None,
            }  # fmt: skip
            shown.append(one)
        elif kind == "function_call_output" and item["call_id"] in calls:
            calls[item["call_id"]]["output"] = _plain(item["output"])
        elif text := _plain(item.get("content") or item.get("summary") or item.get("output")):
            shown.append({"type": str(item.get("role") or kind), "text": text})
    return shown


def _plain(content: Any) -> str:
    """Return the text of an item, which some servers send in parts."""
    if isinstance(content, list):
        return "\n".join(filter(None, (str(part.get("text") or "") for part in content if isinstance(part, dict))))
    return content if isinstance(content, str) else "" if content is None else json.dumps(content, ensure_ascii=False)


def _search(query: Query, text: str) -> list[int]:
    """Return the places of the messages that hold a text, in whatever case."""
    wanted, found, seen = text.casefold(), [], 0
    while wanted:
        # In portions: the texts of a long log need not be in memory together.
        rows = query("SELECT seq, text FROM messages WHERE seq > ? ORDER BY seq LIMIT ?", seen, _AT_ONCE)
        found += [seq for seq, said in rows if wanted in said.casefold()]
        if len(rows) < _AT_ONCE:
            break
        seen = rows[-1][0]
    return found
