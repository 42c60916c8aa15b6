"""What a person may do from a view: start, pause, edit, write … Each answers with one sentence."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from intercom_nb.errors import InterComError, listed
from intercom_nb.members.chat import Chat
from intercom_nb.members.owner import Owner

__all__ = ["do"]


_Asked = Mapping[str, Any]


def do(owner: Owner, asked: _Asked) -> dict[str, Any]:
    """Do what was asked for, and return ``ok`` and a ``sentence``.

    Parameters
    ----------
    owner : Owner
        Whose view it is.
    asked : mapping
        What came from the page; ``action`` says what to do.
    """
    action = _ACTIONS.get(str(asked.get("action")))
    if action is None:
        return _no(f"there is no action {asked.get('action')!r}; right would be one of {listed(_ACTIONS)}")
    try:
        return {"ok": True, "sentence": action(owner, asked)}
    except KeyError as error:
        return _no(f"{asked['action']} needs {error}")
    except (InterComError, ValueError, TypeError) as error:
        return _no(str(error))


def _no(sentence: str) -> dict[str, Any]:
    return {"ok": False, "sentence": sentence}


def _start(owner: Owner, _: _Asked) -> str:
    owner.start()
    return f"{owner.name} runs."


def _begin(owner: Owner, asked: _Asked) -> str:
    agent = owner.agent(asked["agent"])
    if owner.state == "new":
        owner.start()
    agent.begin()
    return f"{agent.name} begins."


def _pause(owner: Owner, _: _Asked) -> str:
    owner.pause()
    return f"{owner.name} is paused; model calls in flight end and are kept."


def _resume(owner: Owner, _: _Asked) -> str:
    owner.resume()
    return f"{owner.name} goes on."


def _step(owner: Owner, _: _Asked) -> str:
    agent_id = owner.step()
    if agent_id is None:
        return "Nobody has anything to do."
    return f"{owner.name_of(agent_id)} has one run, then everybody is paused again."


def _pause_agent(owner: Owner, asked: _Asked) -> str:
    agent = owner.agent(asked["agent"])
    agent.pause()
    return f"{agent.name} is paused; its mail waits, and the others go on."


def _resume_agent(owner: Owner, asked: _Asked) -> str:
    agent = owner.agent(asked["agent"])
    agent.resume()
    return f"{agent.name} goes on."


def _stop(owner: Owner, _: _Asked) -> str:
    owner.stop()
    return f"{owner.name} has stopped for good; its log goes on with InterComService.open(path)."


def _retry(owner: Owner, asked: _Asked) -> str:
    if asked.get("agent") is None:
        tried = owner.retry()
        return f"{tried} {'run is' if tried == 1 else 'runs are'} tried again." if tried else "No run has failed."
    agent = owner.agent(asked["agent"])
    return f"{agent.name} tries again." if agent.retry() else f"{agent.name} has no failed run to try again."


def _edit(owner: Owner, asked: _Asked) -> str:
    agent = owner.agent(asked["agent"])
    for name in ("mission", "description"):
        if asked.get(name) is not None:
            setattr(agent, name, asked[name])
    return f"{agent.name} is edited; it counts from its next run on."


def _person(owner: Owner, asked: _Asked) -> str:
    """Return the id of the person who writes, or raise ValueError."""
    sender, people = str(asked["as"]), owner.people()
    if sender not in people:
        right = listed(people) if people else "intercom.add_person('You') makes one"
        raise ValueError(f"{sender!r} is no person here, and only persons write from a view ({right})")
    return sender


def _join(owner: Owner, asked: _Asked) -> str:
    person, group = _person(owner, asked), owner.party(asked["to"])
    if not isinstance(group, Chat):
        raise ValueError(f"{group.name} is no group, and only a group can be joined")  # noqa: TRY004 - a value from a page
    owner.add_chat_member(person, group.id, group.admin_id)
    return f"{owner.name_of(person)} is now in {group.name}."


def _send(owner: Owner, asked: _Asked) -> str:
    sender = _person(owner, asked)
    receiver = owner.party(asked["to"], sender)
    owner.send_message(asked["text"], receiver.id, sender)
    return f"Sent to {receiver.name}."


_ACTIONS: Mapping[str, Callable[[Owner, _Asked], str]] = MappingProxyType(
    {
        "start": _start,
        "begin": _begin,
        "pause": _pause,
        "resume": _resume,
        "step": _step,
        "stop": _stop,
        "pause_agent": _pause_agent,
        "resume_agent": _resume_agent,
        "retry": _retry,
        "edit": _edit,
        "join": _join,
        "send": _send,
    }
)
