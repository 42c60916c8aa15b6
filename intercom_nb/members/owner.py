"""What an agent, a person or a chat may ask of the service it belongs to."""

from typing import Any, Protocol

from intercom_nb.limits import Limits, Spent
from intercom_nb.messages import Item, Message

__all__ = ["Host"]


class Host(Protocol):
    """The part of `InterComService` that its agents, persons and chats know; so none of them imports it."""

    def start(self) -> None:
        """Let agents run."""

    def pause(self, agent_id: str | None = None) -> None:
        """Let an agent make no further model call."""

    def resume(self, agent_id: str | None = None) -> None:
        """Let an agent go on."""

    def send_message(self, message: str, receiver_id: str, sender_id: str | None = None) -> Message:
        """Accept a message."""

    def add_chat_member(self, agent_id: str, chat_id: str, admin_id: str) -> None:
        """Add a member to a chat."""

    def remove_chat_member(self, agent_id: str, chat_id: str, admin_id: str) -> None:
        """Remove a member from a chat."""

    def edit(self, agent_id: str, *, mission: str | None = None, description: str | None = None) -> None:
        """Change what an agent is for, or how others see it."""

    def limit(self, agent_id: str, limits: Limits | None) -> None:
        """Change what an agent may spend."""

    def history_of(self, agent_id: str) -> list[Item]:
        """Return all items of an agent."""

    def spent_of(self, agent_id: str) -> Spent:
        """Return what an agent has spent."""

    def retry(self, agent_id: str | None = None) -> int:
        """Try failed runs again."""

    def status_of(self, agent_id: str) -> str:
        """Return what an agent is doing."""

    def conversation_of(self, agent_id: str) -> list[Item]:
        """Return an agent's items."""

    def inbox_of(self, person_id: str) -> list[Message]:
        """Return what a person has received."""

    def bundle_of(self, some_id: str) -> dict[str, Any]:
        """Return what the last line of a cell shows of an agent or a chat."""

    def name_of(self, some_id: str | None) -> str:
        """Return the name behind an id."""
