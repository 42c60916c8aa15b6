"""Estimates, intervals and tests for small experiments in which one society is one unit.

Whatever scipy has is scipy's. What is written out here says where it is from, and ``benchmarks/study_statistics.py``
shows how often it is wrong. No pandas: values come in as lists, one for each run.
"""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

__all__ = [
    "Difference",
    "Estimate",
    "difference_of_means",
    "difference_of_shares",
    "holm",
    "mean",
    "share",
    "smallest_mean_difference",
    "smallest_share_difference",
]

_SPREAD = 2  # runs: fewer do not say how much runs differ
_FLIPS = 20_000  # sign flips that are tried where all of them would be more
_EXACT_UP_TO = 14  # pairs: 2**14 sign flips are fewer than that
_POWER_STEPS = 200  # differences of shares that are tried, from 0 to 1


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a number of runs say of one condition.

    Attributes
    ----------
    n : int
        Runs.
    value : float
        Their mean, or the share in which it was so; NaN of none.
    low, high : float
        Its interval; NaN where there are too few runs for one.
    method : str
        How the interval was made.
    """

    n: int
    value: float
    low: float
    high: float
    method: str


@dataclass(frozen=True, slots=True)
class Difference:
    """What a number of runs say of two conditions: the second less the first.

    Attributes
    ----------
    n : int
        Pairs, or runs of the smaller condition.
    value, low, high : float
        The difference and its interval.
    p : float
        How often a difference of this size or more would be seen if there were none; NaN where that cannot be said.
    test : str
        What it is from.
    """

    n: int
    value: float
    low: float
    high: float
    p: float
    test: str


def share(yes: int, n: int, *, level: float = 0.95) -> Estimate:
    """Return the share of runs in which something was so, with its Wilson interval.

    Parameters
    ----------
    yes, n : int
        In how many runs it was so, and of how many.
    level : float
        How often such intervals hold the truth.

    References
    ----------
    E. B. Wilson, Probable inference, the law of succession, and statistical inference, J. Am. Stat. Assoc. 22, 1927.

    Examples
    --------
    >>> found = share(18, 20)
    >>> found.value, round(found.low, 3), round(found.high, 3)
    (0.9, 0.699, 0.972)
    """
    from scipy import stats

    if n == 0:
        return Estimate(0, math.nan, math.nan, math.nan, "Wilson")
    interval = stats.binomtest(yes, n).proportion_ci(level, method="wilson")
    return Estimate(n, yes / n, float(interval.low), float(interval.high), "Wilson")


def mean(values: Sequence[float], *, level: float = 0.95) -> Estimate:
    """Return the mean over runs, with Student's interval.

    Parameters
    ----------
    values : sequence of float
        One of each run.
    level : float
        How often such intervals hold the truth. With few runs of a skewed quantity, such as cost, it is less: see
        ``docs/studies.md``.

    References
    ----------
    Student, The probable error of a mean, Biometrika 6, 1908.

    Examples
    --------
    >>> found = mean([10, 12, 14])
    >>> found.value, round(found.low, 2), round(found.high, 2)
    (12.0, 7.03, 16.97)
    """
    n = len(values)
    if n == 0:
        return Estimate(0, math.nan, math.nan, math.nan, "t")
    centre = math.fsum(values) / n
    low, high = _t_interval(list(values), level)
    return Estimate(n, centre, low, high, "t")


def difference_of_shares(
    before: Sequence[bool], after: Sequence[bool], *, paired: bool, level: float = 0.95
) -> Difference:
    """Return by how much more often something is so after a change.

    Parameters
    ----------
    before, after : sequence of bool
        One of each run; with ``paired``, the n-th of both belong together.
    paired : bool
        Whether they do: then the test is McNemar's exact one on the pairs that differ, and the interval that of Bonett
        and Price; else Fisher's exact test, and Newcombe's interval.
    level : float
        How often such intervals hold the truth.

    References
    ----------
    Q. McNemar, Note on the sampling error of the difference between correlated proportions, Psychometrika 12, 1947.
    D. G. Bonett and R. M. Price, Adjusted Wald confidence interval for a difference of binomial proportions based on
    paired data, J. Educ. Behav. Stat. 37, 2012.
    R. A. Fisher, The logic of inductive inference, J. R. Stat. Soc. 98, 1935.
    R. G. Newcombe, Interval estimation for the difference between independent proportions, Stat. Med. 17, 1998
    (method 10).

    Examples
    --------
    >>> found = difference_of_shares([False] * 10, [True] * 8 + [False] * 2, paired=True)
    >>> found.n, found.value, round(found.p, 4)
    (10, 0.8, 0.0078)
    """
    test = "exact McNemar" if paired else "Fisher exact"
    if not before or not after:
        return Difference(0, math.nan, math.nan, math.nan, math.nan, test)
    found = _paired_shares(before, after, level) if paired else _independent_shares(before, after, level)
    return Difference(min(len(before), len(after)), sum(after) / len(after) - sum(before) / len(before), *found, test)


def _paired_shares(before: Sequence[bool], after: Sequence[bool], level: float) -> tuple[float, float, float]:
    from scipy import stats

    n = len(before)
    gained = sum(not one and other for one, other in zip(before, after, strict=True))
    lost = sum(one and not other for one, other in zip(before, after, strict=True))
    p = float(stats.binomtest(gained, gained + lost).pvalue) if gained + lost else 1.0
    more, less = (gained + 1) / (n + 2), (lost + 1) / (n + 2)
    half = _z(level) * math.sqrt((more + less - (more - less) ** 2) / (n + 2))
    return max(more - less - half, -1.0), min(more - less + half, 1.0), p


def _independent_shares(before: Sequence[bool], after: Sequence[bool], level: float) -> tuple[float, float, float]:
    from scipy import stats

    first, second = share(sum(before), len(before), level=level), share(sum(after), len(after), level=level)
    difference = second.value - first.value
    low = difference - math.hypot(second.value - second.low, first.high - first.value)
    high = difference + math.hypot(second.high - second.value, first.value - first.low)
    table = [[sum(one), len(one) - sum(one)] for one in (after, before)]
    return low, high, float(stats.fisher_exact(table).pvalue)


def difference_of_means(
    before: Sequence[float], after: Sequence[float], *, paired: bool, level: float = 0.95
) -> Difference:
    """Return by how much larger something is after a change.

    Parameters
    ----------
    before, after : sequence of float
        One of each run; with ``paired``, the n-th of both belong together.
    paired : bool
        Whether they do: then the test flips the signs of the differences, all ways of it or 20,000 at random (always
        the same ones), and the interval is Student's of the differences; else both are Welch's.
    level : float
        How often such intervals hold the truth.

    References
    ----------
    R. A. Fisher, The design of experiments, 1935, section 21 (sign flips).
    B. L. Welch, The generalization of Student's problem, Biometrika 34, 1947.

    Examples
    --------
    >>> found = difference_of_means([1, 2, 3, 4, 5, 6], [3, 5, 5, 7, 7, 9], paired=True)
    >>> found.n, found.value, round(found.p, 4)
    (6, 2.5, 0.0312)
    """
    test = "sign flips" if paired else "Welch"
    if not before or not after:
        return Difference(0, math.nan, math.nan, math.nan, math.nan, test)
    n = min(len(before), len(after))
    difference = math.fsum(after) / len(after) - math.fsum(before) / len(before)
    if paired:
        changes = [other - one for one, other in zip(before, after, strict=True)]
        return Difference(n, difference, *_t_interval(changes, level), _sign_flips(changes), test)
    return Difference(n, difference, *_welch(before, after, level), test)


def _welch(before: Sequence[float], after: Sequence[float], level: float) -> tuple[float, float, float]:
    from scipy import stats

    if min(len(before), len(after)) < _SPREAD:
        return math.nan, math.nan, math.nan
    if statistics.variance(before) + statistics.variance(after) == 0:  # nothing to measure a difference by
        same = before[0] == after[0]
        return (0.0, 0.0, 1.0) if same else (math.nan, math.nan, math.nan)
    sides = [(math.fsum(side) / len(side), statistics.variance(side), len(side)) for side in (after, before)]
    (first, spread, n), (second, spread_other, n_other) = sides
    found = stats.ttest_ind_from_stats(
        first, math.sqrt(spread), n, second, math.sqrt(spread_other), n_other, equal_var=False
    )  # fmt: skip
    parts = spread / n, spread_other / n_other
    free = sum(parts) ** 2 / (parts[0] ** 2 / (n - 1) + parts[1] ** 2 / (n_other - 1))
    half = float(stats.t.ppf((1 + level) / 2, free)) * math.sqrt(sum(parts))
    return first - second - half, first - second + half, float(found.pvalue)


def _sign_flips(changes: Sequence[float]) -> float:
    import numpy as np

    size = abs(math.fsum(changes))
    moved = np.array([one for one in changes if one])  # a difference of 0 has no sign to flip
    if not moved.size:
        return 1.0
    if moved.size <= _EXACT_UP_TO:
        signs = 1 - 2 * ((np.arange(2**moved.size)[:, None] >> np.arange(moved.size)) & 1)
        return float(np.mean(np.abs(signs @ moved) >= size - 1e-9 * np.abs(moved).sum()))
    signs = 1 - 2 * np.random.default_rng(0).integers(0, 2, (_FLIPS, moved.size), dtype=np.int8)
    as_far = int(np.sum(np.abs(signs @ moved) >= size - 1e-9 * np.abs(moved).sum()))
    return (as_far + 1) / (_FLIPS + 1)  # what was seen is one of the ways: Phipson and Smyth, 2010


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p values as they count when several were asked for at once; NaN stays, and is none of them.

    References
    ----------
    S. Holm, A simple sequentially rejective multiple test procedure, Scand. J. Stat. 6, 1979.

    Examples
    --------
    >>> [round(p, 3) for p in holm([0.01, 0.04, 0.03])]
    [0.03, 0.06, 0.06]
    """
    known = sorted((p, place) for place, p in enumerate(p_values) if not math.isnan(p))
    adjusted, most = [math.nan] * len(p_values), 0.0
    for n, (p, place) in enumerate(known):
        most = max(most, min((len(known) - n) * p, 1.0))
        adjusted[place] = most
    return adjusted


