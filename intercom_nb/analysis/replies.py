"""Which message answers which: recorded where the log knows what a sender had just read, else the newest unanswered."""

from bisect import bisect_left
from collections import defaultdict
from typing import TYPE_CHECKING

from intercom_nb.analysis.reading import Source, Until
from intercom_nb.analysis.rows import LogRows, Post, stacked

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["answered_by", "delay_s", "replies_df"]

_Place = tuple[str, ...]  # a chat, or a pair of members


def replies_df(source: "Source", *, until: "Until" = None) -> "pd.DataFrame":
    """Return one row per message of a member, saying which message it answers.

    A message sent in a run answers the newest message that this run had consumed from the same place (the same pair,
    or the same chat) and that was accepted before it. A message without a run (a person's, or one that the program
    sent in an agent's name) answers the newest message its sender received in the same place since its own last one
    there. Otherwise it answers none. Several messages may answer the same one.

    Parameters
    ----------
    source : Source
        A service, also while it runs, a log's path, several of them, a folder of logs, or frames.
    until : int or str, optional
        The log as it was at this place, as for `agents_df`. Default: as it is now.

    Returns
    -------
    DataFrame, shape (n_messages, 7)
        ``seq`` (Int64), ``message_id``, ``sender`` (name), ``answers`` (message_id of the message it answers; missing
        if none), ``answers_sender`` (name of who sent that), ``delay_s`` (float, seconds from the acceptance of the
        one to that of the other; NaN if none, or not known), ``sender_id``. Texts of the program (*Begin*) are left
        out: they have no sender, and nobody can answer them. Of several logs, ``log`` comes first.

    Raises
    ------
    LogError
        If a log is missing or damaged.

    Notes
    -----
    The rule is ours. The log knows what each run consumed (``deliveries.run_id``), not which of it a model had in
    mind. What an agent with ``mail="asap"`` took in between two steps counts from its acceptance on.

    Examples
    --------
    >>> int(replies_df(intercom).answers.notna().sum())
    2
    """
    return stacked(source, _replies, until)


def _replies(state: LogRows) -> "pd.DataFrame":
    import pandas as pd

    answers, names = answered_by(state), state.names
    rows = []
    for message in state.said:
        sender_id = message.sender_id or ""
        other = answers.get(message.seq)
        answered = (None, None) if other is None else (other.message_id, names[other.sender_id or ""])
        delay = None if other is None else delay_s(other, message)
        rows.append((message.seq, message.message_id, names[sender_id], *answered, delay, sender_id))
    columns = ["seq", "message_id", "sender", "answers", "answers_sender", "delay_s", "sender_id"]
    dtypes = dict.fromkeys(columns, "string[pyarrow]") | {"seq": "Int64", "delay_s": "float64"}
    return pd.DataFrame(rows, columns=columns).astype(dtypes)


def delay_s(earlier: Post, later: Post) -> float | None:
    """Return the seconds between two messages; None where the log does not say."""
    if earlier.created_at is None or later.created_at is None:
        return None
    return (later.created_at - earlier.created_at) / 1e6


def answered_by(state: LogRows) -> dict[int, Post]:
    """Return what each answer answers, by the answer's seq; the rule is that of `replies_df`."""
    received, consumed = _mail(state)
    open_mail: dict[tuple[str, _Place], Post] = {}
    answers: dict[int, Post] = {}
    for message in state.said:
        sender_id, place = message.sender_id or "", _place(message)
        last = open_mail.pop((sender_id, place), None)
        if message.run_id is None:
            read = last
        else:
            mail = consumed[message.run_id, place]
            before = bisect_left(mail, message.seq, key=lambda post: post.seq)
            read = mail[before - 1] if before else None
        if read is not None:
            answers[message.seq] = read
        for agent_id in received[message.seq]:
            open_mail[agent_id, place] = message
    return answers


def _mail(state: LogRows) -> tuple[dict[int, list[str]], dict[tuple[str, _Place], list[Post]]]:
    """Return each message's receivers, and what each run consumed in each place, oldest first."""
    received: dict[int, list[str]] = defaultdict(list)
    consumed: dict[tuple[str, _Place], list[Post]] = defaultdict(list)
    for message, delivery in state.pairs():
        received[message.seq].append(delivery.receiver_id)
        if delivery.run_id is not None:
            consumed[delivery.run_id, _place(message)].append(message)
    return received, consumed


def _place(message: Post) -> _Place:
    if message.chat_id is not None:
        return (message.chat_id,)
    return tuple(sorted((message.sender_id or "", message.receiver_id or "")))
