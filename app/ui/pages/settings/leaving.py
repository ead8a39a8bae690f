"""The way out: everything that is kept on this computer, with sizes, and removing it when the window closes.

Two steps, and the second names what goes; models are asked about separately.
"""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QObject, Signal

from app.base.sizes import size_words
from app.services.leaving import Possession
from app.ui.pages.settings.parts import Section
from app.ui.ports import JobsPort, LeavingPort
from app.ui.theme.theme import Theme
from app.ui.widgets.buttons import Button
from app.ui.widgets.controls import Switch
from app.ui.widgets.labels import Paragraph

LOOK = "inglenook-possessions"
TITLE = "Remove all data"
MODELS = "The models too"
NOTHING = "Inglenook keeps nothing here."


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
        self.show_button = Button("Show", theme)
        self.show_button.setAccessibleName("Show everything that Inglenook keeps on this computer")
        self.show_button.clicked.connect(self.look)
        section.add_row(TITLE, "Lists what is kept on this computer before anything goes", self.show_button, line=False)
        self.list = Paragraph("", theme, "secondary", "ink2")
        section.add_block(self.list, above=0, below=4, line=False)
        self.models = Switch(MODELS, theme)
        self.models_row = section.add_row(MODELS, "-", self.models, line=False)
        self.remove = Button("Remove and quit", theme)
        self.remove.setAccessibleName("Remove all data for good and quit")
        self.remove.clicked.connect(self._remove)
        self.remove_row = section.add_row(
            "Remove it for good", "Nothing of it can be brought back", self.remove, line=False
        )
        self._hide()
        self._found.connect(self._show)

    def look(self) -> None:
        """Looks up what is kept; it is shown when it is known."""
        leaving = self._leaving()
        self._jobs.start(LOOK, lambda: self._found.emit(leaving.possessions()))

    def _hide(self) -> None:
        for widget in (self.list, self.models_row, self.remove_row):
            widget.hide()

    def _show(self, found: list[Possession]) -> None:
        data = [one for one in found if not one.models]
        models = sum(one.size_bytes for one in found if one.models)
        self.list.setText("\n".join(f"{one.what}: {size_words(one.size_bytes)}" for one in data) or NOTHING)
        self.list.show()
        self.models.setChecked(False)
        self._section.explain(MODELS, f"{size_words(models)} in your models folder; they stay unless this is on")
        self.models_row.setVisible(models > 0)
        self.remove_row.setVisible(bool(found))
        self.grown.emit()

    def _remove(self) -> None:
        self._leaving().agree(models=self.models.isChecked())
        self.quit_requested.emit()
