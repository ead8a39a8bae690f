"""How the parts of the Models page stand beside each other: a list with one model, or one column in the middle."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QScrollArea, QVBoxLayout, QWidget

from app.ui.theme.theme import Theme
from app.ui.widgets.surfaces import Hairline

LIST, LIST_NARROW = 432, 348
NARROW_BELOW = 1000
MIDDLE = 728


class ListAndDetail(QWidget):
    """A list of fixed width at the left, a hairline, and what is chosen at the right."""

    def __init__(self, left: QWidget, right: QWidget, theme: Theme) -> None:
        super().__init__()
        self._left = left
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(0)
        row.addWidget(left)
        row.addWidget(Hairline(theme, vertical=True))
        row.addWidget(right, 1)
        self._fit()

    def _fit(self) -> None:
        self._left.setFixedWidth(LIST if self.width() >= NARROW_BELOW else LIST_NARROW)

    def resizeEvent(self, event: QResizeEvent) -> None:
        self._fit()
        super().resizeEvent(event)


class MiddleColumn(QScrollArea):
    """One column in the middle that scrolls."""

    def __init__(self, *inside: QWidget) -> None:
        super().__init__()
        self.setObjectName("bare")
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setWidgetResizable(True)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        middle = QWidget()
        middle.setMaximumWidth(MIDDLE)
        column = QVBoxLayout(middle)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        for widget in inside:
            column.addWidget(widget)
        column.addStretch()
        holder = QWidget()
        row = QHBoxLayout(holder)
        row.setContentsMargins(32, 0, 32, 0)
        row.addStretch(0)
        row.addWidget(middle, 1)
        row.addStretch(0)
        self.setWidget(holder)
