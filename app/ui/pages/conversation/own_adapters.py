"""A conversation's adapters, between side panel and services: what the files are, and adding one that fits."""

from __future__ import annotations

from concurrent.futures import Future
from functools import partial
from pathlib import Path

from PySide6.QtCore import QObject, Signal

from app.engine.values import Adapter, AdapterFile
from app.ui.components.adapters import AdapterSection
from app.ui.ports import ApplicationPort


class OwnAdapters(QObject):
    """Looks at files on a thread of the services, with regard to the model that would write."""

    _answered = Signal(object, object)

    def __init__(self, application: ApplicationPort, section: AdapterSection) -> None:
        super().__init__(section)
        self._application = application
        self._section = section
        self._model_id = ""
        section.add_wanted.connect(self.add)
        self._answered.connect(self._take)

    def show(self, adapters: tuple[Adapter, ...], model_id: str) -> None:
        """Shows adapters, and soon what their files are."""
        self._model_id = model_id
        self._section.show_value(adapters)
        self.look_again()

    def look_again(self) -> None:
        """The model, or the files among the models, are others now."""
        self._section.offer(self._application.adapters.found())
        if self._section.value:
            self._look([adapter.path for adapter in self._section.value])

    def add(self, path: str) -> None:
        """Adds an adapter, if it fits; '' lets a person choose the file."""
        path = path or self._choose()
        if path:
            self._look([path], adding=path)

    def _look(self, paths: list[str], adding: str = "") -> None:
        asked = self._application.adapters.look(paths, self._model_id)
        asked.add_done_callback(partial(self._answered.emit, adding))

    def _take(self, adding: str, done: Future[list[AdapterFile]]) -> None:
        if done.cancelled() or done.exception() is not None:
            return
        section, files = self._section, {file.path: file for file in done.result()}
        if adding:
            problem = files[adding].problem
            if any(adapter.path == adding for adapter in section.value):
                problem = "This adapter is used already."
            section.refuse(problem)
            if problem:
                return
            section.show_value((*section.value, Adapter(path=adding)))
            section.flush()
        section.show_files(files)

    def _choose(self) -> str:
        from PySide6.QtWidgets import QFileDialog

        start = str(self._application.library.folder)
        name, _ = QFileDialog.getOpenFileName(
            self._section.window(), "Add an adapter", start, "LoRA adapters (*.gguf);;All files (*)"
        )
        return str(Path(name)) if name else ""
