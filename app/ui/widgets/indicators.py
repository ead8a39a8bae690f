"""Things that only show: ring gauge, progress bar, badge, drawing."""

from __future__ import annotations

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QFontMetrics, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QWidget

from app.ui.theme import icons, tokens
from app.ui.theme.theme import Theme

NEARLY_FULL = 0.8


def paint_ring(painter: QPainter, box: QRectF, share: float, theme: Theme) -> None:
    """A ring inside `box` that is filled clockwise to `share` (0..1); from 80 % on it is ochre."""
    inside = box.adjusted(2, 2, -2, -2)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.setPen(QPen(theme.colour("line2"), 2))
    painter.drawEllipse(inside)
    if share > 0:
        pen = QPen(theme.colour("ochre" if share >= NEARLY_FULL else "ink2"), 2)
        pen.setCapStyle(Qt.PenCapStyle.FlatCap)
        painter.setPen(pen)
        painter.drawArc(inside, 90 * 16, -round(360 * 16 * min(1.0, share)))


def paint_bar(painter: QPainter, track: QRectF, share: float, theme: Theme, role: str) -> None:
    """A bar with round ends that is filled to `share` (0..1), visibly as soon as there is anything."""
    radius = track.height() / 2
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(theme.colour("bar_empty"))
    painter.drawRoundedRect(track, radius, radius)
    if share > 0:
        filled = max(2 * radius, track.width() * min(1.0, share))
        painter.setBrush(theme.colour(role))
        painter.drawRoundedRect(QRectF(track.x(), track.y(), filled, track.height()), radius, radius)


class Bar(QWidget):
    """A progress bar 4 px high: ember while it moves."""

    def __init__(self, theme: Theme, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._share = 0.0
        self._role = "ember"
        self.setAccessibleName(name)
        self.setFixedHeight(4)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        theme.changed.connect(self.update)

    def set_share(self, share: float) -> None:
        """Fills the bar to `share` (0..1)."""
        self._share = min(1.0, max(0.0, share))
        self.update()

    def set_role(self, role: str) -> None:
        """Fills it in another colour."""
        if role != self._role:
            self._role = role
            self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        paint_bar(painter, QRectF(self.rect()), self._share, self._theme, self._role)


class Badge(QWidget):
    """An icon and a word on a tint, 20 high. Kinds: moss, ochre, rose, plain."""

    def __init__(self, text: str, icon_name: str, kind: str, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._text, self._icon_name, self._kind = text, icon_name, kind
        self.setAccessibleName(text)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        theme.changed.connect(self.update)

    def show_state(self, text: str, icon_name: str, kind: str) -> None:
        """Changes word, icon and tint."""
        self._text, self._icon_name, self._kind = text, icon_name, kind
        self.setAccessibleName(text)
        self.updateGeometry()
        self.update()

    def sizeHint(self) -> QSize:
        width = QFontMetrics(self._theme.font("caption_strong")).horizontalAdvance(self._text)
        return QSize(width + 15 + (16 if self._icon_name else 0), 20)

    def minimumSizeHint(self) -> QSize:
        return self.sizeHint()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        plain = self._kind == "plain"
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(self._theme.colour("fill" if plain else f"{self._kind}_tint"))
        painter.drawRoundedRect(QRectF(self.rect()), tokens.RADIUS_BADGE, tokens.RADIUS_BADGE)
        ink = self._theme.colour("ink2" if plain else self._kind)
        left = 7.0
        if self._icon_name:
            icons.paint(painter, self._icon_name, QRectF(left, 4, 12, 12), ink)
            left += 16
        painter.setPen(ink)
        painter.setFont(self._theme.font("caption_strong"))
        painter.drawText(
            QRectF(left, 0, self.width() - left, 20),
            Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft,
            self._text,
        )


class Icon(QWidget):
    """A drawing in a role's colour."""

    def __init__(self, name: str, theme: Theme, role: str = "ink2", size: int = 18) -> None:
        super().__init__()
        self._name, self._role, self._theme = name, role, theme
        self.setFixedSize(size, size)
        theme.changed.connect(self.update)

    def show_icon(self, name: str, role: str) -> None:
        """Another drawing."""
        self._name, self._role = name, role
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        icons.paint(QPainter(self), self._name, QRectF(self.rect()), self._theme.colour(self._role))
