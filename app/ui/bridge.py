"""The single crossing from any thread to the Qt thread. Growth of one reply is joined; nothing is lost or reordered.

Changes come in on whatever thread published them and leave as the signal `changed` on the thread that made the bridge,
at most once per `interval_ms`. A piece of growth joins the pending one only if it follows it directly in the same reply
and nothing else about that reply came between; progress of reading and loading replaces the pending one of its kind.
Everything else is kept as it is, terminal states above all. What takes long to show lets a frame in between.
"""

from __future__ import annotations

import threading
from collections import deque
from math import inf
from time import perf_counter

from PySide6.QtCore import QObject, Qt, QTimer, Signal

from app.services.changes import (
    Change,
    EngineChanged,
    EngineState,
    Publisher,
    ReplyChanged,
    ReplyGrew,
    ReplyProgressed,
)

INTERVAL_MS = 50  # looks steady, and leaves the processor to the model
AT_ONCE_S = 0.001  # after so long, what else waits crosses a little later, when what came is painted


class _Growth:
    """Growth that waits, in pieces: joined once, when it leaves."""

    def __init__(self, first: ReplyGrew) -> None:
        self.first = first
        self.pieces = [first.text]
        self.end = first.offset + len(first.text)

    def take(self, more: ReplyGrew) -> bool:
        if more.thinking is not self.first.thinking or more.offset != self.end:
            return False
        self.pieces.append(more.text)
        self.end += len(more.text)
        return True

    def change(self) -> ReplyGrew:
        first = self.first
        return ReplyGrew(
            conversation_id=first.conversation_id,
            message_id=first.message_id,
            offset=first.offset,
            text="".join(self.pieces),
            thinking=first.thinking,
        )


class Pending:
    """Changes that wait to cross, joined as the module says. Guarded by its owner."""

    def __init__(self) -> None:
        self._waiting: list[Change | _Growth] = []
        self._last: dict[str, int] = {}  # of each reply, and of the engine: where its last waiting change stands

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def add(self, change: Change) -> None:
        """Takes a change, joining or replacing where allowed."""
        key = _key(change)
        at = self._last.get(key) if key else None
        if at is not None:
            before = self._waiting[at]
            if isinstance(change, ReplyGrew) and isinstance(before, _Growth) and before.take(change):
                return
            if _replaces(change, before):
                self._waiting[at] = change
                return
        if key:
            self._last[key] = len(self._waiting)
        self._waiting.append(_Growth(change) if isinstance(change, ReplyGrew) else change)

    def take(self) -> list[Change]:
        """All waiting changes in order; none waits afterwards."""
        taken = [item.change() if isinstance(item, _Growth) else item for item in self._waiting]
        self._waiting.clear()
        self._last.clear()
        return taken


def _key(change: Change) -> str:
    if isinstance(change, ReplyGrew | ReplyProgressed | ReplyChanged):
        return change.message_id
    return "engine" if isinstance(change, EngineChanged) else ""


def _replaces(change: Change, before: Change | _Growth) -> bool:
    if isinstance(change, ReplyProgressed):
        return isinstance(before, ReplyProgressed)
    return (
        isinstance(change, EngineChanged)
        and isinstance(before, EngineChanged)
        and change.state is before.state is EngineState.LOADING
        and change.model_id == before.model_id
    )


class Bridge(QObject):
    """Made and closed on the Qt thread. The first change after a pause crosses at once, later ones at the interval."""

    changed = Signal(object)
    _wanted = Signal()

    def __init__(self, publisher: Publisher, *, interval_ms: int = INTERVAL_MS, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._lock = threading.Lock()
        self._pending = Pending()
        self._crossing: deque[Change] = deque()  # taken, not yet told
        self._interval_ms = interval_ms
        self._asked = False
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self._pause_over)
        self._wanted.connect(self._wake, Qt.ConnectionType.QueuedConnection)
        self._unsubscribe = publisher.subscribe(self._take)

    def close(self) -> None:
        """Ends the subscription; what still waits crosses now."""
        self._unsubscribe()
        self._timer.stop()
        self.flush()

    def _take(self, change: Change) -> None:
        with self._lock:
            self._pending.add(change)
            ask = not self._asked
            self._asked = True
        if ask:
            self._wanted.emit()

    def _wake(self) -> None:
        if not self._timer.isActive():
            self._timer.start(0)  # what it brings is painted in another turn

    def _pause_over(self) -> None:
        with self._lock:
            waiting = bool(self._pending or self._crossing)
            self._asked = waiting
        if waiting:
            self._go_on()

    def _go_on(self) -> None:
        self._cross(perf_counter() + AT_ONCE_S)
        self._timer.start(0 if self._crossing else self._interval_ms)

    def flush(self) -> None:
        """Lets everything cross that waits now."""
        self._cross(inf)

    def _cross(self, until: float) -> None:
        with self._lock:
            self._crossing += self._pending.take()
        while self._crossing:
            self.changed.emit(self._crossing.popleft())
            if perf_counter() > until:
                break
