"""Plain surfaces: hairlines, filled backgrounds and the one shadow."""

from __future__ import annotations

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QWidget

from app.ui.theme import tokens
from app.ui.theme.theme import Theme


class Hairline(QWidget):
    """One pixel between two things that belong apart."""

    def __init__(self, theme: Theme, parent: QWidget | None = None, *, vertical: bool = False) -> None:
        super().__init__(parent)
        self._theme = theme
        if vertical:
            self.setFixedWidth(1)
        else:
            self.setFixedHeight(1)
            self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        theme.changed.connect(self.update)

    def paintEvent(self, event: QPaintEvent) -> None:
        QPainter(self).fillRect(self.rect(), self._theme.colour("line"))


class Surface(QWidget):
    """A widget with a filled background: a role, a radius and an optional outline."""

    def __init__(
        self,
        theme: Theme,
        role: str = "page",
        *,
        radius: int = 0,
        outline: str = "",
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._theme = theme
        self._role = role
        self._radius = radius
        self._outline = outline
        theme.changed.connect(self.update)

    def set_role(self, role: str) -> None:
        """Changes the fill."""
        self._role = role
        self.update()

    def set_outline(self, outline: str) -> None:
        """Changes the outline; empty for none."""
        if outline != self._outline:
            self._outline = outline
            self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        fill = self._theme.colour(self._role)
        if not self._radius and not self._outline:
            painter.fillRect(self.rect(), fill)
            return
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        box = QRectF(self.rect())
        if self._outline:
            painter.setPen(QPen(self._theme.colour(self._outline), 1))
            box.adjust(0.5, 0.5, -0.5, -0.5)
        else:
            painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(fill)
        painter.drawRoundedRect(box, self._radius, self._radius)


SHADOW_MARGIN = tokens.SHADOW_BLUR // 2 + tokens.SHADOW_Y


def paint_shadow(painter: QPainter, box: QRectF, radius: float, colour: QColor) -> None:
    """A soft shadow around `box`, as a stack of thin rounded outlines; cheap for small floating surfaces."""
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(Qt.PenStyle.NoPen)
    layers = tokens.SHADOW_BLUR // 2
    strength = colour.alphaF()
    for layer in range(layers, 0, -1):
        shade = QColor(colour)
        shade.setAlphaF(strength * 1.1 / layers)
        painter.setBrush(shade)
        grown = box.adjusted(-layer, -layer, layer, layer).translated(0, tokens.SHADOW_Y)
        painter.drawRoundedRect(grown, radius + layer, radius + layer)
    painter.restore()


class Dot(QWidget):
    """A small round state mark: filled in a role, or hollow."""

    def __init__(
        self, theme: Theme, role: str = "moss", parent: QWidget | None = None, *, hollow: bool = False
    ) -> None:
        super().__init__(parent)
        self._theme = theme
        self._role = role
        self._hollow = hollow
        self.setFixedSize(8, 8)
        theme.changed.connect(self.update)

    def set_state(self, role: str, *, hollow: bool = False) -> None:
        """Changes colour and fill."""
        self._role, self._hollow = role, hollow
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(8, 8)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        paint_dot(painter, QRectF(self.rect()), self._theme.colour(self._role), hollow=self._hollow)


def paint_dot(painter: QPainter, box: QRectF, colour: QColor, *, hollow: bool = False) -> None:
    """A filled or hollow circle inside `box`."""
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    if hollow:
        painter.setPen(QPen(colour, 1.4))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawEllipse(box.adjusted(1, 1, -1, -1))
    else:
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(colour)
        painter.drawEllipse(box.adjusted(0.5, 0.5, -0.5, -0.5))
    painter.restore()
