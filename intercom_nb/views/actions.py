"""What a person may do from a view: start, pause, edit, write … Each answers with one sentence."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Protocol

from intercom_nb.errors import InterComError, listed

__all__ = ["Doing", "do"]


class Doing(Protocol):
    """What a view may ask of a service."""

    name: str
    registry: Any

    def start(self) -> None:
        """Let agents run."""

    def pause(self) -> None:
        """Make no further model call."""

    def resume(self) -> None:
        """Go on."""

    def step(self) -> str | None:
        """Let one agent have one run, then pause again."""

    def stop(self) -> None:
        """Stop for good."""

    def edit(self, agent_id: str, *, mission: str | None = None, description: str | None = None) -> None:
        """Change what an agent is for."""

    def send_message(self, message: str, receiver_id: str, sender_id: str | None = None) -> Any:
        """Accept a message."""

    def people(self) -> list[str]:
        """Return the ids of the persons."""


_Asked = Mapping[str, Any]


def do(service: Doing, asked: _Asked) -> dict[str, Any]:
    """Do what was asked for, and return ``ok`` and a ``sentence``.

    Parameters
    ----------
    service : Doing
        Whose view it is.
    asked : mapping
        What came from the page; ``action`` says what to do.
    """
    action = _ACTIONS.get(str(asked.get("action")))
    if action is None:
        return _no(f"there is no action {asked.get('action')!r}; right would be one of {listed(_ACTIONS)}")
    try:
        return {"ok": True, "sentence": action(service, asked)}
    except KeyError as error:
        return _no(f"{asked['action']} needs {error}")
    except (InterComError, ValueError, TypeError) as error:
        return _no(str(error))


def _no(sentence: str) -> dict[str, Any]:
    return {"ok": False, "sentence": sentence}


def _start(service: Doing, _: _Asked) -> str:
    service.start()
    return f"{service.name} runs."


def _pause(service: Doing, _: _Asked) -> str:
    service.pause()
    return f"{service.name} is paused; model calls in flight end and are kept."


def _resume(service: Doing, _: _Asked) -> str:
    service.resume()
    return f"{service.name} goes on."


def _step(service: Doing, _: _Asked) -> str:
    agent_id = service.step()
    if agent_id is None:
        return "Nobody has anything to do."
    return f"{service.registry.get_agent(agent_id).name} has one run, then everybody is paused again."


def _pause_agent(service: Doing, asked: _Asked) -> str:
    agent = service.registry.get_agent(asked["agent"])
    agent.pause()
    return f"{agent.name} is paused; its mail waits, and the others go on."


def _resume_agent(service: Doing, asked: _Asked) -> str:
    agent = service.registry.get_agent(asked["agent"])
    agent.resume()
    return f"{agent.name} goes on."


def _stop(service: Doing, _: _Asked) -> str:
    service.stop()
    return f"{service.name} has stopped for good; its log goes on with InterComService.open(path)."


def _retry(service: Doing, asked: _Asked) -> str:
    agent = service.registry.get_agent(asked["agent"])
    return f"{agent.name} tries again." if agent.retry() else f"{agent.name} has no failed run to try again."


def _edit(service: Doing, asked: _Asked) -> str:
    agent = service.registry.get_agent(asked["agent"])
    service.edit(agent.id, mission=asked.get("mission"), description=asked.get("description"))
    return f"{agent.name} is edited; it counts from its next run on."


def _send(service: Doing, asked: _Asked) -> str:
    sender, people = asked["as"], service.people()
    if sender not in people:
        right = listed(people) if people else "intercom.add_person('You') makes one"
        raise ValueError(f"{sender!r} is no person here, and only persons write from a view ({right})")
    receiver = service.registry.party(asked["to"], sender)
    service.send_message(asked["text"], receiver.id, sender)
    return f"Sent to {receiver.name}."


_ACTIONS: Mapping[str, Callable[[Doing, _Asked], str]] = MappingProxyType(
    {
        "start": _start,
        "pause": _pause,
        "resume": _resume,
        "step": _step,
        "stop": _stop,
        "pause_agent": _pause_agent,
        "resume_agent": _resume_agent,
        "retry": _retry,
        "edit": _edit,
        "send": _send,
    }
)