def smallest_share_difference(n: int, *, paired: bool = False, alpha: float = 0.05, power: float = 0.8) -> float:
    """Return the smallest difference of two shares around one half that so many runs of each would show.

    Parameters
    ----------
    n : int
        Runs of each condition.
    paired : bool
        Whether they are pairs; taken as ones that have nothing in common, which pairs at the worst are.
    alpha, power : float
        How often a difference may be seen where there is none, and how often this one is to be seen.

    Returns
    -------
    float
        From 0 to 1, in steps of 0.005, by adding up the exact probabilities; NaN if no difference would be seen.

    Examples
    --------
    >>> smallest_share_difference(20), smallest_share_difference(80)
    (0.485, 0.235)
    """
    if n < 1:
        return math.nan
    for step in range(1, _POWER_STEPS + 1):
        difference = step / _POWER_STEPS
        found = _paired_power(n, difference, alpha) if paired else _fisher_power(n, difference, alpha)
        if found >= power:
            return difference
    return math.nan


def smallest_mean_difference(
    n: int, spread: float, *, paired: bool = False, alpha: float = 0.05, power: float = 0.8
) -> float:
    """Return the smallest difference of two means that so many runs of each would show.

    Parameters
    ----------
    n : int
        Runs of each condition.
    spread : float
        Standard deviation of one condition's runs, or of the differences of pairs.
    paired : bool
        Which of the two `spread` is.
    alpha, power : float
        As for `smallest_share_difference`.

    Returns
    -------
    float
        In the unit of `spread`, by the noncentral t distribution; NaN for fewer than two runs, or no spread.

    References
    ----------
    J. Cohen, Statistical power analysis for the behavioral sciences, 2nd edition, 1988, chapter 2.

    Examples
    --------
    >>> round(smallest_mean_difference(20, 1.0), 3)
    0.909
    """
    from scipy import optimize, stats

    if n < _SPREAD or not spread > 0:  # NaN too
        return math.nan
    free, scale = (n - 1, math.sqrt(n)) if paired else (2 * n - 2, math.sqrt(n / 2))
    edge = stats.t.ppf(1 - alpha / 2, free)

    def lacking(size: float) -> float:
        far = size * scale
        return float(stats.nct.sf(edge, free, far)) - power  # of the other side there is next to nothing

    most = 0.1
    while lacking(most) < 0:
        most *= 2
    return float(optimize.brentq(lacking, 1e-9, most)) * spread


