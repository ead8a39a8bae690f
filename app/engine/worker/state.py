"""The state of one sequence, copied out of the context and back into it, in parts where its kind allows.

A part is a run of positions: the sequence is shared with a spare one for that run only, which copies nothing in a
unified cache, and the spare one's state is taken. So nobody waits longer than for one part, however long a conversation
is. Sliding-window, recurrent and hybrid models are taken whole: they hold less, and a spare sequence would cost them
memory. Only the llama.cpp thread calls in here.
"""

from __future__ import annotations

import contextlib
import ctypes
import mmap
import sys
from collections.abc import Iterator

from app.engine.worker.context import Context
from app.engine.worker.llama import api

PART_BYTES = 24 * 1024 * 1024  # some 5 ms of copying: less than a token takes with most models
_TOUCH = 4096


class Buffer:
    """Memory that states are copied through. Make it on a thread that may take its time: its pages exist afterwards."""

    def __init__(self, size: int) -> None:
        flags = {"flags": mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS} if sys.platform != "win32" else {}
        self._memory = mmap.mmap(-1, max(size, _TOUCH), **flags)
        self.size = len(self._memory)
        self.array = (ctypes.c_uint8 * self.size).from_buffer(self._memory)
        ctypes.memset(self.array, 0, self.size)

    def view(self, size: int) -> memoryview:
        """The first `size` bytes."""
        return memoryview(self._memory)[:size]


class State:
    """The states of the sequences of one context."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._spare = context.spare

    @property
    def in_parts(self) -> bool:
        """Whether a state can be taken in parts."""
        return self._spare >= 0

    def size_bytes(self, slot: int) -> int:
        """What the whole state of a sequence takes."""
        return int(api.llama_state_seq_get_size(self._context.handle, slot))

    def ends(self, n: int, size_bytes: int) -> list[int]:
        """Where the parts of a state of `n` positions and `size_bytes` end; the last one ends at `n`."""
        if not self.in_parts:
            return [n]
        step = max(n * PART_BYTES // max(size_bytes, 1), 1)
        return [*range(step, n, step), n]

    def part_bytes(self, slot: int, begin: int, end: int) -> int:
        """The size of a part."""
        with self._shared(slot, begin, end) as sequence:
            return self.size_bytes(sequence)

    def take(self, slot: int, begin: int, end: int, buffer: Buffer) -> int:
        """Copies the positions from `begin` up to `end` into the buffer; how many bytes, 0 if it failed."""
        with self._shared(slot, begin, end) as sequence:
            size = self.size_bytes(sequence)
            if not 0 < size <= buffer.size:
                return 0
            taken = int(api.llama_state_seq_get_data(self._context.handle, buffer.array, size, sequence))
        return taken if taken == size else 0

    def put(self, slot: int, begin: int, end: int, buffer: Buffer, size: int) -> bool:
        """Copies `size` bytes of the buffer back, as the positions from `begin` up to `end` of a sequence that ends at
        `begin`. False when llama.cpp refuses them, or makes something else of them."""
        context = self._context
        target = self._spare if self.in_parts else slot
        read = int(api.llama_state_seq_set_data(context.handle, buffer.array, size, target))
        right = read == size and context.last_position(target) == end - 1
        if target != slot:
            right = right and context.first_position(target) == begin
            if right:
                api.llama_memory_seq_cp(context.memory, target, slot, begin, end)
            api.llama_memory_seq_rm(context.memory, target, -1, -1)
        return right and context.last_position(slot) == end - 1

    @contextlib.contextmanager
    def _shared(self, slot: int, begin: int, end: int) -> Iterator[int]:
        """A sequence that holds just this part meanwhile."""
        if not self.in_parts:
            yield slot
            return
        memory = self._context.memory
        api.llama_memory_seq_cp(memory, slot, self._spare, begin, end)
        try:
            yield self._spare
        finally:
            api.llama_memory_seq_rm(memory, self._spare, -1, -1)
