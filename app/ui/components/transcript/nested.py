"""Code within lists and quotes: its lines in the document, and the ones that only have to be written at its end."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QTextBlockFormat, QTextCursor

from app.ui.components.transcript.chunks import language_of
from app.ui.components.transcript.looks import BOX_PAD, Looks
from app.ui.components.transcript.notes import Box, Notes
from app.ui.components.transcript.parsing import References, parse

TURNING = dict.fromkeys((*range(0x202A, 0x202F), *range(0x2066, 0x206A)), "\ufffd")
"""For str.translate of code: signs that would show it in another order than it is run in become visible ones."""
SIDE = 12  # free pixels beside the lines


def line_format(looks: Looks, left: int, *, above: int = 0, last: bool = False) -> QTextBlockFormat:
    """A line of code in a box whose edge is at `left`."""
    form = looks.block(looks.code_line, left=left + SIDE, right=SIDE, top=above)
    form.setLayoutDirection(Qt.LayoutDirection.LeftToRight)
    if last:
        form.setBottomMargin(BOX_PAD)
    return form


def write_line(cursor: QTextCursor, looks: Looks, line: str) -> None:
    """The text of a line, at the cursor."""
    cursor.insertText(line.translate(TURNING), looks.text(code=True, px=looks.code.pixelSize() + 1))


def added(source: str, references: References, boxes: list[Box]) -> str | None:
    """What the last of these boxes gained, if `source` ends in it and nothing else is new; else None."""
    tokens = parse(source, references)
    while tokens and tokens[-1].nesting < 0:
        tokens.pop()
    if not tokens or tokens[-1].type != "fence" or sum(t.type in ("fence", "code_block") for t in tokens) != len(boxes):
        return None
    code, box = tokens[-1].content.removesuffix("\n"), boxes[-1]
    same = language_of(tokens[-1].info) == box.language and code.startswith(box.code)
    return code[len(box.code) :] if same else None


def write_on(cursor: QTextCursor, looks: Looks, notes: Notes, more: str) -> None:
    """Writes more lines into the last box, with the cursor at its end, which is the document's."""
    box = notes.boxes[-1]
    first, *lines = more.split("\n")
    write_line(cursor, looks, first)
    if lines:
        above = cursor.blockFormat()
        above.setBottomMargin(0)
        cursor.setBlockFormat(above)
    for number, line in enumerate(lines, 1):
        cursor.insertBlock(line_format(looks, box.left, last=number == len(lines)))
        write_line(cursor, looks, line)
    end = cursor.position()
    notes.boxes[-1] = Box(box.start, end, box.left, box.language, box.code + more)
    notes.quotes = [(start, end if until == box.end else until, left) for start, until, left in notes.quotes]
