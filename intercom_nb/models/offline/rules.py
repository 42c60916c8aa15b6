"""What the offline assistant does in a turn: rules in place of a language model.

Like a model it sees the instructions, the conversation and the tools, and nothing else; `decide` is the whole of it.
Three things move it: the word *Begin* or a task (it picks whom its mission needs and asks them), a question
(it answers once, where it was asked), and the last answer it waited for (it sums up once). The rest it leaves alone,
and nothing it says in reply asks anything, so every conversation among such agents ends.
"""

import math
import re
import zlib
from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any

from intercom_nb.checks import wrong_type
from intercom_nb.models.offline.past import Past, new_turns, outputs_note, read_past
from intercom_nb.models.offline.words import (
    as_mission,
    classify,
    clip,
    is_denial,
    listing,
    phrase,
    sentences,
    stems,
    task_of,
)
from intercom_nb.texts.instructions import identity
from intercom_nb.texts.turns import BEGIN, ChatEntry, Incoming

__all__ = ["Call", "decide", "experts", "opening", "reply_to"]

_MOST_EXPERTS = 5
_PERSON = re.compile(r"(the|a) (person|human|user) at\b", re.IGNORECASE)
# After "On …, I would": true of any subject, for the rules know nothing of the subject itself.
_COUNSEL = (
    "start with one real case and let what it shows decide the next step",
    "talk to three people who will live with the result before deciding anything",
    "settle first whom it is for, then try it small and build on what works",
    "name the one thing that must not go wrong and see to that before anything else",
    "keep the first version simple and leave room for it to grow",
    "write down what it should achieve and how that will be measured",
    "try two ways on a small scale and keep the better one",
)


@dataclass(frozen=True, slots=True)
class Call:
    """A tool call.

    Attributes
    ----------
    name : str
        The tool.
    arguments : dict or str
        A str goes out as it is, valid JSON or not.
    """

    name: str
    arguments: dict[str, Any] | str

    def __post_init__(self) -> None:
        if not isinstance(self.name, str):
            raise wrong_type("the name of a call", self.name, "a tool's, as a str")
        given: object = self.arguments
        if not isinstance(given, str) and not (isinstance(given, dict) and all(isinstance(key, str) for key in given)):
            raise wrong_type("the arguments of a call", given, "a dict of the tool's arguments by name, or a str")


def decide(instructions: str, items: Sequence[Any], tools: AbstractSet[str]) -> list[Call | str]:
    r"""Return what an agent does next: tool calls, or one note to itself, which ends its turn.

    Parameters
    ----------
    instructions : str
        As `instructions.compose` writes them; any other text counts as the mission.
    items : sequence
        The conversation, oldest first.
    tools : set of str
        The names of the tools at hand.

    Examples
    --------
    >>> decide("You plan networks.", [{"role": "user", "content": "Message:\\nBegin"}], {"send_message"})
    ['Nobody on my chat list fits my mission, so I write to nobody.']
    """
    known = [item for item in items if isinstance(item, dict)]
    if known and known[-1].get("type") == "function_call_output":
        return [outputs_note(known)]
    turns = new_turns(known)
    if "send_message" not in tools:
        return ["I am a rule-based stand-in and was given no send_message tool, so I write to nobody."]
    if not turns:
        return ["Nothing new to react to."]
    name, own_id, mission, about = identity(instructions)
    mission = mission or as_mission(about)
    newest = next((turn.chat_list for turn in reversed(turns) if turn.chat_list), ())
    entries = [entry for entry in newest if entry.id != own_id]
    past = read_past(known, own_id)
    frames = [frame for turn in turns for frame in turn.incoming if frame.author_id != own_id]
    calls: list[Call | str] = [*_replies(frames, (name, mission, about), past, entries)]
    plain = [text for turn in turns for text in turn.plain]
    notes = [_waiting(past, entries) if frames else ""]
    if plain:
        task = " ".join(text for text in plain if text.strip(" .!").casefold() != BEGIN.casefold())
        begun, note = _begin((name, mission, task), entries, past, tools)
        calls += begun
        notes.append(note)
    return calls or [" ".join(filter(None, notes)) or "Nothing here asks anything of me."]


# Beginning: whom to ask, and what


