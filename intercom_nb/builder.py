"""A folder of agents: one folder each, with its mission and its settings."""

import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from intercom_nb.agent import Agent
from intercom_nb.errors import AgentFolderError, InterComError
from intercom_nb.settings import setting

__all__ = ["load_agents"]

_SETTINGS = {"name", "description", "id", "model", "mail"}


def load_agents(path: str | Path | None = None) -> list[Agent]:
    """Return the agents of a folder, ordered by the names of their folders.

    Each folder in it is an agent: ``mission.md``, and ``agent.toml`` or ``settings.json`` with any of ``name``
    (default: the folder's name), ``description``, ``id``, ``model`` and ``mail``. Folders whose name begins with a
    dot or an underscore are left out.

    Parameters
    ----------
    path : str or Path, optional
        Default: ``AGENTS_PATH``.

    Raises
    ------
    AgentFolderError
        If there is no such folder, or something in it is wrong: everything that is, at once, by file and field.
    """
    given = path if path is not None else setting("AGENTS_PATH")
    folder = Path(given or "agents")
    if not folder.is_dir():
        raise AgentFolderError(folder, ["there is no such folder; give path=, or set AGENTS_PATH"])
    problems: list[str] = []
    agents = [
        _agent(one, problems)
        for one in sorted(folder.iterdir(), key=lambda one: one.name)
        if one.is_dir() and one.name[0] not in "._"
    ]
    if not agents:
        problems.append("it holds no folder with an agent in it")
    if problems:
        raise AgentFolderError(folder, problems)
    return [agent for agent in agents if agent is not None]


def _agent(folder: Path, problems: list[str]) -> Agent | None:
    found = len(problems)
    settings = _settings(folder, problems)
    right = ", ".join(sorted(_SETTINGS))
    for field, value in settings.items():
        if field not in _SETTINGS:
            problems.append(f"{folder.name}: there is no setting {field!r}; right would be one of {right}")
        elif not isinstance(value, str):
            problems.append(f"{folder.name}: {field} is {value!r}; it should be a text")
    mission = folder / "mission.md"
    if not mission.is_file():
        problems.append(f"{folder.name}: there is no mission.md; write what the agent is for")
    if len(problems) > found:
        return None
    try:
        text = mission.read_text(encoding="utf-8").strip()
        return Agent(**{"name": folder.name, **settings, "mission": text})
    except (InterComError, ValueError, OSError) as error:
        problems.append(f"{folder.name}: {error}")
        return None


def _settings(folder: Path, problems: list[str]) -> Mapping[str, Any]:
    toml, plain = folder / "agent.toml", folder / "settings.json"
    try:
        if toml.is_file():
            return tomllib.loads(toml.read_text(encoding="utf-8"))
        settings = json.loads(plain.read_text(encoding="utf-8")) if plain.is_file() else {}
    except (ValueError, OSError) as error:
        problems.append(f"{folder.name}: {toml.name if toml.is_file() else plain.name} cannot be read: {error}")
        return {}
    if not isinstance(settings, dict):
        problems.append(f"{folder.name}: settings.json should hold one object")
        return {}
    return settings
