"""What agents have read and said: conversations, kept in memory as the log has them."""

import functools
import json
import operator
from collections.abc import Sequence

from intercom_nb.log.facts import Compacted, ItemsAdded, Taken
from intercom_nb.log.reading import Query
from intercom_nb.log.store import Store
from intercom_nb.log.transaction import Transaction
from intercom_nb.members.registry import Registry
from intercom_nb.messages import Item, Message
from intercom_nb.runs.agent_state import AgentState, Run
from intercom_nb.runs.fingerprints import Chain
from intercom_nb.texts.fences import FENCE, Fences
from intercom_nb.texts.turns import Incoming, turn_text

__all__ = ["Conversations", "size_of"]

_NEWEST_COMPACTION = "SELECT until_idx, payload FROM compactions WHERE agent_id = ? ORDER BY seq DESC LIMIT 1"
_LAST_STEP = """
SELECT fingerprint, steps.seq FROM runs JOIN steps USING (run_id) WHERE agent_id = ? AND runs.attempt = 1
ORDER BY runs.seq DESC, step DESC LIMIT 1
"""
# What has joined the next request since the last one: chat lists, compactions, items, in the order of the log.
_SINCE = """
SELECT seq, chat_list AS text FROM runs WHERE agent_id = ?1 AND seq > ?2 AND chat_list IS NOT NULL
UNION ALL SELECT seq, payload FROM compactions WHERE agent_id = ?1 AND seq > ?2
UNION ALL SELECT seq, payload FROM (SELECT seq, idx, payload FROM items WHERE agent_id = ?1 AND seq > ?2 ORDER BY idx)
ORDER BY seq
"""


class Conversations:
    """The conversations of one service's agents; used under the store's lock."""

    def __init__(self, store: Store, registry: Registry) -> None:
        self._store = store
        self._registry = registry

    def take(
        self, tx: Transaction, state: AgentState, run: Run, mail: Sequence[Message], chat_list: str | None
    ) -> None:
        """Turn mail into one item of the conversation."""
        turn = turn_text((self._as_read(message) for message in mail), chat_list)
        self.extend(tx, state, run, [{"role": "user", "content": turn}])
        tx.add(Taken(state.agent.id, run.run_id, tuple(message.seq for message in mail), tx.seq()))

    def _as_read(self, message: Message) -> Incoming | str:
        if message.sender_id is None:
            return message.text
        chat_id = message.chat_id or message.sender_id
        name, author_id, text = self._registry.name_of, message.sender_id, message.text
        mark = self._fences.mark(author_id, text)
        return Incoming(name(chat_id), chat_id, message.type, name(author_id), author_id, text, mark)

    @functools.cached_property
    def _fences(self) -> Fences:
        return Fences(self._store.meta[FENCE])  # there by the time that mail is taken: an old log gets one as it opens

    def extend(self, tx: Transaction, state: AgentState, run: Run, items: Sequence[Item]) -> None:
        """Add items to a conversation."""
        conversation = self.of(state)
        if not items:
            return
        payloads = tuple(json.dumps(item, ensure_ascii=False) for item in items)
        idx = len(conversation) + state.base
        tx.add(ItemsAdded(state.agent.id, idx, tx.seq(), run.run_id, run.step, tuple(items), payloads))
        tx.undo(operator.delitem, conversation, slice(len(conversation), None))
        tx.keep(state, "chain", "bytes")
        conversation.extend(items)
        state.chain = state.chain.joined_by(payloads)
        state.bytes += sum(len(payload.encode()) for payload in payloads)

    def of(self, state: AgentState) -> list[Item]:
        """Return an agent's items, read from the log when first asked for."""
        if state.conversation is None:
            with self._store.reading() as query:
                ((until, placed),) = query(_NEWEST_COMPACTION, state.agent.id) or [(0, "[]")]
                sent = "SELECT payload FROM items WHERE agent_id = ? AND idx >= ? ORDER BY idx"
                rows = query(sent, state.agent.id, until)
                state.chain = _chain_of(query, state.agent.id)
            shorter: list[Item] = json.loads(placed)
            state.conversation = [*shorter, *(json.loads(payload) for (payload,) in rows)]
            state.base, state.replaced = until - len(shorter), len(shorter)
            state.bytes = sum(map(size_of, shorter)) + sum(len(payload.encode()) for (payload,) in rows)
        return state.conversation

    def replace(self, tx: Transaction, state: AgentState, run: Run, cut: int, *, by: Sequence[Item], how: str) -> None:
        """Send something shorter in place of all items before the one at `cut`; the log keeps them."""
        conversation, until = self.of(state), cut + state.base
        payload = json.dumps(by, ensure_ascii=False)
        tx.add(Compacted(state.agent.id, tx.seq(), run.run_id, until, how, payload, tx.at))
        tx.undo(operator.setitem, conversation, slice(None), conversation.copy())
        tx.keep(state, "chain", "base", "replaced", "bytes", "measured")
        conversation[:cut] = by
        state.chain = state.chain.joined_by([payload])
        state.base, state.replaced = until - len(by), len(by)
        state.bytes, state.measured = sum(map(size_of, conversation)), (0, 0)

    def history(self, state: AgentState) -> list[Item]:
        """Return all items of an agent, also those that are no longer sent; read from the log."""
        rows = self._store.rows("SELECT payload FROM items WHERE agent_id = ? ORDER BY idx", state.agent.id)
        return [json.loads(payload) for (payload,) in rows]


def _chain_of(query: Query, agent_id: str) -> Chain:
    ((last, seq),) = query(_LAST_STEP, agent_id) or [("", 0)]
    return Chain(last).joined_by(text for _, text in query(_SINCE, agent_id, seq))


def size_of(item: Item) -> int:
    """Return the bytes of an item, about as they are sent."""
    return len(json.dumps(item, ensure_ascii=False).encode())
