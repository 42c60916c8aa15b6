"""A page without a browser: it keeps what a view sends as the script does, and answers as a page would."""

import threading
import time
from collections import Counter

import comm
from comm.base_comm import BaseComm

KEYS = {
    "agents": lambda row: row["id"],
    "chats": lambda row: row["id"],
    "memberships": lambda row: tuple(row[:3]),
    "messages": lambda row: row[0],
    "runs": lambda row: row[0],
    "events": lambda row: row[0],
}


class RecordingComm(BaseComm):
    """A comm whose messages go nowhere and are kept, each with its time."""

    def publish_msg(self, msg_type, data=None, **_):
        """Keep a message."""
        self.__dict__.setdefault("published", []).append((time.monotonic(), msg_type, data))


class Page:
    """What one browser page knows of a view."""

    def __init__(self, view):
        self.comm = view.widget.comm
        self.log = {kind: {} for kind in KEYS}
        self.before = None
        self.live = None
        self.lives = []
        self.texts_with_last = 0
        self.batches = []
        self._read = 0
        self._asked = 0

    def send(self, **content):
        """Send a message to the kernel."""
        self.comm.handle_msg({"content": {"data": {"method": "custom", "content": content}}, "buffers": []})
        return self.take()

    def hello(self, view="one", seq=0, *, visible=True):
        """Say that a view was rendered."""
        return self.send(kind="hello", view=view, seq=seq, visible=visible)

    def see(self, visible, view="one"):
        """Say that a view came into sight, or left it."""
        return self.send(kind="visible", view=view, visible=visible)

    def ask(self, what, **given):
        """Ask, and return the answer."""
        self._asked += 1
        self.send(kind="ask", id=self._asked, what=what, **given)
        (found,) = [c for c in self.answers if c["id"] == self._asked]
        return {key: value for key, value in found.items() if key not in ("kind", "id")}

    def older(self, most=5_000):
        """Ask for what lies before the first row, as somebody who scrolls up does."""
        told = self.ask("older", seq=self.before["seq"], most=most)
        self._keep(told["facts"])
        self.before = told["before"]

    def counted(self):
        """Return what the page counts: messages, runs, tokens, and deliveries by sender and receiver."""
        before = self.before or {"messages": 0, "agents": [], "edges": []}
        pairs = Counter({(one, other): direct + group for one, other, direct, group, _ in before["edges"]})
        for seq, _, _, sender, to, *_ in self.log["messages"].values():
            for receiver in self._heard_by(seq, sender, to):
                pairs[sender, receiver] += 1
        runs = self.log["runs"].values()
        return {
            "messages": before["messages"] + len(self.log["messages"]),
            "runs": sum(row[1] for row in before["agents"]) + len(runs),
            "tokens": sum(row[3] for row in before["agents"]) + sum(run[7] for run in runs),
            "pairs": dict(pairs),
        }

    def _heard_by(self, seq, sender, to):
        if sender is None or to not in self.log["chats"]:
            return [] if sender is None else [to]
        stays = [row for row in self.log["memberships"].values() if row[0] == to]
        return [
            who for _, who, joined, left in stays if who != sender and joined < seq and (left is None or left > seq)
        ]

    def do(self, action, **given):
        """Do something, and return whether it was done, and the sentence."""
        done = self.ask("do", action=action, **given)
        return done["ok"], done["sentence"]

    @property
    def customs(self):
        """Every custom message so far, with its time."""
        return [
            (at, data["content"])
            for at, kind, data in list(self.comm.__dict__.get("published", ()))
            if kind == "comm_msg" and data.get("method") == "custom"
        ]

    @property
    def answers(self):
        """Every answer so far."""
        return [content for _, content in self.customs if content["kind"] == "answer"]

    def take(self):
        """Apply what has arrived since the last time, and return it."""
        customs = [content for _, content in self.customs]
        new, self._read = customs[self._read :], len(customs)
        for content in new:
            if content["kind"] == "facts":
                self._apply(content)
        return new

    def _apply(self, content):
        self.batches.append(content)
        if content["reset"]:
            self.log = {kind: {} for kind in KEYS}
        self._keep(content["facts"])
        if content["reset"]:
            self.before = content.get("before")
        if content["live"] is not None:
            before = {} if self.live is None else self.live["agents"]
            self.live = content["live"] | {"agents": before | content["live"]["agents"]}

    def _keep(self, facts):
        for kind, rows in facts.items():
            for row in rows:
                key = KEYS[kind](row)
                old = self.log[kind].get(key)
                if kind == "messages" and row[6] is None and old is not None:
                    row = [*row[:6], old[6], row[7]]  # noqa: PLW2901 - a text once known stays known
                self.log[kind][key] = row

    def until(self, condition, seconds=60):
        """Take what arrives until something holds."""
        deadline = time.monotonic() + seconds
        while True:
            self.take()
            if condition(self):
                return
            assert time.monotonic() < deadline, (self.live, {k: len(v) for k, v in self.log.items()})
            threading.Event().wait(0.005)


def record(monkeypatch):
    """Make every widget's comm a recording one."""
    monkeypatch.setattr(comm, "create_comm", RecordingComm)
