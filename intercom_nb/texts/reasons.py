"""Why a run ended, and why a service is not at work: one table of words, with a sentence for each."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

__all__ = ["ODD_ENDS", "odd_ends", "sentence"]

_SENTENCES = {
    "quiet": "quiet: nobody has anything left to say",
    "steps": "quiet, but a run was cut off at its limit of steps",
    "failed": "quiet, but a run failed; intercom.retry() tries it again",
    "courtesy": "quiet, but some said too little new, and their mail waits; intercom.release() delivers it",
    "paused": "paused; intercom.resume() goes on",
    "stopped": "stopped",
    "timeout": "still at work",
    "log": "stopped: the log could not be written",
    "loop": "stopped: code of a tool or a listener ended the loop that all agents run on; intercom.stop() lets the log "
    "go, and InterComService.open(intercom.log) goes on with it",
}

ODD_ENDS: Mapping[str, str] = MappingProxyType(
    {
        "said_nothing": "answered with nothing at all",
        "cut_off": "was cut off at the most it may write (settings max_output_tokens)",
        "refused": "refused to answer",
        "filtered": "was stopped by its server's content filter",
    }
)
"""Ends of a run that are no failure, and that a person should hear of."""


def sentence(reason: str) -> str:
    """Return why a service is not at work, in words."""
    return _SENTENCES.get(reason, f"paused: the limit of {reason} is met; raise intercom.limits and resume()")


def odd_ends(agents: Mapping[str, Sequence[str]]) -> str:
    """Return a sentence about runs that ended in an odd way; empty if none did.

    Parameters
    ----------
    agents : mapping
        Reason → ids of the agents whose last run ended for it.

    Examples
    --------
    >>> odd_ends({"refused": ["ann", "bob"]})
    'quiet, but ann, bob refused to answer'
    """
    told = [f"{', '.join(ids)} {ODD_ENDS[reason]}" for reason, ids in agents.items() if ids and reason in ODD_ENDS]
    return f"quiet, but {'; '.join(told)}" if told else ""
