"""A group chat: its members, and the rights of its admin."""

from typing import Any

from intercom_nb.checks import Told
from intercom_nb.members.cards import chat_html
from intercom_nb.members.owner import Owner
from intercom_nb.messages import Message

__all__ = ["Chat", "name_admin"]


class Chat(Told):
    """A group chat, made by `InterComService.create_chat` or by an agent.

    Attributes
    ----------
    roster : dict
        Ids of the members in the order they joined; changed by the router alone. To read them, see `members`.
    """

    def __init__(self, chat_id: str, name: str, description: str, admin_id: str, owner: Owner) -> None:
        self._id = chat_id
        self._name = name
        self._description = description
        self._admin_id = admin_id
        self.roster: dict[str, None] = {}
        self._owner = owner

    def __repr__(self) -> str:
        return f"<Chat {self.name} ({self.id}): {', '.join(self.roster)}>"

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, Any]:  # noqa: ARG002 - as IPython calls it
        """Return its live transcript for a browser, a picture for a page, and one line of text."""
        return self._owner.bundle_of(self.id) | {"text/plain": repr(self)}

    def _as_html(self) -> str:
        """Return it as a table, for a page without scripts."""
        name_of = self._owner.name_of
        members = ", ".join(map(name_of, self.members))
        what = {"id": self.id, "description": self.description, "admin": name_of(self.admin_id), "members": members}
        return chat_html({"name": self.name, **what})

    @property
    def id(self) -> str:
        """What it is written to by: ``chat-1``, ``chat-2``, and so on."""
        return self._id

    @property
    def name(self) -> str:
        """One line."""
        return self._name

    @property
    def description(self) -> str:
        """What its members see of it in their chat lists."""
        return self._description

    @property
    def admin_id(self) -> str:
        """Who may add and remove members: whoever created it, after that one left the longest-standing member."""
        return self._admin_id

    @property
    def members(self) -> tuple[str, ...]:
        """Ids of the members, in the order they joined."""
        return tuple(self.roster)

    def send_message(self, message: str, sender_id: str) -> Message:
        """Send a message from one of the members to all the others.

        Raises
        ------
        ChatRuleError
            If the sender is no member.
        """
        return self._owner.send_message(message, self.id, sender_id)

    def add_member(self, agent_id: str) -> None:
        """Add a member, as the admin would."""
        self._owner.add_chat_member(agent_id, self.id, self.admin_id)

    def remove_member(self, agent_id: str) -> None:
        """Remove a member, as the admin would; it hears nothing more."""
        self._owner.remove_chat_member(agent_id, self.id, self.admin_id)


def name_admin(chat: Chat, admin_id: str) -> None:
    """Let another member be a chat's admin; under the log's lock, while that is being written."""
    chat._admin_id = admin_id  # noqa: SLF001 - the chat's own module
