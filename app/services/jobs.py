"""Every thread that the services own: started here, named, and joined at the end.

Each job gets an event that means 'end soon'; a job that waits, waits for that event too. The names are what a
debugger shows.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

from app.base.threads import NoRoom, start_thread

log = logging.getLogger(__name__)

T = TypeVar("T")

REPLIES = "inglenook-replies"
REPLY = "inglenook-reply"
LOADING = "inglenook-loading"
CONTEXTS = "inglenook-contexts"
NOTES = "inglenook-notes"
SNAPSHOTS = "inglenook-snapshots"
WATCH = "inglenook-watch"
LEDGER = "inglenook-ledger"
BROWSING = "inglenook-browsing"
FITTING = "inglenook-fitting"
PICTURES = "inglenook-pictures"
DOWNLOADS = "inglenook-downloads"
DOWNLOAD = "inglenook-download"
WAKEFULNESS = "inglenook-wakefulness"
TASKS = "inglenook-tasks"


class Jobs:
    """The threads of one application. `close` ends all of them within a bounded time."""

    def __init__(self) -> None:
        self._ending = threading.Event()
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []
        # Not an executor: the interpreter would wait at its end for a task that hangs on a dead network drive.
        self._tasks: queue.SimpleQueue[tuple[Callable[[], Any], Future[Any]] | None] = queue.SimpleQueue()
        self._tasking = False

    @property
    def ending(self) -> threading.Event:
        """Set once everything is to end."""
        return self._ending

    def start(self, name: str, run: Callable[[], None]) -> None:
        """Runs `run` on its own thread; it must return soon after `ending` is set. An error that escapes goes to the
        log. Raises NoRoom."""
        thread = threading.Thread(target=run, name=name, daemon=True)
        with self._lock:
            if self._ending.is_set():
                return
            self._threads = [one for one in self._threads if one.is_alive()]
            start_thread(thread)
            self._threads.append(thread)

    def later(self, name: str, delay_s: float, task: Callable[[], None]) -> Callable[[], None]:
        """Runs `task` once after a pause, on a thread of its own; returns what calls it off, as the end does too.

        Raises NoRoom."""
        timer = threading.Timer(delay_s, task)
        timer.name = name
        timer.daemon = True
        with self._lock:
            if not self._ending.is_set():
                start_thread(timer)
                self._threads = [*(thread for thread in self._threads if thread.is_alive()), timer]
        return timer.cancel

    def submit(self, task: Callable[[], T]) -> Future[T]:
        """Runs a short task on the one thread for such tasks, in order. After the end it is cancelled.

        Raises NoRoom."""
        future: Future[T] = Future()
        with self._lock:
            if self._ending.is_set():
                future.cancel()
                return future
            self._tasks.put((task, future))
            first, self._tasking = not self._tasking, True
        if first:
            try:
                self.start(TASKS, self._work)
            except NoRoom:
                with self._lock:
                    self._tasking = False
                raise
        return future

    def close(self, timeout_s: float = 5.0) -> None:
        """Asks all threads to end and joins them, together for at most `timeout_s`."""
        self._ending.set()
        deadline = time.monotonic() + timeout_s
        with self._lock:
            threads = list(self._threads)
            self._tasks.put(None)
        for thread in threads:
            if isinstance(thread, threading.Timer):
                thread.cancel()
            if thread is not threading.current_thread():
                thread.join(max(0.0, deadline - time.monotonic()))
                if thread.is_alive():
                    log.warning("thread %s did not end in time", thread.name)

    def _work(self) -> None:
        while (entry := self._tasks.get()) is not None:
            task, future = entry
            if self._ending.is_set():
                future.cancel()
            if not future.set_running_or_notify_cancel():
                continue
            try:
                result = task()
            except BaseException as error:  # the edge of this thread: the error is the Future's
                log.error("a task failed", exc_info=error)
                future.set_exception(error)
            else:
                future.set_result(result)
