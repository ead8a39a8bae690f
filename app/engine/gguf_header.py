"""The header of a GGUF, read from any source of bytes.

The source is a function (offset, length) -> bytes, so that a local file and HTTP ranges are the same thing. The file is
hostile until shown otherwise: memory and time are bounded by the limits below whatever it claims, and whatever is wrong
with it ends in one of the errors of errors.py, before native code sees it. Large arrays (the tokenizer's) are measured
and skipped. No tensor data is read here, and nothing is known of llama.cpp but the format: ggml/include/gguf.h.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Container, Iterator
from dataclasses import dataclass, field

from app.engine.errors import GgufBroken, GgufTruncated, NotGguf
from app.engine.gguf_types import TENSOR_TYPES

ReadAt = Callable[[int, int], bytes]  # fewer bytes than asked for: the source ends there

MAGIC = b"GGUF"
MAX_KEYS = 65_536
MAX_TENSORS = 65_536
MAX_KEY_BYTES = 65_535
MAX_STRING_BYTES = 16 * 1024 * 1024
MAX_KEPT_BYTES = 128 * 1024 * 1024  # of all values that are kept, in memory
MAX_STRINGS = 2_000_000  # in all arrays together, each a step of a Python loop; vocabularies have below a million
MAX_HEADER_BYTES = 512 * 1024 * 1024
KEPT_ITEMS = 1024  # arrays up to this length are materialised: one value per layer, stop tokens
CHUNK_BYTES = 1024 * 1024

_SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_STRING, _ARRAY = 8, 9

Scalar = int | float | bool | str


@dataclass(frozen=True)
class SkippedArray:
    """An array that was measured and not kept: `count` items of GGUF value type `item_type`, from `offset` on."""

    item_type: int
    count: int
    offset: int
    size_bytes: int


Value = Scalar | tuple[Scalar, ...] | SkippedArray


@dataclass(frozen=True)
class Tensor:
    """One tensor: `offset` counts from the start of the file."""

    name: str
    shape: tuple[int, ...]
    type: int
    offset: int
    size_bytes: int

    @property
    def elements(self) -> int:
        """How many numbers it holds."""
        total = 1
        for length in self.shape:
            total *= length
        return total


@dataclass(frozen=True)
class Header:
    """Everything before the tensor data. `data_offset` is the header's length, padding included."""

    version: int
    metadata: dict[str, Value]
    tensors: tuple[Tensor, ...]
    alignment: int
    data_offset: int
    file_size_bytes: int

    @property
    def architecture(self) -> str:
        """The architecture's name; '' when the file does not say."""
        return self.text("general.architecture")

    def text(self, key: str) -> str:
        """A string value, or ''."""
        value = self.metadata.get(key)
        return value if isinstance(value, str) else ""

    def number(self, key: str, default: int = 0) -> int:
        """An integer value, or the default. `{arch}.` at the start of the key stands for the architecture."""
        value = self.metadata.get(key.replace("{arch}", self.architecture))
        return value if isinstance(value, int) and not isinstance(value, bool) else default


@dataclass
class _Cursor:
    """Reads forward through a source in chunks. Every read is bounded by the size of the file and the header limit."""

    read_at: ReadAt
    size: int
    position: int = 0
    kept: int = 0
    strings: int = 0
    start: int = 0
    buffer: bytes = field(default=b"", repr=False)

    def need(self, length: int) -> None:
        """Make `length` bytes from the position on available in the buffer."""
        end = self.position + length
        if self.start <= self.position and end <= self.start + len(self.buffer):
            return
        self.reach(end)
        wanted = min(max(length, CHUNK_BYTES), self.size - self.position)
        self.buffer = self.read_at(self.position, wanted)
        self.start = self.position
        if len(self.buffer) < length:
            numbers = {"size_bytes": self.start + len(self.buffer), "needed_bytes": end}
            raise GgufTruncated("the source ended early", numbers)

    def reach(self, end: int) -> None:
        """Refuse a header that ends beyond what is plausible, or beyond the file."""
        if end > MAX_HEADER_BYTES:
            raise GgufBroken(f"a header of at least {end} bytes")
        if end > self.size:
            raise GgufTruncated("cut within the header", {"size_bytes": self.size, "needed_bytes": end})

    def unpack(self, form: struct.Struct) -> int | float | bool:
        self.need(form.size)
        (value,) = form.unpack_from(self.buffer, self.position - self.start)
        self.position += form.size
        return value  # type: ignore[no-any-return] # struct does not say what a format gives

    def count(self, form: struct.Struct) -> int:
        return int(self.unpack(form))

    def keep(self, size: int) -> None:
        """Count what is kept in memory."""
        self.kept += size
        if self.kept > MAX_KEPT_BYTES:
            raise GgufBroken(f"metadata of more than {MAX_KEPT_BYTES} bytes")

    def skip(self, length: int) -> None:
        self.reach(self.position + length)
        self.position += length

    def take(self, length: int) -> bytes:
        self.need(length)
        begin = self.position - self.start
        self.position += length
        return self.buffer[begin : begin + length]

    def string(self, limit: int = MAX_STRING_BYTES) -> str:
        length = self.count(_U64)
        if length > limit:
            raise GgufBroken(f"a string of {length} bytes at {self.position}")
        self.keep(length + 64)
        return self.take(length).decode("utf-8", errors="replace")

    def skip_strings(self, count: int) -> None:
        self.strings += count
        if self.strings > MAX_STRINGS:
            raise GgufBroken(f"{self.strings} strings in arrays")
        self.reach(self.position + 8 * count)
        unpack = _U64.unpack_from
        for _ in range(count):
            begin = self.position - self.start
            if begin + 8 > len(self.buffer):
                self.need(8)
                begin = 0
            (length,) = unpack(self.buffer, begin)
            if length > MAX_STRING_BYTES:
                raise GgufBroken(f"a string of {length} bytes at {self.position}")
            self.position += 8 + length
            if self.position > self.size:
                self.reach(self.position)


