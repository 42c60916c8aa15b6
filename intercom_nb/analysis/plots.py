"""Pictures of a log: who wrote to whom, when, and what it cost. Each returns its axes, to be drawn on further."""

import math
from collections import Counter
from typing import TYPE_CHECKING, Any

from intercom_nb.analysis.canvas import CROWD, GREY, canvas, crowded, finish, label, most, note
from intercom_nb.analysis.colours import colours
from intercom_nb.analysis.over_time import activity_of
from intercom_nb.analysis.reading import Source
from intercom_nb.analysis.spending import cost_of
from intercom_nb.analysis.state import read_state
from intercom_nb.analysis.teams import By

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

__all__ = ["plot_activity", "plot_cost", "plot_who_to_whom", "time_unit"]

_MANY = 20  # members; with more of them, zeros and names are drawn smaller or not at all
_IN_LEGEND = 10
_BARS, _FEWEST_BARS = 40, 8
_CLOCK_S = (10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 900.0, 1800.0, 3600.0, 7200.0, 10_800.0, 21_600.0, 43_200.0)


def plot_who_to_whom(source: Source, *, by: By = "agent", ax: "Axes | None" = None) -> "Axes":
    """Draw who wrote to whom as a heat map: a row for each sender, a column for each receiver, deliveries in numbers.

    Of more than 40 members, those are drawn who wrote and heard most.

    Parameters
    ----------
    source : Source
        A service, also while it runs, or a log.
    by : {"agent", "team"} or int
        What is a row, as for `who_to_whom`; a team has behind its name how many members it has.
    ax : Axes, optional
        Where to draw. Default: a new figure, 9 inches wide.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ValueError
        If `by` is none of these.

    Examples
    --------
    >>> plot_who_to_whom(intercom).figure is not None
    True
    """
    state = read_state(source).grouped(by)
    everybody, state = len(state.members), state.busiest(CROWD)
    names, order = list(state.names.values()), {agent_id: place for place, agent_id in enumerate(state.members)}
    drawn = canvas(ax, min(2.2 + 0.42 * len(names), 9.5))
    if not names:
        return note(drawn, "Nobody has been added yet.")
    counts = Counter((order[message.sender_id or ""], order[d.receiver_id]) for message, d in state.pairs())
    alone = {(place, place) for one, place in order.items() if one not in state.sizes}
    _heat(drawn, [[counts[row, column] for column in order.values()] for row in order.values()], alone)
    size = 9 if len(names) <= _MANY else 7
    shown = [label(n) + (f" ({state.sizes[one]:,})" if one in state.sizes else "") for one, n in state.names.items()]
    drawn.set_yticks(range(len(names)), shown, fontsize=size)
    upright = len(names) > 4 or max(map(len, shown)) * len(names) > 85  # noqa: PLR2004 - what fits side by side
    turned: dict[str, Any] = {"rotation": 90 if len(names) > _MANY else 40, "ha": "right", "rotation_mode": "anchor"}
    if len(names) > _MANY:
        turned["va"] = "center"
    drawn.set_xticks(range(len(names)), shown, fontsize=size, **(turned if upright else {}))
    of_teams = " (members)" if state.sizes else ""
    drawn.set_xlabel(f"receiver{of_teams}")
    drawn.set_ylabel(f"sender{of_teams}")
    drawn.tick_params(length=0)
    wrote = {name: sum(counts[row, column] for column in order.values()) for row, name in enumerate(names)}
    title = most(wrote, "wrote", "deliveries") if counts else "Nobody has written to anybody"
    return finish(drawn, title + crowded(len(names), everybody))


def _heat(ax: "Axes", counts: list[list[int]], alone: set[tuple[int, int]]) -> None:
    """Draw the cells and their numbers; no zero where a member meets itself: nobody writes to oneself."""
    top = max(map(max, counts))
    ax.imshow(counts, cmap="Blues", vmin=0, vmax=max(top, 1) * 1.15, aspect="auto")
    size = 9 if len(counts) <= _MANY else max(4.5, 190 / len(counts) ** 0.9)
    for row, line in enumerate(counts):
        for column, count in enumerate(line):
            text = f"{count:,}" if count else "0" if len(counts) <= _MANY and (row, column) not in alone else ""
            colour = "#ffffff" if count > top * 0.6 else "#000000" if count else "#9e9e9e"
            if text:
                ax.text(column, row, text, ha="center", va="center", fontsize=size, color=colour)
    ax.set_xticks([place - 0.5 for place in range(len(counts) + 1)], minor=True)
    ax.set_yticks([place - 0.5 for place in range(len(counts) + 1)], minor=True)
    ax.grid(which="minor", color="#ffffff", linewidth=1.5 if len(counts) <= _MANY else 0.5)
    ax.tick_params(which="minor", length=0)
    ax.spines[:].set_visible(False)


