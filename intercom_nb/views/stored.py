"""What a notebook keeps of a view: a picture of the part it shows, for the day when the view's kernel is gone.

The page puts the live view in the place of its picture, and leaves the picture in the notebook: what is saved never
needs a widget. The page knows a picture of its own by a mark in it.
"""

import time
import uuid
import zlib
from contextlib import nullcontext
from pathlib import Path

from intercom_nb.analysis import part_png
from intercom_nb.log.door import as_damage
from intercom_nb.log.reading import HasStore

__all__ = ["Stored"]

_HEAD = 33  # bytes of a PNG that come before all others: its signature, and how large it is
_WORD = b"intercom_nb"  # before the mark; js/src/saved.js looks for it
_SETTLED_S, _AT_WORK_S = 2.0, 10.0  # between two pictures of a view, at least
_SETTLED_SHARE, _AT_WORK_SHARE = 1 / 5, 1 / 50  # of the time may go into drawing


class Stored:
    """The picture that a notebook has of a view.

    Attributes
    ----------
    mark : str
        Whose picture it is.
    shown : bool
        Whether some notebook has it.
    pushed : bool
        Whether it is renewed by the name of its output, since no page is there to do it.
    stale : bool
        Whether the log has gone on since it was drawn.

    Parameters
    ----------
    part, focus : str
        What is drawn.
    """

    def __init__(self, part: str, focus: str) -> None:
        self.mark = uuid.uuid4().hex
        self.shown = self.pushed = self.stale = False
        self._part = part
        self._focus = focus
        self._drawn = -_AT_WORK_S
        self._cost = 0.0

    @property
    def display_id(self) -> str:
        """The name of its outputs."""
        return f"intercom-{self.mark}"

    def picture(self, source: HasStore | str | Path) -> bytes:
        """Draw it as things are now, and return the bytes of a PNG."""
        self.shown, self.stale = True, False  # first: what comes while it is drawn is not in it
        began = time.thread_time()
        with as_damage(Path(source)) if isinstance(source, str | Path) else nullcontext():
            png = part_png(source, self._part, self._focus)
        self._cost = time.thread_time() - began
        self._drawn = time.monotonic()
        return png if self.pushed else _marked(png, self.mark)

    def is_due(self, *, settled: bool, hidden: bool) -> bool:
        """Return whether it is to be drawn anew: nobody is at work, or nobody looks and the last one is old."""
        if not self.stale or self.pushed or not (settled or hidden):
            return False
        least, share = (_SETTLED_S, _SETTLED_SHARE) if settled else (_AT_WORK_S, _AT_WORK_SHARE)
        return time.monotonic() - self._drawn >= max(least, self._cost / share)


def _marked(png: bytes, mark: str) -> bytes:
    """Return a PNG with a line of text in it that no program shows."""
    text = b"tEXt" + _WORD + b"\0" + mark.encode("ascii")
    line = (len(text) - 4).to_bytes(4, "big") + text + zlib.crc32(text).to_bytes(4, "big")
    return png[:_HEAD] + line + png[_HEAD:]
