"""What people and programs did from outside, done again: members, chats, messages, pauses, limits, edits."""

from collections.abc import Callable, Mapping
from typing import Any

from intercom_nb.agent_spec import AgentSpec
from intercom_nb.log.transaction import Transaction
from intercom_nb.log.written import Written
from intercom_nb.members.agent import agent_from
from intercom_nb.members.own_code import own_code
from intercom_nb.members.person import Person
from intercom_nb.runs.halts import PAUSED
from intercom_nb.service.engine import Engine

__all__ = ["Acts"]

Row = Mapping[str, Any]


class Acts:
    """Does again what was done to one service from outside.

    Parameters
    ----------
    engine : Engine
        The service.
    functions : mapping of str to callable
        By name, what its agents have of somebody's own code.
    """

    def __init__(self, engine: Engine, functions: Mapping[str, Callable[..., Any]]) -> None:
        self._engine = engine
        self._functions = functions

    def did(self, one: Written) -> bool:
        """Do it; return False if a transaction is nothing of the kind."""
        began, ended = one.began, one.ended
        if began["agents"]:
            self._change_members(one)
        elif began["chats"] or began["messages"]:
            self._say(one)
        elif began["memberships"] or ended["memberships"]:
            self._change_chat(one)
        elif ended["holds"]:
            self._release(one)
        elif began["halts"] or ended["halts"] or one.events("paused", "stopped"):
            self._halt(one)
        else:
            return False
        return True

    def _change_members(self, one: Written) -> None:
        new = [row for row in one.began["agents"] if row["version"] == 1]
        if new and new[0]["kind"] == "person":
            self._engine.add_person(Person(_spec(new[0]), self._engine))
        elif new:
            specs = [_spec(row) for row in new]
            self._engine.add([agent_from(spec, own_code(spec, self._functions)) for spec in specs])
        else:
            row = one.began["agents"][0]
            spec = _spec(row)
            self._engine.change(row["agent_id"], spec, own_code(spec, self._functions))

    def _say(self, one: Written) -> None:
        router = self._engine.router
        with self._engine.log.transaction() as tx:
            for chat in one.began["chats"]:
                members = [row["agent_id"] for row in one.began["memberships"]]
                router.create_chat(tx, members[0], members[1:], name=chat["name"], description=chat["description"])
            for row in one.began["messages"]:
                router.post(tx, row["text"], row["chat_id"] or row["receiver_id"], row["sender_id"], key=row["key"])
            note_edits(tx, one)

    def _change_chat(self, one: Written) -> None:
        router = self._engine.router
        with self._engine.log.transaction() as tx:
            for event in one.events("member_added", "member_removed"):
                change = router.add_member if event["kind"] == "member_added" else router.remove_member
                change(tx, event["by_id"], event["agent_id"], event["chat_id"])

    def _release(self, one: Written) -> None:
        guard, channels = self._engine.guard, [row["channel"] for row in one.ended["holds"]]
        given = [[], *([name, *name.split(" and ")] for name in channels), *_members(channels)]
        found = next((ids for ids in given if guard is not None and guard.concerns(ids) == channels), channels)
        with self._engine.log.transaction() as tx:
            self._engine.router.release(tx, found)

    def _halt(self, one: Written) -> None:
        engine, states = self._engine, self._engine.inboxes.states
        over, halts = one.ended["halts"], engine.halts
        for event in one.events("agent_paused", "agent_resumed", "agent_limited", "paused", "stopped"):
            if event["kind"] in ("paused", "stopped"):
                engine.lifecycle.quiet("")  # whatever else could be said of being quiet: this is why it halts
                engine.write_halt(event["kind"], event["reason"])
                return
            state = states[event["agent_id"]]
            if event["kind"] == "agent_limited":
                halts.meet(state, event["reason"])
            else:
                (halts.pause if event["kind"] == "agent_paused" else halts.resume)(state)
            return
        if any(row["agent_id"] is None for row in over):
            engine.write_resumed()
        elif all(row["reason"] != PAUSED for row in over):
            halts.lift_limits(states.values())


def note_edits(tx: Transaction, one: Written) -> None:
    """Note again which messages a branch has let say something else."""
    for row in one.events("message_edited"):
        named = {name: row[name] for name in ("agent_id", "chat_id", "run_id", "data")}
        tx.note("message_edited", row["text"], **named)


def _spec(row: Row) -> AgentSpec:
    return AgentSpec.from_row({**row, "id": row["agent_id"]})


def _members(channels: list[str]) -> list[list[str]]:
    return [[member] for name in channels for member in (name, *name.split(" and "))]
