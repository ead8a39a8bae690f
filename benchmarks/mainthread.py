"""How busy the main thread is: the work of each frame, and how long it was away from its events."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from PySide6.QtCore import QEventLoop, Qt, QTimer

from benchmarks.figures import percentile

FRAME_S = 1 / 60
LOOK_S = 0.0003
LONG_MS = 16.0


class Frames:
    """Runs the application at 60 frames a second; a frame's work is everything between its start and the next one's:
    the input, painting, idle slices, timers and other events, without the waiting between them."""

    def __init__(self) -> None:
        self._loop = QEventLoop()

    def frame(self, act: Callable[[], None]) -> tuple[float, float]:
        """One frame that begins with `act`: milliseconds of work, and of the thread's CPU time in it (in the rest it
        waited for a core, a lock or the screen). The frame lasts longer than a 60th of a second if the work does."""
        begun, cpu_begun = time.perf_counter(), time.thread_time()
        act()
        work, cpu = time.perf_counter() - begun, time.thread_time() - cpu_begun
        while True:
            before, cpu_before = time.perf_counter(), time.thread_time()
            if self._loop.processEvents(QEventLoop.ProcessEventsFlag.AllEvents):
                work += time.perf_counter() - before
                cpu += time.thread_time() - cpu_before
            elif before - begun < FRAME_S:
                time.sleep(LOOK_S)
                continue
            if time.perf_counter() - begun >= FRAME_S:
                return work * 1000, cpu * 1000


@dataclass
class Beats:
    """What a timer of 1 ms saw in a stretch of time: gaps in ms with the thread's own CPU in them, shares of a core."""

    gaps: list[float] = field(default_factory=list)
    own: list[float] = field(default_factory=list)
    seconds: float = 0.0
    thread_share: float = 0.0
    process_share: float = 0.0

    def p99(self) -> float:
        """99 % of the gaps are not longer."""
        return percentile(self.gaps, 0.99)

    def longest(self) -> tuple[float, float]:
        """The longest gap, and the CPU time of the thread in it: the rest it waited for a core, a lock or the disk."""
        return max(zip(self.gaps, self.own, strict=True))

    def long(self) -> int:
        """How many gaps are longer than a frame."""
        return sum(gap > LONG_MS for gap in self.gaps)


class Beat:
    """A precise timer of 1 ms on the main thread; it takes some per cent of a core itself, which are not taken off."""

    def __init__(self) -> None:
        self._timer = QTimer()
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self._tick)
        self._beats = Beats()
        self._last = self._last_cpu = 0.0

    def _tick(self) -> None:
        now, cpu = time.perf_counter(), time.thread_time()
        self._beats.gaps.append((now - self._last) * 1000)
        self._beats.own.append((cpu - self._last_cpu) * 1000)
        self._last, self._last_cpu = now, cpu

    def during(self, run: Callable[[], None]) -> Beats:
        """The beats while `run` runs the event loop."""
        self._beats = beats = Beats()
        begun, cpu, process = time.perf_counter(), time.thread_time(), time.process_time()
        self._last, self._last_cpu = begun, cpu
        self._timer.start(1)
        run()
        self._timer.stop()
        self._tick()
        beats.seconds = time.perf_counter() - begun
        beats.thread_share = (time.thread_time() - cpu) / beats.seconds
        beats.process_share = (time.process_time() - process) / beats.seconds
        return beats
