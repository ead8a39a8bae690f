"""One snapshot on its way into memory: the reader's thread reads and checks, and hands one part after the other over.

What is found wrong ends it; the parts before are good, and are used.
"""

from __future__ import annotations

import contextlib
import ctypes
import itertools
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from app.engine.worker.asking import Asking
from app.engine.worker.saving import Saving
from app.engine.worker.seat import Seat
from app.engine.worker.slots import Overlay, Slot
from app.engine.worker.snapshot_file import Header, SnapshotError, SnapshotReader, Unseal
from app.engine.worker.state import Buffer

ROOM_S = 2.0


class Restoring:
    """`tokens`: how many are in memory at the end. `cancelled` may be set at any time on the llama.cpp thread."""

    def __init__(self, seat: Seat, name: str, path: Path, limit_bytes: int, overlay: Overlay) -> None:
        self.name = name
        self.path = path
        self.requests: list[int] = []
        self.cancelled = False
        self.tokens = 0
        self._seat = seat
        self._limit_bytes = limit_bytes
        self._overlay = overlay
        self._buffer: Buffer | None = None

    def read(self, asking: Asking, unseal: Unseal, make_room: Callable[[], list[Saving]]) -> None:
        """On the reader's thread. `make_room` has somebody else kept who must leave for this. Raises SnapshotError."""
        with contextlib.closing(SnapshotReader(self.path, unseal)) as file:
            header = file.header
            if header.key != self._seat.key(self._overlay):
                raise SnapshotError("it is of another model, build or setting")
            for leaving in asking.ask(make_room):
                leaving.ended.wait(ROOM_S)
            slot = asking.ask(partial(self._place, len(header.tokens)))
            if slot is None:
                return
            done = 0
            turns: list[tuple[int, Any]] = []
            try:
                for begin, end in itertools.pairwise([0, *header.ends]):
                    buffer, size = self._next(file)
                    if not asking.ask(partial(self._put, slot, begin, end, buffer, size)):
                        raise SnapshotError("it does not fit the cache")
                    done = end
                for count in header.turns:
                    buffer, size = self._next(file)
                    turns.append((count, (ctypes.c_uint8 * size).from_buffer_copy(buffer.view(size))))
            finally:
                asking.ask(partial(self._placed, slot, header, done, turns))
        with contextlib.suppress(OSError):
            os.utime(self.path)  # those unused for longest are the first to go

    def _next(self, file: SnapshotReader) -> tuple[Buffer, int]:
        """What the file holds next, checked, and its size."""
        size = file.next_size()
        if self._buffer is None or self._buffer.size < size:
            self._buffer = None  # not two at a time
            self._buffer = Buffer(size)
        return self._buffer, file.read(self._buffer.view(size))

    def _place(self, n_tokens: int) -> Slot | None:
        """An empty slot, busy until all is in it."""
        if not self._wanted or n_tokens > self._seat.context.n_ctx:
            return None
        slot = self._seat.slot(self.name)
        if slot is not None and slot.settled > 0:
            return None
        return self._seat.sequences.place(self.name, n_tokens, self._overlay)

    def _put(self, slot: Slot, begin: int, end: int, buffer: Buffer, size: int) -> bool:
        return self._wanted and self._seat.state.put(slot.index, begin, end, buffer, size)

    def _placed(self, slot: Slot, header: Header, done: int, turns: list[tuple[int, Any]]) -> None:
        """The book follows what the cache holds now; where they disagree, nothing is believed."""
        if not self._seat.here:
            return
        sequences = self._seat.sequences
        slot.tokens, slot.n_past = header.tokens[:done], done
        slot.traces = header.traces if 0 <= header.traces < done else -1
        slot.snapshot, slot.snapshot_limit = str(self.path), self._limit_bytes
        slot.dirty = done < len(header.tokens)
        sequences.release(slot)
        if self._wanted and sequences.holds(slot, done):
            self.tokens = done
            if sequences.checkpoints is not None:
                for count, data in turns:
                    sequences.checkpoints.put(slot.index, count, data)
        else:
            sequences.forget(slot)

    @property
    def _wanted(self) -> bool:
        return self._seat.here and not self.cancelled
