"""What agents have read and said: conversations, kept in memory as the log has them."""

import json
from collections.abc import Sequence

from intercom_nb.log.facts import Compacted, ItemsAdded, Taken
from intercom_nb.log.store import Store
from intercom_nb.log.times import micros
from intercom_nb.log.transaction import Transaction
from intercom_nb.members.registry import Directory
from intercom_nb.messages import Item, Message
from intercom_nb.runs.agent_state import Desk, Run
from intercom_nb.texts.turns import Incoming, turn_text

__all__ = ["Conversations", "size_of"]


class Conversations:
    """The conversations of one service's agents; used under the store's lock."""

    def __init__(self, store: Store, directory: Directory) -> None:
        self._store = store
        self._directory = directory

    def take(self, tx: Transaction, desk: Desk, run: Run, mail: Sequence[Message], chat_list: str | None) -> None:
        """Turn mail into one item of the conversation."""
        turn = turn_text((self._read(message) for message in mail), chat_list)
        self.extend(tx, desk, run, [{"role": "user", "content": turn}])
        tx.add(Taken(desk.agent.id, run.run_id, tuple(message.seq for message in mail)))

    def _read(self, message: Message) -> Incoming | str:
        if message.sender_id is None:
            return message.text
        chat_id = message.chat_id or message.sender_id
        name = self._directory.name_of
        return Incoming(name(chat_id), chat_id, message.type, name(message.sender_id), message.sender_id, message.text)

    def extend(self, tx: Transaction, desk: Desk, run: Run, items: Sequence[Item]) -> None:
        """Add items to a conversation."""
        conversation = self.of(desk)
        payloads = tuple(json.dumps(item, ensure_ascii=False) for item in items)
        idx = len(conversation) + desk.base
        tx.add(ItemsAdded(desk.agent.id, idx, run.run_id, run.step, tuple(items), payloads))
        conversation.extend(items)
        desk.bytes += sum(len(payload.encode()) for payload in payloads)

    def of(self, desk: Desk) -> list[Item]:
        """Return an agent's items, read from the log when first asked for."""
        if desk.conversation is None:
            newest = "SELECT until_idx, payload FROM compactions WHERE agent_id = ? ORDER BY seq DESC LIMIT 1"
            with self._store.reading() as query:
                ((until, placed),) = query(newest, desk.agent.id) or [(0, "[]")]
                sent = "SELECT payload FROM items WHERE agent_id = ? AND idx >= ? ORDER BY idx"
                rows = query(sent, desk.agent.id, until)
            shorter: list[Item] = json.loads(placed)
            desk.conversation = [*shorter, *(json.loads(payload) for (payload,) in rows)]
            desk.base, desk.replaced = until - len(shorter), len(shorter)
            desk.bytes = sum(map(size_of, shorter)) + sum(len(payload.encode()) for (payload,) in rows)
        return desk.conversation

    def replace(self, tx: Transaction, desk: Desk, run: Run, cut: int, *, by: Sequence[Item], how: str) -> None:
        """Send something shorter in place of all items before the one at `cut`; the log keeps them."""
        conversation, until = self.of(desk), cut + desk.base
        payload = json.dumps(by, ensure_ascii=False)
        tx.add(Compacted(desk.agent.id, tx.seq(), run.run_id, until, how, payload, micros(tx.time)))
        conversation[:cut] = by
        desk.base, desk.replaced = until - len(by), len(by)
        desk.bytes, desk.measured = sum(map(size_of, conversation)), (0, 0)

    def history(self, desk: Desk) -> list[Item]:
        """Return all items of an agent, also those that are no longer sent; read from the log."""
        rows = self._store.rows("SELECT payload FROM items WHERE agent_id = ? ORDER BY idx", desk.agent.id)
        return [json.loads(payload) for (payload,) in rows]


def size_of(item: Item) -> int:
    """Return the bytes of an item, about as they are sent."""
    return len(json.dumps(item, ensure_ascii=False).encode())
