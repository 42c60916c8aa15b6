"""How many messages were sent over time."""

import math
from collections import Counter
from typing import TYPE_CHECKING

from intercom_nb.analysis.reading import Source, Until
from intercom_nb.analysis.rows import LogRows, read_rows
from intercom_nb.checks import shown, wrong_type

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["activity", "activity_of", "length_us"]

_MOST_WINDOWS = 100_000


def activity(source: "Source", window: str = "1s", *, until: "Until" = None) -> "pd.DataFrame":
    """Return how many messages each member sent over time.

    Parameters
    ----------
    source : Source
        A service, also while it runs, or a log.
    window : str, default "1s"
        Length of a window, as pandas writes it: ``"100ms"``, ``"1s"``, ``"5min"``.
    until : int or str, optional
        The log as it was at this place, as for `agents_df`. Default: as it is now.

    Returns
    -------
    DataFrame, shape (n_windows, n_members), Int64
        Index ``time`` (datetime64[us, UTC], where a window begins; every window from the first message to the last,
        also those in which nobody spoke). Columns ``sender``, by name, in the order they were added; also those who
        never spoke. No rows without a message.

    Raises
    ------
    ValueError
        If `window` is no length of time, or so short that there would be more than 100,000 of them.

    Examples
    --------
    >>> int(activity(intercom, "10s").sum().sum())
    3
    """
    return activity_of(read_rows(source, until), window)


def activity_of(state: LogRows, window: str) -> "pd.DataFrame":
    """Return what `activity` does, of one state of a log."""
    import pandas as pd

    length = length_us(window)
    timed = [(message.created_at // length, message) for message in state.said if message.created_at is not None]
    names, places = state.names, [place for place, _ in timed]
    first, last = (min(places), max(places)) if places else (0, -1)
    if last - first >= _MOST_WINDOWS:
        raise ValueError(
            f"window={window!r}: that makes {last - first + 1:,} windows; right would be at least "
            f"{math.ceil((last - first + 1) * length / _MOST_WINDOWS / 1e6)}s, which makes {_MOST_WINDOWS:,} at most"
        )
    counts = Counter((place, names[message.sender_id or ""]) for place, message in timed)
    times = pd.to_datetime([place * length for place in range(first, last + 1)], unit="us", utc=True)
    columns = pd.Index(list(names.values()), name="sender", dtype="string[pyarrow]")
    values = [[counts[place, name] for name in names.values()] for place in range(first, last + 1)]
    return pd.DataFrame(
        values, index=pd.DatetimeIndex(times, name="time").as_unit("us"), columns=columns, dtype="Int64"
    )


def length_us(window: str) -> int:
    """Return a length of time in microseconds.

    Raises
    ------
    TypeError, ValueError
        If it is none.
    """
    import pandas as pd

    if not isinstance(window, str):
        raise wrong_type("window", window, "a length of time, such as '1s' or '5min'")
    try:
        microseconds = round(pd.Timedelta(window).total_seconds() * 1e6)
    except ValueError:  # no length of time, or none that is known ("NaT")
        microseconds = 0
    if microseconds < 1:
        raise ValueError(f"window={shown(window)}: it should be a length of time, such as '1s' or '5min'")
    return microseconds
