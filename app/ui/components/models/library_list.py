"""The list of the models on this computer: painted rows, the current one is shown at the right."""

from __future__ import annotations

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QRect, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QKeyEvent, QPainter
from PySide6.QtWidgets import (
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
)

from app.engine.values import ModelFile
from app.ui import words
from app.ui.components.models.rows import paint_ground, paint_line
from app.ui.models.library import MODEL_ROLE, LibraryModel, facts_of
from app.ui.theme import icons, tokens
from app.ui.theme.theme import Theme
from app.ui.widgets.row_list import RowList
from app.ui.widgets.surfaces import reserve_bar

ROW = 68
PAD = tokens.OVERHANG

Index = QModelIndex | QPersistentModelIndex
_MIDDLE = Qt.AlignmentFlag.AlignVCenter


class _Rows(QStyledItemDelegate):
    def __init__(self, theme: Theme, parent: LibraryList) -> None:
        super().__init__(parent)
        self._theme = theme
        self._list = parent

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        return QSize(0, ROW)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        box: QRect = option.rect
        model: ModelFile = index.data(MODEL_ROLE)
        colour = self._theme.colour
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        current = index == self._list.currentIndex()
        hovered = bool(option.state & QStyle.StateFlag.State_MouseOver)
        ringed = current and self._list.by_keyboard and self._list.hasFocus()
        paint_ground(painter, self._theme, box, current=current, hovered=hovered, ringed=ringed)
        left, right = box.left() + PAD, box.right() - PAD
        painter.setFont(self._theme.font("secondary"))
        painter.setPen(colour("ink2"))
        version = painter.fontMetrics().horizontalAdvance(model.quantization)
        painter.drawText(QRect(right - version, box.top() + 12, version + 1, 24), _MIDDLE, model.quantization)
        painter.setFont(self._theme.font("body_strong"))
        painter.setPen(colour("ink3" if model.away else "ink"))
        paint_line(painter, words.model_title(model), left, right - version - 12, box.top() + 12, 24)
        painter.setFont(self._theme.font("secondary"))
        at = left
        if model.problem:
            role = "ochre" if model.away else "rose"
            icons.paint(painter, "warning" if model.away else "warning-circle", QRectF(left, box.top() + 39, 14, 14),
                        colour(role))  # fmt: skip
            painter.setPen(colour(role))
            at += 20
        else:
            painter.setPen(colour("ink2"))
        paint_line(painter, model.problem or facts_of(model), at, right, box.top() + 36, 20)
        painter.restore()


class LibraryList(RowList):
    """`row_chosen` carries the id of the current model; `taken`: Return was pressed on it; Delete is a wish too."""

    row_chosen = Signal(str)
    taken = Signal(str)
    delete_wanted = Signal(str)

    def __init__(self, model: LibraryModel, theme: Theme) -> None:
        super().__init__("Models on this computer", theme)
        self.setModel(model)
        self.setItemDelegate(_Rows(theme, self))
        self.setUniformItemSizes(True)
        reserve_bar(self)

    def _id(self) -> str:
        index = self.currentIndex()
        return index.data(MODEL_ROLE).id if index.isValid() else ""

    def currentChanged(self, current: Index, previous: Index) -> None:
        super().currentChanged(current, previous)
        self.viewport().update()
        if current.isValid():
            self.scrollTo(current)
        self.row_chosen.emit(self._id())

    def key_pressed(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and self._id():
            self.taken.emit(self._id())
        elif event.key() == Qt.Key.Key_Delete and self._id():
            self.delete_wanted.emit(self._id())
        elif event.key() == Qt.Key.Key_Escape:
            event.ignore()
        else:
            super().key_pressed(event)
