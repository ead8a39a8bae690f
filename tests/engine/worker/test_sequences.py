"""Prefix reuse against memories that behave as llama.cpp's do, traps included."""

from __future__ import annotations

from typing import Any

from app.engine.worker.sequences import Sequences
from app.engine.worker.slots import Slot


class FakeMemory:
    """Positions of each sequence. `window`: only so many are kept, and cutting below them empties, answering True."""

    def __init__(self, window: int = 0, whole_only: bool = False) -> None:
        self.held: dict[int, range] = {}
        self.window = window
        self.whole_only = whole_only
        self.removals: list[tuple[int, int]] = []
        self.copies: list[tuple[int, int]] = []
        self.gaps: list[tuple[int, int, int]] = []
        self.states = 0

    def decode(self, slot: Slot) -> None:
        end = len(slot.tokens)
        first = max(0, end - self.window) if self.window else 0
        if self.whole_only:
            first = end - 1
        self.held[slot.index] = range(first, end)
        slot.n_past = end

    def remove_from(self, slot: int, position: int) -> bool:
        self.removals.append((slot, position))
        held = self.held.get(slot, range(0))
        if position > 0 and self.whole_only and position < held.stop:
            return False
        self.held[slot] = range(held.start, min(held.stop, position))
        return True

    def close_gap(self, slot: int, start: int, end: int) -> bool:
        self.gaps.append((slot, start, end))
        self.held[slot] = range(self.held[slot].stop - (end - start))
        return True

    def copy(self, source: int, target: int) -> None:
        self.copies.append((source, target))
        self.held[target] = self.held.get(source, range(0))

    def state(self, slot: int) -> Any:
        self.states += 1
        return [self.held.get(slot, range(0))]

    def set_state(self, slot: int, data: Any) -> bool:
        self.held[slot] = data[0]
        return True

    def first_position(self, slot: int) -> int:
        held = self.held.get(slot, range(0))
        return held.start if held else -1

    def last_position(self, slot: int) -> int:
        held = self.held.get(slot, range(0))
        return held.stop - 1 if held else -1


def turn(sequences: Sequences, memory: FakeMemory, name: str, prompt: list[int], *, shift: bool = False) -> int:
    """Acquire, decode all, release; how many tokens were taken from the cache."""
    slot = sequences.acquire(name, prompt, shift=shift)
    assert slot is not None
    cached = slot.n_past
    memory.decode(slot)
    sequences.release(slot)
    return cached


def test_the_next_turn_decodes_only_what_is_new() -> None:
    memory = FakeMemory()
    sequences = Sequences(memory, 1)
    assert turn(sequences, memory, "a", [*range(10)]) == 0
    assert turn(sequences, memory, "a", [*range(15)]) == 10
    assert {position for _, position in memory.removals} == {0}, "before the first turn only"


def test_a_changed_tail_is_cut_off() -> None:
    memory = FakeMemory()
    sequences = Sequences(memory, 1)
    turn(sequences, memory, "a", [*range(10)])
    assert turn(sequences, memory, "a", [0, 1, 2, 99, 98]) == 3
    assert memory.removals[-1] == (0, 3)


def test_the_same_prompt_leaves_one_token_to_decode() -> None:
    memory = FakeMemory()
    sequences = Sequences(memory, 1)
    turn(sequences, memory, "a", [1, 2, 3])
    assert turn(sequences, memory, "a", [1, 2, 3]) == 2


def test_tokens_that_were_never_decoded_are_not_reused() -> None:
    memory = FakeMemory()
    sequences = Sequences(memory, 1)
    slot = sequences.acquire("a", [1, 2, 3])
    assert slot is not None
    memory.decode(slot)
    slot.tokens.append(4)
    sequences.release(slot)
    assert slot.tokens == [1, 2, 3]
    assert turn(sequences, memory, "a", [1, 2, 3, 4, 5]) == 3


