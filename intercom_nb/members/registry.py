"""Who there is: agents, persons and chats by id, and each one's chat list."""

from collections.abc import Callable, Iterable, Iterator
from itertools import chain, count
from types import UnionType

from intercom_nb.errors import InvalidNameError, UnknownIdError, listed
from intercom_nb.members.agent import Agent, has_made_id
from intercom_nb.members.chat import Chat
from intercom_nb.members.person import YOU, Person
from intercom_nb.readable import counted
from intercom_nb.texts.lookalikes import folded
from intercom_nb.texts.names import Names, nearest, plain_name, slug
from intercom_nb.texts.turns import ChatEntry

__all__ = ["Member", "Registry"]

Member = Agent | Person

_PLACES = {Agent: ("an agent", "agents"), Person: ("a person", "people"), Chat: ("a group chat", "chats")}
_FEW = 20  # agents: so many ids can all be told to whom wrote a wrong one
_NEAREST = 5  # of more, those that look most like it


class Registry:
    """The registry of one service: its agents, persons and chats, by id.

    Changed under the store's lock, together with the log. To read it, use its methods from any thread.

    Attributes
    ----------
    changes : list of str
        Ids of the members, each time one was added or changed.

    Parameters
    ----------
    advise : callable, optional
        Says how a member finds others, for the sentence about an unknown id; of many members it names a few only.
    reaches : callable, optional
        Whether a member may know of another.
    """

    def __init__(
        self,
        *,
        advise: Callable[[Member | None], str] = lambda _: "",
        reaches: Callable[[Member | None, Member], bool] = lambda _asker, _member: True,
    ) -> None:
        self._members: dict[str, Member] = {}
        self._chats: dict[str, Chat] = {}
        self._names = Names()
        self._persons: list[Person] = []
        self.changes: list[str] = []
        self._versions: dict[str, int] = {}
        self._by_look = {folded(YOU): slug(YOU)}  # who may join later
        self._looked_at = 0  # of the changes
        self._advise = advise
        self._reaches = reaches

    def __repr__(self) -> str:
        return f"<Registry of {counted(len(self._members), 'member')}, {counted(len(self._chats), 'chat')}>"

    def __iter__(self) -> Iterator[Agent]:
        """Iterate over the agents, in the order they were added."""
        return iter(self.get_agents())

    def __len__(self) -> int:
        """Return how many agents there are."""
        return len(self._members) - len(self._persons)

    def get_agents(self) -> list[Agent]:
        """Return the agents, in the order they were added."""
        return [member for member in list(self._members.values()) if isinstance(member, Agent)]

    def get_agent(self, id: str) -> Agent:  # noqa: A002 - the seed's name
        """Return an agent by its id or its name.

        Raises
        ------
        UnknownIdError
            If there is none; where a person or a chat answers to it, it says where that is found.
        """
        found = self._find(id, Agent)
        if not isinstance(found, Agent):
            raise self._elsewhere(id, "agent") or self._unknown(id, self.get_agents(), kind="agent")
        return found

    def get_person(self, given: str) -> Person:
        """Return a person by id or name.

        Raises
        ------
        UnknownIdError
            If there is none; where an agent or a chat answers to it, it says where that is found.
        """
        found = self._find(given, Person)
        if not isinstance(found, Person):
            raise self._elsewhere(given, "person") or UnknownIdError(
                given, (person.id for person in self._persons), kind="person"
            )
        return found

    def get_chat(self, given: str) -> Chat:
        """Return a group chat by id or name.

        Raises
        ------
        UnknownIdError
            If there is none; where an agent or a person answers to it, it says where that is found.
        """
        found = self._find(given, Chat)
        if not isinstance(found, Chat):
            raise self._elsewhere(given, "group chat") or UnknownIdError(given, self._chats, kind="group chat")
        return found

    def _elsewhere(self, given: object, kind: str) -> UnknownIdError | None:
        found = next((self._with_id(one) for one in self._names.answering(given)), None)
        if found is None:
            return None
        what, where = _PLACES[type(found)]
        return UnknownIdError(given, [found.id], kind=kind, place=f"{what}: intercom.{where}[{found.id!r}]")

    @property
    def members(self) -> list[Member]:
        """Agents and persons, in the order they were added."""
        return list(self._members.values())

    @property
    def persons(self) -> list[Person]:
        """Persons, in the order they were added."""
        return list(self._persons)

    @property
    def version(self) -> int:
        """Grows whenever a member is added or changed."""
        return len(self.changes)

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
        exactly = self._members.get(given) if isinstance(given, str) else None  # type: ignore[redundant-expr]
        if exactly is not None:
            return exactly  # nearly always: a group is asked for each of its members with each message
        found = self.find(given)
        if found is None:
            raise self._unknown(given, self.members, asker_id, kind="agent")
        return found

    def chat(self, given: str, asker_id: str | None = None) -> Chat:
        """Return a chat by what somebody wrote.

        Raises
        ------
        UnknownIdError
            If there is none.
        """
        found = self._find(given, Chat, asker_id)
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
        found = self._find(given, Agent | Person | Chat, asker_id)
        if found is None:
            raise self._unknown(given, chain(self.members, self._chats_of(asker_id)), asker_id)
        return found

    def find(self, given: object) -> Member | None:
        """Return an agent or person by what somebody wrote; None if there is none."""
        found = self._find(given, Agent | Person)
        return found if isinstance(found, Agent | Person) else None

    def _unknown(
        self, given: object, right: Iterable[Member | Chat], asker_id: str | None = None, *, kind: str = "agent or chat"
    ) -> UnknownIdError:
        asker = self._members.get(asker_id or "")
        known = [r.id for r in right if r.id != asker_id and (isinstance(r, Chat) or self._reaches(asker, r))]
        if len(self) <= _FEW:
            return UnknownIdError(given, known, kind=kind)
        near = nearest(plain_name(str(given)), known, _NEAREST)
        return UnknownIdError(given, near, kind=kind, more=self._advise(asker))

    def _find(self, given: object, kinds: type | UnionType, asker_id: str | None = None) -> Member | Chat | None:
        """Look up an id or a name of some kind; by their names an asker means groups that it is in."""

        def counts(one_id: str) -> bool:
            found = self._with_id(one_id)
            if isinstance(found, Chat) and asker_id is not None and asker_id not in found.roster:
                is_id = one_id.casefold() in (str(given).casefold(), plain_name(str(given)).casefold())
                return is_id and isinstance(found, kinds)
            return isinstance(found, kinds)

        found = self._names.find(given, counts)
        return None if found is None else self._with_id(found)

    def _with_id(self, one_id: str) -> Member | Chat | None:
        return self._members.get(one_id) or self._chats.get(one_id)

    def entry(self, member_id: str) -> ChatEntry:
        """Return a member as others see it in their chat lists."""
        member = self._members[member_id]
        return ChatEntry(member.id, member.name, member.description, "agent")

    def groups_for(self, agent_id: str) -> list[ChatEntry]:
        """Return the groups a member is in, as its chat list shows them."""
        return [ChatEntry(c.id, c.name, c.description, "group") for c in self._chats_of(agent_id)]

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
        names = {member.name.casefold() for member in self.members}
        ids, made = {one_id.casefold() for one_id in (*self._members, *self._chats)}, list[str]()
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

    def add_member(self, member: Member, version: int = 1) -> None:
        """Enter a newcomer, under the id it has; with a higher version if the log knows it already."""
        member_id = member.id
        self._versions[member_id] = version
        self._members[member_id] = member
        self._names.add(member_id, member.name)
        if isinstance(member, Person):
            self._persons.append(member)
        self.changes.append(member_id)

    def version_of(self, member_id: str) -> int:
        """Return the version of a member: 1 as it was added, and one more with each change."""
        return self._versions[member_id]

    def changed(self, member: Member, *, visibly: bool) -> None:
        """Count a change of a member; a visible one counts for whoever is shown it."""
        self._versions[member.id] += 1
        if visibly:
            self.changes.append(member.id)

    def free_chat_id(self) -> str:
        """Return the id of the next chat."""
        return next(chat_id for n in count(len(self._chats) + 1) if (chat_id := f"chat-{n}") not in self._chats)

    def check_no_member(self, title: str) -> None:
        """Check that the name of a new chat reads like nobody's name or id: its frames would pass for theirs.

        Raises
        ------
        InvalidNameError
            If it does.
        """
        for member_id in self.changes[self._looked_at :]:  # only chats ask, and seldom: names are not folded before
            self._by_look.setdefault(folded(self._members[member_id].name), member_id)
            self._by_look.setdefault(folded(member_id), member_id)
        self._looked_at = len(self.changes)
        if (alike := self._by_look.get(folded(title))) is not None:
            raise InvalidNameError(title, f"reads like somebody's ({alike}): name the chat after what it is for")

    def add_chat(self, chat: Chat) -> None:
        """Enter a new chat."""
        self._chats[chat.id] = chat
        self._names.add(chat.id, chat.name)

    def drop_chat(self, chat: Chat) -> None:
        """Forget a new chat again: what says that it was made is not written."""
        self._chats.pop(chat.id, None)
        self._names.drop(chat.id, chat.name)


def _free_id(member: Member, taken: set[str]) -> str:
    if member.id.casefold() not in taken:
        return member.id
    if not (has_made_id(member) if isinstance(member, Agent) else member.id_is_made):
        raise InvalidNameError(member.id, "is taken as an id; choose another one")
    return next(made for n in count(2) if (made := f"{member.id}-{n}").casefold() not in taken)
