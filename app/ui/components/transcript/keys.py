"""The keyboard: scrolling, a caret for selecting, Tab through the actions on the screen. Decides nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QPoint, QRectF, Qt
from PySide6.QtGui import QKeyEvent, QKeySequence, QPainter, QTextCursor

from app.ui.components.transcript import accessible
from app.ui.components.transcript.places import Place
from app.ui.components.transcript.rows import ANSWER
from app.ui.components.transcript.selection import START, Point, end_of
from app.ui.components.transcript.spots import COPY, Spot, spots

if TYPE_CHECKING:
    from app.ui.components.transcript.transcript import Transcript

_Move = QTextCursor.MoveOperation
_STEPS: dict[tuple[Qt.Key, bool], tuple[QTextCursor.MoveOperation, int]] = {
    (Qt.Key.Key_Left, False): (_Move.PreviousCharacter, -1),
    (Qt.Key.Key_Right, False): (_Move.NextCharacter, 1),
    (Qt.Key.Key_Left, True): (_Move.PreviousWord, -1),
    (Qt.Key.Key_Right, True): (_Move.NextWord, 1),
    (Qt.Key.Key_Up, False): (_Move.Up, -1),
    (Qt.Key.Key_Down, False): (_Move.Down, 1),
    (Qt.Key.Key_Up, True): (_Move.StartOfBlock, -1),
    (Qt.Key.Key_Down, True): (_Move.EndOfBlock, 1),
    (Qt.Key.Key_Home, False): (_Move.StartOfLine, 0),
    (Qt.Key.Key_End, False): (_Move.EndOfLine, 0),
}
_TABS = (Qt.FocusReason.TabFocusReason, Qt.FocusReason.BacktabFocusReason)


class Keys(QObject):
    """Follows the keyboard in a transcript."""

    def __init__(self, transcript: Transcript) -> None:
        super().__init__(transcript)
        self._transcript = transcript

    def pressed(self, event: QKeyEvent) -> bool:
        """A key went down; whether it meant something here."""
        transcript = self._transcript
        if event.matches(QKeySequence.StandardKey.Copy):
            transcript.copy()
            return True
        if event.matches(QKeySequence.StandardKey.SelectAll):
            transcript.select_all()
            return True
        shift = bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)
        control = bool(event.modifiers() & Qt.KeyboardModifier.ControlModifier)
        key = Qt.Key(event.key())
        if shift:
            return self._select(key, control)
        if control and key in (Qt.Key.Key_Up, Qt.Key.Key_Down):
            self._step_message(1 if key == Qt.Key.Key_Down else -1)
            return True
        return self._scroll(key, control) or self._act(key)

    def _scroll(self, key: Qt.Key, control: bool) -> bool:
        transcript = self._transcript
        page = max(24, transcript.viewport().height() - 48)
        steps = {Qt.Key.Key_Up: -48, Qt.Key.Key_Down: 48, Qt.Key.Key_PageUp: -page, Qt.Key.Key_PageDown: page}
        if key in steps and not control:
            transcript.scroll_by(steps[key])
        elif key == Qt.Key.Key_Home:
            transcript.scroll_pixels(0)
        elif key == Qt.Key.Key_End:
            transcript.scroll_to_end()
        else:
            return False
        return True

    def _act(self, key: Qt.Key) -> bool:
        transcript, state = self._transcript, self._transcript.state
        if state.focused is not None and key in (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Space):
            transcript.deeds.use(state.focused_row, state.focused)
        elif state.focused is not None and key in (Qt.Key.Key_Left, Qt.Key.Key_Right):
            self._step_spot(1 if key == Qt.Key.Key_Right else -1, within=True)
        elif key == Qt.Key.Key_Space:
            transcript.scroll_by(max(24, transcript.viewport().height() - 48))
        elif key == Qt.Key.Key_Escape and (state.focused is not None or transcript.selection.bounds):
            self.leave_spot()
            transcript.selection.clear()
            transcript.selected()
        else:
            return False
        return True

    # -- actions ----------------------------------------------------------------------------------------------------

    def _on_screen(self) -> list[tuple[int, Spot]]:
        transcript = self._transcript
        transcript.settle()
        top, height = transcript.top, transcript.viewport().height()
        found: list[tuple[int, Spot]] = []
        for number, row, y in list(transcript.column.rows_between(top, top + height)):
            for spot in spots(row, transcript.column):
                if spot.rect.top() + y >= top and spot.rect.bottom() + y < top + height:
                    found.append((number, spot))
        return found

    def _step_spot(self, step: int, *, within: bool = False) -> bool:
        state = self._transcript.state
        on_screen = self._on_screen()
        if within:
            on_screen = [found for found in on_screen if found[0] == state.focused_row]
        if not on_screen:
            return False
        here = (state.focused_row, state.focused)
        places = [found for found in on_screen if found == here]
        at = on_screen.index(places[0]) + step if places else (0 if step > 0 else len(on_screen) - 1)
        if not 0 <= at < len(on_screen):
            return False
        self.enter_spot(*on_screen[at])
        return True

    def enter_spot(self, number: int, spot: Spot | None, *, whole: bool = False) -> None:
        """The ring stands on a spot; `whole`: it is the message that a screen reader is to read."""
        state = self._transcript.state
        state.focused_row, state.focused = number, spot
        self._transcript.viewport().update()
        accessible.focus_moved(self._transcript, number, button=not whole)

    def leave_spot(self) -> None:
        """The ring stands nowhere."""
        state = self._transcript.state
        if state.focused_row >= 0:
            state.focused_row, state.focused = -1, None
            self._transcript.viewport().update()

    def tab(self, forward: bool) -> bool:
        """The next action on the screen; False when the keyboard should leave the transcript."""
        if self._step_spot(1 if forward else -1):
            return True
        self.leave_spot()
        return False

    def focused_in(self, reason: Qt.FocusReason) -> None:
        """The keyboard came here."""
        if reason in _TABS and self._transcript.state.focused is None:
            self._step_spot(1 if reason == Qt.FocusReason.TabFocusReason else -1)

    def focused_out(self) -> None:
        """The keyboard went elsewhere."""
        self.leave_spot()

    def _step_message(self, step: int) -> None:
        """The next or previous message, wherever it is, with the ring on its first action."""
        transcript, column = self._transcript, self._transcript.column
        if not column.entries:
            return
        transcript.settle()
        number = transcript.state.focused_row
        if number < 0:
            number = column.heights.find(transcript.top) - (step > 0)
        number = max(0, min(number + step, len(column.entries) - 1))
        row = column.row(number)
        y, height = column.heights.top(number), transcript.viewport().height()
        if y < transcript.top or y + row.height(column.looks) > transcript.top + height:
            transcript.show_place(Place(number, ANSWER, -1), 0)
        found = spots(row, column)  # none while nothing is written yet
        self.enter_spot(
            number, next((spot for spot in found if spot.kind == COPY), next(iter(found), None)), whole=True
        )

    def menu_place(self) -> QPoint:
        """Where a menu that was called by a key opens."""
        transcript, state = self._transcript, self._transcript.state
        if state.focused is not None:
            y = transcript.column.heights.top(state.focused_row) - transcript.top
            return state.focused.rect.center() + QPoint(transcript.left, y)
        return QPoint(transcript.left, transcript.viewport().height() // 2)

    # -- selecting --------------------------------------------------------------------------------------------------

    def _select(self, key: Qt.Key, control: bool) -> bool:
        transcript, selection = self._transcript, self._transcript.selection
        if not transcript.column.entries:
            return False
        at = transcript.state.focused_row
        if at >= 0 and selection.bounds is None and (selection.anchor is None or selection.anchor.row != at):
            start = self._inside(START._replace(row=at))
            selection.set(start, start)
        elif selection.anchor is None or selection.focus is None:
            start = transcript.pointing.point_at(QPoint(transcript.left, 0)) or START
            selection.set(start, start)
        assert selection.anchor is not None
        assert selection.focus is not None
        if control and key in (Qt.Key.Key_Home, Qt.Key.Key_End):
            focus = START if key == Qt.Key.Key_Home else end_of(transcript.column)
        elif key in (Qt.Key.Key_PageUp, Qt.Key.Key_PageDown):
            focus = self._page(selection.focus, 1 if key == Qt.Key.Key_PageDown else -1)
        else:
            step = _STEPS.get((key, control))
            if step is None:
                return False
            focus = self._moved(selection.focus, *step)
        selection.set(selection.anchor, focus)
        self._show(focus)
        transcript.selected()
        transcript.offer_selection()
        return True

    def _inside(self, point: Point) -> Point:
        """The same point with a chunk and a position that exist."""
        column = self._transcript.column
        number = min(point.row, len(column.entries) - 1)
        row = column.row(number)
        part = point.part if point.part in list(row.shown_parts()) and row.parts[point.part].chunks else ANSWER
        chunk = max(0, min(point.chunk, len(row.parts[part].chunks) - 1)) if point.part == part else 0
        if not row.parts[part].chunks:
            return Point(number, part, 0, 0)
        return Point(number, part, chunk, min(point.position, column.piece(row, part, chunk).length))

    def _moved(self, point: Point, move: QTextCursor.MoveOperation, direction: int) -> Point:
        point = self._inside(point)
        column = self._transcript.column
        row = column.row(point.row)
        if row.parts[point.part].chunks:
            piece = column.piece(row, point.part, point.chunk)
            cursor = QTextCursor(piece.document)
            cursor.setPosition(point.position)
            if cursor.movePosition(move) or direction == 0:
                return point._replace(position=cursor.position())
        return self._neighbour(point, direction)

    def _neighbour(self, point: Point, direction: int) -> Point:
        """The start of the next chunk, or the end of the one before; the same point at the ends of the conversation."""
        column = self._transcript.column
        number, part, chunk = point.row, point.part, point.chunk + direction
        while True:
            row = column.row(number)
            parts = [p for p in row.shown_parts() if row.parts[p].chunks]
            if part in parts and 0 <= chunk < len(row.parts[part].chunks):
                position = 0 if direction > 0 else column.piece(row, part, chunk).length
                return Point(number, part, chunk, position)
            later = [p for p in parts if (p > part if direction > 0 else p < part)]
            if later:
                part = later[0] if direction > 0 else later[-1]
            else:
                number += direction
                if not 0 <= number < len(column.entries):
                    return point
                part = -1 if direction > 0 else 2
                continue
            chunk = 0 if direction > 0 else len(row.parts[part].chunks) - 1

    def _page(self, point: Point, direction: int) -> Point:
        rect = self.caret_rect(point)
        height = self._transcript.viewport().height()
        where = QPoint(round(rect.x()), round(rect.center().y()) + direction * (height - 48))
        return self._transcript.pointing.point_at(where) or point

    def caret_rect(self, point: Point) -> QRectF:
        """Where a point stands in the viewport."""
        transcript, column = self._transcript, self._transcript.column
        point = self._inside(point)
        row = column.row(point.row)
        y = column.y_of(Place(point.row, point.part, point.chunk)) - transcript.top
        if not row.parts[point.part].chunks:
            return QRectF(transcript.left, y, 1, 24)
        rect = column.piece(row, point.part, point.chunk).caret_rect(point.position)
        x = transcript.left - column.shift(row, point.part, point.chunk)
        return rect.translated(x, y)

    def _show(self, point: Point) -> None:
        transcript = self._transcript
        transcript.settle()
        rect, height = self.caret_rect(point), transcript.viewport().height()
        if rect.top() < 0:
            transcript.scroll_by(round(rect.top()) - 24)
        elif rect.bottom() > height:
            transcript.scroll_by(round(rect.bottom()) - height + 24)
        transcript.pointing.sideways.show(self._inside(point), rect.x())

    def paint_caret(self, painter: QPainter) -> None:
        """The end of a selection that moves, while the transcript has the keyboard."""
        transcript = self._transcript
        focus = transcript.selection.focus
        if focus is None or not transcript.hasFocus() or transcript.selection.bounds is None:
            return
        if focus.row not in transcript.column.rows:
            return
        rect = self.caret_rect(focus)
        painter.fillRect(QRectF(rect.x(), rect.y() + 3, 1, rect.height() - 6), transcript.looks.colour("ink2"))
