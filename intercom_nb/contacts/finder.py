"""Agents found by a query or for a mission: indexes that follow the registry, and the vectors of their texts."""

from collections.abc import Iterable, Iterator
from itertools import islice

from intercom_nb.contacts.embeddings import Embeddings
from intercom_nb.contacts.mission_ranking import Relevance
from intercom_nb.contacts.word_search import AgentIndex, fused
from intercom_nb.members.agent import Agent
from intercom_nb.members.registry import Registry
from intercom_nb.texts.names import clean

__all__ = ["Finder"]

_FUSED = 50  # agents that a query brings by its words, where meaning is asked too
_LONGEST_TEXT = 8_000  # characters of an agent that count for its meaning


class Finder:
    """Finds the agents of one registry; used under the store's lock.

    Parameters
    ----------
    registry : Registry
        Who there is.
    embeddings : Embeddings, optional
        To find by meaning, too.
    """

    def __init__(self, registry: Registry, embeddings: Embeddings | None = None) -> None:
        self.embeddings = embeddings
        self._registry = registry
        self._index: AgentIndex | None = None
        self._indexed = 0  # changes of the registry that the index has been told of
        self._relevance = Relevance()
        self._weighed = 0  # changes that it has been told of
        self._texts: tuple[int, list[str], list[str]] = (-1, [], [])

    def by_query(self, query: str) -> Iterable[str]:
        """Return the ids of agents that have something to do with a query, best first."""
        by_words = self.index().search(query)
        if self.embeddings is None:
            return by_words
        ids, texts = self._all_texts()
        places = self.embeddings.nearest(clean(query), texts)
        return by_words if places is None else fused(islice(by_words, _FUSED), [ids[place] for place in places])

    def by_mission(self, agent: Agent, near: int) -> Iterator[str]:
        """Return the ids of agents whose names and descriptions have something to do with an agent's mission.

        Best first; among the nearest, kinds take turns.
        """
        for changed in self._agents_since(self._weighed):
            self._relevance.put(changed.id, f"{changed.name} {changed.team}", changed.description)
        self._weighed = self._registry.version
        return self._relevance.ranked(agent.mission or agent.description, near)

    def texts(self) -> list[str]:
        """Return all texts that a search by meaning compares a query with."""
        return self._all_texts()[1]

    def _all_texts(self) -> tuple[list[str], list[str]]:
        version = self._registry.version
        if self._texts[0] != version:
            agents = self._registry.get_agents()
            texts = [f"{agent.name}: {agent.description}\n{agent.mission}"[:_LONGEST_TEXT] for agent in agents]
            self._texts = version, [agent.id for agent in agents], texts
        return self._texts[1:]

    def index(self) -> AgentIndex:
        """Return the index, told of every change so far."""
        if self._index is None:
            self._index = AgentIndex()
        for changed in self._agents_since(self._indexed):
            self._index.put(changed.id, f"{changed.name} {changed.team}", changed.description, changed.mission)
        self._indexed = self._registry.version
        return self._index

    def _agents_since(self, n_changes: int) -> Iterator[Agent]:
        for member_id in dict.fromkeys(self._registry.changes[n_changes:]):
            member = self._registry.member(member_id)
            if isinstance(member, Agent):
                yield member

    def close(self) -> None:
        """Let the indexes go; they are made anew when they are next asked."""
        if self._index is not None:
            self._index.close()
            self._index, self._indexed = None, 0
        self._relevance, self._weighed = Relevance(), 0
