"""The arithmetic of measuring on a noisy machine: paired ratios, bootstrap intervals, what counts as met.

No timing happens here. The method: subject and base run in short pairs right after each other, in alternating order,
so that whatever else the machine does meets both; the figure is the median of the pairs' ratios, and the base paired
with itself (the A/A figure) shows how far the machine alone moves it.
"""

from __future__ import annotations

import random
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

RESAMPLES = 4000
CONFIDENCE = 0.95
ENOUGH_PAIRS = 20  # with fewer, an interval is so wide that it reaches anything


@dataclass(frozen=True)
class Interval:
    """A median and the bootstrap interval around it."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


def median_interval(values: Sequence[float], *, resamples: int = RESAMPLES) -> Interval:
    """The median with its percentile bootstrap interval (95 %); the same values always give the same interval."""
    if not values:
        raise ValueError("no values to take a median of")
    source = random.Random(0)
    medians = sorted(statistics.median(source.choices(values, k=len(values))) for _ in range(resamples))
    tail = (1 - CONFIDENCE) / 2
    low = medians[round(tail * (resamples - 1))]
    high = medians[round((1 - tail) * (resamples - 1))]
    return Interval(statistics.median(values), low, high)


def percentile(values: Sequence[float], fraction: float) -> float:
    """The smallest value that at least `fraction` of all values do not exceed (nearest rank)."""
    if not values:
        raise ValueError("no values to take a percentile of")
    ordered = sorted(values)
    rank = -(-fraction * len(ordered) // 1)  # ceiling
    return ordered[min(len(ordered), max(1, int(rank))) - 1]


@dataclass(frozen=True)
class Paired:
    """What alternating pairs gave: subject / base, the base against itself, and the median of each side."""

    ratio: Interval
    same: Interval
    subject: float
    base: float
    pairs: int

    def note(self, unit: str) -> str:
        """Interval, A/A figure and the absolute medians in one line."""
        few = "" if self.pairs >= ENOUGH_PAIRS else " (too few to judge by)"
        return (
            f"{self.subject:.4g} / {self.base:.4g} {unit}, 95 % [{self.ratio.low:.3f}, {self.ratio.high:.3f}], "
            f"A/A {self.same}, {self.pairs} pairs{few}"
        )


def run_pairs(subject: Callable[[], float], base: Callable[[], float], pairs: int) -> Paired:
    """Measures `pairs` times subject, base and base again, in alternating order. Both return one positive figure.

    Subject and base are always neighbours, and so are the two runs of the base.
    """
    ratios: list[float] = []
    same: list[float] = []
    subjects: list[float] = []
    bases: list[float] = []
    for index in range(pairs):
        if index % 2 == 0:
            one, two, three = subject(), base(), base()
        else:
            three, two, one = base(), base(), subject()
        ratios.append(one / two)
        # which of the two bases counts as the numerator alternates in time, so that drift cancels here as well
        same.append(three / two)
        subjects.append(one)
        bases.append(two)
    return Paired(
        median_interval(ratios), median_interval(same), statistics.median(subjects), statistics.median(bases), pairs
    )


@dataclass(frozen=True)
class Figure:
    """One line of the report. At most one of `at_least` and `at_most` is set; with neither it is only told.

    `low` and `high` bound the value where an interval is known; a target is met when the interval reaches it.
    """

    name: str
    value: float
    unit: str
    note: str = ""
    at_least: float | None = None
    at_most: float | None = None
    low: float | None = None
    high: float | None = None

    @property
    def met(self) -> bool | None:
        """Whether the target is reached; None when there is none."""
        if self.at_least is not None:
            return (self.value if self.high is None else self.high) >= self.at_least
        if self.at_most is not None:
            return (self.value if self.low is None else self.low) <= self.at_most
        return None

    def as_json(self) -> dict[str, Any]:
        """The entry of build/bench.json."""
        entry: dict[str, Any] = {"value": round(self.value, 4)}
        if self.at_least is not None:
            entry["at_least"] = self.at_least
        if self.at_most is not None:
            entry["at_most"] = self.at_most
        return {**entry, "unit": self.unit, "note": self.note}


def ratio_figure(
    name: str, paired: Paired, unit: str, *, at_least: float | None = None, at_most: float | None = None, more: str = ""
) -> Figure:
    """The figure of a paired measurement; `unit` is that of its two sides."""
    note = paired.note(unit) + (f"; {more}" if more else "")
    return Figure(
        name, paired.ratio.value, "ratio", note, at_least, at_most, low=paired.ratio.low, high=paired.ratio.high
    )
