"""The file of a snapshot: the state of a sequence, with all that it is valid for, so that nothing else passes for it.

    magic 8 bytes, version u32, length u32 and CRC-32 u32 of the sealed header, the sealed header (msgpack);
    then for every part: sealed length u64, length u64, CRC-32 u32 of the open bytes and of its place, the sealed bytes.

All numbers little-endian. A file is written under another name, that of the writing process, and takes its own when it
is whole. It is not flushed to the disk: after a power cut a part may be missing or wrong, which its checksum tells.
CRC-32 finds every single flipped bit and every burst of up to 32; it is against accidents, not against a person (who
could as well change the model). Parts stand for themselves: those before a bad one are still good.

`Seal` is where encryption goes: it gets the bytes and the number of the record (0 is the header).
"""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import struct
import sys
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

MAGIC = b"INGLEKV\n"
VERSION = 1
MAX_HEADER_BYTES = 256 * 1024 * 1024
RESERVE_BYTES = 256 * 1024 * 1024  # of the disk: conversations themselves come first

_HEAD = struct.Struct("<8sIII")
_PART = struct.Struct("<QQI")
_PLACE = struct.Struct("<QQ")

Data = bytes | memoryview
Seal = Callable[[memoryview, int], Data]
Unseal = Callable[[memoryview, int], Data]


def as_it_is(data: memoryview, record: int) -> Data:
    """Neither seals nor unseals."""
    return data


class SnapshotError(Exception):
    """A file that cannot be used, or could not be written; the text says why, without names."""


class SnapshotMissingError(SnapshotError):
    """There is no such file, which is nothing to speak of."""


class Key(msgspec.Struct, frozen=True, kw_only=True):
    """What a state is valid for besides its tokens: all of it must be equal.

    `model` is the fingerprint of the file, `long_rope` whether positions are encoded for a window longer than the
    original one (some models choose other factors then), `adapters` the fingerprint and scale of each of them.
    """

    model: str
    build: str
    architecture: str
    type_k: str
    type_v: str
    flash_attention: int
    long_rope: bool
    in_parts: bool
    adapters: list[str] = []


class Header(msgspec.Struct, frozen=True, kw_only=True):
    """`tokens` are at the positions from 0 on; `ends`: where the parts end; `traces`: from this token on they carry
    traces of some that are gone, -1 where none do. `turns`: after the parts come the states that the sequence had after
    its first so many tokens, of memory that cannot be taken back."""

    key: Key
    tokens: list[int]
    ends: list[int]
    traces: int
    turns: list[int] = []


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Header)


class SnapshotWriter:
    """Writes one file; nothing is to be seen under its name before `commit`. Raises SnapshotError, and then nothing is
    left behind."""

    def __init__(self, path: Path, header: Header, seal: Seal = as_it_is) -> None:
        self._path = path
        self._seal = seal
        self._part_path = path.with_name(f"{path.name}.{os.getpid()}.part")
        self._record = 0
        with _told():
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            # A file that is locked is being written: the sweep of left-overs leaves it alone.
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_BINARY", 0) | getattr(os, "O_NOFOLLOW", 0)
            self._file = os.open(self._part_path, flags, 0o600)
        try:
            _lock(self._file)
            sealed = self._sealed(memoryview(_encoder.encode(header)))
            self._put(_HEAD.pack(MAGIC, VERSION, len(sealed), zlib.crc32(sealed)))
            self._put(sealed)
        except BaseException:
            self.abandon()
            raise

    def add(self, data: memoryview) -> None:
        """The next part."""
        try:
            crc = zlib.crc32(data, zlib.crc32(_PLACE.pack(self._record, len(data))))
            sealed = self._sealed(data)
            self._put(_PART.pack(len(sealed), len(data), crc))
            self._put(sealed)
        except BaseException:
            self.abandon()
            raise

    def commit(self) -> int:
        """Gives the file its name; returns its size."""
        try:
            with _told():
                size = os.fstat(self._file).st_size
                if sys.platform == "win32":
                    self._close()
                self._part_path.replace(self._path)
        except SnapshotError:
            self.abandon()
            raise
        self._close()
        return size

    def abandon(self) -> None:
        """Leaves nothing behind. May be called at any time."""
        if self._file >= 0:
            if sys.platform == "win32":
                self._close()
            with contextlib.suppress(OSError):
                self._part_path.unlink()
            self._close()

    def _sealed(self, data: memoryview) -> Data:
        sealed = self._seal(data, self._record)
        self._record += 1
        return sealed

    def _put(self, data: Data) -> None:
        rest = memoryview(data)
        with _told():
            while rest:
                rest = rest[os.write(self._file, rest) :]

    def _close(self) -> None:
        if self._file >= 0:
            file, self._file = self._file, -1
            os.close(file)


