"""The laid out documents: made when they are asked for, the last ones kept. Knows about how long making one takes."""

from __future__ import annotations

from collections import OrderedDict
from time import perf_counter

from app.ui.components.transcript.chunks import Chunk, Kind
from app.ui.components.transcript.looks import Looks
from app.ui.components.transcript.piece import Piece
from app.ui.components.transcript.rows import THINKING, Row

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
        self._kept: OrderedDict[Key, Piece] = OrderedDict()
        self._pace = FIRST_PACE_S

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, row: Row, part: int, index: int, looks: Looks, width: int) -> Piece:
        """The laid out document of a chunk."""
        whole = row.parts[part]
        chunk = whole.chunks[index]
        key = (row.id, part, chunk.start)
        piece = self._kept.get(key)
        closes = whole.closes(index)
        if piece is not None and piece.closes == closes and piece.looks is looks:
            if piece.chunk == chunk and piece.references_used == whole.references:
                self._kept.move_to_end(key)
                if piece.width != width:
                    piece.lay_out(width)
                return piece
            if piece.extend_code(chunk, whole.text[chunk.start : chunk.end]):
                self._kept.move_to_end(key)
                return piece
        begun = perf_counter()
        source = whole.text[chunk.start : chunk.end]
        ink = "ink2" if part == THINKING else "ink"
        piece = Piece(chunk, source, looks, ink=ink, references=whole.references, closes=closes)
        piece.lay_out(width)
        self._learn((perf_counter() - begun) / weight(chunk, whole.text))
        self.made += 1
        self._kept[key] = piece
        self._kept.move_to_end(key)
        while len(self._kept) > KEPT_PIECES:
            self._kept.popitem(last=False)
        return piece

    def _learn(self, pace: float) -> None:
        self._pace += LEARNING * (min(pace, 3 * self._pace) - self._pace)  # one interruption says little

    def expected_s(self, row: Row, part: int, index: int) -> float:
        """About how long it takes to make the document of a chunk on this machine."""
        whole = row.parts[part]
        return self._pace * weight(whole.chunks[index], whole.text)

    def has(self, row: Row, part: int, index: int) -> bool:
        """Whether the document of a chunk exists."""
        return (row.id, part, row.parts[part].chunks[index].start) in self._kept

    def uncoloured(self) -> list[Piece]:
        """Code whose colours are still to be found, the most recently used first."""
        return [piece for piece in reversed(self._kept.values()) if not piece.coloured]

    def clear(self) -> None:
        """All documents are outdated."""
        self._kept.clear()
