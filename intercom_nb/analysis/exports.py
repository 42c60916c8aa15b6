"""The log for other programs: a Mermaid diagram, a Markdown transcript, GraphML, Parquet. What agents wrote is text."""

import re
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from intercom_nb.analysis.frames import read_frames
from intercom_nb.analysis.reading import Source, Until, frames_from
from intercom_nb.analysis.tables import TABLES
from intercom_nb.analysis.traffic import graph
from intercom_nb.checks import AnyPath, checked_file, checked_path, checked_whole

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["to_graphml", "to_markdown", "to_mermaid", "to_parquet"]

_IN_MERMAID = re.compile(r"[^\w ,.!?'’()-]|_|^ | $", re.ASCII)
# What is structure anywhere, at the beginning of a line, or in something that would become a link by itself.
_IN_MARKDOWN = re.compile(r"[\\`*_{}\[\]<>#|~$^@&!]|^[-+=]|(?<=www)\.|:(?=[\w/])", re.IGNORECASE)
_NUMBERED = re.compile(r"^(\d+)([.)])")
_ENTITIES = {"<": "&lt;", ">": "&gt;", "&": "&amp;", "@": "&#64;"}
_UNSEEN = re.compile(
    r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]"
)


def _rows(frame: "pd.DataFrame", *columns: str) -> list[tuple[Any, ...]]:
    """Return some columns as tuples, None for what is missing; empty texts for a log that is not one of several."""
    given = frame.reindex(columns=list(columns)).astype(object)
    return list(given.where(given.notna(), None).itertuples(index=False, name=None))


def to_mermaid(source: "Source", *, characters: int = 80, until: "Until" = None) -> str:
    r"""Return a conversation as a sequence diagram in Mermaid's language.

    Each member has a lane, persons drawn as figures; each group chat has a lane of its own, to which its messages go,
    with a note on who hears them whenever that changes. Texts of the program (*Begin*) are notes.

    Parameters
    ----------
    source : Source
        A service, also while it runs, or a log.
    characters : int, default 80
        How much of each message is shown.
    until : int or str, optional
        The log as it was at this place, as for `agents_df`. Default: as it is now.

    Returns
    -------
    str
        Begins with ``sequenceDiagram``; every character of a name or message that could mean something to Mermaid or
        to a browser is written as its number.

    Examples
    --------
    >>> print(to_mermaid(intercom).splitlines()[0])
    sequenceDiagram
    """
    checked_whole(characters, "characters")
    found = frames_from(
        source, {n: TABLES[n] for n in ("agents", "chats", "messages", "deliveries")}, strict=True, until=until
    )
    lanes: dict[tuple[str | None, str], str] = {}
    lines = ["sequenceDiagram"]
    for log, agent_id, name, kind in _rows(found["agents"], "log", "agent_id", "name", "kind"):
        lane = lanes[log, agent_id] = f"p{len(lanes)}"
        lines.append(f"    {'actor' if kind == 'person' else 'participant'} {lane} as {_in_mermaid(name)}")
    for log, chat_id, name in _rows(found["chats"], "log", "chat_id", "name"):
        lane = lanes[log, chat_id] = f"p{len(lanes)}"
        lines.append(f"    participant {lane} as Group {_in_mermaid(name)}")
    hearers = _hearers(found["deliveries"])
    heard: dict[str, set[str]] = {}
    columns = ("log", "seq", "sender_id", "sender", "receiver_id", "chat_id", "text")
    for log, seq, sender_id, sender, receiver_id, chat_id, text in _rows(found["messages"], *columns):
        to = lanes[log, chat_id or receiver_id]
        said = _in_mermaid(_shortened(text, characters))
        if sender_id is None:
            lines.append(f"    Note over {to}: {said}")
            continue
        if chat_id is not None:
            members = {sender, *hearers[log, seq]}
            if members != heard.get(to):
                names = ", ".join(_in_mermaid(name) for name in dict.fromkeys([sender, *hearers[log, seq]]))
                lines.append(f"    Note over {to}: {names}")
            heard[to] = members
        lines.append(f"    {lanes[log, sender_id]}->>{to}: {said}")
    return "\n".join(lines) + "\n"


def _hearers(deliveries: "pd.DataFrame") -> dict[tuple[str | None, int], list[str]]:
    """Return the names of each message's receivers."""
    names: dict[tuple[str | None, int], list[str]] = {}
    for log, seq, receiver in _rows(deliveries, "log", "seq", "receiver"):
        names.setdefault((log, seq), []).append(receiver)
    return names


def _shortened(text: str, characters: int) -> str:
    line = " ".join(text.split())
    return line if len(line) <= characters else line[: max(characters - 1, 0)] + "…"