_FORMS = {kind: struct.Struct("<" + letter) for kind, letter in _SCALARS.items()}
_U32, _I32, _U64 = _FORMS[4], _FORMS[5], _FORMS[10]


def read_header(read_at: ReadAt, file_size_bytes: int, *, wanted: Container[str] = ()) -> Header:
    """The header of the file behind `read_at`. Arrays longer than KEPT_ITEMS are skipped, save the keys in `wanted`.

    Raises NotGguf, GgufTruncated or GgufBroken. Costs at most about a second and MAX_KEPT_BYTES for any input.
    """
    cursor = _Cursor(read_at, file_size_bytes)
    if file_size_bytes < 4 or cursor.take(4) != MAGIC:
        raise NotGguf("wrong magic", {"size_bytes": file_size_bytes})
    version = cursor.count(_U32)
    if version not in (2, 3):
        raise GgufBroken(f"version {version}", {"version": version} if version < 1000 else None)
    n_tensors, n_keys = cursor.count(_U64), cursor.count(_U64)
    if n_tensors > MAX_TENSORS or n_keys > MAX_KEYS:
        raise GgufBroken(f"{n_tensors} tensors, {n_keys} keys")
    metadata: dict[str, Value] = {}
    for _ in range(n_keys):
        key = cursor.string(MAX_KEY_BYTES)
        if key in metadata:
            raise GgufBroken(f"the key {key!r} twice")
        metadata[key] = _value(cursor, cursor.count(_U32), key in wanted)
    alignment = metadata.get("general.alignment", 32)
    if not isinstance(alignment, int) or not 0 < alignment <= 1 << 20 or alignment & (alignment - 1):
        raise GgufBroken(f"alignment {alignment!r}")
    raw = [_tensor_info(cursor) for _ in range(n_tensors)]
    data_offset = _padded(cursor.position, alignment)
    tensors = tuple(_placed(raw, alignment, data_offset))
    if len({tensor.name for tensor in tensors}) < len(tensors):
        raise GgufBroken("two tensors of the same name")
    end = max((tensor.offset + tensor.size_bytes for tensor in tensors), default=0)
    if end > file_size_bytes:
        raise GgufTruncated("cut within the tensors", {"size_bytes": file_size_bytes, "needed_bytes": end})
    return Header(version, metadata, tensors, alignment, data_offset, file_size_bytes)


def _value(cursor: _Cursor, kind: int, keep: bool) -> Value:
    if kind == _STRING:
        return cursor.string()
    if kind != _ARRAY:
        return cursor.unpack(_form(kind))
    item = cursor.count(_U32)
    count = cursor.count(_U64)
    keep = keep or count <= KEPT_ITEMS
    offset = cursor.position
    if item == _STRING:
        if keep and count <= MAX_STRINGS:
            cursor.reach(offset + 8 * count)
            return tuple(cursor.string() for _ in range(count))
        cursor.skip_strings(count)
    else:
        form = _form(item)
        if keep:
            cursor.reach(offset + form.size * count)
            cursor.keep(40 * count)
            return tuple(value for (value,) in form.iter_unpack(cursor.take(form.size * count)))
        cursor.skip(form.size * count)
    return SkippedArray(item, count, offset, cursor.position - offset)


def _form(kind: int) -> struct.Struct:
    try:
        return _FORMS[kind]
    except KeyError:
        raise GgufBroken(f"value type {kind}") from None


def _tensor_info(cursor: _Cursor) -> tuple[str, tuple[int, ...], int, int]:
    name = cursor.string(MAX_KEY_BYTES)
    dims = cursor.count(_U32)
    if not 1 <= dims <= 4:
        raise GgufBroken(f"tensor {name!r} has {dims} dimensions")
    shape = tuple(cursor.count(_U64) for _ in range(dims))
    kind, offset = cursor.count(_U32), cursor.count(_U64)
    return name, shape, kind, offset


def _placed(raw: list[tuple[str, tuple[int, ...], int, int]], alignment: int, data_offset: int) -> Iterator[Tensor]:
    """Tensors with their sizes. As llama.cpp demands, they follow one another without gaps but the padding."""
    expected = 0
    for name, shape, kind, offset in raw:
        if kind not in TENSOR_TYPES:
            raise GgufBroken(f"tensor {name!r} has type {kind}", {"tensor_type": kind})
        _, block, block_bytes = TENSOR_TYPES[kind]
        tensor = Tensor(name, shape, kind, data_offset + offset, 0)
        elements = tensor.elements
        if not 0 <= elements < 1 << 48 or shape[0] % block or offset != expected:
            raise GgufBroken(f"tensor {name!r}: shape {shape}, type {kind}, offset {offset} instead of {expected}")
        size = elements // block * block_bytes
        expected = _padded(offset + size, alignment)
        yield Tensor(name, shape, kind, data_offset + offset, size)


def _padded(position: int, alignment: int) -> int:
    return (position + alignment - 1) // alignment * alignment
