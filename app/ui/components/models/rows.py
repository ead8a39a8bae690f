"""What the painted rows of both lists of models share: the ground of a row, and a line of text cut at the right."""

from __future__ import annotations

from PySide6.QtCore import QRect, QRectF, Qt
from PySide6.QtGui import QPainter, QPen

from app.ui.theme import tokens
from app.ui.theme.theme import Theme


def paint_ground(painter: QPainter, theme: Theme, box: QRect, *, current: bool, hovered: bool, ringed: bool) -> None:
    """Fill of the current row or the one under the mouse, else the hairline below; the ring of the keyboard's focus."""
    around = QRectF(box).adjusted(0, 0, 0, -1)
    pad, radius = tokens.OVERHANG, tokens.RADIUS_CONTROL
    if current or hovered:
        fill = theme.colour("fill")
        fill.setAlphaF(1.0 if current else 0.55)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(fill)
        painter.drawRoundedRect(around, radius, radius)
    else:
        painter.fillRect(QRect(box.left() + pad, box.bottom(), box.width() - 2 * pad, 1), theme.colour("line"))
    if ringed:
        painter.setPen(QPen(theme.colour("ember"), tokens.FOCUS_WIDTH))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawRoundedRect(around.adjusted(1, 1, -1, -1), radius, radius)


def paint_line(painter: QPainter, text: str, left: int, right: int, top: int, height: int) -> None:
    """One line of text, elided where it does not fit."""
    shown = painter.fontMetrics().elidedText(text, Qt.TextElideMode.ElideRight, right - left)
    painter.drawText(QRect(left, top, right - left + 1, height), Qt.AlignmentFlag.AlignVCenter, shown)