def experts(text: str, entries: Iterable[ChatEntry]) -> list[tuple[ChatEntry, frozenset[str]]]:
    """Return the agents whose name or description speaks to a text, best first, each with the stems they share.

    Rare stems weigh more; persons and groups are left out; five at most.

    Examples
    --------
    >>> both = [ChatEntry("m", "Max", "Sells things.", "agent"), ChatEntry("n", "Nora", "Knows networks.", "agent")]
    >>> [(entry.id, set(shared)) for entry, shared in experts("Plan a network.", both)]
    [('n', {'network'})]
    """
    own = frozenset(stems(text))
    agents = [entry for entry in entries if entry.type == "agent" and not _is_person(entry)]
    known = [frozenset(stems(f"{entry.name}.\n{entry.description}")) for entry in agents]
    shared = [own & one for one in known]

    def weight(stem: str) -> float:
        return math.log(1 + len(known) / sum(stem in one for one in known))

    fitting = [(entry, common) for entry, common in zip(agents, shared, strict=True) if common]
    # fsum: a set has no order of its own, and rounding must not depend on it.
    return sorted(fitting, key=lambda one: -math.fsum(map(weight, one[1])))[:_MOST_EXPERTS]


def _is_person(entry: ChatEntry) -> bool:
    return entry.name.casefold() == "you" or _PERSON.match(entry.description) is not None


def opening(who: tuple[str, str, str], topics: Sequence[str], *, group: bool = False) -> str:
    """Return a first message: who writes, what for, and one question.

    Parameters
    ----------
    who : tuple of str
        Name, mission and task; the task may be empty.
    topics : sequence of str
        What the question is about.
    group : bool, default False
        Whether several read it.

    Examples
    --------
    >>> opening(("Founder", "You run a studio. Plan its network.", ""), ["networks"])
    'I run a studio. I have to plan its network. What do you advise on networks?'
    """
    name, mission, task = who
    told = [task_of(part).replace("?", ".") for part in sentences(mission) if not is_denial(part)]
    role = next((part for part in told if re.match(r"I(?! have to)\b", part)), f"I am {name}." if name else "")
    if task:
        work = f"I was given this task: {clip(task.replace('?', '.')).rstrip('.')}."
    else:
        about = [part for part in told if part != role and stems(part)]
        work = next((p for p in told if re.match(r"I have to\b|My (mission|task|job|goal)\b", p)), "".join(about[:1]))
    asks = "What does each of you advise on" if group else "What do you advise on"
    return " ".join(filter(None, (clip(role, 240), clip(work, 240), f"{asks} {listing(topics)}?")))


def _begin(
    who: tuple[str, str, str], entries: Sequence[ChatEntry], past: Past, tools: AbstractSet[str]
) -> tuple[list[Call], str]:
    """Return the calls that start on mission and task, or the note that says why there are none."""
    _, mission, task = who
    # A task is no sentence of the mission: the break keeps a denial at the end of one from swallowing the other.
    chosen = experts(f"{mission}\n{task}", entries)
    if not chosen:
        return [], "Nobody on my chat list fits my mission, so I write to nobody."
    # In the order of the chat list, as a person would read them out.
    chosen.sort(key=lambda one: entries.index(one[0]))
    # Their own words for it: "marketing" reads better than the mission's "market".
    topics = list(dict.fromkeys(phrase(f"{e.description}\n{e.name}", common) for e, common in chosen))
    ids = [entry.id for entry, _ in chosen]
    group = len(ids) > 1
    message = opening(who, topics[:3], group=group)
    if any(matter.question == message and matter.asked >= set(ids) for matter in past.matters):
        return [], f"I have asked {listing(entry.name for entry, _ in chosen)} about this already."
    if not group:
        return [_send(ids[0], message)], ""
    wanted = frozenset().union(*(common for _, common in chosen))
    fitting = _fitting_group(set(ids), wanted, entries, past)
    if fitting is not None:
        return [_send(fitting, message)], ""
    if "create_chat" not in tools:
        return [_send(one, opening(who, topics[:3])) for one in ids], ""
    return [Call("create_chat", {"agent_ids": ids, **_about(who, topics), "message": message})], ""


def _about(who: tuple[str, str, str], topics: Sequence[str]) -> dict[str, str]:
    """Return name and description of a new group."""
    name, _, task = who
    subject = listing(topics[:3])
    purpose = f" for this task: {clip(task, 120)}" if task else ""
    title = clip(subject[:1].upper() + subject[1:], 80)
    return {"name": title, "description": f"{name or 'An agent'} asks for advice on {listing(topics)}{purpose}."}


def _fitting_group(ids: set[str], wanted: AbstractSet[str], entries: Sequence[ChatEntry], past: Past) -> str | None:
    """Return a group on the chat list that has everybody wanted, or else one that is about the matter."""
    groups = [entry for entry in entries if entry.type == "group"]
    for entry in groups:
        if entry.id in past.groups and past.groups[entry.id] >= ids:
            return entry.id
    for entry in groups:
        about = wanted & set(stems(f"{entry.name}.\n{entry.description}"))
        if entry.id not in past.groups and len(about) * 2 >= len(wanted):
            return entry.id
    return None


