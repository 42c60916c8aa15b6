"""A person at the notebook: a member like any agent, without a model."""

from intercom_nb.log.facts import AgentVersion
from intercom_nb.members.owner import Host
from intercom_nb.messages import Message
from intercom_nb.texts.names import checked_id, checked_name, checked_text, slug

__all__ = ["Person"]


class Person:
    """A person among the agents, made by `InterComService.add_person`.

    Agents see a person in their chat lists and write as they do to each other. Nobody waits for a person: what
    arrives stays in the `inbox`.

    Attributes
    ----------
    id, name, description : str
        As for an agent.
    team : str
        Always empty; so that a rule may ask for it.
    """

    team = ""

    def __init__(self, name: str, description: str, agent_id: str | None, host: Host) -> None:
        self.name = checked_name(name, kind="person")
        self.description = checked_text(description, "description")
        self.id = slug(self.name) if agent_id is None else checked_id(agent_id)
        self.id_is_made = agent_id is None
        self._host = host

    def __repr__(self) -> str:
        return f"<Person {self.name} ({self.id}), {len(self.inbox)} messages>"

    @property
    def inbox(self) -> list[Message]:
        """The messages received so far, oldest first; a copy."""
        return self._host.inbox_of(self.id)

    def send_message(self, text: str, receiver_id: str) -> Message:
        """Write to an agent, a person or a group; an answer arrives in the `inbox`."""
        return self._host.send_message(text, receiver_id, self.id)

    def as_fact(self, seq: int, at: int) -> AgentVersion:
        """Return the person, as the log keeps it."""
        return AgentVersion(self.id, 1, seq, "person", self.name, self.description, "", None, "", "", at)

    def join(self, agent_id: str) -> None:
        """Be known under this id from now on; called by the service."""
        self.id = agent_id
