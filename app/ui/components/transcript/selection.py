"""What is selected: two points in the conversation, and the text between them as it is copied. Paints nothing."""

from __future__ import annotations

from typing import NamedTuple

from app.ui.components.transcript.column import Column
from app.ui.components.transcript.places import ConversationsLike
from app.ui.components.transcript.rows import ANSWER, THINKING, Row

FAR = 1 << 30


class Point(NamedTuple):
    """A position in the document of a chunk. Chunk and position may lie beyond the end: that is the end."""

    row: int
    part: int
    chunk: int
    position: int


START = Point(0, THINKING, 0, 0)


class Selection:
    """Two points; `focus` is where the mouse or the caret is."""

    def __init__(self) -> None:
        self.anchor: Point | None = None
        self.focus: Point | None = None

    def clear(self) -> None:
        """Nothing is selected."""
        self.anchor = self.focus = None

    def set(self, anchor: Point, focus: Point) -> None:
        """Selects from one point to another."""
        self.anchor, self.focus = anchor, focus

    @property
    def bounds(self) -> tuple[Point, Point] | None:
        """The selection's start and end, or None when nothing is selected."""
        if self.anchor is None or self.focus is None or self.anchor == self.focus:
            return None
        return (self.anchor, self.focus) if self.anchor <= self.focus else (self.focus, self.anchor)

    def range_in(self, row: int, part: int, chunk: int) -> tuple[int, int] | None:
        """The selected positions of one chunk."""
        bounds = self.bounds
        if bounds is None:
            return None
        low, high = bounds
        here = (row, part, chunk)
        if here < low[:3] or here > high[:3]:
            return None
        start = low.position if here == low[:3] else 0
        end = high.position if here == high[:3] else FAR
        return (start, end) if start < end else None


def copied_text(column: Column, conversations: ConversationsLike, low: Point, high: Point) -> str:
    """Plain text of chunks selected in part, the Markdown source of whole ones; messages apart by a blank line."""
    texts: list[str] = []
    for number in range(low.row, min(high.row, len(column.entries) - 1) + 1):
        if low.row < number < high.row and number not in column.rows:
            texts.append(conversations.body(column.entries[number].id)[0].strip("\n"))
        else:
            texts.append(_row_text(column, number, column.row(number), low, high))
    return "\n\n".join(text for text in texts if text)


def _row_text(column: Column, number: int, row: Row, low: Point, high: Point) -> str:
    texts: list[str] = []
    for part in row.shown_parts():
        whole = row.parts[part]
        text = ""
        for index, chunk in enumerate(whole.chunks):
            here = (number, part, index)
            if here < low[:3] or here > high[:3]:
                continue
            start = low.position if here == low[:3] else 0
            end = high.position if here == high[:3] else FAR
            source = whole.text[chunk.start : chunk.end]
            if start == 0 and end >= FAR:
                text += source
                continue
            piece = column.piece(row, part, index)
            several = low[:3] != high[:3]
            if several and start == 0 and end >= piece.length:
                text += source
            else:
                copied = piece.copied(start, min(end, piece.length))
                text += copied + ("\n\n" if several and end >= piece.length and copied else "")
        if text.strip():
            texts.append(text.strip("\n"))
    return "\n\n".join(texts)


def word_at(column: Column, point: Point) -> tuple[Point, Point]:
    """The word around a point."""
    from PySide6.QtGui import QTextCursor

    return _around(column, point, QTextCursor.SelectionType.WordUnderCursor)


def block_at(column: Column, point: Point) -> tuple[Point, Point]:
    """The paragraph, item or line of code around a point."""
    from PySide6.QtGui import QTextCursor

    return _around(column, point, QTextCursor.SelectionType.BlockUnderCursor)


def _around(column: Column, point: Point, kind: object) -> tuple[Point, Point]:
    from PySide6.QtGui import QTextCursor

    piece = column.piece(column.row(point.row), point.part, point.chunk)
    if not piece.length:
        return point, point
    position = min(point.position, piece.length)
    if kind is QTextCursor.SelectionType.BlockUnderCursor:
        block = piece.document.findBlock(position)
        start, end = block.position(), block.position() + block.length() - 1
    else:
        cursor = QTextCursor(piece.document)
        cursor.setPosition(position)
        cursor.select(QTextCursor.SelectionType.WordUnderCursor)
        start, end = cursor.selectionStart(), cursor.selectionEnd()
    return point._replace(position=start), point._replace(position=end)


def end_of(column: Column) -> Point:
    """Behind everything."""
    return Point(len(column.entries) - 1, ANSWER, FAR, FAR)