class SnapshotReader:
    """Reads one file, its header first. Raises SnapshotError for whatever is wrong with it."""

    def __init__(self, path: Path, unseal: Unseal = as_it_is) -> None:
        self._unseal = unseal
        self._part = 0
        self._sealed_size = self._size = self._crc = 0
        with _told():
            self._file = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
        try:
            self.size = os.fstat(self._file).st_size
            self.header = self._header()
        except BaseException:
            self.close()
            raise

    def next_size(self) -> int:
        """How many bytes the buffer for the next part must have; 0 after the last one."""
        if self._part == len(self.header.ends) + len(self.header.turns):
            return 0
        sealed_size, size, crc = _PART.unpack(self._exactly(_PART.size))
        self._sealed_size, self._size, self._crc = int(sealed_size), int(size), int(crc)
        left = self.size - os.lseek(self._file, 0, os.SEEK_CUR)
        if not 0 < self._sealed_size <= left or not 0 < self._size <= left:
            raise SnapshotError("it is cut short")
        return max(self._sealed_size, self._size)

    def read(self, into: memoryview) -> int:
        """The part that `next_size` told of; returns its size."""
        sealed = into[: self._sealed_size]
        self._fill(sealed)
        self._part += 1
        data = _opened(self._unseal, sealed, self._part)
        if len(data) != self._size:
            raise SnapshotError("a part has another length")
        if zlib.crc32(data, zlib.crc32(_PLACE.pack(self._part, self._size))) != self._crc:
            raise SnapshotError("a part has another checksum")
        if data is not sealed:
            into[: self._size] = data
        return self._size

    def close(self) -> None:
        """Closes the file; a second call does nothing."""
        if self._file >= 0:
            file, self._file = self._file, -1
            os.close(file)

    def _header(self) -> Header:
        magic, version, size, crc = _HEAD.unpack(self._exactly(_HEAD.size))
        if magic != MAGIC:
            raise SnapshotError("it is no snapshot")
        if version != VERSION:
            raise SnapshotError(f"it is of version {version}")
        if size > min(MAX_HEADER_BYTES, self.size):
            raise SnapshotError("it is cut short")
        sealed = self._exactly(size)
        if zlib.crc32(sealed) != crc:
            raise SnapshotError("its header has another checksum")
        try:
            header = _decoder.decode(_opened(self._unseal, memoryview(sealed), 0))
        except msgspec.MsgspecError as error:
            raise SnapshotError("its header cannot be read") from error
        ends = header.ends
        if not ends or ends[-1] != len(header.tokens) or any(a >= b for a, b in zip([0, *ends], ends, strict=False)):
            raise SnapshotError("its parts do not fit its tokens")
        if any(a >= b for a, b in itertools.pairwise([0, *header.turns, len(header.tokens) + 1])):
            raise SnapshotError("its turns do not fit its tokens")
        return header

    def _exactly(self, size: int) -> bytes:
        data = bytearray(size)
        self._fill(memoryview(data))
        return bytes(data)

    def _fill(self, into: memoryview) -> None:
        with _told():
            while into:
                count = os.readv(self._file, [into]) if hasattr(os, "readv") else _read(self._file, into)
                if count == 0:
                    raise SnapshotError("it is cut short")
                into = into[count:]


def room_for(path: Path, size_bytes: int, reserve_bytes: int = RESERVE_BYTES) -> bool:
    """Whether the disk has room for a file of this size, and enough besides."""
    folder = path.parent
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    with _told():
        return shutil.disk_usage(folder).free - size_bytes >= reserve_bytes


@contextlib.contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise SnapshotMissingError("there is no such file") from error
    except OSError as error:
        raise SnapshotError(error.strerror or type(error).__name__) from error


def _opened(unseal: Unseal, sealed: memoryview, record: int) -> Data:
    try:
        return unseal(sealed, record)
    except ValueError as error:
        raise SnapshotError("it cannot be unsealed") from error


def _read(file: int, into: memoryview) -> int:
    data = os.read(file, min(len(into), 4 * 1024 * 1024))
    into[: len(data)] = data
    return len(data)


if sys.platform == "win32":

    def _lock(file: int) -> None:
        """Nothing to do: an open file cannot be removed there."""

else:
    import fcntl

    def _lock(file: int) -> None:
        with contextlib.suppress(OSError):  # a file system without locks
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
