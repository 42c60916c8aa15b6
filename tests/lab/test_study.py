"""Studies: what is varied is varied, each run is made once whoever kills it, and frames say what came of it."""

import json
import multiprocessing
import os
import random
import signal
import threading
import time
import zlib
from pathlib import Path

import networkx as nx
import pytest

from counts import times
from intercom_nb import (
    Agent,
    LifecycleError,
    Limits,
    LogError,
    Price,
    ScriptedAssistant,
    Study,
    call,
    messages_df,
    state,
)
from intercom_nb.texts.instructions import identity

MISSIONS = {"ask": "Ask Bob.", "wait": "Wait."}
LIMIT_S = 60


def answer(request):
    """Ask Bob if told to; Bob says how much it is, by the seed."""
    name, me, *_ = identity(request["instructions"])
    acted = any(item.get("type") == "function_call" for item in request["input"])
    if me == "ann" and "Ask Bob." in request["instructions"] and not acted:
        return call("send_message", chat_id="bob", message="How much?")
    if me == "bob" and not acted:
        seed = request.get("seed", 0)
        return call("send_message", chat_id="ann", message="much " * (zlib.crc32(f"{name}{seed}".encode()) % 7 + 1))
    return "done"


def cast():
    """Return two agents."""
    return [Agent("Ann", mission="Wait."), Agent("Bob", description="Knows how much it is.")]


def n_messages(log):
    """Return how many messages there were."""
    return state(log).spent.messages


def words(log):
    """Return how much Bob said; None if he said nothing."""
    said = messages_df(log)
    said = said[said.sender_id == "bob"]
    return None if said.empty else sum(len(text.split()) for text in said.text)


@pytest.fixture
def study(tmp_path):
    """Give a way to make studies that write here."""
    made = []

    def make(name="how much", who=None, **given):
        told = {"model": ScriptedAssistant(default=answer), "logs": tmp_path, "replications": 3}
        made.append(Study(name, cast() if who is None else who, **{**told, **given}))
        return made[-1]

    yield make
    for one in made:
        one.stop()
        one.wait(LIMIT_S, progress=False)
        one.close()


def finished(one, **how):
    """Run a study to its end, and return it."""
    assert one.run(**how).wait(LIMIT_S, progress=False) == "done"
    return one


def test_a_study_from_question_to_verdict(study, tmp_path):
    """Every condition as often as said; logs of their own; frames, intervals, differences and a picture."""
    one = study(vary={"ann.mission": MISSIONS}, outcomes={"was asked": lambda log: n_messages(log) > 1, "words": words})
    assert "0 finished, 6 to run" in repr(one.plan())
    finished(one)

    assert one.runs[["ann.mission", "replication"]].values.tolist() == [
        [label, n] for label in MISSIONS for n in (1, 2, 3)
    ]  # fmt: skip
    assert one.runs["was asked"].tolist() == [True] * 3 + [False] * 3
    assert one.runs.words.isna().tolist() == [False] * 3 + [True] * 3
    assert set(one.runs.reason) == {"quiet"}
    assert sorted(path.name for path in (tmp_path / "how-much").iterdir()) == sorted(
        f"{label}-00{n}.db" for label in MISSIONS for n in (1, 2, 3)
    )
    summary = one.summary().set_index(["outcome", "ann.mission"])
    assert summary.loc[("was asked", "ask"), ["kind", "n", "value"]].tolist() == ["share", 3, 1.0]
    assert summary.loc[("words", "wait"), "n"] == 0
    verdict = one.compare(outcome="was asked").iloc[0]
    assert (verdict.baseline, verdict.level, verdict.difference, verdict.test) == ("ask", "wait", -1.0, "Fisher exact")
    assert verdict.p_adjusted == pytest.approx(0.1)
    assert len(one.plot().axes) == 2
    assert "6 of 6 runs finished" in repr(one)


