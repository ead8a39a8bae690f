"""What the search found, in place of the list of conversations: the title, and the words around the hit."""

from __future__ import annotations

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QPointF, QRect, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QFont, QFontMetrics, QKeyEvent, QPainter, QTextCharFormat, QTextLayout
from PySide6.QtWidgets import (
    QAbstractItemView,
    QFrame,
    QListView,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QWidget,
)

from app.chat.messages import SearchHit
from app.ui.models.search import HIT_ROLE, SearchModel
from app.ui.theme import tokens
from app.ui.theme.theme import Theme

Index = QModelIndex | QPersistentModelIndex


def window_around(snippet: str, marks: list[tuple[int, int]], fits: int) -> tuple[str, list[tuple[int, int]]]:
    """Cuts a snippet to about `fits` characters so that its first mark is inside; the marks move along."""
    first = marks[0][0] if marks else 0
    if first <= fits // 2:
        return snippet, marks
    start = snippet.rfind(" ", 0, max(0, first - fits // 4)) + 1
    if start == 0:
        return snippet, marks
    shift = start - 1
    return "…" + snippet[start:], [(a - shift, b - shift) for a, b in marks if a >= start]


def shortened(text: str, marks: list[tuple[int, int]], font: QFont, width: int) -> str:
    """The text, cut with an ellipsis so that it fits `width` with its marks in bold."""
    bold = QFont(font)
    bold.setWeight(QFont.Weight.DemiBold)
    plain, strong = QFontMetrics(font), QFontMetrics(bold)
    words = [text[start:end] for start, end in marks]
    more = sum(strong.horizontalAdvance(word) - plain.horizontalAdvance(word) for word in words)
    return plain.elidedText(text, Qt.TextElideMode.ElideRight, width - max(0, more))


def fitted(text: str, marks: list[tuple[int, int]], font: QFont, width: int) -> tuple[str, list[tuple[int, int]]]:
    """As much of the text as `width` has room for, its first mark in it. What fits is not cut."""
    if shortened(text, marks, font, width) != text:
        text, marks = window_around(text, marks, width // max(1, QFontMetrics(font).averageCharWidth()))
    return shortened(text, marks, font, width), marks


class _Hits(QStyledItemDelegate):
    def __init__(self, theme: Theme, parent: SearchResults) -> None:
        super().__init__(parent)
        self._theme = theme
        self._view = parent

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        hit: SearchHit = index.data(HIT_ROLE)
        return QSize(0, 54 if hit.message_id else 34)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        box: QRect = option.rect
        hit: SearchHit = index.data(HIT_ROLE)
        colour = self._theme.colour
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        current = index == self._view.currentIndex()
        if current or option.state & QStyle.StateFlag.State_MouseOver:
            fill = colour("hover")
            fill.setAlphaF(1.0 if current else 0.55)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(fill)
            painter.drawRoundedRect(QRectF(box).adjusted(8, 0, -8, 0), tokens.RADIUS_CONTROL, tokens.RADIUS_CONTROL)
        line = QRect(box.left() + 20, box.top() + 7, box.width() - 40, 20)
        if hit.message_id:
            painter.setFont(self._theme.font("row_selected"))
            painter.setPen(colour("ink"))
            title = painter.fontMetrics().elidedText(hit.title, Qt.TextElideMode.ElideRight, line.width())
            painter.drawText(line, Qt.AlignmentFlag.AlignVCenter, title)
            snippet = QRectF(line).translated(0, 20)
            self._marked(painter, hit.snippet, hit.marks, snippet, self._theme.font("caption"))
        else:
            marks = hit.marks if hit.snippet == hit.title else []
            self._marked(painter, hit.title, marks, QRectF(line), self._theme.font("row_selected"))
        painter.restore()

    def _marked(self, painter: QPainter, text: str, marks: list[tuple[int, int]], box: QRectF, font: QFont) -> None:
        metrics = QFontMetrics(font)
        text, marks = fitted(text.replace("\n", " "), marks, font, int(box.width()))
        layout = QTextLayout(text, font)
        strong = QTextCharFormat()
        strong.setFontWeight(QFont.Weight.DemiBold)
        strong.setForeground(self._theme.colour("ink"))
        strong.setBackground(self._theme.colour("selection"))
        ranges = []
        for start, end in marks:
            if start < len(text):
                part = QTextLayout.FormatRange()
                part.start, part.length, part.format = start, min(end, len(text)) - start, strong
                ranges.append(part)
        layout.setFormats(ranges)
        layout.beginLayout()
        row = layout.createLine()
        row.setLineWidth(box.width() + 40)
        layout.endLayout()
        painter.setPen(self._theme.colour("ink2"))
        painter.setClipRect(box)
        layout.draw(painter, QPointF(box.left(), box.top() + (box.height() - metrics.height()) / 2))


class SearchResults(QListView):
    """Emits the hit that was chosen."""

    hit_chosen = Signal(object)

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._search_model = SearchModel(self)
        self.setModel(self._search_model)
        self.setItemDelegate(_Hits(theme, self))
        self.setAccessibleName("Search results")
        self.setObjectName("bare")
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.viewport().setAutoFillBackground(False)
        self.viewport().setAttribute(Qt.WidgetAttribute.WA_Hover)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.clicked.connect(self._choose)
        theme.changed.connect(self.viewport().update)

    def show_hits(self, hits: list[SearchHit]) -> None:
        """Shows these hits instead of the ones before."""
        self._search_model.show(hits)

    def count(self) -> int:
        """How many hits are shown."""
        return self._search_model.rowCount()

    def choose_current(self) -> None:
        """Takes the current hit, or the first."""
        index = self.currentIndex()
        if not index.isValid() and self._search_model.rowCount():
            index = self._search_model.index(0)
        if index.isValid():
            self._choose(index)

    def step(self, by: int) -> None:
        """Moves the current row up or down, staying inside."""
        rows = self._search_model.rowCount()
        if rows:
            at = self.currentIndex().row() if self.currentIndex().isValid() else -1
            self.setCurrentIndex(self._search_model.index(min(rows - 1, max(0, at + by))))

    def _choose(self, index: Index) -> None:
        self.hit_chosen.emit(self._search_model.hit(index))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.choose_current()
        else:
            super().keyPressEvent(event)
