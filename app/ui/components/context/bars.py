"""Bars of tokens, legible without colour: pinned ember, kept dark, summarised hatched, trimmed dotted, free empty."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QFontMetrics, QPainter, QPainterPath, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QWidget

from app.ui.theme.theme import Theme

PINNED, SUMMARISED, KEPT, THINKING = "pinned", "summarised", "kept", "thinking"
ANSWER, FREE, TRIMMED = "answer", "free", "trimmed"
_FILLS = {PINNED: "ember", KEPT: "bar_dark", ANSWER: "bar_mid", FREE: "bar_empty"}
_GAP = 2.0
_LINE = 20


@dataclass(frozen=True, slots=True)
class Part:
    """A share of the window: a style, its name in the legend, its tokens."""

    style: str
    name: str
    tokens: int


def paint_share(painter: QPainter, box: QRectF, style: str, theme: Theme) -> None:
    """Fills a stretch of a bar in a style."""
    if style in _FILLS:
        painter.fillRect(box, theme.colour(_FILLS[style]))
    elif style == SUMMARISED:
        _stripes(painter, box, theme, slant=box.height())
    elif style == THINKING:
        _stripes(painter, box, theme, slant=0.0)
    elif style == TRIMMED:
        _dots(painter, box, theme)


def _stripes(painter: QPainter, box: QRectF, theme: Theme, *, slant: float) -> None:
    painter.save()
    painter.setClipRect(box, Qt.ClipOperation.IntersectClip)
    painter.setPen(QPen(theme.colour("bar_dark"), 1.2))
    step = 3.5
    at = box.left() - slant + step / 2
    while at < box.right():
        painter.drawLine(QPointF(at, box.bottom()), QPointF(at + slant, box.top()))
        at += step
    painter.restore()


def _dots(painter: QPainter, box: QRectF, theme: Theme) -> None:
    pen = QPen(theme.colour("edge"), 1.5)
    pen.setCapStyle(Qt.PenCapStyle.FlatCap)
    pen.setDashPattern([1.0, 5 / 3])
    painter.setPen(pen)
    painter.drawLine(QPointF(box.left() + 0.5, box.center().y()), QPointF(box.right() - 1, box.center().y()))


def paint_row_bar(painter: QPainter, box: QRectF, style: str, share: float, theme: Theme) -> None:
    """A thin bar of a row: its track, and `share` (0..1) of it filled. What was trimmed is a dotted line."""
    if style == TRIMMED:
        _dots(painter, box, theme)
        return
    painter.save()
    path = QPainterPath()
    path.addRoundedRect(box, 2, 2)
    if style != SUMMARISED:
        painter.fillPath(path, theme.colour("bar_empty"))
    if share > 0:
        filled, width = QPainterPath(), max(4.0, box.width() * min(1.0, share))
        filled.addRoundedRect(QRectF(box.left(), box.top(), width, box.height()), 2, 2)
        painter.setClipPath(filled, Qt.ClipOperation.IntersectClip)
        paint_share(painter, filled.boundingRect(), style, theme)
    painter.restore()


def paint_stack(painter: QPainter, box: QRectF, shares: Sequence[tuple[str, int]], whole: int, theme: Theme) -> None:
    """One bar of several styles with their amounts, gaps of 2 between them; what is left of `whole` stays bare."""
    clip = QPainterPath()
    clip.addRoundedRect(box, 3, 3)
    painter.save()
    painter.setClipPath(clip)
    filled = sum(amount for _, amount in shares)
    room = box.width() - _GAP * max(0, len(shares) - 1)
    widths = [max(2.0, room * amount / max(whole, filled, 1)) for _, amount in shares]
    scale = room / sum(widths) if widths and filled >= whole else 1.0
    left = box.left()
    for (style, _), width in zip(shares, widths, strict=True):
        paint_share(painter, QRectF(left, box.top(), width * scale, box.height()), style, theme)
        left += width * scale + _GAP
    painter.restore()


def paint_swatch(painter: QPainter, style: str, box: QRectF, theme: Theme) -> None:
    """The small sample of a style beside its name."""
    if style in (FREE, TRIMMED):
        pen = QPen(theme.colour("edge"), 1.2)
        if style == TRIMMED:
            pen.setDashPattern([1.6, 1.6])
        painter.setPen(pen)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawRoundedRect(box.adjusted(0.6, 0.6, -0.6, -0.6), 2.5, 2.5)
        return
    painter.save()
    path = QPainterPath()
    path.addRoundedRect(box, 2.5, 2.5)
    painter.setClipPath(path, Qt.ClipOperation.IntersectClip)
    paint_share(painter, box, style, theme)
    painter.restore()


class StackedBar(QWidget):
    """The whole window as one bar, 12 high, with gaps of 2 between its shares."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._parts: tuple[Part, ...] = ()
        self._limit = 0
        self.setFixedHeight(12)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        theme.changed.connect(self.update)

    def show_parts(self, parts: Sequence[Part], limit: int) -> None:
        """The parts that lie inside of the window, in order; what is trimmed is not one of them."""
        self._parts = tuple(part for part in parts if part.tokens > 0 and part.style != TRIMMED)
        self._limit = limit
        self.setAccessibleName(
            f"{limit:,} tokens: " + ", ".join(f"{part.name} {part.tokens:,}" for part in self._parts)
        )
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        shares = [(part.style, part.tokens) for part in self._parts]
        paint_stack(painter, QRectF(self.rect()), shares, self._limit, self._theme)


