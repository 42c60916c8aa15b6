"""Figures beside their goals: one table on the screen, one JSON file, one exit status."""

import json
import os
import platform
import statistics
from pathlib import Path

RESULTS = Path(__file__).parent / "results"


class Goals:
    """What one benchmark found.

    Parameters
    ----------
    name : str
        Of the file in ``benchmarks/results``.
    """

    def __init__(self, name):
        self._name = name
        self._load_before = os.getloadavg()[0]
        self._rows = []
        self._tables = []
        self._columns = []

    def add(self, what, figures, *, most=None, least=None, unit=""):
        """Show the median of some figures (or one) and, if there is one, its goal."""
        figures = list(figures) if isinstance(figures, list | tuple) else [figures]
        median = statistics.median(figures)
        met = None
        if most is not None or least is not None:
            met = (most is None or median <= most) and (least is None or median >= least)
        goal = "" if met is None else f"≤ {most:g}" if most is not None else f"≥ {least:,g}"
        row = {"what": what, "median": median, "least": min(figures), "most": max(figures), "unit": unit}
        self._rows.append({**row, "goal": goal, "met": met})
        self._columns = []
        spread = f"{min(figures):,.4g} … {max(figures):,.4g}" if len(figures) > 1 else ""
        verdict = "" if met is None else "met" if met else "MISSED"
        print(f"{what:<66} {f'{median:,.4g} {unit}':>14} {spread:>18} {goal:>9} {verdict}", flush=True)

    def row(self, what, figures):
        """Show one row of a table: what was measured, and its figures by column; rows of the same columns follow on."""
        widths = [max(len(column), 11) for column in figures]
        if list(figures) != self._columns:
            self._columns = list(figures)
            heads = (f"{column:>{width}}" for column, width in zip(figures, widths, strict=True))
            print(f"\n{'':<28} {'  '.join(heads)}")
        texts = (f"{figure:,}" if isinstance(figure, int) else f"{figure:,.4g}" for figure in figures.values())
        print(f"{what:<28} {'  '.join(f'{t:>{width}}' for t, width in zip(texts, widths, strict=True))}", flush=True)
        self._tables.append({"what": what, **figures})

    def close(self):
        """Keep everything; return the exit status: 0 if each goal is met."""
        RESULTS.mkdir(exist_ok=True)
        load = {"load_before": self._load_before, "load_after": os.getloadavg()[0]}
        found = {"python": platform.python_version(), **load, "figures": self._rows, "tables": self._tables}
        text = json.dumps(found, indent=2, ensure_ascii=False)
        (RESULTS / f"{self._name}.json").write_text(text + "\n", encoding="utf-8")
        missed = sum(row["met"] is False for row in self._rows)
        print(
            f"\nload average {load['load_before']:.1f} before, {load['load_after']:.1f} after; goals missed: {missed}"
        )
        return int(missed > 0)
