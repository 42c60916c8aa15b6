"""A server that a ``.env`` names, and a key that comes from elsewhere: whoever wrote the file would be sent the key."""

import sys
from pathlib import Path

from intercom_nb.environment import file_of, setting
from intercom_nb.models.values import without_credentials
from intercom_nb.notebook import note

__all__ = ["refusal_of_server"]


def refusal_of_server(api_key: str | None) -> str:
    """Return why a key is not sent to the server that a ``.env`` names; empty if it is, or there is none.

    Where it is sent, a note says once which server that is, and which file says so.

    Parameters
    ----------
    api_key : str or None
        The key as it was given; None for that of the settings.
    """
    file = file_of("OPENAI_BASE_URL")
    key = api_key or setting("OPENAI_API_KEY")
    if file is None or key is None or (api_key is None and file_of("OPENAI_API_KEY") is not None):
        return ""
    server = without_credentials(setting("OPENAI_BASE_URL"))
    if file.parent.resolve() != Path.cwd().resolve():
        return (
            f"{file} names the server {server}, and the key is from elsewhere: it is not sent there, for the file lies "
            "above the working folder; put both into one .env, or give base_url= or OPENAI_BASE_URL yourself"
        )
    # Kept on sys, as the services are: a module's own globals are emptied when %autoreload reloads it.
    told: dict[str, str] = sys.__dict__.setdefault("_intercom_nb_servers", {})
    if told.get(str(file)) != server:
        told[str(file)] = str(server)
        note(f"the key is sent to {server}, as {file} says")
    return ""