def test_what_was_finished_is_never_run_again(study):
    """A second call, another object of the same name, and the day after: no model is asked."""
    finished(study(vary={"ann.mission": MISSIONS}))

    def nobody(request):
        raise AssertionError(request)

    again = study(vary={"ann.mission": MISSIONS}, model=ScriptedAssistant(default=nobody))
    fresh = again.runs.stale
    assert fresh.all()  # another assistant is other code: its runs do not count, and the status says so
    assert "6 were made with other texts or code" in again.status
    same = study(vary={"ann.mission": MISSIONS})
    assert not same.runs.stale.any()
    before = {path: path.stat().st_mtime_ns for path in same.folder.glob("*.db")}
    finished(same)
    assert before == {path: path.stat().st_mtime_ns for path in same.folder.glob("*.db")}
    finished(study(vary={"ann.mission": MISSIONS}, replications=4))
    assert len(list(same.folder.glob("*.db"))) == 8


def test_every_kind_of_factor_reaches_the_run(study):
    """Fields of agents, options of the service, casts, who begins, and who may reach whom; as the log has them."""
    alone = nx.Graph()
    alone.add_nodes_from(["ann", "bob"])
    together = nx.Graph([("ann", "bob")])
    kinds = {
        "ann.settings": [{"temperature": 0.5}],
        "Bob.limits": [Limits(runs=2)],
        "courtesy": [False],
        "limits": {"few": Limits(runs=7)},
        "begins": {"bob": ["Bob"]},
        "topology": {"alone": alone, "together": together},
    }
    one = finished(study(vary=kinds, replications=1))
    for log, label in one.runs[["log", "topology"]].values.tolist():
        known = state(log)
        ann, bob = known.members
        assert dict(ann.spec.settings.as_dict()) == {"temperature": 0.5}
        assert bob.spec.limits == Limits(runs=2)
        assert known.options["courtesy"] == "false"
        assert json.loads(known.options["limits"])["runs"] == 7
        assert known.runs[0].agent_id == "bob"
        assert known.spent.messages == (1 if label == "alone" else 2)


def test_a_cast_by_number_makes_pairs(study):
    """The n-th run of each condition has the same people; then McNemar and sign flips compare them."""

    def people(n):
        return [Agent("Ann", mission="Wait."), Agent(f"Bob {n}", id="bob")]

    one = finished(study(who=people, vary={"ann.mission": MISSIONS}, outcomes=["messages", asked_more], replications=5))
    assert one.paired
    assert {*one.compare().test} == {"sign flips", "exact McNemar"}
    assert {state(log).members[1].spec.name for log in one.runs.log} == {f"Bob {n}" for n in range(1, 6)}


def asked_more(log):
    """Return whether more than Begin was said."""
    return n_messages(log) > 1


def test_seeds_are_the_replication_s_number(study):
    """The same in every condition; so its runs are pairs."""
    one = finished(study(vary={"ann.mission": MISSIONS}, seeds=True, outcomes={"words": words}))
    seeds = [json.loads(state(log).options["settings"])["seed"] for log in one.runs.log]

    assert one.paired
    assert seeds == one.runs.replication.tolist()


def test_a_run_that_fails_is_an_outcome(study):
    """It has its error, is a no of a share, is missing in a mean, and runs again when asked."""
    broken = [True]

    def breaks(request):
        if broken[0] and "Ask Bob." in request["instructions"]:
            raise RuntimeError("the model is broken")
        return answer(request)

    one = study(
        vary={"ann.mission": MISSIONS}, outcomes=[asked_more, "tokens"], model=ScriptedAssistant(default=breaks)
    )
    finished(one)
    failed = one.runs[one.runs["ann.mission"] == "ask"]
    assert set(failed.reason) == {"failed"}
    assert failed.trouble.str.contains("the model is broken").all()
    shares = one.summary().set_index(["outcome", "ann.mission"]).loc[("asked_more", "ask")]
    assert (shares.n, shares.failed, shares.value) == (3, 3, 0.0)
    broken[0] = False
    finished(one, again="failed")
    assert set(one.runs.reason) == {"quiet"}
    assert len(list((one.folder / "not_run").glob("*.db"))) == 3


def test_an_outcome_that_raises_is_told_in_its_row(study):
    """The frame is there all the same, and so is what is no answer."""

    def raises(log):
        raise KeyError(Path(log).name)

    one = finished(study(outcomes={"raises": raises, "text": lambda _: "much", "none": lambda _: None}, replications=1))
    assert one.runs[["raises", "text", "none"]].isna().all(axis=None)
    assert "raises: KeyError" in one.runs.trouble[0]
    assert "text: it returned 'much'; right would be True, False, a number or None" in one.runs.trouble[0]


