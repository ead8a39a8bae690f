"""The list of models at the left: painted rows of 94 px, whatever their number."""

from __future__ import annotations

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QRect, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QFocusEvent, QFontMetrics, QKeyEvent, QPainter
from PySide6.QtWidgets import (
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QWidget,
)

from app.ui.components.models.rows import paint_ground, paint_line
from app.ui.models.results import BADGE_ROLE, ROW_ROLE, SPEED_ROLE, Badge, ResultsModel, Row
from app.ui.theme import icons, tokens
from app.ui.theme.theme import Theme
from app.ui.widgets.row_list import RowList
from app.ui.widgets.surfaces import reserve_bar

ROW = 94
PAD = tokens.OVERHANG
MORE_WITHIN = 8 * ROW

Index = QModelIndex | QPersistentModelIndex
_MIDDLE = Qt.AlignmentFlag.AlignVCenter


class _Rows(QStyledItemDelegate):
    def __init__(self, theme: Theme, parent: ResultsView) -> None:
        super().__init__(parent)
        self._theme = theme
        self._view = parent

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        return QSize(0, ROW)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        box: QRect = option.rect
        row: Row = index.data(ROW_ROLE)
        colour = self._theme.colour
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        current = index == self._view.currentIndex()
        hovered = bool(option.state & QStyle.StateFlag.State_MouseOver)
        ringed = current and self._view.by_keyboard and self._view.hasFocus()
        paint_ground(painter, self._theme, box, current=current, hovered=hovered, ringed=ringed)
        left, right = box.left() + PAD, box.right() - PAD
        name_right = self._pace(painter, float(index.data(SPEED_ROLE)), right, box.top() + 13)
        painter.setFont(self._theme.font("body_strong"))
        painter.setPen(colour("ink"))
        paint_line(painter, row.name, left, name_right - 12, box.top() + 11, 24)
        painter.setFont(self._theme.font("secondary"))
        painter.setPen(colour("ink2"))
        paint_line(painter, row.line, left, right, box.top() + 34, 20)
        at = left
        for badge in index.data(BADGE_ROLE):
            at = self._badge(painter, badge, at, box.top() + 58) + 8
        painter.setFont(self._theme.font("secondary"))
        painter.setPen(colour("ink2"))
        paint_line(painter, row.facts, at, right, box.top() + 58, 20)
        painter.restore()

    def _pace(self, painter: QPainter, tokens_per_s: float, right: int, top: int) -> int:
        """The expected speed at the right; returns where what stands left of it has to end."""
        if tokens_per_s <= 0:
            return right
        small, large = self._theme.font("caption"), self._theme.font("row_selected")
        word, number = "tokens/s", f"≈ {tokens_per_s:.0f}" if tokens_per_s >= 1 else "< 1"
        wide = QFontMetrics(small).horizontalAdvance(word)
        painter.setFont(small)
        painter.setPen(self._theme.colour("ink2"))
        painter.drawText(QRect(right - wide, top, wide + 1, 20), _MIDDLE, word)
        painter.setFont(large)
        painter.setPen(self._theme.colour("ink"))
        figure = QFontMetrics(large).horizontalAdvance(number)
        painter.drawText(QRect(right - wide - 6 - figure, top, figure + 1, 20), _MIDDLE, number)
        return right - wide - 6 - figure

    def _badge(self, painter: QPainter, badge: Badge, left: int, top: int) -> int:
        font = self._theme.font("caption_strong")
        plain = badge.kind == "plain"
        ink = self._theme.colour("ink2" if plain else badge.kind)
        wide = QFontMetrics(font).horizontalAdvance(badge.text) + 31
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(self._theme.colour("hover" if plain else f"{badge.kind}_tint"))
        painter.drawRoundedRect(QRectF(left, top, wide, 20), tokens.RADIUS_BADGE, tokens.RADIUS_BADGE)
        icons.paint(painter, badge.icon_name, QRectF(left + 7, top + 4, 12, 12), ink)
        painter.setPen(ink)
        painter.setFont(font)
        painter.drawText(QRect(left + 23, top, wide - 23, 20), _MIDDLE, badge.text)
        return left + wide


class ResultsView(RowList):
    """The current row is the one that is shown. `more_wanted`: the end is near."""

    row_chosen = Signal(object)
    row_taken = Signal(object)
    more_wanted = Signal()

    def __init__(self, model: ResultsModel, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__("Models found", theme, parent)
        self.setModel(model)
        self.setItemDelegate(_Rows(theme, self))
        self.setUniformItemSizes(True)
        self.verticalScrollBar().setSingleStep(ROW // 2)
        self.verticalScrollBar().valueChanged.connect(lambda _value: self.look_ahead())
        self.verticalScrollBar().rangeChanged.connect(lambda _least, _most: self.look_ahead())
        reserve_bar(self)

    def step(self, by: int) -> None:
        """Moves the current row up or down, staying inside."""
        rows = self.model().rowCount()
        if rows:
            at = self.currentIndex().row() if self.currentIndex().isValid() else -1
            self.setCurrentIndex(self.model().index(min(rows - 1, max(0, at + by)), 0))

    def take_current(self) -> None:
        """Opens the current row at once, or the first."""
        if not self.currentIndex().isValid():
            self.step(1)
        if self.currentIndex().isValid():
            self.row_taken.emit(self.currentIndex().data(ROW_ROLE))

    def currentChanged(self, current: Index, previous: Index) -> None:
        super().currentChanged(current, previous)
        self.viewport().update()
        if current.isValid():
            self.scrollTo(current)
            self.row_chosen.emit(current.data(ROW_ROLE))

    def look_ahead(self, *, even_if_empty: bool = False) -> None:
        """Tells when the end is near, or there is nothing at all yet."""
        rows = self.model().rowCount()
        seen = self.verticalScrollBar().value() + self.viewport().height()
        if seen + MORE_WITHIN >= rows * ROW and (even_if_empty or rows):
            self.more_wanted.emit()

    def key_pressed(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.take_current()
        elif event.key() == Qt.Key.Key_Escape:
            event.ignore()
        else:
            super().key_pressed(event)

    def focusInEvent(self, event: QFocusEvent) -> None:
        super().focusInEvent(event)
        if not self.currentIndex().isValid() and self.by_keyboard:
            self.step(1)
