"""What is left after SIGKILL: 200 kills at random moments of ten growing conversations."""

import random
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

import pytest
from found import Found
from society import World, lines
from victims import victim

from counts import times

LOGS, KILLS_PER_LOG = times(10), 20


def kill_at_random(nursery, worlds: list[World], folder: Path) -> Counter:
    """Kill conversations side by side again and again, check them each time, let them end; return what was counted."""
    chance = random.Random(worlds[0].seed)  # noqa: S311 - to be repeated, not to be unguessable
    counted: Counter = Counter()
    for n in range(KILLS_PER_LOG):
        with ExitStack() as victims:
            lives = [victims.enter_context(victim(nursery, world.live)) for world in worlds]
            if n % 5:  # each fifth may be killed while it is still opening the log
                assert all(ready.poll(60) for _, ready in lives), "a process did not get to work"
            lives[0][0].join(chance.uniform(0.005, 0.120))
        for world in worlds:
            found = Found(world, folder)
            found.check()
            unknown = [c for c in found.tool_calls if c["output"] is None and c["run_id"] in found.open_runs]
            counted.update({"kills": 1, "unfinished runs": len(found.open_runs), "interrupted tools": len(unknown)})
            counted.update({"waiting": sum(hold["until_seq"] is None for hold in found.holds)})
    for world in worlds:
        with world.open() as intercom:
            world.send_next(intercom, len(lines(world.acks)))
            while (reason := intercom.wait(timeout=60)) == "courtesy":
                assert intercom.release() > 0
            assert reason == "quiet"
        found = Found(world, folder)
        found.check()
        found.check_quiet()
        counted.update({"waited": len(found.waited)})
        counted.update({table: len(getattr(found, table)) for table in ("messages", "deliveries", "runs", "steps")})
        counted.update({"repeated model calls": world.calls.stat().st_size - len(found.steps)})
    return counted


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(0, LOGS, 2))
def test_killed_at_random_moments_nothing_is_lost_or_done_twice(seed, nursery, tmp_path):
    """Twenty kills of each of two conversations: what was accepted is read once, in order, and answered once."""
    counted = kill_at_random(nursery, [World(tmp_path, seed), World(tmp_path, seed + 1)], tmp_path)

    assert counted["kills"] == 2 * KILLS_PER_LOG
    assert counted["unfinished runs"] > 0, f"no kill came at a bad moment: {counted}"
    assert counted["waited"] > 0, f"the guard against courtesy held nothing back: {counted}"
    assert counted["messages"] > counted["kills"], f"hardly anything was said: {counted}"
