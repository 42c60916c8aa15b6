"""``doctor``: what is installed, which model would answer, whether it can be reached and calls tools."""

import asyncio
import json
import os
import platform
import sqlite3
import time
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path

import click

from intercom_nb.environment import file_of, folder_of_logs, setting
from intercom_nb.errors import InterComError
from intercom_nb.models import ClientOptions, Models, Reply, plays_by_environment
from intercom_nb.tools import Tool
from intercom_nb.version import __version__

__all__ = ["doctor"]

_PATIENCE_S = 60.0
_NEEDED = ("openai", "pydantic", "pandas", "pyarrow", "matplotlib", "anywidget")
_FOR_NOTEBOOKS = ("ipykernel", "jupyterlab")
_ASKED = {"role": "user", "content": "Call the tool `ready` with the word 'yes'. Write nothing else."}


def ready(word: str) -> str:
    """Say that you can call tools."""
    return word


@dataclass(frozen=True)
class _Found:
    """One line of what was found: what, how it is, and what would be right where it is not."""

    what: str
    found: str
    missing: str = ""


@click.command()
@click.option("--no-call", is_flag=True, help="Ask no model.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object and nothing else.")
def doctor(*, no_call: bool, as_json: bool) -> None:
    """Say which model would answer, whether it can be reached and calls tools, and what is missing.

    Exits with 1 if something is. Where a server would answer, one short call is made, and said before.
    """
    found = [*_versions(), *_settings(), (of_model := _model())]
    asks = not no_call and not of_model.missing and _is_asked()
    if not as_json:
        _show(found)
        if asks:
            click.echo(f"{'':<14}one call follows, of some 200 tokens")
    if asks:
        found.append(answer := _server())
        if not as_json:
            _show([answer])
    fine = not any(one.missing for one in found)
    if as_json:
        click.echo(json.dumps({"fine": fine, "found": [*map(asdict, found)]}, ensure_ascii=False, indent=2))
    if not fine:
        click.get_current_context().exit(1)


def _show(lines: list[_Found]) -> None:
    for one in lines:
        click.echo(f"{one.what:<14}{one.found}")
        if one.missing:
            click.echo(f"{'':<14}→ {one.missing}")


def _versions() -> list[_Found]:
    system = f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}, {platform.platform(terse=True)}"
    needed = {name: _version(name) for name in _NEEDED}
    lacking = [name for name, version in needed.items() if not version]
    told = ", ".join(f"{name} {version}" for name, version in needed.items() if version)
    front = {name: _version(name) for name in _FOR_NOTEBOOKS}
    notebooks = ", ".join(f"{name} {version}" for name, version in front.items() if version) or "no JupyterLab here"
    return [
        _Found("intercom-nb", f"{__version__}, {system}"),
        _Found("libraries", told, f"missing: {', '.join(lacking)}; install intercom-nb anew" if lacking else ""),
        _Found("notebooks", notebooks if all(front.values()) else f"{notebooks}; pip install 'intercom-nb[notebooks]'"),
    ]


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""


def _settings() -> list[_Found]:
    found = []
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "INTERCOM_MODEL", "INTERCOM_PLAY"):
        value, file = setting(name), file_of(name)
        if value:
            shown = "set" if name == "OPENAI_API_KEY" else value.rpartition("@")[2]
            found.append(f"{name} {shown} ({file or 'environment'})")
    folder = Path(folder_of_logs()).absolute()
    there = next(one for one in (folder, *folder.parents) if one.exists())
    can = there.is_dir() and os.access(there, os.W_OK | os.X_OK)
    return [
        _Found("settings", "; ".join(found) or "none; see README, or write a .env"),
        _Found("logs", str(folder), "" if can else f"{there} cannot be written; set THREAD_LOGS_PATH"),
    ]


def _models() -> Models:
    return Models(options=ClientOptions(max_retries=0, timeout=_PATIENCE_S))


def _model() -> _Found:
    """Return which model would answer."""
    try:
        return _Found("model", _models().default.label)
    except InterComError as error:
        return _Found("model", "none", str(error))


def _is_asked() -> bool:
    """Return whether a server would answer, rather than an assistant or a recording."""
    return not plays_by_environment() and not _models().default.is_stand_in


def _server() -> _Found:
    """Ask the model once, and return what came of it."""
    began = time.monotonic()
    try:
        reply = asyncio.run(_ask(_models()))
    except InterComError as error:
        return _Found("server", "gave no answer", str(error))
    return _answered(reply, time.monotonic() - began)


async def _ask(models: Models) -> Reply:
    try:
        return await models.default.respond("You answer by calling tools.", [_ASKED], [Tool(ready).schema])
    finally:
        await models.close()


def _answered(reply: Reply, seconds: float) -> _Found:
    usd = "" if reply.usd is None else f", {reply.usd:.6f} USD"
    tokens = f"{reply.usage.input_tokens or '?'} + {reply.usage.output_tokens or '?'} tokens"
    about = f"{reply.model} answered in {seconds:.1f} s, {tokens}"
    if any(call.name == ready.__name__ for call in reply.calls):
        return _Found("server", f"{about}{usd}, and called the tool")
    written = reply.text[:100]
    return _Found(
        "server",
        f"{about}{usd}, and called no tool: it wrote {written!r}",
        "agents speak by calling tools only; choose a model that is trained for it, or switch it on in the server",
    )
