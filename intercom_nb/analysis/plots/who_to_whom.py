"""The picture of who writes to whom: a matrix of counts."""

from collections import Counter
from typing import TYPE_CHECKING, Any

from intercom_nb.analysis.plots.activity import _MANY
from intercom_nb.analysis.plots.canvas import CROWD, canvas, crowded, finish, label, most, note
from intercom_nb.analysis.reading import Source, Until
from intercom_nb.analysis.rows import read_rows
from intercom_nb.analysis.teams import By

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["plot_who_to_whom"]


def plot_who_to_whom(source: "Source", *, by: By = "agent", ax: "Axes | None" = None, until: "Until" = None) -> "Axes":
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
    >>> plot_who_to_whom(intercom).figure is not None
    True
    """
    state = read_rows(source, until).grouped(by)
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
