"""Every thread that the services own: started here, named, and joined at the end. Other rooms are handed an executor.

Each job gets an event that means 'end soon'; a job that waits, waits for that event too. The names are what a
debugger shows.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

log = logging.getLogger(__name__)

T = TypeVar("T")

REPLIES = "inglenook-replies"
LOADING = "inglenook-loading"
WATCH = "inglenook-watch"
TASKS = "inglenook-tasks"


class Jobs:
    """The threads of one application. `close` ends all of them within a bounded time."""

    def __init__(self) -> None:
        self._ending = threading.Event()
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []
        self._tasks: ThreadPoolExecutor | None = None

    @property
    def ending(self) -> threading.Event:
        """Set once everything is to end."""
        return self._ending

    def start(self, name: str, run: Callable[[], None]) -> None:
        """Runs `run` on its own thread; it must return soon after `ending` is set. An error that escapes goes to the
        log."""
        thread = threading.Thread(target=run, name=name, daemon=True)
        with self._lock:
            if self._ending.is_set():
                return
            self._threads.append(thread)
            thread.start()

    def submit(self, task: Callable[[], T]) -> Future[T]:
        """Runs a short task on the one thread for such tasks, in order. After the end it is cancelled."""
        with self._lock:
            if not self._ending.is_set():
                if self._tasks is None:
                    self._tasks = ThreadPoolExecutor(1, thread_name_prefix=TASKS)
                future = self._tasks.submit(task)
                future.add_done_callback(_tell)
                return future
        cancelled: Future[T] = Future()
        cancelled.cancel()
        return cancelled

    def close(self, timeout_s: float = 5.0) -> None:
        """Asks all threads to end and joins them, together for at most `timeout_s`."""
        self._ending.set()
        deadline = time.monotonic() + timeout_s
        with self._lock:
            threads, tasks = list(self._threads), self._tasks
        if tasks is not None:
            tasks.shutdown(wait=True, cancel_futures=True)
        for thread in threads:
            if thread is not threading.current_thread():
                thread.join(max(0.0, deadline - time.monotonic()))
                if thread.is_alive():
                    log.warning("thread %s did not end in time", thread.name)


def _tell(future: Future[T]) -> None:
    if not future.cancelled() and (error := future.exception()) is not None:
        log.error("a task failed", exc_info=error)
