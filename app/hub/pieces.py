"""Who fetches which bytes: the missing ones in order, in pieces, and the tail of a slow piece when nothing else is
left. No byte is ever two connections' own: what was hashed must not be written a second time.

Pure bookkeeping. What a connection does is not known here.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable

from app.hub.spans import Span


class Piece:
    """Bytes from `position` to before `end` that one connection is fetching. `end` may come nearer meanwhile."""

    def __init__(self, start: int, end: int) -> None:
        self._lock = threading.Lock()
        self.position = start
        self.end = end

    @property
    def left(self) -> int:
        """How many bytes are still to come."""
        return self.end - self.position

    def claim(self, count: int) -> tuple[int, int]:
        """Where the next `count` bytes belong, and how many of them are still this piece's."""
        with self._lock:
            start, count = self.position, min(count, self.end - self.position)
            self.position += count
            return start, count

    def share(self, from_bytes: int) -> Piece | None:
        """Gives the second half away, if at least `from_bytes` are left."""
        with self._lock:
            if self.left < from_bytes:
                return None
            middle = self.end - self.left // 2
            other, self.end = Piece(middle, self.end), middle
            return other


class Pieces:
    """The work of one file for `connections` that take part in it."""

    def __init__(self, missing: Iterable[Span], connections: int, least_bytes: int, most_bytes: int) -> None:
        """Pieces have between `least_bytes` and `most_bytes`; a single connection gets everything in one."""
        self._lock = threading.Lock()
        self._waiting = deque(missing)
        self._left = sum(end - start for start, end in self._waiting)
        self._connections = connections
        self._least = max(1, least_bytes)
        self._most = max(1, most_bytes)
        self._taken: list[Piece] = []

    def take(self) -> Piece | None:
        """The next piece, in the order of the file, else the second half of what is left of the largest one; None when
        everything is in good hands.

        Pieces become smaller towards the end, so that all connections end together and what comes out of order waits
        little before it can be checked.
        """
        with self._lock:
            piece: Piece | None
            if self._waiting:
                piece = self._next()
            else:
                slowest = max(self._taken, key=lambda one: one.left, default=None)
                piece = slowest.share(2 * self._least) if slowest is not None and self._connections > 1 else None
            if piece is not None:
                self._taken.append(piece)
            return piece

    def _next(self) -> Piece:
        start, end = self._waiting.popleft()
        if self._connections > 1:
            cut = start + max(self._least, min(self._most, self._left // (2 * self._connections)))
            if cut < end:
                self._waiting.appendleft((cut, end))
                end = cut
        self._left -= end - start
        return Piece(start, end)

    def done(self, piece: Piece) -> None:
        """It is all there."""
        with self._lock:
            self._taken.remove(piece)
