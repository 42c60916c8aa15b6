"""Recordings by the environment: `INTERCOM_PLAY` names a folder of them, one for each service."""

import sqlite3
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from intercom_nb.environment import setting
from intercom_nb.errors import LogError, RecordingError
from intercom_nb.log.reading import Query, connected
from intercom_nb.models.client import ClientOptions
from intercom_nb.models.recording.recorded import TEXT, querying_recording
from intercom_nb.texts.names import code_text, slug

__all__ = ["by_environment", "check_nothing_recorded", "plays_by_environment"]

_INSTEAD = (
    "there is nothing to switch on, for every log is a recording: give it to play=, or write its text with "
    "to_jsonl(log, path, for_play=True)"
)


def check_nothing_recorded(record: object) -> None:
    """Check that nobody asks for a recording.

    Raises
    ------
    RecordingError
        If somebody does.
    """
    if record is not None:
        raise RecordingError(f"record= is gone: {_INSTEAD}")


def plays_by_environment() -> bool:
    """Return whether the environment says that services are played."""
    return setting("INTERCOM_PLAY") is not None


def by_environment(options: ClientOptions, name: str) -> ClientOptions:
    """Return the options of a service, with the recording that the environment asks for; its own arguments go first.

    In the folder, ``<name>.jsonl`` is looked for, else ``<name>.db``, else the newest log of that name with those that
    were made beside it: a notebook run from top to bottom makes its services in the same order each time. The second
    service of a name plays what the second one did, which has ``<name>.2.jsonl`` or is the second log, or the first log
    when it was opened again.

    Raises
    ------
    RecordingError
        If there is no such recording, or one is to be made.
    """
    if name and setting("INTERCOM_RECORD") is not None:
        raise RecordingError(f"INTERCOM_RECORD is gone: {_INSTEAD}; INTERCOM_PLAY names the folder that it is in")
    folder = setting("INTERCOM_PLAY")
    if not name or options.play is not None or folder is None:
        return options
    # Kept on sys, as the services are: a module's own globals are emptied when %autoreload reloads the module.
    made: dict[str, int] = sys.__dict__.setdefault("_intercom_nb_taped", {})
    made[name] = n = made.get(name, 0) + 1
    file_name = _numbered(name, n) + TEXT
    renew = f"to renew it, run without INTERCOM_PLAY and write to_jsonl(log, {file_name!r}, for_play=True) there"
    path, part = _nth(Path(folder), name, n, renew)
    return replace(options, play=path, part=part, renew=renew)


def _numbered(name: str, n: int) -> str:
    return name if n == 1 else f"{name}.{n}"


def _nth(folder: Path, name: str, n: int, renew: str) -> tuple[Path, int]:
    """Return what the n-th service of a name plays: a log or a text, and which of the times that it was opened."""
    for path in _recordings(folder, name):
        with querying_recording(path, renew) as query:
            openings = query("SELECT COUNT(*) FROM openings")[0][0]
        if n <= openings:
            return path, n - 1
        n -= openings
    raise RecordingError(f"{folder.name}: there is no such recording of a service {name!r}; {renew}")


def _recordings(folder: Path, name: str) -> Iterator[Path]:
    for ending in (TEXT, ".db"):
        paths = [folder / (_numbered(name, n) + ending) for n in range(1, _how_many(folder, name, ending) + 1)]
        if paths:
            yield from paths
            return
    yield from _newest(folder, name)


def _how_many(folder: Path, name: str, ending: str) -> int:
    n = 0
    while (folder / (_numbered(name, n + 1) + ending)).is_file():
        n += 1
    return n


def _newest(folder: Path, name: str) -> list[Path]:
    """Return the newest log of a name and all others of it that were made in the same process, the oldest first."""
    found = []
    for path in folder.glob(f"*-{name}*.db"):
        try:
            with connected(path) as connection:
                made = _made(lambda sql, *given: connection.execute(sql, given).fetchall(), name)
        except (LogError, sqlite3.Error):
            continue  # no log of ours, or none that can be read: another one is looked for
        if made is not None:
            found.append((*made, path))
    newest = max(found, default=None)
    return [path for _, process, path in sorted(found) if newest is not None and process == newest[1]]


def _made(query: Query, name: str) -> tuple[int, str] | None:
    """Return when a log was made and in which process; None if it is another service's, or was played itself."""
    meta: dict[str, str] = dict(query("SELECT key, value FROM meta"))
    model = query("SELECT value FROM options WHERE name = 'model' ORDER BY seq LIMIT 1")
    if slug(meta.get("name", "")) != name or model == [(f'"{code_text("played")}"',)]:
        return None
    return int(meta["created_at"]), meta.get("process", "")
