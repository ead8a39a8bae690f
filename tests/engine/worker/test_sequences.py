"""Prefix reuse against memories that behave as llama.cpp's do, traps included."""

from __future__ import annotations

from app.engine.worker.sequences import Sequences, Slot, common_prefix


class FakeMemory:
    """Positions of each sequence. `window`: only so many are kept, and cutting below them empties, answering True."""

    def __init__(self, window: int = 0, whole_only: bool = False) -> None:
        self.held: dict[int, range] = {}
        self.window = window
        self.whole_only = whole_only
        self.removals: list[tuple[int, int]] = []

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
        if position > 0 and self.whole_only:
            return False
        self.held[slot] = range(held.start, min(held.stop, position))
        return True

    def first_position(self, slot: int) -> int:
        held = self.held.get(slot, range(0))
        return held.start if held else -1

    def last_position(self, slot: int) -> int:
        held = self.held.get(slot, range(0))
        return held.stop - 1 if held else -1


def turn(sequences: Sequences, memory: FakeMemory, name: str, prompt: list[int]) -> int:
    """Acquire, decode all, release; how many tokens were taken from the cache."""
    slot = sequences.acquire(name, prompt)
    assert slot is not None
    cached = slot.n_past
    memory.decode(slot)
    sequences.release(slot)
    return cached


def test_common_prefix() -> None:
    assert common_prefix([1, 2, 3], [1, 2, 3, 4]) == 3
    assert common_prefix([1, 2, 3], [1, 5, 3]) == 1
    assert common_prefix([], [1]) == 0


def test_the_next_turn_decodes_only_what_is_new() -> None:
    memory = FakeMemory()
    sequences = Sequences(memory, 1)
    assert turn(sequences, memory, "a", [*range(10)]) == 0
    assert turn(sequences, memory, "a", [*range(15)]) == 10
    assert memory.removals == [(0, 0)]


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
    assert turn(sequences, memory, "a", [*range(12)]) == 0
    assert turn(sequences, memory, "a", [*range(12)]) == 0, "one token of it would have to be taken back"


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
    assert turn(sequences, memory, "b", [1, 2, 9]) == 0
    assert turn(sequences, memory, "a", [1, 2, 3, 4, 5]) == 4
    assert turn(sequences, memory, "c", [1, 2, 9, 9]) == 3, "the slot that shares most"


def test_a_busy_slot_is_not_given_away() -> None:
    memory = FakeMemory()
    sequences = Sequences(memory, 2)
    first, second = sequences.acquire("a", [1]), sequences.acquire("a", [1])
    assert first is not None
    assert second is not None
    assert first is not second
    assert sequences.acquire("b", [1]) is None