def plot_activity(source: Source, *, window: str | None = None, ax: "Axes | None" = None) -> "Axes":
    """Draw how many messages were sent over time, in bars, a colour for each sender.

    Parameters
    ----------
    source : Source
        A service, also while it runs, or a log.
    window : str, optional
        Length of time for each bar, as for `activity`. Default: a round one that makes forty bars at most.
    ax : Axes, optional
        Where to draw. Default: a new figure, 9 inches wide.

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

    state = read_state(source)
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


def plot_cost(source: Source, *, ax: "Axes | None" = None) -> "Axes":
    """Draw what each agent cost: a bar of input and output tokens, and US dollars beside it.

    Of more than 40 agents, those are drawn who spent most.

    Parameters
    ----------
    source : Source
        A service, also while it runs, or a log.
    ax : Axes, optional
        Where to draw. Default: a new figure, 9 inches wide.

    Returns
    -------
    matplotlib.axes.Axes

    Examples
    --------
    >>> plot_cost(intercom).figure is not None
    True
    """
    state = read_state(source)
    frame = cost_of(state)
    agents, total = frame.iloc[:-1], frame.iloc[-1]
    shown = agents if len(agents) <= CROWD else _dearest(agents)
    drawn = canvas(ax, min(max(1.7 + 0.36 * len(shown), 2.4), 11.0))
    if agents.empty:
        return note(drawn, "Nobody has been added yet.")
    if state.is_text:
        return note(drawn, "This log does not say what was spent.")
    if not total.steps:
        return note(drawn, "No model has been called yet, so nothing was spent.")
    _bars(drawn, shown, colours(state.names.values()))
    tokens = _by_name(agents.input_tokens + agents.output_tokens)
    title = most(tokens, "spent", "tokens") if any(tokens.values()) else "No tokens were counted"
    whom = crowded(len(shown), len(agents), most="spent most", some="spent anything")
    return finish(drawn, f"{title}; {_money(total.usd)} in all{whom}")


def _dearest(agents: "pd.DataFrame") -> "pd.DataFrame":
    """Return the agents of a crowd that spent most, in their order; if nothing was counted, the first ones."""
    tokens = agents.input_tokens + agents.output_tokens
    spent = tokens[tokens > 0].nlargest(CROWD)
    return agents[agents.index.isin(spent.index)] if len(spent) else agents.head(CROWD)


def _bars(ax: "Axes", agents: "pd.DataFrame", colour: dict[str, str]) -> None:
    """Draw a bar for each agent: input that was cached, other input, output."""
    from matplotlib.patches import Patch

    size = 9 if len(agents) <= _MANY else 7
    paint = [colour[name] for name in agents.index]
    edge: dict[str, Any] = {"edgecolor": "#333333", "linewidth": 0.5}
    cached = agents.cached_tokens.to_numpy()
    fresh, output = agents.input_tokens.to_numpy() - cached, agents.output_tokens.to_numpy()
    places = range(len(agents))
    ax.barh(places, cached, color=paint, alpha=0.35, **edge)
    ax.barh(places, fresh, left=cached, color=paint, **edge)
    ax.barh(places, output, left=cached + fresh, color="#ffffff", hatch="////", **edge)
    for place, (tokens, usd) in enumerate(zip(cached + fresh + output, agents.usd, strict=True)):
        ax.annotate(
            f"{tokens:,} · {_money(usd)}" if tokens or usd else "0",
            (tokens, place), xytext=(4, 0), textcoords="offset points", va="center", fontsize=size,
        )  # fmt: skip
    ax.set_yticks(places, [label(name) for name in agents.index], fontsize=size)
    ax.set_ylim(len(agents) - 0.4, -0.6)
    ax.set_xlim(0, max(*(cached + fresh + output), 1) * 1.25)
    ax.xaxis.set_major_formatter("{x:,.0f}")
    ax.set_xlabel("tokens")
    ax.spines[["top", "right"]].set_visible(False)
    ax.tick_params(axis="y", length=0)
    looks: list[tuple[str, dict[str, Any]]] = [
        ("input, cached", {"alpha": 0.35}),
        ("input", {}),
        ("output", {"hatch": "////"}),
    ]
    patches = [
        Patch(**edge, label=text, facecolor="#ffffff" if "hatch" in look else "#555555", **look)
        for text, look in (looks if cached.any() else looks[1:])
    ]
    ax.legend(handles=patches, loc="lower right", frameon=False, fontsize=9)


def _money(usd: float) -> str:
    if math.isnan(usd):
        return "price unknown"
    return r"\$0" if usd == 0 else rf"\${usd:,.2f}" if usd >= 1 else rf"\${usd:.2g}"
