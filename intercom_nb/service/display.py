"""What a service shows of itself: live views, a picture, a page. The part of a service that is about seeing it."""

import math
import threading
from pathlib import Path
from typing import Any, TypeVar

from intercom_nb.analysis import delivery_counts
from intercom_nb.checks import AnyPath
from intercom_nb.log.store import Store
from intercom_nb.members.cards import service_html
from intercom_nb.service.running import Running
from intercom_nb.views import (
    AgentsView,
    Dashboard,
    GraphView,
    Hub,
    Live,
    Seen,
    Timeline,
    Transcript,
    View,
    snapshot,
    to_html,
)

__all__ = ["Display"]

_V = TypeVar("_V", bound=View)


class Display(Running):
    """What every service can show; `InterComService` is the service itself.

    A view is live while it can be seen, whatever the cells are doing; shown twice, it is one view in two places.
    """

    _shown: Seen | None = None
    _showing = threading.Lock()

    @property
    def _store(self) -> Store:
        return self._engine.log

    @property
    def _seen(self) -> Seen:
        with self._showing:
            seen, made = self._shown, self._shown is None
            if seen is None:
                hub = Hub(self.name, self._engine.log, self._live, self._engine.hear)
                seen = self._shown = Seen(self._engine, hub, lambda: repr(self))
        if made and self.state == "stopped":
            seen.hub.finish()
        return seen

    def transcript(self) -> Transcript:
        """Return a view of what is said."""
        return self._view(Transcript)

    def graph_view(self) -> GraphView:
        """Return a view of who writes to whom."""
        return self._view(GraphView)

    def agents_view(self) -> AgentsView:
        """Return a view of the agents: what each one is doing, its mission, its conversation."""
        return self._view(AgentsView)

    def timeline(self) -> Timeline:
        """Return a view of what happened when."""
        return self._view(Timeline)

    def snapshot(self) -> Any:
        """Return a picture of it as it is now, which stays in the notebook: an ``IPython.display.Image``."""
        return snapshot(self)

    def to_html(self, path: AnyPath) -> Path:
        """Write what has happened as one HTML file that anybody can open, and return its path."""
        return to_html(self, path)

    def stop(self) -> None:
        """Stop for good: end every run at once, close the log, end the threads. A second call does nothing.

        Nothing accepted is lost: `InterComService.open(path)` goes on with the log. Views that can be seen stay as
        they are at the end.
        """
        super().stop()
        if self._shown is not None and self.state == "stopped" and not self._engine.runtime.here():
            self._shown.hub.finish()

    def wait(self, timeout: float | None = None, *, progress: bool = True) -> str:  # noqa: D102 - as Running has it
        reason = super().wait(timeout, progress=progress)
        self._renew()
        return reason

    async def quiet(self) -> str:  # noqa: D102 - as Running has it
        reason = await super().quiet()
        self._renew()
        return reason

    def _renew(self) -> None:
        """Renew what a notebook that is run by a program has of the views: nobody else would, until the cell ends."""
        if self._shown is not None:
            self._shown.hub.renew()

    def _view(self, kind: type[_V], focus: str = "") -> _V:
        return kind(self, focus)

    # -- the last line of a cell ------------------------------------------------------------------------------------

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, Any]:
        """Return the dashboard for a browser, a picture for a page, and one line of text."""
        try:
            return self._view(Dashboard)._repr_mimebundle_(include, exclude) | {"text/plain": repr(self)}
        except ImportError:
            return {"text/plain": repr(self), "text/html": self._as_html()}

    def _ipython_display_(self) -> None:
        try:
            done = self._view(Dashboard).put_out(repr(self))
        except ImportError:
            done = False
        if not done:
            raise NotImplementedError  # IPython then asks for the bundle

    def _bundle_of(self, some_id: str) -> dict[str, Any]:
        members = self._engine.registry.members
        kind: type[View] = AgentsView if some_id in {member.id for member in members} else Transcript
        return self._view(kind, some_id)._repr_mimebundle_()

    def _as_html(self) -> str:
        what = {
            "name": self.name,
            "status": self.status,
            "model": self.model,
            "spent": str(self.spent),
            "log": str(self.log),
        }
        agents = [(agent.name, agent.status, agent.description) for agent in self._engine.registry]
        return service_html(what, agents, delivery_counts(self))

    # -- what its views show beside the log -------------------------------------------------------------------------

    def _live(self) -> Live:
        agents = {
            agent.id: {
                "status": agent.status,
                "unread": self._engine.scheduler.unread(agent.id),
                "paused": self._engine.scheduler.is_paused(agent.id),
            }
            for agent in self._engine.registry
        }
        return {"service": self._live_service(), "agents": agents, "people": self._engine.people()}

    def _live_service(self) -> dict[str, Any]:
        spent, limits, seconds = self.spent, self.limits, round(self._engine.lifecycle.seconds, 1)
        usd = None if spent.unpriced else spent.usd  # a sum without some of its parts is not known
        return {
            "name": self.name,
            "state": self.state,
            "status": self.status,
            "reason": self.reason,
            "notice": self._engine.models.notice,
            "model": self.model,
            "log": None if self.log.path is None else str(self.log),
            "spent": {
                "runs": spent.runs,
                "messages": spent.messages,
                "tokens": spent.tokens,
                "usd": usd,
                "seconds": seconds,
            },
            "limits": {
                "runs": _finite(limits.runs),
                "messages": None,
                "tokens": _finite(limits.tokens),
                "usd": _finite(limits.usd),
                "seconds": _finite(limits.seconds),
            },
        }


def _finite(limit: float) -> float | None:
    return None if math.isinf(limit) else limit
