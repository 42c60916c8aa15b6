"""What is written out by hand agrees with what is known, and with scipy where that has the same."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from intercom_nb.lab import statistics as ours

COUNT = st.integers(1, 25)
NUMBERS = st.lists(st.integers(-100, 100), min_size=2, max_size=12)


@given(n=COUNT, other=COUNT, part=st.floats(0, 1), part_other=st.floats(0, 1))
def test_two_shares_are_compared_as_scipy_does(n, other, part, part_other):
    """Fisher's p, of runs that are no pairs; the fast one that plans use is the same."""
    yes, yes_other = int(part * n), int(part_other * other)
    before, after = [True] * yes + [False] * (n - yes), [True] * yes_other + [False] * (other - yes_other)
    found = ours.difference_of_shares(before, after, paired=False)

    assert found.p == pytest.approx(stats.fisher_exact([[yes, n - yes], [yes_other, other - yes_other]])[1])
    assert ours._fisher(yes, n, yes_other, other) == pytest.approx(found.p)
    assert -1 <= found.low <= found.value <= found.high <= 1


def test_newcombe_s_example_comes_out_as_published():
    """Table II of the paper, (a): 56 of 70 less 48 of 80, by method 10."""
    found = ours.difference_of_shares([True] * 48 + [False] * 32, [True] * 56 + [False] * 14, paired=False)

    assert (round(found.low, 4), round(found.high, 4)) == (0.0524, 0.3339)


@given(changes=st.lists(st.sampled_from([-1, 0, 1]), min_size=1, max_size=20))
def test_pairs_that_do_not_differ_count_for_nothing(changes):
    """McNemar's exact test is a binomial one of the pairs that differ."""
    before, after = [one < 0 for one in changes], [one > 0 for one in changes]
    found = ours.difference_of_shares(before, after, paired=True)
    gained, lost = changes.count(1), changes.count(-1)

    assert found.p == pytest.approx(stats.binomtest(gained, gained + lost).pvalue if gained + lost else 1.0)
    assert found.low <= found.value <= found.high


@given(changes=st.lists(st.integers(-9, 9), min_size=2, max_size=9))
def test_sign_flips_are_all_of_them_for_few_pairs(changes):
    """As scipy's permutation test counts them."""
    found = ours.difference_of_means([0] * len(changes), changes, paired=True)
    if not any(changes):
        assert found.p == 1
        return
    every = stats.permutation_test(
        (changes,), lambda x, axis: x.sum(axis=axis), permutation_type="samples", n_resamples=1e5, vectorized=True
    )
    assert found.p == pytest.approx(min(every.pvalue, 1))


def test_sign_flips_of_many_pairs_are_always_the_same_ones():
    """Twice the same answer, near that of Student's test, and never 0."""
    before, after = [*range(40)], [one + (one % 5) - 1.7 for one in range(40)]
    first, second = (ours.difference_of_means(before, after, paired=True).p for _ in range(2))

    assert first == second
    assert first == pytest.approx(stats.ttest_rel(after, before).pvalue, abs=0.02)
    assert ours.difference_of_means([0] * 40, [1] * 40, paired=True).p > 0


@given(before=NUMBERS, after=NUMBERS)
def test_welch_is_scipy_s(before, after):
    """Where both sides have a spread."""
    found = ours.difference_of_means(before, after, paired=False)
    if len({*before}) == 1 or len({*after}) == 1:
        assert math.isnan(found.p) or 0 <= found.p <= 1
        return
    known = stats.ttest_ind(after, before, equal_var=False)
    interval = known.confidence_interval(0.95)
    assert (found.p, found.low, found.high) == pytest.approx((known.pvalue, interval.low, interval.high))


@given(ps=st.lists(st.floats(0, 1) | st.just(math.nan), max_size=8))
def test_holm_keeps_the_order_and_never_helps(ps):
    """Adjusted values are no smaller, in the same order, 1 at most; what is not known stays so and does not count."""
    found = ours.holm(ps)
    known = [(p, q) for p, q in zip(ps, found, strict=True) if not math.isnan(p)]

    assert [math.isnan(q) for q in found] == [math.isnan(p) for p in ps]
    assert all(p <= q <= 1 for p, q in known)
    assert [q for _, q in sorted(known)] == sorted(q for _, q in known)
    if known:
        assert min(known)[1] == pytest.approx(min(min(known)[0] * len(known), 1))


def test_the_smallest_difference_is_one_that_is_seen_as_often_as_said():
    """Counted out over all results of two conditions of 12 runs each."""
    for paired in (False, True):
        size = ours.smallest_share_difference(12, paired=paired)
        power = ours._paired_power(12, size, 0.05) if paired else ours._fisher_power(12, size, 0.05)
        less = ours._paired_power if paired else ours._fisher_power
        assert power >= 0.8 > less(12, size - 0.005, 0.05)
    assert ours.smallest_mean_difference(64, 2.0) == pytest.approx(1.0, abs=0.01)  # half a deviation: Cohen, table 2.4
    assert math.isnan(ours.smallest_mean_difference(1, 2.0))
    assert math.isnan(ours.smallest_share_difference(0))


def test_of_nothing_nothing_is_known():
    """No run: no value, no interval, no p."""
    assert math.isnan(ours.share(0, 0).value)
    assert math.isnan(ours.mean([]).value)
    assert math.isnan(ours.mean([1.0]).low)
    assert math.isnan(ours.difference_of_shares([], [True], paired=False).p)
    assert math.isnan(ours.difference_of_means([], [1.0], paired=False).p)
