"""How often the statistics of studies are wrong: false alarms where nothing differs, intervals that miss the truth.

Every study here is drawn by a seeded generator and goes through the package's own functions. Prints two tables and
writes ``benchmarks/results/study_statistics.json``; the exit status says whether a goal was missed. A share of N
studies has a standard error of sqrt(p (1 - p) / N): 0.2 points for false alarms around 5 % of 10,000.

    python benchmarks/study_statistics.py [--studies 10000]
"""

import argparse
import json
import math
import random
import sys
from pathlib import Path

from intercom_nb.lab.statistics import difference_of_means, difference_of_shares, holm, mean, share

MOST_ALARMS, ALPHA, LEVEL, LEAST_COVERED = 0.055, 0.05, 0.95, 0.94
SIZES = (10, 20, 50, 100)
SIGMA = 0.8  # of the logarithms of costs: their largest is some ten times their smallest


def yes_or_no(chance, p, n):
    """Return what came of so many runs."""
    return [chance.random() < p for _ in range(n)]


def costs(chance, n):
    """Return what so many runs cost: most of them little, some much."""
    return [chance.lognormvariate(0, SIGMA) for _ in range(n)]


def paired_costs(chance, n):
    """Return two costs of each pair, which have half of their variance in common."""
    cast = [chance.gauss(0, SIGMA / math.sqrt(2)) for _ in range(n)]
    return tuple([math.exp(one + chance.gauss(0, SIGMA / math.sqrt(2))) for one in cast] for _ in range(2))


def false_alarms(studies):
    """Return how often a study with nothing to find finds something, by test and size."""
    found = {}
    for n in SIZES:
        chance = random.Random(n)  # noqa: S311 - a generator of studies
        shares, paired_shares, means, paired_means, grids = [], [], [], [], []
        for _ in range(studies):
            p = chance.uniform(0.1, 0.9)
            sides = yes_or_no(chance, p, n), yes_or_no(chance, p, n)
            shares.append(difference_of_shares(*sides, paired=False).p)
            paired_shares.append(difference_of_shares(*sides, paired=True).p)
            means.append(difference_of_means(costs(chance, n), costs(chance, n), paired=False).p)
            paired_means.append(difference_of_means(*paired_costs(chance, n), paired=True).p)
            grids.append(min(holm([shares[-1], paired_shares[-1], means[-1], paired_means[-1]])))
        kinds = {
            "Fisher": shares, "McNemar": paired_shares, "Welch": means, "sign flips": paired_means,
            "any of four, by Holm": grids,
        }  # fmt: skip
        found[n] = {kind: sum(p <= ALPHA for p in ps) / studies for kind, ps in kinds.items()}
    return found


def coverage(studies):
    """Return how often intervals hold the truth, by what is estimated and size."""
    found = {}
    for n in SIZES:
        chance = random.Random(1_000 + n)  # noqa: S311 - the same
        of = {f"share {p:g}": sum(holds(share(sum(yes_or_no(chance, p, n)), n), p) for _ in range(studies))
              for p in (0.1, 0.3, 0.5, 0.7, 0.9)}  # fmt: skip
        of["mean of normal"] = sum(holds(mean([chance.gauss(5, 1) for _ in range(n)]), 5) for _ in range(studies))
        of["mean of costs"] = sum(holds(mean(costs(chance, n)), math.exp(SIGMA**2 / 2)) for _ in range(studies))
        sides = [(yes_or_no(chance, 0.3, n), yes_or_no(chance, 0.5, n)) for _ in range(studies)]
        of["difference of shares"] = sum(holds(difference_of_shares(*one, paired=False), 0.2) for one in sides)
        of["difference of pairs of shares"] = sum(holds(difference_of_shares(*one, paired=True), 0.2) for one in sides)
        of["difference of costs"] = sum(
            holds(difference_of_means(costs(chance, n), costs(chance, n), paired=False), 0) for _ in range(studies)
        )
        of["difference of pairs of costs"] = sum(
            holds(difference_of_means(*paired_costs(chance, n), paired=True), 0) for _ in range(studies)
        )
        found[n] = {what: count / studies for what, count in of.items()}
    return found


def holds(found, truth):
    """Return whether an interval holds the truth."""
    return found.low <= truth <= found.high


def table(title, found):
    """Print shares, a row each and a column a size."""
    print(f"\n{title:<34}" + "".join(f"{f'n = {n}':>10}" for n in found))
    for what in next(iter(found.values())):
        print(f"{what:<34}" + "".join(f"{found[n][what]:>10.2%}" for n in found))


def main():
    """Draw studies, print what was found, and say whether a goal was missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--studies", type=int, default=10_000)
    studies = parser.parse_args().studies
    alarms, covered = false_alarms(studies), coverage(studies)
    table(f"false alarms at {ALPHA:.0%}", alarms)
    table(f"intervals of {LEVEL:.0%} that hold", covered)
    missed = [f"{kind} at n = {n}: {p:.2%}" for n, of in alarms.items() for kind, p in of.items() if p > MOST_ALARMS]
    short = [f"{what} at n = {n}: {p:.2%}" for n, of in covered.items() for what, p in of.items() if p < LEAST_COVERED]
    print(f"\nfalse alarms above {MOST_ALARMS:.1%}: {', '.join(missed) or 'none'}")
    print(f"intervals below {LEAST_COVERED:.0%}, which docs/studies.md names: {', '.join(short) or 'none'}")
    results = Path(__file__).parent / "results"
    results.mkdir(exist_ok=True)
    kept = {"studies": studies, "false_alarms": alarms, "coverage": covered}
    (results / "study_statistics.json").write_text(json.dumps(kept, indent=1))
    return bool(missed)


if __name__ == "__main__":
    sys.exit(main())
