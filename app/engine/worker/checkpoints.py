"""States of sequences at turn boundaries, kept in memory for models that cannot take back a part of what they read.

Recurrent memory holds one state that cannot go back, a sliding window has soon moved on: regenerating or editing would
read all again. So what cannot be cut (the state, the window; not the attention that can) is copied at every boundary.
How many there may be is a matter of bytes: a short convolution's state is some kilobytes, that of a large recurrent
model 33 MB. No native call here: the memory does it.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any, Protocol

BUDGET_BYTES = 256 * 1024**2  # for all sequences


class States(Protocol):
    """The part of context.Context that is needed here."""

    def state(self, slot: int) -> Any: ...


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """The state of a sequence after its first `count` tokens."""

    count: int
    data: Any
    size_bytes: int


class Checkpoints:
    """The checkpoints of all slots of a context, each slot's in ascending order. Copied sequences share theirs."""

    def __init__(self, states: States, n_slots: int, *, budget_bytes: int = BUDGET_BYTES) -> None:
        self._states = states
        self._budget_bytes = budget_bytes
        self._usual_bytes = 1
        self._held: list[list[Checkpoint]] = [[] for _ in range(n_slots)]

    def take(self, slot: int, count: int) -> None:
        """Copy the state of a slot that holds `count` tokens, unless there is a checkpoint of it already."""
        held = self._held[slot]
        if count <= 0 or (held and held[-1].count >= count):
            return
        data = self._states.state(slot)
        if len(data):
            self.put(slot, count, data)

    def put(self, slot: int, count: int, data: Any) -> None:
        """A checkpoint of more tokens than those the slot has. What is too large for all there may be is not kept; for
        the others those go that are missed least, where there are most."""
        made = Checkpoint(count, data, len(data))
        self._usual_bytes = max(made.size_bytes, 1)
        if made.size_bytes > self._budget_bytes:
            return
        self._held[slot].append(made)
        while self.size_bytes > self._budget_bytes:
            held = max(self._held, key=lambda held: (len(held), held is not self._held[slot]))
            del held[_least_missed(held)]

    def newest(self, slot: int, least: int, most_bytes: int) -> list[Checkpoint]:
        """The last ones of a slot, in ascending order: `least`, and more as long as all take no more than this."""
        held = self._held[slot]
        sizes = itertools.accumulate(made.size_bytes for made in reversed(held))
        count = max(least, sum(size <= most_bytes for size in sizes))
        return held[-count:]

    def before(self, slot: int, count: int) -> Checkpoint | None:
        """The one of a slot that holds most tokens, `count` at most."""
        return next((made for made in reversed(self._held[slot]) if made.count <= count), None)

    def cut(self, slot: int, count: int) -> None:
        """A slot went back to its first `count` tokens: what was taken later is of no use."""
        held = self._held[slot]
        while held and held[-1].count > count:
            held.pop()

    def copy(self, source: int, target: int) -> None:
        """A slot became a copy of another."""
        self._held[target] = list(self._held[source])

    @property
    def room(self) -> int:
        """How many there may be if they are as large as the last one; it makes no sense to take more."""
        return max(self._budget_bytes // self._usual_bytes, 2)

    @property
    def size_bytes(self) -> int:
        """What all of them take."""
        every = {id(made): made.size_bytes for held in self._held for made in held}
        return sum(every.values())

    def counts(self, slot: int) -> list[int]:
        """At how many tokens a slot has checkpoints."""
        return [made.count for made in self._held[slot]]


def _least_missed(held: list[Checkpoint]) -> int:
    """The one between whose neighbours the least would have to be read again; never the first or the last two."""
    return min(range(1, len(held) - 2), key=lambda at: held[at + 1].count - held[at - 1].count, default=0)
