"""Who there is: agents, persons and chats by id, and each one's chat list."""

from collections.abc import Iterable, Iterator
from itertools import chain, count

from intercom_nb.agent import Agent
from intercom_nb.chat import Chat
from intercom_nb.errors import InvalidNameError, UnknownIdError, listed
from intercom_nb.messages import ChatEntry
from intercom_nb.person import Person
from intercom_nb.tools import plain_name

__all__ = ["Directory", "Member"]

Member = Agent | Person


class Directory:
    """The registry of one service: its agents, persons and chats, by id.

    Changed under the store's lock, together with the log. To read it, use its methods from any thread.
    """

    def __init__(self) -> None:
        self._members: dict[str, Member] = {}
        self._chats: dict[str, Chat] = {}
        self._by_name: dict[str, str] = {}
        self._by_plain_id: dict[str, str] = {}

    def __repr__(self) -> str:
        return f"<Directory of {len(self._members)} members, {len(self._chats)} chats>"

    def __iter__(self) -> Iterator[Agent]:
        """Iterate over the agents, in the order they were added."""
        return iter(self.get_agents())

    def __len__(self) -> int:
        """Return how many agents there are."""
        return len(self.get_agents())

    def get_agents(self) -> list[Agent]:
        """Return the agents, in the order they were added."""
        return [member for member in list(self._members.values()) if isinstance(member, Agent)]

    def get_agent(self, id: str) -> Agent:  # noqa: A002 - the seed's name
        """Return an agent by its id (or its exact name).

        Raises
        ------
        UnknownIdError
            If there is none.
        """
        found = self._find(id, None)
        if not isinstance(found, Agent):
            raise UnknownIdError(id, (agent.id for agent in self.get_agents()), kind="agent")
        return found

    @property
    def members(self) -> list[Member]:
        """Agents and persons, in the order they were added."""
        return list(self._members.values())

    @property
    def chats(self) -> list[Chat]:
        """Group chats, in the order they were created."""
        return list(self._chats.values())

    def member(self, given: str, asker_id: str | None = None) -> Member:
        """Return an agent or person by what somebody wrote.

        Raises
        ------
        UnknownIdError
            If there is none.
        """
        found = self._find(given, asker_id)
        if not isinstance(found, Agent | Person):
            raise UnknownIdError(given, (m.id for m in self.members if m.id != asker_id), kind="agent")
        return found

    def chat(self, given: str, asker_id: str | None = None) -> Chat:
        """Return a chat by what somebody wrote.

        Raises
        ------
        UnknownIdError
            If there is none.
        """
        found = self._find(given, asker_id)
        if not isinstance(found, Chat):
            raise UnknownIdError(given, (c.id for c in self._chats_of(asker_id)), kind="group chat")
        return found

    def party(self, given: str, asker_id: str | None = None) -> Member | Chat:
        """Return whoever or whatever can be written to under what somebody wrote.

        Raises
        ------
        UnknownIdError
            If there is none; its list is the asker's chat list.
        """
        found = self._find(given, asker_id)
        if found is None:
            known = chain((m.id for m in self.members if m.id != asker_id), (c.id for c in self._chats_of(asker_id)))
            raise UnknownIdError(given, known)
        return found

    def _find(self, given: object, asker_id: str | None) -> Member | Chat | None:
        """Look up an id, also in another case or in quotes, or an exact name; never the nearest guess."""
        if not isinstance(given, str):
            return None
        key = plain_name(given)
        found = self._members.get(key) or self._chats.get(key)
        if found is None:
            folded = key.casefold()
            known_id = self._by_plain_id.get(folded) or self._by_name.get(folded) or ""
            found = self._members.get(known_id) or self._chats.get(known_id)
        if found is None:
            named = [chat for chat in self._chats_of(asker_id) if chat.name.casefold() == key.casefold()]
            found = named[0] if len(named) == 1 else None
        return found

    def chat_list_for(self, agent_id: str) -> list[ChatEntry]:
        """Return whom an agent can reach: everybody else, then the groups it is in."""
        everybody = [ChatEntry(m.id, m.name, m.description, "agent") for m in self.members if m.id != agent_id]
        groups = [ChatEntry(c.id, c.name, c.description, "group") for c in self._chats_of(agent_id)]
        return everybody + groups

    def name_of(self, some_id: str | None) -> str:
        """Return the name behind an id; the id itself if nobody has it, empty for None."""
        if some_id is None:
            return ""
        found = self._members.get(some_id) or self._chats.get(some_id)
        return some_id if found is None else found.name

    def _chats_of(self, agent_id: str | None) -> list[Chat]:
        return [c for c in self.chats if agent_id is None or agent_id in c.roster]

    def places(self, members: Iterable[Member]) -> list[str]:
        """Return the ids these newcomers will have, in order.

        Raises
        ------
        InvalidNameError
            If a name is taken, or an id that was asked for is.
        """
        names, ids, made = set(self._by_name), set(self._by_plain_id), []
        for member in members:
            name = member.name.casefold()
            if name in names:
                taken = listed(m.name for m in self.members)
                raise InvalidNameError(member.name, f"is taken; choose another one (taken: {taken})")
            place = _free_id(member, ids)
            names.add(name)
            ids.add(place.casefold())
            made.append(place)
        return made

    def add_member(self, member: Member) -> None:
        """Enter a newcomer, under the id it has."""
        self._members[member.id] = member
        self._by_name[member.name.casefold()] = member.id
        self._by_plain_id[member.id.casefold()] = member.id

    def free_chat_id(self) -> str:
        """Return the id of the next chat."""
        return next(chat_id for n in count(len(self._chats) + 1) if (chat_id := f"chat-{n}") not in self._chats)

    def add_chat(self, chat: Chat) -> None:
        """Enter a new chat."""
        self._chats[chat.id] = chat
        self._by_plain_id[chat.id] = chat.id


def _free_id(member: Member, taken: set[str]) -> str:
    if member.id.casefold() not in taken:
        return member.id
    if not member.id_is_made:
        raise InvalidNameError(member.id, "is taken as an id; choose another one")
    return next(made for n in count(2) if (made := f"{member.id}-{n}").casefold() not in taken)
