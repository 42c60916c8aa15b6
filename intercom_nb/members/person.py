"""A person at the notebook: a member like any agent, without a model."""

from intercom_nb.agent_spec import AgentSpec, under_id
from intercom_nb.checks import Told, wrong_type
from intercom_nb.members.owner import Owner
from intercom_nb.messages import Message, Messages
from intercom_nb.readable import counted
from intercom_nb.texts.names import checked_name, slug

__all__ = ["YOU", "Person"]

YOU = "You"
"""What a person is called who gives no name."""


class Person(Told):
    """A person among the agents, made by `InterComService.add_person`.

    Agents see a person in their chat lists and write as they do to each other. Nobody waits for a person: what
    arrives stays in the `inbox`.

    Attributes
    ----------
    spec : AgentSpec
        Who it is, as the log keeps it.
    id_is_made : bool
        Whether its id was made from its name.
    """

    def __init__(self, spec: AgentSpec, owner: Owner, *, id_is_made: bool = False) -> None:
        if not isinstance(spec, AgentSpec):
            raise wrong_type("Person's spec", spec, "a spec; a service makes its persons: intercom.add_person(name)")
        self.spec = spec
        self.id_is_made = id_is_made
        self._owner = owner

    @classmethod
    def named(cls, name: str, description: str, person_id: str | None, team: str, owner: Owner) -> "Person":
        """Return a person by what somebody gave.

        Raises
        ------
        InvalidNameError
            If the name or id cannot be used.
        """
        name = checked_name(name, kind="person")
        given = slug(name) if person_id is None else person_id
        spec = AgentSpec(name=name, id=given, description=description, team=team, mail="when_idle")
        return cls(spec, owner, id_is_made=person_id is None)

    def __repr__(self) -> str:
        return f"<Person {self.name} ({self.id}), {counted(len(self.inbox), 'message')}>"

    @property
    def name(self) -> str:
        """One line, unique among the members of a service."""
        return self.spec.name

    @property
    def id(self) -> str:
        """What others write to."""
        return self.spec.id

    @property
    def description(self) -> str:
        """What others see in their chat lists."""
        return self.spec.description

    @property
    def team(self) -> str:
        """Where it belongs; empty for nowhere."""
        return self.spec.team

    @property
    def inbox(self) -> Messages:
        """The messages received so far, oldest first; a copy."""
        return Messages(self._owner.inbox_of(self.id))

    def send_message(self, message: str, receiver_id: str) -> Message:
        """Write to an agent, a person or a group; an answer arrives in the `inbox`."""
        return self._owner.send_message(message, receiver_id, self.id)

    def join(self, person_id: str) -> None:
        """Be known under this id from now on; called by the service."""
        self.spec = under_id(self.spec, person_id)
