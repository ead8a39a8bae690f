"""Space on a disk: how much is free, and taking it before it is needed. And writing so that a power cut leaves all or
nothing."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import shutil
import struct
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

_UNSUPPORTED = (errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL, errno.EPERM)
_DARWIN_F_PREALLOCATE = 42  # sys/fcntl.h
_DARWIN_F_ALLOCATEALL = 4
_DARWIN_F_PEOFPOSMODE = 3


def free_bytes(folder: Path) -> int:
    """What this account may still write below `folder`, which need not exist yet. Raises OSError."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return shutil.disk_usage(folder).free


def allocated_bytes(file: int) -> int:
    """What an open file already takes of the disk; its size where the system does not tell."""
    status = os.fstat(file)
    blocks: int | None = getattr(status, "st_blocks", None)
    return status.st_size if blocks is None else blocks * 512


def reserve(file: int, size: int) -> bool:
    """Gives an open file its full size, and takes the space for it where the system can do so at once.

    Returns whether the space is taken. Raises OSError (ENOSPC, EFBIG...). posix_fallocate is not used: where a file
    system cannot reserve, the C library writes into every block instead, which takes minutes.
    """
    taken = False
    if size > 0 and sys.platform == "linux":
        taken = _linux_fallocate(file, size)
    elif size > 0 and sys.platform == "darwin":
        taken = _darwin_preallocate(file, size)
    os.ftruncate(file, size)
    return taken


def _linux_fallocate(file: int, size: int) -> bool:
    try:
        fallocate = ctypes.CDLL(None, use_errno=True).fallocate64
    except (OSError, AttributeError):
        return False
    fallocate.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64)
    while fallocate(file, 0, 0, size) != 0:
        code = ctypes.get_errno()
        if code in _UNSUPPORTED:
            return False
        if code != errno.EINTR:
            raise OSError(code, os.strerror(code))
    return True


def _darwin_preallocate(file: int, size: int) -> bool:
    import fcntl

    missing = size - allocated_bytes(file)
    if missing <= 0:
        return True
    request = struct.pack("=Iiqqq", _DARWIN_F_ALLOCATEALL, _DARWIN_F_PEOFPOSMODE, 0, missing, 0)
    try:
        fcntl.fcntl(file, _DARWIN_F_PREALLOCATE, request)
    except OSError as error:
        if error.errno in _UNSUPPORTED:
            return False
        raise
    return True


def write_atomically(path: Path, body: bytes) -> None:
    """Replaces a small file: after a power cut the old or the new one is there, never half of one. Raises OSError."""
    unready = path.with_name(f"{path.name}.new")
    file = os.open(unready, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_NOFOLLOW", 0), 0o600)
    try:
        with os.fdopen(file, "wb") as writing:
            writing.write(body)
            writing.flush()
            os.fsync(writing.fileno())
        unready.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            unready.unlink()
        raise


def sync_data(file: int) -> None:
    """Returns when the file's bytes are on the disk."""
    getattr(os, "fdatasync", os.fsync)(file)


def sync_folder(folder: Path) -> None:
    """Returns when names of this folder are on the disk, where the system can do that."""
    if sys.platform == "win32":
        return
    file = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(file)
    except OSError as error:
        if error.errno not in _UNSUPPORTED:
            raise
    finally:
        os.close(file)


if hasattr(os, "pwritev"):

    def write_at(file: int, offset: int, blocks: Sequence[bytes]) -> int:
        """Writes blocks that follow each other, all of them; returns how many bytes. From any thread."""
        size = sum(map(len, blocks))
        written = os.pwritev(file, blocks, offset) if len(blocks) > 1 else os.pwrite(file, blocks[0], offset)
        if written < size:
            rest = memoryview(b"".join(blocks))
            while written < size:
                written += os.pwrite(file, rest[written:], offset + written)
        return size

    def read_at(file: int, offset: int, into: memoryview) -> int:
        """Reads into a buffer; returns how many bytes. From any thread."""
        return os.preadv(file, [into], offset)

else:  # Windows has no positioned reads and writes
    _seeking = threading.Lock()

    def write_at(file: int, offset: int, blocks: Sequence[bytes]) -> int:
        data = memoryview(b"".join(blocks))
        with _seeking:
            os.lseek(file, offset, os.SEEK_SET)
            written = 0
            while written < len(data):
                written += os.write(file, data[written:])
        return written

    def read_at(file: int, offset: int, into: memoryview) -> int:
        with _seeking:
            os.lseek(file, offset, os.SEEK_SET)
            data = os.read(file, len(into))
            into[: len(data)] = data
            return len(data)
