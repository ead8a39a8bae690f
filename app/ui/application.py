"""The graphical application from start to end: one window per data folder, first paint early, a clean end."""

from __future__ import annotations

import gc
import logging
import os
import signal
import socket
import sys
import time
from pathlib import Path
from types import FrameType

from PySide6.QtCore import QObject, QSocketNotifier, QTimer, Signal
from PySide6.QtWidgets import QApplication

from app.base.paths import Places
from app.ui.bridge import Bridge
from app.ui.instance import Instance
from app.ui.opening import Desktop, OpenedFiles, make_application
from app.ui.ports import ApplicationPort
from app.ui.theme import icons, style
from app.ui.theme.theme import Theme, load_fonts
from app.ui.widgets.focus_ring import FocusRing
from app.ui.window import Window

log = logging.getLogger(__name__)

OPEN = "inglenook-open"
MARKS_VARIABLE = "INGLENOOK_MARKS"


class _Opening(QObject):
    """Opens the conversations on a thread of the services; `settled` comes back on the Qt thread."""

    settled = Signal()

    def __init__(self, application: ApplicationPort) -> None:
        super().__init__()
        self._application = application
        self.settled.connect(self._rest)

    def start(self) -> None:
        self._application.jobs.start(OPEN, self._run)

    def _run(self) -> None:
        try:
            downloading = self._application.downloading  # built here: on the Qt thread it would cost a frame
            self._application.open()
            downloading.begin()
        finally:
            self.settled.emit()

    def _rest(self) -> None:
        from app.ui.components.transcript.warming import warm_up

        QTimer.singleShot(0, self, warm_up)  # the window is at rest: the first conversation will not wait for it


class _Marks(QObject):
    """Notes moments of the start for measurements, as lines `name <time.time_ns>` in the file MARKS_VARIABLE names."""

    def painted(self) -> None:
        """The first frame is on the screen."""
        self._note("first_paint")

    def settled(self) -> None:
        """The conversations are shown; what is typed can be sent."""
        self._note("ready")

    def _note(self, name: str) -> None:
        with Path(os.environ[MARKS_VARIABLE]).open("a", encoding="utf-8") as marks:
            marks.write(f"{name} {time.time_ns()}\n")


class _Signals(QObject):
    """SIGTERM, SIGINT and SIGHUP end the application as closing the window does."""

    def __init__(self, application: QApplication) -> None:
        super().__init__()
        self._application = application
        self._reading, self._writing = socket.socketpair()
        for end in (self._reading, self._writing):
            end.setblocking(False)
        signal.set_wakeup_fd(self._writing.fileno(), warn_on_full_buffer=False)
        self._notifier = QSocketNotifier(self._reading.fileno(), QSocketNotifier.Type.Read, self)
        self._notifier.activated.connect(self._woken)
        for name in ("SIGTERM", "SIGINT", "SIGHUP"):
            if hasattr(signal, name):
                signal.signal(getattr(signal, name), self._asked_to_end)

    def _woken(self) -> None:
        self._reading.recv(64)  # back in Python, its own handler runs now

    def _asked_to_end(self, number: int, frame: FrameType | None) -> None:
        log.info("ending on signal %d", number)
        for window in self._application.topLevelWidgets():
            if isinstance(window, Window):
                window.close()
        self._application.quit()

    def close(self) -> None:
        signal.set_wakeup_fd(-1)
        self._notifier.setEnabled(False)
        self._reading.close()
        self._writing.close()


def run(application: ApplicationPort, file: Path | None = None) -> int:
    """Shows the window of a built, not yet opened application, with a model file to open if one is given; returns the
    exit code when it has ended."""
    places = application.places
    qt = make_application([sys.argv[0] if sys.argv else "inglenook", *style.ARGUMENTS])
    qt.setApplicationName("inglenook")
    qt.setApplicationDisplayName("Inglenook")
    qt.setDesktopFileName("inglenook")
    instance = Instance(places.data)
    if not instance.claim():
        if instance.ask_first(file):
            if application.network.state.forced_by:
                sys.stderr.write("Inglenook is already running; it stays online or offline as it is.\n")
            return 0
        sys.stderr.write("Inglenook is already running for this data folder, but does not answer.\n")
        return 1
    code = _show(qt, application, instance, file)
    application.close()
    instance.release()
    if stayed := application.leave():
        from PySide6.QtWidgets import QMessageBox

        QMessageBox.warning(None, "Inglenook", stayed)  # the window is gone: nothing else could say it
        return 1
    return code


def _show(qt: QApplication, application: ApplicationPort, instance: Instance, file: Path | None) -> int:
    load_fonts()
    appearance = application.settings.current.appearance
    theme = Theme(appearance.theme, less_motion=appearance.less_motion)
    style.prepare(qt, theme)
    bridge = Bridge(application.publisher)
    window = make_window(application, theme, FocusRing(qt, theme), application.places)
    style.follow(qt, theme)
    bridge.changed.connect(window.apply)
    opening = _Opening(application)
    opening.settled.connect(bridge.flush)
    opening.settled.connect(window.store_settled)
    window.retry_requested.connect(opening.start)
    files = OpenedFiles(window)
    opening.settled.connect(files.settle)
    instance.file_requested.connect(files.open)
    if isinstance(qt, Desktop):
        qt.file_requested.connect(files.open)
    if file is not None:
        files.open(file)
    marks = _Marks()
    if os.environ.get(MARKS_VARIABLE):
        window.painted.connect(marks.painted)
        opening.settled.connect(marks.settled)
    window.painted.connect(lambda: _after_first_frame(qt, window, theme))
    window.painted.connect(opening.start)
    window.painted.connect(lambda: QTimer.singleShot(0, instance.listen))
    instance.show_requested.connect(window.come_forward)
    qt.commitDataRequest.connect(lambda _manager: window.keep())
    signals = _Signals(qt)
    window.show()
    code = qt.exec()
    window.hide()
    signals.close()
    bridge.close()
    return code


def _after_first_frame(qt: QApplication, window: Window, theme: Theme) -> None:
    gc.enable()  # __main__ switched it off: collecting during the start finds nothing and takes its time
    gc.freeze()  # what lives until the end is not looked at again, which keeps scrolling even
    icon = icons.application_icon(theme.colour("page"), theme.colour("ink"), theme.colour("ember"))
    qt.setWindowIcon(icon)
    window.setWindowIcon(icon)


def make_window(application: ApplicationPort, theme: Theme, ring: FocusRing, places: Places) -> Window:
    """The window, not shown yet."""
    return Window(application, theme, ring, places.data, places.window_state)
