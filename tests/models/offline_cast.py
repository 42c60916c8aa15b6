"""What tests of the offline assistant ask it: the cast of the demos, turns and calls made by hand, the real client."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx2
import openai
import pytest
from openai.types.responses import Response

from intercom_nb.models.offline import OFFLINE_MODEL, Call, OfflineAssistant
from intercom_nb.models.offline.rules import decide
from intercom_nb.texts.instructions import compose
from intercom_nb.texts.turns import ChatEntry, Incoming, chat_list_text, turn_text

FOUNDER_MISSION = (
    "You are a founder of the new AI startup providing a solution for building autonomous AI agents for businesses. "
    "Figure out how to market it. There are no documents or any other material."
)


DESIGNER_MISSION = (
    "You are an owner of a design studio. You know everything about design. "
    "Your business could benefit a lot from the latest AI development: autonomous AI agents."
)


CAST = {
    "Founder": ("Founder of the new AI startup", FOUNDER_MISSION),
    "Marketing Expert": (
        "Knows everything about marketing.",
        "You are a marketing expert. Your mission is to help others in marketing their products.",
    ),
    "Network Engineer": (
        "Knows everything about networks.",
        "You are a network engineer. Your mission is to help others with building robust and scalable networks.",
    ),
    "Domain Expert": (
        "Owner of a design studio whose business could benefit from autonomous AI agents.",
        DESIGNER_MISSION,
    ),
}


PERSON = ChatEntry("you", "You", "The person at the notebook.", "agent")


TOOLS = [
    {"type": "function", "name": name, "description": name, "parameters": {"type": "object"}, "strict": False}
    for name in ("send_message", "create_chat", "add_chat_member", "remove_chat_member", "leave_chat")
]


ALL_TOOLS = {str(tool["name"]) for tool in TOOLS}


def ask_all(app: Any, requests: Sequence[dict[str, Any]], **options: Any) -> list[Response]:
    """Send requests one after the other through the real client."""

    async def run() -> list[Response]:
        http = httpx2.AsyncClient(transport=httpx2.ASGITransport(app))
        key, url = "offline", "http://offline/v1"
        async with openai.AsyncOpenAI(base_url=url, api_key=key, http_client=http, max_retries=0, **options) as client:
            return [await client.responses.create(**request) for request in requests]

    return asyncio.run(run())


def ask(app: Any, **request: Any) -> Response:
    """Send one request through the real client."""
    return ask_all(app, [{"model": OFFLINE_MODEL, **request}])[0]


def post(app: Any, content: bytes, *, method: str = "POST", path: str = "/v1/responses") -> httpx2.Response:
    """Send raw bytes."""

    async def run() -> httpx2.Response:
        async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://offline") as client:
            return await client.request(method, path, content=content)

    return asyncio.run(run())


def entries_for(names: Sequence[str], *, without: str = "") -> list[ChatEntry]:
    """Return the chat list of a cast, the person among them."""
    return [PERSON] + [ChatEntry(slug(one), one, CAST[one][0], "agent") for one in names if one != without]


def slug(name: str) -> str:
    """Return an id."""
    return name.lower().replace(" ", "-")


def user(*messages: Incoming | str, entries: Sequence[ChatEntry] | None = None) -> dict[str, Any]:
    """Return a turn as an item."""
    return {"role": "user", "content": turn_text(messages, None if entries is None else chat_list_text(entries))}


def direct(author: str, text: str) -> Incoming:
    """Return a direct message."""
    return Incoming(author, slug(author), "agent", author, slug(author), text)


def grouped(author: str, text: str) -> Incoming:
    """Return a message in chat-1."""
    return Incoming("Talk", "chat-1", "group", author, slug(author), text)


def called(call_id: str, name: str, output: str, **arguments: Any) -> list[dict[str, Any]]:
    """Return a tool call and its output as items."""
    return [
        {"type": "function_call", "call_id": call_id, "name": name, "arguments": json.dumps(arguments)},
        {"type": "function_call_output", "call_id": call_id, "output": output},
    ]


def instructions_of(name: str, mission: str | None = None) -> str:
    """Return the instructions of one of the cast."""
    return compose(name, slug(name), CAST[name][1] if mission is None else mission)


def begun(mission: str, names: Sequence[str] = tuple(CAST), text: str = "Begin") -> list[Call | str]:
    """Return what the Founder does on a plain text."""
    turn = user(text, entries=entries_for(names, without="Founder"))
    return decide(instructions_of("Founder", mission), [turn], ALL_TOOLS)


def addressed(decision: Sequence[Call | str]) -> list[str]:
    """Return the ids of the agents a decision contacts."""
    ids: list[str] = []
    for one in decision:
        if isinstance(one, Call) and isinstance(one.arguments, dict):
            ids += one.arguments.get("agent_ids") or [one.arguments["chat_id"]]
    return ids


@dataclass
class Table:
    """The service's part, played by hand: mail, groups and conversations, one run at a time."""

    names: Sequence[str]
    missions: dict[str, str] = field(default_factory=dict)
    app: Any = field(default_factory=OfflineAssistant)
    said: list[tuple[str, str, str]] = field(default_factory=list)
    groups: dict[str, tuple[str, list[str]]] = field(default_factory=dict)
    mail: dict[str, list[Incoming | str]] = field(default_factory=dict)
    conversations: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    def play(self) -> "Table":
        """Run agents until nobody has mail."""
        self.mail["Founder"] = ["Begin"]
        asyncio.run(self._play())
        return self

    async def _play(self) -> None:
        http = httpx2.AsyncClient(transport=httpx2.ASGITransport(self.app))
        async with openai.AsyncOpenAI(base_url="http://offline/v1", api_key="offline", http_client=http) as client:
            for _ in range(100):
                name = next((one for one in self.names if self.mail.get(one)), None)
                if name is None:
                    return
                await self._run(client, name)
        pytest.fail("the conversation does not end")

    async def _run(self, client: openai.AsyncOpenAI, name: str) -> None:
        groups = [ChatEntry(i, title, "", "group") for i, (title, members) in self.groups.items() if name in members]
        conversation = self.conversations.setdefault(name, [])
        conversation.append(user(*self.mail.pop(name), entries=[*entries_for(self.names, without=name), *groups]))
        for _ in range(10):
            body = {"input": conversation, "tools": TOOLS}
            instructions = instructions_of(name, self.missions.get(name))
            response = await client.responses.create(model="offline", instructions=instructions, extra_body=body)
            calls = [item for item in response.output if item.type == "function_call"]
            conversation += [item.model_dump(exclude_none=True, mode="json") for item in response.output]
            if not calls:
                return
            for item in calls:
                output = self._carry_out(name, item.name, json.loads(item.arguments))
                conversation.append({"type": "function_call_output", "call_id": item.call_id, "output": output})
        pytest.fail("the run does not end")

    def _carry_out(self, name: str, tool: str, arguments: dict[str, Any]) -> str:
        by_id = {slug(one): one for one in self.names}
        if tool == "create_chat":
            chat_id = f"chat-{len(self.groups) + 1}"
            members = [name, *(by_id[one] for one in arguments["agent_ids"])]
            self.groups[chat_id] = (arguments["name"], members)
            self._deliver(name, chat_id, arguments["message"], members)
            return f"created {chat_id}; its members are {', '.join(members)}"
        assert tool == "send_message"
        chat_id = arguments["chat_id"]
        receivers = self.groups[chat_id][1] if chat_id in self.groups else [by_id[chat_id]]
        self._deliver(name, chat_id, arguments["message"], receivers)
        return "sent"

    def _deliver(self, sender: str, chat_id: str, text: str, receivers: Sequence[str]) -> None:
        self.said.append((sender, chat_id, text))
        frame = direct(sender, text)
        if chat_id in self.groups:
            frame = Incoming(self.groups[chat_id][0], chat_id, "group", sender, slug(sender), text)
        for one in receivers:
            if one != sender:
                self.mail.setdefault(one, []).append(frame)
