"""The mouse: hovering, clicking spots and links, selecting by words and blocks, scrolling while dragging."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QEvent, QObject, QPoint, QPointF, Qt, QTimer
from PySide6.QtGui import QGuiApplication, QHelpEvent, QMouseEvent, QWheelEvent
from PySide6.QtWidgets import QToolTip

from app.ui.components.transcript.selection import Point, block_at, word_at
from app.ui.components.transcript.sideways import Sideways
from app.ui.components.transcript.spots import ICONS, Spot, spots

if TYPE_CHECKING:
    from app.ui.components.transcript.transcript import Transcript

DRAG_MS = 30
LONGEST_TIP = 160


def _short(address: str) -> str:
    """An address as it is shown: where it leads and how it ends are seen."""
    return address if len(address) <= LONGEST_TIP else f"{address[: LONGEST_TIP - 40]}…{address[-40:]}"


class Pointing(QObject):
    """Follows the mouse over a transcript. Places are in pixels of the viewport."""

    def __init__(self, transcript: Transcript) -> None:
        super().__init__(transcript)
        self._transcript = transcript
        self.sideways = Sideways(transcript)
        self._grain = 0  # selecting: 1 letters, 2 words, 3 blocks
        self._origin: tuple[Point, Point] | None = None
        self._pressed_spot: tuple[int, Spot] | None = None
        self._pressed_link = ""
        self._where = QPoint()
        self._double_clicked_at = QPoint(-99, -99)
        self._triple = QTimer(self)
        self._triple.setSingleShot(True)
        self._triple.setInterval(QGuiApplication.styleHints().mouseDoubleClickInterval())
        self._dragging = QTimer(self)
        self._dragging.setInterval(DRAG_MS)
        self._dragging.timeout.connect(self._drag_on)

    # -- what lies where --------------------------------------------------------------------------------------------

    def spot_at(self, where: QPoint) -> tuple[int, Spot] | None:
        """The row and the spot under a place."""
        transcript = self._transcript
        y = transcript.top + where.y()
        if not 0 <= y < transcript.column.heights.total:
            return None
        number = transcript.column.heights.find(y)
        row = transcript.column.row(number)
        inside = QPoint(where.x() - transcript.left, y - transcript.column.heights.top(number))
        for spot in spots(row, transcript.column):
            if spot.rect.contains(inside):
                return number, spot
        return None

    def point_at(self, where: QPoint) -> Point | None:
        """The position in the text nearest to a place."""
        transcript, column = self._transcript, self._transcript.column
        y = transcript.top + where.y()
        number = column.heights.find(max(0, y))
        if number < 0:
            return None
        row = column.row(number)
        inside = y - column.heights.top(number)
        best: Point | None = None
        for part in row.shown_parts():
            whole, base = row.parts[part], row.part_top(part)
            for index in range(len(whole.chunks)):
                if best is not None and base + whole.tops[index] > inside:
                    break
                best = Point(number, part, index, 0)
        if best is None:
            return None
        whole = row.parts[best.part]
        relative = inside - row.part_top(best.part) - whole.tops[best.chunk]
        piece = column.piece(row, best.part, best.chunk)
        if relative < 0:
            return best
        if relative >= piece.height:
            return best._replace(position=piece.text_end())
        x = where.x() - transcript.left + column.shift(row, best.part, best.chunk)
        return best._replace(position=piece.hit(x, relative))

    def link_at(self, where: QPoint) -> str:
        """The address under a place."""
        point = self.point_at(where)
        if point is None:
            return ""
        column = self._transcript.column
        row = column.row(point.row)
        whole = row.parts[point.part]
        y = self._transcript.top + where.y() - column.heights.top(point.row) - row.part_top(point.part)
        piece = column.piece(row, point.part, point.chunk)
        return piece.link_at(where.x() - self._transcript.left, y - whole.tops[point.chunk])

    def _on_jump(self, where: QPoint) -> bool:
        centre = self._transcript.canvas.jump_centre()
        if centre is None:
            return False
        away = QPointF(where) - centre
        return away.x() ** 2 + away.y() ** 2 <= 16**2

    # -- events -----------------------------------------------------------------------------------------------------

    def pressed(self, event: QMouseEvent) -> None:
        """A button went down."""
        if event.button() != Qt.MouseButton.LeftButton:
            return
        transcript, where = self._transcript, event.position().toPoint()
        self._where = where
        transcript.keys.leave_spot()
        if self._on_jump(where):
            transcript.scroll_to_end()
            return
        self._pressed_spot = self.spot_at(where)
        if self._pressed_spot is not None:
            return
        self._pressed_link = self.link_at(where)
        point = self.point_at(where)
        if point is None or self.sideways.pressed(where, point):
            return
        near = (where - self._double_clicked_at).manhattanLength() < 6
        if self._triple.isActive() and near:
            self._start(3, block_at(transcript.column, point))
        elif event.modifiers() & Qt.KeyboardModifier.ShiftModifier and transcript.selection.anchor is not None:
            self._start(1, (transcript.selection.anchor, transcript.selection.anchor))
            self._extend(point)
        else:
            self._start(1, (point, point))

    def double_clicked(self, event: QMouseEvent) -> None:
        """Twice, quickly: a word; a third press takes the block."""
        where = event.position().toPoint()
        if event.button() != Qt.MouseButton.LeftButton:
            return
        if self.spot_at(where) is not None:
            self.pressed(event)
            return
        point = self.point_at(where)
        if point is not None:
            self._double_clicked_at = where
            self._triple.start()
            self._pressed_link = ""
            self._start(2, word_at(self._transcript.column, point))

    def _start(self, grain: int, origin: tuple[Point, Point]) -> None:
        self._grain, self._origin = grain, origin
        self._transcript.selection.set(*origin)
        self._transcript.selected()

    def _extend(self, point: Point) -> None:
        if self._origin is None:
            return
        column, (low, high) = self._transcript.column, self._origin
        start, end = point, point
        if self._grain > 1:
            start, end = (word_at if self._grain == 2 else block_at)(column, point)
        if start < low:
            self._transcript.selection.set(high, start)
        else:
            self._transcript.selection.set(low, max(end, high))
        self._transcript.selected()

    def moved(self, event: QMouseEvent) -> None:
        """The mouse moved, with or without a button."""
        where = event.position().toPoint()
        if event.buttons() & Qt.MouseButton.LeftButton and self.sideways.dragged(where):
            return
        if self._grain and event.buttons() & Qt.MouseButton.LeftButton:
            self._where = where
            point = self.point_at(where)
            if point is not None:
                self.sideways.show(point, where.x())
                self._extend(point)
            outside = where.y() < 0 or where.y() >= self._transcript.viewport().height()
            if outside and not self._dragging.isActive():
                self._dragging.start()
            elif not outside:
                self._dragging.stop()
            return
        self.hover(where)

    def _drag_on(self) -> None:
        """The mouse waits above or below the view with a selection: the view goes there, the faster the farther."""
        transcript, height = self._transcript, self._transcript.viewport().height()
        beyond = self._where.y() if self._where.y() < 0 else self._where.y() - height + 1
        if not self._grain or not -height * 8 < beyond < height * 8:
            self._dragging.stop()
            return
        transcript.scroll_by(max(-120, min(120, round(beyond * 0.6))) or (1 if beyond >= 0 else -1))
        transcript.settle()
        point = self.point_at(QPoint(self._where.x(), max(0, min(self._where.y(), height - 1))))
        if point is not None:
            self._extend(point)

    def released(self, event: QMouseEvent) -> None:
        """A button went up."""
        if event.button() != Qt.MouseButton.LeftButton:
            return
        where = event.position().toPoint()
        self._dragging.stop()
        if self.sideways.released():
            return
        grain, self._grain = self._grain, 0
        pressed, self._pressed_spot = self._pressed_spot, None
        link, self._pressed_link = self._pressed_link, ""
        if pressed is not None:
            if self.spot_at(where) == pressed:
                self._transcript.deeds.use(*pressed)
                self.hover(where)
            return
        if self._transcript.selection.bounds is None:
            if link and self.link_at(where) == link:
                self._transcript.link_activated.emit(link)
        elif grain:
            self._transcript.offer_selection()

    def hover(self, where: QPoint) -> None:
        """Shows what can be done under the mouse."""
        transcript, state = self._transcript, self._transcript.state
        on_jump = self._on_jump(where)
        found = None if on_jump else self.spot_at(where)
        y = transcript.top + where.y()
        number = transcript.column.heights.find(y) if 0 <= y < transcript.column.heights.total else -1
        spot = found[1] if found else None
        if (number, spot, on_jump) != (state.hovered_row, state.hovered, transcript.on_jump):
            state.hovered_row, state.hovered, transcript.on_jump = number, spot, on_jump
            transcript.viewport().update()
        if on_jump or spot is not None:
            shape = Qt.CursorShape.PointingHandCursor
        elif (
            abs(where.x() - transcript.left - transcript.column.width / 2) > transcript.column.width / 2 + 16
            or number < 0
        ):
            shape = Qt.CursorShape.ArrowCursor
        else:
            shape = Qt.CursorShape.PointingHandCursor if self.link_at(where) else Qt.CursorShape.IBeamCursor
            if self.sideways.bar_at(where, self.point_at(where)):
                shape = Qt.CursorShape.ArrowCursor
        if transcript.viewport().cursor().shape() != shape:
            transcript.viewport().setCursor(shape)

    def left_view(self) -> None:
        """The mouse is elsewhere."""
        state = self._transcript.state
        state.hovered_row, state.hovered, self._transcript.on_jump = -1, None, False
        self._transcript.viewport().update()

    def tool_tip(self, event: QEvent) -> bool:
        """Names the icon under the mouse, or shows where a link leads."""
        if not isinstance(event, QHelpEvent):
            return False
        found = self.spot_at(event.pos())
        words = (
            found[1].name if found and found[1].kind in ICONS else "" if found else _short(self.link_at(event.pos()))
        )
        if words:
            QToolTip.showText(event.globalPos(), words, self._transcript.viewport())
        else:
            QToolTip.hideText()
        return True

    def wheel_over_code(self, event: QWheelEvent) -> bool:
        """Scrolls code sideways; whether there was some to scroll."""
        return self.sideways.wheel(event, self.point_at(event.position().toPoint()))
