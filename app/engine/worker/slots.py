"""One conversation's place in the KV cache, and what is asked of the cache itself. Only types."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol

Overlay = tuple[tuple[str, float], ...]
"""The adapters laid over the model: the fingerprint of each and its scale, in the order of the fingerprints."""


class Memory(Protocol):
    """The part of context.Context that is needed here."""

    def remove_from(self, slot: int, position: int) -> bool: ...
    def close_gap(self, slot: int, start: int, end: int) -> bool: ...
    def copy(self, source: int, target: int) -> None: ...
    def first_position(self, slot: int) -> int: ...
    def last_position(self, slot: int) -> int: ...
    def state(self, slot: int) -> Any: ...
    def set_state(self, slot: int, data: Any) -> bool: ...


@dataclass
class Slot:
    """One sequence of the cache. `tokens[:n_past]` are in it; what follows is still to be decoded.

    `traces`: from this position on, tokens carry traces of some that were before them and are gone; -1 where none do.
    `shared`: so many of the first tokens may lie in cells that are another sequence's too. `dropped`: tokens that the
    last prompt could not use. `snapshot` and `dirty`: the file of its state, and whether the state differs from it;
    one larger than `snapshot_limit` bytes is not wanted (0: of any size). `ahead`: so many of the last were only read
    ahead, of what a person has not sent yet; they belong into no snapshot. `overlay`: what all of it was read with.
    """

    index: int
    name: str = ""
    tokens: list[int] = field(default_factory=list)
    n_past: int = 0
    used: int = 0
    busy: bool = False
    traces: int = -1
    shared: int = 0
    dropped: int = 0
    snapshot: str = ""
    snapshot_limit: int = 0
    dirty: bool = False
    ahead: int = 0
    overlay: Overlay = ()

    @property
    def settled(self) -> int:
        """How many tokens it holds of what was sent and written."""
        return self.n_past - self.ahead
