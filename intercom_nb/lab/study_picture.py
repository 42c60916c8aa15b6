"""The picture of a study: what its runs say of each condition."""

from collections.abc import Sequence
from typing import Any

from intercom_nb.checks import wrong_type

__all__ = ["draw_study"]

_WIDE, _ROW, _HEAD = 3.3, 0.42, 1.1  # inches: of a panel, of a condition, and of what stands around them


def draw_study(summary: Any, factors: Sequence[str], ax: Any) -> Any:
    """Draw a point and its interval for each condition, one panel an outcome.

    Parameters
    ----------
    summary : DataFrame
        As `Study.summary` returns it.
    factors : sequence of str
        The columns that name a condition.
    ax : Axes, sequence of Axes, or None
        One for each outcome; None for a new figure.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    TypeError
        If there are fewer axes than outcomes.
    """
    import matplotlib.pyplot as plt
    from matplotlib.axes import Axes

    names = list(dict.fromkeys(summary.outcome))
    panels = max(len(names), 1)
    if ax is None:
        rows = max(len(summary) // panels, 1)
        size = (0.9 + _WIDE * panels, _HEAD + _ROW * rows)
        figure, axes = plt.subplots(1, panels, squeeze=False, figsize=size, sharey=True, layout="constrained")
        drawn = list(axes[0])
        plt.close(figure)  # it is shown where it is returned, once
    else:
        drawn = list(getattr(ax, "flat", ax)) if isinstance(ax, Sequence) or hasattr(ax, "flat") else [ax]
        if len(drawn) < panels or not all(isinstance(one, Axes) for one in drawn):
            raise wrong_type("ax", ax, f"one Axes for each outcome: {len(names)} of them")
        figure = drawn[0].figure
    for one, name in zip(drawn, names, strict=False):
        _panel(one, summary[summary.outcome == name], factors, name)
    if not names:
        drawn[0].set_axis_off()
        drawn[0].text(0.5, 0.5, "This study asks for no outcome.", ha="center", va="center")
    return figure


def _panel(axes: Any, rows: Any, factors: Sequence[str], name: str) -> None:
    places = list(range(len(rows)))[::-1]
    labels = [", ".join(str(row[factor]) for factor in factors) or "all" for _, row in rows.iterrows()]
    axes.hlines(places, rows.low, rows.high, lw=2, color="C0", alpha=0.6)
    axes.plot(rows.value, places, "o", color="C0")
    axes.set_yticks(places, labels)
    axes.set_ylim(-0.6, len(rows) - 0.4)
    axes.set_title(name, fontsize="medium")
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="x", alpha=0.25)
    if (rows.kind == "share").all():
        axes.set_xlim(-0.02, 1.02)
        axes.set_xlabel("share of runs")
    else:
        axes.set_xlabel("mean over runs")
