"""The tools of one agent behind one door: chat tools, search, notes, and functions of its owner's.

Those of the package are carried out inside the step's transaction, so that what they do to others is committed with the
step; those of the owner work before it, and may take their time.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from intercom_nb.errors import InterComError, ToolCallError, listed
from intercom_nb.log.transaction import Transaction
from intercom_nb.members.agent import Agent
from intercom_nb.routing.chat_tools import CHAT_TOOLS, SEARCH_TOOL, ChatTools
from intercom_nb.routing.router import Router
from intercom_nb.runs.notes import NOTE_TOOLS, Notes, NoteTools
from intercom_nb.texts.names import plain_name
from intercom_nb.tools import Tool, ToolCall

__all__ = ["OWN", "Output", "Toolset", "Toolsets"]

OWN = "own"
"""The source of a tool that is a function of the notebook's owner."""


class Output(NamedTuple):
    """What came of a tool call.

    Attributes
    ----------
    text : str
        What the model is told.
    failed : bool
        Whether the call failed.
    """

    text: str
    failed: bool


class Toolset:
    """The tools of one agent.

    Attributes
    ----------
    schemas : list of dict
        As sent to its model.
    bytes : int
        Of these.
    digest : str
        Of these, for the fingerprint of a request.
    """

    def __init__(self, sources: Iterable[tuple[str, Iterable[Tool]]]) -> None:
        self._tools = {tool.name.casefold(): (source, tool) for source, tools in sources for tool in tools}
        tools = [tool for _, tool in self._tools.values()]
        self.schemas: list[Mapping[str, Any]] = [tool.schema for tool in tools]
        self.bytes = sum(tool.bytes for tool in tools)
        written = json.dumps(self.schemas, ensure_ascii=False, sort_keys=True)
        self.digest = hashlib.blake2b(written.encode(), digest_size=8).hexdigest()

    def source_of(self, call: ToolCall) -> str:
        """Return where the tool of a call comes from; empty if there is no such tool."""
        return self._tool_named(call)[0]

    def own(self, call: ToolCall) -> Tool | None:
        """Return the tool of a call if it is a function of the owner's."""
        source, tool = self._tool_named(call)
        return tool if source == OWN else None

    def searched(self, call: ToolCall) -> str | None:
        """Return the query of a call that searches for agents; None for any other call, or one that makes no sense."""
        source, tool = self._tool_named(call)
        if tool is None or source != "search":
            return None
        try:
            return str(tool.parse(call.arguments)["query"])
        except ToolCallError:
            return None

    def carry_out(self, call: ToolCall, hands: Mapping[str, object]) -> Output:
        """Carry out a call of one of the package's own tools, and return what came of it.

        Parameters
        ----------
        call : ToolCall
            As the model wrote it.
        hands : mapping
            By source, what the tool's function takes as itself.
        """
        source, tool = self._tool_named(call)
        try:
            if tool is None:
                names = listed(tool.name for _, tool in self._tools.values())
                msg = f"there is no tool {call.name!r}; right would be one of: {names}"
                raise ToolCallError(msg)
            return Output(str(tool.function(hands[source], **tool.parse(call.arguments))), failed=False)
        except InterComError as error:
            return Output(f"Error: {error}", failed=True)

    def _tool_named(self, call: ToolCall) -> tuple[str, Tool | None]:
        return self._tools.get(plain_name(call.name).casefold(), ("", None))


class Toolsets:
    """The tools of one service's agents; a toolset is made once for all that have the same ones."""

    def __init__(self, router: Router, notes: Notes) -> None:
        self._router = router
        self._notes = notes
        self._made: dict[tuple[object, ...], Toolset] = {}

    def of(self, agent: Agent) -> Toolset:
        """Return the tools that an agent has now."""
        searches, notes = self._router.contacts.searches(agent), agent.spec.notes
        key = (searches, notes, *map(id, agent.tools))
        found = self._made.get(key)
        if found is None:
            sources = [
                ("chat", CHAT_TOOLS.values()),
                ("search", [SEARCH_TOOL] if searches else []),
                ("notes", NOTE_TOOLS.values() if notes else []),
                (OWN, agent.tools),
            ]
            found = self._made[key] = Toolset(sources)
        return found

    def hands(self, tx: Transaction, agent_id: str, run_id: str, step: int) -> Mapping[str, object]:
        """Return what does the package's own tools in one step, by their source."""
        chat = ChatTools(self._router, tx, agent_id, run_id, step)
        return {"chat": chat, "search": chat, "notes": NoteTools(self._notes, tx, agent_id, run_id, step)}
