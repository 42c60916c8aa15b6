"""One picture of a log, for where nothing can move: who wrote to whom, what was said, and when."""

import io
import textwrap
from collections.abc import Callable
from typing import TYPE_CHECKING

from intercom_nb.analysis.newest import newest_rows
from intercom_nb.analysis.plots.canvas import crowded, dress, label, note
from intercom_nb.analysis.plots.graph import draw_graph
from intercom_nb.analysis.plots.timeline import draw_timeline
from intercom_nb.analysis.rows import LogRows, Post
from intercom_nb.checks import AnyPath
from intercom_nb.log.reading import HasStore

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["MOST", "NEWEST", "draw_transcript", "overview_png", "page_png"]

_WIDTH, _DPI = 12.0, 84  # inches; 1,008 pixels: a notebook's width
NEWEST = 1_000  # messages
MOST = 20  # members: half a page has room for the names of no more
_LINES = 21  # of the transcript
_COLUMNS = 70
_EACH = 3  # lines of one text


def overview_png(source: HasStore | AnyPath) -> bytes:
    """Return a picture of a log, as a PNG: the graph, an excerpt of what was said, and the timeline below them.

    Of more than 20 members it shows those who wrote and heard most, of a long log its newest part, and says so: what
    it costs does not grow with the log.

    Parameters
    ----------
    source : InterComService, str or Path
        A service, also while it runs, or the path of a log.

    Examples
    --------
    >>> overview_png(intercom)[1:4]
    b'PNG'
    """
    state, total = newest_rows(source, NEWEST)
    part = f"the newest {len(state.messages):,} of {total:,} messages" if len(state.messages) < total else ""
    everybody, state = len(state.members), state.busiest(MOST)
    lanes = min(1.5 + 0.3 * len(state.members), 4.5)
    shown = "; ".join(filter(None, (crowded(len(state.members), everybody, at_most=MOST).removeprefix("; "), part)))

    def draw(figure: "Figure") -> None:
        grid = figure.add_gridspec(2, 2, height_ratios=(4.7, lanes), width_ratios=(1, 1.05))
        draw_timeline(state, figure.add_subplot(grid[1, :]))
        draw_transcript(figure.add_subplot(grid[0, 1]), state)
        draw_graph(state, figure.add_subplot(grid[0, 0]))
        if shown:
            figure.suptitle(f"{shown[0].upper()}{shown[1:]}", x=0.01, ha="left", fontsize=11)

    return page_png(4.7 + lanes, draw)


def page_png(height: float, draw: "Callable[[Figure], object]") -> bytes:
    """Return what is drawn on a figure as wide as a notebook and so many inches high, as a PNG."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    # A figure of its own, known to nobody else: no notebook shows it a second time, no other thread draws on it.
    figure = Figure(figsize=(_WIDTH, height), dpi=_DPI, layout=ConstrainedLayoutEngine(w_pad=0.12, h_pad=0.08))
    FigureCanvasAgg(figure)
    draw(figure)
    picture = io.BytesIO()
    figure.savefig(picture, format="png")
    return picture.getvalue()


def draw_transcript(ax: "Axes", state: LogRows) -> None:
    """Write the newest messages, oldest of them first, each one with its first lines."""
    ax.set_axis_off()
    if not state.said:
        note(ax, "Nobody has said anything yet.")
        return
    shown: list[tuple[Post, list[str]]] = []
    used = 0.0
    for message in reversed(state.said):
        lines = _lines(message)
        used += len(lines) + 1.4
        if used > _LINES and shown:
            break
        shown.append((message, lines))
    left = len(state.said) - len(shown)
    ax.set_title(
        f"The newest {len(shown)} of {len(state.said)} messages" if left else "What was said", loc="left", fontsize=11
    )
    row = 0.0
    for message, lines in reversed(shown):
        ax.plot(
            [0.004, 0.004],
            [row + 0.1, row + len(lines) + 0.95],
            color=state.painted[message.sender_id or ""],
            linewidth=3,
        )
        ax.text(0.02, row + 0.5, _heading(message, state), va="center", fontsize=9.5, color="#000000")
        for n, line in enumerate(lines):
            ax.text(0.02, row + n + 1.45, line, va="center", fontsize=9, color="#444444")
        row += len(lines) + 1.4
    ax.set_xlim(0, 1)
    ax.set_ylim(max(row, _LINES * 0.75), 0)
    dress(ax)


def _heading(message: Post, state: LogRows) -> str:
    sender = label(state.names.get(message.sender_id or "", ""), 24)
    if message.chat_id is not None:
        return f"{sender} → group {label(state.chats[message.chat_id], 30)}"
    return f"{sender} → {label(state.names.get(message.receiver_id or '', ''), 30)}"


def _lines(message: Post) -> list[str]:
    flat = " ".join(message.text[: 4 * _COLUMNS * _EACH].split())
    lines = textwrap.wrap(flat, _COLUMNS, max_lines=_EACH, placeholder=" …") or [""]
    return [label(line, _COLUMNS) for line in lines]
