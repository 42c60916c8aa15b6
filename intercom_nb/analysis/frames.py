"""The log as DataFrames: one function a grain, its name says which. Ids join; names stand beside them.

In every frame, text is ``string[pyarrow]`` (``pd.ArrowDtype(pa.string())``; missing: ``pd.NA``), counts and numbers of
the log are ``Int64``, times are ``datetime64[us, UTC]`` and end in ``_at``, durations are float seconds and end in
``_s``, money is float US dollars in ``usd`` (NaN where the price is not known, never 0 for that), facts are ``boolean``
and begin with ``is_``.

Given several logs, each frame begins with the column ``log``; ids are then unique only together with it. Functions
that are given a service or a path each read the log anew; to look at several frames of one moment of a running
service, read them together with `read_frames` and pass the result instead.
"""

from typing import TYPE_CHECKING

from intercom_nb.analysis.reading import Source, frames_from
from intercom_nb.analysis.tables import ALL_VERSIONS, TABLES, Frames
from intercom_nb.checks import checked_flag

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "agents_df",
    "chats_df",
    "deliveries_df",
    "events_df",
    "items_df",
    "memberships_df",
    "messages_df",
    "read_frames",
    "runs_df",
    "steps_df",
    "tool_calls_df",
]


def read_frames(source: Source, *, strict: bool = True) -> Frames:
    """Return all frames of a log, all of one moment, also while it is written.

    Parameters
    ----------
    source : Source
        A service, a log's path, several of them, or a folder of logs.
    strict : bool, default True
        Raise at a damaged log; False leaves it out and lists it in each frame's ``attrs["errors"]``.

    Returns
    -------
    Frames

    Raises
    ------
    LogError
        If a log is missing or damaged, and `strict`.

    Examples
    --------
    >>> frames = read_frames(intercom)
    >>> frames.messages.merge(frames.runs, on="run_id").agent.tolist()
    ['Founder', 'Marketing Expert', 'Founder']
    """
    checked_flag(strict, "strict")
    return source if isinstance(source, Frames) else Frames(**frames_from(source, TABLES, strict=strict))


def agents_df(source: Source, *, strict: bool = True, versions: bool = False) -> "pd.DataFrame":
    """Return one row per agent or person, in the order they were added.

    Parameters
    ----------
    source : Source
        A service, a log's path, several of them, or a folder of logs.
    strict : bool, default True
        Raise at a damaged log; False leaves it out and lists it in ``attrs["errors"]``.
    versions : bool, default False
        One row per version instead: each edit of a mission or description makes one.

    Returns
    -------
    DataFrame, shape (n_agents, 13)
        ``agent_id``, ``name``, ``kind`` (``agent`` or ``person``), ``team`` (as ``studio/design``; empty for none),
        ``description``, ``mission``, ``model`` (missing: the service's), ``tools`` (JSON list of names), ``mail``,
        ``version`` (Int64, from 1; the newest), ``seq`` (Int64) and ``created_at`` of that version, ``added_at`` of
        the first.

    Raises
    ------
    LogError
        If a log is missing or damaged, and `strict`.
    """
    checked_flag(versions, "versions")
    return frames_from(source, {"agents": ALL_VERSIONS if versions else TABLES["agents"]}, strict=strict)["agents"]


def chats_df(source: Source, *, strict: bool = True) -> "pd.DataFrame":
    """Return one row per group chat, in the order they were created.

    Parameters
    ----------
    source, strict
        As for `agents_df`.

    Returns
    -------
    DataFrame, shape (n_chats, 8)
        ``chat_id``, ``name``, ``description``, ``admin_id``, ``admin`` (name), ``n_members`` (Int64, now),
        ``seq`` (Int64), ``created_at``.
    """
    return _frame(source, "chats", strict=strict)


def memberships_df(source: Source, *, strict: bool = True) -> "pd.DataFrame":
    """Return one row per stay of a member in a group chat, by chat, in the order they joined.

    Parameters
    ----------
    source, strict
        As for `agents_df`.

    Returns
    -------
    DataFrame, shape (n_memberships, 8)
        ``chat_id``, ``chat`` (name), ``agent_id``, ``agent`` (name), ``joined_seq``, ``left_seq`` (Int64; missing while
        the member is in), ``joined_at``, ``left_at``.
    """
    return _frame(source, "memberships", strict=strict)


def messages_df(source: Source, *, strict: bool = True) -> "pd.DataFrame":
    """Return one row per accepted message, oldest first.

    Parameters
    ----------
    source, strict
        As for `agents_df`.

    Returns
    -------
    DataFrame, shape (n_messages, 11)
        ``seq`` (Int64, unique in a log), ``message_id``, ``created_at`` (when it was accepted), ``sender`` (name;
        missing for a text of the program, such as *Begin*), ``receiver`` (name; missing in a group), ``chat`` (name;
        missing between two), ``text``, ``sender_id``, ``receiver_id``, ``chat_id``, ``run_id`` (the run that sent it;
        missing for persons and the program).

    Notes
    -----
    Source: one function per grain of row, after ``inspect_ai.analysis``.

    Examples
    --------
    >>> messages_df(intercom.log).sender.value_counts().to_dict()
    {'Founder': 2, 'Marketing Expert': 1}
    """
    return _frame(source, "messages", strict=strict)


