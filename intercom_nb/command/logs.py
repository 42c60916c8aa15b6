"""Logs from the terminal: ``view``, ``html`` and ``export``. Where a log is wanted, a folder means its newest."""

import contextlib
import sys
import tempfile
import threading
import webbrowser
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

import click

from intercom_nb.analysis import read_frames, to_graphml, to_markdown, to_mermaid, to_parquet
from intercom_nb.command.serving import LogServer
from intercom_nb.environment import folder_of_logs
from intercom_nb.errors import LogError
from intercom_nb.log.text import to_jsonl
from intercom_nb.views import to_html

__all__ = ["export", "html", "newest", "view"]

_log = click.argument("log", type=click.Path(exists=True), required=False)
_out = click.option("-o", "--out", metavar="PATH", help="What to write. Default: the log's name, here.")
_force = click.option("--force", is_flag=True, help="Write over what is there.")


@click.command()
@_log
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="Default: one that is free.")
@click.option("--browser/--no-browser", default=None, help="Open the page. Default: if this is a terminal.")
def view(log: str | None, port: int, *, browser: bool | None) -> None:
    """Show a LOG in the browser, live while another process writes it, until Ctrl-C.

    The page is served to this computer alone, and only to whoever has its address.
    """
    with LogServer(newest(log), port) as server:
        click.echo(server.address)
        sys.stdout.flush()
        if sys.stdout.isatty() if browser is None else browser:
            threading.Thread(target=webbrowser.open, args=[server.address], daemon=True).start()
        with contextlib.suppress(KeyboardInterrupt):
            server.serve_forever()


@click.command()
@_log
@_out
@_force
def html(log: str | None, out: str | None, *, force: bool) -> None:
    """Write a LOG as one HTML file that anybody can open."""
    source = newest(log)
    path = _free(out or f"{source.stem}.html", force=force)
    click.echo(str(to_html(source, path)))


@click.command()
@_log
@click.option(
    "--to",
    "form",
    required=True,
    type=click.Choice(["jsonl", "csv", "parquet", "markdown", "mermaid", "graphml"]),
    help="jsonl: all of the log, as text; csv, parquet: a folder with a file for each frame.",
)
@_out
@_force
def export(log: str | None, form: str, out: str | None, *, force: bool) -> None:
    """Write a LOG in another form; -o - prints it, where it is one text."""
    source = newest(log)
    if form in ("csv", "parquet"):
        if out == "-":
            raise click.UsageError(f"{form} is a folder of files, which cannot be printed")
        folder = _free(out or f"{source.stem}-{form}", force=force)
        click.echo(str(to_parquet(source, folder) if form == "parquet" else _to_csv(source, folder)))
        return
    if out == "-":
        with tempfile.TemporaryDirectory() as kept:
            click.echo(_TEXTS[form](source, Path(kept) / "text").read_text(encoding="utf-8"), nl=False)
        return
    suffix = {"markdown": "md", "mermaid": "mmd"}.get(form, form)
    click.echo(str(_TEXTS[form](source, _free(out or f"{source.stem}.{suffix}", force=force))))


def _to_csv(source: Path, folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    frames = read_frames(source)
    for field in fields(frames):
        getattr(frames, field.name).to_csv(folder / f"{field.name}.csv", index=False)
    return folder


def _written(text: Callable[[Path], str]) -> Callable[[Path, Path], Path]:
    def write(source: Path, path: Path) -> Path:
        path.write_text(text(source), encoding="utf-8", newline="\n")
        return path

    return write


_TEXTS: dict[str, Callable[[Path, Path], Path]] = {
    "jsonl": to_jsonl,
    "graphml": to_graphml,
    "markdown": _written(to_markdown),
    "mermaid": _written(to_mermaid),
}


def newest(given: str | None) -> Path:
    """Return the log that is meant: a file, or the newest of a folder.

    Raises
    ------
    LogError
        If there is none.
    """
    path = Path(given or folder_of_logs())
    if not path.is_dir():
        return path
    found = max(path.glob("*.db"), key=lambda one: (one.stat().st_mtime_ns, one.name), default=None)
    if found is None:
        raise LogError(path, "there is no log in this folder; give the path of one")
    return found


def _free(name: str, *, force: bool) -> Path:
    """Return a path that may be written."""
    path = Path(name)
    if path.exists() and not force:
        raise click.UsageError(f"{name} is there already; --force writes over it, -o names another")
    return path