def test_a_sliding_window_is_reused_while_it_reaches_back() -> None:
    memory = FakeMemory(window=100)
    sequences = Sequences(memory, 1, n_swa=50)
    turn(sequences, memory, "a", [*range(150)])
    assert memory.first_position(0) == 50
    assert turn(sequences, memory, "a", [*range(120), 999]) == 120


def test_a_sliding_window_that_moved_on_is_not_reused() -> None:
    memory = FakeMemory(window=100)
    sequences = Sequences(memory, 1, n_swa=50)
    turn(sequences, memory, "a", [*range(150)])
    assert turn(sequences, memory, "a", [*range(90), 999, 998]) == 0
    turn(sequences, memory, "a", [*range(150)])
    assert turn(sequences, memory, "a", [*range(20), 999]) == 0, "the cut that answers True and empties"


def test_recurrent_memory_goes_on_or_starts_again() -> None:
    memory = FakeMemory(whole_only=True)
    sequences = Sequences(memory, 1, whole_only=True)
    turn(sequences, memory, "a", [*range(10)])
    assert turn(sequences, memory, "a", [*range(14)]) == 10
    assert turn(sequences, memory, "a", [*range(12)]) == 10, "where the turn before had ended"
    assert turn(sequences, memory, "a", [*range(12)]) == 10, "one token of it would have to be taken back"
    assert turn(sequences, memory, "a", [*range(9)]) == 0


def test_after_an_abort_the_positions_are_believed() -> None:
    memory = FakeMemory()
    sequences = Sequences(memory, 1)
    slot = sequences.acquire("a", [*range(10)])
    assert slot is not None
    memory.decode(slot)
    memory.held[0] = range(6)
    sequences.resync(slot)
    assert (slot.n_past, len(slot.tokens)) == (6, 10)
    memory.held[0] = range(0)
    sequences.resync(slot)
    assert slot.n_past == 0


def test_after_an_abort_recurrent_memory_starts_again() -> None:
    memory = FakeMemory(whole_only=True)
    sequences = Sequences(memory, 1, whole_only=True)
    slot = sequences.acquire("a", [*range(10)])
    assert slot is not None
    memory.decode(slot)
    sequences.resync(slot)
    assert slot.n_past == 0
    assert memory.last_position(0) == -1


def test_one_slot_serves_all_names_and_keeps_what_they_share() -> None:
    memory = FakeMemory()
    sequences = Sequences(memory, 1)
    turn(sequences, memory, "a", [1, 2, 3, 4])
    assert turn(sequences, memory, "b", [1, 2, 9]) == 2


def test_more_slots_keep_conversations_apart() -> None:
    memory = FakeMemory()
    sequences = Sequences(memory, 2)
    turn(sequences, memory, "a", [1, 2, 3, 4])
    assert turn(sequences, memory, "b", [7, 2, 9]) == 0
    assert turn(sequences, memory, "a", [1, 2, 3, 4, 5]) == 4
    assert turn(sequences, memory, "b", [7, 2, 9, 9]) == 3


def test_what_another_slot_has_is_copied_and_stays_there() -> None:
    memory = FakeMemory()
    sequences = Sequences(memory, 3)
    turn(sequences, memory, "a", [1, 2, 3, 4])
    assert turn(sequences, memory, "b", [1, 2, 9]) == 2
    assert memory.copies == [(0, 1)]
    assert turn(sequences, memory, "a", [1, 2, 3, 4, 5]) == 4


def test_the_own_slot_is_used_unless_another_has_more() -> None:
    memory = FakeMemory()
    sequences = Sequences(memory, 3)
    turn(sequences, memory, "a", [1, 2, 3, 4])
    turn(sequences, memory, "b", [1, 2, 9])
    memory.copies.clear()
    assert turn(sequences, memory, "b", [1, 2, 8]) == 2
    assert memory.copies == []
    assert turn(sequences, memory, "b", [1, 2, 3, 7]) == 3
    assert memory.copies == [(0, 1)]


