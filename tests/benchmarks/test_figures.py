"""The statistics behind the figures: intervals, pairs, and what counts as met."""

from __future__ import annotations

import itertools
import random

import pytest

from benchmarks.figures import Figure, median_interval, percentile, ratio_figure, run_pairs


def test_an_interval_holds_its_median_and_is_the_same_every_time() -> None:
    source = random.Random(3)
    values = [source.gauss(1.0, 0.1) for _ in range(40)]
    interval = median_interval(values)
    assert interval.low <= interval.value <= interval.high
    assert interval == median_interval(list(values))
    assert 0 < interval.high - interval.low < 0.2


def test_intervals_cover_the_truth_about_as_often_as_they_promise() -> None:
    source = random.Random(4)
    covered = 0
    for _ in range(200):
        interval = median_interval([source.gauss(1.0, 0.2) for _ in range(24)], resamples=300)
        covered += interval.low <= 1.0 <= interval.high
    assert 175 <= covered <= 200


def test_one_value_and_equal_values_have_no_width() -> None:
    for values in ([0.5], [0.5] * 9):
        interval = median_interval(values)
        assert (interval.low, interval.value, interval.high) == (0.5, 0.5, 0.5)


def test_nothing_cannot_be_measured() -> None:
    with pytest.raises(ValueError, match="no values"):
        median_interval([])
    with pytest.raises(ValueError, match="no values"):
        percentile([], 0.99)


@pytest.mark.parametrize(
    ("fraction", "expected"), [(0.0, 1), (0.01, 1), (0.5, 50), (0.99, 99), (0.991, 100), (1.0, 100)]
)
def test_percentiles_are_values_that_occurred(fraction: float, expected: int) -> None:
    values = list(range(1, 101))
    random.Random(5).shuffle(values)
    assert percentile(values, fraction) == expected


def test_pairs_alternate_and_keep_neighbours_together() -> None:
    order: list[str] = []

    def subject() -> float:
        order.append("s")
        return 2.0

    def base() -> float:
        order.append("b")
        return 1.0

    paired = run_pairs(subject, base, 4)
    assert "".join(order) == "sbbbbssbbbbs"
    assert (paired.ratio.value, paired.same.value, paired.pairs) == (2.0, 1.0, 4)


def test_a_machine_that_slows_down_moves_neither_the_ratio_nor_the_base_against_itself() -> None:
    speed = (1000.0 * 0.99**step for step in itertools.count())
    paired = run_pairs(lambda: 0.9 * next(speed), lambda: next(speed), 24)
    assert paired.ratio.value == pytest.approx(0.9, abs=0.01)
    assert paired.same.value == pytest.approx(1.0, abs=0.01)


@pytest.mark.parametrize(
    ("figure", "met"),
    [
        (Figure("a", 0.96, "ratio", at_least=0.97), False),
        (Figure("a", 0.96, "ratio", at_least=0.97, low=0.94, high=0.975), True),
        (Figure("a", 0.97, "ratio", at_least=0.97), True),
        (Figure("a", 101.0, "ms", at_most=100.0), False),
        (Figure("a", 101.0, "ms", at_most=100.0, low=99.0, high=103.0), True),
        (Figure("a", 100.0, "ms", at_most=100.0), True),
        (Figure("a", 1.0, "ms"), None),
    ],
)
def test_a_target_is_met_when_the_interval_reaches_it(figure: Figure, met: bool | None) -> None:
    assert figure.met is met


def test_a_ratio_tells_its_interval_and_the_machines_own_noise() -> None:
    paired = run_pairs(iter([98.0, 99.0, 97.0] * 8).__next__, lambda: 100.0, 24)
    figure = ratio_figure("decode", paired, "tokens/s", at_least=0.97, more="2 threads")
    assert figure.as_json() == {
        "value": 0.98,
        "at_least": 0.97,
        "unit": "ratio",
        "note": "98 / 100 tokens/s, 95 % [0.970, 0.990], A/A 1.000 [1.000, 1.000], 24 pairs; 2 threads",
    }


def test_few_pairs_are_called_few() -> None:
    paired = run_pairs(lambda: 1.0, lambda: 1.0, 4)
    assert paired.note("s").endswith("4 pairs (too few to judge by)")
