"""The real application with its window, run in this process by its own `run`, so that its main thread can be driven and
timed from inside. What is measured is elsewhere.

The data folder is a copy of the long history: one conversation of 10,000 messages, and a short one beside it.
"""

from __future__ import annotations

import contextlib
import gc
import json
import random
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QCoreApplication, QEvent, QEventLoop, QObject, Qt, QTimer, Signal
from PySide6.QtWidgets import QApplication, QWidget

from app.base.paths import Places
from app.chat.messages import Conversation, Message, Role
from app.services.changes import Change, LibraryChanged
from app.store.store import open_store
from benchmarks.history import long_history
from benchmarks.processes import BenchmarkError
from benchmarks.texts import markdown, prose

if TYPE_CHECKING:
    from app.bootstrap import Application
    from app.ui.components.transcript.transcript import Transcript
    from app.ui.window import Window

SHORT_ID = "00000000-0000-7000-8000-00000000000a"
SETTLE_S = 1.5
PATIENCE_S = 60.0

_SETTINGS = {"engine": {"auto_load": False, "n_ctx": 131_072}}


@contextlib.contextmanager
def home() -> Iterator[tuple[Places, str]]:
    """A data folder of its own, and the id of the long conversation in it."""
    kept, conversation_id = long_history()
    with tempfile.TemporaryDirectory(prefix="inglenook-bench-") as folder:
        places = Places(Path(folder), Path(folder) / "logs")
        shutil.copyfile(kept.database, places.database)
        places.settings.write_text(json.dumps(_SETTINGS), encoding="utf-8")
        store = open_store(places)
        try:
            source = random.Random(11)
            short = Conversation(id=SHORT_ID, title="A short conversation", created_ms=1, updated_ms=1)
            question = Message(
                id=SHORT_ID[:-1] + "b", conversation_id=SHORT_ID, parent_id=None, role=Role.USER, text=prose(source, 20)
            )
            reply = Message(
                id=SHORT_ID[:-1] + "c", conversation_id=SHORT_ID, parent_id=question.id, role=Role.ASSISTANT,
                text=markdown(source, 3000),
            )  # fmt: skip
            store.messages.add_turn(short, question, reply).result(PATIENCE_S)
        finally:
            store.close()
        yield places, conversation_id


@dataclass(frozen=True)
class Inside:
    """The running application, on its main thread."""

    application: Application
    window: Window

    @property
    def transcript(self) -> Transcript:
        """The transcript of the window's page."""
        return self.window.conversation.transcript

    def settle(self, seconds: float = SETTLE_S) -> None:
        """Lets the application run for so long."""
        loop = QEventLoop()
        QTimer.singleShot(round(seconds * 1000), loop.quit)
        loop.exec()

    def wait(self, condition: Callable[[], bool], limit_s: float = PATIENCE_S, *, look_ms: int = 20) -> None:
        """Lets the application run until something is so. Raises BenchmarkError when that takes too long."""
        loop = QEventLoop()
        looking = QTimer()
        looking.timeout.connect(lambda: loop.quit() if condition() else None)
        looking.start(look_ms)
        QTimer.singleShot(round(limit_s * 1000), loop.quit)
        loop.exec()
        if not condition():
            raise BenchmarkError("the window did not come to what was waited for")

    def first_paint(self, conversation_id: str) -> float:
        """Opens a conversation as a click in the list does; seconds until its first frame is painted."""
        begun = time.perf_counter()
        self.window.open(conversation_id)
        painted = Painted(self.window, self.transcript.viewport())
        self.wait(lambda: bool(painted.at), look_ms=1)
        painted.leave()
        return painted.at - begun


class Painted(QObject):
    """Notes when the first update of a window in which `inner` is painted has come to its end, on the screen too."""

    def __init__(self, window: QWidget, inner: QWidget) -> None:
        super().__init__()
        self._inner, self._updating, self._seen = inner, False, False
        self._watched: list[QObject] = [window, window.windowHandle(), inner]
        self.at = 0.0
        for one in self._watched:
            one.installEventFilter(self)

    def leave(self) -> None:
        """Nothing is watched any more."""
        for one in self._watched:
            one.removeEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if watched is self._inner:
            self._seen = self._seen or event.type() == QEvent.Type.Paint
        elif event.type() == QEvent.Type.UpdateRequest and not self._updating:
            self._updating = True
            QCoreApplication.sendEvent(
                watched, event
            )  # all of it happens in here: painting, and showing what is painted
            self._updating = False
            if self._seen and not self.at:
                self.at = time.perf_counter()
            return True
        return False


class _Driver(QObject):
    """Waits until the application has opened, then drives it; whatever happens, the window is closed."""

    _opened = Signal()

    def __init__(self, application: Application, drive: Callable[[Inside], dict[str, float]]) -> None:
        super().__init__()
        self._application, self._drive = application, drive
        self._begun = False
        self.found: dict[str, float] | None = None
        self.error: Exception | None = None
        self._opened.connect(self._go, Qt.ConnectionType.QueuedConnection)
        application.publisher.subscribe(self._heard)

    def _heard(self, change: Change) -> None:
        if isinstance(change, LibraryChanged) and not self._begun:
            self._begun = True
            self._opened.emit()

    def _go(self) -> None:
        from app.ui.window import Window

        window = next(one for one in QApplication.topLevelWidgets() if isinstance(one, Window))
        inside = Inside(self._application, window)
        try:
            inside.settle()
            self.found = self._drive(inside)
        except Exception as error:  # noqa: BLE001 - the edge of a slot, from which nothing gets out: told after the end
            self.error = error
        window.close()


def run_inside(
    places: Places, drive: Callable[[Inside], dict[str, float]], *, engine_command: Sequence[str] | None = None
) -> dict[str, float]:
    """Runs the application as `app/__main__.py` does; `drive` is called on its main thread when it has opened."""
    gc.disable()
    from app.base.log import start_log
    from app.bootstrap import build
    from app.ui.application import run

    places.window_state.unlink(missing_ok=True)  # of a run before: nothing is opened at the start
    start_log(places.logs)
    application = build(places, engine_command=engine_command)
    driver = _Driver(application, drive)
    code = run(application)
    if driver.error is not None:
        raise driver.error
    if code or driver.found is None:
        raise BenchmarkError(f"the application ended with {code} before anything was measured")
    return driver.found
