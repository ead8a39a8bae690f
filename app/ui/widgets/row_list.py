"""A list of painted rows on the page's own ground, of which one is current; it knows whether the keyboard is used."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QFocusEvent, QKeyEvent, QMouseEvent
from PySide6.QtWidgets import QAbstractItemView, QFrame, QListView, QWidget

from app.ui.theme.theme import Theme
from app.ui.widgets.surfaces import see_through

BY_TAB = (Qt.FocusReason.TabFocusReason, Qt.FocusReason.BacktabFocusReason)


class RowList(QListView):
    """Model, delegate and what a row means are the subclass's. `by_keyboard`: the current row shows a ring."""

    def __init__(self, name: str, theme: Theme, parent: QWidget | None = None) -> None:
        """`name`: for those who hear the list."""
        super().__init__(parent)
        self.by_keyboard = False
        self.setAccessibleName(name)
        self.setObjectName("bare")
        self.setFrameShape(QFrame.Shape.NoFrame)
        see_through(self)
        self.viewport().setAttribute(Qt.WidgetAttribute.WA_Hover)
        self.setMouseTracking(True)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        theme.changed.connect(self.viewport().update)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        self.by_keyboard = True
        self.key_pressed(event)
        self.viewport().update()

    def key_pressed(self, event: QKeyEvent) -> None:
        """What a key means; what is not meant for the rows goes on to Qt's own list."""
        super().keyPressEvent(event)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self.by_keyboard = False
        super().mousePressEvent(event)

    def focusInEvent(self, event: QFocusEvent) -> None:
        self.by_keyboard = event.reason() in BY_TAB
        super().focusInEvent(event)
        self.viewport().update()
