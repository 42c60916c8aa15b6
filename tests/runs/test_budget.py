"""Money and tokens: no limit is passed by calls in flight, everybody is warned once, and what a call cost is known."""

import asyncio
import json
import math

import pytest

from intercom_nb import Agent, Fail, InterComService, Limits, Price, ScriptedAssistant, call
from intercom_nb.model_settings import ModelSettings
from intercom_nb.models import Models, Usage
from intercom_nb.models.prices import Prices
from intercom_nb.runs.agent_state import AgentState, Run
from intercom_nb.runs.budget import Budget
from intercom_nb.runs.lifecycle import Lifecycle
from intercom_nb.texts.turns import read_turn


class Metered(ScriptedAssistant):
    """A scripted assistant whose server counts as it is told, and remembers how many calls were in flight at once."""

    def __init__(self, *args, read=20, written=10, **settings):
        super().__init__(*args, **settings)
        self.read, self.written, self.now, self.most = read, written, 0, 0

    async def __call__(self, scope, receive, send):
        """Answer, and write other numbers of tokens into the answer."""

        async def metered(message):
            if message["type"] == "http.response.body":
                answer = json.loads(message["body"])
                answer["usage"] |= {"input_tokens": self.read, "output_tokens": self.written}
                self.body = json.dumps(answer).encode()
                message = message | {"body": self.body}
            elif message["type"] == "http.response.start":
                message = message | {"headers": [h for h in message["headers"] if h[0] != b"content-length"]}
            await send(message)

        self.now += 1
        self.most = max(self.most, self.now)
        try:
            await super().__call__(scope, receive, metered)
        finally:
            self.now -= 1


def crowd(scripted, n, **settings):
    """Return a service of so many agents, each of whom has mail."""
    intercom = scripted(**settings)
    intercom.add(*(Agent(f"A{k}") for k in range(n)))
    for agent in intercom.registry:
        agent.begin()
    return intercom


def plain_of(agent):
    """Return the plain texts that an agent was given."""
    turns = [read_turn(item["content"]) for item in agent.conversation if item.get("role") == "user"]
    return [text for turn in turns for part in turn.plain for text in part.split("\n\n")]


# -- before a call --


@pytest.mark.parametrize("tokens", [1_000, 4_000, 10_000, 20_000])
def test_twenty_calls_at_once_do_not_pass_a_budget(scripted, tokens):
    """What is in flight counts with what it may use; what could not be afforded stays pending."""
    intercom = crowd(scripted, 20, limits=Limits(tokens=tokens))
    intercom.assistant.delay = 0.01
    intercom.start()

    assert intercom.wait(60) == "tokens"
    assert intercom.spent.tokens <= tokens
    assert intercom.spent.steps < 20
    intercom.limits = Limits()
    intercom.resume()
    assert intercom.wait(60) == "quiet"
    assert intercom.spent.steps == 20


def test_a_budget_of_a_thousand_tokens_is_used_and_not_passed_by_agents_whose_calls_are_small():
    """Each conversation's own count replaces the estimate: twenty calls of 30 tokens go on where 1,000 allow it."""
    assistant = Metered(delay=0.005)
    with InterComService("small", model=assistant, logs=None, limits=Limits(tokens=10**6)) as intercom:
        intercom.add(*(Agent(f"A{k}") for k in range(20)))
        for agent in intercom.registry:
            agent.begin()
        assert intercom.wait(60) == "quiet"
        used = intercom.spent.tokens
        intercom.limits = Limits(tokens=used + 1_000)
        for _ in range(4):
            for agent in intercom.registry:
                agent.send_message("more")
        reason = intercom.wait(60)

        assert used == 20 * 30
        assert reason in ("tokens", "quiet")
        assert 600 < intercom.spent.tokens <= used + 1_000


def test_calls_wait_for_each_other_where_the_budget_does_not_allow_all_at_once():
    """One after the other they fit, for each uses less than it may: nobody is refused."""
    assistant = Metered(delay=0.005)
    with InterComService("turns", model=assistant, logs=None, limits=Limits(tokens=5_000)) as intercom:
        intercom.add(*(Agent(f"A{k}") for k in range(20)))
        for agent in intercom.registry:
            agent.begin()

        assert intercom.wait(60) == "quiet"
        assert assistant.most <= 2
        assert intercom.spent.tokens == 20 * 30


