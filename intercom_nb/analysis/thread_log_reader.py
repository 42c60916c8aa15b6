"""A folder of thread logs, one text file an agent, as the frames of a log: what the texts know, and no more."""

import heapq
import itertools
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import unquote

from intercom_nb.analysis.arrow import frame_of
from intercom_nb.analysis.tables import TABLES, Frames
from intercom_nb.analysis.thread_log_parser import Entry, parse
from intercom_nb.checks import AnyPath, checked_path
from intercom_nb.errors import LogError
from intercom_nb.log.thread_log_files import file_name
from intercom_nb.texts.turns import Incoming

__all__ = ["read_thread_logs"]

_Key = tuple[str | None, str | None, str | None, str, int]
_T = TypeVar("_T", bound=Hashable)


def read_thread_logs(folder: AnyPath) -> Frames:
    """Return what a folder of thread logs says, as the frames of a log; ours, or the original prototype's.

    Parameters
    ----------
    folder : str or Path
        One text file an agent, named after it; hidden files are left aside.

    Returns
    -------
    Frames
        Taken by every function of the analysis in place of a log. The columns are those of a log, missing where text
        cannot know: all times, runs, missions, admins. ``agents`` has everybody who has a file, is in a chat list or
        has written a message, in an order that agrees with every chat list; ``kind`` is known for those with a file. An
        agent whose id appears nowhere has its name for one. ``memberships`` has who received or wrote a message in a
        group, or was shown it in a chat list. ``runs``, ``steps``, ``tool_calls`` and ``events`` have no rows.

    Raises
    ------
    LogError
        If there is no such folder, or no file in it.
    LogDamagedError
        If a file is not in the form of a thread log; names the file and the line.

    Notes
    -----
    Equal texts by the same author in the same group are one message if they are in different files, and the first in
    each file is the first of all, the second the second. ``seq`` numbers messages in an order that agrees with every
    file where one does, and in which nobody writes before being told something; which of two messages in different
    files came first, text does not say beyond that.

    Examples
    --------
    >>> from intercom_nb import who_to_whom
    >>> folder = intercom.log.path.with_suffix("")  # named after the log
    >>> int(who_to_whom(read_thread_logs(folder)).loc["Founder", "Marketing Expert"])
    2
    """
    folder = checked_path(folder, "folder", "the path of a folder of thread logs")
    if not folder.is_dir():
        raise LogError(folder, "there is no such folder of thread logs")
    paths = sorted(path for path in folder.iterdir() if path.is_file() and not path.name.startswith("."))
    if not paths:
        raise LogError(folder, "there is no thread log in this folder")
    files = {path: parse(path) for path in paths}
    cast = _cast_of(files)
    heard = _heard(files, cast)
    messages, deliveries = _message_rows(heard, cast)
    rows: dict[str, list[dict[str, Any]]] = {
        "agents": _agent_rows(cast),
        "chats": _chat_rows(cast),
        "memberships": _membership_rows(cast),
        "messages": messages,
        "deliveries": deliveries,
        "items": _item_rows(files, cast),
    }
    return Frames(**{name: frame_of(rows.get(name, []), name) for name in TABLES})


@dataclass(slots=True)
class _Cast:
    """Who and which groups the files speak of, by id: what is known of them, and whose file is whose."""

    agents: dict[str, str] = field(default_factory=dict)
    groups: dict[str, str] = field(default_factory=dict)
    about: dict[str, str] = field(default_factory=dict)
    owners: dict[Path, str] = field(default_factory=dict)
    members: dict[str, dict[str, None]] = field(default_factory=dict)


def _cast_of(files: Mapping[Path, Sequence[Entry]]) -> _Cast:
    found = _Cast()
    for entry in (entry for entries in files.values() for entry in entries):
        for shown in entry.chat_list:
            (found.groups if shown.type == "group" else found.agents)[shown.id] = shown.name
            found.about[shown.id] = shown.description
        for part in entry.parts:
            if isinstance(part, Incoming):
                found.agents.setdefault(part.author_id, part.author_name)
                if part.type == "group":
                    found.groups.setdefault(part.chat_id, part.chat_name)
    for path in files:
        found.owners[path] = owner = _owner(path, found.agents)
        found.agents.setdefault(owner, owner)
    lists = {tuple(e.id for e in entry.chat_list if e.type == "agent"): None for f in files.values() for entry in f}
    order = _merged([*lists, *((agent_id,) for agent_id in found.agents)])
    found.agents = {agent_id: found.agents[agent_id] for agent_id in order}
    for path, entries in files.items():
        for entry in entries:
            _note_members(found, found.owners[path], entry)
    return found


def _owner(path: Path, agents: Mapping[str, str]) -> str:
    """Return the id of the agent whose file this is; its name where nobody says its id."""
    for said in (path.name, path.stem):
        for agent_id, name in agents.items():
            if said in (name, file_name(name), agent_id):
                return agent_id
    return unquote(path.stem if path.suffix in (".txt", ".log", ".md") else path.name)


