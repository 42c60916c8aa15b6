"""A fault of ours in any stage ends as a failed run that `wait` reports, never as a hang; others go on."""

import logging

import pytest

from intercom_nb import Agent, Limits, call
from intercom_nb.contacts.chat_lists import Contacts
from intercom_nb.models import Models
from intercom_nb.routing.router import Router
from intercom_nb.runs.budget import Budget
from intercom_nb.runs.conversations import Conversations
from intercom_nb.runs.halts import Halts
from intercom_nb.runs.step import Steps

STAGES = {
    "its chat list": (Contacts, "show"),
    "its model": (Models, "named"),
    "its thinking": (Steps, "think"),
    "its tools": (Steps, "act"),
    "its commit": (Steps, "commit"),
    "its commit, in the transaction": (Steps, "_carry_out"),
    "its mail": (Conversations, "take"),
    "what it has room for": (Budget, "reserve"),
    "what it sends": (Router, "post"),
}


class Bug(Exception):  # noqa: N818 - what it is
    """What should never happen."""


def broken(monkeypatch, kind, name, agent):
    """Let a method of ours fail for whatever concerns one agent, while it runs; return how to mend it."""
    right = getattr(kind, name)

    def fails(self, *given, **named):
        if concerns(agent, given):
            raise Bug("off by one")
        return right(self, *given, **named)

    monkeypatch.setattr(kind, name, fails)
    return lambda: monkeypatch.setattr(kind, name, right)


def concerns(agent, given):
    """Return whether an agent, or its state or model, is among some arguments."""
    return any(
        one is agent
        or getattr(one, "agent", None) is agent
        or (one is not None and one is agent.model)
        or one == agent.id
        for one in given
    )


def greet(request):
    """Answer as one that writes to Bob whenever somebody has written to it."""
    news = request["input"][-1].get("role") == "user"
    return call("send_message", chat_id="bob", message="Hello") if news else "Sent."


@pytest.mark.parametrize("stage", STAGES)
def test_a_fault_in_any_stage_is_a_failed_run(stage, scripted, monkeypatch, caplog):
    """The sentence names it, the others go on, and when it is mended `retry` goes on too."""
    caplog.set_level(logging.CRITICAL)
    intercom = scripted({"Ann": greet, "Bob": lambda _: "Read.", "Eve": greet})
    ann, bob, eve = Agent("Ann", model=intercom.assistant), Agent("Bob"), Agent("Eve")
    intercom.add(ann, bob, eve)
    with intercom:
        mend = broken(monkeypatch, *STAGES[stage], ann)
        if stage == "what it sends":
            mend()
            mend = broken_sends(monkeypatch)
        for agent in (ann, eve) if stage != "what it sends" else (ann,):
            intercom.send_message("Begin", agent.id)
        ended = intercom.wait(30, progress=False)
        first = [message.text for message in intercom.messages]
        sentence = intercom.status

        mend()
        retried = intercom.retry()
        again = intercom.wait(30, progress=False)

        assert (ended, retried, again) == ("failed", 1, "quiet")
        assert "Bug: off by one" in sentence
        assert first.count("Hello") == (stage != "what it sends")
        assert [message.text for message in intercom.messages].count("Hello") == first.count("Hello") + 1


@pytest.mark.parametrize("limits", [Limits(tokens=1), Limits(runs=1)], ids=["tokens", "runs"])
def test_a_fault_where_a_limit_is_met_is_a_failed_run(limits, scripted, monkeypatch, caplog):
    """Once it is mended, the limit holds as it should."""
    caplog.set_level(logging.CRITICAL)
    intercom = scripted({"Ann": lambda _: "Read.", "Bob": lambda _: "Read."})
    intercom.add(Agent("Ann", limits=limits), Agent("Bob"))
    with intercom:
        if limits.runs == 1:
            intercom.send_message("Begin", "ann")
            assert intercom.wait(30, progress=False) == "quiet"
        mend = broken(monkeypatch, Halts, "meet", intercom["ann"])
        intercom.send_message("Hi", "bob")
        intercom.send_message("Again", "ann")
        ended, sentence = intercom.wait(30, progress=False), intercom.status
        mend()

        assert (ended, "Bug: off by one" in sentence) == ("failed", True)
        assert intercom.retry() == 1
        assert intercom.wait(30, progress=False) == ("runs" if limits.runs == 1 else "tokens")
        assert intercom["bob"].status == "idle"


def broken_sends(monkeypatch):
    """Let sending fail for agents; return how to mend it."""
    right = Router.post

    def fails(self, tx, text, receiver_id, sender_id, **named):
        if sender_id is not None:
            raise Bug("off by one")
        return right(self, tx, text, receiver_id, sender_id, **named)

    monkeypatch.setattr(Router, "post", fails)
    return lambda: monkeypatch.setattr(Router, "post", right)
