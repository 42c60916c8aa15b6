"""What a MissionLab looks like: an editor of the cast, a Run button, this run beside the last one, and all runs."""

import threading
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any, Protocol

from intercom_nb.members.cards import who_html
from intercom_nb.readable import counted
from intercom_nb.views import Dashboard

__all__ = ["LabPanel", "close_all"]


class Ran(Protocol):
    """A finished run."""

    number: int
    changed: str
    log: Path
    reason: str
    messages: int
    tokens: int
    who: Mapping[str, Mapping[str, int]]
    goals: Mapping[str, bool]


class Lab(Protocol):
    """What the panel knows of its lab."""

    cast: dict[str, Any]
    trouble: str

    @property
    def runs(self) -> Sequence[Any]:
        """All finished runs."""

    @property
    def at_work(self) -> bool:
        """Whether a run is under way."""

    def edit(self, agent: str, *, mission: str | None = None, description: str | None = None) -> None:
        """Change what an agent is for."""

    def start_run(self) -> None:
        """Run beside the cells."""

    def stop(self) -> None:
        """End the run."""


class LabPanel:
    """The widgets of one lab.

    Parameters
    ----------
    lab : Lab
        What they show and change.
    """

    def __init__(self, lab: Lab) -> None:
        import ipywidgets as w

        self._lab = lab
        self._lock = threading.RLock()
        self._shown: Dashboard | None = None
        wide = w.Layout(width="auto")
        self._texts = {
            (one.id, what): w.Textarea(
                value=getattr(one, what), rows=rows, layout=wide, continuous_update=False,
                placeholder=f"{what} of {one.name}", tooltip=f"{what} of {one.name}",
            )
            for one in lab.cast.values()
            for what, rows in (("mission", 4), ("description", 1))
        }  # fmt: skip
        for (agent_id, what), text in self._texts.items():
            text.observe(lambda change, a=agent_id, t=what: lab.edit(a, **{t: change["new"]}), names="value")
        self._run = w.Button(
            description="Run", icon="play", button_style="primary", tooltip="Run the cast as it is now"
        )
        self._run.on_click(lambda _: lab.start_run())
        self._stop = w.Button(description="Stop", icon="stop", tooltip="End the run that is under way")
        self._stop.on_click(lambda _: lab.stop())
        self._status, self._results, self._table = w.HTML(), w.HTML(), w.HTML()
        self._which = w.Dropdown(options=[("open a run …", 0)], value=0, tooltip="Open a run's dashboard")
        self._which.observe(self._open, names="value")
        self._opened = w.VBox()
        editor = [self._card(w, one.id, one.name) for one in lab.cast.values()]
        self._box = w.VBox(
            [
                *editor, w.HBox([self._run, self._stop, self._status]), self._results, self._table, self._which,
                self._opened,
            ]
        )  # fmt: skip
        self.refresh()

    def _card(self, w: Any, agent_id: str, name: str) -> Any:
        title = w.HTML(f"<b>{escape(name)}</b>")
        return w.VBox([title, *(self._texts[agent_id, what] for what in ("mission", "description"))])

    def bundle(self) -> dict[str, Any]:
        """Return what shows it in a browser."""
        return dict(self._box._repr_mimebundle_())

    def refresh(self) -> None:
        """Show the lab as it is; from any thread."""
        with self._lock:
            lab, runs = self._lab, list(self._lab.runs)
            for (agent_id, what), text in self._texts.items():
                text.value = getattr(lab.cast[agent_id], what)
            self._run.disabled, self._stop.disabled = lab.at_work, not lab.at_work
            state = "at work …" if lab.at_work else lab.trouble or counted(len(runs), "run")
            self._status.value = escape(state)
            self._results.value = _beside(runs[-2:])
            self._table.value = _table(runs)
            known = len(self._which.options) - 1
            if known != len(runs):
                self._which.options = [("open a run …", 0), *((f"run {r.number}: {r.changed}", r.number) for r in runs)]

    def _open(self, change: Mapping[str, Any]) -> None:
        with self._lock:
            old, self._shown = self._shown, None
            if change["new"]:
                self._shown = Dashboard(self._lab.runs[change["new"] - 1].log)
            self._opened.children = [] if self._shown is None else [self._shown.widget]
            if old is not None:
                old.close()

    def close(self) -> None:
        """Take everything off the page."""
        with self._lock:
            if self._shown is not None:
                self._shown.close()
            close_all(self._box)


def close_all(widget: Any) -> None:
    """Take a widget off the page, with all that is in it."""
    pending = [widget]
    while pending:
        one = pending.pop()
        pending += getattr(one, "children", ())
        one.close()


def _beside(runs: Sequence[Ran]) -> str:
    """Return the last two runs side by side: the one before left, the newest right."""
    cells = [
        f"<div style='flex:1 1 18em;min-width:0;overflow-x:auto'><b>Run {run.number}</b> "
        f"({escape(run.changed)} changed)<br>{escape(run.reason)}: "
        f"{counted(run.messages, 'message')}, {counted(run.tokens, 'token')}"
        f"{who_html(run.who)}{_goals(run.goals)}</div>"
        for run in runs
    ]
    return f"<div style='display:flex;flex-wrap:wrap;gap:2em;line-height:1.4'>{''.join(cells)}</div>" if cells else ""


def _goals(goals: Mapping[str, bool]) -> str:
    rows = "".join(f"<li>{'✓ met' if met else '✗ not met'}: {escape(what)}</li>" for what, met in goals.items())
    return f"<ul>{rows}</ul>" if rows else ""


def _table(runs: Sequence[Ran]) -> str:
    rows = "".join(
        f"<tr><td>{run.number}</td><td>{escape(run.changed)}</td><td>{escape(run.reason)}</td><td>{run.messages}</td>"
        f"<td>{run.tokens:,}</td><td>{f'{sum(run.goals.values())} of {len(run.goals)}' if run.goals else '–'}</td></tr>"
        for run in runs
    )
    head = "".join(f"<th>{name}</th>" for name in ("run", "changed", "ended", "messages", "tokens", "goals met"))
    return f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>" if rows else ""
