"""What must hold of a log after every kill."""

import itertools
import json
import shutil
import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path

from society import AGENTS, World, key_of, lines, plan, turn_of


class Found:
    """What a log says, read from a copy of its files, so that the next process finds them as the kill left them."""

    def __init__(self, world: World, folder: Path) -> None:
        copy = folder / "copy.db"
        for tail in ("", "-wal"):
            Path(f"{copy}{tail}").unlink(missing_ok=True)
            if Path(f"{world.log}{tail}").exists():
                shutil.copy(f"{world.log}{tail}", f"{copy}{tail}")
        self.world = world
        with closing(sqlite3.connect(copy)) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            self.messages = rows(connection, "SELECT * FROM messages ORDER BY seq")
            self.deliveries = rows(connection, "SELECT * FROM deliveries ORDER BY agent_id, seq")
            self.memberships = rows(connection, "SELECT * FROM memberships")
            self.attempts = rows(connection, "SELECT * FROM runs ORDER BY run_id, attempt")
            self.steps = rows(connection, "SELECT * FROM steps ORDER BY run_id, step")
            self.holds = rows(connection, "SELECT * FROM holds")
            self.tool_calls = rows(connection, "SELECT * FROM tool_calls")
            self.items: dict[str, list[sqlite3.Row]] = {f"a{n}": [] for n in range(AGENTS)}
            for item in rows(connection, "SELECT * FROM items ORDER BY agent_id, idx"):
                self.items[item["agent_id"]].append(item)
        self.waited = {message["seq"] for message in self.messages if self.has_waited(message)}
        newest = {attempt["run_id"]: attempt for attempt in self.attempts}  # of those of one run, the last one counts
        self.runs = sorted(newest.values(), key=lambda run: run["seq"])
        self.open_runs = [run["run_id"] for run in self.runs if run["reason"] in (None, "interrupted", "stopped")]

    def has_waited(self, message: sqlite3.Row) -> bool:
        """Return whether the guard against courtesy held a message back, for good or for a while."""
        channel = message["chat_id"] or " and ".join(sorted((str(message["sender_id"]), str(message["receiver_id"]))))
        return message["sender_id"] in self.items and any(
            hold["channel"] == channel
            and hold["seq"] <= message["seq"]
            and (hold["until_seq"] is None or message["seq"] < hold["until_seq"])
            for hold in self.holds
        )

    def check(self) -> None:
        """Check everything that holds at any moment."""
        self.check_messages()
        self.check_runs()
        for agent_id in self.items:
            self.check_conversation(agent_id)
            self.check_calls(agent_id)
        self.check_effects()

    def check_messages(self) -> None:
        """Nothing accepted is lost or sent twice, and everybody who was there is told, nobody else."""
        keys, texts = [m["key"] for m in self.messages], Counter(m["text"] for m in self.messages if m["sender_id"])
        assert max(Counter(filter(None, keys)).values(), default=1) == 1, "a remark, or a message, has come twice"
        lost = set(lines(self.world.acks)) - set(keys)
        assert not lost, f"acknowledged, then lost: {sorted(lost)}"
        assert max(texts.values(), default=1) == 1, f"sent twice: {[text for text, n in texts.items() if n > 1]}"
        numbers = [int(key[1:]) for key in keys if key and ":" not in key]
        assert numbers == list(range(len(numbers))), f"the person's messages are out of order: {numbers}"
        told: dict[int, set[str]] = {}
        for delivery in self.deliveries:
            told.setdefault(delivery["seq"], set()).add(delivery["agent_id"])
        for message in self.messages:
            expected = self.members(message) - {message["sender_id"]}
            got = told.pop(message["seq"], set())
            assert expected == got, f"message {message['seq']} reached {got}, its receivers were {expected}"
        assert not told, f"deliveries without a message: {told}"

    def members(self, message: sqlite3.Row) -> set[str]:
        """Return who was to hear a message, at its moment."""
        if message["chat_id"] is None:
            return {message["receiver_id"]}
        return {
            member["agent_id"]
            for member in self.memberships
            if member["chat_id"] == message["chat_id"]
            and member["seq"] < message["seq"]
            and (member["until_seq"] is None or member["until_seq"] > message["seq"])
        }

    def check_runs(self) -> None:
        """No run failed, nobody has two unfinished ones, and the steps of each have no gap."""
        ends = {attempt["reason"] for attempt in self.attempts} - {None, "silent", "interrupted", "stopped"}
        assert not ends, f"runs that did not end in silence: {ends}"
        for run_id, attempts in itertools.groupby(self.attempts, key=lambda attempt: attempt["run_id"]):
            numbers, reasons = zip(*((attempt["attempt"], attempt["reason"]) for attempt in attempts), strict=True)
            assert list(numbers) == list(range(1, len(numbers) + 1)), f"the attempts of {run_id} are {numbers}"
            assert "silent" not in reasons[:-1], f"{run_id} went on after it had ended: {reasons}"
        unfinished = Counter(run["agent_id"] for run in self.runs if run["run_id"] in self.open_runs)
        assert max(unfinished.values(), default=0) <= 1, f"two runs at once: {unfinished}"
        for run_id, steps in itertools.groupby(self.steps, key=lambda step: step["run_id"]):
            numbers = [step["step"] for step in steps]
            assert numbers == list(range(len(numbers))), f"the steps of {run_id} are {numbers}"
        held = {step["run_id"] for step in self.steps if step["until_seq"] is None}
        assert held <= set(self.open_runs), f"tools at work in runs that have ended: {held - set(self.open_runs)}"

    def check_conversation(self, agent_id: str) -> None:
        """Each consumed delivery is in the conversation once, in order but for what has waited, and no other."""
        message_of = {message["seq"]: message for message in self.messages}
        mine = [(d, message_of[d["seq"]]) for d in self.deliveries if d["agent_id"] == agent_id]
        consumed = [(d["run_id"], m["text"]) for d, m in mine if d["until_seq"] is not None and m["sender_id"]]
        told = [(d["run_id"], m["text"]) for d, m in mine if d["until_seq"] is not None and not m["sender_id"]]
        items = self.items[agent_id]
        assert [item["idx"] for item in items] == list(range(len(items))), f"{agent_id}'s items have a gap"
        given = [(item["run_id"], turn_of(json.loads(item["payload"])["content"])) for item in items if is_turn(item)]
        read = [(run_id, heard.text) for run_id, turn in given for heard in turn.incoming]
        remarks = [(run_id, text) for run_id, turn in given for texts in turn.plain for text in texts.split("\n\n")]
        waited = {m["text"] for _, m in mine if m["seq"] in self.waited}
        assert Counter(consumed) == Counter(read), f"{agent_id} was given {consumed}, and has read {read}"
        assert prompt(consumed, waited) == prompt(read, waited), f"{agent_id} was given {consumed}, and has read {read}"
        assert told == remarks, f"{agent_id} was told {told}, and has read {remarks}"
        after = [
            "pending" if d["until_seq"] is None else "consumed"
            for d, m in mine
            if m["sender_id"] and m["seq"] not in self.waited
        ]
        assert after == sorted(after), f"{agent_id} has read a message before an earlier one: {after}"

    def check_calls(self, agent_id: str) -> None:
        """Each tool call is followed by its output, in its own step, and none is made twice."""
        items, asked = self.items[agent_id], []
        for (run_id, step), group in itertools.groupby(items, key=lambda item: (item["run_id"], item["step"])):
            made = [(item["type"], json.loads(item["payload"])) for item in group if item["type"] != "user"]
            calls = [item["call_id"] for kind, item in made if kind == "function_call"]
            outputs = [item["call_id"] for kind, item in made if kind == "function_call_output"]
            assert calls == outputs, f"{agent_id} in {run_id}, step {step}: calls {calls}, outputs {outputs}"
            kinds = [kind for kind, _ in made]
            assert kinds == sorted(kinds, key="function_call_output".__eq__), f"{agent_id}: an output before its call"
            asked += [key_of(item["arguments"]) for kind, item in made if kind == "function_call"]
        twice = [key for key, n in Counter(filter(None, asked)).items() if n > 1]
        assert not twice, f"{agent_id} did twice: {twice}"

    def check_effects(self) -> None:
        """No tool worked twice, and of each one that worked the log says so."""
        effects = Counter(lines(self.world.effects))
        assert max(effects.values(), default=1) == 1, f"worked twice: {[e for e, n in effects.items() if n > 1]}"
        own = [c for c in self.tool_calls if c["name"] in ("press", "knock")]
        began = {key_of(c["arguments"]) for c in own}
        assert effects.keys() <= began, f"worked before the log knew of it: {effects.keys() - began}"
        ended = {key_of(c["arguments"]) for c in own if c["output"] is not None and not c["failed"]}
        assert ended <= effects.keys(), f"said to have worked, and did not: {ended - effects.keys()}"

    def check_quiet(self) -> None:
        """Everything was answered, as the policy says, and what a call says was sent is there."""
        pending = [tuple(d) for d in self.deliveries if d["until_seq"] is None]
        assert not pending, f"never read: {pending}"
        assert not self.open_runs, f"never ended: {self.open_runs}"
        for agent_id, items in self.items.items():
            payloads = [json.loads(item["payload"]) for item in items]
            output_of = {p["call_id"]: p["output"] for p in payloads if p.get("type") == "function_call_output"}
            calls = [p for p in payloads if "arguments" in p]
            said = {key_of(p["arguments"]) for p in calls} - {""}
            turns = [turn_of(payload["content"]) for payload in payloads if payload.get("role") == "user"]
            heard = [incoming for turn in turns for incoming in turn.incoming]
            wanted = {text for m in heard for acts in plan(agent_id, m) for _, text in acts if text}
            assert wanted == said, f"{agent_id} should have done {wanted}, and did {said}"
            mine = [p for p in calls if p["name"] in ("send_message", "create_chat")]
            told = {key_of(p["arguments"]) for p in mine if not output_of[p["call_id"]].startswith("Error")}
            by_me = {m["text"] for m in self.messages if m["sender_id"] == agent_id}
            assert told == by_me, f"{agent_id} was told that {told} were sent, and sent {by_me}"


def rows(connection: sqlite3.Connection, sql: str) -> list[sqlite3.Row]:
    """Return rows with names."""
    cursor = connection.cursor()
    cursor.row_factory = sqlite3.Row
    return cursor.execute(sql).fetchall()


def is_turn(item: sqlite3.Row) -> bool:
    """Return whether an item is one that an agent was given to read."""
    return item["type"] == "user"


def prompt(given: list[tuple[str, str]], waited: set[str]) -> list[tuple[str, str]]:
    """Return what did not wait."""
    return [(run_id, text) for run_id, text in given if text not in waited]
