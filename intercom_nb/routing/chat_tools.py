"""The chat tools, as agents call them: the seed's four, leaving, and a search for those who are shown to few.

One `ChatTools` is one agent's hand in one step. The sender is bound here and is no argument of any tool, so no model
can speak as somebody else. What the methods say is what the model reads.
"""

from collections.abc import Iterable

from intercom_nb.errors import InvalidToolError, ToolCallError
from intercom_nb.log.transaction import Transaction
from intercom_nb.messages import Message
from intercom_nb.routing.router import Router
from intercom_nb.texts.turns import ChatEntry, chat_list_text
from intercom_nb.tools import Tool

__all__ = ["CHAT_TOOLS", "SEARCH_TOOL", "ChatTools", "check_tools"]

_FOUND, _MOST_FOUND = 5, 20  # agents that a search gives back, unless it says how many, and at most


class ChatTools:
    """What one agent does to others in one step, inside that step's transaction."""

    def __init__(self, router: Router, tx: Transaction, agent_id: str, run_id: str, step: int) -> None:
        self._router = router
        self._tx = tx
        self._agent_id = agent_id
        self._run_id = run_id
        self._step = step
        self._sent = 0

    def send_message(self, chat_id: str, message: str) -> str:
        """Send a message to an agent or a group.

        Parameters
        ----------
        chat_id
            An id from the chat list.
        """
        accepted = self._post(chat_id, message)
        receiver = accepted.chat_id or accepted.receiver_id
        if self._router.waits(accepted):
            return (
                f"kept for {receiver}: too little new was said there, so a person must let it through; do not repeat it"
            )
        return f"sent to {receiver}; an answer would come in a later turn"

    def create_chat(self, agent_ids: list[str], name: str, description: str, message: str | None = None) -> str:
        """Create a group chat of yourself and two or more others; you become its admin.

        Parameters
        ----------
        agent_ids
            The others.
        message
            A first message to the group.
        """
        told = message is not None and message.strip() != ""
        if told:
            self._router.check_message(message)
        chat = self._router.create_chat(self._tx, self._agent_id, agent_ids, name=name, description=description)
        sent = ""
        if message is not None and told:
            self._post(chat.id, message)
            sent = " and sent your message"
        return f"created {chat.id}{sent}; members: {', '.join(chat.roster)}"

    def add_chat_member(self, agent_id: str, chat_id: str) -> str:
        """Add an agent to a group you are the admin of."""
        member, chat = self._router.add_member(self._tx, self._agent_id, agent_id, chat_id)
        return f"{member.id} is now a member of {chat.id}, and has not read what was said there before"

    def remove_chat_member(self, agent_id: str, chat_id: str) -> str:
        """Remove an agent from a group you are the admin of."""
        member, chat = self._router.remove_member(self._tx, self._agent_id, agent_id, chat_id)
        return f"{member.id} is no longer a member of {chat.id}"

    def leave_chat(self, chat_id: str) -> str:
        """Leave a group chat."""
        chat = self._router.leave(self._tx, self._agent_id, chat_id)
        return f"you have left {chat.id}"

    def search_agents(self, query: str, limit: int | None = None) -> str:
        """Find agents, also outside your chat list, by a few words about what you need.

        Parameters
        ----------
        limit
            How many; 5 unless given, at most 20.
        """
        if not query.strip():
            msg = "the query is empty: write a few words about what you need"
            raise ToolCallError(msg)
        most = min(max(_FOUND if limit is None else limit, 1), _MOST_FOUND)
        found = self._router.search(self._tx, self._agent_id, query, most)
        lines = chat_list_text(ChatEntry(one.id, one.name, one.description, "agent") for one in found)
        return lines or "nobody was found; try other words, such as the name of a trade or of a task"

    def _post(self, chat_id: str, text: str) -> Message:
        # The key makes the log itself refuse a message that one step would send twice.
        key = f"{self._run_id}:{self._step}:{self._sent}"
        message = self._router.post(self._tx, text, chat_id, self._agent_id, run_id=self._run_id, key=key)
        self._sent += 1
        return message


CHAT_TOOLS: dict[str, Tool] = {
    function.__name__: Tool(function, method=True)
    for function in (
        ChatTools.send_message,
        ChatTools.create_chat,
        ChatTools.add_chat_member,
        ChatTools.remove_chat_member,
        ChatTools.leave_chat,
    )
}
"""The chat tools by name, in the order the model sees them."""

SEARCH_TOOL = Tool(ChatTools.search_agents, method=True)
"""The tool of agents that are not shown everyone."""


def check_tools(tools: Iterable[Tool], others: Iterable[str] = ()) -> None:
    """Check that an agent's own tools can stand beside the chat tools.

    Raises
    ------
    InvalidToolError
        If one has the name of a chat tool, of another, or one of these others.
    """
    taken = {*CHAT_TOOLS, SEARCH_TOOL.name, *others}
    for tool in tools:
        if tool.name.casefold() in taken:
            raise InvalidToolError(tool.function, "another tool of the agent has that name; rename the function")
        taken.add(tool.name.casefold())
