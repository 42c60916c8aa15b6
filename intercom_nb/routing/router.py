"""Who says what to whom: checks the rules of chats, and puts what is accepted into a transaction.

Every rule stands here once, for persons at the notebook and for models alike. The caller holds a transaction (and
with it the store's lock); a method either raises and has changed nothing, or has changed the registry in memory
and added the facts that say so. What it changes is undone if the caller's transaction is not written.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from intercom_nb.checks import shown
from intercom_nb.contacts.chat_lists import Contacts
from intercom_nb.errors import ChatRuleError, listed
from intercom_nb.log.facts import (
    AdminLeft,
    AdminNamed,
    ChatCreated,
    Delivered,
    Held,
    MemberJoined,
    MemberLeft,
    Posted,
    Released,
)
from intercom_nb.log.transaction import Transaction
from intercom_nb.members.agent import Agent
from intercom_nb.members.chat import Chat, name_admin
from intercom_nb.members.owner import Owner
from intercom_nb.members.registry import Member
from intercom_nb.messages import Message
from intercom_nb.routing.courtesy import Courtesy, channel_of
from intercom_nb.texts.names import checked_name, clean

__all__ = ["Router"]

_FEWEST = 3  # members of a group: two are a direct chat


class Deliver(Protocol):
    """What brings a message to those who receive it."""

    def __call__(self, message: Message, agent_ids: Sequence[str], person_ids: Sequence[str], *, held: bool) -> None:
        """Deliver a message to agents and persons; one that is held waits for a person first."""


class Router:
    """Routes the messages of one service and keeps its chats.

    Parameters
    ----------
    contacts : Contacts
        Who there is, and who may reach whom.
    owner : Owner
        The service; chats made here belong to it.
    deliver : callable
        Called with a message, the ids of the agents and of the persons who receive it, and whether it waits for a
        person, once it is durable.
    let_go : callable
        Called with the channels whose mail waits no longer, once that is durable.
    count : callable
        Called with the transaction and each message that is accepted in it.
    most_bytes : callable
        How many bytes a message may have now.
    guard : Courtesy, optional
        Looks at what agents say to each other.
    """

    def __init__(  # noqa: PLR0913 - the parts it works with, all of them named
        self,
        contacts: Contacts,
        owner: Owner,
        deliver: Deliver,
        *,
        let_go: Callable[[Sequence[str]], None],
        count: Callable[[Transaction, Message], None],
        most_bytes: Callable[[], float],
        guard: Courtesy | None = None,
    ) -> None:
        self.contacts = contacts
        self._registry = contacts.registry
        self._count = count
        self._owner = owner
        self._deliver = deliver
        self._let_go = let_go
        self._most_bytes = most_bytes
        self.guard = guard

    def post(
        self,
        tx: Transaction,
        text: str,
        receiver_id: str,
        sender_id: str | None,
        *,
        run_id: str | None = None,
        key: str | None = None,
    ) -> Message:
        """Accept a message: one pending delivery for each member of this moment, except the sender.

        Raises
        ------
        UnknownIdError, ChatRuleError
            If there is no such receiver or sender, or a rule of chats forbids it.
        """
        self.check_message(text)
        sender = None if sender_id is None else self._registry.member(sender_id)
        party = self._registry.party(receiver_id, sender.id if sender is not None else None)
        receivers = (
            self._hearers_of(party, sender) if isinstance(party, Chat) else [self._other_than_sender(party, sender)]
        )
        self.contacts.rule.check(sender, receivers, where=f" in {party.id}" if isinstance(party, Chat) else "")
        seq = tx.seq()
        if sender is not None and not isinstance(party, Chat):
            self.contacts.talk(tx, sender.id, party.id, seq)
        message = Message(
            seq=seq,
            id=f"m-{seq}",
            text=text,
            sender_id=None if sender is None else sender.id,
            receiver_id=None if isinstance(party, Chat) else party.id,
            chat_id=party.id if isinstance(party, Chat) else None,
            created_at=tx.time,
            run_id=run_id,
        )
        agents = tuple([member.id for member in receivers if isinstance(member, Agent)])
        only_agents = len(agents) == len(receivers)
        persons = () if only_agents else tuple([one.id for one in receivers if not isinstance(one, Agent)])
        tx.add(Posted(message, key))
        self._count(tx, message)
        if agents:
            tx.add(Delivered(seq, agents, pending=True))
        if persons:
            tx.add(Delivered(seq, persons, pending=False))
        held = self._ask_guard(tx, message, sender, party)
        tx.after(lambda: self._deliver(message, agents, persons, held=held))
        return message

    def check_message(self, text: object) -> None:
        """Check that a text can be a message.

        Raises
        ------
        ChatRuleError
            If there is nothing in it, it cannot be stored, or it is larger than the limit.
        """
        if not isinstance(text, str) or not text.strip():
            msg = "the message is empty: write what the receiver should read"
            raise ChatRuleError(msg)
        if clean(text) != text:
            msg = f"the message holds half a character (a lone surrogate): {ascii(text)[:60]}; leave it out"
            raise ChatRuleError(msg)
        most = self._most_bytes()
        if 4 * len(text) > most and (size := len(text.encode())) > most:  # no character takes more than four
            msg = f"the message has {size:,} bytes, and at most {most:,} are accepted: write less, or several messages"
            raise ChatRuleError(msg)

    def _ask_guard(self, tx: Transaction, message: Message, sender: Member | None, party: Member | Chat) -> bool:
        """Let the guard look at a message; return whether it waits for a person."""
        if self.guard is None or not isinstance(party, Agent | Chat):
            return False
        if not isinstance(sender, Agent):
            # A person has a word with one of them, or with the group: that is what their mail was waiting for.
            self.release(tx, [party.id], None if sender is None else sender.id)
            return False
        name = channel_of(message)
        verdict = self.guard.hear(message, tx.undo)
        if verdict.why:
            told = (
                "; they are told" if verdict.tell else "; their mail there waits for a person" if verdict.hold else ""
            )
            text = f"{message.id} in {name}: {verdict.why}, {verdict.n} in a row{told}"
            tx.note("courtesy", text, agent_id=sender.id, chat_id=message.chat_id, reason=verdict.why)
        if verdict.hold:
            tx.add(Held(name, message.seq))
        return name in self.guard.held

    def waits(self, message: Message) -> bool:
        """Return whether a message waits for a person."""
        return self.guard is not None and channel_of(message) in self.guard.held

    def release(self, tx: Transaction, ids: Iterable[str], by_id: str | None = None) -> list[str]:
        """Deliver what waits between these parties, or all that waits; return the channels in which something did."""
        channels = [] if self.guard is None else self.guard.concerns(ids)
        for name in channels:
            tx.add(Released(name, tx.seq()))
            tx.note("released", f"what waited in {name} is delivered", by_id=by_id)
            if self.guard is not None:
                self.guard.release(name, tx.undo)
        if channels:
            tx.after(lambda: self._let_go(channels))
        return channels

    def remark(self, tx: Transaction, text: str, agent_id: str, run_id: str, *, key: str) -> Message:
        """Accept a text from the program that a run is given to read at once: it wakes nobody and is never pending."""
        seq = tx.seq()
        message = Message(seq, f"m-{seq}", text, None, agent_id, None, tx.time, run_id)
        tx.add(Posted(message, key), Delivered(seq, (agent_id,), pending=True))
        self._count(tx, message)
        tx.after(lambda: self._deliver(message, (), (), held=False))
        return message

    def _other_than_sender(self, receiver: Member, sender: Member | None) -> Member:
        if receiver is sender:
            others = listed(m.id for m in self._registry.members if m is not sender)
            msg = f"{receiver.id!r} is your own id; right would be one of: {others}"
            raise ChatRuleError(msg)
        return receiver

    def _hearers_of(self, chat: Chat, sender: Member | None) -> list[Member]:
        if sender is None:
            msg = f"a message in {chat.id} needs a sender: give sender_id, one of {listed(chat.roster)}"
            raise ChatRuleError(msg)
        _check_member(chat, sender)
        hearers = [self._registry.member(member_id) for member_id in chat.roster if member_id != sender.id]
        if not hearers:
            msg = f"{chat.id} has no other member left, so nobody would read it; write to an agent directly"
            raise ChatRuleError(msg)
        return hearers

    def create_chat(
        self, tx: Transaction, admin_id: str, agent_ids: Iterable[str], *, name: str, description: str = ""
    ) -> Chat:
        """Create a group chat of the admin and these members.

        Raises
        ------
        UnknownIdError, InvalidNameError, ChatRuleError
            If a member is unknown, the name cannot be used, or there are fewer than three.
        """
        admin = self._registry.member(admin_id)
        title = checked_name(name, kind="chat")
        self._registry.check_no_member(title)
        about = clean(str(description))
        if isinstance(agent_ids, str | bytes) or not isinstance(agent_ids, Iterable):
            msg = f"agent_ids should be a list of ids, not {shown(agent_ids)}"
            raise ChatRuleError(msg)
        members = {member.id: member for member in [admin, *(self._registry.member(i, admin.id) for i in agent_ids)]}
        if len(members) < _FEWEST:
            others = listed(member_id for member_id in members if member_id != admin.id)
            msg = (
                f"a group has at least three members, {admin.id} among them; agent_ids names {others}: "
                "name two others at least, or write to a single one with send_message"
            )
            raise ChatRuleError(msg)
        self.contacts.rule.check_group(members.values(), members.values())
        chat = Chat(self._registry.free_chat_id(), title, about, admin.id, self._owner)
        tx.undo(self._registry.drop_chat, chat)
        self._registry.add_chat(chat)
        seq = tx.seq()
        tx.add(ChatCreated(chat.id, seq, chat.name, chat.description, tx.at))
        tx.add(AdminNamed(chat.id, admin.id, tx.seq()))
        for member_id in members:
            chat.roster[member_id] = None
            tx.add(MemberJoined(chat.id, member_id, tx.seq()))
        text = f"{admin.id} created {chat.id} ({chat.name})"
        tx.note("chat_created", text, by_id=admin.id, agent_id=admin.id, chat_id=chat.id)
        return chat

    def add_member(self, tx: Transaction, admin_id: str, agent_id: str, chat_id: str) -> tuple[Member, Chat]:
        """Add a member to a chat, as its admin.

        Raises
        ------
        UnknownIdError, ChatRuleError
            If somebody is unknown, the caller is not the admin, or the member is already in.
        """
        chat, admin = self._as_admin(admin_id, chat_id)
        member = self._registry.member(agent_id, admin.id)
        if member.id in chat.roster:
            msg = f"{member.id} is already a member of {chat.id}; its members are: {listed(chat.roster)}"
            raise ChatRuleError(msg)
        self.contacts.rule.check_group(map(self._registry.member, chat.roster), [member])
        tx.undo(chat.roster.pop, member.id, None)
        chat.roster[member.id] = None
        tx.add(MemberJoined(chat.id, member.id, tx.seq()))
        text = f"{admin.id} added {member.id} to {chat.id}"
        tx.note("member_added", text, by_id=admin.id, agent_id=member.id, chat_id=chat.id)
        return member, chat

    def remove_member(self, tx: Transaction, admin_id: str, agent_id: str, chat_id: str) -> tuple[Member, Chat]:
        """Remove a member from a chat, as its admin; it hears nothing more.

        Raises
        ------
        UnknownIdError, ChatRuleError
            If somebody is unknown, the caller is not the admin, or the member is not in.
        """
        chat, admin = self._as_admin(admin_id, chat_id)
        member = self._registry.member(agent_id)
        if member is admin:
            msg = f"you are the admin of {chat.id} yourself; to go, call leave_chat"
            raise ChatRuleError(msg)
        _check_member(chat, member)
        self._take_out(tx, chat, member)
        text = f"{admin.id} removed {member.id} from {chat.id}"
        tx.note("member_removed", text, by_id=admin.id, agent_id=member.id, chat_id=chat.id)
        return member, chat

    def leave(self, tx: Transaction, agent_id: str, chat_id: str) -> Chat:
        """Leave a chat; if the admin leaves, the member who has been in it longest takes over.

        Raises
        ------
        UnknownIdError, ChatRuleError
            If there is no such chat, or the caller is not in it.
        """
        member = self._registry.member(agent_id)
        chat = self._registry.chat(chat_id, member.id)
        _check_member(chat, member)
        self._take_out(tx, chat, member)
        tx.note("member_left", f"{member.id} left {chat.id}", by_id=member.id, agent_id=member.id, chat_id=chat.id)
        if chat.admin_id == member.id and chat.roster:
            tx.undo(name_admin, chat, member.id)
            name_admin(chat, next(iter(chat.roster)))
            tx.add(AdminLeft(chat.id, tx.seq()), AdminNamed(chat.id, chat.admin_id, tx.seq()))
            text = f"{chat.admin_id} is now the admin of {chat.id}"
            tx.note("admin_changed", text, agent_id=chat.admin_id, chat_id=chat.id)
        return chat

    def search(self, tx: Transaction, agent_id: str, query: str, limit: int) -> list[Agent]:
        """Return the agents that have most to do with a query; the asker knows them from now on."""
        return self.contacts.find(tx, self._registry.get_agent(agent_id), query, limit)

    def _as_admin(self, admin_id: str, chat_id: str) -> tuple[Chat, Member]:
        admin = self._registry.member(admin_id)
        chat = self._registry.chat(chat_id, admin.id)
        if chat.admin_id != admin.id:
            msg = f"only its admin {chat.admin_id} adds and removes members of {chat.id}; ask {chat.admin_id} to do it"
            raise ChatRuleError(msg)
        return chat, admin

    def _take_out(self, tx: Transaction, chat: Chat, member: Member) -> None:
        tx.undo(setattr, chat, "roster", dict(chat.roster))  # in its order: the longest-standing takes over
        del chat.roster[member.id]
        tx.add(MemberLeft(chat.id, member.id, tx.seq()))


def _check_member(chat: Chat, member: Member) -> None:
    if member.id not in chat.roster:
        msg = f"{member.id} is no member of {chat.id}; its admin {chat.admin_id} can add members"
        raise ChatRuleError(msg)
