"""Whom each agent is shown, whom it may reach, and whom it finds.

A chat list keeps its order, and nothing here is O(agents) in a turn: a list is made anew only when the registry or the
agent's own contacts changed. Why: ``docs/design/chat_lists.md``.
"""

import json
import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import islice

from intercom_nb.contact_policies import ContactPolicy, is_above, is_within
from intercom_nb.contacts.embeddings import Embeddings
from intercom_nb.contacts.finder import Finder
from intercom_nb.contacts.rule import ContactRule
from intercom_nb.log.facts import ContactKnown
from intercom_nb.log.transaction import Transaction
from intercom_nb.members.agent import Agent, own_code_of
from intercom_nb.members.registry import Member, Registry
from intercom_nb.texts.turns import ChatEntry, chat_list_text

__all__ = ["Contacts"]

_LOGGER = logging.getLogger(__name__)
_EVERYONE_UP_TO = 20  # agents: more than these are too many to show to everybody
_SHOWN = 20  # contacts in a list of the relevant, and of those found by search
_NEAR = 60  # of the most relevant, and three times as many as are shown: among these, kinds take turns
_MOST_TALKED = 100  # whom an agent talks to is always listed, up to this many: the latest
_AGENT_LINE = '"type": "agent"}'


@dataclass(slots=True)
class _ListParts:
    """What one agent's list is made of."""

    shown: list[str] = field(default_factory=list)  # in its newest turn, in order
    everyone: int = 0  # how many members there were, if that turn showed them all
    talked: dict[str, int] = field(default_factory=dict)  # in the order of the first message → the latest one
    found: dict[str, None] = field(default_factory=dict)
    listed: list[str] = field(default_factory=list)
    text: str = ""
    version: int = -1  # of the registry, for which the two above were made

    def talk(self, contact_id: str, seq: int) -> None:
        """Know somebody it talks to."""
        if contact_id not in self.talked or len(self.talked) > _MOST_TALKED:
            self.version = -1
        self.talked[contact_id] = max(seq, self.talked.get(contact_id, 0))

    def untalk(self, contact_id: str, seq: int | None) -> None:
        """Know of somebody what it knew before: when they last talked, if they ever did."""
        if seq is None:
            self.talked.pop(contact_id, None)
        else:
            self.talked[contact_id] = seq
        self.version = -1

    def unfind(self, found: dict[str, None]) -> None:
        """Know of all it found these alone."""
        self.found = found
        self.version = -1

    def find(self, contact_id: str) -> None:
        """Know somebody it found; those found long ago make room."""
        self.found.pop(contact_id, None)
        self.found[contact_id] = None
        if len(self.found) > _SHOWN:
            del self.found[next(iter(self.found))]
        self.version = -1

    def partners(self) -> list[str]:
        """Return whom it talks to: all of them, or the latest, in the order of their first messages."""
        if len(self.talked) <= _MOST_TALKED:
            return list(self.talked)
        latest = set(sorted(self.talked, key=lambda contact_id: -self.talked[contact_id])[:_MOST_TALKED])
        return [contact_id for contact_id in self.talked if contact_id in latest]


