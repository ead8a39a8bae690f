"""A file on its way: `<name>.part`, which has its full size from the beginning, and a journal of what of it is there.

The journal (`<name>.part.json`) is written after the bytes it tells of have reached the disk, about once a second, so
it is never ahead of them: after a kill or a power cut at most the last second is fetched again. It is bound to what was
promised; for another file one begins anew. A lock (`<name>.part.lock`) keeps a second process away. Where the bytes
come from, and whether they are right, is not known here.
"""

from __future__ import annotations

import contextlib
import logging
import os
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from app.hub import disk
from app.hub.failures import AlreadyRunning, Stopped, from_os_error
from app.hub.locks import FileLock
from app.hub.spans import Span, Spans, plausible

log = logging.getLogger(__name__)

PART, JOURNAL, LOCK = ".part", ".part.json", ".part.lock"
MAX_JOURNAL_BYTES = 1_000_000
_NOBODY_WAITS = 1 << 63
_FLAGS = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)


class Promise(msgspec.Struct, frozen=True, kw_only=True):
    """The file that was chosen. `sha256` is '' for small files, which the Hub keeps in git."""

    endpoint: str
    repo: str
    commit: str
    path: str
    size_bytes: int
    sha256: str = ""

    def same_bytes(self, other: Promise) -> bool:
        """Whether both are the same content for certain, whatever it is called."""
        if self.sha256:
            return (self.sha256, self.size_bytes) == (other.sha256, other.size_bytes)
        return self == other


class _Journal(msgspec.Struct, kw_only=True):
    promise: Promise
    spans: list[Span] = []
    verified_mtime_ns: int = 0


