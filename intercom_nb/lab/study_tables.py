"""The runs of a study as frames: one row a run, what they say of each condition, and of each two."""

import math
import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from intercom_nb.errors import InterComError
from intercom_nb.lab.conditions import Condition
from intercom_nb.lab.statistics import (
    Difference,
    Estimate,
    difference_of_means,
    difference_of_shares,
    holm,
    mean,
    share,
)
from intercom_nb.lab.study_folder import FAILED, FinishedRun

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["COUNTED", "OutcomeOfLog", "Tables", "outcome_of"]

OutcomeOfLog = Callable[[Path], Any]
COUNTED: Mapping[str, Callable[[FinishedRun], float]] = {
    "messages": lambda run: run.spent.messages,
    "runs": lambda run: run.spent.runs,
    "steps": lambda run: run.spent.steps,
    "tokens": lambda run: run.spent.tokens,
    "usd": lambda run: run.spent.usd,
    "seconds": operator.attrgetter("seconds"),
}
"""What every log has counted, and can be asked for as an outcome by its name."""


def outcome_of(run: FinishedRun, outcome: OutcomeOfLog | str) -> tuple[bool | float | None, str]:
    """Return what came of a run, and what was wrong with asking: True or False, a number, or None for nothing."""
    if isinstance(outcome, str):
        return COUNTED[outcome](run), ""
    try:
        found = outcome(run.log)
    except Exception as error:  # noqa: BLE001 - a user's function: what it raises is told in its row
        is_ours = isinstance(error, InterComError)
        return None, str(error) if is_ours else f"{type(error).__name__}: {error}"
    if found is None or _is_missing(found):
        return None, ""
    if type(found).__name__ in ("bool", "bool_"):
        return bool(found), ""
    try:
        return float(found), ""
    except (TypeError, ValueError):
        return None, f"it returned {found!r:.60}; right would be True, False, a number or None"


def _is_missing(value: Any) -> bool:
    return type(value).__name__ == "NAType" or (isinstance(value, float) and math.isnan(value))


