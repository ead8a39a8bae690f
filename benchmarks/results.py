"""What is done to the Models page in its window while it is measured: searching, scrolling through what was found.

Each function runs on the main thread of the real application (inside.py) and returns numbers.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from PySide6.QtCore import QCoreApplication, QEventLoop, QPoint, QPointF, Qt, QTimer
from PySide6.QtGui import QWheelEvent

from app.hub.client import Answer, HubClient
from app.ui.components.models.search_pane import SearchPane
from benchmarks.inside import Inside, Painted
from benchmarks.mainthread import Beat, Beats
from benchmarks.processes import BenchmarkError

WORDS = "crowd"  # all repositories of the Hub have it in their names
OTHER_WORDS = "crowd gemma"
EXPECTED = 5000
FRAME_MS = 16
WHEEL = -360  # 423 px a frame
DRAG_STEPS = 120
REST_S = 4.0
MOST_S = 60.0


class _Answers:
    """Notes when the body of each list of the Hub has been read, and how long it is."""

    def __init__(self) -> None:
        self.ends: list[float] = []
        self.sizes: list[int] = []
        inner = HubClient.get

        def get(client: HubClient, path: str, params: Sequence[tuple[str, str]] | str = (), **options: Any) -> Answer:
            answer = inner(client, path, params, **options)
            if path == "/api/models":
                self.ends.append(time.perf_counter())
                self.sizes.append(len(answer.body))
            return answer

        HubClient.get = get  # type: ignore[assignment, method-assign]


def first(inside: Inside) -> dict[str, float]:
    """The first search of this process, and another one after it."""
    answers = _Answers()
    pane = _pane(inside)
    took = _searched(inside, pane, answers, WORDS)
    rows, size = len(pane.model.rows), answers.sizes[0]
    inside.settle()
    following = _searched(inside, pane, answers, OTHER_WORDS)
    return {"first_ms": took * 1000, "next_ms": following * 1000, "rows": rows, "kb": size / 1000}


def scroll(inside: Inside) -> dict[str, float]:
    """The wheel is turned until all results are there and the last one is in sight, then the bar is drawn."""
    answers = _Answers()
    pane = _pane(inside)
    _searched(inside, pane, answers, WORDS)
    inside.settle()
    beat = Beat()
    rest = beat.during(lambda: inside.settle(REST_S))
    wheel = beat.during(lambda: _each_frame(_turned(pane)))
    if len(pane.model.rows) < EXPECTED:
        raise BenchmarkError(
            f"only {len(pane.model.rows)} results came: {pane.status.text()} {pane.notice.title.text()}"
        )
    drag = beat.during(lambda: _each_frame(_drawn(pane)))
    return {
        **_told(wheel),
        "rows": len(pane.model.rows),
        "pages": len(answers.ends),
        "rest_longest_ms": rest.longest()[0],
        "drag_longest_ms": drag.longest()[0],
    }


def _told(beats: Beats) -> dict[str, float]:
    longest, own = beats.longest()
    return {
        "longest_ms": longest,
        "longest_own_ms": own,
        "most_own_ms": max(beats.own),
        "p99_ms": beats.p99(),
        "share": beats.thread_share,
        "seconds": beats.seconds,
    }


def _pane(inside: Inside) -> SearchPane:
    inside.window.show_models()
    inside.settle()
    return inside.window.visits.models.find_tab.search


def _searched(inside: Inside, pane: SearchPane, answers: _Answers, words: str) -> float:
    """Types words into the field; seconds from the end of the answer until the results are painted."""
    before, shown = len(answers.ends), list[Painted]()

    def note() -> None:
        if not shown:
            shown.append(Painted(inside.window, pane.list.viewport()))

    pane.model.modelReset.connect(note)
    pane.field.setText(words)
    inside.wait(lambda: bool(shown and shown[0].at), look_ms=1)
    pane.model.modelReset.disconnect(note)
    shown[0].leave()
    if not pane.asked or len(answers.ends) == before or not pane.model.rows:
        raise BenchmarkError("what was painted is not the answer")
    return shown[0].at - answers.ends[before]


def _each_frame(step: Callable[[], bool]) -> None:
    """Runs the application and does `step` sixty times a second, until it says that it is done."""
    loop = QEventLoop()
    timer = QTimer()
    timer.setTimerType(Qt.TimerType.PreciseTimer)
    timer.timeout.connect(lambda: loop.quit() if step() else None)
    timer.start(FRAME_MS)
    QTimer.singleShot(round(MOST_S * 1000), loop, loop.quit)
    loop.exec()
    timer.stop()


def _turned(pane: SearchPane) -> Callable[[], bool]:
    bar, viewport = pane.list.verticalScrollBar(), pane.list.viewport()

    def step() -> bool:
        middle = QPointF(viewport.rect().center())
        event = QWheelEvent(
            middle, QPointF(viewport.mapToGlobal(middle.toPoint())), QPoint(), QPoint(0, WHEEL),
            Qt.MouseButton.NoButton, Qt.KeyboardModifier.NoModifier, Qt.ScrollPhase.NoScrollPhase, False,
        )  # fmt: skip
        QCoreApplication.sendEvent(viewport, event)
        return len(pane.model.rows) >= EXPECTED and bar.value() == bar.maximum()

    return step


def _drawn(pane: SearchPane) -> Callable[[], bool]:
    bar = pane.list.verticalScrollBar()
    left = list(range(DRAG_STEPS))

    def step() -> bool:
        bar.setValue(bar.maximum() * left.pop() // DRAG_STEPS)
        return not left

    return step