def test_a_budget_is_asked_before_each_call(study):
    """What it stops counts as not run; what was spent stays spent, also for the next process; more goes on."""
    prices = {"scripted": Price(input=1_000, output=1_000)}
    told = {"vary": {"ann.mission": MISSIONS}, "options": {"prices": prices}, "replications": 20}
    usd = finished(study("cost", **told, budget=Limits(usd=1e6))).runs.usd
    most = float(usd.sum()) / 2
    one = study(**told, budget=Limits(usd=most))
    said = one.run(at_once=3).wait(LIMIT_S, progress=False)

    assert said.startswith("the budget was met (usd: ")
    assert 0 < len(one.runs) < 40
    spent = one.runs.usd.sum() + sum(state(log).spent.usd for log in (one.folder / "not_run").glob("*.db"))
    assert spent <= most
    assert study(**told, budget=Limits(usd=most)).run().wait(LIMIT_S, progress=False).startswith("the budget was met")
    finished(study(**told, budget=Limits(usd=1e6)))


def test_it_stops_and_goes_on(study):
    """Stop ends what is under way, says what it may cost, and nothing of it counts; one study runs once at a time."""
    reached, go_on = threading.Event(), threading.Event()

    def slow(request):
        reached.set()
        go_on.wait(LIMIT_S)
        return answer(request)

    one = study(model=ScriptedAssistant(default=slow), replications=6)
    one.run(at_once=2)
    assert reached.wait(LIMIT_S)
    with pytest.raises(LifecycleError, match="runs already"):
        one.run()
    with pytest.raises(LifecycleError, match="runs already, here or in another process"):
        study(model=ScriptedAssistant(default=slow), replications=6).run()
    go_on_later = threading.Timer(0.2, go_on.set)
    go_on_later.start()
    assert "tokens" in one.stop()
    assert one.wait(LIMIT_S, progress=False).endswith("study.run() goes on")
    go_on_later.join()
    go_on.set()
    finished(one)
    assert not list(one.folder.rglob("*.lock"))


def test_it_is_shown_while_it_runs(study):
    """A grid with a row a condition; Run and Stop; a table for a page without scripts."""
    one = study(vary={"ann.mission": {"<b>": "Ask Bob.", "wait": "Wait."}})
    bundle = one._repr_mimebundle_()
    finished(one)
    shown = one._repr_mimebundle_()["text/html"]

    assert "application/vnd.jupyter.widget-view+json" in bundle
    assert "0 of 3" in bundle["text/html"]
    assert "&lt;b&gt;" in shown
    assert "3 of 3" in shown
    one.close()


def test_strange_files_in_its_folder_are_told_and_left(study, tmp_path):
    """A log of another study, a file that is no log, a level that is gone."""
    finished(study("other"))
    finished(study(vary={"ann.mission": MISSIONS}))
    one = study(vary={"ann.mission": {"ask": "Ask Bob."}})
    (one.folder / "strange.db").write_bytes(b"no log")
    next((tmp_path / "other").glob("*.db")).rename(one.folder / "moved.db")

    assert {lost.path.name for lost in one.others} == {"strange.db", "moved.db"}
    assert "of the study 'other'" in "".join(lost.why for lost in one.others)
    assert len(one.runs[~one.runs.stale]) == 3
    assert one.runs.stale.sum() == 3


