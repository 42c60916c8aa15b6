"""The fingerprints of requests are a chain: equal as long as all that was sent is, other from the first change on."""

import hashlib

import pytest

from intercom_nb import Agent, InterComService, ScriptedAssistant, steps_df
from intercom_nb.texts import instructions

WORDS = ("One.", "Two.", "Three.")


def fingerprints(heard=WORDS, *, change=None, at=None, **agent):
    """Return the fingerprints of an agent that hears some words, a run each; `change` is called before one of them."""
    with InterComService("chain", model=ScriptedAssistant(default="Read."), logs=None) as intercom:
        intercom.add(Agent("Ann", **{"mission": "Listen."} | agent))
        for n, words in enumerate(heard):
            if n == at:
                change(intercom["ann"])
            intercom["ann"].send_message(words)
            assert intercom.wait(30, progress=False) == "quiet"
        steps = steps_df(intercom)
    assert len(steps) == len(heard)
    return steps["fingerprint"].tolist()


def same_until(one, other):
    """Return how many of the first fingerprints are equal; all after them differ."""
    n = next((n for n, pair in enumerate(zip(one, other, strict=True)) if pair[0] != pair[1]), len(one))
    assert not {*one[n:]} & {*other[n:]}
    return n


def test_the_same_requests_have_the_same_chain():
    """In another service and another log; one fingerprint a step, each another one."""
    chain = fingerprints()

    assert fingerprints() == chain
    assert len({*chain}) == len(WORDS)


@pytest.mark.parametrize("at", [0, 1, 2])
def test_another_item_changes_it_from_there_on(at):
    """What was sent before keeps its fingerprints; nothing after it has one of them again."""
    heard = [*WORDS]
    heard[at] = "Otherwise."

    assert same_until(fingerprints(), fingerprints(heard)) == at


@pytest.mark.parametrize("field", ["mission", "description", "settings"])
def test_an_edit_changes_it_from_there_on(field):
    """A mission, a description, or what is sent besides."""
    value = {"seed": 7} if field == "settings" else "Otherwise."

    edited = fingerprints(change=lambda agent: setattr(agent, field, value), at=1)

    assert same_until(fingerprints(), edited) == 1


def test_another_guideline_changes_all_of_it(monkeypatch):
    """It is part of every request."""
    before = fingerprints()
    monkeypatch.setattr(instructions, "_GUIDELINE", "Be kind.")

    assert same_until(before, fingerprints()) == 0


def test_a_change_taken_back_does_not_bring_the_old_ones_again():
    """The chain knows what was sent in between."""
    heard = [*WORDS]
    heard[0] = "Otherwise."
    other = fingerprints(heard)

    assert other[1:] != fingerprints()[1:]


def test_a_step_costs_one_hash_however_long_the_conversation(monkeypatch):
    """What is hashed for a step is what is new in it, not all that is sent."""
    hashed = []
    made = hashlib.blake2b

    class Counted:
        """A hash that counts what it is fed."""

        def __init__(self, data=b"", **options):
            self.hash, self.n = made(data, **options), len(data)

        def update(self, data):
            """Take more."""
            self.n += len(data)
            self.hash.update(data)

        def copy(self):
            """Return another one that goes on from here."""
            other = Counted(digest_size=self.hash.digest_size)
            other.hash, other.n = self.hash.copy(), self.n
            return other

        def hexdigest(self):
            """Return the fingerprint."""
            hashed.append(self.n)
            return self.hash.hexdigest()

    monkeypatch.setattr("intercom_nb.runs.fingerprints.hashlib.blake2b", Counted)

    fingerprints(["The same words."] * 12)

    tools, _first, *others = hashed  # of the tools there is one hash for all steps
    assert len(hashed) == 1 + 12
    assert max(others) - min(others) < 100 < tools
