"""Agents at work in a terminal: ``demo`` and ``run``."""

import json
import runpy
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from intercom_nb import demos
from intercom_nb.analysis import delivery_counts
from intercom_nb.builder.builder import AgentBuilder
from intercom_nb.demos.watching import outcome, table, watched
from intercom_nb.limits import Limits
from intercom_nb.log.thread_log_files import folder_of
from intercom_nb.models import ModelChoice, default_model
from intercom_nb.models.offline import OFFLINE_MODEL, OfflineAssistant
from intercom_nb.service.service import InterComService
from intercom_nb.texts.names import slug
from intercom_nb.texts.reasons import sentence

__all__ = ["NOT_QUIET", "demo", "functions_of", "run"]

_PACE_S = 0.35  # the stand-in answers at once; a person watching needs time to read
NOT_QUIET = 3  # the exit status where agents stopped for another reason, or a log came out otherwise
_INTERRUPTED = 130  # as shells have it

_model = click.option(
    "--model", metavar="NAME", help="A model, or 'offline'. Default: as the environment or .env says."
)
_logs = click.option(
    "--logs", type=click.Path(file_okay=False), help="Folder for the log. Default: THREAD_LOGS_PATH, else logs."
)
_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON object and nothing else.")


@click.command()
@click.argument("which", metavar="[1|2]", type=click.Choice(["1", "2"]), required=False)
@_model
@_logs
@_json
def demo(which: str | None, model: str | None, logs: str | None, *, as_json: bool) -> None:
    """Run a demo; both without a number.

    1: can the founder choose whom to leave alone? 2: will it bring two experts together in a group?
    """
    if as_json and which is None:
        raise click.UsageError("--json prints one object, so it needs one demo: 1 or 2")
    reasons = set[str]()
    for number in (1, 2) if which is None else (int(which),):
        if as_json:
            finished = demos.run(number, model=model, logs=logs)
            _print_json(demos.as_json(number, finished))
        else:
            finished = demos.run(number, model=_paced(model), logs=logs, show=click.echo)
            _print_end(finished)
        reasons.add(finished.reason)
    _exit_unless_quiet(*reasons)


@click.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False))
@click.option("--say", metavar="TEXT", help="Write this to one agent, as a person named You.")
@click.option("--to", metavar="NAME", help="Whom --say is for. Default: the first agent.")
@click.option("--begin", metavar="NAME", multiple=True, help="Set this agent to work on its mission; may be repeated.")
@click.option(
    "--tools", type=click.Path(exists=True, dir_okay=False), help="A Python file with the functions that agents name."
)
@click.option("--tokens", type=click.IntRange(min=1), help="Stop before more are used. Default: the usual limits.")
@click.option("--usd", type=click.FloatRange(min=0, min_open=True), help="Stop before more is spent.")
@_model
@_logs
@_json
def run(  # noqa: PLR0913 - each is an option of the command
    *,
    folder: str,
    say: str | None,
    to: str | None,
    begin: tuple[str, ...],
    tools: str | None,
    tokens: int | None,
    usd: float | None,
    model: str | None,
    logs: str | None,
    as_json: bool,
) -> None:
    """Run the agents of FOLDER until nobody has anything left to say, and show what they write.

    Who begins says its settings file ("begin": true), or --begin, or --say. Ctrl-C stops them; the log is kept.
    """
    if to is not None and say is None:
        raise click.UsageError("--to names whom --say is for; give --say, too")
    usual = Limits()
    limits = replace(usual, tokens=tokens or usual.tokens, usd=usd or usual.usd)
    builder = AgentBuilder(folder, tools=[] if tools is None else functions_of(Path(tools)))
    agents = builder.agents
    if say is None and not begin and not any(agent.spec.begins for agent in agents):
        names = ", ".join(agent.name for agent in agents)
        raise click.UsageError(f"nobody in {folder} begins; give --begin NAME or --say TEXT (there are {names})")
    show: Callable[[str], None] = _nothing if as_json else click.echo
    where: Mapping[str, Any] = {} if logs is None else {"logs": logs}
    name = slug(Path(folder).resolve().name) or "agents"
    with InterComService(name, model=model if as_json else _paced(model), limits=limits, **where) as intercom:
        show(f"{', '.join(agent.name for agent in agents)}\nModel:  {intercom.model}\nLog:    {_from_here(intercom)}\n")
        try:
            watched(intercom, lambda: _begin(intercom, builder, begin, say, to), show)
        except KeyboardInterrupt:
            click.echo(f"interrupted; InterComService.open({str(intercom.log)!r}) goes on with it", err=True)
            click.get_current_context().exit(_INTERRUPTED)
    if as_json:
        _print_json({"folder": folder} | outcome(intercom))
    else:
        _print_end(intercom)
    _exit_unless_quiet(intercom.reason)


def _begin(
    intercom: InterComService, builder: AgentBuilder, begin: tuple[str, ...], say: str | None, to: str | None
) -> None:
    builder.apply(intercom)
    for name in begin:
        intercom.registry.get_agent(intercom[name].id).begin()
    if say is not None:
        receiver = intercom.agents[0] if to is None else intercom[to]
        intercom.add_person("You", description="The person at the terminal.").send_message(say, receiver.id)


def functions_of(file: Path) -> list[Callable[..., Any]]:
    """Return the functions that a file of the user's own defines; one that begins with an underscore is no tool."""
    try:
        found = runpy.run_path(str(file), run_name="tools")
    except Exception as error:
        raise click.ClickException(f"{file} cannot be run: {type(error).__name__}: {error}") from error
    return [
        thing
        for name, thing in found.items()
        if name[0] != "_" and callable(thing) and getattr(thing, "__module__", "") == "tools"
    ]


def _paced(model: str | None) -> ModelChoice:
    if (model or default_model()) == OFFLINE_MODEL:
        return OfflineAssistant(delay=_PACE_S)
    return model


def _nothing(_: str) -> None:
    pass


def _print_end(intercom: InterComService) -> None:
    log = Path(str(intercom.log))
    click.echo(f"Stopped: {sentence(intercom.reason)}.\n")
    click.echo(table(delivery_counts(intercom)))
    click.echo(f"\nLog:          {_from_here(intercom)}\nThread logs:  {_typed(folder_of(log))}/\n")


def _print_json(thing: Any) -> None:
    click.echo(json.dumps(thing, ensure_ascii=False, indent=2))


def _from_here(intercom: InterComService) -> Path:
    return _typed(Path(str(intercom.log)))


def _typed(path: Path) -> Path:
    """Return a path as one would type it here."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path


def _exit_unless_quiet(*reasons: str) -> None:
    if set(reasons) != {"quiet"}:
        click.get_current_context().exit(NOT_QUIET)
