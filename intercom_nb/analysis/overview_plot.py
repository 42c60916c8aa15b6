"""One picture of a whole log, for where nothing can move: who wrote to whom, what was said, and when."""

import io
import textwrap
from dataclasses import replace
from typing import TYPE_CHECKING

from intercom_nb.analysis.canvas import dress, label, note
from intercom_nb.analysis.colours import colours
from intercom_nb.analysis.frames import read_frames
from intercom_nb.analysis.network_plot import plot_graph
from intercom_nb.analysis.reading import Source
from intercom_nb.analysis.state import Post, State, read_state
from intercom_nb.analysis.tables import Frames
from intercom_nb.analysis.timeline_plot import plot_timeline

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["overview_png"]

_WIDTH, _DPI = 12.0, 84  # inches; 1,008 pixels: a notebook's width
_MOST = 40  # members: of more, neither dots nor lanes could be told apart
_LINES = 21  # of the transcript
_COLUMNS = 70
_EACH = 3  # lines of one text


def overview_png(source: Source) -> bytes:
    """Return a picture of a log, as a PNG: the graph, an excerpt of what was said, and the timeline below them.

    Of more than 40 members it shows the 40 who wrote and heard most, and says so.

    Parameters
    ----------
    source : Source
        A service, also while it runs, or a log.

    Examples
    --------
    >>> overview_png(intercom)[1:4]
    b'PNG'
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    frames = read_frames(source)
    everybody = len(frames.agents.agent_id.unique())
    source = _busiest(frames) if everybody > _MOST else frames
    state = read_state(source)
    lanes = min(1.5 + 0.3 * len(state.members), 4.5)
    # A figure of its own, known to nobody else: no notebook shows it a second time, no other thread draws on it.
    figure = Figure(figsize=(_WIDTH, 4.7 + lanes), dpi=_DPI, layout=ConstrainedLayoutEngine(w_pad=0.12, h_pad=0.08))
    FigureCanvasAgg(figure)
    grid = figure.add_gridspec(2, 2, height_ratios=(4.7, lanes), width_ratios=(1, 1.05))
    plot_timeline(source, ax=figure.add_subplot(grid[1, :]))
    _transcript(figure.add_subplot(grid[0, 1]), state)
    plot_graph(source, ax=figure.add_subplot(grid[0, 0]))
    if everybody > _MOST:
        figure.suptitle(f"The {_MOST} of {everybody:,} who wrote and heard most", x=0.01, ha="left", fontsize=11)
    picture = io.BytesIO()
    figure.savefig(picture, format="png")
    return picture.getvalue()


def _busiest(frames: Frames) -> Frames:
    """Return the part of a log that is about the members who wrote and heard most."""
    said = frames.deliveries.dropna(subset=["sender_id"])
    counts = said.sender_id.value_counts().add(said.receiver_id.value_counts(), fill_value=0)
    ids = frames.agents.agent_id.drop_duplicates()
    busy = set(ids.loc[ids.map(counts).fillna(0).sort_values(ascending=False, kind="stable").index[:_MOST]])
    heard = frames.deliveries[frames.deliveries.receiver_id.isin(busy) & frames.deliveries.sender_id.isin(busy)]
    return replace(
        frames,
        agents=frames.agents[frames.agents.agent_id.isin(busy)],
        messages=frames.messages[frames.messages.seq.isin(heard.seq)],
        deliveries=heard,
        runs=frames.runs[frames.runs.agent_id.isin(busy)],
        steps=frames.steps[frames.steps.agent_id.isin(busy)],
    )


def _transcript(ax: "Axes", state: State) -> None:
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
    painted = dict(zip(state.members, colours(state.names.values()).values(), strict=True))
    row = 0.0
    for message, lines in reversed(shown):
        ax.plot(
            [0.004, 0.004], [row + 0.1, row + len(lines) + 0.95], color=painted[message.sender_id or ""], linewidth=3
        )
        ax.text(0.02, row + 0.5, _heading(message, state), va="center", fontsize=9.5, color="#000000")
        for n, line in enumerate(lines):
            ax.text(0.02, row + n + 1.45, line, va="center", fontsize=9, color="#444444")
        row += len(lines) + 1.4
    ax.set_xlim(0, 1)
    ax.set_ylim(max(row, _LINES * 0.75), 0)
    dress(ax)


def _heading(message: Post, state: State) -> str:
    sender = label(state.names.get(message.sender_id or "", ""), 24)
    if message.chat_id is not None:
        return f"{sender} → group {label(state.chats[message.chat_id], 30)}"
    return f"{sender} → {label(state.names.get(message.receiver_id or '', ''), 30)}"


def _lines(message: Post) -> list[str]:
    flat = " ".join(message.text[: 4 * _COLUMNS * _EACH].split())
    lines = textwrap.wrap(flat, _COLUMNS, max_lines=_EACH, placeholder=" …") or [""]
    return [label(line, _COLUMNS) for line in lines]
