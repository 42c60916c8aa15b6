"""Mission + guideline → instructions: what an agent is told before its first turn."""

import re
from importlib.resources import files

from intercom_nb.texts.documents import split_documents

__all__ = ["WHOLE", "compose", "guideline", "identity"]

WHOLE = "<!-- the whole instructions, without the guideline -->\n"
"""A mission that begins with this line is not composed: what follows is all the agent is told.

It is part of the text, so the log, an edit and an unfinished run keep it as they keep any mission.
"""

_HEAD = re.compile(r'You are the agent "(?P<name>.*)" \(id: (?P<id>\S+)\)\.\n\n# Mission\n\n')


def guideline() -> str:
    """Return the communication guideline that every agent is given (the file ``guideline.md``)."""
    return _GUIDELINE


_GUIDELINE = files("intercom_nb.texts").joinpath("guideline.md").read_text(encoding="utf-8").strip()


def compose(name: str, agent_id: str, mission: str) -> str:
    """Return an agent's instructions: who it is, its mission, the guideline; or the mission alone if it is `WHOLE`.

    Examples
    --------
    >>> print(compose("Founder", "founder", "Figure out how to market it.")[:69])
    You are the agent "Founder" (id: founder).
    <BLANKLINE>
    # Mission
    <BLANKLINE>
    Figure out how
    """
    if mission.startswith(WHOLE):
        return mission.removeprefix(WHOLE).strip()
    return f'You are the agent "{name}" (id: {agent_id}).\n\n# Mission\n\n{mission.strip()}\n\n{_GUIDELINE}'


def identity(instructions: str) -> tuple[str, str, str]:
    """Return ``(name, id, mission)`` read back from composed instructions.

    Instructions written some other way give an empty name and id, and are themselves the mission.
    Documents are left out: they are what an agent may look into, not what it is for.
    """
    head = _HEAD.match(instructions)
    if head is None:
        return "", "", split_documents(instructions)[0]
    mission = instructions[head.end() :].removesuffix(_GUIDELINE).strip()
    return head["name"], head["id"], split_documents(mission)[0]
