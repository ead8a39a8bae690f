"""The small pieces of the sidebar: wordmark, a place to go to, and the line on what leaves this computer."""

from __future__ import annotations

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QFontMetrics, QPainter, QPaintEvent
from PySide6.QtWidgets import QWidget

from app.ui.theme import icons
from app.ui.theme.theme import Theme
from app.ui.widgets.buttons import HoverButton

NOTHING_LEAVES = "Nothing leaves this computer"


class Wordmark(QWidget):
    """The mark and, where there is room, the name."""

    def __init__(self, theme: Theme, parent: QWidget | None = None, *, name: bool = True) -> None:
        super().__init__(parent)
        self._theme = theme
        self._name = name
        width = QFontMetrics(theme.font("wordmark")).horizontalAdvance("Inglenook") if name else -8
        self.setFixedSize(QSize(28 + width + 4, 28))
        self.setAccessibleName("Inglenook")
        theme.changed.connect(self.update)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        icons.paint_mark(painter, QRectF(0, 4, 20, 20), self._theme.colour("ink"), self._theme.colour("ember"))
        if self._name:
            painter.setFont(self._theme.font("wordmark"))
            painter.setPen(self._theme.colour("ink"))
            painter.drawText(QRectF(28, 0, self.width() - 28, 28), Qt.AlignmentFlag.AlignVCenter, "Inglenook")


class NavigationRow(HoverButton):
    """One place to go to: icon and word, filled while one is there."""

    HOVER = 0.55

    def __init__(self, icon_name: str, text: str, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(theme, parent)
        self._icon_name = icon_name
        self.setText(text)
        self.setCheckable(True)
        self.setFixedHeight(32)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        self.fill(painter, share=1.0 if self.isChecked() else None)
        ink = self._theme.colour("ink" if self.isChecked() else "ink2")
        icons.paint(painter, self._icon_name, QRectF(12, self.height() / 2 - 9, 18, 18), ink)
        painter.setFont(self._theme.font("row_selected" if self.isChecked() else "row"))
        painter.setPen(ink)
        painter.drawText(self.rect().adjusted(40, 0, -8, 0), Qt.AlignmentFlag.AlignVCenter, self.text())


class Footer(QWidget):
    """What leaves this computer, in one line. True as long as no code of the application opens a connection."""

    def __init__(self, theme: Theme, parent: QWidget | None = None, *, word: bool = True) -> None:
        super().__init__(parent)
        self._theme = theme
        self._word = word
        self.setFixedHeight(40)
        self.setAccessibleName(NOTHING_LEAVES)
        self.setToolTip("" if word else NOTHING_LEAVES)
        theme.changed.connect(self.update)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        left = 20 if self._word else self.width() / 2 - 7
        icons.paint(painter, "lock", QRectF(left, 13, 14, 14), self._theme.colour("moss"))
        if self._word:
            painter.setFont(self._theme.font("caption"))
            painter.setPen(self._theme.colour("ink2"))
            painter.drawText(self.rect().adjusted(42, 0, -8, 0), Qt.AlignmentFlag.AlignVCenter, NOTHING_LEAVES)
