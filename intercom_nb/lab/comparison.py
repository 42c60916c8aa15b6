"""Several runs of one cast as a table."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["comparison"]

_TYPES = {
    "run": "int64",
    "changed": "string[pyarrow]",
    "reason": "string[pyarrow]",
    "messages": "int64",
    "tokens": "int64",
    "goals_met": "Int64",
    "log": "string[pyarrow]",
}


def comparison(rows: Sequence[Mapping[str, Any]]) -> "pd.DataFrame":
    """Return runs as a frame, one row each.

    Parameters
    ----------
    rows : sequence of mapping
        ``run``, ``changed``, ``reason``, ``messages``, ``tokens``, ``goals_met`` (or None) and ``log``.

    Returns
    -------
    DataFrame, shape (n_runs, 6)
        Index ``run``.

    Examples
    --------
    >>> comparison([]).shape
    (0, 6)
    """
    import pandas as pd

    return pd.DataFrame(list(rows), columns=list(_TYPES)).astype(_TYPES).set_index("run")
