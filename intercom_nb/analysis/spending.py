"""What things cost: to send a message, to read one, and what everybody spent."""

import math
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from intercom_nb.analysis.reading import Source, Until
from intercom_nb.analysis.rows import LogRows, stacked

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Cost", "Spending", "cost", "cost_of", "sending", "spending"]


@dataclass(frozen=True, slots=True)
class Cost:
    """Tokens and US dollars; dollars are NaN where a price is not known."""

    tokens: float = 0.0
    usd: float = 0.0

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(self.tokens + other.tokens, self.usd + other.usd)

    def __truediv__(self, parts: int) -> "Cost":
        return Cost(self.tokens / parts, self.usd / parts)


@dataclass(frozen=True, slots=True)
class Spending:
    """What each part of a log cost.

    Attributes
    ----------
    none : Cost
        What is spent where nothing else is said: nothing; NaN for a log read back from text, which does not say.
    of_agent : dict of Cost
        By agent id: its own model calls.
    reading : dict of Cost
        By agent id and a message's seq: what it cost that this agent read this message, that is the run's cost
        divided evenly among the messages it consumed.
    """

    none: Cost = Cost()
    of_agent: dict[str, Cost] = field(default_factory=dict)
    reading: dict[tuple[str, int], Cost] = field(default_factory=dict)


def spending(state: LogRows) -> Spending:
    """Return what each agent and each message read cost."""
    none = Cost(math.nan, math.nan) if state.is_text else Cost()
    spent = Spending(none, dict.fromkeys(state.members, none))
    runs = {run.run_id: Cost() for run in state.runs}
    for step in state.steps:
        one = Cost(step.tokens, step.price)
        runs[step.run_id] += one
        spent.of_agent[step.agent_id] += one
    # What the program remarks to a run under way did not cause it.
    remarks = {message.seq for message in state.messages if message.sender_id is None and message.run_id is not None}
    read = [delivery for delivery in state.deliveries if delivery.run_id is not None and delivery.seq not in remarks]
    consumed = Counter(delivery.run_id for delivery in read)
    for delivery in read:
        share = runs[delivery.run_id or ""] / consumed[delivery.run_id]
        spent.reading[delivery.receiver_id, delivery.seq] = share
    return spent


def sending(messages: "pd.DataFrame", steps: "pd.DataFrame") -> "pd.DataFrame":
    """Return what it cost to send each message: what the step that sent it cost, shared evenly among all it sent.

    Parameters
    ----------
    messages, steps : DataFrame
        Of one log, or of several with a column ``log``; columns as `messages_df` and `steps_df` have them.

    Returns
    -------
    DataFrame, shape (n_messages, 2)
        ``tokens``, ``usd`` (float), in the order of the messages: 0 for a message of a person or the program; NaN for
        one read back from text, and for money where the step's price is not known.
    """
    import numpy as np
    import pandas as pd

    run = [*(name for name in ("log",) if name in steps), "run_id"]
    asked = steps[[*run, "step"]].astype(object)  # else a column of which nothing is there has a type of its own
    asked["seq"] = steps["seq"].astype("int64")
    asked["tokens"] = (steps["input_tokens"].fillna(0) + steps["output_tokens"].fillna(0)).astype("float64")
    asked["usd"] = steps["usd"].astype("float64").mask(steps["usd"].isna() & steps["error"].notna(), 0.0)
    said = messages[run].astype(object).assign(seq=messages["seq"].astype("int64"), place=np.arange(len(messages)))
    said = said[messages["sender_id"].notna().to_numpy()]
    # A message is committed with the step that sent it, after it: that is the newest of its run before it.
    sent = pd.merge_asof(said.sort_values("seq"), asked.sort_values("seq"), "seq", by=run, allow_exact_matches=False)
    sent = sent[sent["step"].notna()]
    n_sent = sent.groupby([*run, "step"])["seq"].transform("size")
    costs = np.zeros((len(messages), 2))
    costs[messages["created_at"].isna()] = math.nan
    costs[sent["place"]] = sent[["tokens", "usd"]].div(n_sent, axis="index")
    return pd.DataFrame(costs, columns=["tokens", "usd"])


def cost(source: "Source", *, until: "Until" = None) -> "pd.DataFrame":
    """Return what it cost, one row per agent and a last one, ``total``.

    Parameters
    ----------
    source : Source
        A service, also while it runs, or a log.
    until : int or str, optional
        The log as it was at this place, as for `agents_df`. Default: as it is now.

    Returns
    -------
    DataFrame, shape (n_agents + 1, 6)
        Index ``agent`` (names in the order they were added, then ``total``). Columns, sums over all steps: ``runs``,
        ``steps`` (int, model calls, failed ones too), ``input_tokens`` (int, cached ones among them),
        ``cached_tokens``, ``output_tokens`` (int), ``usd`` (float, US dollars; NaN if the price of any answered call
        is not known). Tokens a server did not count are none; all is missing for a log read back from text. Persons
        cost nothing and have no row. Of several logs, ``log`` comes first.

    Examples
    --------
    >>> float(cost(intercom).usd["total"])
    0.0
    """
    return stacked(source, cost_of, until)


def cost_of(state: LogRows) -> "pd.DataFrame":
    """Return what `cost` does, of one state of a log."""
    import pandas as pd

    rows: dict[str, list[float]] = {
        member.agent_id: [0, 0, 0, 0, 0, 0.0] for member in state.members.values() if member.kind != "person"
    }
    for run in state.runs:
        rows[run.agent_id][0] += 1
    for step in state.steps:
        tokens = (step.input_tokens or 0, step.cached_tokens or 0, step.output_tokens or 0)
        row = rows[step.agent_id]
        row[1:] = (a + b for a, b in zip(row[1:], (1, *tokens, step.price), strict=True))
    columns = ["runs", "steps", "input_tokens", "cached_tokens", "output_tokens", "usd"]
    values = [*rows.values(), [sum(column) for column in zip(*rows.values(), strict=True)] or [0] * len(columns)]
    index = pd.Index(
        [*(state.members[agent_id].name for agent_id in rows), "total"], name="agent", dtype="string[pyarrow]"
    )
    frame = pd.DataFrame(values, columns=columns, index=index)
    if state.is_text:
        frame = frame.astype(object).mask(frame.notna(), None)
    return frame.astype(dict.fromkeys(columns[:-1], "Int64") | {"usd": "float64"})
