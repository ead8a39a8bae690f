"""The Fenwick tree against plain sums."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from app.ui.components.transcript.heights import Heights


@given(st.lists(st.integers(1, 500), max_size=80), st.data())
def test_tops_and_hits_follow_every_change(values: list[int], data: st.DataObject) -> None:
    heights = Heights(values)
    for _ in range(data.draw(st.integers(0, 5))):
        if values:
            index = data.draw(st.integers(0, len(values) - 1))
            value = data.draw(st.integers(0, 900))
            assert heights.set(index, value) == value - values[index]
            values[index] = value
    assert heights.total == sum(values)
    assert [heights.top(i) for i in range(len(values) + 1)] == [sum(values[:i]) for i in range(len(values) + 1)]
    for index, value in enumerate(values):
        if value:
            assert heights.find(sum(values[:index])) == index
            assert heights.find(sum(values[: index + 1]) - 1) == index


def test_outside_means_the_first_or_last_row() -> None:
    assert Heights().find(5) == -1
    assert Heights([10, 20]).find(-5) == 0
    assert Heights([10, 20]).find(99) == 1
