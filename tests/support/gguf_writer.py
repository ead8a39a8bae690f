"""Writes GGUF files, right ones and wrong ones, from the format's description and not with the code under test."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Typed:
    """A metadata value with its GGUF value type spelled out: 0 u8, 4 u32, 5 i32, 6 f32, 7 bool, 8 string, 10 u64."""

    kind: int
    value: Any


_SCALARS = {0: "<B", 1: "<b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 6: "<f", 7: "<?", 10: "<Q", 11: "<q", 12: "<d"}
LLAMA: Mapping[str, Any] = {"general.architecture": "llama", "llama.block_count": 1, "llama.context_length": 2048}
TENSORS = (("token_embd.weight", (32, 4), 0), ("output.weight", (32, 4), 2))
_BLOCKS = {0: (1, 4), 1: (1, 2), 2: (32, 18), 8: (32, 34)}


def gguf_bytes(
    metadata: Mapping[str, Any] = LLAMA,
    tensors: Sequence[tuple[str, tuple[int, ...], int]] = TENSORS,
    *,
    version: int = 3,
    alignment: int = 32,
) -> bytes:
    """A whole file. Metadata are strings, ints (u32), floats, bools, lists, Typed; tensors are (name, shape, type)."""
    head = b"GGUF" + struct.pack("<IQQ", version, len(tensors), len(metadata))
    head += b"".join(string(key) + typed(value) for key, value in metadata.items())
    offset = 0
    for name, shape, kind in tensors:
        block, block_bytes = _BLOCKS[kind]
        head += string(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, kind, offset)
        elements = 1
        for length in shape:
            elements *= length
        offset += -(-(elements // block * block_bytes) // alignment) * alignment
    head += b"\0" * (-len(head) % alignment)
    return head + bytes(range(256)) * (offset // 256) + b"\1" * (offset % 256)


def string(text: str | bytes) -> bytes:
    """A string as GGUF stores it."""
    raw = text if isinstance(text, bytes) else text.encode()
    return struct.pack("<Q", len(raw)) + raw


def typed(value: Any) -> bytes:
    """A value with its type before it."""
    if isinstance(value, Typed):
        return struct.pack("<I", value.kind) + payload(value.kind, value.value)
    if isinstance(value, list):
        kind = kind_of(value[0]) if value else 4
        return struct.pack("<IIQ", 9, kind, len(value)) + b"".join(payload(kind, item) for item in value)
    return struct.pack("<I", kind_of(value)) + payload(kind_of(value), value)


def kind_of(value: Any) -> int:
    """The value type a Python value is written as."""
    return {bool: 7, int: 4, float: 6, str: 8, bytes: 8}[type(value)]


def payload(kind: int, value: Any) -> bytes:
    """A value without its type."""
    return string(value) if kind == 8 else struct.pack(_SCALARS[kind], value)
