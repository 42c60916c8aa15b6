"""Waste: direct messages that tell somebody what they had already been told."""

import math
import re
from collections import defaultdict
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from intercom_nb.analysis.reading import Source, Until
from intercom_nb.analysis.rows import LogRows, Membership, Post, Step, stacked
from intercom_nb.analysis.spending import Cost, sending, spending
from intercom_nb.checks import wrong_type

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["redundant_messages"]

_SHORTEST = 12  # characters; what is shorter ("Thank you!") says nothing that could be said twice
_LONGEST_POINTER = 60  # words; what is longer says something of its own beside the pointing
_GROUP = re.compile(r"\b(?:groups?|group[- ]?chats?|chats?|chat rooms?|channels?)\b", re.IGNORECASE)
_POINTING = re.compile(
    r"\b(?:answer|check|comment|contribute|discuss|feedback|have a look|invited?|join|look|notice|opinion|participate|"
    r"post|read|reply|respond|see|share|take part|thoughts|visit|weigh in|write)\b",
    re.IGNORECASE,
)


class _Repeat(NamedTuple):
    earlier: Post
    how: str
    score: float


def redundant_messages(source: "Source", *, threshold: float = 80.0, until: "Until" = None) -> "pd.DataFrame":
    """Return the direct messages that tell their receiver what it already had, one row each.

    A direct message is redundant in one of two ways.

    ``text``
        Its text is close to that of an earlier message that its receiver had been sent, in a group or directly, by
        anybody. The score is rapidfuzz's ``ratio`` of both texts, without case and punctuation; or, where the later
        text is the shorter one, ``partial_ratio``, which finds it inside the earlier one. Texts of fewer than 12
        characters are left out.
    ``pointer``
        It only points to a group: it speaks of a group or chat, or names one by its name or id; it asks to look,
        answer, share and the like; it has 60 words at most; and its receiver, a member like the sender, had already
        been sent a message there. It repeats the newest of these. Of several groups the one it names best is meant,
        then the newest. The score is how well it names that group, rapidfuzz's ``partial_ratio`` of the name and the
        text. The words looked for are English ones.

    A message that is both is ``text``.

    Parameters
    ----------
    source : Source
        A service, also while it runs, or a log.
    threshold : float, default 80
        The lowest score for ``text``, 0 to 100. Two sentences that say the same in other words rarely reach it.
    until : int or str, optional
        The log as it was at this place, as for `agents_df`. Default: as it is now.

    Returns
    -------
    DataFrame, shape (n_redundant, 8)
        Oldest first. Columns: ``message_id``, ``sender``, ``receiver`` (names), ``repeats`` (id of the earlier
        message), ``how``, ``score`` (float, 0 to 100), ``tokens_wasted``, ``usd_wasted`` (float; US dollars; NaN where
        that is not known). Of several logs, ``log`` comes first. Wasted are the sender's share (the cost of the step
        that sent it, divided evenly among the messages this step sent) and the receiver's (the cost of the run that
        consumed it, divided evenly among the messages this run consumed; nothing while it is pending).

    Raises
    ------
    ValueError
        If `threshold` is not between 0 and 100.

    Notes
    -----
    Each direct message is compared with all that its receiver was sent before it. ``pointer`` is what was seen in
    this project's first demo: an expert writes to another about the group both of them are in.

    Examples
    --------
    >>> len(redundant_messages(intercom))
    0
    """
    if isinstance(threshold, bool) or not isinstance(threshold, int | float):
        raise wrong_type("threshold", threshold, "a score from 0 to 100")
    if not 0 <= threshold <= 100:  # noqa: PLR2004 - the two ends of the scale
        raise ValueError(f"threshold={threshold!r}: it should be a score from 0 to 100")
    return stacked(source, lambda state: _redundant(state, threshold), until)