def _in_mermaid(text: str) -> str:
    line = _UNSEEN.sub("\ufffd", " ".join(text.split()))
    # Letters of any script are plain; what is ASCII and no letter, digit or plain punctuation goes by its number.
    return _IN_MERMAID.sub(lambda m: m[0] if ord(m[0]) > 127 else f"#{ord(m[0])};", line) or "…"  # noqa: PLR2004


def to_markdown(source: "Source", *, until: "Until" = None) -> str:
    """Return a conversation as a transcript in Markdown.

    Parameters
    ----------
    source : Source
        A service, also while it runs, or a log.
    until : int or str, optional
        The log as it was at this place, as for `agents_df`. Default: as it is now.

    Returns
    -------
    str
        A heading for each message (who to whom, and when, UTC), and its text as a quotation. Names and texts are
        shown as they were written: nothing in them is HTML, a heading, a link or an image.
    """
    found = frames_from(
        source, {name: TABLES[name] for name in ("agents", "messages", "deliveries")}, strict=True, until=until
    )
    parts = ["# Transcript"]
    members = [
        f"- **{_in_markdown(name)}**" + (f": {_in_markdown(description)}" if description else "")
        for name, description in _rows(found["agents"], "name", "description")
    ]
    parts += ["\n".join(members)] if members else []
    hearers = _hearers(found["deliveries"])
    columns = ("log", "seq", "created_at", "sender", "receiver", "chat", "text")
    for log, seq, at, sender, receiver, chat, text in _rows(found["messages"], *columns):
        said_to = receiver if chat is None else f"{chat} ({', '.join(hearers.get((log, seq), []))})"
        place = f"{seq}" if log is None else f"{_in_markdown(log)} {seq}"
        when = "" if at is None else f"*{at:%Y-%m-%d %H:%M:%S} UTC*\n\n"
        parts.append(
            f"## {place}: {'(the program)' if sender is None else _in_markdown(sender)} → {_in_markdown(said_to)}"
        )
        parts.append(when + _quoted(text))
    return "\n\n".join(parts) + "\n"


def _quoted(text: str) -> str:
    # Non-breaking spaces keep an indented line from becoming code; two spaces at the end break the line.
    lines = []
    for line in text.splitlines() or [""]:
        bare = line.lstrip()
        lines.append(f"> {chr(160) * (len(line) - len(bare))}{_in_markdown(bare)}".rstrip(" "))
    return "".join(f"{line}  \n" if line != ">" else ">\n" for line in lines).rstrip()


def _in_markdown(text: str) -> str:
    line = _UNSEEN.sub("\ufffd", " ".join(text.splitlines()))
    return _NUMBERED.sub(r"\1\\\2", _IN_MARKDOWN.sub(lambda match: _ENTITIES.get(match[0], f"\\{match[0]}"), line))


def to_graphml(source: "Source", path: AnyPath) -> Path:
    """Write the graph of who wrote to whom as GraphML, for Gephi, yEd or Cytoscape; return the path.

    Parameters
    ----------
    source : Source
        A service, also while it runs, or a log.
    path : str or Path
        The file; overwritten. Nodes and edges have the attributes of `graph`; times are ISO 8601, and an attribute
        that is not known is left out.
    """
    import networkx as nx

    path = checked_file(path, "path")
    traffic = nx.MultiDiGraph()
    seen = graph(source)
    traffic.add_nodes_from((_in_xml(name), _known(facts)) for name, facts in seen.nodes(data=True))
    traffic.add_edges_from((_in_xml(s), _in_xml(r), _known(facts)) for s, r, facts in seen.edges(data=True))
    with path.open("wb") as file:
        nx.write_graphml(traffic, file)
    return path


def _known(facts: dict[str, Any]) -> dict[str, Any]:
    known = {key: value for key, value in facts.items() if value is not None}
    texts = {key: _in_xml(value) for key, value in known.items() if isinstance(value, str)}
    times = {"time": known["time"].isoformat()} if "time" in known else {}
    return {**known, **texts, **times}


def _in_xml(text: str) -> str:
    return _UNSEEN.sub("\ufffd", text)


def to_parquet(source: "Source", folder: AnyPath) -> Path:
    """Write every frame as Parquet, ``<folder>/<frame>.parquet``, and return the folder.

    Parameters
    ----------
    source : Source
        A service, also while it runs, a log, several of them, or a folder of logs; the frames are all of one moment.
    folder : str or Path
        Made if it is not there; files in it that have these names are overwritten.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     sorted(path.stem for path in to_parquet(intercom, folder).iterdir())[:3]
    ['agents', 'chats', 'deliveries']
    """
    folder = checked_path(folder, "folder", "the path of a folder to write")
    folder.mkdir(parents=True, exist_ok=True)
    frames = read_frames(source)
    for field in fields(frames):
        getattr(frames, field.name).to_parquet(folder / f"{field.name}.parquet", index=False)
    return folder
