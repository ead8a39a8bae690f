"""One chunk laid out: its document, what is painted around the text, hits and copies. No rows, no scrolling."""

from __future__ import annotations

from collections.abc import Iterator
from math import ceil
from typing import NamedTuple, cast

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QTextBlock, QTextCursor, QTextDocument, QTextLine, QTextOption

from app.ui.components.transcript.building import PAD, Builder
from app.ui.components.transcript.chunks import Chunk, Kind, code_of
from app.ui.components.transcript.growing import addition
from app.ui.components.transcript.highlighting import Span, colour
from app.ui.components.transcript.looks import BOX_HEAD, BOX_PAD, CODE_HEAD, CODE_PAD, Looks
from app.ui.components.transcript.nested import TURNING, added, write_on
from app.ui.components.transcript.notes import Notes
from app.ui.components.transcript.parsing import References


class Code(NamedTuple):
    """Code in a piece, and where it begins in the document."""

    text: str
    language: str
    position: int


Ornament = tuple[str, QRectF, str]  # dot | number | task | bar | rule | box | code, where, text


class Piece:
    """The document of one chunk. `closes`: the code block of this chunk does not go on in the next one.

    `source` is the chunk's slice of the message. Coordinates are relative to the text's left edge and the piece's top.
    """

    def __init__(
        self, chunk: Chunk, source: str, looks: Looks, *, ink: str, references: References, closes: bool
    ) -> None:
        self.chunk = chunk
        self.closes = closes
        self.source = source
        self.looks = looks
        self.references_used = references
        self.coloured = chunk.kind is not Kind.CODE
        self.coloured_at = 0.0  # perf_counter, when its code had colours last
        self._colours: list[tuple[str, list[Span]]] = []  # of each code in it
        self.width = -1
        self.height = 0
        self.top = CODE_HEAD if chunk.head else 0
        self.content_width = 0
        self.ornaments: list[Ornament] = []
        self.boxes: list[QRectF] = []  # of code within lists and quotes, heads and padding included
        self.document = QTextDocument()
        self.document.setUndoRedoEnabled(False)
        self.document.setDocumentMargin(0)
        self.notes = Notes()
        self.blank = chunk.kind is not Kind.CODE and not source.strip()
        if self.blank:
            return
        if chunk.kind is Kind.PROSE:
            self.document.setDefaultFont(looks.body)
            builder = Builder(self.document, looks, ink)
            self.notes = builder.build(
                source, references, ordinal=chunk.ordinal, prefix=chunk.prefix, weights=chunk.weights
            )
            self.coloured = not self.notes.boxes
        else:
            self._fill_plain(ink)

    def _fill_plain(self, ink: str) -> None:
        chunk, looks, document = self.chunk, self.looks, self.document
        code = chunk.kind is Kind.CODE
        document.setDefaultFont(looks.code if code else looks.body)
        option = QTextOption()
        option.setWrapMode(QTextOption.WrapMode.NoWrap if code else QTextOption.WrapMode.WrapAtWordBoundaryOrAnywhere)
        if code:
            option.setTextDirection(Qt.LayoutDirection.LeftToRight)
            option.setTabStopDistance(looks.code_advance * 4)
        document.setDefaultTextOption(option)
        cursor = QTextCursor(document)
        cursor.setBlockFormat(looks.block(looks.code_line if code else looks.line))
        cursor.setBlockCharFormat(looks.text(ink))
        cursor.insertText(self.code_text().translate(TURNING) if code else self._plain_text(), looks.text(ink))

    def _plain_text(self) -> str:
        return self.source.removesuffix("\n").replace("\r", "")

    def code_text(self) -> str:
        """The lines of code in this chunk, without fences."""
        chunk = self.chunk
        return code_of(chunk, self.source).removesuffix("\n")

    # -- colours of code --------------------------------------------------------------------------------------------

    def codes(self) -> list[Code]:
        """What of it is code."""
        if self.chunk.kind is Kind.CODE:
            return [Code(self.code_text(), self.chunk.language, 0)]
        return [Code(box.code, box.language, box.start) for box in self.notes.boxes]

    def colour(self, index: int, text: str, found: list[Span]) -> bool:
        """Colours a code as far as it still is `text`; whether that was all of it."""
        codes = self.codes()
        if index >= len(codes) or not codes[index].text.startswith(text):
            return False
        self._colours[index:] = [(text, found)]
        if text:  # of nothing, only the lines would be lost
            colour(self.document, found, self.looks, codes[index].position, len(text))
        return len(text) == len(codes[index].text)

    def inherit(self, other: Piece) -> None:
        """Takes the colours over from the document that stood in its place."""
        self.coloured_at = other.coloured_at
        same = [self.colour(index, text, found) for index, (text, found) in enumerate(other._colours)]
        self.coloured = other.coloured and all(same) and len(same) == len(self.codes())

    @property
    def empty_code(self) -> bool:
        """Whether this part of a code block holds no line."""
        return self.chunk.kind is Kind.CODE and self.chunk.code_end <= self.chunk.code_start

    def extend(self, chunk: Chunk, source: str) -> int | None:
        """Appends what a chunk that is still growing gained; None when this needs a new piece instead.

        Returns the pixel down to which everything stays as it was.
        """
        more = self._more(chunk, source)
        if more is None:
            return None
        code, end = chunk.kind is Kind.CODE, self.caret_rect(self.length)
        steady = self.height - CODE_PAD - self.looks.code_line if code else int(end.bottom()) - self.looks.line
        steady = min(steady, int(end.top()))
        self.chunk, self.source = chunk, source
        if more:
            self.coloured = self.coloured and not code and not self._ends_in_box
            cursor = QTextCursor(self.document)
            cursor.movePosition(QTextCursor.MoveOperation.End)
            if self._ends_in_box:
                write_on(cursor, self.looks, self.notes, more)
            else:
                cursor.insertText(more.translate(TURNING) if code else more)
            width, self.width = self.width, -1
            self.lay_out(width)
        return max(0, steady)

    def extends(self, chunk: Chunk, source: str) -> bool:
        """Whether `extend` would do."""
        return self._more(chunk, source) is not None

    def _more(self, chunk: Chunk, source: str) -> str | None:
        mine = self.chunk
        if chunk.kind is not mine.kind or chunk.start != mine.start or chunk.head != mine.head or self.blank:
            return None
        if chunk.kind is Kind.CODE:
            if self.empty_code or chunk.code_end <= chunk.code_start:
                return None
            before, after = self.code_text(), code_of(chunk, source).removesuffix("\n")
            return after[len(before) :] if after.startswith(before) else None
        same = (chunk.ordinal, chunk.prefix, chunk.weights) == (mine.ordinal, mine.prefix, mine.weights)
        if chunk.kind is not Kind.PROSE or not same:
            return None
        if self._ends_in_box:
            return added(source, self.references_used, self.notes.boxes) if not chunk.prefix else None
        return addition(self.source, source, self.document.lastBlock().text())

    @property
    def _ends_in_box(self) -> bool:
        return bool(self.notes.boxes) and self.notes.boxes[-1].end >= self.length

    def lay_out(self, width: int) -> int:
        """Lays the text out at `width` pixels; returns the height of the piece."""
        if width == self.width:
            return self.height
        self.width = width
        if self.blank:
            return 0
        if self.chunk.kind is Kind.CODE:
            text = 0
            if not self.empty_code:
                size = self.document.documentLayout().documentSize()
                text, self.content_width = ceil(size.height()), ceil(self.document.idealWidth())
            self.height = self.top + text + (CODE_PAD if self.closes else 0)
            return self.height
        self.document.setTextWidth(width)
        self.height = ceil(self.document.documentLayout().documentSize().height())  # this lays out
        self.boxes = list(self._find_boxes())
        self.ornaments = list(self._find_ornaments())
        if self.boxes:  # Qt leaves the last margin of a document out of its size
            self.height = max(self.height, ceil(self.boxes[-1].bottom()))
        return self.height

    # -- what is painted around the text ----------------------------------------------------------------------------

    def _block_rect(self, block: QTextBlock) -> QRectF:
        return self.document.documentLayout().blockBoundingRect(block)

    def _lines(self, start: int, end: int) -> Iterator[tuple[QRectF, QTextLine, int, int]]:
        """The lines that [start, end) of the document touches: rectangle, line, first and last place in the block."""
        block = self.document.findBlock(start)
        while block.isValid() and block.position() < end:
            layout, base = block.layout(), block.position()
            origin = self._block_rect(block).topLeft()
            first, last = max(0, start - base), min(end - base, block.length() - 1)
            for index in range(layout.lineCount()):
                line = layout.lineAt(index)
                a, b = max(first, line.textStart()), min(last, line.textStart() + line.textLength())
                if a < b or (a == b == first == last):
                    yield line.rect().translated(origin), line, a, b
            block = block.next()

    def _find_boxes(self) -> Iterator[QRectF]:
        for box in self.notes.boxes:
            top, bottom = self._extent(box.start, box.end)
            yield QRectF(box.left, top, self.width - box.left, bottom - top)

    def box_at(self, position: int) -> int:
        """Which box of code a position of the document lies in; -1 for none."""
        return next((i for i, box in enumerate(self.notes.boxes) if box.start <= position <= box.end), -1)

    def _extent(self, start: int, end: int) -> tuple[float, float]:
        """The top of the first and the bottom of the last line of [start, end], with the boxes at its ends."""
        first, last = self.document.findBlock(start), self.document.findBlock(end)
        top, bottom = self._block_rect(first).top(), self._block_rect(last).bottom()
        if first.layout().lineCount():
            top += first.layout().lineAt(0).y()
        if last.layout().lineCount():
            line = last.layout().lineAt(last.layout().lineCount() - 1)
            bottom = line.y() + line.height() + self._block_rect(last).top()
        before = last.previous()
        if last.length() <= 1 and before.isValid() and (table := QTextCursor(before).currentTable()):
            bottom = self.document.documentLayout().frameBoundingRect(table).bottom()
        top -= BOX_HEAD if any(box.start == start for box in self.notes.boxes) else 0
        return top, bottom + (BOX_PAD if any(box.end == end for box in self.notes.boxes) else 0)

    def _find_ornaments(self) -> Iterator[Ornament]:
        notes, looks = self.notes, self.looks
        for rect in self.boxes:
            yield "box", rect, ""
        for start, end, left in notes.quotes:
            top, bottom = self._extent(start, end)
            yield "bar", QRectF(left - 16, top, 2, bottom - top), ""
        for position in notes.rules:
            _top, bottom = self._extent(position, position)
            yield "rule", QRectF(0, round(bottom) - 1, self.width, 1), ""
        for start, end in notes.codes:
            for rect, line, a, b in self._lines(start, end):
                x, right = sorted((x_of(line, a), x_of(line, b)))
                middle = rect.center().y()
                half = min(rect.height() / 2 - 1, looks.text_size * 0.68)
                origin = rect.left() - line.rect().left()
                yield "code", QRectF(origin + x, middle - half + 0.5, right - x, 2 * half), ""
        for position, mark, indent in notes.marks:
            block = self.document.findBlock(position)
            if not block.layout().lineCount():
                continue
            line = block.layout().lineAt(0)
            rect = line.rect().translated(self._block_rect(block).topLeft())
            mirrored = block.textDirection() == Qt.LayoutDirection.RightToLeft
            box = QRectF(rect.right() if mirrored else rect.left() - indent, rect.top(), indent, rect.height())
            if mark == "•":
                x = box.right() - 7 if mirrored else box.left() + 3
                yield "dot", QRectF(x, box.center().y() - 1, 4, 4), ""
            elif mark[0] == "[":
                yield "task", QRectF(box.left(), box.center().y() - 7, 14, 14), mark
            else:
                yield "number", box, mark

    # -- positions --------------------------------------------------------------------------------------------------

    @property
    def length(self) -> int:
        """The last position of the document."""
        return 0 if self.blank or self.empty_code else self.document.characterCount() - 1

    def hit(self, x: float, y: float) -> int:
        """The position nearest to a point."""
        if self.blank or self.empty_code:
            return 0
        point = QPointF(x, y - self.top)
        return max(0, self.document.documentLayout().hitTest(point, Qt.HitTestAccuracy.FuzzyHit))

    def link_at(self, x: float, y: float) -> str:
        """The address under a point, or nothing."""
        if not self.notes.links:
            return ""
        position = self.document.documentLayout().hitTest(QPointF(x, y - self.top), Qt.HitTestAccuracy.ExactHit)
        if position < 0:
            return ""
        return next((url for start, end, url in self.notes.links if start <= position < end), "")

    def caret_rect(self, position: int) -> QRectF:
        """Where a caret at `position` stands: no width, the height of its line."""
        if self.blank or self.empty_code:
            return QRectF(0, self.top, 0, self.looks.line)
        block = self.document.findBlock(min(position, self.length))
        origin = self._block_rect(block).topLeft() + QPointF(0, self.top)
        offset = min(position, self.length) - block.position()
        line = block.layout().lineForTextPosition(offset)
        if not line.isValid():
            return QRectF(origin.x(), origin.y(), 0, self.looks.line)
        return QRectF(origin.x() + x_of(line, offset), origin.y() + line.y(), 0, line.height())

    def text_end(self) -> int:
        """The position behind the last visible letter: a table ends with an empty block that does not count."""
        block = self.document.lastBlock()
        while block.isValid() and block.length() <= 1 and block.position() > 0:
            block = block.previous()
        return block.position() + block.length() - 1 if block.isValid() else 0

    def copied(self, start: int, end: int) -> str:
        """The plain text of [start, end): bullets and numbers as a person sees them, cells apart by tabs."""
        if self.blank or self.empty_code or start >= end:
            return ""
        marks = {position: mark for position, mark, _indent in self.notes.marks}
        joined, before, row_before = "", "", -1
        block = self.document.findBlock(start)
        while block.isValid() and block.position() < max(end, start + 1):
            base = block.position()
            text = block.text()[max(0, start - base) : end - base]
            cursor = QTextCursor(block)
            table = cursor.currentTable()
            row = table.cellAt(cursor).row() if table else -1
            together = f"table {table.firstPosition()}" if table else self._together(base, base in marks)
            if base >= start and base in marks:
                text = f"{'-' if marks[base] == '•' else marks[base]} {text}"
            if table and (together, row) == (before, row_before):
                joined += f"\t{text}"
            elif text or together not in ("", "item"):
                joined += ("\n" if together == before != "" else "\n\n" if joined else "") + text
                before, row_before = together, row
            block = block.next()
        joined = joined.replace("\u2028", "\n")
        return joined.replace(PAD, "") if self.notes.codes else joined

    def _together(self, base: int, item: bool) -> str:
        """What the block at `base` is a line of, if anything: such lines are copied without a blank one between."""
        if self.chunk.kind is not Kind.PROSE:
            return "lines"
        box = self.box_at(base)
        return f"box {box}" if box >= 0 else "item" if item else ""


def x_of(line: QTextLine, position: int) -> float:
    """The x of a position in a line. Qt also returns the position, which PySide's annotations do not know."""
    x, _position = cast(tuple[float, int], line.cursorToX(position))
    return x
