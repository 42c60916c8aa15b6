"""Mission + guideline → instructions: what an agent is told before its first turn."""

import re
from importlib.resources import files

__all__ = ["compose", "guideline", "identity"]

_HEAD = re.compile(r'You are the agent "(?P<name>.*)" \(id: (?P<id>\S+)\)\.\n\n# Mission\n\n')


def guideline() -> str:
    """Return the communication guideline that every agent is given (the file ``guideline.md``)."""
    return _GUIDELINE


_GUIDELINE = files("intercom_nb").joinpath("guideline.md").read_text(encoding="utf-8").strip()


def compose(name: str, agent_id: str, mission: str) -> str:
    """Return an agent's instructions: who it is, its mission, the guideline.

    Examples
    --------
    >>> print(compose("Founder", "founder", "Figure out how to market it.")[:69])
    You are the agent "Founder" (id: founder).
    <BLANKLINE>
    # Mission
    <BLANKLINE>
    Figure out how
    """
    return f'You are the agent "{name}" (id: {agent_id}).\n\n# Mission\n\n{mission.strip()}\n\n{_GUIDELINE}'


def identity(instructions: str) -> tuple[str, str, str]:
    """Return ``(name, id, mission)`` read back from composed instructions.

    Instructions written some other way give an empty name and id, and are themselves the mission.
    """
    head = _HEAD.match(instructions)
    if head is None:
        return "", "", instructions
    return head["name"], head["id"], instructions[head.end() :].removesuffix(_GUIDELINE).strip()