def _redundant(state: LogRows, threshold: float) -> "pd.DataFrame":
    import pandas as pd

    spent, names = spending(state), state.names
    sent = sending(pd.DataFrame(state.messages, columns=Post._fields), pd.DataFrame(state.steps, columns=Step._fields))
    of_sending = dict(zip((post.seq for post in state.messages), map(Cost, sent.tokens, sent.usd), strict=True))
    rows = []
    for message, repeat in _repeats(state, threshold):
        read = spent.reading.get((message.receiver_id or "", message.seq), spent.none)
        wasted = of_sending[message.seq] + read
        sender, receiver = names[message.sender_id or ""], names[message.receiver_id or ""]
        rows.append(
            (
                message.message_id,
                sender,
                receiver,
                repeat.earlier.message_id,
                repeat.how,
                repeat.score,
                wasted.tokens,
                wasted.usd,
            )
        )
    texts, numbers = ["message_id", "sender", "receiver", "repeats", "how"], ["score", "tokens_wasted", "usd_wasted"]
    frame = pd.DataFrame(rows, columns=[*texts, *numbers])
    return frame.astype(dict.fromkeys(texts, "string[pyarrow]") | dict.fromkeys(numbers, "float64"))


def _repeats(state: LogRows, threshold: float) -> Iterator[tuple[Post, _Repeat]]:
    """Yield each redundant message with what it repeats."""
    receivers: dict[int, list[str]] = defaultdict(list)
    for message, delivery in state.pairs():
        receivers[message.seq].append(delivery.receiver_id)
    memberships: dict[str, list[Membership]] = defaultdict(list)
    for membership in state.memberships:
        memberships[membership.agent_id].append(membership)
    had: dict[str, dict[Post, str]] = defaultdict(dict)  # by receiver, what it had, and its plain text
    for message in state.said:
        if message.receiver_id is not None:
            mail = had[message.receiver_id]
            repeat = _same_text(message, mail, threshold) or _pointer(state, memberships, message, mail)
            if repeat is not None:
                yield message, repeat
        plain = _plain(message.text)
        for agent_id in receivers[message.seq]:
            had[agent_id][message] = plain


def _plain(text: str) -> str:
    from rapidfuzz import utils

    return " ".join(utils.default_process(text).split())


def _same_text(message: Post, mail: dict[Post, str], threshold: float) -> _Repeat | None:
    """Return the earlier message most like this one, the newest of equals; None if none is like it enough."""
    from rapidfuzz import fuzz, process

    text = _plain(message.text)
    if len(text) < _SHORTEST or not mail:
        return None
    newest_first = dict(reversed(mail.items()))
    longer = {post: plain for post, plain in newest_first.items() if len(plain) >= len(text)}
    # A score of 0 is no similarity at all, also where the threshold is 0.
    found = [
        process.extractOne(text, newest_first, scorer=fuzz.ratio, processor=None, score_cutoff=threshold),
        process.extractOne(text, longer, scorer=fuzz.partial_ratio, processor=None, score_cutoff=threshold),
    ]
    best = max((one for one in found if one is not None), key=lambda one: one[1], default=None)
    return None if best is None or best[1] <= 0 else _Repeat(best[2], "text", float(best[1]))


def _pointer(
    state: LogRows, memberships: dict[str, list[Membership]], message: Post, mail: dict[Post, str]
) -> _Repeat | None:
    """Return what was last said in the group this message points to; None if it points to none both are in."""
    text = message.text
    if len(text.split()) > _LONGEST_POINTER or not _POINTING.search(text):
        return None
    shared = _groups(memberships[message.sender_id or ""], message.seq) & _groups(
        memberships[message.receiver_id or ""], message.seq
    )
    newest = {post.chat_id: post for post in mail if post.chat_id in shared}
    scores = {chat_id: _naming(text, chat_id, state.chats[chat_id]) for chat_id in state.chats if chat_id in newest}
    if not scores or not (_GROUP.search(text) or max(scores.values()) == 100):  # noqa: PLR2004 - named outright
        return None
    chat_id = max(reversed(list(scores)), key=lambda one: scores[one])
    return _Repeat(newest[chat_id], "pointer", scores[chat_id])


def _groups(memberships: list[Membership], seq: int) -> set[str]:
    known = ((one.chat_id, one.joined_seq or 0, one.left_seq or math.inf) for one in memberships)
    return {chat_id for chat_id, joined_seq, left_seq in known if joined_seq < seq < left_seq}


def _naming(text: str, chat_id: str, name: str) -> float:
    """Return how well a text names a chat, 0 to 100."""
    from rapidfuzz import fuzz

    if re.search(rf"(?<![\w-]){re.escape(chat_id)}(?![\w-])", text):
        return 100.0
    plain_name, plain_text = _plain(name), _plain(text)
    if not plain_name or len(plain_name) > len(plain_text):
        return 0.0  # partial_ratio would look for the text in the name
    return float(fuzz.partial_ratio(plain_name, plain_text))
