"""Paints rows: question blocks, code, ornaments and text with selections. Decides nothing."""

from __future__ import annotations

from PySide6.QtCore import QRect, QRectF, Qt
from PySide6.QtGui import QAbstractTextDocumentLayout, QPainterPath, QPalette, QTextCharFormat, QTextCursor

from app.ui.components.transcript.chunks import Kind
from app.ui.components.transcript.highlighting import display_name
from app.ui.components.transcript.looks import ACTIONS, BOX_HEAD, CODE_HEAD, FIRST_GAP, OVERHANG, QUESTION_GAP, RADIUS
from app.ui.components.transcript.piece import Piece
from app.ui.components.transcript.rows import THINKING, Row
from app.ui.components.transcript.sideways import thumb
from app.ui.components.transcript.spots import COPY_CODE, Spot
from app.ui.components.transcript.standing import paint_line
from app.ui.components.transcript.surroundings import Surroundings
from app.ui.theme import icons


class RowPainter(Surroundings):
    """Paints whole rows."""

    def row(self, number: int, row: Row, y: int) -> None:
        """Paints a row whose top is at `y` of the view."""
        looks, width = self.looks, self.column.width
        actions = row.actions_top(looks)
        if row.id == self.column.standings.first_seen and not row.first:
            paint_line(self.p, looks, self.column.standings.line, self.left, y, width)
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

    # -- text -------------------------------------------------------------------------------------------------------

    def _chunk(self, number: int, row: Row, part: int, index: int, y: int) -> None:
        if not self.column.complete and not self.column.ready(row, part, index):
            return  # it comes with the next frame
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
            p.setClipRect(
                QRectF(left, y, self.left + self.column.width + OVERHANG - 6 - left, piece.height),
                Qt.ClipOperation.IntersectClip,
            )
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
        for box, (rect, note) in enumerate(zip(piece.boxes, piece.notes.boxes, strict=True)):
            head = QRectF(self.left + rect.left() + 12, y + rect.top(), rect.width() - 24, BOX_HEAD)
            self._code_head(number, row, Spot(COPY_CODE, QRect(), part, index, box), head, note.language)
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
            self._code_head(number, row, Spot(COPY_CODE, QRect(), part, index), line, piece.chunk.language)

    def _code_head(self, number: int, row: Row, spot: Spot, head: QRectF, language: str) -> None:
        """The language at the left, Copy at the right."""
        middle = Qt.AlignmentFlag.AlignVCenter
        self._text(head, middle | Qt.AlignmentFlag.AlignLeft, display_name(language), "caption", "ink2")
        hot = self._is(number, spot, "hover")
        done = self.state.copied == (row.id, spot.key)
        right = head.right()
        self.p.setFont(self.looks.caption)
        word = "Copied" if done else "Copy"
        wide = self.p.fontMetrics().horizontalAdvance(word)
        button = QRectF(right - wide - 28, head.top() + 3.5, wide + 36, head.height() - 7)
        if hot:
            self._block(button, "hover", 6)
        role = "ink" if hot else "ink2"
        box = QRectF(right - wide - 20, head.center().y() - 7, 14, 14)
        icons.paint(self.p, "check" if done else "copy", box, self.looks.colour(role))
        line = QRectF(right - wide, head.top(), wide + 2, head.height())
        self._text(line, middle | Qt.AlignmentFlag.AlignLeft, word, "caption", role)
        if self._is(number, spot, "focus"):
            self._ring(button, 6)

    def _code_thumb(self, row: Row, part: int, index: int, piece: Piece, y: int, shift: int) -> None:
        """A thin bar at the bottom of code that is wider than the column."""
        whole, shown = self.column.code_width(row, part, index), self.column.width
        if whole <= shown or not piece.closes:
            return
        x, length = thumb(shown, whole, shift)
        self._block(QRectF(self.left + x, y + piece.height - 7, length, 3), "line2", 1.5)