class Part:
    """An open partial file. Any thread may write; `generation` says for which beginning, so that a thread that is late
    after a `restart` does no harm."""

    def __init__(self, target: Path, promise: Promise) -> None:
        """Opens or creates it. Raises AlreadyRunning, or a DownloadError for what the disk says."""
        self.target = target
        self.promise = promise
        self.path = target.with_name(target.name + PART)
        self._journal_path = target.with_name(target.name + JOURNAL)
        self.condition = threading.Condition()
        self.generation = 0
        self._saving = threading.Lock()
        self._users = 0
        self._closing = False
        self._awaited = _NOBODY_WAITS
        self._file = -1
        self._saved: _Journal | None = None
        with self._disk():
            target.parent.mkdir(parents=True, exist_ok=True)
            lock = FileLock.take(target.with_name(target.name + LOCK))
        if lock is None:
            raise AlreadyRunning(f"{target.name} is already being downloaded by another Inglenook.")
        self._lock = lock
        try:
            with self._disk():
                self._file = os.open(self.path, _FLAGS, 0o644)
                self._spans, self.verified = self._restore()
        except BaseException:
            self.close()
            raise
        self.restored_bytes = self._spans.total

    @property
    def done_bytes(self) -> int:
        """How many bytes of it are there."""
        with self.condition:
            return self._spans.total

    @property
    def prefix(self) -> int:
        """How many bytes are there without a gap from the first one on."""
        with self.condition:
            return self._spans.prefix

    def missing(self) -> list[Span]:
        """What still has to come."""
        with self.condition:
            return self._spans.missing(self.promise.size_bytes)

    @property
    def wanted_bytes(self) -> int:
        """How much of the disk it still has to take."""
        return max(0, self.promise.size_bytes - disk.allocated_bytes(self._file))

    def reserve(self) -> None:
        """Takes the space on the disk, or none of it. Raises NoSpace or NotWritten."""
        with self._disk():
            try:
                disk.reserve(self._file, self.promise.size_bytes)
            except OSError:
                with contextlib.suppress(OSError):
                    os.ftruncate(self._file, max((end for _, end in self._spans.all()), default=0))
                raise

    def write(self, offset: int, blocks: Sequence[bytes], generation: int) -> None:
        """Writes blocks that follow each other from `offset` on. Raises Stopped when this generation is over, NoSpace,
        NotWritten."""
        with self.condition:
            self._check(generation)
            self._users += 1
        end = offset
        try:
            with self._disk():
                end = offset + disk.write_at(self._file, offset, blocks)
        finally:
            with self.condition:
                self._users -= 1
                if generation == self.generation:
                    self._spans.add(offset, end)
                if self._spans.prefix >= self._awaited or (self._closing and not self._users):
                    self.condition.notify_all()

    def read(self, offset: int, into: memoryview, generation: int) -> int:
        """Reads into a buffer; returns how many bytes."""
        with self.condition:
            self._check(generation)
            self._users += 1
        try:
            with self._disk():
                return disk.read_at(self._file, offset, into)
        finally:
            self._leave()

    def save(self, *, verified: bool = False) -> None:
        """Brings the bytes to the disk, then the journal that tells of them."""
        with self._saving:
            self._save(verified)

    def _save(self, verified: bool) -> None:
        with self.condition:
            if self._file < 0:
                return
            spans = self._spans.all()
            self._users += 1
        try:
            journal = _Journal(promise=self.promise, spans=spans)
            if journal == self._saved and not verified:
                return
            with self._disk():
                disk.sync_data(self._file)
                if verified:
                    journal.verified_mtime_ns = os.fstat(self._file).st_mtime_ns
                disk.write_atomically(self._journal_path, msgspec.json.encode(journal))
            self._saved, self.verified = journal, verified
        finally:
            self._leave()

    def restart(self) -> None:
        """Forgets what is there: it has to come again. What earlier threads still write is dropped."""
        with self.condition:
            self.generation += 1
            self._wait_for_users()
            self._spans.clear()
            self.verified = False
        self.save()

    def promote(self) -> None:
        """Puts it into its place, over what was there. Only after it was verified. Raises NotWritten."""
        self._close_file()
        with self._disk():
            self.path.replace(self.target)
            self._journal_path.unlink(missing_ok=True)
            disk.sync_folder(self.target.parent)
        self.close()

    def discard(self) -> None:
        """Removes it with its journal. Idempotent; a disk that refuses is only logged."""
        self._close_file()
        for path in (self._journal_path, self.path):
            try:
                path.unlink(missing_ok=True)
            except OSError as error:
                log.info("a partial file could not be removed: %s", error.strerror)
        self.close()

    def close(self) -> None:
        """Lets go of it; everything stays where it is. Idempotent."""
        self._close_file()
        with contextlib.suppress(OSError):
            self._lock.release()

    def _close_file(self) -> None:
        with self.condition:
            self.generation += 1
            self._wait_for_users()
            file, self._file = self._file, -1
        if file >= 0:
            os.close(file)

    def wait_for_bytes(self, prefix: int, timeout_s: float) -> int:
        """Waits until `prefix` bytes are there from the first one on, or the time is over; returns how many are."""
        with self.condition:
            self._awaited = prefix
            self.condition.wait_for(lambda: self._spans.prefix >= prefix or self._file < 0, timeout_s)
            self._awaited = _NOBODY_WAITS
            return self._spans.prefix

    def _leave(self) -> None:
        with self.condition:
            self._users -= 1
            if self._closing and not self._users:
                self.condition.notify_all()

    def _wait_for_users(self) -> None:
        self._closing = True
        self.condition.wait_for(lambda: self._users == 0)
        self._closing = False

    def _check(self, generation: int) -> None:
        if generation != self.generation or self._file < 0:
            raise Stopped("This part of the download is over.")

    def _restore(self) -> tuple[Spans, bool]:
        """What the journal says, as far as it can be true. A journal of another file counts for nothing."""
        journal = self._read_journal()
        status = os.fstat(self._file)
        spans = Spans()
        if journal is not None and journal.promise.same_bytes(self.promise):
            spans = Spans(plausible(journal.spans, min(status.st_size, self.promise.size_bytes)))
        if journal is None or not spans.total or spans.total != sum(end - start for start, end in journal.spans):
            # It must not be believed later either, when the file has its full size again.
            self._journal_path.unlink(missing_ok=True)
            if not spans.total:
                os.ftruncate(self._file, 0)
            return spans, False
        whole = spans.total == self.promise.size_bytes == status.st_size
        self._saved = journal
        return spans, whole and journal.verified_mtime_ns == status.st_mtime_ns and journal.verified_mtime_ns != 0

    def _read_journal(self) -> _Journal | None:
        try:
            with self._journal_path.open("rb") as file:
                return msgspec.json.decode(file.read(MAX_JOURNAL_BYTES), type=_Journal)
        except FileNotFoundError:
            return None
        except (msgspec.DecodeError, OSError, RecursionError) as error:
            log.info("a journal of a download cannot be used: %s", type(error).__name__)
            return None

    @contextlib.contextmanager
    def _disk(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise from_os_error(error, self.target) from error


def taken_bytes(target: Path) -> int:
    """What this file takes of the disk now, on its way or in its place; 0 when it has not begun."""
    try:
        with target.with_name(target.name + PART).open("rb") as part:
            return disk.allocated_bytes(part.fileno())
    except OSError:
        try:
            return target.stat().st_size
        except OSError:
            return 0


def remove_parts(target: Path) -> None:
    """Removes what an ended download of `target` left, unless somebody is still at it. Raises OSError."""
    if not target.parent.is_dir():
        return
    lock = FileLock.take(target.with_name(target.name + LOCK))
    if lock is not None:
        target.with_name(target.name + JOURNAL).unlink(missing_ok=True)
        target.with_name(target.name + PART).unlink(missing_ok=True)
        lock.release()
