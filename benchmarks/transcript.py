"""What is done to the transcript in its window while it is measured: opening, scrolling, following a fast reply.

Each function runs on the main thread of the real application (inside.py) and returns numbers.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

from PySide6.QtCore import QCoreApplication, QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QKeyEvent, QWheelEvent

from app.chat.messages import ReplyState
from app.services.changes import Change, ReplyChanged, ReplyGrew
from benchmarks.figures import percentile
from benchmarks.inside import SHORT_ID, Inside
from benchmarks.mainthread import Beat, Beats, Frames
from benchmarks.processes import BenchmarkError

QUESTION = "Write a long text, please."
REPLY_CHARS = 200_000
TOKENS_PER_S = 500
LAST_S = 20.0
CONTROL_S = 15.0

WHEEL_PX = 120
READING_FRAMES = 900
FLINGS = 12
FLING_PX = 900.0
FLING_SLOWS = 0.94
DRAG_FRAMES = 400
PAGES = 120
FRAMES_PER_PAGE = 2  # a key that is held down repeats about thirty times a second


def memory_mb() -> dict[str, float]:
    """This process in MB of 10^6 bytes: proportional and private memory now, and the peak so far (Linux)."""
    kb = {}
    for name in ("smaps_rollup", "status"):
        for line in Path(f"/proc/self/{name}").read_text().splitlines():
            words = line.split()
            if len(words) == 3 and words[2] == "kB":
                kb[words[0]] = int(words[1])
    mb = 1024 / 1e6
    return {
        "pss_mb": kb["Pss:"] * mb,
        "private_mb": (kb["Private_Clean:"] + kb["Private_Dirty:"]) * mb,
        "peak_mb": kb["VmHWM:"] * mb,
    }


def blank(inside: Inside) -> dict[str, float]:
    """The window without a conversation, as heavy as it is when it has come to rest."""
    inside.settle()
    return memory_mb()


def open_first(inside: Inside, conversation_id: str) -> dict[str, float]:
    """The long conversation is the first one that this process shows."""
    return _opened(inside, conversation_id)


def open_next(inside: Inside, conversation_id: str) -> dict[str, float]:
    """The long conversation is opened while a short one is shown."""
    inside.first_paint(SHORT_ID)
    inside.settle()
    return _opened(inside, conversation_id)


def _opened(inside: Inside, conversation_id: str) -> dict[str, float]:
    made = inside.transcript.column.laid_out if inside.window.conversation.has("transcript") else 0
    opened = inside.first_paint(conversation_id)
    column = inside.transcript.column
    if len(column.entries) != 10_000:
        raise BenchmarkError(f"{len(column.entries)} messages were opened")
    layouts = column.laid_out - made
    inside.wait(lambda: not inside.transcript.idle.busy)
    inside.settle()
    later = column.laid_out - made
    return {"open_ms": opened * 1000, "layouts": layouts, "layouts_later": later, **memory_mb()}


# -- scrolling ----------------------------------------------------------------------------------------------------


def scroll(inside: Inside, conversation_id: str) -> dict[str, float]:
    """The work of frames (see mainthread.Frames) while somebody reads, flings, drags the scroll bar, turns pages."""
    inside.first_paint(conversation_id)
    inside.transcript.setFocus()
    inside.settle()
    frames = Frames()
    found: dict[str, float] = {}
    every: list[float] = []
    own: list[float] = []
    for name, ways in (("read", _reading), ("fling", _flings), ("drag", _dragging), ("page", _paging)):
        both = [frames.frame(act) for act in ways(inside)]
        times = [work for work, _cpu in both]
        own += [cpu for _work, cpu in both]
        found |= {
            f"{name}_p50_ms": percentile(times, 0.5),
            f"{name}_p99_ms": percentile(times, 0.99),
            f"{name}_max_ms": max(times),
            f"{name}_frames": float(len(times)),
        }
        every += times
        inside.settle(0.3)
    return (
        found
        | {"p50_ms": percentile(every, 0.5), "p99_ms": percentile(every, 0.99), "max_ms": max(every)}
        | {"own_p50_ms": percentile(own, 0.5), "own_p99_ms": percentile(own, 0.99), "own_max_ms": max(own)}
        | memory_mb()
    )


def _wheel(inside: Inside, pixels: float) -> None:
    """As a touchpad sends it: so many pixels downwards."""
    viewport = inside.transcript.viewport()
    middle = QPointF(viewport.rect().center())
    event = QWheelEvent(
        middle, QPointF(viewport.mapToGlobal(middle.toPoint())), QPoint(0, 0), QPoint(0, -round(pixels * 120 / 72)),
        Qt.MouseButton.NoButton, Qt.KeyboardModifier.NoModifier, Qt.ScrollPhase.NoScrollPhase, False,
    )  # fmt: skip
    QCoreApplication.sendEvent(viewport, event)


def _nothing() -> None:
    return


def _reading(inside: Inside) -> Iterator[Callable[[], None]]:
    """Evenly up from the end."""
    for _ in range(READING_FRAMES):
        yield lambda: _wheel(inside, -WHEEL_PX)


def _flings(inside: Inside) -> Iterator[Callable[[], None]]:
    """Fast and ever slower, up and down, from places all over the conversation."""
    bar = inside.transcript.verticalScrollBar()
    for number in range(FLINGS):
        share = (number + 0.5) / FLINGS
        yield lambda share=share: bar.setValue(round(bar.maximum() * share))  # type: ignore[misc]
        pixels = FLING_PX if number % 2 else -FLING_PX
        while abs(pixels) >= 4:
            yield lambda pixels=pixels: _wheel(inside, pixels)  # type: ignore[misc]
            pixels *= FLING_SLOWS


def _dragging(inside: Inside) -> Iterator[Callable[[], None]]:
    """The handle of the scroll bar goes from the end to the beginning and half-way back."""
    bar = inside.transcript.verticalScrollBar()
    bar.setSliderDown(True)
    for number in range(DRAG_FRAMES):
        share = abs(1 - 1.5 * number / (DRAG_FRAMES - 1))
        yield lambda share=share: bar.setSliderPosition(round(bar.maximum() * share))  # type: ignore[misc]
    bar.setSliderDown(False)


def _paging(inside: Inside) -> Iterator[Callable[[], None]]:
    """Page Up held down in the middle, then Page Down near the end."""
    bar = inside.transcript.verticalScrollBar()
    for share, key in ((0.5, Qt.Key.Key_PageUp), (0.9, Qt.Key.Key_PageDown)):
        yield lambda share=share: bar.setValue(round(bar.maximum() * share))  # type: ignore[misc]
        for _ in range(PAGES // 2):
            yield lambda key=key: _press(inside, key)  # type: ignore[misc]
            for _ in range(FRAMES_PER_PAGE - 1):
                yield _nothing


def _press(inside: Inside, key: Qt.Key) -> None:
    for kind in (QEvent.Type.KeyPress, QEvent.Type.KeyRelease):
        QCoreApplication.sendEvent(inside.transcript, QKeyEvent(kind, key, Qt.KeyboardModifier.NoModifier))


# -- following a reply --------------------------------------------------------------------------------------------


def stream(inside: Inside) -> dict[str, float]:
    """A whole reply from the scripted engine process, asked for in the composer, followed from its first token to its
    end; sending the question is told apart, and an idle stretch before it and one after it, in which the same timer
    beats, tell what the machine does by itself. The question was typed before, which starts the engine's process."""
    inside.first_paint(SHORT_ID)
    composer, loading = inside.window.conversation.composer, inside.application.loading
    composer.put(QUESTION)
    inside.wait(lambda: loading.ready is not None)
    inside.settle(3.0)
    grew: list[ReplyGrew] = []
    ended: list[ReplyChanged] = []
    inside.application.publisher.subscribe(lambda change: _note(change, grew, ended))
    beat = Beat()
    before = beat.during(lambda: inside.settle(CONTROL_S))

    def send() -> None:
        composer.send_requested.emit(QUESTION)
        inside.wait(lambda: bool(grew), look_ms=1)

    sent = beat.during(send)
    marks = [(time.perf_counter(), time.thread_time())]

    def follow() -> None:
        inside.wait(lambda: _mark(marks) or bool(ended), 400.0, look_ms=250)
        inside.settle(0.5)

    live = beat.during(follow)
    after = beat.during(lambda: inside.settle(CONTROL_S))
    column = inside.transcript.column
    reply = column.row(len(column.entries) - 1)
    if not ended or ended[-1].state is not ReplyState.DONE or reply.state is not ReplyState.DONE:
        raise BenchmarkError("the reply did not end well")
    characters = len(reply.parts[1].text)
    if characters < REPLY_CHARS:
        raise BenchmarkError(f"{characters} characters arrived")
    facts = ended[-1].facts
    assert facts is not None
    assert facts.generation is not None
    begun, cpu = next(mark for mark in marks if mark[0] >= marks[-1][0] - LAST_S)
    found = {
        "characters": float(characters),
        "tokens": float(facts.generation.completion_tokens),
        "tokens_per_s": facts.generation.tokens_per_s,
        "last_share": (marks[-1][1] - cpu) / (marks[-1][0] - begun),
        "sent_longest_ms": sent.longest()[0],
    }
    return found | _told("live", live) | _told("before", before) | _told("after", after)


def _note(change: Change, grew: list[ReplyGrew], ended: list[ReplyChanged]) -> None:
    if isinstance(change, ReplyGrew) and not grew:
        grew.append(change)
    elif isinstance(change, ReplyChanged) and not change.state.live:
        ended.append(change)


def _mark(marks: list[tuple[float, float]]) -> bool:
    marks.append((time.perf_counter(), time.thread_time()))
    return False


def _told(name: str, beats: Beats) -> dict[str, float]:
    longest, own = beats.longest()
    found = {
        "seconds": beats.seconds, "share": beats.thread_share, "process_share": beats.process_share,
        "p99_ms": beats.p99(), "longest_ms": longest, "longest_own_ms": own, "long": float(beats.long()),
        "most_own_ms": max(beats.own),
    }  # fmt: skip
    return {f"{name}_{key}": value for key, value in found.items()}
