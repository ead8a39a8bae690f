"""Questions to an engine process of its own, one after another, on one thread that ends when nobody asks for a while.

The process is started with the first question and kept for some seconds after the last one. What is asked, and what
the answer means, is `fitting`'s.
"""

from __future__ import annotations

import logging
import queue
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from pathlib import Path

from app.base.errors import InglenookError
from app.engine.errors import Cancelled
from app.engine.hardware import Fit
from app.engine.probe import Probe
from app.privacy.errors import NetworkError
from app.privacy.gate import Gate
from app.privacy.policy import Action
from app.services.jobs import FITTING, Jobs

log = logging.getLogger(__name__)

KEEP_PROBE_S = 5.0
LOOK_S = 0.25
QUIET_S = 3.0
"""How long nothing must have been written or asked before something runs that takes all cores."""

Key = tuple[str, int, str]
"""Of which content, with how many tokens, and which KV type."""

QuietTask = Callable[[Callable[[], Probe], Callable[[], bool]], bool]


class Question:
    """One that waits or is being answered. `ask` gets the process and an empty folder that is removed afterwards."""

    def __init__(self, key: Key, ask: Callable[[Probe, Path, Question], Fit]) -> None:
        self.key = key
        self.ask = ask
        self.future: Future[Fit] = Future()
        self._lock = threading.Lock()
        self._action: Action | None = None
        self._given_up = False

    def begin(self, action: Action) -> None:
        """Its requests belong to this action. Raises Cancelled when nobody wants the answer any more."""
        with self._lock:
            self._action = action
            if self._given_up:
                raise Cancelled()

    def give_up(self) -> Action | None:
        """Nobody wants the answer any more: what is to be cancelled at the gate, if it came that far."""
        with self._lock:
            self._given_up = True
            return self._action


class Questions:
    """All methods may be called from any thread."""

    def __init__(self, command: Sequence[str], gate: Gate, jobs: Jobs, busy: Callable[[], bool]) -> None:
        """`busy` tells whether a reply is being written or a model loaded right now."""
        self._command = list(command)
        self._gate = gate
        self._jobs = jobs
        self._busy = busy
        self._quiet_task: QuietTask | None = None
        self._quiet_s = 0.0
        self._lock = threading.Lock()
        self._waiting: queue.SimpleQueue[Question] = queue.SimpleQueue()
        self._open: dict[Key, Question] = {}
        self._running = False
        self._closed = False
        self._probe: Probe | None = None

    @property
    def over(self) -> bool:
        """Everything is to end."""
        return self._closed or self._jobs.ending.is_set()

    def put(self, key: Key, ask: Callable[[Probe, Path, Question], Fit]) -> Future[Fit]:
        """Asks, unless the same question is open already."""
        with self._lock:
            known = self._open.get(key)
            if known is not None and not known.future.cancelled():
                return known.future
            question = Question(key, ask)
            if self.over:
                question.future.cancel()
                return question.future
            self._open[key] = question
            start, self._running = not self._running, True
            self._waiting.put(question)
        if start:
            self._jobs.start(FITTING, self._work)
        return question.future

    def when_quiet(self, task: QuietTask, *, now: bool = False) -> None:
        """Runs `task(started, stop)` once nothing has been written or asked for QUIET_S, or as soon as nothing is
        (`now`); again and again until it gives True. `started` gives the process, another one after it died. The task
        is to give up with False as soon as `stop` says so."""
        with self._lock:
            if self.over:
                return
            self._quiet_task, self._quiet_s = task, QUIET_S if now else 0.0
            start, self._running = not self._running, True
        if start:
            self._jobs.start(FITTING, self._work)

    def cancel(self, future: Future[Fit]) -> None:
        """Nobody wants this answer any more: its requests end, and it fails with Cancelled if it was begun."""
        future.cancel()
        with self._lock:
            question = next((one for one in self._open.values() if one.future is future), None)
        if question is not None and (action := question.give_up()) is not None:
            self._gate.cancel(action)

    def close(self) -> None:
        """Ends the process and every question. Idempotent."""
        with self._lock:
            self._closed = True
            left = [*self._open.values()]
        for question in left:
            self.cancel(question.future)
        self._end_probe()

    # --- the thread ---------------------------------------------------------------------------------------------------

    def _work(self) -> None:
        last = time.monotonic()
        while not self.over:
            try:
                question = self._waiting.get(timeout=LOOK_S)
            except queue.Empty:
                if self._tend():
                    last = time.monotonic()
                if time.monotonic() - last < KEEP_PROBE_S:
                    continue
                self._end_probe()
                if self._rest():
                    return
                continue
            self._answer(question)
            last = time.monotonic()
        self._end_probe()
        with self._lock:
            left, self._open = [*self._open.values()], {}
        for one in left:
            one.future.cancel()

    def _rest(self) -> bool:
        with self._lock:
            if not self._waiting.empty() or self._quiet_task is not None:
                return False
            self._running = False
            return True

    def _tend(self) -> bool:
        """Runs what waits for quiet, if it is quiet; whether it did."""
        with self._lock:
            task = self._quiet_task
            self._quiet_s = 0.0 if self._busy() else self._quiet_s + LOOK_S
            if task is None or self._quiet_s < QUIET_S:
                return False
        try:
            done = task(self._started, lambda: self.over or self._busy() or not self._waiting.empty())
        except Exception:  # the edge of this thread
            if not self.over:  # else it was closed under it
                log.exception("nothing came of a quiet moment")
            done = True
        with self._lock:
            self._quiet_s = 0.0
            if done and self._quiet_task is task:
                self._quiet_task = None
        self._end_probe()  # it may hold a model
        return True

    def _answer(self, question: Question) -> None:
        try:
            if not question.future.set_running_or_notify_cancel():
                return
            with tempfile.TemporaryDirectory(prefix="inglenook-fit-", ignore_cleanup_errors=True) as folder:
                answer = question.ask(self._started(), Path(folder), question)
            question.future.set_result(answer)
        except Exception as error:  # the edge of this thread: the question ends with it
            if not isinstance(error, InglenookError):
                log.exception("a question what fits failed")
            if not isinstance(error, NetworkError):
                self._end_probe()  # it may have died, or hold a model to measure with
            question.future.set_exception(error)
        finally:
            with self._lock:
                if self._open.get(question.key) is question:
                    del self._open[question.key]

    def _started(self) -> Probe:
        with self._lock:
            if self._closed:
                raise Cancelled()
            if self._probe is None or self._probe.ended:
                self._probe = Probe(self._command)
            probe = self._probe
        probe.start()
        return probe

    def _end_probe(self) -> None:
        with self._lock:
            probe, self._probe = self._probe, None
        if probe is not None:
            probe.close()
