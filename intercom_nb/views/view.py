"""A view: a reader of one log, on the page. It keeps nothing of the log; the page has its own copy of the facts."""

import base64
import logging
import threading
import weakref
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from os import PathLike
from pathlib import Path
from typing import Any, ClassVar

from intercom_nb.checks import AnyPath
from intercom_nb.errors import InterComError, LogError, UnknownIdError
from intercom_nb.log.reading import Query, querying, store_of
from intercom_nb.notebook import is_watched, put_out
from intercom_nb.texts.names import checked_text, nearest
from intercom_nb.views.actions import do
from intercom_nb.views.answers import answer
from intercom_nb.views.before import Before
from intercom_nb.views.feed import Changed, Facts, changed_facts, facts_since, is_much, last_seq, newest_facts
from intercom_nb.views.hub import Live
from intercom_nb.views.seen import Seen, Shown, seen_of
from intercom_nb.views.snapshot import one_line
from intercom_nb.views.stored import Stored
from intercom_nb.views.widget import make_widget

__all__ = ["View"]

_LOGGER = logging.getLogger(__name__)
_NEAR = 5  # ids that are told where a focus has none


class _OneOfEach(type):
    """Makes one view of a service, part and focus, and gives it again: the service's hub tells those it made only."""

    def __call__(cls, source: Shown | AnyPath, focus: str = "") -> Any:
        make = partial(super().__call__, source, checked_text(focus, "focus"))
        if isinstance(source, str | PathLike):
            return make()
        return seen_of(source).hub.view(cls.part, focus, make)  # type: ignore[attr-defined]  # views have one


