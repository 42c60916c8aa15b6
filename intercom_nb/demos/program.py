"""The two demos: their casts, and a program that runs them: ``python -m intercom_nb.demos [1|2] [--json]``."""

import argparse
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

from intercom_nb.analysis import delivery_counts
from intercom_nb.builder.folders import load_agents
from intercom_nb.checks import AnyPath, checked_call, shown
from intercom_nb.errors import InterComError
from intercom_nb.log.thread_log_files import folder_of
from intercom_nb.members.agent import Agent
from intercom_nb.messages import Message
from intercom_nb.models import ModelChoice, default_model
from intercom_nb.models.offline import OFFLINE_MODEL, OfflineAssistant
from intercom_nb.service.service import InterComService
from intercom_nb.texts.reasons import sentence

__all__ = ["cast", "main", "run"]

_DEMOS = (1, 2)
_PACE_S = 0.35  # the stand-in answers at once; a person watching needs time to read


def cast(demo: int) -> list[Agent]:
    """Return the agents of a demo, from the package's folder ``casts``; the first, the founder, is the one to begin.

    Parameters
    ----------
    demo : {1, 2}
        1: can the founder choose whom to leave alone? 2: will it bring two experts together in a group?

    Raises
    ------
    ValueError
        If there is no such demo.

    Examples
    --------
    >>> [agent.name for agent in cast(1)]
    ['Founder', 'Marketing Expert', 'Network Engineer']
    """
    if isinstance(demo, bool) or demo not in _DEMOS:
        msg = f"there is no demo {shown(demo)}; right would be 1 or 2"
        raise ValueError(msg)
    with as_file(files("intercom_nb") / "casts" / f"demo_{demo}") as folder:
        return load_agents(folder)


def run(
    demo: int,
    *,
    model: ModelChoice = None,
    logs: AnyPath | None = None,
    show: Callable[[str], None] | None = None,
) -> InterComService:
    """Run a demo to its end and return its service, stopped.

    Parameters
    ----------
    demo : {1, 2}
        Which one.
    model : str or assistant, optional
        As for `InterComService`.
    logs : str or Path, optional
        Folder for the log. Default: the settings'.
    show : callable, optional
        Called with each line a person should see, as it comes.
    """
    if show is not None:
        checked_call(show, "show", "a function of one line, or None")
    where: Mapping[str, Any] = {} if logs is None else {"logs": logs}
    agents = cast(demo)
    with InterComService(f"demo_{demo}", model=model, **where) as intercom:
        intercom.add(*agents)
        if show is not None:
            show(f"Demo {demo}: {', '.join(agent.name for agent in agents)}")
            show(f"Model:  {intercom.model}\n")
            intercom.subscribe(lambda message: show(line(intercom, message)))
        for agent in agents:
            if agent.spec.begins:
                agent.begin()
        intercom.wait(progress=show is None)
    return intercom


def line(intercom: InterComService, message: Message) -> str:
    """Return a message as one line of a transcript."""
    name = intercom.registry.name_of
    if message.sender_id is None:
        return f"(the program) → {name(message.receiver_id)}\n    {message.text}\n"
    to = name(message.receiver_id)
    if message.chat_id is not None:
        members = ", ".join(name(member) for member in intercom.registry.chat(message.chat_id).members)
        to = f"group “{name(message.chat_id)}” ({members})"
    return f"{name(message.sender_id)} → {to}\n    {message.text}\n"


def as_json(demo: int, intercom: InterComService) -> dict[str, Any]:
    """Return a finished demo as one object: what was said, by name, and who wrote to whom."""
    name = intercom.registry.name_of
    return {
        "demo": demo,
        "model": intercom.model,
        "stopped": intercom.reason,
        "log": str(intercom.log),
        "messages": [
            {
                "seq": message.seq,
                "sender": name(message.sender_id),
                "receiver": name(message.receiver_id) or None,
                "chat": name(message.chat_id) or None,
                "type": message.type,
                "text": message.text,
            }
            for message in intercom.messages
            if message.sender_id is not None
        ],
        "who": delivery_counts(intercom),
    }


def table(who: Mapping[str, Mapping[str, int]]) -> str:
    """Return who wrote to whom as a table in plain text."""
    names = list(who)
    first = max(map(len, ["wrote to:", *names]))
    rows = ["  ".join([f"{'wrote to:':<{first}}", *names])]
    rows += [
        "  ".join([f"{sender:<{first}}", *(f"{who[sender].get(name) or '·':>{len(name)}}" for name in names)])
        for sender in names
    ]
    return "\n".join(rows)


def _watch(demo: int, model: str | None, logs: str | None) -> None:
    paced = OfflineAssistant(delay=_PACE_S) if (model or default_model()) == OFFLINE_MODEL else model
    intercom = run(demo, model=paced, logs=logs, show=lambda text: print(text, flush=True))
    print(f"Stopped: {sentence(intercom.reason)}.\n")
    print(table(delivery_counts(intercom)))
    log = Path(str(intercom.log))
    print(f"\nLog:          {_from_here(log)}\nThread logs:  {_from_here(folder_of(log))}/\n")


def _from_here(path: Path) -> Path:
    """Return a path as one would type it here."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one demo or both, as told on the command line; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m intercom_nb.demos", description="Run the demos.")
    parser.add_argument("demo", nargs="?", type=int, choices=_DEMOS, help="which one; both without it")
    parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")
    parser.add_argument("--model", help="a model's name, or 'offline'; default: from the settings")
    parser.add_argument("--logs", help="folder for the logs; default: THREAD_LOGS_PATH, else logs")
    given = parser.parse_args(arguments)
    if given.json and given.demo is None:
        parser.error("--json prints one object, so it needs one demo: 1 or 2")
    try:
        for demo in _DEMOS if given.demo is None else (given.demo,):
            if given.json:
                finished = run(demo, model=given.model, logs=given.logs)
                print(json.dumps(as_json(demo, finished), ensure_ascii=False, indent=2))
            else:
                _watch(demo, given.model, given.logs)
    except InterComError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0
