"""Recordings by the environment: `INTERCOM_RECORD` and `INTERCOM_PLAY` name a folder of them, one for each service."""

import sys
from dataclasses import replace
from pathlib import Path

from intercom_nb.environment import setting
from intercom_nb.errors import RecordingError
from intercom_nb.models.client import ClientOptions

__all__ = ["by_environment"]


def by_environment(options: ClientOptions, name: str) -> ClientOptions:
    """Return the options of a service, with the recording that the environment asks for; its own arguments go first.

    The first service of a name in this process has ``<name>.jsonl``, the second ``<name>.2.jsonl``, and so on: a
    notebook run from top to bottom makes them in the same order each time.

    Raises
    ------
    RecordingError
        If both are set.
    """
    record, play = setting("INTERCOM_RECORD"), setting("INTERCOM_PLAY")
    if not name or options.record is not None or options.play is not None or (record is None and play is None):
        return options
    if record is not None and play is not None:
        raise RecordingError("INTERCOM_RECORD and INTERCOM_PLAY are both set: set the first to renew, else the second")
    # Kept on sys, as the services are: a module's own globals are emptied when %autoreload reloads the module.
    made: dict[str, int] = sys.__dict__.setdefault("_intercom_nb_taped", {})
    made[name] = n = made.get(name, 0) + 1
    folder = record or play or ""
    path = Path(folder) / (f"{name}.jsonl" if n == 1 else f"{name}.{n}.jsonl")
    if record is not None:
        return replace(options, record=path, renew=f"INTERCOM_RECORD={folder}")
    return replace(options, play=path, renew=f"INTERCOM_RECORD={folder} in place of INTERCOM_PLAY")
