"""The picture of what happened when: a lane for each member."""

from typing import TYPE_CHECKING

from intercom_nb.analysis.plots.activity import time_unit
from intercom_nb.analysis.plots.canvas import CROWD, canvas, crowded, finish, label, most, note, root_figure
from intercom_nb.analysis.reading import Source, Until
from intercom_nb.analysis.rows import Delivery, LogRows, Post, read_rows

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["draw_timeline", "plot_timeline"]

_THINK, _WAIT = (-0.34, 0.62), (0.3, 0.12)  # where a bar begins and how high it is, in lanes
_WAITING = "#9a9a9a"
_JOINED = 150  # deliveries; of more of them, lines from sender to receiver would hide the lanes
_MANY = 20

_Spans = dict[str, list[tuple[float, float]]]


def plot_timeline(source: "Source", *, ax: "Axes | None" = None, until: "Until" = None) -> "Axes":
    """Draw what happened when, a lane for each member, from top to bottom in the order they were added.

    Broad bars in the member's colour are model calls (thinking). A dot is a message sent, a thin line leads from it to
    the lanes of its receivers. A thin grey bar is mail waiting to be read: from its acceptance until the run that
    consumed it began; to the end of the picture while it is pending. Of more than 40 members, those are drawn who wrote
    and heard most.

    Parameters
    ----------
    source : Source
        A service, also while it runs, or a log.
    ax : Axes, optional
        Where to draw. Default: a new figure, 9 inches wide.
    until : int or str, optional
        The log as it was at this place, as for `agents_df`. Default: as it is now.

    Returns
    -------
    matplotlib.axes.Axes

    Notes
    -----
    Mail that joined a run under way (``mail="asap"``) is drawn without waiting: the log does not say when it joined.

    Examples
    --------
    >>> plot_timeline(intercom).figure is not None
    True
    """
    return draw_timeline(read_rows(source, until), ax)


def draw_timeline(state: LogRows, ax: "Axes | None") -> "Axes":
    """Draw what `plot_timeline` draws, of what has been read."""
    everybody, state = len(state.members), state.busiest(CROWD)
    many = len(state.members) > _MANY
    drawn = canvas(ax, min(2.0 + (0.17 if many else 0.42) * len(state.members), 13.0))
    if not state.members:
        return note(drawn, "Nobody has been added yet.")
    times = [m.created_at for m in state.messages if m.created_at is not None] + [s.created_at for s in state.steps]
    if not times:
        return note(drawn, "This log does not say when." if state.is_text else "Nothing has happened yet.")
    thinking = _thinking(state)
    begin = min([*times, *(start for spans in thinking.values() for start, _ in spans)])
    end = max([*times, *(run.ended_at or 0 for run in state.runs)])
    unit, factor = time_unit(max(end - begin, 1000) / 1e6)
    _lanes(drawn, state, thinking, scale=(begin, max(end, begin + 1000), factor * 1e6))
    drawn.set_yticks(
        range(len(state.members)), [label(name) for name in state.names.values()], fontsize=7 if many else 9
    )
    drawn.set_ylim(len(state.members) - 0.3, -0.6)
    drawn.set_xlabel(f"{unit} since the beginning")
    drawn.spines[["top", "right", "left"]].set_visible(False)
    drawn.tick_params(axis="y", length=0)
    _legend(drawn)
    return finish(drawn, _title(state, thinking) + crowded(len(state.members), everybody))


def _thinking(state: LogRows) -> _Spans:
    """Return when each agent's model was at work, in microseconds."""
    spans: _Spans = {agent_id: [] for agent_id in state.members}
    for step in state.steps:
        if step.latency_s is not None:
            spans[step.agent_id].append((step.created_at - step.latency_s * 1e6, step.created_at))
    return spans


def _waiting(state: LogRows, end: float) -> _Spans:
    """Return when mail lay unread, in microseconds."""
    began = {run.run_id: run.began_at for run in state.runs}
    spans: _Spans = {agent_id: [] for agent_id in state.members}
    posts = {message.seq: message for message in state.messages}
    for delivery in state.deliveries:
        accepted = posts[delivery.seq].created_at
        read = end if delivery.state == "pending" else began.get(delivery.run_id or "")
        if accepted is not None and read is not None and read > accepted:
            spans[delivery.receiver_id].append((accepted, read))
    return spans


def _lanes(ax: "Axes", state: LogRows, thinking: _Spans, *, scale: tuple[float, float, float]) -> None:
    begin, end, unit = scale
    waiting, lanes = _waiting(state, end), {agent_id: lane for lane, agent_id in enumerate(state.members)}
    for agent_id, lane in lanes.items():
        ax.axhline(lane, color="#e6e6e6", linewidth=0.8, zorder=0)
        for spans, (top, high), colour in (
            (waiting[agent_id], _WAIT, _WAITING),
            (thinking[agent_id], _THINK, state.painted[agent_id]),
        ):
            bars = [((start - begin) / unit, (stop - start) / unit) for start, stop in spans]
            ax.broken_barh(bars, (lane + top, high), facecolors=colour, zorder=2, linewidth=0)
    pairs = state.pairs()
    if len(pairs) <= _JOINED:
        _join(ax, pairs, lanes, scale)
    size = 6.5 if len(lanes) <= _MANY else 3.5
    for agent_id, lane in lanes.items():
        sent = [m.created_at for m in state.said if m.sender_id == agent_id and m.created_at is not None]
        if sent:
            x = [(time - begin) / unit for time in sent]
            ax.plot(x, [lane] * len(x), "o", ms=size, mfc="#ffffff", mec="#000000", mew=1.2, zorder=4, clip_on=False)
    ax.set_xlim(-0.008 * (end - begin) / unit, 1.008 * (end - begin) / unit)


def _join(
    ax: "Axes", pairs: list[tuple[Post, Delivery]], lanes: dict[str, int], scale: tuple[float, float, float]
) -> None:
    begin, _, unit = scale
    for message, delivery in pairs:
        if message.created_at is not None:
            x = (message.created_at - begin) / unit
            ends = lanes[message.sender_id or ""], lanes[delivery.receiver_id]
            ax.plot([x, x], ends, color="#555555", linewidth=0.9, zorder=3)
            ax.plot(x, ends[1], "_", ms=7, color="#555555", zorder=3)


def _legend(ax: "Axes") -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    handles = [
        Patch(facecolor="#666666", label="thinking (in its colour)"),
        Line2D([], [], marker="o", linestyle="", mfc="#ffffff", mec="#000000", label="sending"),
        Line2D([], [], color=_WAITING, linewidth=3, label="mail waiting to be read"),
    ]
    height = ax.get_window_extent().height / root_figure(ax).dpi
    below = -0.5 / max(height, 1.0)
    ax.legend(handles=handles, loc="upper right", bbox_to_anchor=(1.0, below), ncols=3, frameon=False, fontsize=9)


def _title(state: LogRows, thinking: _Spans) -> str:
    thought = {name: sum(b - a for a, b in thinking[one]) / 1e6 for one, name in state.names.items()}
    pending = sum(delivery.state == "pending" for delivery in state.deliveries)
    waits = f"; {pending} still waiting to be read" if pending else ""
    if not any(thought.values()):
        return "Nobody has thought yet" + waits
    return most(thought, "thought", "", amount="{:,.3g} s") + waits
