"""Settings from the environment, and from the nearest ``.env`` file above the working directory."""

import os

from dotenv import dotenv_values, find_dotenv

__all__ = ["setting"]


def setting(name: str) -> str | None:
    """Return a setting such as ``OPENAI_API_KEY``, or None where it is absent or empty.

    The environment goes before ``.env``; nothing is written into the environment.
    """
    if name in os.environ:
        return os.environ[name] or None
    path = find_dotenv(usecwd=True)
    return (dotenv_values(path).get(name) or None) if path else None
