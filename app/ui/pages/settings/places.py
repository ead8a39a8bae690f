"""A list of folders or files in the settings: each with what lies there, and a button that takes it off the list."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from app.ui.theme.theme import Theme
from app.ui.widgets.buttons import QUIET, Button
from app.ui.widgets.labels import Label


class Entry(NamedTuple):
    """One line: the path, as it is shown, what there is to say of it, and whether that is a caution."""

    path: str
    shown: str
    words: str
    caution: bool = False


class _Row(QWidget):
    def __init__(self, entry: Entry, theme: Theme) -> None:
        super().__init__()
        self.entry = entry
        path = Label(entry.shown, theme, "code", "ink", elide=True)
        words = Label(entry.words, theme, "caption", "ochre" if entry.caution else "ink2", elide=True)
        self.remove = Button("Remove", theme, QUIET)
        self.remove.setAccessibleName(f"Take {entry.shown} off the list")
        both = QVBoxLayout()
        both.setSpacing(1)
        both.addWidget(path)
        both.addWidget(words)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 6, 0, 6)
        row.setSpacing(16)
        row.addLayout(both, 1)
        row.addWidget(self.remove, 0, Qt.AlignmentFlag.AlignVCenter)
        self.setAccessibleName(f"{entry.shown}. {entry.words}")


class PlaceList(QWidget):
    """`removed` carries the path of an entry. The row stays until `show_entries` says otherwise."""

    removed = Signal(str)

    def __init__(self, name: str, nothing: str, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self.setAccessibleName(name)
        self.rows: list[_Row] = []
        self.nothing = Label(nothing, theme, "caption", "ink3")
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(0)
        self._column.addWidget(self.nothing)

    def show_entries(self, entries: Sequence[Entry]) -> None:
        """Shows these. The keyboard's focus goes to the neighbour of a row that goes."""
        if [row.entry for row in self.rows] == [*entries]:
            return
        at = next((place for place, row in enumerate(self.rows) if row.remove.hasFocus()), -1)
        held = self.rows[at].entry.path if at >= 0 else ""
        for row in self.rows:
            self._column.removeWidget(row)
            row.hide()
            row.deleteLater()
        self.rows = [_Row(entry, self._theme) for entry in entries]
        for row in self.rows:
            row.remove.clicked.connect(lambda _on=False, path=row.entry.path: self.removed.emit(path))
            self._column.addWidget(row)
        self.nothing.setVisible(not self.rows)
        if at >= 0 and self.rows:
            same = next((row for row in self.rows if row.entry.path == held), None)
            goal = same or self.rows[min(at, len(self.rows) - 1)]
            goal.remove.setFocus(Qt.FocusReason.TabFocusReason)