# Answering, and summing up


def _replies(
    frames: Sequence[Incoming], who: tuple[str, str, str], past: Past, entries: Sequence[ChatEntry]
) -> list[Call]:
    """Return the summaries that are due and the answers: one message for each chat at most."""
    messages = _summaries(past, entries)
    for frame in _requests(frames, past):
        if frame.chat_id not in messages:
            messages[frame.chat_id] = reply_to(frame.text, *who, again=frame.chat_id in past.spoken_in)
    return [_send(chat_id, message) for chat_id, message in messages.items()]


def _requests(frames: Sequence[Incoming], past: Past) -> list[Incoming]:
    """Return the newest request of each chat, leaving out answers that merely open like one."""
    asked = [f for f in frames if classify(f.text) == "request" and ("?" in f.text or f not in past.answers)]
    return list({frame.chat_id: frame for frame in asked}.values())


def reply_to(question: str, name: str, mission: str, about: str = "", *, again: bool = False) -> str:
    """Return an answer from one's own mission: who answers, what for, and a word on what was asked.

    Where the question lies outside the mission it says so. It never asks anything itself.

    Parameters
    ----------
    question : str
        The message to answer.
    name, mission, about : str
        Who answers, what for, and how others see it.
    again : bool, default False
        Whether this agent has spoken in the chat before, and need not introduce itself.

    Examples
    --------
    >>> reply_to("What do you know of wine?", "Nora", "You are a network engineer.")
    'I am a network engineer. I can say nothing on wine: it lies outside what I know.'
    """
    own = frozenset(stems(f"{name}.\n{mission}\n{about}"))
    asked = " ".join(part for part in sentences(question) if "?" in part)
    focus = next((text for text in (asked, question) if own & set(stems(text))), "")
    told = [task_of(part) for part in sentences(mission)]
    role = next((part for part in told if part.startswith("I am ")), f"I am {name}." if name else "")
    rest = sorted((part for part in told if part != role), key=lambda part: -len(set(stems(part)) & set(stems(focus))))
    work = next((part for part in rest if set(stems(part)) & set(stems(focus)) or part.startswith("My ")), "")
    topic = phrase(focus, own)
    if topic:
        counsel = _COUNSEL[zlib.crc32(name.encode("utf-8", "replace")) % len(_COUNSEL)]
        word = f"On {topic}, I would {counsel}."
    else:
        subject = phrase(asked, stems(asked)) or phrase(question, stems(question)) or "this"
        word = f"I can say nothing on {clip(subject, 80)}: it lies outside what I know."
    said = [word] if again and topic else [clip(role), clip(work), word]
    return " ".join(filter(None, said)).replace("?", "")


def _summaries(past: Past, entries: Sequence[ChatEntry]) -> dict[str, str]:
    """Return, by chat, a summary for each in which everybody asked has now been heard."""
    by_chat: dict[str, dict[str, Incoming]] = {}
    for matter in past.matters:
        if matter.is_ripe:
            by_chat.setdefault(matter.chat_id, {}).update(matter.heard)
    groups = {entry.id for entry in entries if entry.type == "group"} | past.groups.keys()
    return {one: _summary(list(heard.values()), group=one in groups) for one, heard in by_chat.items()}


def _summary(heard: Sequence[Incoming], *, group: bool) -> str:
    if not group and len(heard) == 1:
        return f'To sum up, I take this from you: "{_gist(heard[0].text)}" Thank you.'
    lines = "\n".join(f'- {frame.author_name}: "{_gist(frame.text)}"' for frame in heard)
    return f"To sum up, this is what I take from you:\n{lines}\nThank you all."


def _gist(answer: str) -> str:
    """Return what an answer comes to: its first sentence that is neither an introduction nor a question."""
    told = [part for part in sentences(answer) if "?" not in part] or [answer.replace("?", ".")]
    new = [part for part in told if not re.match(r"(I am|I'm|I know|My|Hi|Hello|Thanks?)\b", part)]
    return clip((new or told)[0], 160)


def _waiting(past: Past, entries: Sequence[ChatEntry]) -> str:
    names = {entry.id: entry.name for entry in entries}
    missing = {one for matter in past.matters if not matter.summed_up for one in matter.missing}
    return f"Waiting for {listing(sorted(names.get(one, one) for one in missing))}." if missing else ""


def _send(chat_id: str, message: str) -> Call:
    return Call("send_message", {"chat_id": chat_id, "message": message})
