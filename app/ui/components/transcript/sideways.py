"""Code that is wider than the column: scrolled sideways by the wheel, by its thin bar, and where a selection goes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QPoint, QRectF, Qt
from PySide6.QtGui import QWheelEvent

from app.ui.components.transcript.chunks import Kind
from app.ui.components.transcript.column import Column
from app.ui.components.transcript.selection import Point

if TYPE_CHECKING:
    from app.ui.components.transcript.rows import Row
    from app.ui.components.transcript.transcript import Transcript

STRIP = 13  # pixels at the bottom of the code in which its bar is taken hold of
SHORTEST = 32
MARGIN = 24  # free pixels beside the end of a selection


def thumb(shown: int, whole: int, shift: int) -> tuple[float, float]:
    """Where the bar begins, from the text's left edge, and how long it is."""
    length = max(float(SHORTEST), shown * shown / whole)
    return (shown - length) * shift / (whole - shown), length


class Sideways:
    """Scrolls code of a transcript. Places are in pixels of the viewport."""

    def __init__(self, transcript: Transcript) -> None:
        self._transcript = transcript
        self._held: tuple[Point, float] | None = None  # the code whose bar is held, and where on the bar

    @property
    def _column(self) -> Column:
        return self._transcript.column

    def _wide(self, point: Point) -> Row | None:
        """The row of a point in code that is wider than the column."""
        column = self._column
        row = column.row(point.row)
        chunks = row.parts[point.part].chunks
        if point.chunk >= len(chunks) or chunks[point.chunk].kind is not Kind.CODE:
            return None
        return row if column.code_width(row, point.part, point.chunk) > column.width else None

    def _shift(self, point: Point, row: Row, shift: int) -> None:
        if self._column.set_shift(row, point.part, point.chunk, shift):
            self._transcript.viewport().update()

    def bar_at(self, where: QPoint, point: Point | None) -> bool:
        """Whether a place lies on the bar of the code at `point`."""
        row = self._wide(point) if point is not None else None
        if point is None or row is None or not row.parts[point.part].closes(point.chunk):
            return False
        column, whole = self._column, row.parts[point.part]
        top = column.heights.top(point.row) + row.part_top(point.part) + whole.tops[point.chunk] - self._transcript.top
        bottom = top + whole.heights[point.chunk]
        left = self._transcript.left
        return bool(QRectF(left, bottom - STRIP, column.width, STRIP).contains(where))

    def pressed(self, where: QPoint, point: Point | None) -> bool:
        """Takes hold of the bar at a place; beside it, it comes there."""
        row = self._wide(point) if point is not None else None
        if point is None or row is None or not self.bar_at(where, point):
            return False
        column = self._column
        shift = column.shift(row, point.part, point.chunk)
        start, length = thumb(column.width, column.code_width(row, point.part, point.chunk), shift)
        inside = where.x() - self._transcript.left - start
        self._held = point, inside if 0 <= inside <= length else length / 2
        self.dragged(where)
        return True

    def dragged(self, where: QPoint) -> bool:
        """The mouse moved; whether it holds a bar."""
        if self._held is None:
            return False
        point, inside = self._held
        row = self._wide(point)
        if row is not None:
            column = self._column
            whole = column.code_width(row, point.part, point.chunk)
            _start, length = thumb(column.width, whole, 0)
            way = (where.x() - self._transcript.left - inside) / max(1.0, column.width - length)
            self._shift(point, row, round(way * (whole - column.width)))
        return True

    def released(self) -> bool:
        """Lets go; whether a bar was held."""
        held, self._held = self._held, None
        return held is not None

    def show(self, point: Point, x: float) -> None:
        """Brings the end of a selection, at `x` of the viewport, within the column."""
        row = self._wide(point)
        if row is None:
            return
        column, left = self._column, self._transcript.left
        shift = column.shift(row, point.part, point.chunk)
        if x < left:
            self._shift(point, row, shift + round(x) - left - MARGIN)
        elif x > left + column.width:
            self._shift(point, row, shift + round(x) - left - column.width + MARGIN)

    def wheel(self, event: QWheelEvent, point: Point | None) -> bool:
        """Scrolls the code at a point; whether there was some to scroll."""
        shifted = bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)
        dx = event.pixelDelta().x() or event.angleDelta().x() // 2
        dy = event.pixelDelta().y() or event.angleDelta().y() // 2
        dx = dx or (dy if shifted else 0)
        if point is None or (abs(dx) <= abs(dy) and not shifted):
            return False
        column = self._column
        row = column.row(point.row)
        chunks = row.parts[point.part].chunks
        if point.chunk >= len(chunks) or chunks[point.chunk].kind is not Kind.CODE:
            return False
        self._shift(point, row, column.shift(row, point.part, point.chunk) - dx)
        event.accept()
        return True
