"""Whether the good scenario of a demo came about."""

from typing import TYPE_CHECKING, NamedTuple

from intercom_nb.analysis.measures import how_it_stopped
from intercom_nb.analysis.reading import Source, Until
from intercom_nb.analysis.replies import answered_by
from intercom_nb.analysis.rows import LogRows, Post, stacked

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["demo_goals"]

_FOUNDER, _MARKETING, _NETWORK, _DOMAIN = "Founder", "Marketing Expert", "Network Engineer", "Domain Expert"


class _Goal(NamedTuple):
    criterion: str
    met: bool
    evidence: str


def demo_goals(source: "Source", *, until: "Until" = None) -> "pd.DataFrame":
    """Return whether the good scenario of a demo came about, one row per criterion.

    The members' names say which demo it is: Founder, Marketing Expert and Network Engineer are the first one's cast;
    with a Domain Expert it is the second one's. Experts are those the founder should speak with.

    Parameters
    ----------
    source : Source
        A service, also while it runs, or a log.
    until : int or str, optional
        The log as it was at this place, as for `agents_df`. Default: as it is now.

    Returns
    -------
    DataFrame, shape (5, 3) for demo 1, (6, 3) for demo 2
        Columns: ``criterion``, ``met`` (boolean), ``evidence`` (one sentence, with ids of messages). The criteria: the
        founder wrote to each expert, directly or in a group; each expert answered the founder (by the rule of
        `replies_df`); nobody wrote to the network engineer; in demo 2, exactly one group was made, of the founder and
        the experts and nobody else; the founder and each expert spoke; it ended quiet.

    Raises
    ------
    ValueError
        If the members are of neither cast.

    Examples
    --------
    >>> bool(demo_goals(intercom).met.all())
    True
    """
    return stacked(source, _goals, until)


def _goals(state: LogRows) -> "pd.DataFrame":
    import pandas as pd

    ids = {member.name: member.agent_id for member in state.members.values()}
    missing = [name for name in (_FOUNDER, _MARKETING, _NETWORK) if name not in ids]
    if missing:
        raise ValueError(f"this log is of no demo: nobody in it is named {', '.join(missing)}")
    experts = [name for name in (_MARKETING, _DOMAIN) if name in ids]
    goals = [_wrote(state, ids, experts), _answered(state, ids, experts), _left_alone(state, ids[_NETWORK])]
    if _DOMAIN in ids:
        goals.append(_right_group(state, {ids[name] for name in [_FOUNDER, *experts]}))
    goals += [_spoke(state, ids, [_FOUNDER, *experts]), _ended(state)]
    return pd.DataFrame(goals, columns=list(_Goal._fields)).astype(
        {"criterion": "string[pyarrow]", "met": "boolean", "evidence": "string[pyarrow]"}
    )


def _wrote(state: LogRows, ids: dict[str, str], experts: list[str]) -> _Goal:
    first: dict[str, Post] = {}
    for message, delivery in state.pairs():
        if message.sender_id == ids[_FOUNDER]:
            first.setdefault(delivery.receiver_id, message)
    found = {name: _said(first.get(ids[name])) for name in experts}
    return _Goal(f"wrote to the {_plural(experts)}", _all_in(first, ids, experts), _evidence(found))


def _all_in(found: dict[str, Post], ids: dict[str, str], names: list[str]) -> bool:

    return all(ids[name] in found for name in names)


def _answered(state: LogRows, ids: dict[str, str], experts: list[str]) -> _Goal:
    answers = answered_by(state)
    first: dict[str, Post] = {}
    for message in state.said:
        asked = answers.get(message.seq)
        if asked is not None and asked.sender_id == ids[_FOUNDER]:
            first.setdefault(message.sender_id or "", message)
    found = {name: _said(first.get(ids[name])) for name in experts}
    return _Goal(f"was answered by the {_plural(experts)}", _all_in(first, ids, experts), _evidence(found))


def _left_alone(state: LogRows, agent_id: str) -> _Goal:
    wrote = [message for message, delivery in state.pairs() if delivery.receiver_id == agent_id]
    if not wrote:
        return _Goal("left the network engineer alone", met=True, evidence="Nobody wrote to it.")
    ids = ", ".join(message.message_id for message in wrote)
    return _Goal("left the network engineer alone", met=False, evidence=f"It was sent {ids}.")


def _right_group(state: LogRows, right: set[str]) -> _Goal:
    names = state.names
    groups: dict[str, set[str]] = {chat_id: set() for chat_id in state.chats}
    for membership in state.memberships:
        groups[membership.chat_id].add(membership.agent_id)
    made = [
        f"{chat_id} “{state.chats[chat_id]}” ({', '.join(name for i, name in names.items() if i in groups[chat_id])})"
        for chat_id in groups
    ]
    met = list(groups.values()) == [right]
    return _Goal("made exactly one group, the right one", met, f"{'; '.join(made) or 'No group was made'}.")


def _spoke(state: LogRows, ids: dict[str, str], names: list[str]) -> _Goal:
    counts = {name: sum(message.sender_id == ids[name] for message in state.said) for name in names}
    found = {name: f"{count} message{'s' if count != 1 else ''}" for name, count in counts.items()}
    return _Goal("each of them spoke", all(counts.values()), _evidence(found))


def _ended(state: LogRows) -> _Goal:
    reason = how_it_stopped(state)
    return _Goal(
        "ended quiet", reason == "quiet", f"It stopped: {reason}." if reason != "at work" else "It is at work."
    )


def _plural(experts: list[str]) -> str:
    return "expert" if len(experts) == 1 else "experts"


def _said(message: Post | None) -> str:
    if message is None:
        return "no message"
    return f"{message.message_id} ({'directly' if message.chat_id is None else 'in ' + message.chat_id})"


def _evidence(found: dict[str, str]) -> str:
    return "; ".join(f"{name}: {what}" for name, what in found.items()) + "."
