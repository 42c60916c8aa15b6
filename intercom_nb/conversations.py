"""What agents have read and said: conversations, kept in memory as the log has them."""

import json
from collections.abc import Sequence

from intercom_nb.desk import Desk, Run
from intercom_nb.directory import Directory
from intercom_nb.facts import ItemsAdded, Taken
from intercom_nb.messages import Incoming, Item, Message, turn_text
from intercom_nb.store import Store, Transaction

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
        tx.add(ItemsAdded(desk.agent.id, len(conversation), run.run_id, run.step, tuple(items)))
        conversation.extend(items)
        desk.bytes += sum(map(size_of, items))

    def of(self, desk: Desk) -> list[Item]:
        """Return an agent's items, read from the log when first asked for."""
        if desk.conversation is None:
            rows = self._store.rows("SELECT payload FROM items WHERE agent_id = ? ORDER BY idx", desk.agent.id)
            desk.conversation = [json.loads(payload) for (payload,) in rows]
            desk.bytes = sum(map(size_of, desk.conversation))
        return desk.conversation


def size_of(item: Item) -> int:
    """Return the bytes of an item, about as they are sent."""
    return len(json.dumps(item, ensure_ascii=False).encode())