WRONG = [
    ({"name": ""}, ValueError, "one line"),
    ({"cast": "nobody"}, TypeError, "the number of a demo"),
    ({"cast": []}, TypeError, "one agent or more"),
    ({"vary": ["model"]}, TypeError, "a dict such as"),
    ({"vary": {"ann.mission": "x"}}, TypeError, "its levels"),
    ({"vary": {"ann.mission": []}}, ValueError, "no level"),
    ({"vary": {"ann.mission": ["x", "x"]}}, ValueError, "two levels called"),
    ({"vary": {"ann.misson": ["x"]}}, ValueError, "did you mean 'mission'"),
    ({"vary": {"zoe.mission": ["x"]}}, ValueError, "right would be: ann, bob"),
    ({"vary": {"modell": ["x"]}}, ValueError, "did you mean 'model'"),
    ({"vary": {"courtesy": ["yes"]}}, TypeError, "True or False"),
    ({"vary": {"topology": {"none": 5}}}, TypeError, "networkx"),
    ({"replications": 0}, ValueError, "1 or more"),
    ({"outcomes": "tokens"}, TypeError, "a dict of names"),
    ({"outcomes": ["tokns"]}, ValueError, "did you mean 'tokens'"),
    ({"outcomes": {"log": "tokens"}}, ValueError, "another column"),
    ({"outcomes": [5]}, TypeError, "a dict of names"),
    ({"begins": "zoe"}, ValueError, "nobody in the cast"),
    ({"budget": 5}, TypeError, "Limits"),
    ({"options": {"model": "x"}}, ValueError, "it should be one of"),
    ({"seeds": 1}, TypeError, "True or False"),
    ({"logs": 5}, TypeError, "the path of a folder"),
]


@pytest.mark.parametrize(("given", "error", "said"), WRONG, ids=[str(one[0])[:40] for one in WRONG])
def test_what_is_wrong_is_told_at_the_door(given, error, said, tmp_path):
    """Before anything runs, in one sentence."""
    told = {"name": "wrong", "cast": cast(), "logs": tmp_path, "model": ScriptedAssistant(default=answer), **given}
    name, who = told.pop("name"), told.pop("cast")
    with pytest.raises(error, match=said):
        Study(name, who, **told)
    assert not list(tmp_path.iterdir())


def test_what_is_asked_wrongly_is_told(study, tmp_path):
    """Factors, outcomes, levels, numbers."""
    one = study(vary={"ann.mission": MISSIONS, "courtesy": [True, False]}, outcomes=["tokens"])
    for ask, said in (
        (one.compare, "say which"),
        (lambda: one.compare("ann.misson"), "did you mean 'ann.mission'"),
        (lambda: one.compare("courtesy", outcome="x"), "right would be one of"),
        (lambda: one.compare("courtesy", baseline="x"), "right would be one of"),
        (lambda: one.summary(level=95), "between 0 and 1"),
        (lambda: one.run(at_once=0), "1 or more"),
        (lambda: one.run(upto=0), "1 or more"),
        (lambda: one.run(again="some"), "failed"),
    ):
        with pytest.raises(ValueError, match=said):
            ask()
    assert one.stop() == "nothing runs"
    (tmp_path / "file").write_text("")
    with pytest.raises(LogError):
        study("x", logs=tmp_path / "file").run()


# -- killed


def go_on(folder, runs):
    """Run a study in a process of its own."""
    study_of(folder, runs).run(at_once=4).wait(progress=False)


def study_of(folder, runs):
    """Return the study that is killed; each call takes a moment."""

    def slow(request):
        time.sleep(0.002)
        return answer(request)

    return Study(
        "killed", cast(), vary={"ann.mission": MISSIONS}, replications=runs // 2, outcomes=["messages"],
        model=ScriptedAssistant(default=slow), logs=folder,
    )  # fmt: skip


@pytest.mark.slow
def test_a_study_that_is_killed_is_made_once(tmp_path):
    """Killed again and again, gone on with: every run once, the same frame as of one that never was."""
    runs, kills = 10 * times(2), times(3)
    chance = random.Random(7)  # noqa: S311 - moments to kill at
    spawn = multiprocessing.get_context("spawn")
    for _ in range(kills):
        process = spawn.Process(target=go_on, args=(tmp_path / "killed", runs))
        process.start()
        process.join(chance.uniform(1.5, 3))
        if process.is_alive():
            os.kill(process.pid, signal.SIGKILL)
        process.join()
    one, never = study_of(tmp_path / "killed", runs), study_of(tmp_path / "never", runs)
    for each in (one, never):
        assert each.run().wait(LIMIT_S, progress=False) == "done"
    said = ["ann.mission", "replication", "messages", "reason", "steps", "tokens", "stale", "trouble"]
    assert one.runs[said].equals(never.runs[said])
    assert len(one.runs) == runs == len(list(one.folder.glob("*.db")))
    assert one.summary().equals(never.summary())
