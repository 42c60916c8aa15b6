"""The scripted model of `shapes`: what an agent does follows from the role in its mission and from what it has read.

A role is a JSON object in the last line of a mission:

- ``tell``: the numbers of the agents it tells at its first turn, one call each, all in one step; with ``chat``, one
  new group of them all
- ``answer``: whether it reports to whoever told it, or to the group in which it was told
- ``gather``: how many reports it waits for before that

Everything else is silence, so every shape ends by itself. Nothing is kept between calls: the conversation that is sent
says what was told, heard and reported before. It runs in the process of the server (`fake_server`).
"""

import json
import re

FRAMED = "message_content:\n"
ROLE = re.compile(r'^\{"tell": .*\}$', re.MULTILINE)
NAME = re.compile(r'You are the agent ".*" \(id: (\S+)\)\.')
TOLD_IN = re.compile(r"^chat_id: (.*)$", re.MULTILINE)
WORD = "Word {}: what do you think of the second draft, and what should be in the third? The plan is due on Friday."
REPORT = "Report of {}: this is what I think of it, and what I would do next, at about the length of a usual answer."


def mission(field, tell=(), *, chat=False, gather=0, answer=False):
    """Return the mission of an agent with this role."""
    role = {"tell": list(tell), "chat": chat, "gather": gather, "answer": answer}
    return f"Help with the draft on {field}: do your part of the work, and no more.\n{json.dumps(role)}"


def decide(request):
    """Return what a model says: texts, and tool calls as pairs of name and arguments."""
    items = request["input"]
    if items[-1].get("type") == "function_call_output":
        return ["Done."]
    own = NAME.match(request["instructions"])[1]
    role = json.loads(ROLE.search(request["instructions"])[0])
    turns = [item["content"] for item in items if item.get("role") == "user"]
    calls = sum(item.get("type") == "function_call" for item in items)
    others = [f"agent-{number}" for number in role["tell"]]
    told = 1 if role["chat"] else len(others)
    if not calls and role["chat"]:
        group = {"agent_ids": others, "name": "Room", "description": "Where the draft is discussed."}
        return [("create_chat", {**group, "message": WORD.format(own)})]
    if calls < told:
        return [("send_message", {"chat_id": to, "message": WORD.format(own)}) for to in others]
    reports = sum(turn.count(f"{FRAMED}Report of ") for turn in turns)
    if role["answer"] and calls == told and reports >= role["gather"]:
        teller = next(found for turn in turns if (found := TOLD_IN.search(turn.partition("Message:\n")[2])))[1]
        return [("send_message", {"chat_id": teller, "message": REPORT.format(own)})]
    return [f"Nothing to say; I have read {reports} reports."]
