"""A colour for each agent: the same one in every picture and view, told apart also by the colour-blind."""

from collections.abc import Iterable

from intercom_nb.checks import wrong_type

__all__ = ["colours"]

# Okabe and Ito, Color Universal Design (2008), https://jfly.uni-koeln.de/color/ – the dark and strong ones first.
_OKABE_ITO = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#000000", "#f0e442")
# What the eight are mixed with, and how much of it, in each further round: the hue stays, the lightness tells.
_ROUNDS = (
    ("#ffffff", 0.0),
    ("#ffffff", 0.45),
    ("#000000", 0.4),
    ("#ffffff", 0.66),
    ("#000000", 0.62),
    ("#ffffff", 0.23),
    ("#000000", 0.2),
    ("#000000", 0.78),
)


def colours(names: Iterable[str]) -> dict[str, str]:
    """Return a colour for each name, by its place in the order of addition.

    The first eight are the palette of Okabe and Ito. Those after them are the same eight again, mixed with white or
    black in turn (the extension is ours): told apart by lightness, up to 64; then they repeat. Whoever is added later
    changes nobody's colour.

    Parameters
    ----------
    names : iterable of str
        Every member of a log, in the order they were added; a name given twice counts once.

    Returns
    -------
    dict of str to str
        Name to ``#rrggbb``.

    Notes
    -----
    Source: M. Okabe and K. Ito, Color Universal Design (2008).

    Examples
    --------
    >>> colours(["Founder", "Marketing Expert"])
    {'Founder': '#0072b2', 'Marketing Expert': '#e69f00'}
    """
    if isinstance(names, str | bytes) or not isinstance(names, Iterable):
        raise wrong_type("names", names, "a list of names")
    names = list(names)
    if not all(isinstance(name, str) for name in names):
        raise wrong_type("names", names, "a list of names")
    return {name: _colour(place) for place, name in enumerate(dict.fromkeys(names))}


def _colour(place: int) -> str:
    turn, hue = divmod(place % (len(_OKABE_ITO) * len(_ROUNDS)), len(_OKABE_ITO))
    with_colour, share = _ROUNDS[turn]
    own = "#7f7f7f" if hue == _OKABE_ITO.index("#000000") and turn else _OKABE_ITO[hue]  # black cannot get darker
    mixed = (round((1 - share) * a + share * b) for a, b in zip(_parts(own), _parts(with_colour), strict=True))
    return "#" + "".join(f"{part:02x}" for part in mixed)


def _parts(colour: str) -> tuple[int, ...]:
    return tuple(bytes.fromhex(colour[1:]))
