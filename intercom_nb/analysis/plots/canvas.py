"""What every picture needs: an axes, names that fit and can be drawn, a title that says what is seen."""

import textwrap
import unicodedata
from collections.abc import Iterable, Mapping
from functools import cache
from typing import TYPE_CHECKING

from intercom_nb.checks import wrong_type

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "CROWD",
    "GREY",
    "WIDTH",
    "canvas",
    "crowded",
    "dress",
    "finish",
    "label",
    "listed",
    "most",
    "note",
    "root_figure",
]

WIDTH = 9.0  # inches: a notebook's width
GREY = "#bdbdbd"
CROWD = 40  # members: of more, neither dots nor lanes could be told apart
_NARROWEST = 12  # characters in a line of a title

# Families that have what the default font has not, as systems name them; the last one is matplotlib's own and draws a
# box with the script's sign for whatever is left.
_FALLBACKS = (
    "Noto Sans CJK",
    "Noto Sans JP",
    "Noto Sans SC",
    "Hiragino Sans",
    "PingFang",
    "Yu Gothic",
    "Microsoft YaHei",
    "Malgun Gothic",
    "WenQuanYi",
    "Arial Unicode MS",
    "Noto Sans Arabic",
    "Noto Sans Hebrew",
    "Noto Sans Devanagari",
    "Noto Sans Thai",
    "Noto Sans Symbols",
    "Noto Emoji",
    "Segoe UI Emoji",
    "Symbola",
)
_LAST_RESORT = "Last Resort High-Efficiency"


def canvas(ax: "Axes | None", height: float) -> "Axes":
    """Return the axes given, or those of a new figure, `height` inches high."""
    import matplotlib.pyplot as plt
    from matplotlib.axes import Axes

    if ax is not None:
        if not isinstance(ax, Axes):
            raise wrong_type("ax", ax, "axes of matplotlib, as plt.subplots() returns them")
        return ax
    _, made = plt.subplots(figsize=(WIDTH, height), layout="constrained")
    return made


def label(name: str, longest: int = 30) -> str:
    """Return a name as it is drawn: its middle left out where it is too long, nothing in it taken for a formula.

    `longest` counts columns, of which a wide character takes two.
    """
    if _columns(name) > longest:
        head, tail = _fitting(name, (longest - 1) * 2 // 3), _fitting(name[::-1], (longest - 1) // 3)[::-1]
        name = f"{head}…{tail}"
    shown = "".join(" " if unicodedata.category(c) in ("Cc", "Zl", "Zp") else c for c in name)
    return shown.replace("$", r"\$")


def _columns(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def _fitting(text: str, columns: int) -> str:
    used = 0
    for place, character in enumerate(text):
        used += _columns(character)
        if used > columns:
            return text[:place]
    return text


def listed(names: Iterable[str], *, at_most: int = 3) -> str:
    """Return names in a sentence, the first few of them.

    Examples
    --------
    >>> listed(["Ann", "Bob"])
    'Ann and Bob'
    >>> listed(["Ann", "Bob", "Cy", "Dan", "Eve"])
    'Ann, Bob and 3 others'
    """
    shown = [label(name) for name in names]
    if len(shown) > at_most:
        shown[at_most - 1 :] = [f"{len(shown) - at_most + 1} others"]
    return " and ".join(filter(None, [", ".join(shown[:-1]), *shown[-1:]]))


def most(counts: Mapping[str, float], did: str, unit: str, *, amount: str = "{:,.0f}") -> str:
    """Return who did most, as a title says it; `amount` formats a number, with its unit if that stands close to it.

    Examples
    --------
    >>> most({"Ann": 4, "Bob": 1}, "wrote", "deliveries")
    'Ann wrote most: 4 of 5 deliveries'
    """
    top, total = max(counts.values()), sum(counts.values())
    first = [name for name, count in counts.items() if count == top]
    if sum(count > 0 for count in counts.values()) == 1:
        return f"Only {listed(first)} {did}"
    each = " each" if len(first) > 1 else ""
    if len(first) == len(counts) > 1:
        return f"All {did} as much: {amount.format(top)} of {amount.format(total)} {unit} each".replace("  ", " ")
    return f"{listed(first)} {did} most: {amount.format(top)} of {amount.format(total)} {unit}{each}".replace("  ", " ")


def crowded(
    drawn: int,
    everybody: int,
    *,
    at_most: int = CROWD,
    most: str = "wrote and heard most",
    some: str = "wrote or heard",
) -> str:
    """Return whom a picture of a crowd shows, as the end of a title; nothing if that is everybody.

    Examples
    --------
    >>> crowded(40, 301), crowded(3, 301), crowded(3, 3)
    ('; the 40 of 301 who wrote and heard most', '; the 3 of 301 who wrote or heard', '')
    """
    if drawn == everybody:
        return ""
    return f"; the {drawn} of {everybody:,} who {most if drawn == at_most else some}"


def note(ax: "Axes", text: str) -> "Axes":
    """Draw a sentence where there is nothing else to draw."""
    ax.set_axis_off()
    ax.text(0.5, 0.5, text, ha="center", va="center", transform=ax.transAxes, fontsize=11, color="#555555")
    return finish(ax, "")


def dress(ax: "Axes") -> None:
    """Give every text of the axes a font that can draw it."""
    from matplotlib.text import Text

    for text in ax.findobj(Text):
        text.set_fontfamily(_families())


def root_figure(ax: "Axes") -> "Figure":
    """Return the whole figure that an axes which was drawn on is in, also where it lies in a part of it."""
    figure: Figure = ax.figure.figure  # get_figure(root=True) says the same, from Matplotlib 3.10 on
    return figure


def finish(ax: "Axes", title: str) -> "Axes":
    """Give the axes its title, no wider than itself, and every text in it a font that can draw it."""
    shown = ax.set_title(title, loc="left", fontsize=11)
    dress(ax)
    if not title:
        return ax
    root_figure(ax).draw_without_rendering()
    room, columns = ax.get_window_extent().width, len(title)
    while (needed := shown.get_window_extent().width) > room and columns > _NARROWEST:
        columns = max(int(columns * min(room / needed, 0.95)), _NARROWEST)
        shown.set_text(textwrap.fill(title, columns))
    return ax


def _families() -> list[str]:
    import matplotlib as mpl

    return [*mpl.rcParams["font.family"], *_fallbacks()]


@cache
def _fallbacks() -> tuple[str, ...]:
    from matplotlib import font_manager

    known = font_manager.get_font_names()
    # Fonts of coloured bitmaps cannot be drawn.
    found = [name for start in _FALLBACKS for name in known if name.startswith(start) and "Color" not in name]
    return (*found, *(name for name in known if name == _LAST_RESORT))
