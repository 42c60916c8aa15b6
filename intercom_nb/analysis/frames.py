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

from intercom_nb.analysis.reading import Source, Until, check_not_read, frames_from
from intercom_nb.analysis.tables import ALL_VERSIONS, TABLES, Frames
from intercom_nb.checks import checked_flag

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "agents_df",
    "chats_df",
    "deliveries_df",
    "events_df",
    "halts_df",
    "items_df",
    "memberships_df",
    "messages_df",
    "options_df",
    "read_frames",
    "runs_df",
    "steps_df",
    "tool_calls_df",
]


def read_frames(source: "Source", *, strict: bool = True, until: "Until" = None) -> Frames:
    """Return all frames of a log, all of one moment, also while it is written.

    Parameters
    ----------
    source : Source
        A service, a log's path, several of them, or a folder of logs.
    strict : bool, default True
        Raise at a damaged log; False leaves it out and lists it in each frame's ``attrs["errors"]``.
    until : int or str, optional
        As for `agents_df`.

    Returns
    -------
    Frames

    Raises
    ------
    LogError
        If a log is missing or damaged or has no such place, and `strict`.
    ValueError
        If `until` is given with frames that were read already.

    Examples
    --------
    >>> frames = read_frames(intercom)
    >>> frames.messages.merge(frames.runs, on="run_id").agent.tolist()
    ['Founder', 'Marketing Expert', 'Founder']
    """
    checked_flag(strict, "strict")
    if isinstance(source, Frames):
        check_not_read(until)
        return source
    return Frames(**frames_from(source, TABLES, strict=strict, until=until))


def agents_df(
    source: "Source", *, strict: bool = True, until: "Until" = None, versions: bool = False
) -> "pd.DataFrame":
    """Return one row per agent or person, in the order they were added.

    Parameters
    ----------
    source : Source
        A service, a log's path, several of them, or a folder of logs.
    strict : bool, default True
        Raise at a damaged log; False leaves it out and lists it in ``attrs["errors"]``.
    until : int or str, optional
        The log as it was at this place: a number (``seq``), or the id of a message or run; up to the end of the
        transaction that wrote it. Default: as it is now.
    versions : bool, default False
        One row per version instead: each change of an agent makes one.

    Returns
    -------
    DataFrame, shape (n_agents, 22)
        ``agent_id``, ``name``, ``kind`` (``agent`` or ``person``), ``team`` (as ``studio/design``; empty for none),
        ``description``, ``mission``, ``model`` (missing: the service's), ``settings`` (JSON: sent with its model
        calls), ``tools`` (names, with spaces between them), ``mail``, ``begins`` (boolean), ``max_runs``,
        ``max_tokens`` (Int64) and ``max_usd`` (float), its own limits, missing where it has none; ``notes`` (boolean),
        ``context`` (Int64, tokens; missing: the service's), ``contacts`` (missing: the service's), ``data`` (JSON),
        ``version`` (Int64, from 1; the newest), ``seq`` (Int64) and ``created_at`` of that version, ``added_at`` of
        the first.

    Raises
    ------
    LogError
        If a log is missing or damaged or has no such place, and `strict`.
    ValueError
        If `until` is given with frames that were read already.

    Examples
    --------
    >>> agents_df(intercom, until=messages_df(intercom).message_id[0]).name.tolist()
    ['Founder', 'Marketing Expert', 'Network Engineer']
    """
    checked_flag(versions, "versions")
    table = ALL_VERSIONS if versions else TABLES["agents"]
    return frames_from(source, {"agents": table}, strict=strict, until=until)["agents"]


def chats_df(source: "Source", *, strict: bool = True, until: "Until" = None) -> "pd.DataFrame":
    """Return one row per group chat, in the order they were created.

    Parameters
    ----------
    source, strict, until
        As for `agents_df`.

    Returns
    -------
    DataFrame, shape (n_chats, 8)
        ``chat_id``, ``name``, ``description``, ``admin_id``, ``admin`` (name), ``n_members`` (Int64, by then),
        ``seq`` (Int64), ``created_at``.
    """
    return _frame(source, "chats", strict=strict, until=until)


