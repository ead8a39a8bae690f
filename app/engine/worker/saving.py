"""One snapshot on its way to its file: the writer's thread asks the llama.cpp thread for one part after the other.

Between two parts the conversation may go on; what is only added does not matter, anything else ends the saving.
"""

from __future__ import annotations

import itertools
import threading
from functools import partial
from pathlib import Path

from app.engine.worker.asking import Asking
from app.engine.worker.checkpoints import Checkpoint
from app.engine.worker.seat import Seat
from app.engine.worker.slots import Slot
from app.engine.worker.snapshot_file import Header, Seal, SnapshotError, SnapshotWriter, as_it_is, room_for
from app.engine.worker.state import Buffer

TURNS = 2  # states that are always kept: what regenerating and editing the last question go back to
TURNS_BYTES = 32 * 1024**2  # what editing goes back to further on: as many states as this has room for


class Pen:
    """What every saving writes with. The buffer is the writer's thread's."""

    def __init__(self, asking: Asking, seal: Seal = as_it_is, reserve_bytes: int = 0) -> None:
        self.asking = asking
        self.seal = seal
        self.reserve_bytes = reserve_bytes
        self._buffer: Buffer | None = None

    def buffer(self, size: int) -> Buffer:
        """A buffer of this size at least, the last one if it will do."""
        if self._buffer is None or self._buffer.size < size:
            self._buffer = None  # not two at a time
            self._buffer = Buffer(size)
        return self._buffer

    def rest(self) -> None:
        """Gives back the memory."""
        self._buffer = None


class Saving:
    """`cancelled` may be set at any time on the llama.cpp thread; then nothing is left behind."""

    def __init__(self, seat: Seat, slot: Slot) -> None:
        self.name = slot.name
        self.path = Path(slot.snapshot)
        self.requests: list[int] = []
        self.cancelled = False
        self.ended = threading.Event()
        self.tokens: list[int] = []
        self._seat = seat
        self._limit_bytes = slot.snapshot_limit
        self._overlay = slot.overlay
        self._traces = -1
        self._turns: list[Checkpoint] = []

    def write(self, pen: Pen) -> int:
        """The size of the file, 0 if it was given up. On the writer's thread. Raises SnapshotError."""
        ask = pen.asking.ask
        ends, size_bytes, part_bytes = ask(self._begin)
        if not ends:
            return 0
        if self._limit_bytes and size_bytes > self._limit_bytes:
            raise SnapshotError(f"{size_bytes:,} bytes are more than the {self._limit_bytes:,} there is room for")
        if not room_for(self.path, size_bytes, pen.reserve_bytes):
            raise SnapshotError(f"the disk has no room for {size_bytes:,} bytes")
        header = Header(
            key=self._seat.key(self._overlay),
            tokens=self.tokens,
            ends=ends,
            traces=self._traces,
            turns=[turn.count for turn in self._turns],
        )
        buffer = pen.buffer(part_bytes)
        file = SnapshotWriter(self.path, header, pen.seal)
        try:
            for begin, end in itertools.pairwise([0, *ends]):
                taken = ask(partial(self._take, begin, end, buffer))
                if not taken:
                    return 0
                file.add(buffer.view(taken))
            for turn in self._turns:
                file.add(memoryview(turn.data).cast("B"))
            return 0 if self.cancelled else file.commit()
        finally:
            file.abandon()

    def saved(self, size_bytes: int) -> None:
        """It is written, or was given up. On the llama.cpp thread."""
        slot = self._slot()
        if size_bytes and slot is not None and slot.traces == self._traces:
            slot.dirty = slot.tokens[: slot.settled] != self.tokens

    def _begin(self) -> tuple[list[int], int, int]:
        """Where its parts end, the bytes of all and of the largest part."""
        slot = self._slot()
        if slot is None or slot.settled == 0 or self._seat.context.moved:
            return [], 0, 0
        state = self._seat.state
        count = slot.settled
        self.tokens, self._traces = slot.tokens[:count], slot.traces
        checkpoints = self._seat.sequences.checkpoints
        self._turns = checkpoints.newest(slot.index, TURNS, TURNS_BYTES) if checkpoints is not None else []
        size = state.size_bytes(slot.index) * count // slot.n_past
        ends = state.ends(count, size)
        part = state.part_bytes(slot.index, 0, ends[0])
        return ends, size + sum(turn.size_bytes for turn in self._turns), part

    def _take(self, begin: int, end: int, buffer: Buffer) -> int:
        slot, state = self._slot(), self._seat.state
        if slot is None or slot.n_past < end or slot.traces != self._traces or slot.tokens[:end] != self.tokens[:end]:
            return 0
        if self._seat.context.moved or (not state.in_parts and slot.n_past != end):
            return 0
        return state.take(slot.index, begin, end, buffer)

    def _slot(self) -> Slot | None:
        slot = None if self.cancelled else self._seat.slot(self.name)
        return slot if slot is not None and slot.overlay == self._overlay else None
