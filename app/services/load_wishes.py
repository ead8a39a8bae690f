"""What is wished of the engine, one wish after the other, worked off by one thread of its own.

What a wish means is the business of `loading`.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future

import msgspec

from app.base.errors import InglenookError
from app.base.threads import NoRoom
from app.engine.values import LoadedModel, LoadOptions, ModelFile
from app.services.errors import ServiceError
from app.services.jobs import LOADING, Jobs

log = logging.getLogger(__name__)


class Ready(msgspec.Struct, frozen=True, kw_only=True):
    """A loaded model: the library's view and the engine's. `stepped_down`: what was given up for it, '' for nothing."""

    file: ModelFile
    model: LoadedModel
    stepped_down: str = ""


class Wish:
    """One model to be loaded, or None to unload. Several may wait for the same wish.

    `by_hand`: with these options. `again`: even if it is loaded as it should be. `insist`: even if the system has to
    swap. `idle`: only if nobody uses what is loaded. `awaited`: a reply waits for it.
    """

    def __init__(
        self, file: ModelFile | None, *, remember: bool = False, restarted: bool = False,
        by_hand: LoadOptions | None = None, again: bool = False, insist: bool = False, idle: bool = False,
        awaited: bool = False,
    ) -> None:  # fmt: skip
        self.file = file
        self.remember = remember
        self.restarted = restarted
        self.by_hand = by_hand
        self.again = again
        self.insist = insist
        self.idle = idle
        self.awaited = awaited
        self.cancelled = threading.Event()
        self.future: Future[Ready | None] = Future()


class Wishes:
    """Thread-safe. The thread starts with the first wish."""

    def __init__(
        self,
        fulfil: Callable[[Wish], Ready | None],
        broken: Callable[[ServiceError], None],
        pause_s: Callable[[], float | None],
        idle: Callable[[], bool],
        jobs: Jobs,
    ) -> None:
        """`fulfil` raises what keeps a wish from being fulfilled; `broken` hears of our own faults. After `pause_s`
        without a wish (None: never) `idle` is asked whether to unload."""
        self._fulfil = fulfil
        self._broken = broken
        self._pause_s = pause_s
        self._idle = idle
        self._jobs = jobs
        self._lock = threading.Lock()
        self._queue: queue.SimpleQueue[Wish | None] = queue.SimpleQueue()
        self._running = False
        self._waiting = 0  # those that the thread has not taken up yet
        self._current: Wish | None = None

    @property
    def current(self) -> Wish | None:
        """The one that is being fulfilled."""
        return self._current

    @property
    def any(self) -> bool:
        """Whether one is being fulfilled or waits."""
        with self._lock:
            return self._current is not None or self._waiting > 0

    def put(self, wish: Wish) -> Wish:
        """Takes a wish, and returns it. Raises NoRoom."""
        with self._lock:
            start, self._running = not self._running, True
            self._waiting += 1
        self._queue.put(wish)
        if start:
            try:
                self._jobs.start(LOADING, self._work)
            except NoRoom:  # the next wish tries again, and fulfils this one first
                with self._lock:
                    self._running = False
                raise
        return wish

    def end(self) -> None:
        """Ends the thread."""
        self._queue.put(None)

    def _next(self) -> Wish | None:
        while True:
            try:
                wish = self._queue.get(timeout=self._pause_s())
            except queue.Empty:
                if self._idle():
                    self.put(Wish(None, idle=True))
                continue
            with self._lock:
                self._waiting -= 1 if wish is not None else 0
                self._current = wish
            return wish

    def _work(self) -> None:
        while (wish := self._next()) is not None:
            result: Ready | None = None
            refusal: InglenookError | None = None
            try:
                result = self._fulfil(wish)
            except InglenookError as error:
                refusal = error
            except Exception as error:  # the edge of this thread: the next wish must still be heard
                log.exception("loading failed")
                refusal = ServiceError(
                    "The model could not be loaded because of a fault in Inglenook.", detail=type(error).__name__
                )
                self._broken(refusal)
            with self._lock:
                self._current = None
            if refusal is not None:
                wish.future.set_exception(refusal)
            else:
                wish.future.set_result(result)
