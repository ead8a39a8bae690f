"""The note of older turns, to be read and changed: what it says is what the model reads in their place."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QHBoxLayout, QPlainTextEdit, QVBoxLayout, QWidget

from app.ui.theme.theme import Theme
from app.ui.widgets.buttons import QUIET, Button, IconButton
from app.ui.widgets.labels import Label, Paragraph


class NotePage(QWidget):
    """`saved` carries other words. Leaving saves what was changed, Escape leaves; nothing typed is lost."""

    saved = Signal(str)
    removed = Signal()
    left = Signal()

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._kept = ""
        self.back = IconButton("caret-left", "Back to the list", theme, side=28, size=14)
        self.back.clicked.connect(self.leave)
        self.title = Label("Note of older turns", theme, "row_strong", "ink", elide=True)
        self.means = Paragraph("", theme, "caption", "ink2")
        self.field = QPlainTextEdit()
        self.field.setObjectName("field")
        self.field.setAccessibleName("Note of older turns")
        self.field.setTabChangesFocus(True)
        self.field.setFont(theme.font("row"))
        self.field.textChanged.connect(self._show_buttons)
        self.save = Button("Save the note", theme)
        self.save.clicked.connect(self.flush)
        self.remove = Button("Remove it", theme, QUIET)
        self.remove.setToolTip("The turns are sent themselves again, as far as they fit")
        self.remove.clicked.connect(self.removed)
        head = QHBoxLayout()
        head.setContentsMargins(13, 0, 20, 0)
        head.setSpacing(4)
        head.addWidget(self.back)
        head.addWidget(self.title, 1)
        self._buttons = QWidget()
        foot = QHBoxLayout(self._buttons)
        foot.setContentsMargins(0, 0, 0, 0)
        foot.setSpacing(16)
        foot.addWidget(self.save)
        foot.addWidget(self.remove)
        foot.addStretch()
        inside = QVBoxLayout()
        inside.setContentsMargins(20, 0, 20, 0)
        inside.setSpacing(10)
        inside.addWidget(self.means)
        inside.addWidget(self.field, 1)
        inside.addWidget(self._buttons)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 12, 0, 16)
        column.setSpacing(6)
        column.addLayout(head)
        column.addLayout(inside, 1)

    def show_note(self, text: str, covers: str, tokens: int, *, read_only: bool = False) -> None:
        """Shows a note that stands for `covers`; words being changed stay as they are."""
        self.means.setText(
            f"The model reads this instead of {covers or 'the oldest turns'}, in {tokens:,} tokens. "
            "The turns themselves stay in the conversation as they are."
        )
        self.means.updateGeometry()
        if not self.changed and text != self.field.toPlainText():
            self._kept = text
            self.field.setPlainText(text)
        elif text == self.field.toPlainText():
            self._kept = text
        self.field.setReadOnly(read_only)
        self._buttons.setVisible(not read_only)
        self._show_buttons()

    @property
    def changed(self) -> bool:
        """Whether there are words that nobody was told yet."""
        return not self.field.isReadOnly() and self.field.toPlainText() != self._kept

    def flush(self) -> None:
        """Tells the words if they were changed."""
        if self.changed:
            self._kept = self.field.toPlainText()
            self._show_buttons()
            self.saved.emit(self._kept.strip())

    def leave(self) -> None:
        """Back to the list; what was changed is saved."""
        self.flush()
        self.left.emit()

    def take_focus(self) -> None:
        """The cursor stands in the note."""
        self.field.setFocus(Qt.FocusReason.OtherFocusReason)

    def _show_buttons(self) -> None:
        self.save.setEnabled(self.changed)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape:
            self.leave()
        else:
            super().keyPressEvent(event)
