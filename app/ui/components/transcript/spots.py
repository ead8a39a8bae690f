"""What can be clicked in a row and where: actions, arrows, folds, the Copy of a code block. Only places, no deeds."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import QRect
from PySide6.QtGui import QFontMetrics

from app.ui.components.transcript.chunks import Kind, code_of
from app.ui.components.transcript.column import Column
from app.ui.components.transcript.looks import ACTIONS, BOX_HEAD, CODE_HEAD, FOLD, NOTE_GAP
from app.ui.components.transcript.rows import ANSWER, THINKING, Row
from app.ui.components.transcript.standing import GROW, OFFERS, flowed
from app.ui.components.transcript.words import NOTE_BUTTON, NOTE_PAD

EARLIER, LATER, COPY, EDIT, REGENERATE = "earlier", "later", "copy", "edit", "regenerate"
FOLDING, COPY_CODE, AGAIN = "fold", "copy_code", "again"

ICONS = {
    EARLIER: "caret-left",
    LATER: "caret-right",
    COPY: "copy",
    EDIT: "pencil",
    REGENERATE: "arrows-clockwise",
}
NAMES = {
    EARLIER: "Earlier version",
    LATER: "Later version",
    COPY: "Copy message",
    EDIT: "Edit and send again",
    REGENERATE: "Write the reply again",
    FOLDING: "Show or hide the thinking",
    COPY_CODE: "Copy code",
    **OFFERS,
}


SpotKey = tuple[str, int, int, int]


@dataclass(frozen=True, slots=True)
class Spot:
    """A place that acts. `rect` counts from the text's left edge and the row's top."""

    kind: str
    rect: QRect
    part: int = 0
    chunk: int = 0
    box: int = -1  # code within a list or a quote: which of the chunk

    @property
    def key(self) -> SpotKey:
        """Which it is of its row, wherever it lies."""
        return self.kind, self.part, self.chunk, self.box

    @property
    def name(self) -> str:
        """What it does, in words."""
        return NAMES[self.kind]


def sibling_label(row: Row) -> str:
    """`2/3`, or nothing."""
    return f"{row.entry.sibling + 1}/{row.entry.siblings}" if row.entry.siblings > 1 else ""


def action_spots(row: Row, column: Column) -> list[Spot]:
    """The 28 px icons of a row's last line, in the order of Tab."""
    top = row.actions_top(column.looks) + (ACTIONS - 28) // 2
    made: list[Spot] = []
    x = -8
    label = sibling_label(row)
    if label:
        wide = max(29, QFontMetrics(column.looks.caption).horizontalAdvance(label) + 10)
        if row.entry.sibling > 0:
            made.append(Spot(EARLIER, QRect(x, top, 28, 28)))
        if row.entry.sibling + 1 < row.entry.siblings:
            made.append(Spot(LATER, QRect(x + 28 + wide, top, 28, 28)))
        x += 28 + wide + 28 + 12
    if row.question:
        made.append(Spot(COPY, QRect(column.width - 48, top, 28, 28)))
        made.append(Spot(EDIT, QRect(column.width - 20, top, 28, 28)))
    else:
        if row.parts[ANSWER].text:
            made.append(Spot(COPY, QRect(x, top, 28, 28)))
            x += 32
        if not row.state.live:
            made.append(Spot(REGENERATE, QRect(x, top, 28, 28)))
    return made


def spots(row: Row, column: Column) -> list[Spot]:
    """Everything that acts in a row, from top to bottom."""
    made: list[Spot] = []
    if row.parts[THINKING].text:
        made.append(Spot(FOLDING, QRect(-4, row.part_top(THINKING) - FOLD, 220, FOLD - 6)))
    for part in row.shown_parts():
        whole = row.parts[part]
        for index, chunk in enumerate(whole.chunks):
            y = row.part_top(part) + whole.tops[index]
            if chunk.kind is Kind.CODE and chunk.head:
                made.append(Spot(COPY_CODE, QRect(column.width - 64, y + 4, 72, CODE_HEAD - 8), part, index))
            elif chunk.kind is Kind.PROSE and (piece := column.pieces.peek(row, part, index)):
                for box, rect in enumerate(piece.boxes):
                    place = QRect(round(rect.right()) - 76, y + round(rect.top()) + 3, 72, BOX_HEAD - 6)
                    made.append(Spot(COPY_CODE, place, part, index, box))
    y = row.notes_top(column.looks)
    for note in row.notes:
        y += NOTE_GAP
        if note.ways_on:
            top = y + note.height - NOTE_PAD - flowed(note.ways_on, column.looks, column.width)[-1][1].bottom() - 1
            ways_on = [way for way in note.ways_on if way != GROW or column.standings.can_grow]
            made += [Spot(way, rect.translated(0, top)) for way, rect in flowed(ways_on, column.looks, column.width)]
        elif note.trouble:
            made.append(Spot(AGAIN, QRect(column.width - NOTE_BUTTON, y + (note.height - 32) // 2, NOTE_BUTTON, 32)))
        y += note.height
    return [*made, *action_spots(row, column)]


def code_of_spot(row: Row, spot: Spot, column: Column) -> str:
    """The whole code block that a Copy belongs to."""
    if spot.box >= 0:
        return f"{column.piece(row, spot.part, spot.chunk).notes.boxes[spot.box].code}\n"
    whole = row.parts[spot.part]
    first, last = whole.code_block(spot.chunk)
    return "".join(
        code_of(whole.chunks[i], whole.text[whole.chunks[i].start : whole.chunks[i].end])
        for i in range(first, last + 1)
    )


def last_chunk(row: Row) -> int:
    """The number of the last chunk of the answer, or -1."""
    return len(row.parts[ANSWER].chunks) - 1
