"""`fork`: a service on a branch of any log, from any place of it on."""

from collections.abc import Callable, Iterable, Mapping
from types import EllipsisType, MappingProxyType
from typing import Any

from intercom_nb.checks import AnyPath
from intercom_nb.log.reading import HasStore
from intercom_nb.models import ModelChoice
from intercom_nb.service.forking import branching
from intercom_nb.service.opening import Given
from intercom_nb.service.service import InterComService

__all__ = ["fork"]


def fork(  # noqa: PLR0913 - where from, and what only code can give
    log: HasStore | AnyPath,
    at: int | str | None = None,
    *,
    say: Mapping[str, str] | None = None,
    logs: AnyPath | EllipsisType | None = ...,
    model: ModelChoice = None,
    tools: Iterable[Callable[..., Any]] = (),
    play: AnyPath | None = None,
    options: Mapping[str, Any] = MappingProxyType({}),
) -> InterComService:
    """Return a service, on a log of its own, that shares everything up to a place with another log.

    As `InterComService.fork`, for a log that may belong to nobody now, to another process, or to a service that was
    killed; it is only read. A service of this process is forked with its own code.

    Parameters
    ----------
    log : InterComService, str or Path
        A service, or the path of a log.
    at : int or str, optional
        A number of the log, or the id of a message or a run: the end of the transaction that it was written in.
        Default: its end.
    say : dict, optional
        Ids of messages, and what is said in their place; the branch begins before them. In place of `at`.
    logs : str, Path or None, optional
        Folder for the new log; None keeps it in memory. Default: where the other log is.
    model : str or assistant, optional
        Another one to go on with, as for `InterComService.open`.
    tools : iterable of callable
        The functions that its agents have as tools or contacts: functions are not in the log, only their names.
    play : str or Path, optional
        A log to answer from; one that shares the past of the branch, such as `log` itself, from the place on.
    options : mapping, optional
        Any other parameter of a new service, by its name, such as ``{"limits": Limits(usd=1)}``.

    Raises
    ------
    LogError
        If there is no such log or place, it is damaged, or it needs functions or an assistant of yours.
    MissingKeyError
        If nothing says how to reach its model.
    ChatRuleError, ValueError
        If a text cannot be said, or the messages were not said together.

    Examples
    --------
    >>> with fork(intercom.log, at=intercom.messages[0].id, model="offline") as branch:
    ...     branch.wait()
    'quiet'
    """
    if isinstance(log, InterComService):
        if tools != ():
            raise ValueError("tools=: a service is forked with its own code; add what is new to the branch's agents")
        changed = options if model is None else {**options, "model": model}
        return log.fork(at, say=say, logs=logs, play=play, options=changed)
    where = branching(log, at, say, logs)
    return InterComService._of_branch(where, Given(model=model, play=play, others=options), tools)  # noqa: SLF001 - the same package