def test_a_call_that_fails_gives_back_what_it_had_set_aside(scripted):
    """A hundred failures leave room for one success."""
    intercom = scripted({f"A{k}": [Fail(400)] for k in range(100)}, limits=Limits(tokens=6_000))
    intercom.add(*(Agent(f"A{k}") for k in range(100)), Agent("Zoe"))
    for agent in intercom.registry:
        agent.begin()
    intercom.start()

    assert intercom.wait(60) == "failed"
    assert intercom["zoe"].status == "idle"


def test_a_pause_while_calls_wait_for_room_and_resume_goes_on():
    """Whoever waits for room makes no call during a pause, and is not forgotten after it."""
    assistant = Metered(delay=0.02)
    with InterComService("pauses", model=assistant, logs=None, limits=Limits(tokens=5_000)) as intercom:
        intercom.add(*(Agent(f"A{k}") for k in range(6)))
        for agent in intercom.registry:
            agent.begin()
        for _ in range(3):
            intercom.wait(0.03)
            intercom.pause()
            assert intercom.wait(60) == "paused"
            intercom.resume()

        assert intercom.wait(60) == "quiet"
        assert intercom.spent.steps == 6


def test_what_may_be_written_counts_where_it_is_set(scripted):
    """With max_output_tokens a budget that could be passed by one long answer allows no call; the field is sent."""
    intercom = crowd(scripted, 1, limits=Limits(tokens=20_000), settings={"max_output_tokens": 19_000})
    intercom.start()

    assert intercom.wait(60) == "tokens"
    assert intercom.assistant.requests == []
    intercom.limits = Limits(tokens=50_000)
    intercom.resume()
    assert intercom.wait(60) == "quiet"
    assert [request["max_output_tokens"] for request in intercom.assistant.requests] == [19_000]


def test_the_estimate_follows_what_the_server_counts():
    """One token for three bytes at first; then the server's own count, and three bytes each for what was added."""
    models, lifecycle = Models("offline"), Lifecycle(Limits())
    budget = Budget(lifecycle, Prices({}), None, waits=True)
    desk = AgentState(Agent("Ann"), conversation=[], bytes=2_000, tool_bytes=900)
    run = Run("run-1", "x" * 100, models.named(None), ModelSettings(), 0, None)

    first = budget.tokens_of(desk, run)
    budget.measure(desk, run, Usage(640, 0, 12))
    second = budget.tokens_of(desk, run)
    desk.bytes += 301
    third = budget.tokens_of(desk, run)

    assert (first, second, third) == (1_000, 640, 640 + 101)


def test_reservations_are_given_back_in_whatever_order_calls_end():
    """Two hundred tasks reserve and release; at no time is more set aside than the limit allows."""
    lifecycle = Lifecycle(Limits(tokens=1_000))
    lifecycle.run()
    budget = Budget(lifecycle, Prices({}), None, waits=True)
    model, seen = Models("offline").named(None), []

    async def one(n):
        desk = AgentState(Agent(f"A{n}"), conversation=[], bytes=3 * (n % 50))
        run = Run("run", "", model, ModelSettings.of({"max_output_tokens": 10}), 0, None)
        for _ in range(5):
            assert await budget.reserve(desk, run)
            seen.append(sum(need.tokens for need in budget._reserved.values()))
            await asyncio.sleep(0.0001 * (n % 7))
            budget.release(desk)
            budget.release(desk)  # twice does nothing

    async def everybody():
        await asyncio.gather(*(one(n) for n in range(200)))

    asyncio.run(everybody())

    assert max(seen) <= 1_000
    assert len(seen) == 1_000
    assert budget._reserved == {}


# -- what it costs --


def test_a_price_that_is_given_makes_the_cost_known(scripted):
    """US dollars per million tokens; cached ones may cost less."""
    intercom = crowd(scripted, 2, prices={"scripted": Price(input=2, output=8)})
    intercom.start()

    assert intercom.wait(60) == "quiet"
    rows = intercom._store.rows("SELECT input_tokens, output_tokens, usd FROM steps")
    assert [usd for *_, usd in rows] == pytest.approx([(read * 2 + written * 8) / 1e6 for read, written, _ in rows])
    assert intercom.spent.usd == pytest.approx(sum(usd for *_, usd in rows))
    assert Price(input=2, cached=0.5, output=8).usd(Usage(1_000, 400, 100)) == pytest.approx(
        (600 * 2 + 400 * 0.5 + 100 * 8) / 1e6
    )


