"""Settings from the environment, and from the nearest ``.env`` file above the working directory."""

import os
from pathlib import Path

from dotenv import dotenv_values, find_dotenv

__all__ = ["file_of", "folder_of_logs", "setting"]


def setting(name: str) -> str | None:
    """Return a setting such as ``OPENAI_API_KEY``, or None where it is absent or empty.

    The environment goes before ``.env``; nothing is written into the environment.
    """
    if name in os.environ:
        return os.environ[name] or None
    path = find_dotenv(usecwd=True)
    return (dotenv_values(path).get(name) or None) if path else None


def file_of(name: str) -> Path | None:
    """Return the ``.env`` that says a setting; None where the environment does, or nobody."""
    path = find_dotenv(usecwd=True)
    return Path(path) if path and name not in os.environ and dotenv_values(path).get(name) else None


def folder_of_logs() -> str:
    """Return the folder of logs that the settings name; ``logs`` if none does."""
    return setting("THREAD_LOGS_PATH") or "logs"
