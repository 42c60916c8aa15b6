"""MissionLab: change a mission, run the cast again, and see what became of it beside the run before."""

import functools
import threading
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import EllipsisType
from typing import Any

from intercom_nb import demos
from intercom_nb.analysis import delivery_counts, demo_goals
from intercom_nb.checks import AnyPath, checked_flag, checked_seconds, wrong_type
from intercom_nb.errors import InterComError, LifecycleError, UnknownIdError
from intercom_nb.lab.comparison import comparison
from intercom_nb.lab.lab_run import LabRun
from intercom_nb.lab.panel import LabPanel
from intercom_nb.limits import Limits
from intercom_nb.log.files import fresh_folder
from intercom_nb.members.agent import Agent, agent_from, own_code_of
from intercom_nb.models import ModelChoice
from intercom_nb.notebook import keep_output_out_of_cells
from intercom_nb.readable import counted
from intercom_nb.service.options import Options
from intercom_nb.service.service import InterComService, checked_folder
from intercom_nb.texts.names import Names, checked_text
from intercom_nb.views import snapshot

__all__ = ["MissionLab"]

_TEXTS = ("mission", "description")


class MissionLab:
    """A cast to try missions on: edit, run, compare. Every run is a service, and a log, of its own.

    The last line ``lab`` of a cell shows an editor with a Run button, which leaves the notebook free; `edit`, `run` and
    `compare` do the same in code.

    Parameters
    ----------
    cast : int or sequence of Agent
        The number of a demo, or agents that belong to no service; the first of them begins.
    model, limits : optional
        As for `InterComService`, for each run.
    logs : str or Path, optional
        Folder in which the lab makes one of its own, for the logs of all its runs.

    Attributes
    ----------
    runs : list of LabRun
        All finished runs, oldest first.
    cast : dict of Agent
        The agents as they will be in the next run, by id.
    trouble : str
        Why the Run button could not run it, one sentence; empty if it could.

    Examples
    --------
    >>> lab = MissionLab(1, model="offline", logs=intercom.log.path.parent)
    >>> first = lab.run(progress=False)
    >>> lab.edit("founder", mission="Find out who can help with your network.")
    >>> lab.run(progress=False).changed
    'mission of Founder'
    >>> lab.compare()["changed"].tolist()
    ['nothing', 'mission of Founder']
    """

    def __init__(
        self,
        cast: int | Sequence[Agent],
        *,
        model: ModelChoice = None,
        logs: AnyPath | EllipsisType = ...,
        limits: Limits = Limits(),  # noqa: B008 - frozen
    ) -> None:
        agents = demos.cast(cast) if isinstance(cast, int) else _checked_cast(cast)
        Options(model=model, limits=limits)  # a wrong one is told now, not when it runs
        self._logs = checked_folder(logs, "the path of a folder: a lab keeps its runs")
        self.cast = {agent.id: agent for agent in agents}
        self.runs: list[LabRun] = []
        self.trouble = ""
        self._settings: dict[str, Any] = {"model": model, "limits": limits}
        self._last: dict[str, tuple[str, str]] = {}
        self._at_work = threading.Lock()
        self._service: InterComService | None = None
        self._panel: LabPanel | None = None

    def __repr__(self) -> str:
        return (
            f"<MissionLab of {', '.join(agent.name for agent in self.cast.values())}; {counted(len(self.runs), 'run')}>"
        )

    def edit(self, agent: str, *, mission: str | None = None, description: str | None = None) -> None:
        """Change what an agent is for, or how the others see it, from the next run on.

        Raises
        ------
        UnknownIdError
            If nobody in the cast has this id or name.
        """
        checked_text(agent, "agent")
        found_id = Names((one.id, one.name) for one in self.cast.values()).find(agent)
        if found_id is None:
            raise UnknownIdError(agent, self.cast, kind="agent")
        found = self.cast[found_id]
        if mission is not None:
            found.mission = checked_text(mission, "mission")
        if description is not None:
            found.description = checked_text(description, "description")
        self._show()

    def run(self, timeout: float | None = None, *, progress: bool = True) -> LabRun:
        """Run the cast as it is now to its end, and return what became of it.

        Parameters
        ----------
        timeout : float, optional
            Seconds after which it is stopped.
        progress : bool
            Whether to show how far it is, as `InterComService.wait` does.

        Raises
        ------
        LifecycleError
            If a run is under way.
        """
        timeout = None if timeout is None else checked_seconds(timeout, "timeout")
        checked_flag(progress, "progress")
        if not self._at_work.acquire(blocking=False):
            raise LifecycleError("this lab is at work already; wait until that run has ended, or lab.stop() ends it")
        try:
            self._show()
            run = self._run(timeout, progress=progress)
            self.runs.append(run)
        finally:
            self._service = None
            self._at_work.release()
            self._show()
        return run

    def _run(self, timeout: float | None, *, progress: bool) -> LabRun:
        first, *others = (agent_from(agent.spec, own_code_of(agent)) for agent in self.cast.values())
        now = {agent.id: (agent.mission, agent.description) for agent in (first, *others)}
        number = len(self.runs) + 1
        with InterComService(f"lab_{number}", logs=self._folder, **self._settings) as service:
            self._service = service
            service.add(first, *others)
            first.begin()
            reason = service.wait(timeout, progress=progress)
        who = delivery_counts(service)
        run = LabRun(
            number, self._changed(now), service.log, reason, service.spent.messages, service.spent.tokens, who,
            _goals(service),
        )  # fmt: skip
        self._last = now
        return run

    @functools.cached_property
    def _folder(self) -> Path:
        """Made with the first run: logs of one lab lie in a folder of their own, whoever else writes beside it."""
        return fresh_folder(self._logs, "lab")

    def _changed(self, now: Mapping[str, tuple[str, str]]) -> str:
        words = [
            f"{what} of {self.cast[agent_id].name}"
            for agent_id, texts in now.items()
            for what, text, before in zip(_TEXTS, texts, self._last.get(agent_id, texts), strict=True)
            if text != before
        ]
        return ", ".join(words) or "nothing"

    @property
    def at_work(self) -> bool:
        """Whether a run is under way."""
        return self._at_work.locked()

    def start_run(self) -> None:
        """Run the cast beside the notebook's cells; the Run button does this."""
        threading.Thread(target=self._run_beside, name="intercom lab", daemon=True).start()

    def _run_beside(self) -> None:
        keep_output_out_of_cells()
        self.trouble = ""
        try:
            self.run(progress=False)
        except InterComError as error:
            self.trouble = str(error)
            self._show()

    def stop(self) -> None:
        """End the run that is under way; what it has said so far counts."""
        service = self._service
        if service is not None:
            service.stop()

    def compare(self) -> Any:
        """Return all runs as a table.

        Returns
        -------
        DataFrame, shape (n_runs, 6)
            Index ``run`` (1, 2, …). Columns: ``changed``, ``reason``, ``messages``, ``tokens``, ``goals_met`` (missing
            unless the cast is a demo's) and ``log``.
        """
        rows = [
            {
                "run": run.number,
                "changed": run.changed,
                "reason": run.reason,
                "messages": run.messages,
                "tokens": run.tokens,
                "goals_met": sum(run.goals.values()) if run.goals else None,
                "log": str(run.log),
            }
            for run in self.runs
        ]
        return comparison(rows)

    # -- in a notebook ----------------------------------------------------------------------------------------------

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, Any]:  # noqa: ARG002 - as IPython calls it
        """Return the editor, one line of text, and a picture of the last run."""
        if self._panel is None:
            self._panel = LabPanel(self)
        bundle = self._panel.bundle() | {"text/plain": repr(self)}
        return bundle | ({"image/png": snapshot(self.runs[-1].log).data} if self.runs else {})

    def close(self) -> None:
        """Take the editor off the page; the runs stay."""
        panel, self._panel = self._panel, None
        if panel is not None:
            panel.close()

    def _show(self) -> None:
        if self._panel is not None:
            self._panel.refresh()


def _checked_cast(cast: object) -> list[Agent]:
    right = "agents, or the number of a demo"
    if isinstance(cast, str | bytes) or not isinstance(cast, Iterable):
        raise wrong_type("cast", cast, right)
    agents = list(cast)
    for agent in agents:
        if not isinstance(agent, Agent):
            raise wrong_type("an agent of the cast", agent, right)
    if not agents:
        raise ValueError("a lab needs at least one agent; give some, or the number of a demo")
    return agents


def _goals(service: InterComService) -> dict[str, bool]:
    try:
        goals = demo_goals(service)
    except ValueError:
        return {}
    return {str(what): bool(met) for what, met in zip(goals["criterion"], goals["met"], strict=True)}
