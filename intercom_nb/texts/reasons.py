"""Why a service is not at work, in words."""

__all__ = ["sentence"]

_SENTENCES = {
    "quiet": "quiet: nobody has anything left to say",
    "steps": "quiet, but a run was cut off at its limit of steps",
    "failed": "quiet, but a run failed; intercom.retry() tries it again",
    "courtesy": "quiet, but some said too little new, and their mail waits; intercom.release() delivers it",
    "paused": "paused; intercom.resume() goes on",
    "stopped": "stopped",
    "timeout": "still at work",
    "log": "stopped: the log could not be written",
}


def sentence(reason: str) -> str:
    """Return why a service is not at work, in words."""
    return _SENTENCES.get(reason, f"paused: the limit of {reason} is met; raise intercom.limits and resume()")
