"""The one rule of whom to add up: every member alone, whole teams, or teams down to a depth."""

from collections.abc import Iterable
from typing import Literal, TypeAlias

from intercom_nb.checks import shown

__all__ = ["By", "teams_of"]

By: TypeAlias = Literal["agent", "team"] | int
"""``agent``: everybody alone; ``team``: the whole name of a team; a number: so many of the name's first levels."""


def teams_of(teams: Iterable[str], by: By) -> list[str]:
    """Return the team that each member counts under, from the team it is in; empty: under its own name.

    Parameters
    ----------
    teams : iterable of str
        Every member's team, in the order they were added; empty for those without one.
    by : {"agent", "team"} or int
        How far to add up.

    Returns
    -------
    list of str
        As long as `teams`. Capitals make no other team; the first spelling stands for all.

    Raises
    ------
    ValueError
        If `by` is none of these.

    Examples
    --------
    >>> teams_of(["studio/design", "Studio/code", ""], "team")
    ['studio/design', 'Studio/code', '']
    >>> teams_of(["studio/design", "Studio/code", ""], 1)
    ['studio', 'studio', '']
    """
    is_depth = isinstance(by, int) and not isinstance(by, bool) and by > 0
    if by not in ("agent", "team") and not is_depth:
        raise ValueError(f"by={shown(by)}: right would be 'agent', 'team' or a number of levels, such as 1")
    if by == "agent":
        return ["" for _ in teams]
    levels = None if by == "team" else int(by)
    spelled: dict[str, str] = {}
    found = ("/".join(team.split("/")[:levels]) for team in teams)
    return [spelled.setdefault(team.casefold(), team) for team in found]
