"""The laid out documents: made when they are asked for, the last ones kept. Knows about how long making one takes."""

from __future__ import annotations

from time import perf_counter

from app.ui.components.transcript.chunks import Chunk, Kind
from app.ui.components.transcript.looks import Looks
from app.ui.components.transcript.piece import Piece
from app.ui.components.transcript.rows import THINKING, Part, Row

KEPT_PIECES = 120
CELL = 45  # a cell of a table takes as long as so many letters
ALWAYS = 200  # ... and an empty document as so many
FIRST_PACE_S = 1.5e-6  # for one letter, until it is measured
LEARNING = 0.15

Key = tuple[str, int, int]


def weight(chunk: Chunk, text: str) -> float:
    """How long a chunk takes compared with others, in letters of prose."""
    length = chunk.end - chunk.start
    if chunk.kind is not Kind.PROSE:
        return ALWAYS + length / 2
    return ALWAYS + length + CELL * text.count("|", chunk.start, chunk.end)


class Pieces:
    """Documents by row, part and first character of their chunk."""

    def __init__(self) -> None:
        self.made = 0  # since the start
        self._kept: dict[Key, Piece] = {}  # the most recently used last
        self._ahead: dict[Key, Piece] = {}  # of growth that is about to be shown
        self._pace = FIRST_PACE_S

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, row: Row, part: int, index: int, looks: Looks, width: int) -> Piece:
        """The laid out document of a chunk."""
        whole = row.parts[part]
        chunk = whole.chunks[index]
        key = (row.id, part, chunk.start)
        piece = self._kept.get(key)
        if piece is not None and self._extended(piece, whole, index, looks) is not None:
            self._kept[key] = self._kept.pop(key)
            piece.lay_out(width)
            return piece
        piece = self._ahead.pop(key, None)
        if piece is None or piece.chunk != chunk or not self._suits(piece, whole, index, looks):
            piece = self._make(row, whole, part, index, looks, width)
        piece.lay_out(width)
        self._kept.pop(key, None)
        self._kept[key] = piece
        if len(self._kept) > KEPT_PIECES:
            del self._kept[next(iter(self._kept))]
        return piece

    def _suits(self, piece: Piece, whole: Part, index: int, looks: Looks) -> bool:
        """Whether a document still fits to what stands around it."""
        around = (whole.closes(index), whole.references)
        return piece.looks is looks and (piece.closes, piece.references_used) == around

    def _extended(self, piece: Piece, whole: Part, index: int, looks: Looks) -> int | None:
        """Writes growth of its chunk into a document: down to which pixel nothing changed. None if that does not do."""
        chunk = whole.chunks[index]
        if not self._suits(piece, whole, index, looks):
            return None
        return piece.height if piece.chunk == chunk else piece.extend(chunk, whole.text[chunk.start : chunk.end])

    def _make(self, row: Row, whole: Part, part: int, index: int, looks: Looks, width: int) -> Piece:
        begun = perf_counter()
        chunk = whole.chunks[index]
        source = whole.text[chunk.start : chunk.end]
        ink = "ink2" if part == THINKING else "ink"
        piece = Piece(chunk, source, looks, ink=ink, references=whole.references, closes=whole.closes(index))
        piece.lay_out(width)
        before = self._kept.get((row.id, part, chunk.start))
        if before is not None and before.looks is looks:
            piece.inherit(before)
        self._learn((perf_counter() - begun) / weight(chunk, whole.text))
        self.made += 1
        return piece

    def extend(self, row: Row, part: int, index: int, looks: Looks, width: int) -> int:
        """Writes growth into the document of a chunk; the pixel of it down to which nothing changes, 0 without one."""
        whole = row.parts[part]
        if index >= len(whole.chunks):
            return 0
        piece = self._kept.get((row.id, part, whole.chunks[index].start))
        return (self._extended(piece, whole, index, looks) or 0) if piece is not None and piece.width == width else 0

    def prepare(self, row: Row, part: int, ahead: Part, first: int, looks: Looks, width: int) -> bool:
        """Makes a document that will be asked for when `ahead` is shown, if one has to be made; whether it did."""
        self._ahead.clear()
        for index in range(max(first, len(ahead.chunks) - 2), len(ahead.chunks)):
            chunk = ahead.chunks[index]
            key = (row.id, part, chunk.start)
            piece = self._kept.get(key)
            source = ahead.text[chunk.start : chunk.end]
            if piece is None or not self._suits(piece, ahead, index, looks) or not piece.extends(chunk, source):
                self._ahead[key] = self._make(row, ahead, part, index, looks, width)
        return bool(self._ahead)

    def _learn(self, pace: float) -> None:
        self._pace += LEARNING * (min(pace, 3 * self._pace) - self._pace)  # one interruption says little

    def expected_s(self, row: Row, part: int, index: int) -> float:
        """About how long it takes to make the document of a chunk on this machine."""
        whole = row.parts[part]
        return self._pace * weight(whole.chunks[index], whole.text)

    def has(self, row: Row, part: int, index: int) -> bool:
        """Whether the document of a chunk exists."""
        return (row.id, part, row.parts[part].chunks[index].start) in self._kept

    def peek(self, row: Row, part: int, index: int) -> Piece | None:
        """The document of a chunk, if it exists."""
        return self._kept.get((row.id, part, row.parts[part].chunks[index].start))

    def uncoloured(self) -> list[tuple[Key, Piece]]:
        """Pieces with code whose colours are still to be found, the most recently used first."""
        return [(key, piece) for key, piece in reversed(self._kept.items()) if not piece.coloured]

    def recolour(self, row: Row) -> None:
        """A reply is complete: long code in it was coloured without knowing all of it."""
        for (row_id, _part, _start), piece in self._kept.items():
            if row_id == row.id and piece.chunk.kind is Kind.CODE and not (piece.chunk.head and piece.chunk.tail):
                piece.coloured, piece.coloured_at = False, 0.0

    def clear(self) -> None:
        """All documents are outdated."""
        self._kept.clear()
        self._ahead.clear()
