"""Whose turn it is where replies are written with different adapters: a batch has room for one set of them. Pure."""

from __future__ import annotations

from app.engine.worker.generation import Generation
from app.engine.worker.slots import Overlay

TURN = 4  # batches in a row: a change of adapters costs some milliseconds


class Turns:
    """Each set of adapters has some batches before the next one's turn."""

    def __init__(self) -> None:
        self._order: list[Overlay] = []  # whose turn it is first
        self._left = 0

    def of(self, running: list[Generation]) -> list[Generation]:
        """Those that share the next batch."""
        overlays = dict.fromkeys(generation.slot.overlay for generation in running)
        if len(overlays) < 2:
            return running
        order = [one for one in self._order if one in overlays]
        order += [one for one in overlays if one not in order]
        if self._left == 0:
            order.append(order.pop(0))
            self._left = TURN
        self._left -= 1
        self._order = order
        return [generation for generation in running if generation.slot.overlay == order[0]]
