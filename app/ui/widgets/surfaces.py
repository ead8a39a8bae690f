"""Plain surfaces: hairlines, filled backgrounds and the one shadow."""

from __future__ import annotations

from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QAbstractScrollArea, QSizePolicy, QWidget

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


SCROLL_BAR = 10


def reserve_bar(area: QAbstractScrollArea) -> None:
    """Keeps the room of the scroll bar free while there is none, so that nothing moves when it comes."""

    def settle() -> None:
        there = area.verticalScrollBar().maximum() > 0
        area.setViewportMargins(0, 0, 0 if there else SCROLL_BAR, 0)

    area.verticalScrollBar().rangeChanged.connect(lambda _least, _most: settle())
    settle()


_SHADOW_REACH = tokens.SHADOW_BLUR * 3 // 4
SHADOW_MARGIN = _SHADOW_REACH + tokens.SHADOW_Y


def paint_shadow(painter: QPainter, box: QRectF, radius: float, colour: QColor) -> None:
    """A soft shadow below `box`: half of the colour's strength at the edge, as a blur has it, and nothing at its reach.

    Thin rounded outlines, each painted once; cheap for small floating surfaces.
    """
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    core = box.translated(0, tokens.SHADOW_Y)
    shade = QColor(colour)
    shade.setAlphaF(colour.alphaF() / 2)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(shade)
    painter.drawRoundedRect(core, radius, radius)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    for step in range(_SHADOW_REACH):
        away = step + 0.5
        shade.setAlphaF(colour.alphaF() / 2 * (1 - away / _SHADOW_REACH) ** 2)
        painter.setPen(QPen(shade, 1))
        painter.drawRoundedRect(core.adjusted(-away, -away, away, away), radius + away, radius + away)
    painter.restore()


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


def see_through(area: QAbstractScrollArea) -> None:
    """Lets what lies behind a list or a text field show through.

    The view is looked for by its name: for the first unknown widget that Qt hands out without one, as `viewport()`
    does, PySide makes itself acquainted with every class of widgets, which takes 13 ms of a start.
    """
    view = area.findChild(QWidget, "qt_scrollarea_viewport") or area.viewport()
    view.setAutoFillBackground(False)
