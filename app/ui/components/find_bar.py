"""Find in the conversation: a field, how many places there are, and the way from one to the next."""

from __future__ import annotations

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from app.ui.theme.theme import Theme
from app.ui.widgets.buttons import IconButton
from app.ui.widgets.labels import Label
from app.ui.widgets.search_field import SearchField
from app.ui.widgets.surfaces import Hairline, Surface

FIND_AFTER_MS = 120


class FindBar(Surface):
    """Emits what is looked for; is told how many places there are."""

    find_requested = Signal(str)
    next_requested = Signal()
    previous_requested = Signal()
    closed = Signal()

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(theme, "page", parent=parent)
        self.field = SearchField("Find in this conversation", "", theme)
        self.field.setMinimumWidth(180)
        self.field.setMaximumWidth(360)
        self.count = Label("", theme, "secondary", "ink2")
        self._wait = QTimer(self)
        self._wait.setSingleShot(True)
        self._wait.setInterval(FIND_AFTER_MS)
        self._wait.timeout.connect(self._find)
        self.field.textChanged.connect(lambda _text: self._wait.start())
        self.field.escaped.connect(self.leave)
        self.field.stepped.connect(lambda by: (self.next_requested if by > 0 else self.previous_requested).emit())
        previous = IconButton("caret-up", "Previous place", theme, side=28, size=14, shortcut="Shift Enter")
        previous.clicked.connect(self.previous_requested)
        following = IconButton("caret-down", "Next place", theme, side=28, size=14, shortcut="Enter")
        following.clicked.connect(self.next_requested)
        close = IconButton("x", "Close find", theme, side=28, size=14)
        close.clicked.connect(self.leave)
        row = QHBoxLayout()
        row.setContentsMargins(24, 8, 12, 8)
        row.setSpacing(8)
        row.addWidget(self.field, 1)
        row.addWidget(previous)
        row.addWidget(following)
        row.addSpacing(4)
        row.addWidget(self.count)
        row.addStretch()
        row.addWidget(close)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addLayout(row)
        column.addWidget(Hairline(theme))
        self.hide()

    def come(self) -> None:
        """Shows the bar with the cursor in it."""
        self.show()
        self.field.setFocus(Qt.FocusReason.ShortcutFocusReason)
        self.field.selectAll()
        if self.field.text():
            self._find()

    def leave(self) -> None:
        """Hides the bar; the marks in the conversation go too."""
        if self.isVisible():
            self._wait.stop()
            self.hide()
            self.closed.emit()

    def show_count(self, total: int, current: int = 0) -> None:
        """Says how many places were found, and which of them (from 1 on; 0: none yet) is shown."""
        if not self.field.text():
            self.count.setText("")
        elif total == 0:
            self.count.setText("Nothing found")
        elif current:
            self.count.setText(f"{current:,} of {total:,}")
        else:
            self.count.setText("1 place" if total == 1 else f"{total:,} places")

    def _find(self) -> None:
        self._wait.stop()
        self.find_requested.emit(self.field.text())

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            if self._wait.isActive():
                self._find()
            elif event.modifiers() & Qt.KeyboardModifier.ShiftModifier:
                self.previous_requested.emit()
            else:
                self.next_requested.emit()
        elif event.key() == Qt.Key.Key_Escape:
            self.leave()
        else:
            super().keyPressEvent(event)
