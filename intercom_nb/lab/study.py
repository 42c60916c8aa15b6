"""A study: what is varied, how often, and what is asked of each run; made, gone on with, and compared."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from types import EllipsisType, MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from intercom_nb.checks import checked_flag, checked_seconds, checked_whole, shown, wrong_type
from intercom_nb.errors import LifecycleError, listed
from intercom_nb.lab.conditions import Cast, Condition, Prepared, conditions, copies, fingerprint, prepared, right_of
from intercom_nb.lab.statistics import smallest_mean_difference, smallest_share_difference
from intercom_nb.lab.study_folder import FinishedRun, Lost, StudyFolder
from intercom_nb.lab.study_panel import StudyPanel
from intercom_nb.lab.study_picture import draw_study
from intercom_nb.lab.study_tables import COUNTED, OutcomeOfLog, Tables
from intercom_nb.lab.study_work import StudyWork, Unit
from intercom_nb.limits import Limits, Spent
from intercom_nb.models import ModelChoice
from intercom_nb.notebook import Progress
from intercom_nb.readable import counted
from intercom_nb.runs.purse import Purse
from intercom_nb.service.opening import checked_options
from intercom_nb.service.options import Options
from intercom_nb.service.service import checked_folder
from intercom_nb.texts.names import checked_text, slug

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Study", "StudyPlan"]

_ALPHA, _POWER = 0.05, 0.8
_LIFTED = Limits(tokens=math.inf, usd=math.inf)  # type: ignore[arg-type] # a purse that only counts
_SOON_S = 100
_Key: TypeAlias = tuple[int, frozenset[tuple[str, str]]]
_AGAIN = ("failed", "stale", "all")
_TAKEN = ("tags", "play", "limits", "model", "settings", "thread_logs")  # what a study says itself


@dataclass(frozen=True, slots=True)
class StudyPlan:
    """What a study is going to do, said before anything is spent.

    Attributes
    ----------
    n_runs, n_finished : int
        Runs in all, and those there are.
    table : DataFrame
        One row a condition: its factors, ``runs``, ``finished``, ``to_run``, ``tokens`` and ``usd`` that the runs to
        come will take, going by those there are (missing while there are none).
    shows : mapping of str to float
        Outcome → the smallest difference between two levels that the whole study shows in four of five cases.
    text : str
        All of it in sentences.
    """

    n_runs: int
    n_finished: int
    table: "pd.DataFrame"
    shows: Mapping[str, float]
    text: str

    def __repr__(self) -> str:
        return self.text

    def _repr_html_(self) -> str:
        from html import escape

        return f"<p>{escape(self.text)}</p>{self.table.to_html(index=False)}"


class Study:
    """Conditions × replications of one society: each run a log of its own, in one folder.

    A society, not a message, is the unit: every run gives one value of each outcome. What was finished is never run
    again, whoever killed the process meanwhile; nothing blocks a cell. What the numbers can tell: ``docs/studies.md``.

    Parameters
    ----------
    name : str
        One line; its folder is called after it.
    cast : int, sequence of Agent, or callable
        The number of a demo; agents that belong to no service; or a function of the replication's number, 1, 2, …,
        that gives some: then runs of the same number are pairs.
    vary : mapping, optional
        What differs: factor → its levels, a dict of names and values or a list of values. A factor is a field of one
        agent (``"founder.mission"``), an option of the service (``"model"``, ``"courtesy"``, ``"limits"``, …),
        ``"agents"`` (another cast), ``"begins"``, or ``"topology"`` (a networkx graph of ids: who reaches whom).
    replications : int, default 10
        Runs of each condition.
    outcomes : mapping or sequence, optional
        What is asked of each finished run: name → a function of its log that returns True or False, a number, or None;
        or one of ``messages``, ``runs``, ``steps``, ``tokens``, ``usd``, ``seconds``.
    begins : str or sequence of str, optional
        Who is set to work. Default: agents made with ``begins=True``, or else the first.
    logs : str or Path, optional
        The folder in which the study's folder is made. Default: as for `InterComService`.
    model, settings, limits : optional
        As for `InterComService`, for each run.
    options : mapping, optional
        Any other parameter of a service, by its name, such as ``{"courtesy": False}``.
    budget : Limits, optional
        What all runs may spend together: its ``tokens`` and ``usd``, asked before each model call. A run that it stops
        counts as not run.
    seeds : bool, default False
        Whether each model call is sent ``seed``, the replication's number: for servers that take one. Then runs of the
        same number are pairs.
    paired : bool, optional
        Whether runs of the same number are compared as pairs. Default: where they have a seed or a cast in common.

    Raises
    ------
    TypeError, ValueError
        If something is not of the kind it should be; nothing is run then.

    Examples
    --------
    >>> missions = {"sell": "Sell it.", "ask": "Find somebody who knows everything about networks."}
    >>> study = Study("whom to ask", 1, vary={"founder.mission": missions}, replications=2,
    ...               outcomes=["messages"], model="offline", logs=intercom.log.path.parent)
    >>> study.run().wait(progress=False)
    'done'
    >>> study.summary()[["founder.mission", "n"]].values.tolist()
    [['sell', 2], ['ask', 2]]
    """

    def __init__(  # noqa: PLR0913 - what an experiment is; everything but the first two has a default and is named
        self,
        name: str,
        cast: Cast,
        *,
        vary: Mapping[str, Any] = MappingProxyType({}),
        replications: int = 10,
        outcomes: Mapping[str, OutcomeOfLog | str] | Sequence[OutcomeOfLog | str] = (),
        begins: str | Sequence[str] | None = None,
        logs: str | Path | EllipsisType = ...,
        model: ModelChoice = None,
        settings: Mapping[str, Any] | None = None,
        limits: Limits = Limits(),  # noqa: B008 - frozen
        options: Mapping[str, Any] = MappingProxyType({}),
        budget: Limits | None = None,
        seeds: bool = False,
        paired: bool | None = None,
    ) -> None:
        self.name = _checked_name(name)
        self.replications = checked_whole(replications, "replications")
        self.conditions = conditions(vary)
        self.outcomes: Mapping[str, OutcomeOfLog | str] = _checked_outcomes(outcomes, vary)
        if budget is not None and not isinstance(budget, Limits):
            raise wrong_type("budget", budget, "Limits(usd=…, tokens=…), or None for no budget")
        self.budget = budget
        self._cast = cast if callable(cast) else copies(cast)
        self._begins = [begins] if isinstance(begins, str) else begins
        self._seeds = checked_flag(seeds, "seeds")
        told = {"model": model, "settings": settings, "limits": limits, "thread_logs": False}
        self._options = told | _checked_options(options)
        has_pairs = seeds or callable(cast)
        self.paired = has_pairs if paired is None else checked_flag(paired, "paired")
        folder = checked_folder(logs, "the path of a folder: a study keeps its runs")
        self._folder = StudyFolder(folder / slug(name), self.name)
        self._tables = Tables(tuple(vary), self.conditions, self.outcomes, self.paired)
        for condition in self.conditions:  # a wrong level is told now, not when it runs
            self._made(condition, 1)
        self._fingerprints: dict[_Key, str | None] = {}
        self._work: StudyWork | None = None
        self._panel: StudyPanel | None = None

    def __repr__(self) -> str:
        return f"<Study {self.name}: {self.status}; {self._folder.path}>"

    # -- what there is

    @property
    def folder(self) -> Path:
        """Where its logs are."""
        return self._folder.path

    @property
    def status(self) -> str:
        """What there is and what goes on, in one line."""
        counting, stale = self._sorted()
        said = [f"{len(counting)} of {counted(self._n_runs, 'run')} finished"]
        if n_failed := sum(run.reason == "failed" for run in counting):
            said.append(f"{n_failed} failed")
        if stale:
            said.append(f"{len(stale)} were made with other texts or code and do not count (run(again='stale'))")
        work = self._work
        if work is not None:
            said += [f"{len(work.at_work)} at work"] * (not work.is_over) + [work.trouble] * bool(work.trouble)
        return ", ".join(said)

    @property
    def _n_runs(self) -> int:
        return len(self.conditions) * self.replications

    def _made(self, condition: Condition, replication: int) -> Prepared:
        options = dict(self._options)
        if self._seeds:
            options["settings"] = {**(options["settings"] or {}), "seed": replication}
        return prepared(self._cast, condition, replication, options, self._begins)

    def _sorted(self) -> tuple[list[FinishedRun], list[FinishedRun]]:
        """Return the finished runs that count, and those that were made from something else."""
        finished, _ = self._folder.read()
        counting: dict[_Key, FinishedRun] = {}
        others = []
        for run in finished:
            key = _key(run.labels, run.replication)
            if key not in counting and self._fingerprint_of(key) == run.fingerprint:
                counting[key] = run
            else:
                others.append(run)
        return list(counting.values()), others

    def _fingerprint_of(self, key: _Key) -> str | None:
        """Return the fingerprint that a run of this study has now, made once; None if there is no such run."""
        if key not in self._fingerprints:
            replication, labels = key
            condition = next((one for one in self.conditions if one.labels == dict(labels)), None)
            if condition is None or replication > self.replications:
                self._fingerprints[key] = None
            else:
                self._fingerprints[key] = fingerprint(self._made(condition, replication))
        return self._fingerprints[key]

    # -- before it is run

    def plan(self) -> StudyPlan:
        """Return what there is to run, what it will take, and the smallest difference that it can show.

        What it will take is the mean of the runs there are, of the same condition where it has some. Differences are
        those seen in four of five studies at a 5 % risk of seeing one where none is, shared among all comparisons of a
        factor (Bonferroni); of a number, in its own unit once there are runs, else in standard deviations.
        """
        import pandas as pd

        runs, _ = self._sorted()
        rows = []
        for condition in self.conditions:
            mine = [run for run in runs if run.labels == condition.labels]
            to_run = self.replications - len(mine)
            like = mine or runs
            tokens = to_run * sum(run.spent.tokens for run in like) / len(like) if like else math.nan
            usd = to_run * sum(run.spent.usd for run in like) / len(like) if like else math.nan
            numbers = {"runs": self.replications, "finished": len(mine), "to_run": to_run, "tokens": tokens, "usd": usd}
            rows.append({**condition.labels, **numbers})
        table = pd.DataFrame(rows)
        shows = {name: self._smallest(runs, name) for name in self.outcomes} if len(self.conditions) > 1 else {}
        text = self._plan_text(table, shows, runs)
        return StudyPlan(self._n_runs, len(runs), table, shows, text)

    def _smallest(self, runs: Sequence[FinishedRun], name: str) -> float:
        factors = [[one.labels[factor] for one in self.conditions] for factor in self._tables.factors]
        n = min(self._n_runs // len({*labels}) for labels in factors if len({*labels}) > 1)
        alpha = _ALPHA / (max(len({*labels}) for labels in factors) - 1)
        if self._tables.is_share(runs, name):
            return smallest_share_difference(n, paired=self.paired, alpha=alpha, power=_POWER)
        spread = self._spread(runs, name)
        return smallest_mean_difference(
            n, 1.0 if spread is None else spread, paired=self.paired, alpha=alpha, power=_POWER
        )

    def _spread(self, runs: Sequence[FinishedRun], name: str) -> float | None:
        """Return the standard deviation within conditions; None while no condition has two runs."""
        squares, free = 0.0, 0
        for condition in self.conditions:
            values = [self._tables.of(run, name) for run in runs if run.labels == condition.labels]
            known = [float(value) for value in values if value is not None]
            if known:
                centre = math.fsum(known) / len(known)
                squares, free = squares + math.fsum((one - centre) ** 2 for one in known), free + len(known) - 1
        if not free:
            return None
        within = math.sqrt(squares / free)
        return within * math.sqrt(2) if self.paired else within  # pairs that have nothing in common, at the worst

    def _plan_text(self, table: "pd.DataFrame", shows: Mapping[str, float], runs: Sequence[FinishedRun]) -> str:
        to_run = int(table.to_run.sum())
        grid = f"{counted(len(self.conditions), 'condition')} × {counted(self.replications, 'replication')}"
        said = [f"{self.name}: {grid}, {counted(self._n_runs, 'run')}; {len(runs)} finished, {to_run} to run."]
        if to_run and not runs:
            said.append("What they will take is not known yet: run(upto=1) tries one of each condition.")
        elif to_run:
            said.append(
                f"Going by those, they take about {table.tokens.sum():,.0f} tokens and ${table.usd.sum():,.2f}."
            )
        for name, size in shows.items():
            is_known = self._tables.is_share(runs, name) or self._spread(runs, name) is not None
            unit = "" if is_known else " standard deviations"
            found = f"{size:,.3g}{unit}" if size > 0 else "none: its runs do not differ, or are too few"
            said.append(f"The smallest difference in {name!r} that it shows in four of five cases: {found}.")
        return " ".join(said)

    # -- running it

    def run(
        self, *, at_once: int = 8, upto: int | None = None, again: Literal["failed", "stale", "all"] | None = None
    ) -> "Study":
        """Run what is not finished, beside the notebook's cells, and return the study at once.

        Parameters
        ----------
        at_once : int, default 8
            How many societies at a time.
        upto : int, optional
            Only so many replications, to see what it takes and how much the outcomes spread.
        again : {"failed", "stale", "all"}, optional
            Also runs that failed; that were made with other texts or code; or every run. Their logs are put into
            ``not_run``.

        Raises
        ------
        LifecycleError
            If it runs already, here or in another process.
        """
        checked_whole(at_once, "at_once")
        most = self.replications if upto is None else min(checked_whole(upto, "upto"), self.replications)
        if again not in (None, *_AGAIN):
            raise ValueError(f"again={shown(again)}: it should be {listed(_AGAIN)}, or None")
        if self._work is not None and not self._work.is_over:
            raise LifecycleError(f"the study {self.name!r} runs already; wait for it, or study.stop() ends it")
        counting, stale = self._sorted()
        units = self._units(counting if again is None else self._kept(counting, stale, again), most)
        spent = [run.spent for run in (*counting, *stale)] + self._folder.lost_spending()
        self._work = StudyWork(self.name, self._folder, units, at_once, Purse(self.budget or _LIFTED, *spent))
        if self._panel is not None:
            self._panel.follow()
        return self

    def _kept(self, counting: list[FinishedRun], stale: list[FinishedRun], again: str) -> list[FinishedRun]:
        gone = [run for run in counting if again == "all" or (again == "failed" and run.reason == "failed")]
        for run in gone + (stale if again in ("stale", "all") else []):
            self._folder.runs_again(run)
        return [run for run in counting if run not in gone]

    def _units(self, finished: Iterable[FinishedRun], upto: int) -> list[Unit]:
        done = {_key(run.labels, run.replication) for run in finished}
        return [
            Unit(one, n, lambda one=one, n=n: self._made(one, n))  # type: ignore[misc]
            for n in range(1, upto + 1)
            for one in self.conditions
            if _key(one.labels, n) not in done
        ]

    def wait(self, timeout: float | None = None, *, progress: bool = True) -> str:
        """Wait until nothing runs any more, and return how it ended.

        Parameters
        ----------
        timeout : float, optional
            Seconds after which to return ``timeout`` instead.
        progress : bool, default True
            Show how far it is and how long it will take, in one line.

        Returns
        -------
        str
            ``done``, ``timeout``, or a sentence that says why runs are missing.
        """
        timeout = None if timeout is None else checked_seconds(timeout, "timeout")
        line = Progress(shown=checked_flag(progress, "progress"))
        work = self._work
        if work is None:
            return self._ended()
        if not work.wait(timeout, lambda: line.show(self._progress(work))):
            return "timeout"
        line.show(f"{self.name}: {self.status}", last=True)
        return self._ended()

    def _progress(self, work: StudyWork) -> str:
        left = work.seconds_left()
        when = "" if left is None else f", about {_how_long(left)} left"
        spent = work.purse.spent
        cost = f", ${spent.usd:,.2f}" if spent.usd else ""
        return f"{self.name}: {work.n_done} of {work.n_units} runs{cost}, {spent.tokens:,} tokens{when} …"

    def _ended(self) -> str:
        work = self._work
        if work is not None and work.trouble:
            return work.trouble
        counting, _ = self._sorted()
        missing = self._n_runs - len(counting)
        return "done" if not missing else f"{counted(missing, 'run')} not made yet; study.run() goes on"

    def stop(self) -> str:
        """End it: what is under way counts as not run. Returns what calls in flight may still cost, in a sentence."""
        work = self._work
        if work is None or work.is_over:
            return "nothing runs"
        in_flight: Spent = work.stop()
        cost = f" and ${in_flight.usd:,.4f}" if in_flight.usd else ""
        return f"stopped; calls in flight may still take {in_flight.tokens:,} tokens{cost} at most"

    # -- what came of it

    @property
    def runs(self) -> "pd.DataFrame":
        """The finished runs, one row each.

        Returns
        -------
        DataFrame, shape (n_runs, n)
            A column for each factor; ``replication``; a column for each outcome; ``reason`` (why it stopped);
            ``messages``, ``runs``, ``steps``, ``tokens``, ``usd``, ``seconds``; ``stale`` (made with other texts or
            code, so it does not count); ``trouble`` (what a failed run, or an outcome, said); ``log``.
        """
        counting, stale = self._sorted()
        return self._tables.runs(counting + stale, {run.log: run in stale for run in counting + stale})

    def summary(self, *, level: float = 0.95) -> "pd.DataFrame":
        """Return what the runs say of each condition.

        Parameters
        ----------
        level : float, default 0.95
            How often such intervals hold the truth.

        Returns
        -------
        DataFrame, shape (n_outcomes × n_conditions, n)
            A column for each factor; ``outcome``; ``kind`` (``share`` of a yes or no, ``mean`` of a number); ``n``
            (runs that have it); ``failed`` (runs that failed: a no of a share, left out of a mean); ``value``, ``low``,
            ``high``; ``interval`` (Wilson's or Student's).
        """
        return self._tables.summary(self._sorted()[0], _checked_level(level))

    def compare(
        self,
        factor: str | None = None,
        *,
        outcome: str | None = None,
        baseline: str | None = None,
        level: float = 0.95,
    ) -> "pd.DataFrame":
        """Return how the levels of a factor differ, each from a baseline.

        Parameters
        ----------
        factor : str, optional
            Which; may be left out where there is one.
        outcome : str, optional
            Only this one. Default: all of them.
        baseline : str, optional
            The level that others are compared with. Default: the first.
        level : float, default 0.95
            How often such intervals hold the truth.

        Returns
        -------
        DataFrame, shape (n_outcomes × (n_levels - 1), 10)
            ``outcome``, ``baseline``, ``level``, ``n`` (pairs, or runs of the smaller side), ``difference`` (level less
            baseline), ``low``, ``high``, ``p``, ``p_adjusted`` (Holm's, over all rows), ``test``.
        """
        names = [*self.outcomes] if outcome is None else [_one(outcome, self.outcomes, "outcome")]
        if factor is None and len(self._tables.factors) != 1:
            known = listed(self._tables.factors) if self._tables.factors else "none: nothing is varied"
            raise ValueError(f"factor=None: say which; right would be one of: {known}")
        chosen = self._tables.factors[0] if factor is None else _one(factor, self._tables.factors, "factor")
        labels = [one.labels[chosen] for one in self.conditions]
        first = labels[0] if baseline is None else _one(baseline, labels, "baseline")
        return self._tables.comparison(self._sorted()[0], chosen, first, names, _checked_level(level))

    def plot(self, *, ax: Any = None) -> Any:
        """Draw what the runs say of each condition: a point and its interval, one panel an outcome.

        Parameters
        ----------
        ax : Axes or sequence of Axes, optional
            Where to draw; one for each outcome. Default: a new figure.

        Returns
        -------
        matplotlib.figure.Figure
        """
        return draw_study(self.summary(), self._tables.factors, ax)

    @property
    def others(self) -> list[Lost]:
        """Files in its folder that are no run of it, and why."""
        return self._folder.read()[1]

    # -- in a cell

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, Any]:  # noqa: ARG002 - as IPython calls it
        if self._panel is None:
            self._panel = StudyPanel(self)
        return self._panel.bundle() | {"text/plain": repr(self)}

    def close(self) -> None:
        """Take it off the page; what runs goes on."""
        if self._panel is not None:
            self._panel.close()
            self._panel = None

    @property
    def at_work(self) -> list[str]:
        """What runs now: condition and replication."""
        return [] if self._work is None else self._work.at_work

    @property
    def is_running(self) -> bool:
        """Whether anything runs."""
        return self._work is not None and not self._work.is_over

    def counts(self) -> list[tuple[str, int, int, int]]:
        """Return for each condition its name, and how many runs are wanted, finished and failed."""
        counting, _ = self._sorted()
        rows = []
        for one in self.conditions:
            mine = [run for run in counting if run.labels == one.labels]
            rows.append((one.name, self.replications, len(mine), sum(run.reason == "failed" for run in mine)))
        return rows


def _key(labels: Mapping[str, str], replication: int) -> _Key:
    """Return what tells one run of a study from the others."""
    return replication, frozenset(labels.items())


def _checked_name(name: object) -> str:
    text = checked_text(name, "name").strip()
    if not text or not text.isprintable():
        raise ValueError(f"name={shown(name)}: it should be one line, such as 'whom to ask'")
    return text


def _checked_outcomes(outcomes: Any, vary: Mapping[str, Any]) -> dict[str, OutcomeOfLog | str]:
    right = f"a dict of names and functions of a log, or a list of functions and of: {listed(COUNTED)}"
    if isinstance(outcomes, str) or not isinstance(outcomes, Mapping | list | tuple):
        raise wrong_type("outcomes", outcomes, right)
    found = outcomes if isinstance(outcomes, Mapping) else {_called(one): one for one in outcomes}
    for name, one in found.items():
        if isinstance(one, str):
            _one(one, COUNTED, "outcome")
        elif not callable(one):
            raise wrong_type(f"outcomes[{name!r}]", one, right)
        if not isinstance(name, str) or name in (*vary, "replication", "reason", "stale", "trouble", "log"):
            raise ValueError(f"outcomes: {shown(name)} is the name of another column; choose another one")
    return dict(found)


def _called(outcome: Any) -> Any:
    return outcome if isinstance(outcome, str) else getattr(outcome, "__name__", repr(outcome))


def _checked_options(options: Any) -> dict[str, Any]:
    told = dict(checked_options(options))
    if taken := next((name for name in told if name in _TAKEN), ""):
        known = [one.name for one in fields(Options) if one.name not in _TAKEN]
        raise ValueError(f"options={shown(taken)}: it should be one of: {listed(known)}")
    return told


def _checked_level(level: object) -> float:
    if isinstance(level, bool) or not isinstance(level, int | float) or not 0.0 < level < 1.0:
        raise ValueError(f"level={shown(level)}: it should be between 0 and 1, such as 0.95")
    return float(level)


def _one(given: object, known: Iterable[str], what: str) -> str:
    names = list(dict.fromkeys(known))
    if given not in names:
        raise ValueError(f"{what}={shown(given)}: {right_of(given, names)}")
    return str(given)


def _how_long(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < _SOON_S else f"{seconds / 60:.0f} min"