def _paired_power(n: int, difference: float, alpha: float) -> float:
    """Return how often McNemar's exact test sees a difference of pairs that have nothing in common."""
    from scipy import stats

    first, second = 0.5 - difference / 2, 0.5 + difference / 2
    gained, lost = second * (1 - first), first * (1 - second)
    total = 0.0
    for differing in range(1, n + 1):
        edge = int(stats.binom.ppf(alpha / 2, differing, 0.5))
        if 2 * stats.binom.cdf(edge, differing, 0.5) > alpha:
            edge -= 1
        if edge >= 0:
            to = gained / (gained + lost)
            seen = stats.binom.cdf(edge, differing, to) + stats.binom.sf(differing - edge - 1, differing, to)
            total += stats.binom.pmf(differing, n, gained + lost) * seen
    return float(total)


def _fisher_power(n: int, difference: float, alpha: float) -> float:
    import numpy as np
    from scipy import stats

    counts = np.arange(n + 1)
    first, second = (stats.binom.pmf(counts, n, 0.5 + sign * difference / 2) for sign in (-1, 1))
    return float(first @ _rejected(n, alpha) @ second)


@lru_cache(maxsize=8)
def _rejected(n: int, alpha: float) -> Any:
    """Return for each pair of counts whether Fisher's exact test calls them different."""
    import numpy as np

    return np.array([[_fisher(one, n, other, n) <= alpha for other in range(n + 1)] for one in range(n + 1)], float)


def _fisher(yes: int, n: int, yes_other: int, n_other: int) -> float:
    """Return the p that scipy's ``fisher_exact`` gives, fast enough for all tables of a plan."""
    import numpy as np

    logs = _log_tables(yes + yes_other, n, n_other)
    first = max(yes + yes_other - n_other, 0)
    return float(min(np.exp(logs[logs <= logs[yes - first] + 1e-7]).sum(), 1.0))


@lru_cache(maxsize=1_024)
def _log_tables(total: int, n: int, n_other: int) -> Any:
    import numpy as np
    from scipy import stats

    return stats.hypergeom.logpmf(np.arange(max(total - n_other, 0), min(total, n) + 1), n + n_other, total, n)


def _t_interval(values: list[float], level: float) -> tuple[float, float]:
    from scipy import stats

    n = len(values)
    if n < _SPREAD:
        return math.nan, math.nan
    centre = math.fsum(values) / n
    error = math.sqrt(math.fsum((one - centre) ** 2 for one in values) / (n - 1) / n)
    half = float(stats.t.ppf((1 + level) / 2, n - 1)) * error
    return centre - half, centre + half


def _z(level: float) -> float:
    from scipy import stats

    return float(stats.norm.ppf((1 + level) / 2))
