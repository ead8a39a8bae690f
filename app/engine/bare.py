"""A GGUF header without its vocabulary: what is left decides memory, and llama.cpp reads it in a tenth of the time.

The vocabulary is nearly all of a header and half a second of every load; where only sizes are asked for, llama.cpp
takes a model of type 'none' with so many nameless tokens. Tensors keep their places relative to the end of the header.
"""

from __future__ import annotations

import struct
import sys
from pathlib import Path

from app.engine.errors import GgufTruncated
from app.engine.gguf_header import Header, ReadAt, SkippedArray

MAX_TOKENS = 1 << 24

_TYPE_U32, _TYPE_STRING = 4, 8
_COUNT_AT = 16  # of the keys, behind magic, version and the number of tensors


def write_bare(path: Path, read_at: ReadAt, header: Header) -> None:
    """Writes a file of a header's kind that llama.cpp can plan with, its tensors a hole. Raises GgufTruncated."""
    head = bare(read_at, header)
    with path.open("wb") as file:
        if sys.platform == "win32":
            _make_sparse(file.fileno())
        file.write(head)
        # Padding is kept from the old header and may be some bytes more than the new one needs: where the data begins
        # does not matter, only that there is room for it.
        file.truncate(len(head) + header.alignment + max(header.file_size_bytes - header.data_offset, 0))


if sys.platform == "win32":

    def _make_sparse(file: int) -> None:
        """Without this, Windows reserves room for the hole. Where the disk cannot do it, it does."""
        import ctypes
        import msvcrt

        handle, returned = msvcrt.get_osfhandle(file), ctypes.c_ulong()
        set_sparse = 0x900C4  # FSCTL_SET_SPARSE of winioctl.h
        ctypes.windll.kernel32.DeviceIoControl(
            ctypes.c_void_p(handle), set_sparse, None, 0, None, 0, ctypes.byref(returned), None
        )


def bare(read_at: ReadAt, header: Header) -> bytes:
    """The bytes up to the tensor data, without the large arrays of the tokenizer. Raises GgufTruncated."""
    raw = read_at(0, header.data_offset)
    if len(raw) < header.data_offset:
        raise GgufTruncated("cut within the header", {"size_bytes": len(raw), "needed_bytes": header.data_offset})
    parts, position = [], 0
    for key, value in header.metadata.items():
        if isinstance(value, SkippedArray) and key.startswith("tokenizer."):
            parts += [raw[position : value.offset - 8], struct.pack("<Q", 0)]
            position = value.offset + value.size_bytes
    parts.append(raw[position:])
    tokens = header.metadata.get("tokenizer.ggml.tokens")
    count = tokens.count if isinstance(tokens, SkippedArray) else len(tokens) if isinstance(tokens, tuple) else 0
    if not 0 < count <= MAX_TOKENS:
        return raw  # a later file of a split model has none
    whole = _with_model_none(b"".join(parts))
    return _with_vocab_size(whole, f"{header.architecture}.vocab_size", count)


def _text(value: str) -> bytes:
    raw = value.encode()
    return struct.pack("<Q", len(raw)) + raw


def _with_model_none(whole: bytes) -> bytes:
    key = _text("tokenizer.ggml.model") + struct.pack("<I", _TYPE_STRING)
    at = whole.find(key)
    if at < 0:
        return whole
    at += len(key)
    (length,) = struct.unpack_from("<Q", whole, at)
    return whole[:at] + _text("none") + whole[at + 8 + length :]


def _with_vocab_size(whole: bytes, name: str, count: int) -> bytes:
    key = _text(name) + struct.pack("<I", _TYPE_U32)
    at = whole.find(key)
    if at >= 0:
        at += len(key)
        return whole[:at] + struct.pack("<I", count) + whole[at + 4 :]
    (keys,) = struct.unpack_from("<Q", whole, _COUNT_AT)
    begin = _COUNT_AT + 8
    return whole[:_COUNT_AT] + struct.pack("<Q", keys + 1) + key + struct.pack("<I", count) + whole[begin:]