def deliveries_df(source: Source, *, strict: bool = True) -> "pd.DataFrame":
    """Return one row per delivery, a message for one receiver: by message, then by receiver's id.

    Parameters
    ----------
    source, strict
        As for `agents_df`.

    Returns
    -------
    DataFrame, shape (n_deliveries, 13)
        ``seq``, ``message_id``, ``created_at``, ``sender``, ``receiver`` (names), ``chat`` (name; missing if it was
        sent to this receiver alone), ``state`` (``pending`` or ``consumed``), ``consumed_at`` (when the run that read
        it began; missing if none did, if a person received it, or if it joined a run already under way),
        ``latency_s`` (float, seconds from ``created_at`` to ``consumed_at``), ``sender_id``, ``receiver_id``,
        ``chat_id``, ``run_id`` (the run that read it).
    """
    return _frame(source, "deliveries", strict=strict)


def runs_df(source: Source, *, strict: bool = True) -> "pd.DataFrame":
    """Return one row per run, an agent's reaction to its mail, in the order they began.

    Parameters
    ----------
    source, strict
        As for `agents_df`.

    Returns
    -------
    DataFrame, shape (n_runs, 20)
        ``run_id``, ``agent_id``, ``agent`` (name), ``agent_version``, ``began_seq``, ``ended_seq`` (Int64; missing
        while it runs), ``began_at``, ``ended_at``, ``duration_s``, ``reason`` (how it ended), ``error``, ``attempts``,
        ``n_steps``, ``n_received``, ``n_sent`` (Int64: model calls, messages read and sent), ``input_tokens``,
        ``cached_tokens`` (part of the input), ``output_tokens`` (Int64) and ``usd`` (float), sums over its steps and
        missing unless known for every step that was answered; ``turn_idx`` (Int64, place of its turn in the
        conversation), ``chat_list`` (as shown).
    """
    return _frame(source, "runs", strict=strict)


def steps_df(source: Source, *, strict: bool = True) -> "pd.DataFrame":
    """Return one row per step, a model call of a run, in the order they were committed.

    Parameters
    ----------
    source, strict
        As for `agents_df`.

    Returns
    -------
    DataFrame, shape (n_steps, 14)
        ``run_id``, ``step`` (Int64, from 0), ``seq``, ``agent_id``, ``agent`` (name), ``model``, ``input_tokens``,
        ``cached_tokens`` (part of the input), ``output_tokens`` (Int64), ``usd`` (float), ``latency_s`` (float, seconds
        the model took), ``error`` (of a call that failed for good), ``is_held`` (boolean: its tools are still at work),
        ``created_at`` (when the answer was committed).
    """
    return _frame(source, "steps", strict=strict)


def tool_calls_df(source: Source, *, strict: bool = True) -> "pd.DataFrame":
    """Return one row per tool call, chat tools among them, by run, step and place.

    Parameters
    ----------
    source, strict
        As for `agents_df`.

    Returns
    -------
    DataFrame, shape (n_tool_calls, 13)
        ``run_id``, ``step``, ``n`` (Int64, place in the step), ``call_id``, ``agent_id``, ``agent`` (name), ``tool``
        (its name), ``arguments`` (JSON, as the model wrote it), ``output`` (missing while it works), ``is_failed``
        (boolean), ``began_at``, ``ended_at``, ``duration_s`` (float, seconds).
    """
    return _frame(source, "tool_calls", strict=strict)


def items_df(source: Source, *, strict: bool = True) -> "pd.DataFrame":
    """Return one row per item of a conversation, by agent.

    Parameters
    ----------
    source, strict
        As for `agents_df`.

    Returns
    -------
    DataFrame, shape (n_items, 8)
        ``agent_id``, ``agent`` (name), ``idx`` (Int64, place in the conversation, from 0), ``run_id``, ``step``,
        ``type`` (``user``, ``assistant``, ``function_call``, …), ``text`` (the content, the output, or the arguments),
        ``payload`` (JSON, the item exactly as sent to the model).
    """
    return _frame(source, "items", strict=strict)


def events_df(source: Source, *, strict: bool = True) -> "pd.DataFrame":
    """Return one row per event that a person may want to know, in order.

    Parameters
    ----------
    source, strict
        As for `agents_df`.

    Returns
    -------
    DataFrame, shape (n_events, 9)
        ``seq`` (Int64), ``kind`` (such as ``chat_created`` or ``run_failed``), ``agent_id``, ``agent`` (name),
        ``chat_id``, ``chat`` (name), ``run_id``, ``text`` (one sentence), ``created_at``.
    """
    return _frame(source, "events", strict=strict)


def _frame(source: Source, name: str, *, strict: bool) -> "pd.DataFrame":
    return frames_from(source, {name: TABLES[name]}, strict=strict)[name]
