"""The picture of who wrote to whom: members in a circle, an arrow for each pair."""

import math
import textwrap
from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple

from intercom_nb.analysis.plots.canvas import (
    CROWD,
    canvas,
    crowded,
    dress,
    finish,
    label,
    listed,
    most,
    note,
    root_figure,
)
from intercom_nb.analysis.reading import Source, Until
from intercom_nb.analysis.rows import LogRows, read_rows
from intercom_nb.analysis.teams import By

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["draw_graph", "plot_graph"]

_FEW = 12  # members whose names stand upright around the circle; those of more of them point outwards
_NUMBERED = 24  # arrows that carry their number


class _Look(NamedTuple):
    """How many there are decides how large they are drawn; in points."""

    node: float
    font: float
    bend: float
    thickest: float


def plot_graph(source: "Source", *, by: By = "agent", ax: "Axes | None" = None, until: "Until" = None) -> "Axes":
    """Draw who wrote to whom: a dot for each member, an arrow for each pair, the thicker the more deliveries.

    An arrow has its sender's colour. A member who wrote to nobody is a hollow dot. Of more than 40 members, those are
    drawn who wrote and heard most. A team has beside its name how many members it has, and how many deliveries stayed
    inside.

    Parameters
    ----------
    source : Source
        A service, also while it runs, or a log.
    by : {"agent", "team"} or int
        What is a dot, as for `who_to_whom`.
    ax : Axes, optional
        Where to draw. Default: a new figure, 9 inches wide.
    until : int or str, optional
        The log as it was at this place, as for `agents_df`. Default: as it is now.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ValueError
        If `by` is none of these.

    Examples
    --------
    >>> plot_graph(intercom).get_title(loc="left")
    'Founder wrote most: 2 of 3 deliveries; nobody wrote to Network Engineer'
    """
    return draw_graph(read_rows(source, until).grouped(by), ax)


def draw_graph(state: LogRows, ax: "Axes | None") -> "Axes":
    """Draw what `plot_graph` draws, of what has been read."""
    everybody, state = len(state.members), state.busiest(CROWD)
    ids = list(state.members)
    counts = Counter((message.sender_id or "", delivery.receiver_id) for message, delivery in state.pairs())
    few = len(ids) <= _FEW
    drawn = canvas(ax, 3.2 if len(ids) <= 2 else 5.2 if few else 9.0)  # noqa: PLR2004 - one or two need no height
    if not ids:
        return note(drawn, "Nobody has been added yet.")
    title = _title(state, counts) + crowded(len(ids), everybody)
    drawn.set_axis_off()
    finish(drawn, title)  # before the rest: how many lines it takes decides the room that is left
    look = _Look(22.0, 10.0, 0.16, 6.0) if few else _Look(9.0, 8.0, 0.1, 3.0)
    places = _places(drawn, ids, _shown(state, counts), look)
    _arrows(drawn, places, counts, look, state.painted)
    return finish(drawn, title)


def _title(state: LogRows, counts: Counter[tuple[str, str]]) -> str:
    if not counts:
        return "Nobody has written to anybody"
    wrote = {name: sum(n for (sender, _), n in counts.items() if sender == one) for one, name in state.names.items()}
    addressed = {receiver for sender, receiver in counts if sender != receiver}
    alone = {one: name for one, name in state.names.items() if one not in addressed}
    inside = sum(n for (sender, receiver), n in counts.items() if sender == receiver)
    title = most(wrote, "wrote", "deliveries") + (f"; {inside:,} stayed within a team" if inside else "")
    nobody = "nobody else" if any(counts[one, one] for one in alone) else "nobody"
    return title + (f"; {nobody} wrote to {listed(alone.values())}" if alone else "")


def _shown(state: LogRows, counts: Counter[tuple[str, str]]) -> list[str]:
    """Return what stands beside each dot: a name; under a team's, how many are in it and what they wrote inside."""
    shown, few = [], len(state.members) <= _FEW
    for one, name in state.names.items():
        lines = [textwrap.fill(label(name, 34), 18) if few else label(name)]
        if size := state.sizes.get(one):
            inside = f", {counts[one, one]:,} inside" if counts[one, one] else ""
            lines.append(f"{size:,} {'member' if size == 1 else 'members'}{inside}")
        shown.append("\n".join(lines))
    return shown


