"""`replay`: a log executed again with its own answers, and whether it came out equal."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from intercom_nb.checks import AnyPath
from intercom_nb.log.equal import Difference, first_difference
from intercom_nb.log.reading import HasStore, Query, querying
from intercom_nb.members.own_code import functions_from
from intercom_nb.service.replaying import Replaying
from intercom_nb.texts.instructions import guideline_digest

__all__ = ["Replay", "replay"]

_GUIDELINE = "SELECT guideline FROM openings WHERE seq <= ? ORDER BY seq DESC LIMIT 1"


@dataclass(frozen=True, slots=True)
class Replay:
    """What came of executing a log again.

    Attributes
    ----------
    equal : bool
        Whether every row came out as the log has it.
    places : int
        How many transactions did.
    difference : Difference or None
        The first row that did not; its `one` is the log's, its `other` the replay's.
    why : str
        What is known about the reason; empty if nothing.
    """

    equal: bool
    places: int
    difference: Difference | None
    why: str

    def __bool__(self) -> bool:
        """Return whether it is equal."""
        return self.equal

    def __str__(self) -> str:
        told = "1 transaction" if self.places == 1 else f"{self.places:,} transactions"
        if self.difference is None:
            return f"equal: {told}, no model was asked and no tool was run"
        why = f" ({self.why})" if self.why else ""
        return f"after {told}, {self.difference.told('the log', 'its replay')}{why}"

    def __repr__(self) -> str:
        return f"<Replay {self}>"


def replay(log: HasStore | AnyPath, *, tools: Iterable[Callable[..., Any]] = ()) -> Replay:
    """Execute a log again with its own answers, and say whether it comes out equal.

    Each transaction is made anew by this version of the package, in the order of the log: what agents read, what the
    chat tools do, who receives what, what is held back, counted and noted. What models answered, what tools of yours
    gave back, and what people did is taken from the log; no model is asked, no tool is run. With another guideline,
    other chat tools or another version of the package, the first row that differs says where that shows.

    Parameters
    ----------
    log : InterComService, str or Path
        A service, or the path of a log; it is only read.
    tools : iterable of callable, optional
        The functions of its agents: they are not called. With them, what models were told of tools is compared too;
        of agents whose functions are not known, requests are taken as the log has them.

    Returns
    -------
    Replay

    Raises
    ------
    LogError
        If there is no such log, or it is damaged.

    Examples
    --------
    >>> print(replay(intercom))
    equal: 17 transactions, no model was asked and no tool was run
    """
    functions = functions_from(tools)
    with querying(log) as query:
        again = Replaying(query, functions)
    try:
        done = again.run()
        with querying(log) as query, again.store.reading() as beside:
            found = first_difference(query, beside, again.last)
            whole = done if found is None else min(done, found.seq - 1)
            n = query("SELECT COUNT(*) FROM places WHERE seq <= ?", whole)[0][0]
            return Replay(found is None, n, found, "" if found is None else again.why or _reason(query, found))
    finally:
        again.close()


def _reason(query: Query, found: Difference) -> str:
    """Return why a request is another one, as far as it shows in no other row."""
    if found.columns != ("fingerprint",):
        return ""
    if query(_GUIDELINE, found.seq) != [(guideline_digest(),)]:
        return "the request is another one, for the guideline is"
    return "the request is another one: the instructions, the tools or the form of what is sent have changed"
