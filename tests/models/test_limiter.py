"""The limiter: in order, not too many, slowed for all by one refusal, and few calls wasted on finding the limit."""

import asyncio
import heapq
import random
import re
import selectors

import httpx2
import openai
import pytest

from counts import times
from intercom_nb import Agent, Fail, InterComService, ModelError, ScriptedAssistant
from intercom_nb.models.failures import Failure
from intercom_nb.models.limiter import Limiter


class VirtualLoop(asyncio.SelectorEventLoop):
    """A loop whose clock jumps to the next timer instead of waiting for it."""

    def __init__(self):
        super().__init__(selectors.SelectSelector())
        self.now = 1_000.0

    def time(self):
        """Return the virtual time."""
        return self.now

    def _run_once(self):
        while self._scheduled and self._scheduled[0]._cancelled:
            heapq.heappop(self._scheduled)._scheduled = False
            self._timer_cancelled_count -= 1
        if not self._ready and self._scheduled:
            self.now = max(self.now, self._scheduled[0]._when)
        super()._run_once()


def virtually(coroutine):
    """Run a coroutine on virtual time."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(coroutine)


def refusal(retry_after=None):
    """Return a refusal as the client reports it."""
    return Failure(ModelError("<server> failed with HTTP 429: slow down", status=429), "refused", retry_after)


class Bucket:
    """A server that lets so many calls a second through, with bursts of so many."""

    def __init__(self, rate, burst, *, latency_s, retry_after):
        self.rate, self.burst, self.latency_s, self.retry_after = rate, burst, latency_s, retry_after
        self.tokens, self.filled = float(burst), None
        self.accepted = self.refused = 0

    async def __call__(self):
        """Answer one call."""
        now = asyncio.get_running_loop().time()
        self.filled = now if self.filled is None else self.filled
        self.tokens = min(self.burst, self.tokens + (now - self.filled) * self.rate)
        self.filled = now
        if self.tokens < 1:
            self.refused += 1
            await asyncio.sleep(0.03)
            raise refusal(self.retry_after)
        self.tokens -= 1
        self.accepted += 1
        await asyncio.sleep(self.latency_s)


def limiter_of(**settings):
    """Return a limiter on the running loop's clock, its dice fixed."""
    made = Limiter(settings.pop("max_concurrency", 64), clock=asyncio.get_running_loop().time, **settings)
    made._dice.seed(1)
    return made


@pytest.mark.parametrize("steps", [1, 3, 10])
@pytest.mark.parametrize("retry_after", [1.0, None], ids=["retry-after", "none"])
@pytest.mark.parametrize("latency_s", [0.02, 0.5, 5.0])
@pytest.mark.parametrize("burst", [1, 20])
def test_200_agents_on_20_calls_a_second_waste_under_5_percent(burst, latency_s, retry_after, steps, record_property):
    """Whatever the server's answers take and say, at most one call in twenty is refused, and all agents finish."""
    server = Bucket(20, burst, latency_s=latency_s, retry_after=retry_after)

    async def everybody():
        limiter = limiter_of()

        async def agent(name):
            for _ in range(steps):
                await limiter.run(name, server)

        began = limiter._clock()
        await asyncio.gather(*(agent(f"agent-{n}") for n in range(200)))
        return limiter._clock() - began

    seconds = virtually(everybody())
    total = server.accepted + server.refused
    record_property("refused", f"{server.refused / total:.2%} of {total} calls in {seconds:.1f} s")

    assert server.accepted == 200 * steps
    assert server.refused < 0.05 * total
    assert seconds < 2.5 * (200 * steps / 20 + 10)


@pytest.mark.alone  # in real time: a machine that does something else, too, is late for its own pace
def test_200_agents_of_a_service_on_20_calls_a_second(record_property):
    """The same in real time, through the client, the service and the log."""
    bucket = Bucket(20, 20, latency_s=0.05, retry_after=1)
    bucket.tokens, bucket.filled = 20.0, None

    class Server(ScriptedAssistant):
        async def __call__(self, scope, receive, send):
            try:
                await bucket()
            except Failure:
                self.enqueue("", Fail(429, retry_after=1))
            await super().__call__(scope, receive, send)

        def _reply(self, _request):
            return super()._reply({"instructions": ""}) if self._queued[""] else "Fine."

    transport = httpx2.ASGITransport(Server())
    client = openai.AsyncOpenAI(
        base_url="http://limited/v1", api_key="k", http_client=httpx2.AsyncClient(transport=transport)
    )
    with InterComService(model="m", client=client, logs=None) as intercom:
        agents = [Agent(f"Agent {n}") for n in range(200)]
        intercom.add(*agents)
        for agent in agents:
            agent.begin()
        reason = intercom.wait(60)
        failed = [agent for agent in agents if agent.status != "idle"]
    asyncio.run(client.close())
    total = bucket.accepted + bucket.refused
    record_property("refused", f"{bucket.refused / total:.2%} of {total} calls")

    assert reason == "quiet"
    assert failed == []
    assert bucket.accepted == 200
    assert bucket.refused < 0.05 * total


def test_calls_begin_in_the_order_they_came_and_never_too_many():
    """First in, first out, whoever asks; an agent with many calls keeps nobody waiting for ever."""
    begun, at_once, most = [], 0, 0

    async def everybody():
        limiter = limiter_of(max_concurrency=3, paced=False)

        async def one(name):
            nonlocal at_once, most
            begun.append(name)
            at_once += 1
            most = max(most, at_once)
            await asyncio.sleep(1)
            at_once -= 1

        calls = ["greedy"] * 5 + ["modest"] + ["greedy"] * 5
        await asyncio.gather(*(limiter.run(name, lambda name=name: one(name)) for name in calls))

    virtually(everybody())

    assert most == 3
    assert begun == ["greedy"] * 5 + ["modest"] + ["greedy"] * 5


