"""What an agent's conversation so far tells the offline assistant: what is new, whom it asked, who answered."""

import functools
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from intercom_nb.messages import Item
from intercom_nb.models.offline.words import classify, clip, is_answer
from intercom_nb.texts.turns import Incoming, Turn, read_turn

__all__ = ["Matter", "Past", "is_accepted", "new_turns", "outputs_note", "read_past"]

_CHAT_ID = re.compile(r"\bchat-\d+\b")
_REFUSED = re.compile(
    r"\W*(error|cannot|could not|failed|invalid|refused|unknown|not|no (agent|chat|group|person|tool|such))\b",
    re.IGNORECASE,
)
_OWN_ITEMS = ("function_call", "function_call_output", "reasoning")


@dataclass(slots=True)
class Matter:
    """A question this agent asked: where, whom (nobody in particular: empty), and what came back."""

    chat_id: str
    asked: set[str]
    question: str
    heard: dict[str, Incoming] = field(default_factory=dict)
    summed_up: bool = False

    @property
    def missing(self) -> set[str]:
        """Those asked who have not answered."""
        return self.asked - self.heard.keys()

    @property
    def is_ripe(self) -> bool:
        """Whether everybody asked has answered, and that has not been summed up."""
        return bool(self.heard) and not self.missing and not self.summed_up


@dataclass(slots=True)
class Past:
    """What the conversation so far says: matters, own groups with their members, answers, who spoke where."""

    matters: list[Matter] = field(default_factory=list)
    groups: dict[str, set[str]] = field(default_factory=dict)
    speakers: dict[str, set[str]] = field(default_factory=dict)
    spoken_in: set[str] = field(default_factory=set)
    answers: list[Incoming] = field(default_factory=list)


def new_turns(items: Sequence[Item]) -> list[Turn]:
    r"""Return the turns nothing has been answered to yet: those after the agent's last own item.

    Examples
    --------
    >>> new_turns([{"role": "assistant", "content": "Done."}, {"role": "user", "content": "Message:\nBegin"}])
    [Turn(chat_list=(), incoming=(), plain=('Begin',))]
    """
    new: list[Turn] = []
    for item in reversed(items):
        if item.get("role") == "assistant" or item.get("type") in _OWN_ITEMS:
            break
        if item.get("role") == "user":
            new.insert(0, _turn(item))
    return new


def _turn(item: Item) -> Turn:
    return _read(_plain_text(item.get("content")))


@functools.lru_cache(maxsize=4_000)
def _read(text: str) -> Turn:
    try:
        turn = read_turn(text)
    except (ValueError, TypeError):  # TypeError: a line of the chat list with other fields
        return Turn((), (), (text,) if text.strip() else ())
    known = (entry for entry in turn.chat_list if all(isinstance(told, str) for told in entry.as_dict().values()))
    return replace(turn, chat_list=tuple(known))


def _plain_text(content: object) -> str:
    """Return the text of an item's content: a str, or a list of parts."""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "\n".join(str(part["text"]) for part in content if isinstance(part, dict) and "text" in part)
    return ""


def read_past(items: Sequence[Item], own_id: str) -> Past:
    """Return what a conversation says about the agent's own questions and groups."""
    answered = [item for item in items if item.get("type") == "function_call_output"]
    outputs = {str(item.get("call_id")): _plain_text(item.get("output")) for item in answered}
    past = Past()
    for item in items:
        if item.get("type") == "function_call":
            output = outputs.get(str(item.get("call_id")), "no such call")
            _note_call(past, str(item.get("name")), _arguments(item), output)
        elif item.get("role") == "user":
            for frame in _turn(item).incoming:
                if frame.author_id != own_id:
                    _note_frame(past, frame)
    return past


def _arguments(item: Item) -> dict[str, Any]:
    """Return a tool call's arguments; none where they are no JSON object."""
    try:
        arguments = json.loads(item.get("arguments") or "{}")
    except (ValueError, TypeError, RecursionError):
        return {}
    return arguments if isinstance(arguments, dict) else {}


def _note_call(past: Past, name: str, arguments: Mapping[str, Any], output: str) -> None:
    """Add one of the agent's own tool calls, with its output, to what is known."""
    chat_id, message = str(arguments.get("chat_id")), str(arguments.get("message") or "")
    if name == "send_message" and classify(message) == "summary":
        for matter in past.matters:
            matter.summed_up |= matter.chat_id == chat_id
    if not is_accepted(output):
        return
    if name == "create_chat" and (found := _CHAT_ID.search(output)):
        chat_id, ids = found.group(), arguments.get("agent_ids")
        past.groups[chat_id] = {str(one) for one in ids} if isinstance(ids, list) else set()
    elif name in ("add_chat_member", "remove_chat_member"):
        one = {str(arguments.get("agent_id"))}
        members = past.groups.get(chat_id, set())
        past.groups[chat_id] = members | one if name == "add_chat_member" else members - one
        for matter in past.matters:
            if matter.chat_id == chat_id and name == "remove_chat_member":
                matter.asked -= one
        return
    elif name != "send_message":
        return
    past.spoken_in.add(chat_id)
    if "?" in message:
        is_group = chat_id in past.groups or _CHAT_ID.fullmatch(chat_id)
        asked = past.groups.get(chat_id) or past.speakers.get(chat_id, set()) if is_group else {chat_id}
        past.matters.append(Matter(chat_id, set(asked), message))


def _note_frame(past: Past, frame: Incoming) -> None:
    """Add a message to what is known; an answer counts in its chat, or wherever its author was asked."""
    past.speakers.setdefault(frame.chat_id, set()).add(frame.author_id)
    if not is_answer(frame.text):
        return
    pending = [matter for matter in past.matters if not matter.summed_up]
    fitting = [m for m in pending if m.chat_id == frame.chat_id and (not m.asked or frame.author_id in m.asked)]
    if not fitting and frame.type == "agent":
        fitting = [matter for matter in pending if frame.author_id in matter.asked]
    for matter in fitting:
        matter.heard[frame.author_id] = frame
    if any(frame.author_id in matter.asked for matter in past.matters):
        past.answers.append(frame)


def is_accepted(output: str) -> bool:
    """Tell from a tool's output whether the call did what it should.

    Examples
    --------
    >>> is_accepted("created chat-1"), is_accepted("Error: no agent or chat has the id 'x'")
    (True, False)
    """
    return _REFUSED.match(output) is None


def outputs_note(items: Sequence[Item]) -> str:
    """Return the note that ends a turn after its tool calls: what was done, or what went wrong."""
    calls = {str(item.get("call_id")): item for item in items if item.get("type") == "function_call"}
    said = []
    for item in reversed(items):
        if item.get("type") != "function_call_output":
            break
        output = _plain_text(item.get("output"))
        call = calls.get(str(item.get("call_id")), {})
        done = _done(str(call.get("name")), _arguments(call), output)
        said.append(done if is_accepted(output) else f"{call.get('name')} did not work: {clip(output)}")
    return " ".join(reversed(said))


def _done(name: str, arguments: Mapping[str, Any], output: str) -> str:
    if name == "send_message":
        return f"Wrote to {arguments.get('chat_id')}."
    if name == "create_chat":
        found = _CHAT_ID.search(output)
        return f"Created {found.group() if found else 'a group'} and wrote to it."
    return f"Used {name}."
