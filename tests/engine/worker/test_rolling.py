"""Prefixes and gaps of token lists."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from app.engine.worker.rolling import common_prefix, find_gap

few = st.lists(st.integers(0, 3), max_size=40)


def test_common_prefix() -> None:
    assert common_prefix([1, 2, 3], [1, 2, 3, 4]) == 3
    assert common_prefix([1, 2, 3], [1, 5, 3]) == 1
    assert common_prefix([], [1]) == 0


@given(few, few)
def test_a_prefix_is_common_and_the_longest(first: list[int], second: list[int]) -> None:
    length = common_prefix(first, second)
    assert first[:length] == second[:length]
    assert length in (len(first), len(second)) or first[length] != second[length]


def test_a_gap_is_where_the_rest_comes_again() -> None:
    held = [*range(100)]
    assert find_gap(held, [*range(10), *range(40, 100), 7]) == (10, 40)
    assert find_gap(held, [*range(40, 100), 7]) == (0, 40)
    assert find_gap(held, [*range(10), *range(40, 60), 7, 8, 9]) == (10, 40), "and the end is another"


def test_no_gap() -> None:
    held = [*range(100)]
    for prompt in ([*range(120)], [*range(50)], [*range(10), *range(500, 600)], [*range(10), *range(95, 100)], []):
        start, end = find_gap(held, prompt)
        assert start == end


def test_of_several_places_the_one_with_most_is_taken() -> None:
    turn = [*range(20)]
    start, end = find_gap([99, 1, *turn, 101, *turn, 103, 104], [99, *turn, 103, 104, 105])
    assert [99, 1, *turn, 101, *turn, 103, 104][end : end + 22] == [*turn, 103, 104]
    assert start == 1


@given(st.lists(st.integers(0, 1000), min_size=60, max_size=120, unique=True), st.data())
def test_what_is_cut_out_is_found(held: list[int], data: st.DataObject) -> None:
    start = data.draw(st.integers(0, 20))
    end = data.draw(st.integers(start + 1, 40))
    assert find_gap(held, held[:start] + held[end:] + [1001]) == (start, end)