class View(metaclass=_OneOfEach):
    """A live view of a service, or a view of a finished log; the last line of a cell shows it.

    Parameters
    ----------
    source : InterComService, str or Path
        A service, or the path of a log.
    focus : str, optional
        The id of an agent, person or chat that the view is limited to.

    Raises
    ------
    UnknownIdError
        If the log has nobody of that id.

    Attributes
    ----------
    changed : Changed
        What has become durable and was not yet sent; filled and emptied by the service's hub.
    stored : Stored
        The picture that a notebook keeps of it.
    """

    part: ClassVar[str]

    def __init__(self, source: Shown | AnyPath, focus: str = "") -> None:
        self.focus = checked_text(focus, "focus")
        self.changed = Changed()
        self.stored = Stored(self.part, self.focus)
        self.closed = False
        self._log: Path | None = Path(source) if isinstance(source, str | PathLike) else store_of(source).path
        self._service: weakref.ref[Seen] | None = None
        self._kept: Seen | None = None
        if not isinstance(source, str | PathLike):
            self._kept = seen_of(source)
            self._service = weakref.ref(self._kept)
        self._line = one_line(source)  # also shows at once whether there is such a log
        _check_there(source, self.focus)
        self._widget: Any = None
        self._visible: dict[str, bool] = {}
        self._sent = 0  # the place in the log up to which the page knows everything
        self._batch = 0  # the page finds a gap by it
        self._last_live: Live = {}
        # Held while facts are read and sent, so that what is sent later is never older.
        self._telling = threading.RLock()

    def __repr__(self) -> str:
        line = self._line if self._kept is None else one_line(self._kept)
        return f"<{type(self).__name__} of {line}{', closed' if self.closed else ''}>"

    @property
    def widget(self) -> Any:
        """The widget, to be laid out among others; made when first asked for."""
        if self._widget is None and not self.closed:
            traits = {"part": self.part, "live": self._kept is not None, "focus": self.focus, "mark": self.stored.mark}
            self._widget = make_widget(traits, self._heard)
        return self._widget

    def close(self) -> None:
        """Take it off the page, and hold nothing any more. A second call does nothing."""
        with self._telling:
            self.closed = True
            widget, self._widget = self._widget, None
            self._visible.clear()
            self._kept = self._service = None
        if widget is not None:
            widget.close()

    def let_go(self, live: Live) -> None:
        """Hold nothing of the service any more, for it has stopped thus; its log can still be read."""
        if self._kept is not None:
            self._line = one_line(self._kept)
        self._last_live, self._kept = live, None

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, Any]:  # noqa: ARG002 - as IPython calls it
        """Return the widget, one line of text, and a picture for where there is no browser."""
        bundle: dict[str, Any] = {"text/plain": repr(self)}
        if not self.closed:
            self.stored.pushed = not is_watched()
            if not self.stored.pushed:
                bundle |= self.widget._repr_mimebundle_()[0] | bundle
            with self._source() as source:
                bundle["image/png"] = self.stored.picture(source)
        return bundle

    def put_out(self, line: str) -> bool:
        """Put out what can be renewed without a page, with a line for what ended; False if a page may be there."""
        if self.closed or is_watched():
            return False
        bundle = self._repr_mimebundle_() | {"text/plain": self._title if self._kept else line}
        put_out(bundle, self.stored.display_id)
        if self._kept is not None:
            self._kept.hub.hold(self)
        return True

    def _ipython_display_(self) -> None:
        if not self.put_out(repr(self)):
            raise NotImplementedError  # IPython then asks for the bundle

    @property
    def _title(self) -> str:
        """What it shows, without a count that is another one a moment later."""
        return f"<{type(self).__name__} of {self._kept.owner.name}>" if self._kept else repr(self)

    def renew(self) -> None:
        """Renew the picture that notebooks keep of it; the live view is not touched."""
        if self.closed or not self.stored.shown:
            return
        with self._source() as source:
            png = self.stored.picture(source)
        if self.stored.pushed:
            put_out({"text/plain": self._title, "image/png": png}, self.stored.display_id, anew=True)
        else:
            self._post({"kind": "saved", "png": base64.b64encode(png).decode("ascii")})

    # -- what it is told by the hub ---------------------------------------------------------------------------------

    @property
    def listening(self) -> bool:
        """Whether somebody can see it, and it shows a service that may still change."""
        return self._kept is not None and any(list(self._visible.values()))

    def tell(self, live: Live) -> bool:
        """Send what is new, if anything is; return whether something was sent."""
        service = self._kept
        if service is None:
            return False
        with self._telling:
            if not self.listening:  # hidden while the hub waited for its turn; seen again, it is told all of it
                return False
            changed = service.hub.taken(self)
            facts: Facts = {}
            if changed.anything:
                with querying(service) as query:
                    facts = changed_facts(query, self._sent, changed)
            news = self._news(live)
            if not facts and not news:
                return False
            self._send(facts, news, reset=False)
        return True

    def _send(self, facts: Facts, live: Live | None, *, reset: bool, before: Before | None = None) -> None:
        self._sent = last_seq(facts, self._sent)
        self._batch += 1
        told = {"kind": "facts", "n": self._batch, "reset": reset, "facts": facts, "live": live}
        self._post(told if before is None else {**told, "before": before})

    def _post(self, content: dict[str, Any]) -> None:
        if self._widget is not None and not self.closed:
            self._widget.send(content)

    def _news(self, live: Live) -> Live | None:
        """Return what of the live part is not what was sent last."""
        before = self._last_live.get("agents", {})
        agents = {who: what for who, what in live["agents"].items() if before.get(who) != what}
        if not agents and all(live[part] == self._last_live.get(part) for part in ("service", "people")):
            return None
        self._last_live = live
        return {**live, "agents": agents}

    # -- what it hears from the page --------------------------------------------------------------------------------

    def _heard(self, content: Mapping[str, Any]) -> None:
        """Take a message from the page; on whichever thread it arrives."""
        kind, view = content.get("kind"), str(content.get("view"))
        try:
            if kind == "hello":
                self._hello(view, int(content.get("seq") or 0), visible=bool(content.get("visible")))
            elif kind == "visible":
                self._see(view, visible=bool(content.get("visible")))
            elif kind == "probe":
                self._post({"kind": "here"})
            elif kind == "bye":
                self._see(view, visible=False)
                self._visible.pop(view, None)
            elif kind == "ask":
                self._post({"kind": "answer", "id": content.get("id"), **self._answer(content)})
        except InterComError as error:
            _LOGGER.warning("%r cannot show %s: %s", self, kind, error)

    def _hello(self, view: str, seq: int, *, visible: bool) -> None:
        with self._telling:
            self._sent = min(self._sent, seq) if self._visible else seq
            self._visible.setdefault(view, False)
            self._see(view, visible=visible, anew=True)

    def _see(self, view: str, *, visible: bool, anew: bool = False) -> None:
        with self._telling:
            if view not in self._visible:
                return
            if not visible and self.listening and self._kept is not None:
                self._kept.hub.settle()  # what the page knows of the log is then all that it has not to be told
            was, self._visible[view] = any(list(self._visible.values())), visible
            if not visible and self._kept is not None:
                self._kept.hub.look()
            if visible and (anew or not was):
                self._catch_up()

    def _catch_up(self) -> None:
        """Send all that the page does not know; from here on the hub tells what is new."""
        service = self._kept
        if service is not None:
            service.hub.listen()  # first: what becomes durable while the log is read is told afterwards
        before: Before | None = None
        with self._source() as source, querying(source) as query:
            anew = self._sent == 0 or is_much(query, self._sent)
            if anew:
                facts, before = newest_facts(query)
            else:
                facts = facts_since(query, self._sent)
        if service is not None:
            self._last_live = service.hub.live()
        self._send(facts, self._last_live or None, reset=anew, before=before)

    def _answer(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        try:
            if asked.get("what") == "do":
                return self._do(asked)
            with self._reading() as query:
                return answer(query, asked)
        except KeyError as error:
            return {"error": f"{asked.get('what')} needs {error}"}
        except (InterComError, ValueError, TypeError, AttributeError, RecursionError) as error:
            return {"error": str(error)}

    def _do(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        if self._kept is None:
            goes_on = "nothing in it changes"
            if self._log is not None:
                goes_on = f"InterComService.open({str(self._log)!r}) goes on with it"
            return {"ok": False, "sentence": f"this view shows a finished log; {goes_on}"}
        return do(self._kept.owner, asked)

    @contextmanager
    def _reading(self) -> Iterator[Query]:
        with self._source() as source, querying(source, told=False) as query:
            yield query

    @contextmanager
    def _source(self) -> Iterator[Seen | Path]:
        """Give what is read: the service while there is one, else the file it has left."""
        service = self._kept or (self._service() if self._service is not None and self._log is None else None)
        if service is not None:
            yield service
        elif self._log is not None and not self.closed:
            yield self._log
        else:
            raise LogError(self._log, "this log was in memory, and its service is gone")


def _check_there(source: Shown | AnyPath, focus: str) -> None:
    if not focus:
        return
    with querying(source) as query:
        known = [found for (found,) in query("SELECT agent_id FROM agents UNION SELECT chat_id FROM chats")]
    if focus not in known:
        raise UnknownIdError(focus, nearest(focus, known, _NEAR), more="focus= takes the id of an agent or a chat")
