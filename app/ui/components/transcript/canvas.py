"""What of the view is painted again, and the painting: what only moves is moved, and a frame takes on little at once.

A document that is not there in time is left out; the next frame brings it.
"""

from __future__ import annotations

from collections.abc import Iterable
from time import perf_counter
from typing import TYPE_CHECKING, cast

from PySide6.QtCore import QObject, QPointF, QRect, QRectF, QTimer
from PySide6.QtGui import QPainter, QRegion

from app.ui.components.transcript.painting import RowPainter
from app.ui.components.transcript.piece import Piece
from app.ui.components.transcript.places import Anchor
from app.ui.components.transcript.surroundings import jump_button

if TYPE_CHECKING:
    from app.ui.components.transcript.view import View

PULSE_MS = 900
PULSE_STEP_MS = 80
FAST_MS = 60  # after a jump: whoever flings or drags is elsewhere with the next frame
FAST_S = 0.003  # for making documents while that goes on
STEP_S = 0.005  # ... in another frame in which something moves
REST_MS = 14
HEAVY_S = 0.003  # a frame that took longer has no time for idle work
QUIET_MS = 20  # after text arrived
STARVED_MS = 250  # ... but that must not be for ever while a reply is written
MOST_RECTS = 4
JUMP_FROM = 160  # pixels from the end at which the way back is offered


