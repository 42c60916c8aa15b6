"""Any log, executed again, comes out equal; and from any place of it a branch goes on."""

import random
import shutil

import pytest
from hypothesis import HealthCheck, Phase, settings
from society import World
from test_properties import Conversations, policy
from victims import victim

from counts import times
from intercom_nb import (
    Agent,
    Fail,
    InterComService,
    Limits,
    ScriptedAssistant,
    call,
    difference,
    fork,
    places,
    replay,
    state,
)
from intercom_nb.texts.instructions import identity

FORKED = 5  # places of each society


class Replays(Conversations):
    """Random people doing random things to a real service, whose log is then executed again."""

    def teardown(self):
        """Replay the log, whatever came of it."""
        try:
            self.intercom.start()
            self.settle()
        finally:
            self.intercom.stop()
        found = replay(self.intercom.log)
        self.check_forks(self.intercom.log)
        shutil.rmtree(self.folder)
        assert found.equal, str(found)

    def check_forks(self, log):
        """Branch off at one of its places, and let the branch go on until it is quiet."""
        known = places(log)
        place = known[self.count % len(known)].seq
        with fork(log, at=place, model=ScriptedAssistant(default=policy)) as branch:
            assert difference(log, branch, until=place) is None
            while branch.wait(60, progress=False) == "courtesy":
                branch.release()
        found = replay(branch.log)
        assert found.equal, str(found)


Replays.TestCase.settings = settings(
    max_examples=times(60),
    stateful_step_count=20,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # what fails is told in one sentence, with the place
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
)
TestReplays = Replays.TestCase


def look_up(city: str) -> str:
    """Look something up, or fail at it."""
    if city == "Atlantis":
        raise LookupError(city)
    return f"{city} is fine."


def talks(seed):
    """Return what agents answer, by lot: messages to some, groups, searches, notes, tools, faults, silence."""
    dice = random.Random(seed)  # noqa: S311 - which of them speaks is no secret

    def answers(request):
        if not request.get("tools"):
            return "I was asked things."
        if dice.random() < 0.03:
            return Fail(500)
        me, names = identity(request["instructions"])[1], [tool["name"] for tool in request["tools"]]
        others = [f"a{n}" for n in range(8) if f"a{n}" != me]
        doings = [
            lambda: call(
                "send_message", chat_id=dice.choice([*others, "chat-1", "nobody"]), message=f"What of {dice.random()}?"
            ),
            lambda: call("send_message", chat_id=dice.choice(others), message="Thank you, thank you!"),
            lambda: call("create_chat", agent_ids=dice.sample(others, 3), name="All", description="", message="Hi"),
            lambda: call("add_chat_member", agent_id=dice.choice(others), chat_id="chat-1"),
            lambda: call("leave_chat", chat_id="chat-1"),
            lambda: call("look_up", city=dice.choice(["Rome", "Atlantis"])),
            lambda: [call("look_up", city="Rome"), call("send_message", chat_id=dice.choice(others), message="So?")],
            lambda: call(
                "remember" if "remember" in names else "recall",
                **({"text": f"{dice.random()}"} if "remember" in names else {"query": "x"}),
            ),
            lambda: call("recall", query="0"),
            lambda: call("search_agents", query="agent"),
            *[lambda: "Done."] * 6,
        ]
        return dice.choice(doings)()

    return ScriptedAssistant(default=answers)


def society(seed, folder):
    """Let some agents do all that there is, and people interfere, as a seed says; return the service, stopped."""
    dice = random.Random(seed)  # noqa: S311 - the same
    limits = Limits(runs=dice.choice([30, 60]), steps_per_run=dice.choice([2, 5]), tokens=dice.choice([10**9, 150_000]))
    made = {"max_retries": 0, "thread_logs": False, "chat_list": dice.choice(["newest", "every"]), "limits": limits}
    made["contacts"] = dice.choice([None, "everyone", "relevant", 3])
    made["courtesy"] = dice.random() < 0.7
    intercom = InterComService("Society", logs=folder, model=talks(seed), **made)
    for n in range(dice.choice([3, 8])):
        mail, context = dice.choice(["when_idle", "asap"]), dice.choice([None, 2_000])
        own = dice.choice([None, None, Limits(runs=4)])
        notes = dice.random() < 0.5
        intercom.add(Agent(f"A{n}", tools=[look_up], notes=notes, mail=mail, context=context, limits=own))
    intercom.add_person("You")
    intercom.start()
    for _ in range(6):
        who = dice.choice(intercom.agents)
        act = dice.randrange(7)
        if act == 0:
            who.mission = f"Do {dice.random()}."
        elif act == 1:
            who.pause()
        elif act == 2:
            who.resume()
        elif act == 3:
            intercom.settings = {"temperature": dice.choice([0.1, 0.2])}
        elif act == 4:
            intercom.pause()
            intercom.start()
        elif act == 5:
            intercom.release()
        intercom.send_message(f"Number {dice.random()}", who.id, dice.choice([None, "you"]))
        intercom.wait(dice.choice([0.01, 5]), progress=False)
        intercom.retry()
    intercom.wait(20, progress=False)
    intercom.stop()
    return intercom


@pytest.mark.parametrize("seed", range(times(60)))
def test_a_log_executed_again_is_equal(seed, tmp_path):
    """Whatever was done in it: with the functions of its agents, and without; and so is each of its branches."""
    log = society(seed, tmp_path).log

    for tools in ((), [look_up]):
        found = replay(log, tools=tools)
        assert found.equal, str(found)
        assert found.difference is None
        assert found.places == len(places(log))
    known = places(log)
    for n in range(FORKED):
        place = known[(seed + 1) * (n + 1) * 7919 % len(known)].seq
        branch = fork(log, at=place, model=talks(seed + 1), tools=[look_up])
        assert branch.spent == state(log, place).spent
        with branch:
            branch.wait(20, progress=False)
        found = replay(branch.log)
        assert found.equal, str(found)


def test_a_log_that_was_killed_and_opened_again(nursery, tmp_path):
    """At moments that nobody chose: what recovery made of it is made again; and a branch of it goes on."""
    world = World(tmp_path, 3)
    for n in range(3):
        with victim(nursery, world.live) as (process, ready):
            assert ready.poll(60)
            process.join(0.15 + n / 10)
    found = replay(world.log)
    assert found, str(found)
    with world.open() as intercom:
        while intercom.wait(60, progress=False) == "courtesy":
            intercom.release()
    for tools in ((), (world.press, world.knock)):
        found = replay(world.log, tools=tools)
        assert found, str(found)
    with fork(world.log, at=intercom.messages[-1].id, model="offline", tools=[world.press, world.knock]) as branch:
        branch.wait(1, progress=False)
    found = replay(branch.log)
    assert found, str(found)
