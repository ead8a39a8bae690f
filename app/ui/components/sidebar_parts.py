"""The small pieces of the sidebar: wordmark, a place to go to, and the line on what may leave this computer."""

from __future__ import annotations

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QFontMetrics, QPainter, QPaintEvent
from PySide6.QtWidgets import QWidget

from app.ui.theme import icons
from app.ui.theme.theme import Theme
from app.ui.widgets.buttons import HoverButton, IconButton
from app.ui.widgets.indicators import paint_bar


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


def traffic_words(count: int) -> str:
    """How the way to the models is called while downloads run."""
    return f"Models, {count} {'download' if count == 1 else 'downloads'} under way" if count else "Models"


class ModelsRow(NavigationRow):
    """The way to the models; while downloads run, how far they are together, and how many."""

    BAR = 40

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__("cube", "Models", theme, parent)
        self._share, self._count = 0.0, 0

    def show_progress(self, share: float, count: int) -> None:
        """No count, no bar."""
        if (share, count) != (self._share, self._count):
            self._share, self._count = share, count
            self.setAccessibleName(traffic_words(count))
            self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        if not self._count:
            return
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setFont(self._theme.font("caption_strong"))
        painter.setPen(self._theme.colour("ink2"))
        count = str(self._count)
        wide = QFontMetrics(painter.font()).horizontalAdvance(count)
        right = self.width() - 12
        box = QRectF(right - wide, 0, wide + 1, self.height())
        painter.drawText(box, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight, count)
        track = QRectF(right - wide - 8 - self.BAR, self.height() / 2 - 2, self.BAR, 4)
        paint_bar(painter, track, self._share, self._theme, "ember2")


class ModelsIcon(IconButton):
    """The same where there is no room for words."""

    def __init__(self, theme: Theme) -> None:
        super().__init__("cube", "Models", theme, side=36)
        self._share, self._count = 0.0, 0
        self.setCheckable(True)

    def show_progress(self, share: float, count: int) -> None:
        """No count, no bar."""
        if (share, count) != (self._share, self._count):
            self._share, self._count = share, count
            self.setAccessibleName(traffic_words(count))
            self.setToolTip(traffic_words(count))
            self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        if not self._count:
            return
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        track = QRectF(7, self.height() - 4, self.width() - 14, 3)
        paint_bar(painter, track, self._share, self._theme, "ember2")


class Footer(QWidget):
    """What may leave this computer, in one line: the words of the network's own state."""

    def __init__(self, theme: Theme, parent: QWidget | None = None, *, word: bool = True) -> None:
        super().__init__(parent)
        self._theme = theme
        self._word = word
        self._words = ""
        self._online = False
        self.setFixedHeight(40)
        theme.changed.connect(self.update)

    def show_state(self, words: str, *, online: bool) -> None:
        """Shows the words; a lock beside them while the network is not reached."""
        self._words, self._online = words, online
        self.setAccessibleName(words)
        self.setToolTip("" if self._word else words)
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        left = 20 if self._word else self.width() / 2 - 7
        name, role = ("globe", "ink2") if self._online else ("lock", "moss")
        icons.paint(painter, name, QRectF(left, 13, 14, 14), self._theme.colour(role))
        if self._word:
            painter.setFont(self._theme.font("caption"))
            painter.setPen(self._theme.colour("ink2"))
            painter.drawText(self.rect().adjusted(42, 0, -8, 0), Qt.AlignmentFlag.AlignVCenter, self._words)