class Canvas(QObject):
    """Paints the viewport of a view."""

    def __init__(self, view: View) -> None:
        super().__init__(view)
        self._view = view
        self._port = view.viewport()
        self._top = 0  # of the view when it was last painted
        self._at = 0.0
        self._spent = 0.0  # on what will be painted with the next frame
        self._whole = False  # whether nothing is missing of what is painted
        self._button = QRect()  # where the way back is painted
        self._pulse = QTimer(self)
        self._pulse.setSingleShot(True)
        self._pulse.setInterval(PULSE_STEP_MS)
        self._pulse.timeout.connect(self._step_pulse)
        self._rest = QTimer(self)
        self._rest.setSingleShot(True)
        self._rest.setInterval(REST_MS)
        self._rest.timeout.connect(self._port.update)

    # -- what is painted again --------------------------------------------------------------------------------------

    def forget(self) -> None:
        """Something else is shown: the first frame of it is painted whole, however long that takes."""
        self._at = 0.0

    def settled(self, moved: int) -> None:
        """The same is on the screen as before, but counts from another pixel."""
        self._top += moved

    def scrolled(self, before: int) -> None:
        """The view shows another stretch: what stays on the screen is moved there, the rest is painted."""
        view, column, height = self._view, self._view.column, self._port.height()
        step = view.top - before
        stays = None
        if self._whole and abs(step) < height * 3 // 4:
            upper = max(before, view.top)
            stays = column.anchor(upper, min(before, view.top) + height)
        if stays is None or stays.place.chunk < 0:
            view.changed()
            return
        old = stays.below_top + upper - before
        begun = perf_counter()
        view.settle(begun + STEP_S, Anchor(stays.place, old - step))
        self._spent += perf_counter() - begun
        self._move(column.y_of(stays.place) - view.top - old)

    def _move(self, down: int) -> None:
        """Moves what is painted, but for what stands on it."""
        if down:
            self._port.scroll(0, down)
            self._button.translate(0, down)
            self._view.state.carets = [caret.translated(0, down) for caret in self._view.state.carets]
        self.offer()

    def offer(self) -> None:
        """The way back to the end is painted again where it comes, goes or was moved along."""
        button = self._button_rect()
        if button != self._button:
            self._port.update(button)
            self._port.update(self._button)
            self._button = button

    def coloured(self, piece: Piece) -> None:
        """A document has its colours now: it is painted again if it is on the screen."""
        view, column = self._view, self._view.column
        top, bottom = view.top, view.top + self._port.height()
        for _number, row, y in column.rows_between(top, bottom):
            for part, index, inside in column.chunks_between(row, top - y, bottom - y):
                if column.pieces.has(row, part, index) and column.piece(row, part, index) is piece:
                    self._port.update(0, y + inside - top, self._port.width(), piece.height)
                    return

    def grown(self, number: int, below: int) -> None:
        """A row changed below a pixel. At the end, what stands above is only moved, not painted again."""
        view, column, height = self._view, self._view.column, self._port.height()
        self._view.idle.put_off(QUIET_MS, STARVED_MS)
        if column.heights.top(number) + below - view.top > height and not view.following:
            view.sync()
            return
        if not view.following or number + 1 < len(column.entries):
            view.changed()
            return
        before = view.top
        view.settle()
        moved = view.top - before
        if not 0 <= moved < height // 2:
            self._port.update()
            return
        self._move(-moved)
        for caret in view.state.carets:  # it goes elsewhere, or away
            self._port.update(caret.toAlignedRect().adjusted(-1, -1, 1, 1))
        y = column.heights.top(number) + below - view.top
        self._port.update(0, max(0, y), self._port.width(), height)
        view.sync_bar()  # at once, to be painted in the same frame

    def _button_rect(self) -> QRect:
        centre = self.jump_centre()
        return QRectF(centre.x() - 17, centre.y() - 17, 34, 34).toAlignedRect() if centre else QRect()

    # -- painting ---------------------------------------------------------------------------------------------------

    def jump_centre(self) -> QPointF | None:
        """Where the way back to the end is offered, if it is."""
        view, height = self._view, self._port.height()
        if view.following or view.column.total - height - view.top < JUMP_FROM:
            return None
        return QPointF(view.left + view.column.width / 2, height - 28)

    def paint(self, region: QRegion) -> None:
        """Paints a region of the viewport, and lays out what is not yet.

        While something moves, only what takes little time: the rest follows with the next frame.
        """
        view, now = self._view, perf_counter()
        moved = abs(view.top - self._top)
        far = moved > self._port.height() // 2
        if not self._at or (not moved and view.column.complete):
            view.settle()
        else:
            view.settle(now + (FAST_S if far and now - self._at < FAST_MS / 1000 else STEP_S))
        whole = region.boundingRect()
        self._whole = view.column.complete and (self._whole or whole == self._port.rect())
        painter = QPainter(self._port)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        view.state.caret = self._breath()
        parts = cast(Iterable[QRect], region)  # PySide's annotations do not know it
        for clip in [whole] if region.rectCount() > MOST_RECTS else parts:
            painter.setClipRect(clip)
            self._paint(painter, clip)
        painter.end()
        self.offer()  # heights may have changed that decide about it, and only a part was painted
        if view.state.carets and not view.theme.less_motion:
            self._pulse.start()  # anew: while text arrives, its painting makes the caret breathe
        if not view.column.complete:
            self._rest.start()
        elif whole == self._port.rect():  # a part of it that is painted meanwhile does not bring what is left out
            self._rest.stop()
        self._top, self._at = view.top, perf_counter()
        if far:
            view.idle.put_off(FAST_MS)
        elif self._at - now + self._spent > HEAVY_S:
            view.idle.put_off(REST_MS)
        else:
            view.idle.wake(1)
        self._spent = 0.0

    def _paint(self, painter: QPainter, clip: QRect) -> None:
        view, column, state = self._view, self._view.column, self._view.state
        painter.fillRect(clip, view.looks.colour("page"))
        state.carets = [caret for caret in state.carets if not clip.intersects(caret.toAlignedRect())]
        rows = RowPainter(painter, column, state, view.left, clip)
        top, bottom = view.top + clip.top(), view.top + clip.bottom() + 1
        for number, row, y in column.rows_between(top, bottom, read=column.complete):
            rows.row(number, row, y - view.top)
        view.paint_over(painter)
        centre = self.jump_centre()
        if centre is not None:
            jump_button(painter, centre, view.looks, hovered=view.on_jump)

    def _step_pulse(self) -> None:
        """Only the caret's own pixels are painted again."""
        for caret in self._view.state.carets:
            self._port.update(caret.toAlignedRect().adjusted(-1, -1, 1, 1))

    def _breath(self) -> float:
        """How strong the ember caret is now: between full and a third."""
        if self._view.theme.less_motion:
            return 1.0
        phase = perf_counter() * 1000 % PULSE_MS / PULSE_MS
        return 0.35 + 0.65 * abs(1 - 2 * phase)
