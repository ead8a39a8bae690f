"""One of several words, chosen from a list that opens below: Qt's own combo box with its keys, painted in the theme."""

from __future__ import annotations

from collections.abc import Mapping

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QFontMetrics, QPainter, QPaintEvent, QPen, QWheelEvent
from PySide6.QtWidgets import QComboBox, QSizePolicy

from app.ui.theme import icons, tokens
from app.ui.theme.theme import Theme

HEIGHT = 32
_PAD, _ARROW = 10, 12


class Choice(QComboBox):
    """`choices` are keys with their words. The wheel scrolls the page instead."""

    def __init__(self, name: str, choices: Mapping[str, str], theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self.setAccessibleName(name)
        self.setFont(theme.font("secondary"))
        self.setFixedHeight(HEIGHT)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setMaxVisibleItems(12)
        self.fill(choices)
        theme.changed.connect(self.update)

    def fill(self, choices: Mapping[str, str]) -> None:
        """Other words; tells nobody."""
        self.blockSignals(True)
        self.clear()
        for key, words in choices.items():
            self.addItem(words, key)
        self.blockSignals(False)
        self.updateGeometry()

    def key(self) -> str:
        """The key of what is chosen."""
        return str(self.currentData() or "")

    def choose(self, key: str) -> None:
        """Chooses by key; an unknown one chooses the first."""
        self.setCurrentIndex(max(0, self.findData(key)))

    def show_key(self, key: str) -> None:
        """The same without telling anybody."""
        self.blockSignals(True)
        self.choose(key)
        self.blockSignals(False)
        self.update()

    def sizeHint(self) -> QSize:
        metrics = QFontMetrics(self._theme.font("secondary"))
        widest = max((metrics.horizontalAdvance(self.itemText(at)) for at in range(self.count())), default=40)
        return QSize(widest + 2 * _PAD + _ARROW + 8, HEIGHT)

    def minimumSizeHint(self) -> QSize:
        return QSize(min(96, self.sizeHint().width()), HEIGHT)

    def wheelEvent(self, event: QWheelEvent) -> None:
        event.ignore()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        colour = self._theme.colour
        strong = self.hasFocus() or self.underMouse()
        painter.setPen(QPen(colour("edge" if strong else "line2"), 1))
        painter.setBrush(colour("raised"))
        box = QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5)
        painter.drawRoundedRect(box, tokens.RADIUS_CONTROL, tokens.RADIUS_CONTROL)
        painter.setFont(self._theme.font("secondary"))
        painter.setPen(colour("ink"))
        room = self.rect().adjusted(_PAD, 0, -_PAD - _ARROW - 6, 0)
        text = painter.fontMetrics().elidedText(self.currentText(), Qt.TextElideMode.ElideRight, room.width())
        painter.drawText(room, Qt.AlignmentFlag.AlignVCenter, text)
        arrow = QRectF(self.width() - _PAD - _ARROW, self.height() / 2 - _ARROW / 2, _ARROW, _ARROW)
        icons.paint(painter, "caret-down", arrow, colour("ink2"))
