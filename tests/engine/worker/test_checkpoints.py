"""Which states are kept, and within which bounds."""

from __future__ import annotations

from app.engine.worker.checkpoints import Checkpoints
from app.engine.worker.generation import boundaries
from app.engine.worker.prompts import Prompt


class FakeStates:
    """States of a size that can be set."""

    def __init__(self, size: int = 10) -> None:
        self.size = size

    def state(self, slot: int) -> bytes:
        return bytes(self.size)


def test_the_last_one_before_is_found() -> None:
    kept = Checkpoints(FakeStates(), 1)
    for count in (10, 20, 20, 30):
        kept.take(0, count)
    assert kept.counts(0) == [10, 20, 30]
    found = kept.before(0, 25)
    assert found is not None
    assert found.count == 20
    assert kept.before(0, 9) is None
    kept.cut(0, 20)
    assert kept.counts(0) == [10, 20]


def test_where_not_all_have_room_a_few_are_kept_spread_over_the_length() -> None:
    kept = Checkpoints(FakeStates(), 1, budget_bytes=40)
    for count in range(10, 200, 10):
        kept.take(0, count)
    counts = kept.counts(0)
    assert len(counts) == 4
    assert counts[0] == 10
    assert counts[-2:] == [180, 190]


def test_all_together_stay_within_the_budget() -> None:
    kept = Checkpoints(FakeStates(), 2, budget_bytes=35)
    for count in (1, 2, 3):
        kept.take(0, count)
    kept.take(1, 5)
    assert kept.size_bytes == 30
    assert kept.counts(0) == [2, 3], "where there are most"
    assert kept.counts(1) == [5]


def test_history_is_not_cut_for_more_states_than_there_is_room_for() -> None:
    kept = Checkpoints(FakeStates(), 1, budget_bytes=45)
    prompt = Prompt(tokens=[0] * 2000, spans=[100] * 19, thinking_open=False)
    assert boundaries(prompt, kept.room) == [100, 400, 700, 1000, *range(1200, 2000, 100)], "none is known yet"
    kept.take(0, 100)
    assert boundaries(prompt, kept.room) == [100, 1600, 1700, 1800, 1900]
    assert boundaries(Prompt(tokens=[1], spans=[], thinking_open=False), kept.room) == []


def test_the_newest_are_as_many_as_there_is_room_for() -> None:
    kept = Checkpoints(FakeStates(), 1)
    assert kept.newest(0, 2, 35) == []
    for count in range(1, 8):
        kept.take(0, count)
    for most_bytes, counts in ((35, [5, 6, 7]), (5, [6, 7]), (500, kept.counts(0))):
        assert [made.count for made in kept.newest(0, 2, most_bytes)] == counts


def test_small_states_are_kept_at_every_turn() -> None:
    kept = Checkpoints(FakeStates(), 1, budget_bytes=10_000)
    for count in range(10, 2_000, 10):
        kept.take(0, count)
    assert kept.counts(0) == list(range(10, 2_000, 10))


def test_a_state_that_is_too_large_or_cannot_be_had_is_not_kept() -> None:
    for size in (0, 100):
        kept = Checkpoints(FakeStates(size), 1, budget_bytes=50)
        kept.take(0, 1)
        assert kept.counts(0) == []


def test_copies_share_and_the_last_one_frees() -> None:
    kept = Checkpoints(FakeStates(), 2, budget_bytes=25)
    kept.take(0, 1)
    kept.take(0, 2)
    kept.copy(0, 1)
    assert kept.size_bytes == 20
    kept.cut(0, 0)
    assert kept.size_bytes == 20
    assert kept.counts(1) == [1, 2]
    kept.cut(1, 1)
    assert kept.size_bytes == 10