def test_a_slot_that_is_taken_over_was_unused_for_longest_and_is_told() -> None:
    memory = FakeMemory()
    sequences = Sequences(memory, 2)
    left: list[tuple[str, int]] = []
    sequences.on_leave = lambda slot: left.append((slot.name, slot.n_past))
    turn(sequences, memory, "a", [1, 2, 3, 4])
    turn(sequences, memory, "b", [5, 6])
    turn(sequences, memory, "a", [1, 2, 3, 4, 5])
    turn(sequences, memory, "c", [7, 8, 9])
    assert left == [("b", 2)]
    assert turn(sequences, memory, "d", [1, 2, 3]) == 2, "copied from a"
    assert left == [("b", 2), ("c", 3)]
    assert sequences.find("a") is not None


def test_the_last_idle_slot_gives_what_it_shares() -> None:
    memory = FakeMemory()
    sequences = Sequences(memory, 2)
    left: list[str] = []
    sequences.on_leave = lambda slot: left.append(slot.name)
    turn(sequences, memory, "a", [1, 2, 3, 4])
    assert sequences.acquire("b", [5, 6]) is not None
    assert turn(sequences, memory, "c", [1, 2, 3, 9]) == 3
    assert left == ["a"]


def test_what_a_busy_slot_has_read_is_copied_too() -> None:
    memory = FakeMemory()
    sequences = Sequences(memory, 2)
    busy = sequences.acquire("a", [1, 2, 3, 4])
    assert busy is not None
    memory.decode(busy)
    assert turn(sequences, memory, "b", [1, 2, 3, 9]) == 3
    assert busy.n_past == 4


def test_eviction_goes_from_the_longest_unused_to_none() -> None:
    memory = FakeMemory()
    sequences = Sequences(memory, 3)
    left: list[str] = []
    sequences.on_leave = lambda slot: left.append(slot.name)
    for name, token in (("a", 10), ("b", 20), ("c", 30)):
        turn(sequences, memory, name, [token, token + 1])
    turn(sequences, memory, "a", [10, 11, 12])
    assert sequences.acquire("c", [30, 31, 32]) is not None
    assert sequences.evict_idle()
    assert sequences.evict_idle()
    assert not sequences.evict_idle()
    assert left == ["b", "a"]
    assert sequences.n_held == 2
    assert sequences.find("a") is None


def test_a_place_is_made_by_evicting_what_is_idle() -> None:
    memory = FakeMemory()
    sequences = Sequences(memory, 3, n_cells=10)
    turn(sequences, memory, "a", [*range(4)])
    turn(sequences, memory, "b", [*range(50, 54)])
    slot = sequences.place("c", 6)
    assert slot is not None
    assert slot.busy
    assert sequences.find("a") is None
    assert sequences.find("b") is not None
    assert sequences.place("c", 1) is None, "it is in use"
    assert sequences.place("d", 11) is None, "more than there is"


def test_a_gap_is_cut_out_where_that_is_permitted() -> None:
    memory = FakeMemory()
    sequences = Sequences(memory, 1, can_shift=True)
    turn(sequences, memory, "a", [*range(100)])
    rolled = [*range(10), *range(40, 100), *range(200, 205)]
    slot = sequences.acquire("a", rolled, shift=True)
    assert slot is not None
    assert memory.gaps == [(0, 10, 40)]
    assert (slot.n_past, slot.traces, slot.dropped) == (70, 10, 0)
    memory.decode(slot)
    sequences.release(slot)
    assert turn(sequences, memory, "a", [*rolled, 7], shift=True) == 75, "the traces are permitted"
    assert turn(sequences, memory, "a", [*rolled, 7, 8]) == 10, "they are not"
    assert slot.traces == -1
    assert turn(sequences, memory, "a", [*rolled, 7, 8, 9]) == 77


