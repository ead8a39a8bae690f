"""The ledger as a table: no box, no stripes, a hairline under each row. The page scrolls, not the table."""

from __future__ import annotations

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QRect, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QPainter, QWheelEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QFrame,
    QHeaderView,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTableView,
    QWidget,
)

from app.privacy.ledger import Outcome
from app.ui.models.ledger import COLUMNS, LOCAL, OUTCOME, RIGHT, WHAT, WHERE, LedgerModel, outcome_words
from app.ui.theme import icons
from app.ui.theme.theme import Theme
from app.ui.widgets.table_head import HEAD, TableHead

ROW = 40
GAP = 20
_WIDE = {0: 112, 1: 184, 3: 76, 4: 84, 5: 130}
_NARROW = {0: 112, 1: 150, 3: 70, 4: 84, 5: 124}
_NARROW_BELOW = 800

_SIGNS = {
    Outcome.ALLOWED: ("check", "moss"),
    Outcome.REFUSED: ("prohibit", "rose"),
    Outcome.FAILED: ("warning", "ochre"),
}


class _Rows(QStyledItemDelegate):
    def __init__(self, theme: Theme, parent: QWidget) -> None:
        super().__init__(parent)
        self._theme = theme

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        rect: QRect = option.rect
        state: QStyle.StateFlag = option.state
        colour = self._theme.colour
        painter.save()
        if state & QStyle.StateFlag.State_Selected and state & QStyle.StateFlag.State_Active:
            painter.fillRect(rect, colour("fill"))
        painter.fillRect(QRect(rect.left(), rect.bottom(), rect.width(), 1), colour("line"))
        column, box = index.column(), rect.adjusted(0, 0, -GAP, -1)
        use, role = ("button", "ink") if column == WHERE else ("secondary", "ink2")
        if column == OUTCOME:
            box = rect.adjusted(0, 0, 0, -1)
            name, role = self._sign(index)
            icons.paint(painter, name, QRectF(box.left(), box.center().y() - 6, 14, 14), colour(role))
            box.setLeft(box.left() + 22)
        painter.setFont(self._theme.font(use))
        painter.setPen(colour(role))
        text = painter.fontMetrics().elidedText(str(index.data()), Qt.TextElideMode.ElideRight, box.width())
        side = Qt.AlignmentFlag.AlignRight if column in RIGHT else Qt.AlignmentFlag.AlignLeft
        painter.drawText(box, side | Qt.AlignmentFlag.AlignVCenter, text)
        painter.restore()

    @staticmethod
    def _sign(index: QModelIndex | QPersistentModelIndex) -> tuple[str, str]:
        model = index.model()
        assert isinstance(model, LedgerModel)
        entry = model.entry(index.row())
        return ("desktop", "ink2") if outcome_words(entry) == LOCAL else _SIGNS[entry.outcome]


def _word(box: QRect, column: int) -> QRect:
    """Where the word over a column stands: the last one has no neighbour."""
    return box if column == OUTCOME else box.adjusted(0, 0, -GAP, 0)


class LedgerTable(QTableView):
    """As high as its rows. `row_reached`: the keyboard went to a row that may lie outside of what is seen."""

    row_reached = Signal(QRect)

    def __init__(self, model: LedgerModel, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self.setObjectName("bare")
        self.setAccessibleName("Network ledger")
        self.setModel(model)
        self.setItemDelegate(_Rows(theme, self))
        self.setHorizontalHeader(TableHead(theme, COLUMNS, RIGHT, _word, self))
        self.verticalHeader().hide()
        self.verticalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        self.verticalHeader().setDefaultSectionSize(ROW)
        self.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        self.horizontalHeader().setSectionResizeMode(WHAT, QHeaderView.ResizeMode.Stretch)
        self.setShowGrid(False)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setTabKeyNavigation(False)
        self.setCornerButtonEnabled(False)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        for changed in (model.rowsInserted, model.modelReset):
            changed.connect(self._fit)
        theme.changed.connect(self.viewport().update)
        self._fit()

    def _fit(self) -> None:
        self.setFixedHeight(HEAD + ROW * self.model().rowCount())

    def sizeHint(self) -> QSize:
        return QSize(880, self.height())

    def minimumSizeHint(self) -> QSize:
        return QSize(400, self.height())

    def resizeEvent(self, event: object) -> None:
        widths = _NARROW if self.width() < _NARROW_BELOW else _WIDE
        for column, width in widths.items():
            self.setColumnWidth(column, width)
        super().resizeEvent(event)  # type: ignore[arg-type]

    def currentChanged(
        self, current: QModelIndex | QPersistentModelIndex, previous: QModelIndex | QPersistentModelIndex
    ) -> None:
        super().currentChanged(current, previous)
        if current.isValid():
            self.row_reached.emit(self.visualRect(current).translated(0, HEAD))

    def wheelEvent(self, event: QWheelEvent) -> None:
        event.ignore()  # the page scrolls
