"""A picture of one part of a log, small enough to be stored with a notebook: a view where nothing can move."""

import io
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from intercom_nb.analysis.newest import newest_rows
from intercom_nb.analysis.plots.canvas import dress, label, note
from intercom_nb.analysis.plots.graph import draw_graph
from intercom_nb.analysis.plots.overview import MOST, NEWEST, draw_transcript, overview_png, page_png
from intercom_nb.analysis.plots.timeline import draw_timeline
from intercom_nb.analysis.rows import LogRows
from intercom_nb.log.reading import HasStore

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["part_png"]

_BYTES = 44_000  # 59 kB as text, which is how a notebook stores it
_COLOURS = (64, 32, 16)
_SMALLER = 0.8


def part_png(source: HasStore | str | Path, part: str, focus: str = "") -> bytes:
    """Return a picture of one part of a log as a PNG of 44 kB at most.

    Parameters
    ----------
    source : InterComService, str or Path
        A service, also while it runs, or the path of a log.
    part : str
        ``transcript``, ``graph``, ``agents`` or ``timeline``; all of them for anything else.
    focus : str, optional
        The id of the member or chat that it is limited to.

    Examples
    --------
    >>> part_png(intercom, "transcript")[1:4]
    b'PNG'
    """
    if part not in _PARTS:
        return _small(overview_png(source))
    newest = newest_rows(source, NEWEST).rows
    state = _limited(newest, focus) if focus else newest.busiest(MOST)
    height, draw = _PARTS[part]
    return _small(page_png(height(state), lambda figure: draw(state, figure.add_subplot())))


def _limited(state: LogRows, focus: str) -> LogRows:
    """Return what a view of one member or chat shows: its messages, and of members that one."""
    heard = {delivery.seq for delivery in state.deliveries if delivery.receiver_id == focus}
    kept = [one for one in state.messages if focus in (one.sender_id, one.chat_id, one.receiver_id) or one.seq in heard]
    members = {focus: state.members[focus]} if focus in state.members else state.members
    return replace(state, messages=kept, members=members)


def _small(png: bytes) -> bytes:
    """Return the picture with so few colours, and so small, that it takes no more than its bytes."""
    from PIL import Image

    whole = Image.open(io.BytesIO(png)).convert("RGB")
    while True:
        for colours in _COLOURS:
            small = io.BytesIO()
            whole.quantize(colours, dither=Image.Dither.NONE).save(small, format="png", optimize=True)
            if small.tell() <= _BYTES:
                return small.getvalue()
        whole = whole.resize((int(whole.width * _SMALLER), int(whole.height * _SMALLER)))


def _draw_agents(state: LogRows, ax: "Axes") -> None:
    """Write a line for each member: what it has said, heard and used."""
    ax.set_axis_off()
    if not state.members:
        note(ax, "Nobody has been added yet.")
        return
    sent = Counter(message.sender_id for message in state.messages)
    received = Counter(delivery.receiver_id for delivery in state.deliveries)
    runs = Counter(run.agent_id for run in state.runs)
    tokens: Counter[str] = Counter()
    for step in state.steps:
        tokens[step.agent_id] += step.tokens
    columns = (0.32, 0.46, 0.6, 0.74, 0.94)
    for x, head in zip(columns, ("kind", "sent", "received", "runs", "tokens"), strict=True):
        ax.text(x, 0.5, head, va="center", ha="right", fontsize=9, color="#666666")
    for row, (member_id, member) in enumerate(state.members.items(), 1):
        ax.plot([0.012], [row + 0.5], marker="o", markersize=9, color=state.painted[member_id])
        ax.text(0.03, row + 0.5, label(member.name, 30), va="center", fontsize=10.5, color="#000000")
        told = (member.kind, sent[member_id], received[member_id], runs[member_id], tokens[member_id])
        for x, amount in zip(columns, told, strict=True):
            shown = amount if isinstance(amount, str) else f"{amount:,}"
            ax.text(x, row + 0.5, shown, va="center", ha="right", fontsize=10, color="#444444")
    ax.set_xlim(0, 1)
    ax.set_ylim(len(state.members) + 1, 0)
    dress(ax)


_PARTS: Mapping[str, tuple[Callable[[LogRows], float], Callable[[LogRows, Any], Any]]] = MappingProxyType(
    {
        "transcript": (lambda _: 4.7, lambda state, ax: draw_transcript(ax, state)),
        "graph": (lambda _: 4.7, draw_graph),
        "timeline": (lambda state: min(1.5 + 0.3 * len(state.members), 4.5), draw_timeline),
        "agents": (lambda state: 0.6 + 0.3 * (len(state.members) + 1), _draw_agents),
    }
)
