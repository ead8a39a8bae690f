"""A filter that is on or off: a pill with its word, and a check while it is on."""

from __future__ import annotations

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QFontMetrics, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QWidget

from app.ui.theme import icons
from app.ui.theme.theme import Theme
from app.ui.widgets.buttons import HoverButton, mix

HEIGHT = 28
_ICON = 18


class Chip(HoverButton):
    """28 high."""

    def __init__(self, text: str, theme: Theme, parent: QWidget | None = None, *, checkable: bool = True) -> None:
        super().__init__(theme, parent, focus=Qt.FocusPolicy.StrongFocus)
        self.setCheckable(checkable)
        self.setText(text)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self.toggled.connect(lambda _on: self.updateGeometry())

    def sizeHint(self) -> QSize:
        width = QFontMetrics(self._theme.font("button")).horizontalAdvance(self.text()) + 24
        return QSize(width + (_ICON if self.isChecked() else 0), HEIGHT)

    def minimumSizeHint(self) -> QSize:
        return self.sizeHint()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        colour, hover = self._theme.colour, self._hover.value
        box = QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5)
        if self.isChecked():
            ink = colour("page")
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(colour("ink"))
        else:
            ink = mix(colour("ink2"), colour("ink"), hover)
            painter.setPen(QPen(mix(colour("line2"), colour("edge"), hover), 1))
            painter.setBrush(colour("raised"))
        painter.drawRoundedRect(box, HEIGHT / 2, HEIGHT / 2)
        left = 12.0
        if self.isChecked():
            icons.paint(painter, "check", QRectF(left, HEIGHT / 2 - 6, 12, 12), ink)
            left += _ICON
        painter.setPen(ink)
        painter.setFont(self._theme.font("button"))
        room = QRectF(left, 0, self.width() - left, HEIGHT)
        painter.drawText(room, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, self.text())
