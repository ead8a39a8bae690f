"""The column of the load plan: it scrolls where there is no room, and is no higher than what it holds."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QEvent, QObject, Qt
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QScrollArea, QVBoxLayout, QWidget

from app.ui.widgets.surfaces import SCROLL_BAR, reserve_bar

WIDTH = 728
MARGIN = 32


def centred(widget: QWidget, right: int = MARGIN) -> QWidget:
    """The widget in the middle, as wide as the column at most."""
    widget.setMaximumWidth(WIDTH)
    holder = QWidget()
    row = QHBoxLayout(holder)
    row.setContentsMargins(MARGIN, 0, right, 0)
    row.addStretch(0)
    row.addWidget(widget, 1)
    row.addStretch(0)
    return holder


class PlanColumn(QScrollArea):
    """Widgets with the space below each, so that what follows the column stands right under it. `refit` is called when
    their heights may have changed."""

    def __init__(self, *parts: tuple[QWidget, int]) -> None:
        super().__init__()
        self._parts: Sequence[QWidget] = [widget for widget, _ in parts]
        self._inside = QWidget()
        column = QVBoxLayout(self._inside)
        column.setContentsMargins(0, 20, 0, 0)
        column.setSpacing(0)
        for widget, space in parts:
            column.addWidget(widget)
            column.addSpacing(space)
        column.addStretch()
        self.setObjectName("bare")
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setWidgetResizable(True)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setWidget(centred(self._inside))
        reserve_bar(self)

    def refit(self) -> None:
        """Takes the height that is needed."""
        for part in (*self._parts, self._inside):
            part.updateGeometry()  # what changed inside just now would be told to the layouts above only later
        self._take_height()

    def _take_height(self) -> None:
        holder = self.widget()
        if holder is not None and (arrangement := holder.layout()) is not None:
            height = arrangement.totalHeightForWidth(max(200, self.width() - SCROLL_BAR))
            holder.setMinimumHeight(height)  # else Qt takes the height that the narrowest width would need
            self.setMaximumHeight(height)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        done = super().eventFilter(watched, event)
        if event.type() is QEvent.Type.LayoutRequest and watched is self.widget():
            self._take_height()  # rows that are new are counted only once they have been shown
        return done

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        if event.size().width() != event.oldSize().width():
            self.refit()
