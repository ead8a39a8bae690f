"""Paints the rows of the list of what the model sees, and knows where their icons are."""

from __future__ import annotations

from typing import Protocol

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QPoint, QRect, QRectF, QSize, Qt
from PySide6.QtGui import QFontMetrics, QPainter, QPen
from PySide6.QtWidgets import QStyle, QStyledItemDelegate, QStyleOptionViewItem, QWidget

from app.chat.context_view import Standing
from app.ui.components.context import bars
from app.ui.components.context.verbs import ICONS, icon_of, verbs_of
from app.ui.models.context import LINE_ROLE, ContextModel
from app.ui.models.context_lines import INSTRUCTIONS, Line
from app.ui.theme import icons, tokens
from app.ui.theme.theme import Theme

ROW = 40
LEFT, RIGHT = 8, 10
INDENT = 22
SIDE = 24

Index = QModelIndex | QPersistentModelIndex
_MIDDLE = Qt.AlignmentFlag.AlignVCenter
_STYLES = {
    Standing.PINNED: bars.PINNED,
    Standing.SUMMARISED: bars.SUMMARISED,
    Standing.TRIMMED: bars.TRIMMED,
    Standing.OUTSIDE: bars.TRIMMED,
    Standing.KEPT: bars.KEPT,
}


class ListLike(Protocol):
    """What the rows ask of their list."""

    by_keyboard: bool
    read_only: bool

    def hasFocus(self) -> bool: ...
    def currentIndex(self) -> QModelIndex: ...
    def pointer(self) -> QPoint: ...


class ContextRows(QStyledItemDelegate):
    """The delegate."""

    def __init__(self, model: ContextModel, listed: ListLike, theme: Theme, parent: QWidget) -> None:
        super().__init__(parent)
        self._model = model
        self._list = listed
        self._theme = theme

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        return QSize(0, ROW)

    def verb_boxes(self, line: Line, box: QRect) -> list[tuple[str, QRect]]:
        """The icons at the right of a row, before its amount."""
        verbs = verbs_of(line, read_only=self._list.read_only)
        right = box.right() - RIGHT + 1 - self._amount_width(line) - 8
        made = []
        for at, verb in enumerate(reversed(verbs)):
            made.append((verb, QRect(right - SIDE * (at + 1), _top(line, box) + 5, SIDE, SIDE)))
        return made[::-1]

    def _amount_width(self, line: Line) -> int:
        return QFontMetrics(self._theme.font("caption")).horizontalAdvance(line.amount)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        line: Line | None = index.data(LINE_ROLE)
        if line is None:
            return
        box: QRect = option.rect
        colour = self._theme.colour
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        hovered = bool(option.state & QStyle.StateFlag.State_MouseOver)
        focused = index == self._list.currentIndex() and self._list.hasFocus()
        self._ground(painter, box, hovered=hovered, focused=focused)
        left, right = box.left() + LEFT, box.right() - RIGHT + 1
        quiet = not line.standing.seen and line.standing is not Standing.SUMMARISED
        top = _top(line, box)
        amount = self._amount_width(line)
        painter.setFont(self._theme.font("caption"))
        painter.setPen(colour("ink2"))
        painter.drawText(QRect(right - amount, top + 5, amount + 1, 24), _MIDDLE, line.amount)
        end = right - amount - 10
        if hovered or focused:
            boxes = self.verb_boxes(line, box)
            for verb, place in boxes:
                self._verb(painter, verb, place)
            if boxes:
                end = boxes[0][1].left() - 6
        left = self._icon(painter, line, left, top)
        painter.setFont(self._theme.font("secondary"))
        painter.setPen(colour("ink2" if quiet or line.level else "ink"))
        room = end - left - (16 if line.foldable else 0)
        text = painter.fontMetrics().elidedText(line.title, Qt.TextElideMode.ElideRight, room)
        painter.drawText(QRect(left, top + 5, room + 2, 24), _MIDDLE, text)
        if line.foldable:
            at = left + painter.fontMetrics().horizontalAdvance(text) + 5
            caret = "caret-down" if line.open else "caret-right"
            icons.paint(painter, caret, QRectF(at, box.top() + 12, 10, 10), colour("ink3"))
        bar = QRectF(box.left() + LEFT + INDENT, box.top() + 31, right - box.left() - LEFT - INDENT, 3)
        if not line.level:
            bar.setHeight(4)
        if _barred(line):
            style = bars.PINNED if line.kind == INSTRUCTIONS else _STYLES[line.standing]
            bars.paint_row_bar(painter, bar, style, line.tokens / self._model.largest, self._theme)
        painter.restore()

    def _ground(self, painter: QPainter, box: QRect, *, hovered: bool, focused: bool) -> None:
        around = QRectF(box).adjusted(0, 1, 0, -1)
        if hovered or focused:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(self._theme.colour("fill"))
            painter.drawRoundedRect(around, tokens.RADIUS_CONTROL, tokens.RADIUS_CONTROL)
        if focused and self._list.by_keyboard:
            painter.setPen(QPen(self._theme.colour("ember"), tokens.FOCUS_WIDTH))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(around.adjusted(1, 1, -1, -1), tokens.RADIUS_CONTROL, tokens.RADIUS_CONTROL)

    def _icon(self, painter: QPainter, line: Line, left: int, top: int) -> int:
        """Paints the icon of a line; returns where its words begin."""
        name, role = icon_of(line)
        at = left + (INDENT if line.level else 0)
        side = 12 if line.level else 14
        if name:
            icons.paint(painter, name, QRectF(at, top + 17 - side / 2, side, side), self._theme.colour(role))
        return left + INDENT + (18 if line.level and name else 0)

    def _verb(self, painter: QPainter, verb: str, place: QRect) -> None:
        hot = place.contains(self._list.pointer())
        if hot:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(self._theme.colour("hover"))
            painter.drawRoundedRect(QRectF(place), tokens.RADIUS_ICON, tokens.RADIUS_ICON)
        inside = QRectF(place).adjusted(5, 5, -5, -5)
        icons.paint(painter, ICONS[verb], inside, self._theme.colour("ink" if hot else "ink2"))


def _barred(line: Line) -> bool:
    return bool(line.own or line.tokens) and not (line.level and line.standing is Standing.SUMMARISED)


def _top(line: Line, box: QRect) -> int:
    """Where the words begin: a little lower where there is no bar below them."""
    return box.top() if _barred(line) else box.top() + 3
