"""The table of a model's versions: no box, a hairline under each row, the recommended row on a tint. The page scrolls.

The current row is the version that the button below means. Return, or a click on the arrow, begins its download.
"""

from __future__ import annotations

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QRect, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QFocusEvent, QFontMetrics, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen, QWheelEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QFrame,
    QHeaderView,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTableView,
)

from app.ui.models.versions import COLUMNS, DO, HERE, PACE, QUALITY, RIGHT, SIZE, VERSION, Stage, VersionsModel
from app.ui.theme import icons, tokens
from app.ui.theme.theme import Theme
from app.ui.widgets.surfaces import paint_dot
from app.ui.widgets.table_head import HEAD, TableHead

ROW, GAP = 44, 16
OVERHANG = tokens.OVERHANG
_WIDTHS = {SIZE: 80, HERE: 96, PACE: 72, DO: 112}
_NARROW = {SIZE: 72, HERE: 88, PACE: 72, DO: 104}
_NARROW_BELOW = 560
_NO_QUALITY_BELOW = 450

Index = QModelIndex | QPersistentModelIndex


class _Rows(QStyledItemDelegate):
    def __init__(self, theme: Theme, parent: VersionsTable) -> None:
        super().__init__(parent)
        self._theme = theme
        self._table = parent

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        rect: QRect = option.rect
        model = self._table.versions
        colour = self._theme.colour
        recommended = model.variant(index.row()).name == model.recommended
        column = index.column()
        painter.save()
        box = self._table.cell(rect, column)
        use = "row_strong" if column == VERSION and recommended else "row"
        role = "ink2" if column == QUALITY else "ink"
        if column == HERE and (outlook := model.outlook(index.row())) is not None:
            role = "ink2" if outlook.badge.kind == "plain" else outlook.badge.kind
            paint_dot(painter, QRectF(box.left(), box.center().y() - 3, 7, 7), colour(role))
            box.setLeft(box.left() + 13)
        if column == DO:
            self._deed(painter, index, box)
        else:
            if column == QUALITY and not index.sibling(index.row(), DO).data():
                box.setRight(box.right() + self._table.columnWidth(DO) - 48)  # beside the arrow there is room
            painter.setFont(self._theme.font("secondary" if column == QUALITY else use))
            painter.setPen(colour(role))
            mode = Qt.TextElideMode.ElideMiddle if column == VERSION else Qt.TextElideMode.ElideRight
            text = painter.fontMetrics().elidedText(str(index.data()), mode, box.width())
            side = Qt.AlignmentFlag.AlignRight if column in RIGHT else Qt.AlignmentFlag.AlignLeft
            painter.drawText(box, side | Qt.AlignmentFlag.AlignVCenter, text)
        painter.restore()

    def _deed(self, painter: QPainter, index: Index, box: QRect) -> None:
        colour = self._theme.colour
        text = str(index.data())
        recommended = text == "Recommended"
        if text:
            painter.setFont(self._theme.font("caption_strong"))
            painter.setPen(colour("tint_text" if recommended else "moss" if text == Stage.HERE else "ink2"))
            painter.drawText(box, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, text)
        else:
            side = QRectF(box.right() - 20, box.center().y() - 8, 16, 16)
            icons.paint(painter, "download", side, colour("ink2"))


