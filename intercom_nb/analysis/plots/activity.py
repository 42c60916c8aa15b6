"""Pictures of a log: who wrote to whom, when, and what it cost. Each returns its axes, to be drawn on further."""

import math
from typing import TYPE_CHECKING, Any

from intercom_nb.analysis.activity import activity_of, length_us
from intercom_nb.analysis.colours import colours
from intercom_nb.analysis.plots.canvas import GREY, canvas, finish, label, most, note
from intercom_nb.analysis.reading import Source, Until
from intercom_nb.analysis.rows import read_rows

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

__all__ = ["plot_activity", "time_unit"]

_MANY = 20  # members; with more of them, zeros and names are drawn smaller or not at all
_IN_LEGEND = 10
_BARS, _FEWEST_BARS = 40, 8
_CLOCK_S = (10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 900.0, 1800.0, 3600.0, 7200.0, 10_800.0, 21_600.0, 43_200.0)


def plot_activity(
    source: "Source", *, window: str | None = None, ax: "Axes | None" = None, until: "Until" = None
) -> "Axes":
    """Draw how many messages were sent over time, in bars, a colour for each sender.

    Parameters
    ----------
    source : Source
        A service, also while it runs, or a log.
    window : str, optional
        Length of time for each bar, as for `activity`. Default: a round one that makes forty bars at most.
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
        If `window` is no length of time, or much too short for this log.

    Examples
    --------
    >>> plot_activity(intercom).figure is not None
    True
    """
    from matplotlib.ticker import MaxNLocator

    if window is not None:
        length_us(window)
    state = read_rows(source, until)
    drawn = canvas(ax, 3.6)
    if not state.said:
        return note(drawn, "Nobody has said anything yet.")
    times = [message.created_at for message in state.said if message.created_at is not None]
    if not times:
        return note(drawn, "This log does not say when anything was said.")
    length_s = _round_window((max(times) - min(times)) / 1e6)
    frame = activity_of(state, window or f"{round(length_s * 1e6)}us")
    if len(frame) > 1:
        length_s = (frame.index[1] - frame.index[0]).total_seconds()
    unit, factor = time_unit(length_s * len(frame))
    _stack(drawn, frame, length_s / factor, colours(list(state.names.values())))
    drawn.set_xlabel(f"{unit} since the first message")
    drawn.set_ylabel(f"messages per {_length(length_s)}")
    drawn.yaxis.set_major_locator(MaxNLocator(integer=True))
    drawn.spines[["top", "right"]].set_visible(False)
    return finish(drawn, f"{most(_by_name(frame.sum()), 'spoke', 'messages')}; {_busiest(frame, length_s)}")


def _by_name(values: "pd.Series[Any]") -> dict[str, float]:
    return {str(name): value for name, value in values.items()}


def _busiest(frame: "pd.DataFrame", length_s: float) -> str:
    per_window = frame.sum(axis="columns")
    if len(frame) == 1:
        return f"all within {_length(length_s)}"
    after = int(per_window.to_numpy().argmax()) * length_s
    when = "at the beginning" if after == 0 else f"{_length(after)} after the first message"
    return f"busiest {when}, {per_window.max():,} in {_length(length_s)}"


def _stack(ax: "Axes", frame: "pd.DataFrame", width: float, colour: dict[str, str]) -> None:
    """Draw a bar for each window, and the legend of those who spoke most."""
    totals = frame.sum().sort_values(ascending=False, kind="stable")
    spoke = [name for name in totals.index if totals[name]]
    named = spoke if len(spoke) <= _IN_LEGEND else spoke[: _IN_LEGEND - 1]
    parts = [(label(name, 24), colour[name], frame[name].to_numpy()) for name in frame.columns if name in named]
    if rest := spoke[len(named) :]:
        parts.append((f"{len(rest)} others", GREY, frame[rest].sum(axis="columns").to_numpy()))
    left = [place * width for place in range(len(frame))]
    height = 0 * frame.sum(axis="columns").to_numpy()
    handles = []
    for _, painted, values in parts:
        handles.append(
            ax.bar(left, values, width, height, align="edge", color=painted, edgecolor="#ffffff", linewidth=0.6)
        )
        height = height + values
    # A label that begins with an underscore would be left out.
    names = [f" {text}" if text.startswith("_") else text for text, _, _ in parts]
    ax.legend(handles, names, loc="upper left", bbox_to_anchor=(1.01, 1.02), frameon=False, fontsize=9)
    ax.set_xlim(0, width * max(len(frame), _FEWEST_BARS))
    ax.set_ylim(0, max(height) * 1.08)


def _round_window(span_s: float) -> float:
    """Return a round length, in seconds, of which the span has forty at most."""
    if span_s <= 0:
        return 1.0
    least = max(span_s / _BARS, 1e-3)
    if least <= _CLOCK_S[0]:
        decimal = 10.0 ** math.floor(math.log10(least))
        return next(decimal * n for n in (1, 2, 5, 10) if decimal * n >= least)
    return next((length for length in _CLOCK_S if length >= least), 86_400.0 * math.ceil(least / 86_400.0))


def time_unit(span_s: float) -> tuple[str, float]:
    """Return the unit for a span, and how many seconds it has."""
    units = [("milliseconds", 1e-3, 1.0), ("seconds", 1.0, 180.0), ("minutes", 60.0, 10_800.0)]
    units += [("hours", 3600.0, 259_200.0), ("days", 86_400.0, math.inf)]
    return next((name, factor) for name, factor, longest in units if span_s < longest)


def _length(seconds: float) -> str:
    """Return a length of time in words.

    Examples
    --------
    >>> _length(0.25), _length(90), _length(14_400)
    ('250 ms', '90 s', '4 h')
    """
    unit, factor = time_unit(seconds)
    short = {"milliseconds": "ms", "seconds": "s", "minutes": "min", "hours": "h", "days": "days"}[unit]
    return f"{seconds / factor:.3g} {short}"
