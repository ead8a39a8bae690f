"""Icons as line drawings on a grid of 256 units, stroked live, crisp at every scale. No font, no files.

The drawing language has six words, all coordinates absolute: `M x y` move, `L x y` line, `C x1 y1 x2 y2 x y` curve,
`A x y w h start sweep` arc of the ellipse in that rectangle (degrees, counter-clockwise), `O cx cy r` circle,
`R x y w h r` rounded rectangle, and `Z` close. A leading `*` fills the shape instead of stroking it.
"""

from __future__ import annotations

import functools
import math

from PySide6.QtCore import QPointF, QRectF, QSizeF, Qt
from PySide6.QtGui import QColor, QIcon, QPainter, QPainterPath, QPen, QPixmap

GRID = 256.0
STROKE = 16.0

_DRAWINGS: dict[str, str] = {
    "arrow-back": "M 88 48 L 40 96 L 88 144 M 40 96 L 152 96 A 96 96 112 104 90 -180 L 96 200",
    "arrow-down": "M 128 40 L 128 216 M 56 144 L 128 216 L 200 144",
    "arrow-up": "M 128 216 L 128 40 M 56 112 L 128 40 L 200 112",
    "arrow-up-right": "M 64 192 L 192 64 M 88 64 L 192 64 L 192 168",
    "arrows-clockwise": "M 176 100 L 224 100 L 224 52 M 222 98 C 190 48 130 24 70 62 L 56 76 "
    "M 80 156 L 32 156 L 32 204 M 34 158 C 66 208 126 232 186 194 L 200 180",
    "caret-down": "M 208 96 L 128 176 L 48 96",
    "caret-left": "M 160 208 L 80 128 L 160 48",
    "caret-right": "M 96 48 L 176 128 L 96 208",
    "caret-up": "M 48 160 L 128 80 L 208 160",
    "chat": "M 36 220 L 53 181 A 36 36 184 184 215 -340 Z M 96 112 L 160 112 M 96 144 L 160 144",
    "check": "M 216 72 L 104 184 L 48 128",
    "check-circle": "O 128 128 96 M 172 104 L 113 160 L 84 132",
    "chip": "R 56 56 144 144 8 R 100 100 56 56 4 M 104 56 L 104 28 M 152 56 L 152 28 M 104 228 L 104 200 "
    "M 152 228 L 152 200 M 56 104 L 28 104 M 56 152 L 28 152 M 228 104 L 200 104 M 228 152 L 200 152",
    "clock": "O 128 128 96 M 128 72 L 128 128 L 184 128",
    "code": "M 64 88 L 16 128 L 64 168 M 192 88 L 240 128 L 192 168 M 160 40 L 96 216",
    "copy": "M 168 168 L 216 168 L 216 40 L 88 40 L 88 88 M 40 88 L 168 88 L 168 216 L 40 216 Z",
    "cube": "M 128 28 L 220 78 L 220 178 L 128 228 L 36 178 L 36 78 Z M 36 78 L 128 128 L 220 78 M 128 128 L 128 228",
    "desktop": "R 32 48 192 136 8 M 96 224 L 160 224 M 128 184 L 128 224 M 32 144 L 224 144",
    "dots-three": "*O 58 128 14 O 128 128 14 O 198 128 14",
    "download": "M 128 36 L 128 144 M 86 102 L 128 144 L 170 102 M 216 144 L 216 208 L 40 208 L 40 144",
    "eject": "M 128 48 L 216 152 L 40 152 Z M 40 200 L 216 200",
    "envelope": "M 32 56 L 224 56 L 224 192 C 224 196 220 200 216 200 L 40 200 C 36 200 32 196 32 192 Z "
    "M 224 56 L 128 144 L 32 56",
    "file-text": "M 200 224 L 56 224 C 52 224 48 220 48 216 L 48 40 C 48 36 52 32 56 32 L 152 32 L 208 88 L 208 216 "
    "C 208 220 204 224 200 224 Z M 152 32 L 152 88 L 208 88 M 96 136 L 160 136 M 96 168 L 160 168",
    "folder-open": "M 32 208 L 32 64 C 32 60 36 56 40 56 L 92 56 L 120 80 L 200 80 C 204 80 208 84 208 88 L 208 112 "
    "M 32 208 L 66 118 C 67 114 70 112 74 112 L 228 112 C 234 112 237 117 235 122 L 208 208 Z",
    "globe": "O 128 128 96 M 32 128 L 224 128 M 168 128 A 88 32 80 192 0 360",
    "info": "O 128 128 96 M 120 120 L 128 120 L 128 176 L 136 176 *O 126 84 11",
    "lock": "R 40 88 176 128 8 M 92 88 L 92 60 A 92 24 72 72 180 -180 L 164 88",
    "magnifying-glass": "O 116 116 84 M 176 176 L 224 224",
    "note-pencil": "M 96 160 L 96 128 L 192 32 L 224 64 L 128 160 Z M 164 60 L 196 92 "
    "M 216 124 L 216 208 C 216 212 212 216 208 216 L 48 216 C 44 216 40 212 40 208 L 40 48 C 40 44 44 40 48 40 "
    "L 132 40",
    "panel-right": "R 32 48 192 160 8 M 160 48 L 160 208",
    "pause": "R 56 40 40 176 8 R 160 40 40 176 8",
    "pencil": "M 92 216 L 48 216 C 44 216 40 212 40 208 L 40 164 L 164 40 C 168 36 172 36 176 40 L 216 80 "
    "C 220 84 220 88 216 92 Z M 136 68 L 188 120",
    "pin": "M 100 156 L 40 216 *M 156 28 L 228 100 L 204 108 L 164 148 C 172 176 162 196 152 208 L 48 104 "
    "C 60 94 80 84 108 92 L 148 52 Z",
    "play": "M 72 40 L 224 128 L 72 216 Z",
    "plus": "M 40 128 L 216 128 M 128 40 L 128 216",
    "prohibit": "O 128 128 96 M 60 60 L 196 196",
    "scissors": "O 60 76 32 O 60 180 32 M 86 94 L 228 188 M 86 162 L 228 68",
    "shield-check": "M 216 112 L 216 56 C 216 52 212 48 208 48 L 48 48 C 44 48 40 52 40 56 L 40 112 "
    "C 40 208 128 232 128 232 C 128 232 216 208 216 112 M 172 104 L 113 160 L 84 132",
    "sidebar": "R 32 48 192 160 8 M 88 48 L 88 208 M 50 84 L 70 84 M 50 116 L 70 116",
    "stack": "M 32 92 L 128 36 L 224 92 L 128 148 Z M 32 132 L 128 188 L 224 132 M 32 172 L 128 228 L 224 172",
    "trash": "M 216 56 L 40 56 M 104 104 L 104 168 M 152 104 L 152 168 "
    "M 200 56 L 200 208 C 200 212 196 216 192 216 L 64 216 C 60 216 56 212 56 208 L 56 56 "
    "M 168 56 L 168 40 C 168 31 161 24 152 24 L 104 24 C 95 24 88 31 88 40 L 88 56",
    "warning": "M 142 40 L 230 192 C 236 203 228 216 216 216 L 40 216 C 28 216 20 203 26 192 L 114 40 "
    "C 120 29 136 29 142 40 Z M 128 104 L 128 148 *O 128 180 11",
    "warning-circle": "O 128 128 96 M 128 80 L 128 136 *O 128 172 11",
    "x": "M 200 56 L 56 200 M 200 200 L 56 56",
}

