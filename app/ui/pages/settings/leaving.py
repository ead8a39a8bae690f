"""The way out: everything that is kept on this computer, with sizes, and removing it when the window closes.

Two steps, and the second names what goes; models are asked about separately. While another Inglenook uses the data
nothing is agreed to, and it is said what to do.
"""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtWidgets import QGridLayout, QWidget

from app.base.errors import InglenookError
from app.base.sizes import size_words
from app.services.leaving import Possession
from app.ui.pages.settings.parts import Section
from app.ui.ports import JobsPort, LeavingPort
from app.ui.theme.theme import Theme
from app.ui.widgets.buttons import Button
from app.ui.widgets.controls import Switch
from app.ui.widgets.labels import Label, Paragraph

LOOK = "inglenook-possessions"
TITLE = "Remove all data"
MODELS = "The models too"
FOR_GOOD = "Remove it for good"
NOTHING = "Inglenook keeps nothing here."


class PossessionList(QWidget):
    """What is kept at the left, its size at the right."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setHorizontalSpacing(24)
        self._grid.setVerticalSpacing(4)
        self._grid.setColumnStretch(0, 1)
        self.lines: list[str] = []

    def show_rows(self, rows: list[tuple[str, str]]) -> None:
        """Shows these instead of what was shown before."""
        while (item := self._grid.takeAt(0)) is not None:
            if (widget := item.widget()) is not None:
                widget.hide()
                widget.deleteLater()
        for number, words in enumerate(rows):
            for column, word in enumerate(words):
                label = Label(word, self._theme, "secondary", "ink2", elide=column == 0)
                self._grid.addWidget(label, number, column, *([Qt.AlignmentFlag.AlignRight] if column else []))
        self.lines = [" ".join(filter(None, words)) for words in rows]


class LeavingRows(QObject):
    """Rows at the end of a section. Sizes are looked up on a thread when they are asked for."""

    quit_requested = Signal()
    grown = Signal()  # rows were added below
    _found = Signal(object)

    def __init__(self, section: Section, theme: Theme, leaving: Callable[[], LeavingPort], jobs: JobsPort) -> None:
        super().__init__(section)
        self._leaving = leaving
        self._jobs = jobs
        self._section = section
        self._possessions: list[Possession] = []
        self.show_button = Button("Show", theme)
        self.show_button.setAccessibleName("Show everything that Inglenook keeps on this computer")
        self.show_button.clicked.connect(self.look)
        section.add_row(TITLE, "Lists what is kept on this computer before anything goes", self.show_button, line=False)
        self.list = PossessionList(theme)
        section.add_block(self.list, above=0, below=8, line=False)
        self.models = Switch(MODELS, theme)
        self.models.toggled.connect(self._tell_size)
        self.models_row = section.add_row(MODELS, "-", self.models, line=False)
        self.remove = Button("Remove and quit", theme)
        self.remove.setAccessibleName("Remove all data for good and quit")
        self.remove.clicked.connect(self._remove)
        self.remove_row = section.add_row(FOR_GOOD, "-", self.remove, line=False)
        self.refusal = Paragraph("", theme, "secondary", "rose")
        section.add_block(self.refusal, above=0, below=0, line=False)
        for widget in (self.list, self.models_row, self.remove_row, self.refusal):
            widget.hide()
        self._found.connect(self._show)

    def look(self) -> None:
        """Looks up what is kept; it is shown when it is known."""
        leaving = self._leaving()
        self._jobs.start(LOOK, lambda: self._found.emit(leaving.possessions()))

    def _show(self, found: list[Possession]) -> None:
        self._possessions = found
        data = [one for one in found if not one.models]
        models = sum(one.size_bytes for one in found if one.models)
        self.list.show_rows([(one.what, size_words(one.size_bytes)) for one in data] or [(NOTHING, "")])
        self.list.show()
        self.models.setChecked(False)
        self._section.explain(MODELS, f"{size_words(models)} in your models folder; they stay unless this is on")
        self.models_row.setVisible(models > 0)
        self._tell_size()
        self.remove_row.setVisible(bool(found))
        self.refusal.hide()
        self.grown.emit()

    def _tell_size(self) -> None:
        size = sum(one.size_bytes for one in self._possessions if self.models.isChecked() or not one.models)
        self._section.explain(FOR_GOOD, f"Frees {size_words(size)}; nothing of it can be brought back")

    def _remove(self) -> None:
        try:
            self._leaving().agree(models=self.models.isChecked())
        except InglenookError as error:
            self.refusal.setText(error.sentence)
            self.refusal.show()
            self.grown.emit()
            return
        self.quit_requested.emit()
