"""What is seen of a log where nothing can move: a picture, and one line of text."""

from contextlib import nullcontext
from os import PathLike
from pathlib import Path
from typing import Any

from intercom_nb.analysis import overview_png
from intercom_nb.checks import AnyPath
from intercom_nb.log.door import as_damage
from intercom_nb.log.reading import HasStore, path_of, querying
from intercom_nb.readable import counted

__all__ = ["one_line", "picture", "snapshot"]


def snapshot(source: HasStore | AnyPath) -> Any:
    """Return a picture of a service as it is now, or of a finished log: graph, transcript and timeline.

    Stored in the notebook, it is seen wherever the notebook is read, also where no widget is.

    Parameters
    ----------
    source : InterComService, str or Path
        A service, also while it runs, or the path of a log.

    Returns
    -------
    IPython.display.Image
        A PNG; its ``data`` are the bytes.

    Examples
    --------
    >>> snapshot(intercom).format
    'png'
    """
    from IPython.display import Image

    return Image(data=picture(source), format="png")


def picture(source: HasStore | AnyPath) -> bytes:
    """Return the picture as the bytes of a PNG."""
    with as_damage(path_of(source)) if isinstance(source, str | PathLike) else nullcontext():
        return overview_png(source)


def one_line(source: HasStore | AnyPath) -> str:
    """Return a service or a log in one line.

    Raises
    ------
    LogError
        If there is no such log.
    """
    if not isinstance(source, str | PathLike):
        return repr(source).strip("<>")
    with querying(source) as query:
        newest = "SELECT messages FROM places ORDER BY seq DESC LIMIT 1"  # no count that grows with the log
        sql = f"SELECT (SELECT COUNT(DISTINCT agent_id) FROM agents), ({newest})"  # noqa: S608 - ours
        agents, messages = query(sql)[0]
    return f"log {Path(source).name}: {counted(agents, 'member')}, {counted(messages or 0, 'message')}"
