"""Paints rows: question blocks, code, ornaments, text with selections, notes and actions. Decides nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from PySide6.QtCore import QPointF, QRect, QRectF, Qt
from PySide6.QtGui import (
    QAbstractTextDocumentLayout,
    QColor,
    QPainter,
    QPainterPath,
    QPalette,
    QPen,
    QTextCharFormat,
    QTextCursor,
)

from app.chat.messages import ReplyState
from app.ui.components.transcript import words
from app.ui.components.transcript.chunks import Kind
from app.ui.components.transcript.column import Column
from app.ui.components.transcript.highlighting import display_name
from app.ui.components.transcript.looks import (
    ACTIONS,
    CODE_HEAD,
    FIRST_GAP,
    FOLD,
    NOTE_GAP,
    OVERHANG,
    QUESTION_GAP,
    RADIUS,
    Looks,
)
from app.ui.components.transcript.piece import Piece
from app.ui.components.transcript.rows import ANSWER, THINKING, Row
from app.ui.components.transcript.selection import Selection
from app.ui.components.transcript.spots import AGAIN, COPY_CODE, EARLIER, ICONS, LATER, Spot, sibling_label, spots
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
    copied: tuple[str, str, int] | None = None  # row id, kind of spot, chunk: shows a check for a moment
    caret: float = 1.0
    text_focus: bool = False
    carets: list[QRectF] = field(default_factory=list)


class RowPainter:
    """Paints into one painter whose origin is the view's top left corner; `left` is the text's left edge."""

    def __init__(self, painter: QPainter, column: Column, state: State, left: int, clip: QRect) -> None:
        self.p = painter
        self.column = column
        self.looks: Looks = column.looks
        self.state = state
        self.left = left
        self.clip = clip

    def row(self, number: int, row: Row, y: int) -> None:
        """Paints a row whose top is at `y` of the view."""
        looks, width = self.looks, self.column.width
        actions = row.actions_top(looks)
        if row.question:
            top = y + (FIRST_GAP if row.first else QUESTION_GAP)
            self._block(QRectF(self.left - OVERHANG, top, width + 2 * OVERHANG, y + actions - top), "fill")
        if row.parts[THINKING].text:
            self._fold(number, row, y)
        if row.unfolded and row.parts[THINKING].text:
            top = y + row.part_top(THINKING)
            self.p.fillRect(QRectF(self.left - OVERHANG, top, 2, row.parts[THINKING].height), looks.colour("line2"))
        for part, index, inside in self.column.chunks_between(row, self.clip.top() - y, self.clip.bottom() + 1 - y):
            self._chunk(number, row, part, index, y + inside)
        if row.state.live:
            self._live(row, y)
        self._notes(number, row, y)
        if y + actions <= self.clip.bottom() and y + actions + ACTIONS >= self.clip.top():
            self._actions(number, row, y)

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
        return row == number and other is not None and (other.kind, other.part, other.chunk) == (
            spot.kind, spot.part, spot.chunk,
        )  # fmt: skip

    # -- text -------------------------------------------------------------------------------------------------------

    def _chunk(self, number: int, row: Row, part: int, index: int, y: int) -> None:
        piece = self.column.piece(row, part, index)
        code = piece.chunk.kind is Kind.CODE
        if code:
            self._code_block(number, row, part, index, piece, y)
        if piece.blank or piece.empty_code:
            return
        p, shift = self.p, 0
        p.save()
        if code:
            shift = self.column.shift(row, part, index)
            left = self.left - (OVERHANG - 6 if shift else 0)
            p.setClipRect(QRectF(left, y, self.left + self.column.width + OVERHANG - 6 - left, piece.height))
        p.translate(self.left - shift, y + piece.top)
        for kind, rect, text in piece.ornaments:
            self._ornament(kind, rect, text)
        context = QAbstractTextDocumentLayout.PaintContext()
        top = self.clip.top() - y - piece.top
        context.clip = QRectF(-OVERHANG, top, self.column.width + 2 * OVERHANG + shift, self.clip.height() + 1)
        context.palette.setColor(QPalette.ColorRole.Text, self.looks.colour("ink"))
        marked = self.state.marked(number, part, index, piece)
        selected = self.state.selection.range_in(number, part, index)
        if selected:
            marked = [*marked, (selected[0], selected[1], "selection")]
        if marked:
            context.selections = [self._selection(piece, *mark) for mark in marked]
        piece.document.documentLayout().draw(p, context)
        p.restore()
        if (code and piece.closes and shift + self.column.width < self.column.code_width(row, part, index)) or shift:
            self._code_thumb(row, part, index, piece, y, shift)

    def _selection(self, piece: Piece, start: int, end: int, role: str) -> QAbstractTextDocumentLayout.Selection:
        selection = QAbstractTextDocumentLayout.Selection()
        cursor = QTextCursor(piece.document)
        cursor.setPosition(min(start, piece.length))
        cursor.setPosition(min(end, piece.length), QTextCursor.MoveMode.KeepAnchor)
        form = QTextCharFormat()
        form.setBackground(self.looks.colour(role))
        selection.cursor, selection.format = cursor, form
        return selection

    def _ornament(self, kind: str, rect: QRectF, text: str) -> None:
        p, looks = self.p, self.looks
        if kind == "code":
            self._block(rect, "fill", 4)
        elif kind == "dot":
            p.setPen(Qt.PenStyle.NoPen)
            p.setBrush(looks.colour("ink2"))
            p.drawEllipse(rect)
        elif kind == "number":
            self._text(rect, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, text, "body", "ink2")
        elif kind == "task":
            p.setPen(looks.pen("edge"))
            p.setBrush(Qt.BrushStyle.NoBrush)
            p.drawRoundedRect(rect.adjusted(0.5, 0.5, -0.5, -0.5), 3, 3)
            if text == "[x]":
                icons.paint(p, "check", rect.adjusted(2, 2, -2, -2), looks.colour("ink"))
        elif kind == "box":
            self._block(rect, "fill", 8)
        else:
            p.fillRect(rect, looks.colour("line2" if kind == "bar" else "line"))

    def _code_block(self, number: int, row: Row, part: int, index: int, piece: Piece, y: int) -> None:
        rect = QRectF(self.left - OVERHANG, y, self.column.width + 2 * OVERHANG, piece.height)
        head, closes = piece.chunk.head, piece.closes
        if head and closes:
            self._block(rect, "fill")
        else:  # one side stays square, where the block goes on
            path = QPainterPath()
            path.setFillRule(Qt.FillRule.WindingFill)
            path.addRoundedRect(rect, RADIUS, RADIUS)
            if not head:
                path.addRect(rect.adjusted(0, 0, 0, -min(RADIUS, rect.height() / 2)))
            if not closes:
                path.addRect(rect.adjusted(0, min(RADIUS, rect.height() / 2), 0, 0))
            self.p.fillPath(path, self.looks.colour("fill"))
        if head:
            line = QRectF(self.left, y, self.column.width, CODE_HEAD)
            middle = Qt.AlignmentFlag.AlignVCenter
            self._text(line, middle | Qt.AlignmentFlag.AlignLeft, display_name(piece.chunk.language), "caption", "ink2")
            self._copy_code(number, row, Spot(COPY_CODE, QRect(), part, index), y)

    def _copy_code(self, number: int, row: Row, spot: Spot, y: int) -> None:
        hot = self._is(number, spot, "hover")
        done = self.state.copied == (row.id, COPY_CODE, spot.chunk)
        right = self.left + self.column.width
        self.p.setFont(self.looks.caption)
        word = "Copied" if done else "Copy"
        wide = self.p.fontMetrics().horizontalAdvance(word)
        if hot:
            self._block(QRectF(right - wide - 28, y + 4, wide + 36, 28), "hover", 6)
        role = "ink" if hot else "ink2"
        box = QRectF(right - wide - 20, y + CODE_HEAD / 2 - 7, 14, 14)
        icons.paint(self.p, "check" if done else "copy", box, self.looks.colour(role))
        line = QRectF(right - wide, y, wide + 2, CODE_HEAD)
        self._text(line, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, word, "caption", role)
        if self._is(number, spot, "focus"):
            self._ring(QRectF(right - wide - 28, y + 4, wide + 36, 28), 6)

    def _code_thumb(self, row: Row, part: int, index: int, piece: Piece, y: int, shift: int) -> None:
        """A thin bar at the bottom of code that is wider than the column."""
        whole, shown = self.column.code_width(row, part, index), self.column.width
        if whole <= shown or not piece.closes:
            return
        length = max(32.0, shown * shown / whole)
        x = self.left + (shown - length) * shift / (whole - shown)
        self._block(QRectF(x, y + piece.height - 7, length, 3), "line2", 1.5)

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
            top = y + row.part_top(ANSWER) + answer.tops[index] + rect.top()
            x = rect.x() - (self.column.shift(row, ANSWER, index) if piece.chunk.kind is Kind.CODE else 0)
            self._caret(self.left + min(x + 3, self.column.width + 4), top, rect.height())

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
            x = self.left
            if note.trouble:
                self._block(QRectF(x - OVERHANG, top, self.column.width + 2 * OVERHANG, note.height), "rose_tint")
            icon = "warning-circle" if note.trouble else "info"
            box = QRectF(x, top + (words.NOTE_PAD if note.trouble else 0) + 2, 16, 16)
            icons.paint(self.p, icon, box, self.looks.colour("rose" if note.trouble else "ink3"))
            rect = QRectF(x + 24, top + (words.NOTE_PAD if note.trouble else 0), self.column.width, words.NOTE_LINE)
            for line in note.lines:
                self._text(rect, middle, line, "secondary", "ink" if note.trouble else "ink3")
                rect.translate(0, words.NOTE_LINE)
            if note.trouble:
                self._again(number, row, y)
            top += note.height

    def _again(self, number: int, row: Row, y: int) -> None:
        for spot in spots(row, self.column):
            if spot.kind == AGAIN:
                rect = QRectF(spot.rect.translated(self.left, y)).adjusted(0.5, 0.5, -0.5, -0.5)
                self.p.setPen(self.looks.pen("line2"))
                self.p.setBrush(self.looks.colour("hover" if self._is(number, spot, "hover") else "raised"))
                self.p.drawRoundedRect(rect, 8, 8)
                self._text(rect, Qt.AlignmentFlag.AlignCenter, "Try again", "button", "ink")
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
        for spot in spots(row, self.column):
            icon = ICONS.get(spot.kind)
            if icon is None or not (shown or spot.kind in (EARLIER, LATER)):
                continue
            rect = QRectF(spot.rect.translated(self.left, y))
            hot = self._is(number, spot, "hover")
            if hot:
                self._block(rect, "hover", 6)
            if state.copied == (row.id, spot.kind, spot.chunk):
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