def test_an_unknown_price_is_not_zero():
    """A server of one's own has no price unless it is given one; neither has a call that was not counted."""
    models = Models("some-model", base_url="http://127.0.0.1:9/v1")

    assert models.default.usd(Usage(100, 0, 10)) is None
    assert Price(input=1, output=1).usd(Usage()) is None
    assert Models("gpt-5-mini", api_key="none").default.usd(Usage(1_000_000, 0, 0)) > 0


def test_a_budget_of_dollars_is_not_passed(scripted):
    """Dollars are set aside like tokens."""
    prices = {"scripted": Price(input=1_000, output=1_000)}
    intercom = crowd(scripted, 20, limits=Limits(usd=9), prices=prices)
    intercom.assistant.delay = 0.01
    intercom.start()

    assert intercom.wait(60) == "usd"
    assert 0 < intercom.spent.usd <= 9


@pytest.mark.parametrize("value", [-1, math.nan, "2", True])
def test_a_price_that_makes_no_sense_is_refused(scripted, value):
    """A price is 0 or more."""
    with pytest.raises(ValueError, match=r"Price\(input="):
        Price(input=value, output=1)
    with pytest.raises(TypeError, match=r"prices\['m'\]"):
        scripted(prices={"m": 2})


# -- the warning --


def test_each_agent_is_told_once_to_wrap_up(scripted):
    """At nine tenths, in the next turn of whoever runs again, as a text of the program that is in the log."""
    intercom = scripted(limits=Limits(runs=20))
    intercom.add(Agent("Ann"), Agent("Bob"), Agent("Cid"))
    intercom.start()
    for n in range(16):
        intercom["ann"].send_message(f"text {n}")
        intercom.wait(60)
    before = plain_of(intercom["ann"])
    for name in ("ann", "ann", "bob"):
        intercom[name].send_message("last")
        intercom.wait(60)

    told = {agent.id: [text for text in plain_of(agent) if "Wrap up" in text] for agent in intercom.registry}
    assert not any("Wrap up" in text for text in before)
    assert {agent_id: len(texts) for agent_id, texts in told.items()} == {"ann": 1, "bob": 1, "cid": 0}
    assert "90% of the turns that you all together may use" in told["bob"][0]
    assert [m.receiver_id for m in intercom.messages if "Wrap up" in m.text] == ["ann", "bob"]
    assert intercom.reason == "quiet"
    assert intercom._store.rows("SELECT COUNT(*) FROM deliveries WHERE until_seq IS NULL") == [(0,)]
    assert intercom.spent.messages == len(intercom.messages)


def test_a_warning_is_not_repeated_after_the_log_was_opened_again(tmp_path):
    """What was said is in the log; a higher limit warns again at its own nine tenths."""
    with InterComService("told", model=ScriptedAssistant(), logs=tmp_path, limits=Limits(runs=4)) as intercom:
        intercom.add(Agent("Ann"))
        for n in range(4):
            intercom["ann"].send_message(f"text {n}")
            intercom.wait(60)
    with InterComService.open(intercom.log.path, model=ScriptedAssistant(), limits=Limits(runs=6)) as again:
        for n in range(2):
            again["ann"].send_message(f"more {n}")
            again.wait(60)
    with InterComService.open(intercom.log.path, model=ScriptedAssistant(), limits=Limits(runs=6.5)) as last:
        warned = [message.text for message in last.messages if "Wrap up" in message.text]

    assert len(warned) == 2


@pytest.mark.parametrize("limits", [Limits(tokens=3_000), Limits(seconds=0.01), Limits(usd=1e-3)])
def test_every_limit_warns(limits):
    """Tokens, dollars and seconds, each by its name."""
    lifecycle = Lifecycle(limits)
    lifecycle.spent.tokens, lifecycle.spent.usd, lifecycle._busy_before = 2_700, 0.95e-3, 0.0099
    desk = AgentState(Agent("Ann"))
    desk.spent.tokens = 10

    ((key, text),) = Budget(lifecycle, Prices({}), None, waits=True).wrap_up(desk)
    desk.told.add(key)

    assert any(word in text for word in ("tokens", "dollars", "seconds"))
    assert Budget(lifecycle, Prices({}), None, waits=True).wrap_up(desk) == []


# -- an agent's own --


