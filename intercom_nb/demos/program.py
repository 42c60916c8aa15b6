"""The seed's two demos: their casts, and the running of them."""

from collections.abc import Callable, Mapping
from importlib.resources import as_file, files
from typing import Any

from intercom_nb.builder.folders import load_agents
from intercom_nb.checks import AnyPath, checked_call, shown
from intercom_nb.demos.watching import outcome, watched
from intercom_nb.members.agent import Agent
from intercom_nb.models import ModelChoice
from intercom_nb.service.service import InterComService

__all__ = ["as_json", "cast", "run"]

_DEMOS = (1, 2)


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
        Called with each line a person should see, as it comes, on the calling thread.
    """
    if show is not None:
        checked_call(show, "show", "a function of one line, or None")
    where: Mapping[str, Any] = {} if logs is None else {"logs": logs}
    agents = cast(demo)

    def begin() -> None:
        for agent in agents:
            if agent.spec.begins:
                agent.begin()

    with InterComService(f"demo_{demo}", model=model, **where) as intercom:
        intercom.add(*agents)
        if show is None:
            begin()
            intercom.wait()
        else:
            show(f"Demo {demo}: {', '.join(agent.name for agent in agents)}")
            show(f"Model:  {intercom.model}\n")
            watched(intercom, begin, show)
    return intercom


def as_json(demo: int, intercom: InterComService) -> dict[str, Any]:
    """Return a finished demo as one object: what was said, by name, and who wrote to whom."""
    return {"demo": demo} | outcome(intercom)