NAMES = frozenset([*_DRAWINGS, "gear"])


def _gear() -> QPainterPath:
    """A wheel with six soft teeth around a hub."""
    path = QPainterPath()
    steps = 96
    for step in range(steps + 1):
        angle = math.tau * step / steps
        wave = math.cos(6 * angle)
        radius = 92 + 13 * (wave / (0.35 + abs(wave)) * 1.35)
        point = QPointF(128 + radius * math.sin(angle), 128 - radius * math.cos(angle))
        if step:
            path.lineTo(point)
        else:
            path.moveTo(point)
    path.addEllipse(QPointF(128, 128), 40, 40)
    return path


@functools.cache
def _paths(name: str) -> tuple[QPainterPath, QPainterPath]:
    """The stroked and the filled path of an icon."""
    if name == "gear":
        return _gear(), QPainterPath()
    stroked, filled = QPainterPath(), QPainterPath()
    path = stroked
    words = _DRAWINGS[name].replace("*", " * ").split()
    position = 0

    def numbers(count: int) -> list[float]:
        nonlocal position
        taken = [float(word) for word in words[position : position + count]]
        position += count
        return taken

    while position < len(words):
        word = words[position]
        position += 1
        match word:
            case "*":
                path = filled
            case "M":
                path.moveTo(*numbers(2))
            case "L":
                path.lineTo(*numbers(2))
            case "C":
                path.cubicTo(*numbers(6))
            case "A":
                x, y, w, h, start, sweep = numbers(6)
                path.arcTo(QRectF(x, y, w, h), start, sweep)
            case "O":
                cx, cy, radius = numbers(3)
                path.addEllipse(QPointF(cx, cy), radius, radius)
            case "R":
                x, y, w, h, radius = numbers(5)
                path.addRoundedRect(QRectF(x, y, w, h), radius, radius)
            case _:
                path.closeSubpath()
    return stroked, filled