def _note_members(found: _Cast, owner: str, entry: Entry) -> None:
    shown = [chat.id for chat in entry.chat_list if chat.type == "group"]
    for chat_id in shown:
        found.members.setdefault(chat_id, {})[owner] = None
    for part in entry.parts:
        if isinstance(part, Incoming) and part.type == "group":
            found.members.setdefault(part.chat_id, {}).update({part.author_id: None, owner: None})


def _heard(files: Mapping[Path, Sequence[Entry]], cast: _Cast) -> dict[str, list[_Key]]:
    """Return the messages that each agent received, in order; the same message has the same key everywhere.

    A key is the group, the receiver of a direct message, the author, the text, and which of several equal ones it is.
    """
    heard: dict[str, list[_Key]] = {}
    for path, entries in files.items():
        owner, times = cast.owners[path], dict[tuple[Any, ...], int]()
        keys: list[_Key] = []
        for part in (part for entry in entries for part in entry.parts):
            said: tuple[str | None, str | None, str | None, str]
            if isinstance(part, str):
                said = (None, owner, None, part)
            elif part.type == "group":
                said = (part.chat_id, None, part.author_id, part.text)
            else:
                said = (None, owner, part.author_id, part.text)
            times[said] = times.get(said, 0) + 1
            keys.append((*said, times[said]))
        heard.setdefault(owner, []).extend(keys)
    return heard


def _merged(sequences: Iterable[Sequence[_T]]) -> list[_T]:
    """Return everything in the sequences once, in an order that agrees with each of them as far as they agree."""
    after: dict[_T, list[_T]] = {}
    waits: dict[_T, int] = {}
    for sequence in sequences:
        for item in sequence:
            after.setdefault(item, [])
            waits.setdefault(item, 0)
        for before, item in itertools.pairwise(sequence):
            after[before].append(item)
            waits[item] += 1
    place = {item: n for n, item in enumerate(after)}
    items = list(after)
    ready = [place[item] for item in items if not waits[item]]
    heapq.heapify(ready)
    ordered: dict[_T, None] = {}
    held = iter(items)
    while len(ordered) < len(items):
        # Where the sequences contradict each other, whoever was met first goes first.
        item = items[heapq.heappop(ready)] if ready else next(item for item in held if item not in ordered)
        if item in ordered:
            continue
        ordered[item] = None
        for later in after[item]:
            waits[later] -= 1
            if not waits[later]:
                heapq.heappush(ready, place[later])
    return list(ordered)


def _message_rows(
    heard: Mapping[str, Sequence[_Key]], cast: _Cast
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    receivers: dict[_Key, list[str]] = {}
    for agent_id, keys in heard.items():
        for key in keys:
            receivers.setdefault(key, []).append(agent_id)
    messages, deliveries = [], []
    # Nobody acts before being told something: an agent's first mail came before all it wrote.
    after = [(heard[key[2]][0], key) for key in receivers if key[2] is not None and heard.get(key[2])]
    for seq, key in enumerate(_merged([*heard.values(), *after]), start=1):
        chat_id, receiver_id, sender_id, text, _ = key
        said = {
            "seq": seq,
            "message_id": f"m-{seq}",
            "sender_id": sender_id,
            "sender": cast.agents.get(sender_id or ""),
            "chat_id": chat_id,
            "chat": cast.groups.get(chat_id or ""),
        }
        messages.append(
            {**said, "receiver_id": receiver_id, "receiver": cast.agents.get(receiver_id or ""), "text": text}
        )
        deliveries += [
            {**said, "receiver_id": agent_id, "receiver": cast.agents[agent_id], "state": "consumed"}
            for agent_id in sorted(receivers[key])
        ]
    return messages, deliveries


def _agent_rows(cast: _Cast) -> list[dict[str, Any]]:
    owners = set(cast.owners.values())
    return [
        {
            "agent_id": agent_id,
            "name": name,
            "kind": "agent" if agent_id in owners else None,
            "team": "",
            "description": cast.about.get(agent_id),
        }
        for agent_id, name in cast.agents.items()
    ]


def _chat_rows(cast: _Cast) -> list[dict[str, Any]]:
    return [
        {
            "chat_id": chat_id,
            "name": name,
            "description": cast.about.get(chat_id),
            "n_members": len(cast.members.get(chat_id, ())),
        }
        for chat_id, name in cast.groups.items()
    ]


def _membership_rows(cast: _Cast) -> list[dict[str, Any]]:
    return [
        {"chat_id": chat_id, "chat": name, "agent_id": agent_id, "agent": agent}
        for chat_id, name in cast.groups.items()
        for agent_id, agent in cast.agents.items()
        if agent_id in cast.members.get(chat_id, ())
    ]


def _item_rows(files: Mapping[Path, Sequence[Entry]], cast: _Cast) -> list[dict[str, Any]]:
    found = [(cast.owners[path], n, entry) for path, entries in files.items() for n, entry in enumerate(entries)]
    return [
        {"agent_id": owner, "agent": cast.agents[owner], "idx": n, "type": entry.role, "text": entry.text}
        for owner, n, entry in sorted(found, key=lambda item: item[:2])
    ]
