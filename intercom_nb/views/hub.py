"""One for each service: which views of it are on the page, and the thread that tells them what is new.

The thread is there only while some view is visible. It reads and sends beside the agents' loop, so a large view or
a slow page holds no agent up; and it works before a service has started and while it is paused.
"""

import contextlib
import threading
import time
import weakref
from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeAlias

from intercom_nb.errors import LogError
from intercom_nb.log.facts import AgentVersion, ChatCreated, Fact, Posted, RunEnded, StepTaken
from intercom_nb.log.store import Store
from intercom_nb.notebook import keep_output_out_of_cells
from intercom_nb.views.feed import Changed
from intercom_nb.views.stored import Stored
from intercom_nb.views.writing import Hear, Writing

__all__ = ["Hub", "Live", "SendPace"]

Live: TypeAlias = dict[str, Any]

_IN_ALL_S = 1 / 20  # between two sends, to whichever view: what a browser takes without falling behind
_EACH_S = 1 / 10  # between two sends to the same view: as live as an eye can tell
_LOOK_S = 0.5  # between two looks at what no fact tells: statuses, time at work, a rate limit
_PATIENCE_S = 5.0  # for the last send
_SEEN = (AgentVersion, ChatCreated, Posted, RunEnded, StepTaken)  # facts that a picture shows


class Told(Protocol):
    """What the hub knows of a view."""

    changed: Changed
    stored: Stored

    @property
    def listening(self) -> bool:
        """Whether it is to be told."""

    def tell(self, live: Live) -> bool:
        """Send what is new, if anything is; return whether something was sent."""

    def renew(self) -> None:
        """Renew the picture that notebooks keep of it."""

    def let_go(self, live: Live) -> None:
        """Hold nothing of the service any more, which has stopped thus."""


class SendPace:
    """When something may be sent: at most 20 times a second in all, 10 to one view.

    Parameters
    ----------
    clock : callable
        Gives the time, in seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._next = clock()
        self._next_to: weakref.WeakKeyDictionary[Any, float] = weakref.WeakKeyDictionary()

    def pause(self, view: object) -> float:
        """Return how many seconds to wait before something is sent to this view."""
        return max(self._next, self._next_to.get(view, self._next)) - self._clock()

    def sent(self, view: object) -> None:
        """Count a send."""
        now = self._clock()
        self._next, self._next_to[view] = now + _IN_ALL_S, now + _EACH_S


class Hub:
    """The views of one service.

    Parameters
    ----------
    name : str
        For the thread.
    store : Store
        The service's log.
    live : callable
        Returns what a running service shows beside its log.
    hear : callable
        Begins to tell what models write, and returns what ends that.
    """

    def __init__(self, name: str, store: Store, live: Callable[[], Live], hear: Hear) -> None:
        self._live = live
        self._writing = Writing(hear)
        self._name = name
        self._store = store
        self._views: weakref.WeakValueDictionary[tuple[str, str], Any] = weakref.WeakValueDictionary()
        self._held: set[Any] = set()
        self._pace = SendPace()
        self._lock = threading.Lock()
        self._bell = threading.Event()
        self._over = threading.Event()
        self._thread: threading.Thread | None = None
        store.watch(self._heard)

    def view(self, part: str, focus: str, make: Callable[[], Any]) -> Any:
        """Return the open view of this part, or a new one: one model serves every place where it is shown."""
        with self._lock:
            found = self._views.get((part, focus))
            if found is None or found.closed:
                found = self._views[part, focus] = make()
        if self._over.is_set():
            found.let_go(self.live())
        return found

    def live(self) -> Live:
        """Return what a running service shows beside its log, and what its models are writing."""
        live = self._live()
        for who, what in self._writing.now().items():
            if who in live["agents"]:
                live["agents"][who]["writing"] = what
        return live

    def hold(self, view: Told) -> None:
        """Keep a view whose output has to be renewed; one that a page shows is kept by its widget."""
        self._held.add(view)

    @property
    def views(self) -> list[Told]:
        """The views that are there."""
        return list(self._views.values())

    def _heard(self, facts: Sequence[Fact]) -> None:
        """Note what has changed, for every view that listens or is in a notebook; on the log's thread."""
        self._writing.kept(facts)
        if any(isinstance(fact, _SEEN) for fact in facts):
            self._outdate()
        listening = [view for view in self.views if view.listening]
        if listening:
            changed = Changed.by(facts)
            with self._lock:
                for view in listening:
                    view.changed.add(changed)
            self._bell.set()

    def _outdate(self) -> None:
        """Note that no picture of a view shows any more how things are; those a page keeps are renewed in time."""
        for view in self.views:
            view.stored.stale = view.stored.shown
        if self._outdated:
            self.listen()

    @property
    def _outdated(self) -> bool:
        return any(view.stored.stale and not view.stored.pushed for view in self.views)

    def renew(self, *, all_of_them: bool = False) -> None:
        """Renew the pictures that have to be renewed from a cell, or all that show no more how things are."""
        for view in self.views:
            if view.stored.stale and (all_of_them or view.stored.pushed):
                view.renew()

    def taken(self, view: Told) -> Changed:
        """Return what has changed for a view, and begin anew."""
        with self._lock:
            changed, view.changed = view.changed, Changed()
        return changed

    def settle(self) -> None:
        """Wait until every fact that can be read from the log has been told to those who listen."""
        with contextlib.suppress(LogError):  # a closed log changes no more
            with self._store.transaction() as behind_all_others:
                pass
            behind_all_others.wait()

    def listen(self) -> None:
        """Begin to tell views, or go on; called when one becomes visible."""
        with self._lock:
            if self._thread is None and not self._over.is_set():
                self._thread = threading.Thread(target=self._work, name=f"intercom views of {self._name}", daemon=True)
                self._thread.start()

    def look(self) -> None:
        """Look at once whether anybody still listens; called when a view is hidden."""
        if not any(view.listening for view in self.views):
            self._writing.stop()
        self._bell.set()

    def _work(self) -> None:
        keep_output_out_of_cells()
        try:
            while self._go_on():
                if any(view.listening for view in self.views):
                    self._writing.listen(self._bell.set)
                else:
                    self._writing.stop()
                self._round()
                self._bell.wait(_LOOK_S)
                self._bell.clear()
        finally:
            self._writing.stop()

    def _go_on(self) -> bool:
        with self._lock:
            if self._over.is_set() or not (self._outdated or any(view.listening for view in self.views)):
                self._thread = None  # under the lock: whoever becomes visible next starts another one
                return False
            return True

    def _round(self) -> None:
        live = self.live()
        for view in self.views:
            if view.listening:
                if self._over.wait(max(self._pace.pause(view), 0)):
                    return
                if view.tell(live):
                    self._pace.sent(view)
        service = live["service"]
        settled = service["state"] != "running" or bool(service["reason"])
        hidden = not any(view.listening for view in self.views)
        for view in self.views:
            if view.stored.is_due(settled=settled, hidden=hidden):
                view.renew()

    def finish(self) -> None:
        """Tell each view how it ended, end the thread, and let the views hold nothing of the service."""
        self._over.set()
        self._bell.set()
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join(_PATIENCE_S)
        live = self.live()
        for view in self.views:
            if view.listening:
                view.tell(live)
        self.renew(all_of_them=True)
        for view in self.views:
            view.let_go(live)
        self._held.clear()
