"""A GGUF file on this computer: can it be loaded at all, what is it called, which file is it. Reads, never writes.

Runs before native code sees the file, in the parent and once more in the child. The format itself is gguf_header.py's.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import stat
import struct
from collections.abc import Container, Iterator
from pathlib import Path

from app.engine.errors import FileMissing, FileUnreadable, GgufBroken, NotAChatModel, UnknownArchitecture
from app.engine.gguf_header import Header, ReadAt, read_header
from app.engine.gguf_types import FILE_TYPES, NOT_WRITING, TENSOR_TYPES

SAMPLES = 16
SAMPLE_BYTES = 64 * 1024

UNSPEAKABLE = "The name of this model file, or of its folder, is not valid text (UTF-8). Rename it."

_PART = re.compile(r"-(\d{5})-of-(\d{5})\.gguf$", re.IGNORECASE)


@contextlib.contextmanager
def open_model(path: Path) -> Iterator[tuple[ReadAt, int]]:
    """A regular file as a source of bytes, with its size. Raises FileMissing or FileUnreadable, also while reading."""
    if not is_text(str(path)):  # it could be read here, and not be named to the engine
        raise FileUnreadable("a name that is not UTF-8", sentence=UNSPEAKABLE)
    try:
        # Looked at before it is opened: opening a pipe would wait for its other end.
        if not stat.S_ISREG(path.stat().st_mode):
            raise FileUnreadable(f"{path.name} is not a regular file")
        with path.open("rb", buffering=0) as file:

            def read_at(offset: int, length: int) -> bytes:
                file.seek(offset)
                parts: list[bytes] = []
                while length > 0 and (part := file.read(length)):
                    parts.append(part)
                    length -= len(part)
                return b"".join(parts)

            yield read_at, os.fstat(file.fileno()).st_size
    except (FileNotFoundError, NotADirectoryError) as error:
        raise FileMissing(f"{path.name}: {error.strerror}") from error
    except (OSError, ValueError) as error:  # ValueError: a path with a NUL in it
        raise FileUnreadable(f"{path.name}: {getattr(error, 'strerror', None) or error}") from error


def is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def check_loadable(path: Path, architectures: Container[str] | None = None) -> Header:
    """The header of a file that may be given to llama.cpp as a chat model, or the ModelFileError that tells why not.

    `architectures` are those the engine knows; None leaves an unknown one to the loader, which refuses it itself.
    """
    with open_model(path) as (read_at, size):
        header = read_header(read_at, size)
    if kind := not_a_chat_model(header):
        raise NotAChatModel(kind)
    if not header.architecture:
        raise GgufBroken("general.architecture is missing")
    if architectures is not None and header.architecture not in architectures:
        raise UnknownArchitecture(header.architecture)
    if part := missing_part(path, header):
        parts = header.number("split.count")
        raise FileMissing(f"part {part} of {parts}", {"part": part, "parts": parts})
    return header


def not_a_chat_model(header: Header) -> str:
    """The kind (a key of NotAChatModel.KINDS) of a file that is something else than a chat model, or ''."""
    kind, architecture = header.text("general.type"), header.architecture
    if kind == "mmproj" or architecture == "clip":
        return "projector"
    if kind == "adapter" or "adapter.type" in header.metadata:
        return "adapter"
    if kind not in ("", "model"):
        return "other"
    if header.number("split.no"):
        return "part"
    if not architecture:
        return ""
    causal = header.metadata.get(f"{architecture}.attention.causal", True)
    if architecture in NOT_WRITING or not causal or header.number("{arch}.pooling_type") > 0:
        return "embedding"
    if not header.tensors and header.number("split.count") <= 1:
        return "vocabulary"
    return ""


def read_others(path: Path) -> tuple[Header, ...]:
    """The headers of the further files of a split model, of which `path` is the first. Raises a ModelFileError."""
    headers = []
    for part in parts_of(path)[1:]:
        with open_model(part) as (read_at, size):
            headers.append(read_header(read_at, size))
    return tuple(headers)


def parts_of(path: Path) -> list[Path]:
    """All files of a model by the name of its first one, whether they are there or not."""
    found = _PART.search(path.name)
    if found is None or int(found[1]) != 1:
        return [path]
    stem = path.name[: -len(found[0])]
    return [path.with_name(f"{stem}-{number:05d}-of-{found[2]}.gguf") for number in range(1, int(found[2]) + 1)]


def missing_part(path: Path, header: Header) -> int:
    """The number (from 1) of the first file of a split model that does not lie beside its first one; 0 for none."""
    parts = header.number("split.count")
    if not 1 < parts <= 99_999:
        return 0
    found = _PART.search(path.name)
    if found is None:
        return 2  # the loader finds the others by the name of the first
    stem = str(path)[: -len(found[0])]
    # Not Path.exists, which raises where the folder may not be looked into.
    numbers = range(2, parts + 1)
    return next((n for n in numbers if not os.path.exists(f"{stem}-{n:05d}-of-{parts:05d}.gguf")), 0)  # noqa: PTH110 - see above


def fingerprint(path: Path) -> str:
    """The cheap identity of a model file, 64 hexadecimal digits: equal for copies, different for other contents.

    sha256 over the size (u64, little-endian), the header (everything before the tensor data), and SAMPLES blocks of
    SAMPLE_BYTES, evenly spaced over the tensor data, the first and the last block included. Reads the header and 1 MB.
    Raises a ModelFileError.
    """
    with open_model(path) as (read_at, size):
        return fingerprint_of(read_at, read_header(read_at, size))


def fingerprint_of_model(path: Path) -> str:
    """The fingerprint of a model by its first file, all parts of a split one together. Raises a ModelFileError."""
    return fingerprint_of_parts([fingerprint(part) for part in parts_of(path)])


def fingerprint_of_parts(digests: list[str]) -> str:
    """The fingerprint of a model whose files have these, in order."""
    return digests[0] if len(digests) == 1 else hashlib.sha256(os.fsencode(" ".join(digests))).hexdigest()


def fingerprint_of(read_at: ReadAt, header: Header) -> str:
    """The fingerprint of a file whose header was read already, from any source of bytes."""
    size = header.file_size_bytes
    digest = hashlib.sha256(struct.pack("<Q", size))
    begin = min(header.data_offset, size)
    for offset in range(0, begin, 1024 * 1024):
        digest.update(read_at(offset, min(1024 * 1024, begin - offset)))
    span = max(size - begin - SAMPLE_BYTES, 0)
    for index in range(SAMPLES):
        digest.update(read_at(begin + span * index // (SAMPLES - 1), min(SAMPLE_BYTES, size - begin)))
    return digest.hexdigest()


def file_type(header: Header) -> str:
    """The name people know the quantization by: of general.file_type, else of the type that holds the most bytes."""
    if named := FILE_TYPES.get(header.number("general.file_type", -1)):
        return named
    totals: dict[int, int] = {}
    for tensor in header.tensors:
        totals[tensor.type] = totals.get(tensor.type, 0) + tensor.size_bytes
    return TENSOR_TYPES[max(totals, key=lambda kind: totals[kind])][0] if totals else ""
