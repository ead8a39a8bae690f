"""One file from the Hub into its partial file: several connections, patience with each, and when to begin anew.

`FileFetch.run` blocks its thread until the file is verified. Its connections run on threads that it is handed; when it
ends it waits a moment for them, and those that are late find the partial file closed.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from app.hub.checking import Fingerprint, Follower
from app.hub.errors import HubError
from app.hub.failures import FileChanged, FingerprintMismatch, ServerUnusable, Stopped
from app.hub.pace import Manner
from app.hub.parts import Part
from app.hub.patience import Patience
from app.hub.pieces import Piece, Pieces
from app.hub.ranges import Changed, NoRanges, Outdated, Reader, Unusable
from app.hub.resolving import Source, Sources
from app.hub.surroundings import Surroundings
from app.privacy.errors import NetworkError
from app.privacy.policy import Action

log = logging.getLogger(__name__)

CHECKING = "inglenook-download-check"
CONNECTION = "inglenook-download"
TICK_S = 0.05


class FileFetch:
    """`part` is open; it is neither closed nor put into its place here."""

    def __init__(self, around: Surroundings, action: Action, part: Part) -> None:
        self._around = around
        self._action = action
        self._part = part
        self._attempt: _Attempt | None = None

    @property
    def hashed_bytes(self) -> int:
        """How far the fingerprint is."""
        attempt = self._attempt
        return attempt.follower.hashed_bytes if attempt is not None else 0

    def run(self) -> None:
        """Fetches and verifies; the caller is inside `action`. Raises HubError (Stopped, ...) or NetworkError."""
        self._part.reserve()
        manner = self._around.manner
        breaks = changes = 0
        while True:
            attempt = self._attempt = _Attempt(
                self._around, self._action, self._part, whole=breaks > 0, single=changes > 0
            )
            try:
                attempt.run()
                return
            except NoRanges as error:
                breaks += 1
                if breaks > manner.tries:
                    raise ServerUnusable(
                        "The connection broke again and again, and this server cannot go on in the middle of a file.",
                        detail=error.detail,
                    ) from error
                log.info("a download begins anew: %s", error.detail)
                self._around.say(
                    "This server cannot go on in the middle of a file, so this one starts from the beginning."
                )
            except Changed as error:
                changes += 1
                if changes > manner.restarts:
                    raise FileChanged(
                        f"{self._part.target.name} changed on the server again and again while it was downloaded.",
                        detail=error.detail,
                    ) from error
                log.info("a download begins anew: %s", error.detail)
                self._around.say("The file changed on the server, so it starts from the beginning.")
            self._part.restart()


class _Attempt:
    """One beginning of a file: its connections, the thread that checks, and how they end together."""

    def __init__(self, around: Surroundings, action: Action, part: Part, *, whole: bool, single: bool) -> None:
        self._around = around
        self._action = action
        self._part = part
        self._whole = whole
        self._single = single or whole
        self._over = threading.Event()
        self._changed = threading.Condition(threading.RLock())
        self._running = 0
        self._error: BaseException | None = None
        self._verdict: bool | None = None
        self._more: _More | None = None
        self._sources = Sources(around.gate, part.promise, around.token)
        self._reader = Reader(
            around.gate, part, around.manner, around.throttle, whole=whole, token=around.token, over=self._over
        )
        fingerprint = Fingerprint(part.promise.sha256, "", part.promise.size_bytes)
        self.follower = Follower(part, fingerprint, around.manner.save_s, self._over)

    def run(self) -> None:
        manner, part = self._around.manner, self._part
        missing = part.missing()
        try:
            if missing:
                source = self._first_source()
                if not part.promise.sha256:
                    fingerprint = Fingerprint("", source.etag, part.promise.size_bytes)
                    self.follower = Follower(part, fingerprint, manner.save_s, self._over)
            self._start(CHECKING, self._check)
            size = part.promise.size_bytes
            if missing:
                count = 1 if self._single else manner.connections_for(sum(end - start for start, end in missing))
                missing = [(0, size)] if self._whole else missing
                pieces = Pieces(missing, count, manner.piece_min_bytes // 4, manner.piece_max_bytes)
                at_once = count if not manner.enough_bytes_per_s else 1
                self._connect(pieces, 0, at_once)
                if at_once < count:
                    self._more = _More(self._reader, manner, lambda: self._connect(pieces, at_once, count))
            self._wait()
        finally:
            self._end()
        if not self._verdict:
            raise FingerprintMismatch(
                f"Fingerprint did not match; file removed. What came as {part.target.name} is not what its makers "
                "published.",
                detail=f"expected sha256 {part.promise.sha256}",
            )

    def _connect(self, pieces: Pieces, first: int, last: int) -> None:
        for number in range(first, last):
            self._start(f"{CONNECTION}-{number + 1}", lambda: self._connection(pieces))

    def _first_source(self) -> Source:
        patience = Patience(self._around, self._over, lambda: self._part.done_bytes)
        while True:
            self._raise_if_ended()
            try:
                return self._sources.current()
            except (HubError, NetworkError) as error:
                patience.failed(error)

    def _start(self, name: str, run: Callable[[], None]) -> None:
        with self._changed:
            self._running += 1

        def guarded() -> None:
            try:
                with self._around.gate.join(self._action):
                    run()
            except BaseException as error:  # noqa: BLE001 - the edge of this thread: the attempt ends with it
                self._fail(error)
            finally:
                with self._changed:
                    self._running -= 1
                    self._changed.notify_all()

        self._around.spawn(name, guarded)

    def _fail(self, error: BaseException) -> None:
        with self._changed:
            if not (self._over.is_set() and isinstance(error, Stopped)):
                self._error = self._error or error
            self._changed.notify_all()

    def _check(self) -> None:
        verdict = self.follower.run()
        with self._changed:
            self._verdict = verdict
            self._changed.notify_all()

    def _wait(self) -> None:
        ended = self._around.ended
        with self._changed:
            while self._verdict is None and self._error is None and not ended.is_set():
                self._changed.wait(TICK_S if self._more is None else _More.TICK_S)
                if self._more is not None and self._more.due():
                    more, self._more = self._more, None
                    more.connect()
            error = self._error
        self._raise_if_ended()
        if error is not None:
            raise error

    def _raise_if_ended(self) -> None:
        if self._around.ended.is_set():
            raise Stopped("The download was stopped.")

    def _end(self) -> None:
        self._over.set()
        if self._error is not None or self._around.ended.is_set():
            until = time.monotonic() + self._around.manner.leave_s
        else:
            until = time.monotonic() + 5.0  # all is there: they are about to leave
        with self._changed:
            while self._running and (left := until - time.monotonic()) > 0:
                self._changed.wait(left)

    def _connection(self, pieces: Pieces) -> None:
        """The life of one connection's thread: piece after piece."""
        while not self._over.is_set() and (piece := pieces.take()) is not None:
            self._fetch(piece)
            if not self._over.is_set():
                pieces.done(piece)

    def _fetch(self, piece: Piece) -> None:
        patience = Patience(self._around, self._over, lambda: self._part.done_bytes)
        source: Source | None = None
        while not self._over.is_set() and piece.left > 0:
            before = piece.position
            try:
                source = self._sources.current()
                self._reader.read(source, piece)
                continue
            except (Unusable, HubError, NetworkError) as error:
                if self._over.is_set():
                    return
                if isinstance(error, Changed) or (isinstance(error, NoRanges) and patience.seen_before()):
                    raise
                if isinstance(error, (Outdated, NoRanges)) and source is not None:
                    self._sources.outdated(source)
                patience.failed(error)
                if self._whole and piece.position > before:
                    raise NoRanges("the connection broke") from error


class _More:
    """When the other connections of a file are worth opening: once the first one is found to be slower than enough."""

    TICK_S = 0.01
    FIRST_S = 0.02
    LATER_S = 0.5
    SILENT_S = 0.3

    def __init__(self, reader: Reader, manner: Manner, connect: Callable[[], None]) -> None:
        self.connect = connect
        self._reader = reader
        self._enough = manner.enough_bytes_per_s
        self._began = self._since = time.monotonic()
        self._before = 0
        self._measured = False

    def due(self) -> bool:
        """Whether to open them now; to be asked every TICK_S."""
        now, done = time.monotonic(), self._reader.received
        if self._before == 0:  # nothing came before the last look: time runs from the first bytes on
            self._before, self._since = done, now
            return now - self._began > self.SILENT_S
        if now - self._since < (self.LATER_S if self._measured else self.FIRST_S):
            return False
        slow = done - self._before < self._enough * (now - self._since)
        self._before, self._since, self._measured = done, now, True
        return slow
