"""What a study looks like while it runs: conditions, how many runs of each are done, what it costs, and Stop."""

import threading
from html import escape
from typing import Any, Protocol

from intercom_nb.lab.panel import close_all
from intercom_nb.notebook import keep_output_out_of_cells

__all__ = ["StudyPanel"]

_EVERY_S = 0.5


class Studied(Protocol):
    """What the panel knows of its study."""

    name: str

    @property
    def status(self) -> str:
        """What there is and what goes on."""

    @property
    def at_work(self) -> list[str]:
        """What runs now."""

    @property
    def is_running(self) -> bool:
        """Whether anything runs."""

    def counts(self) -> list[tuple[str, int, int, int]]:
        """Return for each condition its name, and how many runs are wanted, finished and failed."""

    def run(self) -> Any:
        """Run what is not finished."""

    def stop(self) -> str:
        """End it."""


class StudyPanel:
    """The widgets of one study.

    Parameters
    ----------
    study : Studied
        What they show.
    """

    def __init__(self, study: Studied) -> None:
        import ipywidgets as w

        self._study = study
        self._closed = threading.Event()
        self._follower: threading.Thread | None = None
        self._lock = threading.Lock()
        self._run = w.Button(description="Run", icon="play", button_style="primary", tooltip="Run what is not finished")
        self._stop = w.Button(description="Stop", icon="stop", tooltip="End it; what is under way counts as not run")
        self._run.on_click(lambda _: self._told(lambda: study.run() and ""))
        self._stop.on_click(lambda _: self._told(study.stop))
        self._said, self._grid = w.HTML(), w.HTML()
        self._answer = ""
        self._box = w.VBox([w.HBox([self._run, self._stop]), self._said, self._grid])
        self._refresh()
        self.follow()

    def _told(self, do: Any) -> None:
        try:
            self._answer = do()
        except Exception as error:  # noqa: BLE001 - no cell is there to raise in
            self._answer = str(error)
        self._refresh()
        self.follow()

    def bundle(self) -> dict[str, Any]:
        """Return what shows it in a browser, with the table for a page without one."""
        self._refresh()
        return dict(self._box._repr_mimebundle_()) | {"text/html": self._said.value + self._grid.value}

    def follow(self) -> None:
        """Show how it goes on, until nothing runs any more."""
        with self._lock:
            if self._follower is None and self._study.is_running and not self._closed.is_set():
                self._follower = threading.Thread(target=self._follow, name="intercom study panel", daemon=True)
                self._follower.start()

    def _follow(self) -> None:
        keep_output_out_of_cells()
        while self._study.is_running and not self._closed.wait(_EVERY_S):
            self._refresh()
        with self._lock:
            self._follower = None
        if not self._closed.is_set():
            self._refresh()

    def _refresh(self) -> None:
        study = self._study
        self._run.disabled, self._stop.disabled = study.is_running, not study.is_running
        said = f"{study.name}: {study.status}"
        self._said.value = f"<p>{escape(said)}{f'; {escape(self._answer)}' if self._answer else ''}</p>"
        rows = "".join(map(_row, study.counts()))
        head = "".join(f"<th style='text-align:left'>{name}</th>" for name in ("condition", "runs", "", "failed"))
        now = f"<p>now: {escape(', '.join(study.at_work))}</p>" if study.at_work else ""
        self._grid.value = f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>{now}"

    def close(self) -> None:
        """Take everything off the page."""
        self._closed.set()
        with self._lock:
            follower = self._follower
        if follower is not None:
            follower.join()
        close_all(self._box)


def _row(counts: tuple[str, int, int, int]) -> str:
    name, wanted, finished, failed = counts
    bar = f"<progress max='{wanted}' value='{finished}' aria-label='{escape(name)}'></progress>"
    return f"<tr><td>{escape(name)}</td><td>{finished} of {wanted}</td><td>{bar}</td><td>{failed or '–'}</td></tr>"
