"""Paints what surrounds the text of a row: the fold, the live line, notes and actions. Decides nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from PySide6.QtCore import QPointF, QRect, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPen

from app.chat.messages import ReplyState
from app.ui.components.transcript import words
from app.ui.components.transcript.chunks import Kind
from app.ui.components.transcript.column import Column
from app.ui.components.transcript.looks import ACTIONS, FOLD, NOTE_GAP, OVERHANG, RADIUS, Looks
from app.ui.components.transcript.piece import Piece
from app.ui.components.transcript.rows import ANSWER, THINKING, Row
from app.ui.components.transcript.selection import Selection
from app.ui.components.transcript.spots import EARLIER, ICONS, LATER, Spot, SpotKey, action_spots, sibling_label, spots
from app.ui.components.transcript.standing import OFFERS, paint_mark
from app.ui.theme import icons

Ranges = Callable[[int, int, int, Piece], list[tuple[int, int, str]]]


@dataclass(slots=True)
class State:
    """What painting depends on besides the rows."""

    selection: Selection
    marked: Ranges
    hovered_row: int = -1
    hovered: Spot | None = None
    focused_row: int = -1
    focused: Spot | None = None
    copied: tuple[str, SpotKey] | None = None  # row id, key of the spot: shows a check for a moment
    caret: float = 1.0
    text_focus: bool = False
    carets: list[QRectF] = field(default_factory=list)


class Surroundings:
    """Paints into one painter whose origin is the view's top left corner; `left` is the text's left edge."""

    def __init__(self, painter: QPainter, column: Column, state: State, left: int, clip: QRect) -> None:
        self.p = painter
        self.column = column
        self.looks: Looks = column.looks
        self.state = state
        self.left = left
        self.clip = clip

    # -- shapes -----------------------------------------------------------------------------------------------------

    def _block(self, rect: QRectF, role: str, radius: float = RADIUS) -> None:
        self.p.setPen(Qt.PenStyle.NoPen)
        self.p.setBrush(self.looks.colour(role))
        self.p.drawRoundedRect(rect, radius, radius)

    def _text(self, rect: QRectF, flags: Qt.AlignmentFlag, text: str, font_of: str, role: str) -> None:
        looks = self.looks
        self.p.setFont(getattr(looks, font_of))
        self.p.setPen(looks.colour(role))
        self.p.drawText(rect, int(flags), text)

    def _ring(self, rect: QRectF, radius: float) -> None:
        self.p.setPen(QPen(self.looks.colour("ember"), 2))
        self.p.setBrush(Qt.BrushStyle.NoBrush)
        self.p.drawRoundedRect(rect.adjusted(-1, -1, 1, 1), radius + 1, radius + 1)

    def _is(self, number: int, spot: Spot, which: str) -> bool:
        state = self.state
        row, other = (state.hovered_row, state.hovered) if which == "hover" else (state.focused_row, state.focused)
        return row == number and other is not None and other.key == spot.key

    # -- states, notes, actions -------------------------------------------------------------------------------------

    def _fold(self, number: int, row: Row, y: int) -> None:
        top = y + row.part_top(THINKING) - FOLD
        if top > self.clip.bottom() or top + FOLD < self.clip.top():
            return
        spot = Spot("fold", QRect())
        role = "ink" if self._is(number, spot, "hover") else "ink2"
        icon = QRectF(self.left, top + 8, 12, 12)
        icons.paint(self.p, "caret-down" if row.unfolded else "caret-right", icon, self.looks.colour(role))
        text = words.thinking_line(row.facts, now=row.thinks)
        line = QRectF(self.left + 18, top, 400, FOLD - 6)
        self._text(line, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, text, "secondary", role)
        if self._is(number, spot, "focus"):
            wide = self.p.fontMetrics().horizontalAdvance(text) + 26
            self._ring(QRectF(self.left - 4, top + 2, wide, FOLD - 10), 6)

    def _live(self, row: Row, y: int) -> None:
        looks, answer = self.looks, row.parts[ANSWER]
        if row.waiting:
            top = y + row.part_top(ANSWER) + answer.height
            line = words.waiting_line(row.state, row.progress)
            if line:
                rect = QRectF(self.left, top, self.column.width, looks.line)
                self._text(rect, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, line, "secondary", "ink2")
            if row.state is ReplyState.READING and row.progress and row.progress[1] > 0:
                track = QRectF(self.left, top + looks.line + 2, min(320, self.column.width), 4)
                self._block(track, "bar_empty", 2)
                track.setWidth(max(4.0, track.width() * min(1.0, row.progress[0] / row.progress[1])))
                self._block(track, "ember", 2)
            elif not line:
                self._caret(self.left, top, looks.line)
        elif row.state is ReplyState.WRITING:
            index = len(answer.chunks) - 1
            piece = self.column.piece(row, ANSWER, index)
            rect = piece.caret_rect(piece.text_end())
            rect.translate(0, y + row.part_top(ANSWER) + answer.tops[index])
            x = rect.x() - (self.column.shift(row, ANSWER, index) if piece.chunk.kind is Kind.CODE else 0)
            self._caret(self.left + min(x + 3, self.column.width + 4), rect.top(), rect.height())

    def _caret(self, x: float, top: float, height: float) -> None:
        rect = QRectF(x, top + (height - 17) / 2, 8, 17)
        self.state.carets.append(rect)
        colour = QColor(self.looks.colour("ember"))
        colour.setAlphaF(self.state.caret)
        self.p.setPen(Qt.PenStyle.NoPen)
        self.p.setBrush(colour)
        self.p.drawRoundedRect(rect, 2, 2)

    def _notes(self, number: int, row: Row, y: int) -> None:
        top = y + row.notes_top(self.looks)
        middle = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
        for note in row.notes:
            top += NOTE_GAP
            x, role = self.left, "ochre" if note.kind == "choice" else "rose"
            if note.trouble:
                self._block(QRectF(x - OVERHANG, top, self.column.width + 2 * OVERHANG, note.height), f"{role}_tint")
            icon = "info" if not note.trouble else "warning" if role == "ochre" else "warning-circle"
            box = QRectF(x, top + (words.NOTE_PAD if note.trouble else 0) + 2, 16, 16)
            icons.paint(self.p, icon, box, self.looks.colour(role if note.trouble else "ink3"))
            rect = QRectF(x + 24, top + (words.NOTE_PAD if note.trouble else 0), self.column.width, words.NOTE_LINE)
            for line in note.lines:
                self._text(rect, middle, line, "secondary", "ink" if note.trouble else "ink3")
                rect.translate(0, words.NOTE_LINE)
            if note.trouble:
                self._again(number, row, y)
            top += note.height

    def _again(self, number: int, row: Row, y: int) -> None:
        for spot in spots(row, self.column):
            if spot.kind in OFFERS:
                rect = QRectF(spot.rect.translated(self.left, y)).adjusted(0.5, 0.5, -0.5, -0.5)
                self.p.setPen(self.looks.pen("line2"))
                self.p.setBrush(self.looks.colour("hover" if self._is(number, spot, "hover") else "raised"))
                self.p.drawRoundedRect(rect, 8, 8)
                self._text(rect, Qt.AlignmentFlag.AlignCenter, spot.name, "button", "ink")
                if self._is(number, spot, "focus"):
                    self._ring(rect.adjusted(-1, -1, 1, 1), 8)

    def _actions(self, number: int, row: Row, y: int) -> None:
        looks, state = self.looks, self.state
        top = row.actions_top(looks)
        middle = Qt.AlignmentFlag.AlignVCenter
        shown = number in (state.hovered_row, state.focused_row) or (
            not row.question and number == len(self.column.entries) - 1
        )
        label = sibling_label(row)
        if label:
            self._siblings(row, label, y + top)
        for spot in action_spots(row, self.column):
            if not (shown or spot.kind in (EARLIER, LATER)):
                continue
            icon = ICONS[spot.kind]
            rect = QRectF(spot.rect.translated(self.left, y))
            hot = self._is(number, spot, "hover")
            if hot:
                self._block(rect, "hover", 6)
            if state.copied == (row.id, spot.key):
                icon = "check"
            side = 12 if spot.kind in (EARLIER, LATER) else 16
            box = QRectF(0, 0, side, side)
            box.moveCenter(rect.center())
            icons.paint(self.p, icon, box, looks.colour("ink" if hot else "ink2"))
            if self._is(number, spot, "focus"):
                self._ring(rect, 6)
        if not row.question:
            line = QRectF(self.left, y + top, self.column.width, ACTIONS)
            facts = words.facts_line(row.state, row.facts)
            self._text(line, middle | Qt.AlignmentFlag.AlignRight, facts, "caption_plain", "ink3")
        standing = self.column.standings.marks.get(row.id)
        if standing is not None:
            taken = 56 if row.question else self.p.fontMetrics().horizontalAdvance(facts) + (14 if facts else 0)
            paint_mark(self.p, looks, standing, self.left + self.column.width - taken, y + top)

    def _siblings(self, row: Row, label: str, top: int) -> None:
        """`2/3`, and an arrow without effect in `line2` where there is no further version."""
        looks = self.looks
        self.p.setFont(looks.caption)
        wide = max(29, self.p.fontMetrics().horizontalAdvance(label) + 10)
        rect = QRectF(self.left + 20, top, wide, ACTIONS)
        self._text(rect, Qt.AlignmentFlag.AlignCenter, label, "caption", "ink2")
        for ends, icon, x in (
            (row.entry.sibling == 0, "caret-left", -8),
            (row.entry.sibling + 1 == row.entry.siblings, "caret-right", 20 + wide),
        ):
            if ends:
                box = QRectF(self.left + x + 8, top + ACTIONS / 2 - 6, 12, 12)
                icons.paint(self.p, icon, box, looks.colour("line2"))


def jump_button(painter: QPainter, centre: QPointF, looks: Looks, *, hovered: bool) -> None:
    """The round button that leads to the end."""
    painter.setPen(looks.pen("line2"))
    painter.setBrush(looks.colour("hover" if hovered else "raised"))
    painter.drawEllipse(centre, 15.5, 15.5)
    icons.paint(painter, "arrow-down", QRectF(centre.x() - 8, centre.y() - 8, 16, 16), looks.colour("ink"))
