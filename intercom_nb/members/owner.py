"""What members and views may ask of the service they belong to."""

from collections.abc import Sequence
from typing import Any, Protocol

from intercom_nb.agent_spec import AgentSpec
from intercom_nb.limits import Spent
from intercom_nb.log.store import Store
from intercom_nb.members.own_code import OwnCode
from intercom_nb.messages import Item, Message

__all__ = ["Owner"]


class Owner(Protocol):
    """The part of a service that its agents, persons, chats and views know; so none of them imports it."""

    name: str

    @property
    def store(self) -> Store:
        """Its log."""

    @property
    def state(self) -> str:
        """``new``, ``running``, ``paused`` or ``stopped``."""

    def start(self) -> None:
        """Let agents run."""

    def step(self) -> str | None:
        """Let one agent have one run, then pause again."""

    def pause(self, agent_id: str | None = None) -> None:
        """Make no further model call; of one agent, or of all."""

    def resume(self, agent_id: str | None = None) -> None:
        """Go on; one agent, or all."""

    def retry(self, agent_id: str | None = None) -> int:
        """Try failed runs again, and return how many there were."""

    def stop(self) -> None:
        """Stop for good."""

    def send_message(self, message: str, receiver_id: str, sender_id: str | None = None) -> Message:
        """Accept a message."""

    def add_chat_member(self, agent_id: str, chat_id: str, admin_id: str) -> None:
        """Add a member to a chat."""

    def remove_chat_member(self, agent_id: str, chat_id: str, admin_id: str) -> None:
        """Remove a member from a chat."""

    def change(self, agent_id: str, spec: AgentSpec, code: OwnCode) -> None:
        """Let an agent be something else from its next run on."""

    def agent(self, given: str) -> Any:
        """Return the agent with this id or name."""

    def party(self, given: str, asker_id: str | None = None) -> Any:
        """Return the agent, person or chat with this id or name."""

    def people(self) -> Sequence[str]:
        """Return the ids of the persons, in the order they were added."""

    def name_of(self, some_id: str | None) -> str:
        """Return the name behind an id."""

    def spent_of(self, agent_id: str) -> Spent:
        """Return what an agent has spent."""

    def status_of(self, agent_id: str) -> str:
        """Return what an agent is doing."""

    def conversation_of(self, agent_id: str) -> list[Item]:
        """Return an agent's items as they are sent."""

    def history_of(self, agent_id: str) -> list[Item]:
        """Return all items of an agent."""

    def inbox_of(self, person_id: str) -> list[Message]:
        """Return what a person has received."""

    def bundle_of(self, some_id: str) -> dict[str, Any]:
        """Return what the last line of a cell shows of an agent or a chat."""
