"""What was true at a place of a log, as plain values: recovery, the views' look back, forks and replays read it.

What it costs follows what was alive there (members, waiting mail, unfinished runs), not the length of the log: what was
spent stands in the place itself, and each agent's last run is found by an index. Conversations are read when asked for.
"""

from intercom_nb.checks import AnyPath
from intercom_nb.errors import LogError
from intercom_nb.log.reading import HasStore, Query, querying
from intercom_nb.log.state_reading import conversation, read_state
from intercom_nb.log.state_values import ChatState, MemberState, Place, RunState, State
from intercom_nb.log.times import moment
from intercom_nb.texts.names import clean

__all__ = [
    "ChatState",
    "MemberState",
    "Place",
    "RunState",
    "State",
    "conversation",
    "place_of",
    "places",
    "read_state",
    "state",
]

_LAST = 2**63 - 1  # the greatest number that SQLite has


def places(log: HasStore | AnyPath) -> list[Place]:
    """Return the places of a log, oldest first: the ends of its transactions.

    Parameters
    ----------
    log : InterComService, str or Path
        A service, or the path of a log.

    Examples
    --------
    >>> places(intercom)[0].seq
    1
    """
    with querying(log) as query:
        return [Place(seq, moment(at)) for seq, at in query("SELECT seq, at FROM places ORDER BY seq")]


def state(log: HasStore | AnyPath, place: int | str | None = None) -> State:
    """Return what was true at a place of a log.

    Parameters
    ----------
    log : InterComService, str or Path
        A service, or the path of a log.
    place : int or str, optional
        A number of the log, or the id of a message or a run: the end of the transaction that it was written in.
        Default: the last one.

    Raises
    ------
    LogError
        If there is no such log or place.

    Examples
    --------
    >>> [member.spec.name for member in state(intercom).members]
    ['Founder', 'Marketing Expert', 'Network Engineer']
    >>> state(intercom, 1).members
    ()
    """
    with querying(log) as query:
        return read_state(query, place_of(query, place))


def place_of(query: Query, given: int | str | None) -> int:
    """Return the place that a number, a message's or a run's id means; the last one for None.

    Raises
    ------
    LogError
        If the log has no such place.
    """
    if given is None:
        return int(query("SELECT MAX(seq) FROM places")[0][0])
    seq = _seq_of(query, given)
    found = query("SELECT MIN(seq) FROM places WHERE seq >= ?", seq) if seq is not None and seq > 0 else [(None,)]
    if found[0][0] is None:
        last = query("SELECT MAX(seq) FROM places")[0][0]
        raise LogError(
            None, f"it has no place {given!r}; right would be a number from 1 to {last}, or the id of a message"
        )
    return int(found[0][0])


def _seq_of(query: Query, given: object) -> int | None:
    if isinstance(given, str) and not given.isdecimal():
        if clean(given) != given:
            return None  # half a character is in no id, and in no query
        sql = "SELECT seq FROM messages WHERE id = ?1 UNION ALL SELECT seq FROM runs WHERE run_id = ?1 ORDER BY seq"
        rows = query(sql, given)
        return int(rows[0][0]) if rows else None
    if isinstance(given, bool) or not isinstance(given, str | int):
        return None
    return min(int(given), _LAST)