def memberships_df(source: "Source", *, strict: bool = True, until: "Until" = None) -> "pd.DataFrame":
    """Return one row per stay of a member in a group chat, by chat, in the order they joined.

    Parameters
    ----------
    source, strict, until
        As for `agents_df`.

    Returns
    -------
    DataFrame, shape (n_memberships, 8)
        ``chat_id``, ``chat`` (name), ``agent_id``, ``agent`` (name), ``joined_seq``, ``left_seq`` (Int64; missing while
        the member is in), ``joined_at``, ``left_at``.
    """
    return _frame(source, "memberships", strict=strict, until=until)


def messages_df(source: "Source", *, strict: bool = True, until: "Until" = None) -> "pd.DataFrame":
    """Return one row per accepted message, oldest first.

    Parameters
    ----------
    source, strict, until
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
    return _frame(source, "messages", strict=strict, until=until)


def deliveries_df(source: "Source", *, strict: bool = True, until: "Until" = None) -> "pd.DataFrame":
    """Return one row per delivery, a message for one receiver: by message, then by receiver's id.

    Parameters
    ----------
    source, strict, until
        As for `agents_df`.

    Returns
    -------
    DataFrame, shape (n_deliveries, 14)
        ``seq``, ``message_id``, ``created_at``, ``sender``, ``receiver`` (names), ``chat`` (name; missing if it was
        sent to this receiver alone), ``state`` (``pending`` or ``consumed``), ``consumed_at`` (when a run took it up,
        at its beginning or, with ``mail="asap"``, between two of its steps; missing if none did, or if a person
        received it), ``latency_s`` (float, seconds from ``created_at`` to ``consumed_at``), ``sender_id``,
        ``receiver_id``, ``chat_id``, ``run_id`` (the run that read it), ``consumed_seq`` (Int64, where it took it up).
    """
    return _frame(source, "deliveries", strict=strict, until=until)


def runs_df(source: "Source", *, strict: bool = True, until: "Until" = None) -> "pd.DataFrame":
    """Return one row per run, an agent's reaction to its mail, in the order they began.

    Parameters
    ----------
    source, strict, until
        As for `agents_df`.

    Returns
    -------
    DataFrame, shape (n_runs, 20)
        ``run_id``, ``agent_id``, ``agent`` (name), ``agent_version``, ``began_seq``, ``ended_seq`` (Int64; missing
        while it runs), ``began_at``, ``ended_at``, ``duration_s``, ``reason`` (how it ended), ``error``, ``attempts``
        (Int64; more than one: it was tried again, or gone on with; all but ``began_…`` tell of the last), ``n_steps``,
        ``n_received``, ``n_sent`` (Int64: model calls, messages read and sent), ``input_tokens``, ``cached_tokens``
        (part of the input), ``output_tokens`` (Int64) and ``usd`` (float), sums over its steps and missing unless
        known for every step that was answered; ``turn_idx`` (Int64, place of its turn in the conversation),
        ``chat_list`` (as shown).
    """
    return _frame(source, "runs", strict=strict, until=until)


def steps_df(source: "Source", *, strict: bool = True, until: "Until" = None) -> "pd.DataFrame":
    """Return one row per step, a model call of a run, in the order they were committed.

    Parameters
    ----------
    source, strict, until
        As for `agents_df`.

    Returns
    -------
    DataFrame, shape (n_steps, 22)
        ``run_id``, ``step`` (Int64, from 0), ``seq``, ``agent_id``, ``agent`` (name), ``kind`` (``answer`` or
        ``compact``), ``asked`` (the model that was asked for), ``model`` (the one that answered), ``settings`` (JSON,
        as sent), ``input_tokens``, ``cached_tokens`` (part of the input), ``output_tokens`` (Int64), ``usd`` (float),
        ``latency_s``, ``first_token_s`` (float, seconds until all of the answer, and its beginning, was there),
        ``repaired`` (boolean: the answer had to be mended), ``error`` (of a call that failed for good), ``is_waiting``
        (boolean: its tools are still at work), ``attempt`` (Int64, of the run), ``response_id`` (the server's),
        ``fingerprint`` (of everything that was sent), ``created_at`` (when the answer was committed).
    """
    return _frame(source, "steps", strict=strict, until=until)


def tool_calls_df(source: "Source", *, strict: bool = True, until: "Until" = None) -> "pd.DataFrame":
    """Return one row per tool call, chat tools among them, by run, step and place.

    Parameters
    ----------
    source, strict, until
        As for `agents_df`.

    Returns
    -------
    DataFrame, shape (n_tool_calls, 14)
        ``run_id``, ``step``, ``n`` (Int64, place in the step), ``call_id``, ``agent_id``, ``agent`` (name), ``tool``
        (its name), ``source`` (whose it is), ``arguments`` (JSON, as the model wrote it), ``output`` (missing while it
        works), ``is_failed`` (boolean), ``began_at``, ``ended_at``, ``duration_s`` (float, seconds).
    """
    return _frame(source, "tool_calls", strict=strict, until=until)


def items_df(source: "Source", *, strict: bool = True, until: "Until" = None) -> "pd.DataFrame":
    """Return one row per item of a conversation, by agent.

    Parameters
    ----------
    source, strict, until
        As for `agents_df`.

    Returns
    -------
    DataFrame, shape (n_items, 8)
        ``agent_id``, ``agent`` (name), ``idx`` (Int64, place in the conversation, from 0), ``run_id``, ``step``,
        ``type`` (``user``, ``assistant``, ``function_call``, …), ``text`` (the content, the output, or the arguments),
        ``payload`` (JSON, the item exactly as sent to the model).
    """
    return _frame(source, "items", strict=strict, until=until)


def events_df(source: "Source", *, strict: bool = True, until: "Until" = None) -> "pd.DataFrame":
    """Return one row per event that a person may want to know, in order.

    Parameters
    ----------
    source, strict, until
        As for `agents_df`.

    Returns
    -------
    DataFrame, shape (n_events, 13)
        ``seq`` (Int64), ``kind`` (such as ``chat_created`` or ``run_failed``), ``by_id``, ``by`` (who did it; missing:
        the program, or whoever wrote the code), ``agent_id``, ``agent`` (name), ``chat_id``, ``chat`` (name),
        ``run_id``, ``reason`` (in a word), ``data`` (JSON, what was changed), ``text`` (one sentence), ``created_at``.
    """
    return _frame(source, "events", strict=strict, until=until)


def options_df(source: "Source", *, strict: bool = True, until: "Until" = None) -> "pd.DataFrame":
    """Return one row per option that a service was told, each time it was told another value, in order.

    Parameters
    ----------
    source, strict, until
        As for `agents_df`.

    Returns
    -------
    DataFrame, shape (n_options, 5)
        ``seq`` (Int64), ``name``, ``value`` (JSON), ``set_at``, ``is_newest`` (boolean: it holds by then).

    Examples
    --------
    >>> options_df(intercom).set_index("name").value["courtesy"]
    'true'
    """
    return _frame(source, "options", strict=strict, until=until)


def halts_df(source: "Source", *, strict: bool = True, until: "Until" = None) -> "pd.DataFrame":
    """Return one row each time that the service or one agent was kept from model calls, and why, in order.

    Parameters
    ----------
    source, strict, until
        As for `agents_df`.

    Returns
    -------
    DataFrame, shape (n_halts, 7)
        ``seq`` (Int64), ``agent_id``, ``agent`` (name; missing: the whole service), ``reason`` (``paused``,
        ``stopped``, or the limit that was met), ``began_at``, ``ended_at``, ``ended_seq`` (Int64; missing while it
        lasts).
    """
    return _frame(source, "halts", strict=strict, until=until)


def _frame(source: "Source", name: str, *, strict: bool, until: "Until") -> "pd.DataFrame":
    return frames_from(source, {name: TABLES[name]}, strict=strict, until=until)[name]
