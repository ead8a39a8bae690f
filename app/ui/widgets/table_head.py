"""The head of a table without boxes: words over the columns, a hairline below."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from PySide6.QtCore import QRect, Qt
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QHeaderView, QWidget

from app.ui.theme.theme import Theme

HEAD = 32


class TableHead(QHeaderView):
    """`cell(box, column)`: where in the section's box a word stands; those of `right` at its right end."""

    def __init__(
        self, theme: Theme, columns: Sequence[str], right: Collection[int], cell: Callable[[QRect, int], QRect],
        parent: QWidget, *, inset: int = 0,
    ) -> None:  # fmt: skip
        """`inset`: by so many pixels the hairline is shorter at both ends."""
        super().__init__(Qt.Orientation.Horizontal, parent)
        self._theme = theme
        self._columns = columns
        self._right = right
        self._cell = cell
        self._inset = inset
        self.setSectionsClickable(False)
        self.setHighlightSections(False)
        self.setMinimumSectionSize(0)
        self.setFixedHeight(HEAD)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self.viewport())
        painter.fillRect(self.rect(), self._theme.colour("page"))
        line = QRect(self._inset, self.height() - 1, self.width() - 2 * self._inset, 1)
        painter.fillRect(line, self._theme.colour("edge"))
        painter.setFont(self._theme.font("caption_strong"))
        painter.setPen(self._theme.colour("ink2"))
        for column, word in enumerate(self._columns):
            if self.isSectionHidden(column):
                continue
            left, width = self.sectionViewportPosition(column), self.sectionSize(column)
            side = Qt.AlignmentFlag.AlignRight if column in self._right else Qt.AlignmentFlag.AlignLeft
            box = self._cell(QRect(left, 0, width, self.height() - 1), column)
            painter.drawText(box, side | Qt.AlignmentFlag.AlignVCenter, word)
