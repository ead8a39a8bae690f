"""What scrolls in the tab Context: an offer, if there is one, and the list below it."""

from __future__ import annotations

from PySide6.QtCore import QRect, Qt
from PySide6.QtWidgets import QFrame, QHBoxLayout, QScrollArea, QVBoxLayout, QWidget

from app.ui.components.context.list import ContextList
from app.ui.components.context.offers import OfferStrip
from app.ui.components.context.rows import ROW
from app.ui.theme import tokens
from app.ui.widgets.surfaces import SCROLL_BAR

LEAST_ROWS = 3
WIDTH = tokens.PANEL - 1 - SCROLL_BAR  # with or without a scroll bar, so that nothing moves when it comes


class Middle(QScrollArea):
    """No higher than what is in it, so that what stands below follows it."""

    def __init__(self, offer: OfferStrip, rows: ContextList) -> None:
        super().__init__()
        self._rows = rows
        page = self._page = QWidget()
        page.setFixedWidth(WIDTH)
        above = QHBoxLayout()
        above.setContentsMargins(20, 0, 20 - SCROLL_BAR, 0)
        above.addWidget(offer)
        below = QHBoxLayout()
        below.setContentsMargins(12, 0, 0, 0)
        below.addWidget(rows)
        self._column = QVBoxLayout(page)
        self._column.setContentsMargins(0, 8, 0, 0)
        self._column.setSpacing(6)
        self._column.addLayout(above)
        self._column.addLayout(below)
        self._column.addStretch()
        self.setObjectName("bare")
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.verticalScrollBar().setSingleStep(ROW // 2)
        self.setWidget(page)
        self.setWidgetResizable(True)
        rows.refitted.connect(self.refit)
        rows.row_shown.connect(self._show_row)

    def refit(self) -> None:
        """Takes the height of what is in it."""
        self._column.activate()
        high = self._column.hasHeightForWidth()
        wanted = self._column.totalHeightForWidth(WIDTH) if high else self._column.totalSizeHint().height()
        self.setMinimumHeight(min(wanted, LEAST_ROWS * ROW))
        self.setMaximumHeight(wanted)

    def _show_row(self, row: QRect) -> None:
        top = self._rows.viewport().mapTo(self._page, row.topLeft()).y()
        self.ensureVisible(0, top + row.height() // 2, 0, row.height())
