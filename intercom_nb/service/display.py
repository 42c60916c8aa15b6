"""What a service shows of itself: live views, a picture, a page. The part of a service that is about seeing it."""

import math
from pathlib import Path
from typing import Any, TypeVar, cast

from intercom_nb.analysis import delivery_counts
from intercom_nb.members.cards import service_html
from intercom_nb.members.person import Person
from intercom_nb.members.registry import Registry
from intercom_nb.service.running import Running
from intercom_nb.views import (
    AgentsView,
    Dashboard,
    GraphView,
    Hub,
    Live,
    Shown,
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

    registry: Registry
    _hub: Hub | None = None

    @property
    def hub(self) -> Hub:
        """Where its views meet."""
        with self.store.lock:
            made = self._hub is None
            hub = self._hub = self._hub or Hub(self.name, self.store, self._live)
        if made and self.state == "stopped":
            hub.finish()
        return hub

    def dashboard(self) -> Dashboard:
        """Return a view of everything at once, with what a person may do; the last line ``intercom`` shows it."""
        return self._view(Dashboard)

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

    def to_html(self, path: str | Path) -> Path:
        """Write what has happened as one HTML file that anybody can open, and return its path."""
        return to_html(self, path)

    def people(self) -> list[str]:
        """Return the ids of the persons, in the order they were added."""
        return [member.id for member in self.registry.members if isinstance(member, Person)]

    def stop(self) -> None:
        """Stop for good: end every run at once, close the log, end the threads. A second call does nothing.

        Nothing accepted is lost: `InterComService.open(path)` goes on with the log. Views that can be seen stay as
        they are at the end.
        """
        super().stop()
        if self._hub is not None and self.state == "stopped" and not self._runtime.here():
            self._hub.finish()

    def _view(self, kind: type[_V], focus: str = "") -> _V:
        # The rest of what a view may ask of it is written in the service itself.
        found: _V = self.hub.view(kind.part, focus, lambda: kind(cast(Shown, self), focus))
        return found

    # -- the last line of a cell ------------------------------------------------------------------------------------

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, Any]:
        """Return the dashboard for a browser, a picture for a page, and one line of text."""
        try:
            return self._view(Dashboard)._repr_mimebundle_(include, exclude) | {"text/plain": repr(self)}
        except ImportError:
            return {"text/plain": repr(self), "text/html": self.as_html()}

    def bundle_of(self, some_id: str) -> dict[str, Any]:
        """Return what the last line of a cell shows of an agent or a chat."""
        kind: type[View] = AgentsView if some_id in {member.id for member in self.registry.members} else Transcript
        return self._view(kind, some_id)._repr_mimebundle_()

    def as_html(self) -> str:
        """Return it as tables, for a page without scripts: its state, its agents, and who wrote to whom."""
        what = {
            "name": self.name,
            "status": self.status,
            "model": self.model,
            "spent": str(self.spent),
            "log": str(self.log or "in memory"),
        }
        agents = [(agent.name, agent.status, agent.description) for agent in self.registry]
        return service_html(what, agents, delivery_counts(self))

    # -- what its views show beside the log -------------------------------------------------------------------------

    def _live(self) -> Live:
        agents = {
            agent.id: {
                "status": agent.status,
                "unread": self._runs.unread(agent.id),
                "paused": self._runs.is_paused(agent.id),
            }
            for agent in self.registry
        }
        return {"service": self._live_service(), "agents": agents, "people": self.people()}

    def _live_service(self) -> dict[str, Any]:
        spent, limits, seconds = self.spent, self.limits, round(self._lifecycle.seconds, 1)
        usd = None if self.hub.unpriced else spent.usd  # a sum without some of its parts is not known
        return {
            "name": self.name,
            "state": self.state,
            "status": self.status,
            "reason": self.reason,
            "notice": self._models.notice,
            "model": self.model,
            "log": None if self.log is None else str(self.log),
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
