"""Reading ahead what a mapped model will have in main memory: into the page cache, piece by piece, with progress.

Mapping a file reads nothing; without this, a load would be 'done' at once and the first reply would wait for the disk.
What goes to other devices is left to the loader, which reads it and tells of it.
"""

from __future__ import annotations

import mmap
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from app.engine.gguf_header import Header, Tensor
from app.engine.values import LoadOptions

PIECE_BYTES = 16 * 1024 * 1024  # some ms from memory, some 10 ms from a disk: so often it can be cancelled
_MADV_POPULATE_READ = 22  # Linux 5.14: reads, and waits for it
_LAYER = re.compile(r"blk\.(\d+)\.")
_EXPERTS = re.compile(r"\.ffn_(up|down|gate|gate_up)_(ch|)exps")
_MEMORY = Path("/proc/meminfo")

Range = tuple[int, int]


def in_main_memory(header: Header, n_layer: int, n_gpu_layers: int, options: LoadOptions) -> list[Range]:
    """Where in a file lies what stays in main memory: pairs of begin and end, in order."""
    first = n_layer + 1 - n_gpu_layers if n_gpu_layers >= 0 else 0

    def stays(tensor: Tensor) -> bool:
        found = _LAYER.match(tensor.name)
        if found:
            layer = int(found[1])
            return layer < first or (layer < options.n_cpu_experts and bool(_EXPERTS.search(tensor.name)))
        return n_gpu_layers == 0 or not tensor.name.startswith("output")

    ranges: list[Range] = []
    for tensor in sorted(filter(stays, header.tensors), key=lambda tensor: tensor.offset):
        begin, end = tensor.offset, tensor.offset + tensor.size_bytes
        if ranges and begin - ranges[-1][1] <= mmap.PAGESIZE:
            ranges[-1] = (ranges[-1][0], end)
        else:
            ranges.append((begin, end))
    return ranges


def available_bytes() -> int | None:
    """Main memory that could be had now, files kept in it given up; None where the system does not tell."""
    if sys.platform != "linux":
        return None
    try:
        lines = _MEMORY.read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")), None)


def warm(files: Sequence[tuple[Path, Sequence[Range]]], on_bytes: Callable[[int], bool]) -> bool:
    """Read these ranges; `on_bytes` gets what is read so far and returns False to stop. Whether it came to the end.

    Nothing is read where there is less memory than that: the last pages would drive out the first. A file that cannot
    be read is left to the loader, which says why.
    """
    total = sum(end - begin for _, ranges in files for begin, end in ranges)
    free = available_bytes()
    if free is not None and total > free:
        return True
    done = 0
    for path, ranges in files:
        try:
            with path.open("rb", buffering=0) as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
                for begin, end in ranges:
                    for at in range(begin, end, PIECE_BYTES):
                        _read(mapped, at, min(at + PIECE_BYTES, end))
                        done += min(at + PIECE_BYTES, end) - at
                        if not on_bytes(done):
                            return False
        except (OSError, ValueError):
            return True
    return True


def _read(mapped: mmap.mmap, begin: int, end: int) -> None:
    """Bring a piece of a mapped file into memory."""
    if sys.platform == "linux":
        page = begin - begin % mmap.PAGESIZE
        try:
            mapped.madvise(_MADV_POPULATE_READ, page, min(end, len(mapped)) - page)
        except OSError:  # an older kernel, or a file system that cannot: touch every page
            pass
        else:
            return
    for at in range(begin, min(end, len(mapped)), mmap.PAGESIZE):
        mapped[at]
