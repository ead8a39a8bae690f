"""The fingerprint of a file, computed while the file comes.

Bytes are hashed in order as soon as there is no gap before them, read back from what was just written, which the system
still has in memory: there is no second pass when the last byte has come. What a former run left is read back once,
because the state of a hash cannot be kept. The same thread keeps the journal.
"""

from __future__ import annotations

import hashlib
import string
import threading
import time
from pathlib import Path

from app.hub.failures import Stopped, from_os_error
from app.hub.parts import Part

BLOCK = 1 << 20
_WAIT_S = 0.1


class Fingerprint:
    """A hash to be compared with what was promised: sha256, else git's id of the content, else nothing."""

    def __init__(self, sha256: str, etag: str, size: int) -> None:
        self.expected = sha256 or (etag if _is_git_id(etag) else "")
        self._hash = hashlib.sha256() if sha256 or not self.expected else hashlib.sha1(usedforsecurity=False)
        if not sha256 and self.expected:
            self._hash.update(b"blob %d\0" % size)
        self.hashed_bytes = 0

    def update(self, data: memoryview) -> None:
        """The next bytes."""
        self._hash.update(data)
        self.hashed_bytes += len(data)

    @property
    def right(self) -> bool:
        """Whether what was hashed is what was promised."""
        return not self.expected or self._hash.hexdigest() == self.expected.lower()


class Follower:
    """Hashes a partial file behind those who write it, and saves its journal about every `save_s` seconds."""

    def __init__(self, part: Part, fingerprint: Fingerprint, save_s: float, ended: threading.Event) -> None:
        self._part = part
        self._generation = part.generation
        self._fingerprint = fingerprint
        self._save_s = save_s
        self._ended = ended
        self._buffer = memoryview(bytearray(BLOCK))

    @property
    def hashed_bytes(self) -> int:
        """How far it is."""
        return self._fingerprint.hashed_bytes

    def run(self) -> bool:
        """Works until all is hashed; returns whether the fingerprint is right. Raises Stopped when `ended` is set, or
        what the disk says."""
        size = self._part.promise.size_bytes
        saved = time.monotonic()
        while self.hashed_bytes < size:
            if self._ended.is_set():
                raise Stopped("The download was stopped.")
            there = self._part.wait_for_bytes(min(size, self.hashed_bytes + BLOCK), _WAIT_S)
            while self.hashed_bytes < there and not self._ended.is_set():
                self._step(there)
                if time.monotonic() - saved >= self._save_s:
                    break
            if time.monotonic() - saved >= self._save_s:
                self._part.save()
                saved = time.monotonic()
        return self._fingerprint.right

    def _step(self, there: int) -> None:
        into = self._buffer[: min(BLOCK, there - self.hashed_bytes)]
        count = self._part.read(self.hashed_bytes, into, self._generation)
        if count == 0:
            raise from_os_error(OSError("the file ended early"), self._part.target)
        self._fingerprint.update(into[:count])


def is_already_there(path: Path, sha256: str, size: int, ended: threading.Event) -> bool:
    """Whether the file at `path` is the promised one; reads all of it. Raises Stopped."""
    buffer = memoryview(bytearray(BLOCK))
    digest = hashlib.sha256()
    try:
        if not sha256 or path.stat().st_size != size:
            return False
        with path.open("rb", buffering=0) as file:
            while count := file.readinto(buffer):
                digest.update(buffer[:count])
                if ended.is_set():
                    raise Stopped("The download was stopped.")
    except OSError:
        return False
    return digest.hexdigest() == sha256.lower()


def _is_git_id(text: str) -> bool:
    return len(text) == 40 and all(c in string.hexdigits for c in text)
