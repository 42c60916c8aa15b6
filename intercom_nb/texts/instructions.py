"""Mission + guideline → instructions: what an agent is told before its first turn."""

import functools
import hashlib
import re
from importlib.resources import files
from typing import NamedTuple

from intercom_nb.texts.documents import split_documents

__all__ = ["WHOLE", "Identity", "compose", "guideline", "guideline_digest", "identity"]

WHOLE = "<!-- the whole instructions, without the guideline -->\n"
"""A mission that begins with this line is not composed: what follows is all the agent is told.

It is part of the text, so the log, an edit and an unfinished run keep it as they keep any mission.
"""

_HEAD = re.compile(
    r'You are the agent "(?P<name>.*)" \(id: (?P<id>\S+)\)\.(?: Others see you as: (?P<description>.+))?\n\n'
    r"(?P<mission># Mission\n\n)?"
)


class Identity(NamedTuple):
    """Who an agent is, read back from its instructions.

    Attributes
    ----------
    name, id, mission, description : str
        Empty where the instructions do not say.
    """

    name: str
    id: str
    mission: str
    description: str = ""


def guideline() -> str:
    """Return the communication guideline that every agent is given (the file ``guideline.md``)."""
    return _GUIDELINE


_GUIDELINE = files("intercom_nb.texts").joinpath("guideline.md").read_text(encoding="utf-8").strip()


@functools.cache
def guideline_digest() -> str:
    """Return what a log keeps of the guideline, to tell whether it was another one."""
    return hashlib.sha256(_GUIDELINE.encode()).hexdigest()[:16]


def compose(name: str, agent_id: str, mission: str, description: str = "") -> str:
    """Return an agent's instructions: who it is and how others see it, its mission, the guideline.

    What is empty is left out; a mission that is `WHOLE` is all there is.

    Examples
    --------
    >>> print(compose("Founder", "founder", "Figure out how to market it.", "Runs a studio.")[:103])
    You are the agent "Founder" (id: founder). Others see you as: Runs a studio.
    <BLANKLINE>
    # Mission
    <BLANKLINE>
    Figure out how
    """
    if mission.startswith(WHOLE):
        return mission.removeprefix(WHOLE).strip()
    head = f'You are the agent "{name}" (id: {agent_id}).'
    if seen := " ".join(description.split()):
        head = f"{head} Others see you as: {seen}"
    parts = [head, f"# Mission\n\n{mission.strip()}" if mission.strip() else "", _GUIDELINE]
    return "\n\n".join(filter(None, parts))


def identity(instructions: str) -> Identity:
    """Return who an agent is, read back from composed instructions.

    Instructions written some other way give an empty name and id, and are themselves the mission.
    Documents are left out: they are what an agent may look into, not what it is for.
    """
    head = _HEAD.match(instructions)
    if head is None:
        return Identity("", "", split_documents(instructions)[0])
    mission = instructions[head.end() :].removesuffix(_GUIDELINE).strip()
    return Identity(head["name"], head["id"], split_documents(mission)[0], head["description"] or "")
