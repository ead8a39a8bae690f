"""A field to search in: a glass at the left, a key hint at the right while it is empty, an x once it is not."""

from __future__ import annotations

from PySide6.QtCore import QRectF, Qt, Signal
from PySide6.QtGui import QKeyEvent, QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import QLineEdit, QWidget

from app.ui.theme import icons
from app.ui.theme.theme import Theme
from app.ui.widgets.buttons import IconButton


class SearchField(QLineEdit):
    """Up, Down and Escape are told instead of handled, for the list that belongs to the field."""

    stepped = Signal(int)
    escaped = Signal()

    def __init__(self, name: str, hint: str, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._hint = hint
        self.setAccessibleName(name)
        self.setPlaceholderText(name)
        self.setFont(theme.font("row"))
        self.setTextMargins(24, 0, 22, 0)
        self._clear = IconButton("x", "Clear the search", theme, side=22, size=12, parent=self)
        self._clear.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._clear.clicked.connect(self.clear)
        self._clear.hide()
        self.textChanged.connect(lambda text: self._clear.setVisible(bool(text)))
        theme.changed.connect(self.update)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._clear.move(self.width() - 28, (self.height() - self._clear.height()) // 2)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        match event.key():
            case Qt.Key.Key_Down:
                self.stepped.emit(1)
            case Qt.Key.Key_Up:
                self.stepped.emit(-1)
            case Qt.Key.Key_Escape:
                self.escaped.emit()
            case _:
                super().keyPressEvent(event)

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        painter = QPainter(self)
        middle = self.height() / 2
        icons.paint(painter, "magnifying-glass", QRectF(10, middle - 8, 16, 16), self._theme.colour("ink2"))
        if self._hint and not self.text():
            painter.setFont(self._theme.font("hint"))
            painter.setPen(self._theme.colour("ink3"))
            box = self.rect().adjusted(0, 0, -11, 0)
            painter.drawText(box, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight, self._hint)