class Legend(QWidget):
    """Two columns of names with their tokens; what there is none of is quieter."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._columns: tuple[tuple[Part, ...], tuple[Part, ...]] = ((), ())
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        theme.changed.connect(self.update)

    def show_parts(self, left: Sequence[Part], right: Sequence[Part]) -> None:
        """The names of each column from top to bottom."""
        self._columns = (tuple(left), tuple(right))
        self.setAccessibleName(", ".join(f"{part.name} {part.tokens:,}" for part in (*left, *right)))
        self.setFixedHeight(max(len(left), len(right)) * _LINE)
        self.update()

    def least_width(self) -> int:
        """The width in which nothing is cut off."""
        metrics = QFontMetrics(self._theme.font("caption"))
        strong = QFontMetrics(self._theme.font("caption_strong"))
        return 22 + sum(
            max(
                (15 + metrics.horizontalAdvance(p.name) + 8 + strong.horizontalAdvance(f"{p.tokens:,}") for p in part),
                default=0,
            )
            for part in self._columns
        )

    def sizeHint(self) -> QSize:
        return QSize(self.least_width(), max(map(len, self._columns), default=1) * _LINE)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        width = self.width()
        left_end = round(width * 0.435)
        for column, (start, end) in zip(self._columns, ((0, left_end), (left_end + 34, width)), strict=True):
            for number, part in enumerate(column):
                self._line(painter, part, start, end, number * _LINE)

    def _line(self, painter: QPainter, part: Part, left: int, right: int, top: int) -> None:
        colour = self._theme.colour
        paint_swatch(painter, part.style, QRectF(left, top + 5, 10, 10), self._theme)
        painter.setPen(colour("ink2" if part.tokens else "ink3"))
        painter.setFont(self._theme.font("caption"))
        middle, right_side = Qt.AlignmentFlag.AlignVCenter, Qt.AlignmentFlag.AlignRight
        painter.drawText(QRectF(left + 15, top, right - left - 15, _LINE), middle, part.name)
        painter.setPen(colour("ink" if part.tokens else "ink3"))
        painter.setFont(self._theme.font("caption_strong"))
        painter.drawText(QRectF(left, top, right - left, _LINE), middle | right_side, f"{part.tokens:,}")