def test_several_gaps_are_cut_out() -> None:
    memory = FakeMemory()
    sequences = Sequences(memory, 1, can_shift=True)
    turn(sequences, memory, "a", [*range(100)])
    kept = [*range(10), *range(20, 40), *range(60, 100), 999]
    assert turn(sequences, memory, "a", kept, shift=True) == 70
    assert memory.gaps == [(0, 10, 20), (0, 30, 50)]


def test_nothing_is_cut_out_without_permission_or_where_it_cannot_be() -> None:
    rolled = [*range(10), *range(40, 100), 999]
    for kind, options, shift in (
        (FakeMemory(), {"can_shift": True}, False),
        (FakeMemory(), {}, True),
        (FakeMemory(window=1000), {"can_shift": True, "n_swa": 50}, True),
        (FakeMemory(whole_only=True), {"can_shift": True, "whole_only": True}, True),
    ):
        sequences = Sequences(kind, 1, **options)
        turn(sequences, kind, "a", [*range(100)])
        assert turn(sequences, kind, "a", rolled, shift=shift) == (0 if kind.whole_only else 10)
        assert kind.gaps == []


def test_shared_cells_are_made_own_before_they_move() -> None:
    memory = FakeMemory()
    sequences = Sequences(memory, 2, can_shift=True)
    turn(sequences, memory, "a", [*range(100)])
    turn(sequences, memory, "b", [*range(80), 999])
    assert memory.states == 0
    turn(sequences, memory, "a", [*range(10), *range(40, 100), 998], shift=True)
    assert memory.states == 1


def test_traces_are_not_handed_on() -> None:
    memory = FakeMemory()
    sequences = Sequences(memory, 2, can_shift=True)
    turn(sequences, memory, "a", [*range(100)])
    rolled = [*range(10), *range(40, 100)]
    turn(sequences, memory, "a", rolled, shift=True)
    assert turn(sequences, memory, "b", [*rolled, 5], shift=True) == 10


def test_a_window_goes_back_to_a_checkpoint() -> None:
    memory = FakeMemory(window=60)
    sequences = Sequences(memory, 1, n_swa=50)
    slot = sequences.acquire("a", [*range(200)])
    assert slot is not None
    slot.n_past, memory.held[0] = 100, range(40, 100)
    sequences.checkpoint(slot)
    memory.decode(slot)
    sequences.release(slot)
    assert turn(sequences, memory, "a", [*range(120), 999]) == 100
    assert turn(sequences, memory, "a", [*range(99), 999]) == 0, "a checkpoint is of no use below it"


def test_a_refused_decode_costs_nothing() -> None:
    memory = FakeMemory(whole_only=True)
    sequences = Sequences(memory, 1, whole_only=True)
    slot = sequences.acquire("a", [*range(10)])
    assert slot is not None
    memory.decode(slot)
    sequences.resync(slot, untouched=True)
    assert slot.n_past == 10


def test_a_busy_slot_is_not_given_away() -> None:
    memory = FakeMemory()
    sequences = Sequences(memory, 2)
    first, second = sequences.acquire("a", [1]), sequences.acquire("a", [1])
    assert first is not None
    assert second is not None
    assert first is not second
    assert sequences.acquire("b", [1]) is None


def test_another_overlay_reads_anew() -> None:
    memory = FakeMemory()
    sequences = Sequences(memory, 2, can_shift=True)
    prompt, overlay = [*range(40)], (("adapter", 1.0),)
    turn(sequences, memory, "a", prompt)
    slot = sequences.acquire("a", [*prompt[:5], *prompt[20:]], shift=True, overlay=overlay)
    assert slot is not None
    assert (slot.n_past, slot.dropped, slot.overlay) == (0, 40, overlay), "nothing is shifted either"
    memory.decode(slot)
    sequences.release(slot)
    assert sequences.held("a", slot.tokens) == 0 < sequences.held("a", slot.tokens, overlay)
    sequences.evict(slot)
    assert slot.overlay == ()