@pytest.mark.parametrize(
    ("limits", "name"), [(Limits(runs=2), "runs"), (Limits(tokens=4_200), "tokens"), (Limits(usd=0.004), "usd")]
)
def test_an_agent_that_met_its_own_limit_is_left_alone_and_the_others_go_on(scripted, limits, name):
    """Its mail waits, wait() and status say why, and a higher limit lets it go on."""
    intercom = scripted(prices={"scripted": Price(input=1, output=1)})
    intercom.add(Agent("Ann", limits=limits), Agent("Bob"))
    intercom.start()
    for n in range(4):
        intercom["ann"].send_message(f"text {n}")
        intercom["bob"].send_message(f"text {n}")
        intercom.wait(60)

    assert intercom.wait(60) == name
    assert f"ann met the limit of {name}" in intercom.status
    assert intercom["bob"].spent.runs == 4
    assert 1 <= intercom["ann"].spent.steps < 4
    assert intercom["ann"].status == "waiting"
    intercom.resume()
    assert intercom.wait(60) == name
    intercom["ann"].limits = Limits()
    intercom.resume()
    assert intercom.wait(60) == "quiet"
    assert [text for text in plain_of(intercom["ann"]) if "Wrap up" not in text] == [f"text {n}" for n in range(4)]


def test_an_agents_limits_and_spending_are_in_the_log(tmp_path):
    """A limit that was set holds after a crash, and what was spent counts."""
    replies = {"Ann": [call("send_message", chat_id="bob", message="Hi"), "Sent."]}
    with InterComService("own", model=ScriptedAssistant(replies), logs=tmp_path) as intercom:
        intercom.add(Agent("Ann", limits=Limits(runs=5, tokens=math.inf)), Agent("Bob"))
        intercom["ann"].begin()
        intercom.wait(60)
        intercom["ann"].limits = Limits(runs=2, tokens=math.inf, usd=3)
        before = {agent.id: agent.spent for agent in intercom.registry}

    with InterComService.open(intercom.log.path, model=ScriptedAssistant()) as again:
        assert {agent.id: agent.spent for agent in again.registry} == before
        assert (before["ann"].messages, before["ann"].steps, before["bob"].runs) == (1, 2, 1)
        assert again["ann"].limits == Limits(runs=2, tokens=math.inf, usd=3)
        assert again["bob"].limits is None
        for n in range(3):
            again["ann"].send_message(f"text {n}")
            reason = again.wait(60)

        assert reason == "runs"
        assert again["ann"].spent.runs == 2


def test_limits_of_an_agent_are_limits():
    """Anything else is refused where it is written."""
    with pytest.raises(TypeError, match=r"limits=5: it should be Limits"):
        Agent("Ann", limits=5)
    ann = Agent("Ann")
    ann.limits = Limits(runs=1)

    assert (ann.limits, ann.spent.runs) == (Limits(runs=1), 0)


# -- fifty agents --


def test_fifty_agents_one_of_whose_models_always_fails_finish_the_work_of_the_others(scripted):
    """One failed run, one sentence, 49 answers."""
    bad = ScriptedAssistant(default=lambda _request: Fail(401))
    intercom = scripted(
        {f"A{k}": [call("send_message", chat_id="you", message=f"from {k}"), "Sent."] for k in range(49)}
    )
    intercom.add_person("You")
    intercom.add(*(Agent(f"A{k}") for k in range(49)), Agent("Ill", model=bad))
    for agent in intercom.registry.get_agents():
        agent.begin()
    intercom.start()

    assert intercom.wait(60) == "failed"
    assert len(intercom.people["you"].inbox) == 49
    assert intercom._store.rows("SELECT COUNT(*) FROM runs WHERE reason = 'failed'") == [(1,)]


def test_a_wrong_key_is_one_sentence_however_many_agents_have_it(scripted, caplog):
    """The status says how many runs failed and why, in one line; the log has no traceback."""
    intercom = crowd(scripted, 50)
    intercom.assistant._default = lambda _request: Fail(401)
    intercom.start()

    assert intercom.wait(60) == "failed"
    assert intercom.status.startswith("quiet, but 50 runs failed: ")
    assert intercom.status.count("check OPENAI_API_KEY") == 1
    assert "\n" not in intercom.status
    assert caplog.text == ""
    intercom.assistant._default = None
    assert intercom.retry() == 50
    assert intercom.wait(60) == "quiet"
