"""Why a run ended, and why a service is not at work: one table of words, with a sentence for each."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

__all__ = ["ODD_ENDS", "nobody_began", "nobody_wrote", "odd_ends", "sentence", "unheard"]

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
        "said_nothing": "answered with nothing at all, neither a tool call nor a word",
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


def nobody_began(agent_id: str) -> str:
    """Return a sentence about a society in which nobody was set to work.

    Examples
    --------
    >>> nobody_began("ann")
    "quiet: nobody was set to work yet; intercom['ann'].begin() sets one to work, or write to one"
    """
    return f"quiet: nobody was set to work yet; intercom[{agent_id!r}].begin() sets one to work, or write to one"


def nobody_wrote(names: str, told: str) -> str:
    """Return a sentence about a society that went quiet before an agent had sent a message.

    Parameters
    ----------
    names : str
        Of the agents that had a run.
    told : str
        What they wrote instead, by `unheard`; empty if nothing.
    """
    return f"quiet, but no agent sent a message: {told or f'{names} ended without a word that was heard'}"


def unheard(wrote: Sequence[tuple[str, str, str]]) -> str:
    """Return what agents wrote that reached nobody, in a sentence that says what to do; empty if nobody did.

    Parameters
    ----------
    wrote : sequence of (str, str, str)
        Agents, the beginning of what each wrote, and what its model is called.

    Examples
    --------
    >>> unheard([("ann", "I would ask Bob.", "tiny")])
    'ann wrote “I would ask Bob.” as plain text, and only tools reach others; perhaps the model (tiny) calls no tools'
    """
    if not wrote:
        return ""
    said = " and ".join(f"{agent_id} wrote “{text}”" for agent_id, text, _ in wrote)
    models = ", ".join(dict.fromkeys(label for _, _, label in wrote))
    return f"{said} as plain text, and only tools reach others; perhaps the model ({models}) calls no tools"