def paint(painter: QPainter, name: str, box: QRectF, colour: QColor) -> None:
    """Paints an icon into the square in the middle of `box`, live and antialiased."""
    side = min(box.width(), box.height())
    stroked, filled = _paths(name)
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.translate(box.center().x() - side / 2, box.center().y() - side / 2)
    painter.scale(side / GRID, side / GRID)
    if not stroked.isEmpty():
        pen = QPen(colour, max(STROKE, 1.1 * GRID / side))
        pen.setCapStyle(Qt.PenCapStyle.RoundCap)
        pen.setJoinStyle(Qt.PenJoinStyle.RoundJoin)
        painter.setPen(pen)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawPath(stroked)
    if not filled.isEmpty():
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(colour)
        painter.drawPath(filled)
    painter.restore()


def pixmap(name: str, colour: QColor, size: int, ratio: float = 1.0) -> QPixmap:
    """An icon of `size` logical pixels for a screen of `ratio` device pixels each."""
    image = QPixmap((QSizeF(size, size) * ratio).toSize())
    image.setDevicePixelRatio(ratio)
    image.fill(Qt.GlobalColor.transparent)
    painter = QPainter(image)
    paint(painter, name, QRectF(0, 0, size, size), colour)
    painter.end()
    return image


def icon(name: str, colour: QColor, size: int = 18) -> QIcon:
    """A QIcon with pixmaps for the usual screen scales."""
    made = QIcon()
    for ratio in (1.0, 1.5, 2.0, 3.0):
        made.addPixmap(pixmap(name, colour, size, ratio))
    return made


def paint_mark(painter: QPainter, box: QRectF, ink: QColor, ember: QColor) -> None:
    """The mark of the application: an arch with a fire in it."""
    side = min(box.width(), box.height())
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.translate(box.center().x() - side / 2, box.center().y() - side / 2)
    painter.scale(side / GRID, side / GRID)
    arch = QPainterPath(QPointF(40, 232))
    arch.lineTo(40, 112)
    arch.arcTo(QRectF(40, 24, 176, 176), 180, -180)
    arch.lineTo(216, 232)
    pen = QPen(ink, 26)
    pen.setCapStyle(Qt.PenCapStyle.RoundCap)
    painter.setPen(pen)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.drawPath(arch)
    flame = QPainterPath(QPointF(128, 92))
    flame.cubicTo(140, 124, 178, 144, 178, 186)
    flame.cubicTo(178, 216, 156, 234, 128, 234)
    flame.cubicTo(100, 234, 78, 216, 78, 186)
    flame.cubicTo(78, 166, 92, 154, 100, 140)
    flame.cubicTo(110, 150, 112, 152, 116, 154)
    flame.cubicTo(124, 134, 124, 112, 128, 92)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(ember)
    painter.drawPath(flame)
    painter.restore()


def application_icon(paper: QColor, ink: QColor, ember: QColor) -> QIcon:
    """The icon of the window and the task bar: the mark on a sheet of paper."""
    made = QIcon()
    for size in (16, 24, 32, 48, 64, 128, 256):
        image = QPixmap(size, size)
        image.fill(Qt.GlobalColor.transparent)
        painter = QPainter(image)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(paper)
        painter.drawRoundedRect(QRectF(0, 0, size, size), size * 0.22, size * 0.22)
        inset = size * 0.14
        paint_mark(painter, QRectF(inset, inset, size - 2 * inset, size - 2 * inset), ink, ember)
        painter.end()
        made.addPixmap(image)
    return made