def _places(ax: "Axes", ids: list[str], shown: list[str], look: _Look) -> dict[str, tuple[float, float]]:
    """Write the names around a circle that leaves room for them, and return where everybody is."""
    turn = 180.0 if len(ids) == 2 else 90.0  # noqa: PLR2004 - two stand side by side
    angles = [turn - 360.0 * place / len(ids) for place in range(len(ids))]
    size = 1.0 if len(ids) > 1 else 0.0
    places = [(size * math.cos(math.radians(a)), size * math.sin(math.radians(a))) for a in angles]
    texts = []
    for text, (x, y), angle in zip(shown, places, angles, strict=True):
        around = _around(x, y, look.node / 2 + 4) if len(ids) <= _FEW else _outwards(angle, look.node / 2 + 4)
        texts.append(ax.annotate(text, (x, y), textcoords="offset points", fontsize=look.font, **around))
    dress(ax)
    figure = root_figure(ax)
    figure.draw_without_rendering()
    room, point = ax.get_window_extent(), figure.dpi / 72
    boxes = [text.get_window_extent() for text in texts]
    margin = (look.node / 2 + 8) * point
    wide, high = (max(box.width for box in boxes) + margin, max(box.height for box in boxes) + margin)
    across, up = max(room.width / 2 - wide, room.width / 8), max(room.height / 2 - high, room.height / 8)
    if len(ids) > _FEW:
        across = up = min(across, up)
    ax.set_xlim(-room.width / 2 / across, room.width / 2 / across)
    ax.set_ylim(-room.height / 2 / up, room.height / 2 / up)
    figure.draw_without_rendering()  # names that were outside are inside now, so the axes has got its final size
    return dict(zip(ids, places, strict=True))


def _around(x: float, y: float, away: float) -> dict[str, Any]:
    """Return where a name stands: above and below at the poles, else beside."""
    if abs(x) < 0.1:  # noqa: PLR2004 - at a pole
        above = y > 0
        return {"xytext": (0, away if above else -away), "ha": "center", "va": "bottom" if above else "top"}
    return {"xytext": (math.copysign(away, x), 0), "ha": "left" if x > 0 else "right", "va": "center"}


def _outwards(angle: float, away: float) -> dict[str, Any]:
    """Return how a name points away from the middle, never upside down."""
    angle %= 360.0
    left = 90.0 < angle < 270.0  # noqa: PLR2004 - degrees
    offset = (away * math.cos(math.radians(angle)), away * math.sin(math.radians(angle)))
    turned = {"rotation": angle - 180.0 if left else angle, "rotation_mode": "anchor"}
    return {"xytext": offset, "ha": "right" if left else "left", "va": "center", **turned}


def _arrows(
    ax: "Axes",
    places: dict[str, tuple[float, float]],
    counts: Counter[tuple[str, str]],
    look: _Look,
    colour: dict[str, str],
) -> None:
    """Draw the arrows, the numbers on them, and the dots above them."""
    from matplotlib.patches import FancyArrowPatch

    between = {pair: n for pair, n in counts.items() if pair[0] != pair[1]}
    top = max(between.values(), default=1)
    for (sender, receiver), count in between.items():
        start, end = places[sender], places[receiver]
        bend = look.bend if len(places) <= _FEW else _inwards(start, end, look.bend)
        width = max(look.thickest * math.sqrt(count / top), 0.4)
        arrow = FancyArrowPatch(
            start, end, connectionstyle=f"arc3,rad={bend}", arrowstyle="-|>", mutation_scale=7 + 1.6 * width,
            shrinkA=look.node / 2, shrinkB=look.node / 2 + 1, linewidth=width, color=colour[sender],
            alpha=0.85 if len(between) <= _NUMBERED else 0.45, zorder=1,
        )  # fmt: skip
        ax.add_patch(arrow)
        if len(between) <= _NUMBERED:
            _number(ax, start, end, count, look)
    silent = set(places) - {sender for sender, _ in counts}
    for one, (x, y) in places.items():
        fill = "#ffffff" if one in silent else colour[one]
        ax.plot(x, y, "o", ms=look.node + 3, color="#777777", zorder=3)
        ax.plot(x, y, "o", ms=look.node, mfc=fill, mec=colour[one], mew=2, zorder=3)


def _inwards(start: tuple[float, float], end: tuple[float, float], bend: float) -> float:
    """Return a bend towards the middle of the circle; another one for the way back, so that both can be seen."""
    turn = start[0] * end[1] - start[1] * end[0]
    return math.copysign(2 * bend if turn > 0 else 3.2 * bend, -turn)


def _number(ax: "Axes", start: tuple[float, float], end: tuple[float, float], count: int, look: _Look) -> None:
    # The middle of the arc, in pixels: halfway between the chord's middle and the arc's control point.
    (x0, y0), (x1, y1) = ax.transData.transform(start), ax.transData.transform(end)
    middle = (
        (x0 + x1) / 2 + look.bend / 2 * (y1 - y0),
        (y0 + y1) / 2 - look.bend / 2 * (x1 - x0),
    )
    x, y = ax.transData.inverted().transform(middle)
    box = {"boxstyle": "round,pad=0.15", "facecolor": "#ffffff", "edgecolor": "none", "alpha": 0.85}
    ax.text(x, y, f"{count:,}", ha="center", va="center", fontsize=9, bbox=box, zorder=2)
