"""What the KV cache holds for each conversation, and how much of it the next prompt may reuse.

The cache's own positions are believed, not this book: after an abort or a failed removal they are looked up again. No
native call here; the memory is a small Protocol, so that every trap can be tested without a model.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol


class Memory(Protocol):
    """The part of context.Context that is needed here."""

    def remove_from(self, slot: int, position: int) -> bool: ...
    def first_position(self, slot: int) -> int: ...
    def last_position(self, slot: int) -> int: ...


@dataclass
class Slot:
    """One sequence of the cache. `tokens[:n_past]` are in it; what follows is still to be decoded."""

    index: int
    name: str = ""
    tokens: list[int] = field(default_factory=list)
    n_past: int = 0
    used: int = 0
    busy: bool = False


def common_prefix(first: list[int], second: list[int]) -> int:
    """How many tokens both begin with."""
    limit = min(len(first), len(second))
    if first[:limit] == second[:limit]:  # the usual case, compared in C
        return limit
    return next(i for i in range(limit) if first[i] != second[i])


class Sequences:
    """The slots of one context.

    `n_swa`: the sliding window in tokens, 0 for none. `whole_only`: a recurrent or hybrid memory, of which only all or
    nothing can be kept, because its state cannot be taken back.
    """

    def __init__(self, memory: Memory, n_slots: int, *, n_swa: int = 0, whole_only: bool = False) -> None:
        self._memory = memory
        self._n_swa = n_swa
        self._whole_only = whole_only
        self._clock = 0
        self.slots = [Slot(index) for index in range(n_slots)]

    def acquire(self, name: str, prompt: list[int]) -> Slot | None:
        """The slot to write `name`'s reply in, cut back to what `prompt` shares with it; None when all are busy.

        The slot of that name, else a new one, else the one that shares most or was unused for longest. `prompt` must
        not be empty; at least its last token stays to be decoded, because its logits are wanted.
        """
        free = [slot for slot in self.slots if not slot.busy]
        if not free:
            return None
        slot = next((slot for slot in free if slot.name == name), None) or min(
            free, key=lambda slot: (bool(slot.name), -common_prefix(slot.tokens[: slot.n_past], prompt), slot.used)
        )
        self._clock += 1
        slot.name, slot.used, slot.busy = name, self._clock, True
        self._cut(slot, min(common_prefix(slot.tokens[: slot.n_past], prompt), len(prompt) - 1))
        slot.tokens = list(prompt)
        return slot

    def release(self, slot: Slot) -> None:
        """The reply ended: forget what was never decoded."""
        del slot.tokens[slot.n_past :]
        slot.busy = False

    def resync(self, slot: Slot) -> None:
        """After an aborted or failed decode: go back to what the cache really holds. `tokens` are kept as they are."""
        if self._whole_only:
            # Layers before the aborted node have already taken the tokens in, the others have not.
            self._empty(slot)
            return
        held = self._memory.last_position(slot.index) + 1
        self._cut(slot, min(held, slot.n_past))

    def _cut(self, slot: Slot, keep: int) -> None:
        """Keep the first `keep` positions of a slot, or none where the memory could not go on from there."""
        memory, index = self._memory, slot.index
        last = memory.last_position(index)
        keep = min(keep, slot.n_past, last + 1)
        if keep <= 0 or not self._reaches(index, keep):
            self._empty(slot)
            return
        if last + 1 > keep and (self._whole_only or not memory.remove_from(index, keep)):
            self._empty(slot)
            return
        # A sliding window answers True to a removal that left nothing: only the positions tell.
        if memory.last_position(index) != keep - 1 or not self._reaches(index, keep):
            self._empty(slot)
            return
        slot.n_past = keep

    def _reaches(self, index: int, keep: int) -> bool:
        """Whether everything that position `keep` looks back on is held."""
        first = self._memory.first_position(index)
        return 0 <= first <= (max(0, keep - self._n_swa) if self._n_swa else 0) or (self._whole_only and first >= 0)

    def _empty(self, slot: Slot) -> None:
        self._memory.remove_from(slot.index, 0)
        slot.n_past = 0
