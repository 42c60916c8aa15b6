"""One finished run of a lab."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from intercom_nb.analysis import Log
from intercom_nb.readable import counted
from intercom_nb.views import Dashboard

__all__ = ["LabRun"]


@dataclass(frozen=True, slots=True)
class LabRun:
    """One run of a cast, finished; shown by the last line of a cell as its dashboard.

    Attributes
    ----------
    number : int
        1, 2, …
    changed : str
        Whose mission or description is not what it was in the run before, in words.
    log : Log
        Its log, as of any other service: a path that can be asked.
    reason : str
        Why it stopped; ``quiet`` is a good end.
    messages, tokens : int
        How many.
    who : dict
        Who wrote to whom: sender → receiver → deliveries.
    goals : dict
        For the casts of the demos, what should come about → whether it did; empty for any other.
    """

    number: int
    changed: str
    log: Log
    reason: str
    messages: int
    tokens: int
    who: Mapping[str, Mapping[str, int]]
    goals: Mapping[str, bool]

    def __repr__(self) -> str:
        met = f", {sum(self.goals.values())} of {len(self.goals)} goals met" if self.goals else ""
        what = f"{counted(self.messages, 'message')}, {counted(self.tokens, 'token')}{met}"
        return f"<run {self.number} ({self.changed}): {self.reason}; {what}; log {self.log}>"

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, Any]:  # noqa: ARG002 - as IPython calls it
        return Dashboard(self.log)._repr_mimebundle_() | {"text/plain": repr(self)}
