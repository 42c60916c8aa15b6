"""The picture of what each agent cost."""

import math
from typing import TYPE_CHECKING, Any

from intercom_nb.analysis.colours import colours
from intercom_nb.analysis.plots.activity import _MANY, _by_name
from intercom_nb.analysis.plots.canvas import CROWD, canvas, crowded, finish, label, most, note
from intercom_nb.analysis.reading import Source, Until
from intercom_nb.analysis.rows import read_rows
from intercom_nb.analysis.spending import cost_of

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

__all__ = ["plot_cost"]


def plot_cost(source: "Source", *, ax: "Axes | None" = None, until: "Until" = None) -> "Axes":
    """Draw what each agent cost: a bar of input and output tokens, and US dollars beside it.

    Of more than 40 agents, those are drawn who spent most.

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

    Examples
    --------
    >>> plot_cost(intercom).figure is not None
    True
    """
    state = read_rows(source, until)
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
