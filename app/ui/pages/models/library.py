"""On this computer: every model the person has, wherever it lies, and what can be done with it."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFileDialog, QHBoxLayout, QVBoxLayout, QWidget

from app.base.errors import InglenookError
from app.base.sizes import size_words
from app.engine.values import ModelFile
from app.services.changes import Change, LibraryChanged, NetworkChanged
from app.ui.components.models.adapter_list import AdapterList
from app.ui.components.models.library_detail import TASK, LibraryDetail
from app.ui.components.models.library_list import PAD, LibraryList
from app.ui.components.models.wishes import Wishes
from app.ui.models.library import LibraryModel
from app.ui.pages.models.columns import ListAndDetail
from app.ui.ports import ApplicationPort
from app.ui.theme.theme import Theme
from app.ui.widgets.buttons import SECONDARY, Button
from app.ui.widgets.labels import Label
from app.ui.widgets.surfaces import SCROLL_BAR


class LibraryTab(ListAndDetail):
    """Follows the library."""

    _added = Signal(str, str)

    def __init__(self, application: ApplicationPort, theme: Theme, wishes: Wishes) -> None:
        self._application, self._wishes = application, wishes
        self.model = LibraryModel()
        self.list = LibraryList(self.model, theme)
        self.adapters = AdapterList(theme)
        self.add_file = Button("Add a file…", theme, SECONDARY)
        self.add_folder = Button("Add a folder…", theme, SECONDARY)
        self.total = Label("", theme, "caption", "ink2", elide=True)
        self.detail = LibraryDetail(application, theme, wishes)
        left = QWidget()
        super().__init__(left, self.detail, theme)
        self.model.setParent(self)
        buttons = QHBoxLayout()
        buttons.setContentsMargins(PAD, 0, PAD + SCROLL_BAR, 0)
        buttons.setSpacing(8)
        buttons.addWidget(self.add_file)
        buttons.addWidget(self.add_folder)
        buttons.addStretch()
        summary = QHBoxLayout()
        summary.setContentsMargins(PAD, 0, PAD, 0)
        summary.addWidget(self.total)
        column = QVBoxLayout(left)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(12)
        column.addLayout(buttons)
        column.addLayout(summary)
        column.addWidget(self.list, 1)
        column.addWidget(self.adapters)
        self.add_file.clicked.connect(self._choose_file)
        self.add_folder.clicked.connect(self._choose_folder)
        self.list.row_chosen.connect(self._show)
        self.list.taken.connect(self._chat)
        self.list.delete_wanted.connect(self.detail.ask_to_remove)
        self._added.connect(self._tell_added)
        self.reload()

    def apply(self, change: Change) -> None:
        """Follows what happened."""
        if isinstance(change, LibraryChanged | NetworkChanged):
            self.reload()

    def reload(self) -> None:
        """Shows the library as it stands; the chosen model stays chosen while it is there."""
        index = self.list.currentIndex()
        before, row = (self.model.at(index.row()).id, index.row()) if index.isValid() else ("", 0)
        models = self._application.library.list()
        self.model.show(models)
        self.adapters.show_adapters(self._application.adapters.found())
        at = self.model.row_of(before) if before else 0
        if at < 0:
            at = min(row, len(models) - 1)
        if models:
            self.list.setCurrentIndex(self.model.index(max(0, at)))
            self._show(self.model.at(max(0, at)).id)
        else:
            self.detail.show_model(None, any_there=False)
        count = f"{len(models)} {'model' if len(models) == 1 else 'models'}"
        self.total.setText(f"{count}, {size_words(sum(model.size_bytes for model in models))}" if models else "")

    def reveal(self, repo: str, path: str) -> None:
        """Chooses the model that came from there."""
        found = next(
            (one for one in self._application.library.list() if one.repo == repo and one.remote_path == path), None
        )
        if found is not None:
            self.list.setCurrentIndex(self.model.index(self.model.row_of(found.id)))

    def take_focus(self) -> None:
        """Puts the focus on the list."""
        goal: QWidget = self.list if self.model.rowCount() else self.add_file
        goal.setFocus(Qt.FocusReason.OtherFocusReason)

    def _model(self, model_id: str) -> ModelFile | None:
        row = self.model.row_of(model_id)
        return self.model.at(row) if row >= 0 else None

    def _show(self, model_id: str) -> None:
        self.detail.show_model(self._model(model_id), any_there=bool(self.model.rowCount()))

    def _chat(self, model_id: str) -> None:
        model = self._model(model_id)
        if model is not None and not model.problem and not model.away:
            self._wishes.chat_wanted.emit(model_id)

    # --- adding -----------------------------------------------------------------------------------------------------

    def _choose_file(self) -> None:
        name, _ = QFileDialog.getOpenFileName(
            self.window(), "Add a model file", str(Path.home()), "Models (*.gguf);;All files (*)"
        )
        if name:
            self.add(Path(name))

    def _choose_folder(self) -> None:
        name = QFileDialog.getExistingDirectory(self.window(), "Add a folder of models", str(Path.home()))
        if name:
            self.add(Path(name))

    def add(self, path: Path) -> None:
        """Adds a file or a folder where it lies, on a thread of the services; what came of it is said."""
        library = self._application.library

        def work() -> None:
            try:
                found = library.add_folder(path) if path.is_dir() else [library.add_file(path)]
            except InglenookError as error:
                self._added.emit("", error.sentence)
                return
            count = f"{len(found)} {'model' if len(found) == 1 else 'models'}"
            words = f"{found[0].name} was added" if len(found) == 1 else f"{path.name} was added, with {count}"
            self._added.emit(found[0].id if found else "", words)

        self._application.jobs.start(TASK, work)

    def _tell_added(self, model_id: str, words: str) -> None:
        self.reload()
        row = self.model.row_of(model_id) if model_id else -1
        if row >= 0:
            self.list.setCurrentIndex(self.model.index(row))
        self._wishes.said.emit(words)