@dataclass
class Tables:
    """The runs of a study, each with what came of it.

    Attributes
    ----------
    factors : sequence of str
        What was varied.
    order : sequence of Condition
        Its conditions, in order.
    outcomes : mapping
        Name → function of a log, or the name of a count.
    paired : bool
        Whether runs of the same replication belong together.
    """

    factors: Sequence[str]
    order: Sequence[Condition]
    outcomes: Mapping[str, OutcomeOfLog | str]
    paired: bool
    _known: dict[tuple[Path, str], tuple[bool | float | None, str]] = field(default_factory=dict)

    def of(self, run: FinishedRun, name: str) -> bool | float | None:
        """Return one outcome of one run, asked for once."""
        return self._asked(run, name)[0]

    def _asked(self, run: FinishedRun, name: str) -> tuple[bool | float | None, str]:
        if (run.log, name) not in self._known:
            # A run that failed has not come to its end: whatever is asked of its end is not so, or not known.
            is_open = run.reason == FAILED and not isinstance(self.outcomes[name], str)
            self._known[run.log, name] = (None, "") if is_open else outcome_of(run, self.outcomes[name])
        return self._known[run.log, name]

    def is_share(self, runs: Sequence[FinishedRun], name: str) -> bool:
        """Return whether an outcome is a yes or no."""
        found = [value for run in runs if (value := self.of(run, name)) is not None]
        return bool(found) and all(isinstance(value, bool) for value in found)

    def runs(self, runs: Sequence[FinishedRun], stale: Mapping[Path, bool]) -> "pd.DataFrame":
        """Return one row a run."""
        import pandas as pd

        place = {tuple(one.labels.values()): n for n, one in enumerate(self.order)}
        last = len(place)
        rows = [
            {
                **{factor: run.labels.get(factor) for factor in self.factors},
                "replication": run.replication,
                **{name: self.of(run, name) for name in self.outcomes},
                "reason": run.reason,
                **{name: count(run) for name, count in COUNTED.items()},
                "stale": stale[run.log],
                "trouble": self._trouble(run),
                "log": str(run.log),
            }
            for run in sorted(runs, key=lambda run: (place.get(tuple(run.labels.values()), last), run.replication))
        ]
        counted = {name: "float64" if name in ("usd", "seconds") else "int64" for name in COUNTED}
        types = dict.fromkeys(self.factors, "string") | {"replication": "int64", "reason": "string", **counted}
        types |= {"stale": "boolean", "trouble": "string", "log": "string"}
        types |= {name: "boolean" if self.is_share(runs, name) else "Float64" for name in self.outcomes}
        names = [*self.factors, "replication", *self.outcomes, "reason"]
        names += [*(name for name in COUNTED if name not in self.outcomes), "stale", "trouble", "log"]
        return pd.DataFrame(rows, columns=names).astype({name: types[name] for name in names})

    def _trouble(self, run: FinishedRun) -> str:
        said = [f"{name}: {why}" for name in self.outcomes if (why := self._asked(run, name)[1])]
        return "; ".join([run.error] * bool(run.error) + said)

    # -- what they say

    def _values(self, runs: Sequence[FinishedRun], name: str, *, as_share: bool) -> list[tuple[FinishedRun, float]]:
        """Return what counts of some runs: a failed one is a no; where a number is asked for, it has none."""
        found: list[tuple[FinishedRun, float]] = []
        for run in runs:
            value = self.of(run, name)
            if value is not None:
                found.append((run, value))
            elif as_share and run.reason == FAILED:
                found.append((run, False))
        return found

    def estimate(self, runs: Sequence[FinishedRun], name: str, *, as_share: bool, level: float) -> Estimate:
        """Return what some runs of one condition say of an outcome."""
        values = [float(value) for _, value in self._values(runs, name, as_share=as_share)]
        return share(int(sum(values)), len(values), level=level) if as_share else mean(values, level=level)

    def summary(self, runs: Sequence[FinishedRun], level: float) -> "pd.DataFrame":
        """Return one row for each condition and outcome."""
        import pandas as pd

        rows = []
        for name in self.outcomes:
            as_share = self.is_share(runs, name)
            for condition in self.order:
                mine = [run for run in runs if run.labels == condition.labels]
                found = self.estimate(mine, name, as_share=as_share, level=level)
                n_failed = sum(run.reason == FAILED for run in mine)
                numbers = {"n": found.n, FAILED: n_failed, "value": found.value, "low": found.low, "high": found.high}
                what = {"outcome": name, "kind": "share" if as_share else "mean"}
                rows.append({**condition.labels, **what, **numbers, "interval": found.method})
        names = [*self.factors, "outcome", "kind", "n", FAILED, "value", "low", "high", "interval"]
        return pd.DataFrame(rows, columns=names)

    def comparison(
        self, runs: Sequence[FinishedRun], factor: str, baseline: str, names: Sequence[str], level: float
    ) -> "pd.DataFrame":
        """Return one row for each outcome and each other level of a factor, beside its baseline."""
        import pandas as pd

        labels = list(dict.fromkeys(one.labels[factor] for one in self.order))
        rows: list[dict[str, Any]] = []
        for name in names:
            as_share = self.is_share(runs, name)
            for label in labels:
                if label != baseline:
                    found = self._difference(runs, factor, (baseline, label), name, as_share=as_share, level=level)
                    rows.append(
                        {
                            "outcome": name, "baseline": baseline, "level": label, "n": found.n,
                            "difference": found.value, "low": found.low, "high": found.high, "p": found.p,
                            "test": found.test,
                        }
                    )  # fmt: skip
        for row, p in zip(rows, holm([row["p"] for row in rows]), strict=True):
            row["p_adjusted"] = p
        columns = ["outcome", "baseline", "level", "n", "difference", "low", "high", "p", "p_adjusted", "test"]
        return pd.DataFrame(rows, columns=columns)

    def _difference(
        self,
        runs: Sequence[FinishedRun],
        factor: str,
        between: tuple[str, str],
        name: str,
        *,
        as_share: bool,
        level: float,
    ) -> Difference:
        sides: list[dict[tuple[Any, ...], float]] = []
        for label in between:
            mine = [run for run in runs if run.labels.get(factor) == label]
            values = self._values(mine, name, as_share=as_share)
            sides.append({self._pair_of(run, factor): value for run, value in values})
        before, after = sides
        if self.paired:
            common = [key for key in before if key in after]
            before, after = ({key: side[key] for key in common} for side in sides)
        first, second = list(before.values()), list(after.values())
        if as_share:
            return difference_of_shares(
                [bool(one) for one in first], [bool(one) for one in second], paired=self.paired, level=level
            )  # fmt: skip
        return difference_of_means(first, second, paired=self.paired, level=level)

    def _pair_of(self, run: FinishedRun, factor: str) -> tuple[Any, ...]:
        others = tuple(label for name, label in run.labels.items() if name != factor)
        return (*others, run.replication)