class VersionsTable(QTableView):
    """As high as its rows; 16 px wider than the text on both sides, for the tint."""

    chosen = Signal(str)
    taken = Signal(str)
    row_reached = Signal(QRect)

    def __init__(self, versions: VersionsModel, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self.versions = versions
        self._by_keyboard = False
        self.setObjectName("bare")
        self.setAccessibleName("Versions")
        self.setModel(versions)
        self.setItemDelegate(_Rows(theme, self))
        self.setHorizontalHeader(TableHead(theme, COLUMNS, RIGHT, self.cell, self, inset=OVERHANG))
        self.verticalHeader().hide()
        self.verticalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        self.verticalHeader().setDefaultSectionSize(ROW)
        self.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        self.setShowGrid(False)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setSelectionMode(QAbstractItemView.SelectionMode.NoSelection)  # the current row is what counts
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setTabKeyNavigation(False)
        self.setCornerButtonEnabled(False)
        self.setMouseTracking(True)
        self.viewport().setAutoFillBackground(False)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        versions.modelReset.connect(self._fit)
        versions.dataChanged.connect(lambda *_: self._refit())
        theme.changed.connect(self.viewport().update)
        self._fit()

    def cell(self, rect: QRect, column: int) -> QRect:
        """The part of a cell that its words may take."""
        left = OVERHANG if column == VERSION else 0
        right = OVERHANG if column == DO else GAP
        return rect.adjusted(left, 0, -right, -1)

    def choose(self, name: str) -> None:
        """Makes a version the current one."""
        row = self.versions.row_of(name)
        if row >= 0:
            self.setCurrentIndex(self.versions.index(row, VERSION))

    def _fit(self) -> None:
        self.setFixedHeight(HEAD + ROW * self.versions.rowCount())
        self._refit()

    def _refit(self) -> None:
        width = self.width()
        widths = dict(_NARROW if width < _NARROW_BELOW else _WIDTHS)
        words = QFontMetrics(self._theme.font("caption_strong")).horizontalAdvance("Recommended")
        widths[DO] = max(widths[DO], words + OVERHANG + 4)
        if not self.versions.knows_here:
            widths[HERE] = widths[PACE] = 0
        left = width - sum(widths.values())
        quality = width >= _NO_QUALITY_BELOW or not self.versions.knows_here
        widths[VERSION] = min(self._longest(), round(left * 0.6)) if quality else left
        widths[QUALITY] = max(0, left - widths[VERSION])
        for column, wide in widths.items():
            self.setColumnHidden(column, wide <= 0)
            if wide > 0 and self.columnWidth(column) != wide:
                self.setColumnWidth(column, wide)

    def _longest(self) -> int:
        """What the names take, with the free pixels around them."""
        metrics = QFontMetrics(self._theme.font("row_strong"))
        rows = range(self.versions.rowCount())
        words = max((metrics.horizontalAdvance(self.versions.variant(row).name) for row in rows), default=0)
        return max(104, OVERHANG + words + GAP + 4)

    def sizeHint(self) -> QSize:
        return QSize(640, self.height())

    def minimumSizeHint(self) -> QSize:
        return QSize(320, self.height())

    def resizeEvent(self, event: object) -> None:
        self._refit()
        super().resizeEvent(event)  # type: ignore[arg-type]

    def currentChanged(self, current: Index, previous: Index) -> None:
        super().currentChanged(current, previous)
        self.viewport().update()
        if current.isValid():
            self.chosen.emit(self.versions.variant(current.row()).name)
            if self.hasFocus():
                self.row_reached.emit(self.visualRect(current).translated(0, HEAD))

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self.viewport())
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        current = self.currentIndex().row() if self.currentIndex().isValid() else -1
        for row in range(self.versions.rowCount()):
            box = QRect(0, self.rowViewportPosition(row), self.viewport().width(), ROW)
            recommended = self.versions.variant(row).name == self.versions.recommended
            inside = QRect(OVERHANG, box.bottom(), box.width() - 2 * OVERHANG, 1)
            below = row + 1 < self.versions.rowCount() and (
                row + 1 == current or self.versions.variant(row + 1).name == self.versions.recommended
            )
            if recommended or row == current:
                painter.setPen(Qt.PenStyle.NoPen)
                painter.setBrush(self._theme.colour("tint" if recommended else "fill"))
                painter.drawRoundedRect(QRectF(box), tokens.RADIUS_CONTROL, tokens.RADIUS_CONTROL)
            elif not below:
                painter.fillRect(inside, self._theme.colour("line"))
            if row == current and self.hasFocus() and self._by_keyboard:
                painter.setPen(QPen(self._theme.colour("ember"), tokens.FOCUS_WIDTH))
                painter.setBrush(Qt.BrushStyle.NoBrush)
                around = QRectF(box).adjusted(1, 1, -1, -1)
                painter.drawRoundedRect(around, tokens.RADIUS_CONTROL, tokens.RADIUS_CONTROL)
        painter.end()
        super().paintEvent(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        self._by_keyboard = True
        current = self.currentIndex()
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and current.isValid():
            self.taken.emit(self.versions.variant(current.row()).name)
        elif event.key() == Qt.Key.Key_Escape:
            event.ignore()
        else:
            super().keyPressEvent(event)
        self.viewport().update()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self._by_keyboard = False
        super().mousePressEvent(event)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        super().mouseReleaseEvent(event)
        index = self.indexAt(event.position().toPoint())
        on_deed = event.button() == Qt.MouseButton.LeftButton and index.isValid() and index.column() == DO
        if on_deed and self.versions.stage(index.row()) is Stage.REMOTE:
            self.taken.emit(self.versions.variant(index.row()).name)

    def focusInEvent(self, event: QFocusEvent) -> None:
        self._by_keyboard = event.reason() in (Qt.FocusReason.TabFocusReason, Qt.FocusReason.BacktabFocusReason)
        super().focusInEvent(event)
        if not self.currentIndex().isValid() and self.versions.rowCount():
            self.setCurrentIndex(self.versions.index(0, VERSION))
        self.viewport().update()

    def wheelEvent(self, event: QWheelEvent) -> None:
        event.ignore()  # the page scrolls
