"""A model file handed over from outside, by the command line, a later start or the desktop: it joins the library and
becomes the chosen model, or it is said why not."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import QEvent, QObject, Signal
from PySide6.QtWidgets import QApplication

from app.base.errors import InglenookError
from app.ui.deeds import chat_with
from app.ui.window import Window

TASK = "inglenook-open-file"
REFUSED = "file"


class OpenedFiles(QObject):
    """Files wait until the conversations are open, because a model is kept beside them."""

    _added = Signal(str)
    _refused = Signal(object, str)

    def __init__(self, window: Window) -> None:
        super().__init__()
        self._window = window
        self._waiting: list[Path] = []
        self._settled = False
        self._added.connect(self._chat)
        self._refused.connect(self._tell)

    def open(self, file: Path) -> None:
        """Opens a file now, or as soon as it can be."""
        self._waiting.append(file)
        self._go_on()

    def settle(self) -> None:
        """The attempt to open the conversations is over."""
        self._settled = True
        self._go_on()

    def _go_on(self) -> None:
        window = self._window
        if not self._waiting or not self._settled:
            return
        window.go(window.conversation)
        if window.pages.currentWidget() is not window.conversation:
            return  # the conversations could not be opened: the window says so, and offers to try again
        files, self._waiting = self._waiting, []
        window.application.jobs.start(TASK, lambda: self._add(files))

    def _add(self, files: Sequence[Path]) -> None:
        for file in files:
            try:
                model = self._window.application.library.add_file(file)
            except InglenookError as error:
                self._refused.emit(file, error.sentence)
            else:
                self._added.emit(model.id)

    def _chat(self, model_id: str) -> None:
        self._window.conversation.banner.unsay(REFUSED)
        chat_with(self._window, model_id)

    def _tell(self, file: Path, sentence: str) -> None:
        page = self._window.conversation
        page.banner.say(
            REFUSED,
            f"{file.name} was not opened",
            sentence,
            kind="rose",
            action="Choose a model",
            act=page.toggle_picker,
        )


class Desktop(QApplication):
    """Hears which files the system wants opened: macOS says it by an event, others by the command line."""

    file_requested = Signal(object)

    def event(self, event: QEvent) -> bool:
        from PySide6.QtGui import QFileOpenEvent

        if isinstance(event, QFileOpenEvent) and event.file():
            self.file_requested.emit(Path(event.file()))
            return True
        return super().event(event)


def make_application(arguments: Sequence[str]) -> QApplication:
    """Qt's application for this system."""
    kind = Desktop if sys.platform == "darwin" else QApplication  # elsewhere no event need go through Python
    return kind(list(arguments))