class Contacts:
    """The contacts of one service's agents; used under the store's lock.

    Parameters
    ----------
    registry : Registry
        Who there is.
    policy : ContactPolicy
        What agents are shown that have no policy of their own.
    rule : ContactRule
        Whether an agent may reach another member.
    embeddings : Embeddings, optional
        To find by meaning, too.
    """

    def __init__(
        self,
        registry: Registry,
        *,
        policy: ContactPolicy = None,
        rule: ContactRule,
        embeddings: Embeddings | None = None,
    ) -> None:
        self.registry = registry
        self._policy = policy
        self.rule = rule
        self.finder = Finder(registry, embeddings)
        self._parts: dict[str, _ListParts] = {}
        self._lines: dict[str, str] = {}  # of members that were shown
        self.shown: str | None = None  # by a log that is replayed, where somebody's code had decided it
        self._lined = 0  # changes of the registry that these lines show

    # -- what an agent is shown -------------------------------------------------------------------------------------

    def policy_of(self, agent: Agent) -> ContactPolicy:
        """Return what says whom an agent is shown."""
        own = own_code_of(agent).contacts
        given = self._policy if own is None else own
        if given is None:
            return "everyone" if len(self.registry) <= _EVERYONE_UP_TO else "relevant"
        return given

    def searches(self, agent: Agent) -> bool:
        """Return whether an agent has the tool `search_agents`: wherever it is not shown everyone."""
        return self.policy_of(agent) != "everyone"

    def list_for(self, agent_id: str) -> list[ChatEntry]:
        """Return whom a member can reach: others by its policy, then the groups it is in."""
        member = self.registry.member(agent_id)
        if isinstance(member, Agent):
            others = self._list_of(member, self.parts_of(agent_id))
        else:
            others = [m.id for m in self.registry.members if m is not member]
        return [self.registry.entry(other) for other in others] + self.registry.groups_for(agent_id)

    def show(self, tx: Transaction, agent: Agent) -> str:
        """Return the chat list of a new turn, which the next one will go on from."""
        if self.shown is not None:
            return self.shown
        parts = self.parts_of(agent.id)
        tx.keep(parts, "shown", "everyone")
        if self.is_short(agent):
            parts.shown, parts.everyone = list(self._list_of(agent, parts)), 0
            text = parts.text
        else:
            members = self.registry.members
            parts.shown, parts.everyone = [], len(members)
            text = self._lines_of(member.id for member in members if member is not agent)
        groups = chat_list_text(self.registry.groups_for(agent.id))
        return "\n".join(filter(None, (text, groups)))

    def is_short(self, agent: Agent) -> bool:
        """Return whether an agent's list is its own; otherwise it is everybody's, but for itself."""
        return not self.rule.is_free or self.searches(agent)

    def showed(self, agent_id: str, turn: str) -> None:
        """Take from the log whom an agent's newest turn showed: its chat list, alone or with the turn around it."""
        lines = turn.partition("\n\nMessage:\n")[0].split("\n")
        self.parts_of(agent_id).shown = [json.loads(line)["id"] for line in lines if line.endswith(_AGENT_LINE)]

    def showed_everyone(self, agent_id: str, members: int) -> None:
        """Take from the log how many members there were when an agent's newest turn showed them all."""
        self.parts_of(agent_id).everyone = members

    def parts_of(self, agent_id: str) -> _ListParts:
        """Return what an agent's list is made of."""
        parts = self._parts.get(agent_id)
        if parts is None:
            parts = self._parts[agent_id] = _ListParts()
        return parts

    def _lines_of(self, ids: Iterable[str]) -> str:
        """Return the lines of members; each is written once, until it changes."""
        for member_id in self.registry.changes[self._lined :]:
            self._lines.pop(member_id, None)
        self._lined = self.registry.version
        lines = self._lines
        return "\n".join([lines.get(one) or lines.setdefault(one, self._line_of(one)) for one in ids])

    def _line_of(self, member_id: str) -> str:
        return chat_list_text([self.registry.entry(member_id)])

    def _list_of(self, agent: Agent, parts: _ListParts) -> list[str]:
        if parts.version != self.registry.version:
            parts.listed = self._list_anew(agent, parts)
            parts.text = self._lines_of(parts.listed)
            parts.version = self.registry.version
        return parts.listed

    def _list_anew(self, agent: Agent, parts: _ListParts) -> list[str]:
        policy = self.policy_of(agent)
        if policy == "everyone":
            return [m.id for m in self.registry.members if m is not agent and self.rule.allows(agent, m)]
        before = parts.shown
        if parts.everyone and not before:
            before = [m.id for m in self.registry.members[: parts.everyone]]
        if policy == "relevant" or isinstance(policy, int):
            most = policy if isinstance(policy, int) else _SHOWN
            wanted = self._relevant_ids(agent, parts, before, most)
        else:
            wanted = [*self._named_by_policy(agent, policy), *parts.partners(), *parts.found]
        may = dict.fromkeys(self._reachable(agent, wanted))
        may.pop(agent.id, None)
        stay = [contact_id for contact_id in before if contact_id in may]
        return list(dict.fromkeys([*stay, *may]))

    def _relevant_ids(self, agent: Agent, parts: _ListParts, before: Sequence[str], most: int) -> list[str]:
        """Return whom it talks to, whom it found, the persons, and whom its mission makes relevant, up to `most`."""
        people = [person.id for person in self.registry.persons]
        always = dict.fromkeys([*people, *parts.partners(), *parts.found])
        room = most - len(always)
        if room <= 0:
            return list(always)
        found, known_already = self.finder.by_mission(agent, max(_NEAR, 3 * most)), {*always, agent.id}
        best = dict.fromkeys(islice(self._reachable(agent, (i for i in found if i not in known_already)), 2 * most))
        # One who was shown stays as long as it is among twice as many: an edit elsewhere rarely moves anybody.
        stay = [contact_id for contact_id in before if contact_id in best]
        return [*always, *list(dict.fromkeys([*stay, *best]))[:room]]

    def _reachable(self, agent: Agent, ids: Iterable[str]) -> Iterable[str]:
        if self.rule.is_free:
            return ids
        return (one for one in ids if one != agent.id and self.rule.allows(agent, self.registry.member(one)))

    def _named_by_policy(self, agent: Agent, policy: ContactPolicy) -> list[str]:
        """Return whom a team, a list or a function names."""
        agents = self.registry.get_agents()
        if policy == "team":
            own = agent.team
            return [one.id for one in agents if own and (is_within(one.team, own) or is_above(one.team, own))]
        given: Iterable[object] = [policy] if isinstance(policy, str) else ()
        if callable(policy):
            try:
                given = list(policy(agent))
            except Exception:  # somebody else's code must not end the loop all agents share
                _LOGGER.exception("the contacts of %s failed; it is shown whom it knows", agent.id)
        elif isinstance(policy, tuple):
            given = policy
        found: list[str] = []
        for one in given:
            member = self.registry.find(getattr(one, "id", one))
            if member is not None and not isinstance(policy, str):
                found.append(member.id)
            else:
                found += [other.id for other in agents if is_within(other.team, str(one))]
        return found

    def advice(self, asker: Member | None) -> str:
        """Return how a member finds others, for the sentence about an unknown id."""
        if isinstance(asker, Agent):
            return "search_agents finds others" if self.searches(asker) else "the others are in your chat list"
        return "intercom.search(…) finds others"

    # -- whom it finds ----------------------------------------------------------------------------------------------

    def talk(self, tx: Transaction, sender_id: str, receiver_id: str, seq: int) -> None:
        """Two talk to each other, and know each other from now on."""
        for one, other in ((sender_id, receiver_id), (receiver_id, sender_id)):
            parts = self.parts_of(one)
            if other not in parts.talked:
                tx.add(ContactKnown(tx.seq(), one, other, "talked"))
            tx.undo(parts.untalk, other, parts.talked.get(other))
            parts.talk(other, seq)

    def talked(self, one_id: str, other_id: str, seq: int) -> None:
        """Take from the log that one has talked to another; the latest time, where it talks to many."""
        self.parts_of(one_id).talk(other_id, seq)

    def search(self, query: str, limit: int, asker: Agent | None = None) -> list[Agent]:
        """Return the agents that have most to do with a query, best first; of those the asker may reach."""
        agents = map(self.registry.get_agent, self.finder.by_query(query))
        return list(islice((one for one in agents if one is not asker and self.rule.allows(asker, one)), max(limit, 0)))

    def find(self, tx: Transaction, asker: Agent, query: str, limit: int) -> list[Agent]:
        """Return what `search` does; whoever is found is a contact of the asker from now on."""
        found = self.search(query, limit, asker)
        self.found(tx, asker, found)
        return found

    def found(self, tx: Transaction, asker: Agent, found: Sequence[Agent]) -> None:
        """Let an agent know whom it found."""
        parts = self.parts_of(asker.id)
        new = [agent.id for agent in found if agent.id not in parts.found]
        tx.undo(parts.unfind, dict(parts.found))
        for contact_id in new:
            parts.find(contact_id)
            tx.add(ContactKnown(tx.seq(), asker.id, contact_id, "found"))