def test_one_refusal_slows_every_agent_of_the_endpoint():
    """After Retry-After: 7 nobody calls for seven seconds, and then the refused one first."""
    begun = []

    async def everybody():
        limiter = limiter_of(max_concurrency=1, paced=False)
        clock = limiter._clock
        start = clock()

        async def one(name):
            begun.append((name, clock() - start))
            if len(begun) == 1:
                raise refusal(7)

        names = ["ann", "bob", "cid"]
        tasks = [asyncio.create_task(limiter.run(name, lambda name=name: one(name))) for name in names]
        await asyncio.sleep(1)
        waiting = [limiter.waits(name) for name in names], limiter.wait_s()
        await asyncio.gather(*tasks)
        return waiting

    waits, wait_s = virtually(everybody())

    assert [name for name, _ in begun] == ["ann", "ann", "bob", "cid"]
    assert all(at >= 7 for _, at in begun[1:])
    assert waits == [True, True, True]
    assert 6 <= wait_s <= 7.5


def test_one_call_that_is_always_refused_keeps_nobody_from_finishing():
    """It goes behind the others, waits its time, and fails with a sentence."""
    done = []

    async def everybody():
        limiter = limiter_of(paced=False, bound=60)

        async def never():
            raise refusal(1)

        async def fine(name):
            done.append(name)

        poor = asyncio.create_task(limiter.run("poor", never))
        await asyncio.gather(*(limiter.run(f"a{n}", lambda n=n: fine(n)) for n in range(30)))
        began = limiter._clock()
        with pytest.raises(ModelError, match="HTTP 429: slow down; the rate limit let no call through within 60 s"):
            await poor
        return limiter._clock() - began

    seconds = virtually(everybody())

    assert len(done) == 30
    assert seconds <= 61


@pytest.mark.parametrize("retry_after", [None, 5, 3600])
def test_a_server_that_refuses_everything_fails_all_within_the_bound(retry_after):
    """Nobody waits for ever, also not behind others, nor for a Retry-After beyond the bound."""

    async def everybody():
        limiter = limiter_of(bound=100)

        async def never():
            raise refusal(retry_after)

        began = limiter._clock()
        results = await asyncio.gather(*(limiter.run(f"a{n}", never) for n in range(100)), return_exceptions=True)
        return results, limiter._clock() - began

    results, seconds = virtually(everybody())

    assert {type(result) for result in results} == {ModelError}
    assert {result.status for result in results} == {429}
    assert seconds <= 130


def test_a_cancelled_call_gives_its_turn_to_the_next():
    """Whether it was waiting or at work."""

    async def everybody():
        limiter = limiter_of(max_concurrency=1, paced=False)
        tasks = [asyncio.create_task(limiter.run(f"a{n}", lambda: asyncio.sleep(5, "done"))) for n in range(4)]
        await asyncio.sleep(1)
        tasks[0].cancel()
        tasks[2].cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        return [result if isinstance(result, str) else type(result).__name__ for result in results], limiter._free

    assert virtually(everybody()) == (["CancelledError", "done", "CancelledError", "done"], 1)


def test_a_person_sees_who_waits_for_the_rate_limit_and_how_long(scripted):
    """In the agent's status and in the service's, and in its repr."""
    intercom = scripted({"Ann": [Fail(429, retry_after=40)]})
    intercom.add(Agent("Ann"), Agent("Bob"))
    intercom.start()
    intercom["ann"].begin()
    while intercom["ann"].status != "waiting for the rate limit":
        assert intercom.wait(0.01) == "timeout"
    intercom["bob"].begin()
    while intercom["bob"].status != "waiting for the rate limit":
        assert intercom.wait(0.01) == "timeout"
    status, shown, progress = intercom.status, repr(intercom), intercom._progress()

    assert re.fullmatch(r"at work, waiting for the rate limit, [34]\d s", status)
    assert status in shown
    assert progress.endswith("s")


def test_an_empty_purse_is_no_rate_limit(scripted):
    """A 429 that no waiting changes fails at once."""
    body = {"error": {"message": "You exceeded your current quota", "code": "insufficient_quota"}}
    intercom = scripted({"Ann": [Fail(429, body=body)]})
    intercom.add(Agent("Ann"))
    intercom.start()
    intercom["ann"].begin()
    reason = intercom.wait(60)

    assert reason == "failed"
    assert "current quota" in intercom._store.rows("SELECT error FROM runs")[0][0]


@pytest.mark.parametrize("seed", range(times(5)))
def test_random_weather_loses_no_call(seed):
    """Refusals, failures and cancellations at random: every call ends, and every turn is given back."""
    dice = random.Random(seed)  # noqa: S311 - weather, not secrets

    async def everybody():
        limiter = limiter_of(max_concurrency=4, bound=1e6, max_retries=100)

        async def one():
            await asyncio.sleep(dice.random())
            roll = dice.random()
            if roll < 0.3:
                raise refusal(dice.choice([None, 0.0, 2.0]))
            if roll < 0.5:
                raise Failure(ModelError("broken"), "passing")
            return "done"

        tasks = [asyncio.create_task(limiter.run(f"a{n}", one)) for n in range(60)]
        for task in dice.sample(tasks, 20):
            asyncio.get_running_loop().call_later(dice.random() * 20, task.cancel)
        results = await asyncio.gather(*tasks, return_exceptions=True)
        return results, limiter

    results, limiter = virtually(everybody())

    assert {"done" if r == "done" else type(r).__name__ for r in results} <= {"done", "CancelledError"}
    assert results.count("done") >= 40
    assert limiter._free == 4
    assert limiter._waiting == {}
