"""How fast and how patiently: a limit on bytes per second that several downloads share, waiting between tries, and the
speed of the last seconds."""

from __future__ import annotations

import random
import threading
import time
from collections import deque
from collections.abc import Callable

import msgspec

MIB = 1024 * 1024


class Manner(msgspec.Struct, frozen=True, kw_only=True):
    """How files are fetched. Seconds and bytes."""

    connections: int = 8
    enough_bytes_per_s: int = 100_000_000
    """When one connection is as fast as this, further ones only cost: checking is hardly faster. 0: all at once."""
    piece_min_bytes: int = 4 * MIB
    """A further connection has to have so much to do."""
    piece_max_bytes: int = 32 * MIB
    """How much is asked for at once: so much that asking costs nothing, and so little that what came out of order is
    still in memory when it is its turn to be checked."""
    connect_s: float = 10.0
    stall_s: float = 20.0
    """A connection that brings nothing for so long is given up."""
    backoff_s: float = 0.5
    backoff_max_s: float = 60.0
    asked_wait_max_s: float = 600.0
    patience_s: float = 900.0
    """Without one byte for so long, the download fails (and can be taken up again)."""
    tries: int = 4
    """How often an answer may be unusable in a row before this is said."""
    restarts: int = 2
    """How often a file may begin anew because the server changed it or cannot go on."""
    save_s: float = 1.0
    leave_s: float = 0.25
    """How long the end of a download waits for its threads; those that are late find its file closed."""

    def connections_for(self, size: int) -> int:
        """How many connections are worth their while for `size` bytes: small files use one."""
        return max(1, min(self.connections, size // self.piece_min_bytes))


class Throttle:
    """A limit on bytes per second, asked for anew each time; 0 is none. Shared by all threads."""

    def __init__(self, limit: Callable[[], int] = lambda: 0) -> None:
        self._limit = limit
        self._lock = threading.Lock()
        self._free_at = 0.0

    def wait(self, count: int, ended: threading.Event) -> None:
        """Waits as long as `count` bytes take; returns early once `ended` is set."""
        limit = self._limit()
        if limit <= 0:
            return
        now = time.monotonic()
        with self._lock:
            self._free_at = max(now, self._free_at) + count / limit
            pause = self._free_at - now
        if pause > 0.005:
            ended.wait(pause)


def pause_s(manner: Manner, failures: int, asked_s: float = 0.0) -> float:
    """How long to wait after so many failures in a row: twice as long each time, at least what the server asked for,
    and never the same for two who began together."""
    doubled = min(manner.backoff_max_s, manner.backoff_s * 2 ** min(failures - 1, 30))
    own: float = doubled * random.uniform(0.5, 1.0)
    if asked_s <= 0:
        return own
    return min(asked_s, manner.asked_wait_max_s) + random.uniform(0.0, min(1.0, own))


class Speed:
    """Bytes per second over the last few seconds. Not locked."""

    def __init__(self, over_s: float = 5.0) -> None:
        self._over_s = over_s
        self._seen: deque[tuple[float, int]] = deque()

    def note(self, done: int, now: float | None = None) -> float:
        """Told how many bytes are done now; returns the speed."""
        now = time.monotonic() if now is None else now
        if self._seen and done < self._seen[-1][1]:
            self._seen.clear()  # it began anew
        self._seen.append((now, done))
        while len(self._seen) > 2 and now - self._seen[1][0] >= self._over_s:
            self._seen.popleft()
        (then, before) = self._seen[0]
        return (done - before) / (now - then) if now - then > 0.2 else 0.0
