"""The widget behind every view: one script, messages there and back, and nothing in it that grows."""

import contextlib
from collections.abc import Callable, Mapping
from functools import cache
from importlib.resources import files
from typing import Any

__all__ = ["bundle", "make_widget"]


def bundle() -> tuple[str, str]:
    """Return the script and the style sheet of all views."""
    static = files("intercom_nb.views") / "static"
    return (static / "views.js").read_text("utf-8"), (static / "views.css").read_text("utf-8")


def make_widget(traits: Mapping[str, Any], heard: Callable[[Mapping[str, Any]], None]) -> Any:
    """Return a widget.

    Parameters
    ----------
    traits : mapping
        ``part``, ``live``, ``focus`` and ``mark``.
    heard : callable
        Called with each message from the page, on whichever thread it arrives.
    """
    widget = _widget_class()(**traits)
    widget.on_msg(lambda _, content, __: heard(content) if isinstance(content, dict) else None)
    return widget


def _answer_anywhere(comm: Any) -> None:
    """Let messages to this widget be taken while a cell is running.

    ipykernel 7.4 hands a message from the page to the shell that last sent something, mostly the one a long cell
    keeps busy: a click on Pause would wait for the cell. Without this private note it takes the shell that is free.
    Other versions have no such note.
    """
    with contextlib.suppress(AttributeError, TypeError):
        vars(comm).pop("_reply_subshell_id", None)


@cache
def _widget_class() -> Any:
    import anywidget
    import traitlets

    script, style = bundle()

    class LogWidget(anywidget.AnyWidget):
        """What the page knows of a view: which part it shows, of what. All else is sent, and kept by nobody."""

        _esm = script
        _css = style
        part = traitlets.Unicode("dashboard").tag(sync=True)
        live = traitlets.Bool(default_value=False).tag(sync=True)
        focus = traitlets.Unicode("").tag(sync=True)
        mark = traitlets.Unicode("").tag(sync=True)

        def open(self) -> None:
            super().open()
            _answer_anywhere(self.comm)

        def _send(self, msg: Any, buffers: Any = None) -> None:
            super()._send(msg, buffers=buffers)
            _answer_anywhere(self.comm)

    return LogWidget
