"""How another thread has something done on the llama.cpp thread, and how it is handed work: a queue each way.

Nothing here knows what is done.
"""

from __future__ import annotations

import contextlib
import os
import queue
import sys
import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar

from app.base.threads import start_thread

T = TypeVar("T")

IDLE_S = 20.0
_KINDER = 10  # niceness: reading and writing files must not take a core from who decodes


class EndedError(Exception):
    """The llama.cpp thread does nothing for others any more."""


class _Ask:
    def __init__(self, action: Callable[[], Any]) -> None:
        self.action = action
        self.answer: Any = None
        self.fault: BaseException | None = None
        self.done = threading.Event()


class Asking:
    """`ask` is for other threads, the rest for the llama.cpp thread. `wake` makes that one look."""

    def __init__(self, wake: Callable[[], None]) -> None:
        self._wake = wake
        self._asked: queue.SimpleQueue[_Ask] = queue.SimpleQueue()
        self._ended = False

    def ask(self, action: Callable[[], T]) -> T:
        """Have `action` done there, and wait. Raises what it raises, and EndedError."""
        ask = _Ask(action)
        self._asked.put(ask)
        if self._ended:  # looked at after it was put: whoever ended has not seen it
            self._refuse()
        self._wake()
        ask.done.wait()
        if ask.fault is not None:
            raise ask.fault
        return ask.answer  # type: ignore[no-any-return] # what the action returned

    def serve(self) -> None:
        """Do what has been asked so far."""
        for _ in range(self._asked.qsize()):
            self._serve_one(0.0)

    def serve_until(self, done: Callable[[], bool], deadline: float) -> bool:
        """Do what is asked until something holds, or until a time of the monotonic clock; whether it holds."""
        while not done():
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            self._serve_one(left)
        return True

    def end(self) -> None:
        """Whoever asks from now on gets EndedError."""
        self._ended = True
        self._refuse()

    def _serve_one(self, timeout_s: float) -> None:
        try:
            ask = self._asked.get(timeout=timeout_s) if timeout_s > 0 else self._asked.get_nowait()
        except queue.Empty:
            return
        try:
            ask.answer = ask.action()
        except Exception as fault:  # noqa: BLE001 - it belongs to the thread that asked, which must not wait for ever
            ask.fault = fault
        ask.done.set()

    def _refuse(self) -> None:
        with contextlib.suppress(queue.Empty):
            while True:
                ask = self._asked.get_nowait()
                ask.fault = EndedError()
                ask.done.set()


class Worker:
    """A thread that does one job after the other and is kind to those who compute.

    It starts with the first job. `idle` is called there when there was nothing to do for a while. A job must not raise.
    """

    def __init__(self, name: str, idle: Callable[[], None]) -> None:
        self._name = name
        self._idle = idle
        self._jobs: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None

    def submit(self, job: Callable[[], None]) -> None:
        """Do this after what was submitted before. Raises NoRoom."""
        if self._thread is None:
            thread = threading.Thread(target=self._run, name=self._name, daemon=True)
            start_thread(thread)
            self._thread = thread
        self._jobs.put(job)

    def end(self, timeout_s: float) -> None:
        """No more jobs; waits a while for the present one."""
        self._jobs.put(None)
        if self._thread is not None:
            self._thread.join(timeout_s)

    def _run(self) -> None:
        if sys.platform == "linux":  # where threads have a niceness of their own
            with contextlib.suppress(OSError):
                os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _KINDER)
        waited = False
        while True:
            try:
                job = self._jobs.get(timeout=None if waited else IDLE_S)
            except queue.Empty:
                waited = True
                self._idle()
                continue
            if job is None:
                return
            waited = False
            job()
