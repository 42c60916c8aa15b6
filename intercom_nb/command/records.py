"""Logs as records of runs: ``runs`` lists them, ``replay`` executes one again."""

import json
from pathlib import Path
from typing import Any

import click

from intercom_nb.analysis import runs_of
from intercom_nb.command.logs import newest
from intercom_nb.command.talks import NOT_QUIET, functions_of
from intercom_nb.demos.watching import shown_plainly
from intercom_nb.environment import folder_of_logs
from intercom_nb.service.replay import Replay
from intercom_nb.service.replay import replay as replayed

__all__ = ["replay", "runs"]

_COLUMNS = ("log", "began", "reason", "agents", "messages", "tokens", "usd", "size")
_TEXTS = 3  # of the columns: the others are numbers, and stand to the right
_UNITS = ("B", "KB", "MB", "GB")


@click.command()
@click.argument("folder", type=click.Path(exists=True), required=False)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON list and nothing else: all columns of `runs_of`.")
def runs(folder: str | None, *, as_json: bool) -> None:
    """List the logs of FOLDER and its folders: when, why it stopped, what it took, and how large it is.

    A file that cannot be read as a log is listed with what is wrong with it.
    """
    root = Path(folder or folder_of_logs())
    found = _records(root)
    for row in found:
        row["bytes"] = _size(root, row["log"])
    if as_json:
        click.echo(json.dumps(found, ensure_ascii=False, indent=2))
        return
    rows = [_COLUMNS, *(_row(one) for one in found)]
    wide = [max(len(row[n]) for row in rows) for n in range(len(_COLUMNS))]
    for row_of, error in zip(rows, [None, *(one["error"] for one in found)], strict=True):
        cells = (cell.ljust(wide[n]) if n < _TEXTS else cell.rjust(wide[n]) for n, cell in enumerate(row_of))
        wrong = "" if error is None else f"  {shown_plainly(error)}"
        click.echo("  ".join(cells).rstrip() + wrong)


def _records(root: Path) -> list[dict[str, Any]]:
    """Return a row for each log, as plain values; pandas 2 would make a number with a point of a count beside a gap."""
    frame = runs_of(root)
    counts = {str(name) for name, dtype in frame.dtypes.items() if str(dtype) == "Int64"}
    rows = json.loads(frame.to_json(orient="records", date_format="iso"))
    return [
        {name: int(value) if name in counts and value is not None else value for name, value in row.items()}
        for row in rows
    ]


def _row(run: dict[str, Any]) -> tuple[str, ...]:
    usd = "?" if run["usd"] is None else f"{run['usd']:.2f}"
    counts = ("-" if run[name] is None else f"{run[name]:,}" for name in ("agents", "messages", "tokens"))
    began = "-" if run["began_at"] is None else run["began_at"][:16].replace("T", " ")
    reason = "-" if run["reason"] is None else run["reason"]
    return (shown_plainly(run["log"]), began, reason, *counts, usd, _said(run["bytes"]))


def _size(root: Path, log: str) -> int | None:
    """Return the bytes of a log with the file beside it in which what is newest may be."""
    path = root / f"{log}.db" if root.is_dir() else root
    files = [file for file in (path, path.with_name(f"{path.name}-wal")) if file.is_file()]
    return sum(file.stat().st_size for file in files) if files else None


def _said(n_bytes: int | None) -> str:
    if n_bytes is None:
        return "-"
    size, unit = float(n_bytes), 0
    while size >= 1000 and unit < len(_UNITS) - 1:  # noqa: PLR2004 - of one unit to the next
        size, unit = size / 1000, unit + 1
    return f"{size:.0f} {_UNITS[unit]}"


@click.command()
@click.argument("log", type=click.Path(exists=True), required=False)
@click.option(
    "--tools",
    type=click.Path(exists=True, dir_okay=False),
    help="A Python file with its agents' functions; none is run.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object and nothing else.")
def replay(log: str | None, tools: str | None, *, as_json: bool) -> None:
    """Execute a LOG again with its own answers, and say whether each row comes out equal.

    No model is asked, no tool is run, the log is only read. Exits with 0 if it is equal, and with 3 if it is not.
    """
    found = replayed(newest(log), tools=[] if tools is None else functions_of(Path(tools)))
    if as_json:
        click.echo(json.dumps(_as_json(found), ensure_ascii=False, indent=2))
    else:
        click.echo(shown_plainly(str(found)))
    if not found:
        click.get_current_context().exit(NOT_QUIET)


def _as_json(found: Replay) -> dict[str, Any]:
    row = found.difference
    where = None if row is None else {"table": row.table, "seq": row.seq, "columns": row.columns}
    return {"equal": found.equal, "places": found.places, "difference": where, "why": found.why, "told": str(found)}
