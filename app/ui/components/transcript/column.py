"""The whole conversation as one tall column of which only what is near the view is laid out. Pixels count from its top.

It reads messages when their rows come near, keeps the last documents, and the reader's place while guessed heights
become true ones. It neither paints nor scrolls: the view asks and obeys.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import inf
from time import perf_counter

from app.chat.messages import PathEntry
from app.ui.components.transcript.heights import Heights
from app.ui.components.transcript.looks import END_GAP, Looks
from app.ui.components.transcript.piece import Piece
from app.ui.components.transcript.pieces import KEPT_PIECES, Pieces
from app.ui.components.transcript.places import Anchor, ConversationsLike, Place
from app.ui.components.transcript.rows import ANSWER, Row, guess_heights
from app.ui.components.transcript.standing import Standings

KEPT_ROWS = 240
NEAR_ROWS = 60


class Column:
    """Rows, heights and documents of one conversation."""

    def __init__(self, conversations: ConversationsLike, looks: Looks) -> None:
        self._conversations = conversations
        self.looks = looks
        self.width = 688
        self.entries: list[PathEntry] = []
        self.heights = Heights()
        self.rows: dict[int, Row] = {}
        self.numbers: dict[str, int] = {}
        self.end_gap = END_GAP
        self.standings = Standings()
        self.complete = True  # whether the last settling laid out everything on the screen
        self._begun_at = 0  # how many documents there were before this settling
        self._seen = 0  # the first row on the screen when it was last settled
        self.pieces = Pieces()
        self._shifts: dict[tuple[str, int, int], int] = {}

    # -- what there is ----------------------------------------------------------------------------------------------

    def show(self, entries: list[PathEntry]) -> None:
        """Another path. Rows whose message stays where it was keep their heights."""
        kept, known, heights = {row.id: row for row in self.rows.values()}, self.numbers, self.heights
        found = guess_heights(entries, self.looks, self.width)
        self.numbers = {entry.id: i for i, entry in enumerate(entries)}
        self.rows = {}
        for i, entry in enumerate(entries) if known else ():
            row = kept.get(entry.id)
            if row is not None:
                row.entry, row.first = entry, i == 0
                self.rows[i] = row
                found[i] = row.height(self.looks)
            elif entry.id in known:
                found[i] = heights[known[entry.id]]
        self.entries = entries
        self.heights = Heights(found)

    def clear(self) -> None:
        """Nothing is shown any more."""
        self.entries, self.rows, self.numbers, self.heights = [], {}, {}, Heights()
        self.standings = Standings()
        self.pieces.clear()
        self._shifts.clear()

    def row(self, number: int) -> Row:
        """The row, read from the store if it was not near the view before."""
        row = self.rows.get(number)
        if row is None:
            entry = self.entries[number]
            message = self._conversations.message(entry.id)
            if len(self.rows) >= KEPT_ROWS:
                self._forget_far(number)
            row = self.rows[number] = Row(entry, message, self.looks, self.width, first=number == 0)
            self.measure(number)
        return row

    def _forget_far(self, number: int) -> None:
        """Texts of rows that are far away and as they would be read again. Their heights stay."""
        self.rows = {
            other: row
            for other, row in self.rows.items()
            if min(abs(other - number), abs(other - self._seen)) <= NEAR_ROWS or row.unfolded or row.state.live
        }

    def reread(self, number: int) -> Row:
        """The row as the store has it now."""
        row = self.rows.get(number)
        if row is None:
            return self.row(number)
        row.take(self._conversations.message(row.id), self.looks, self.width)
        self.measure(number)
        return row

    def measure(self, number: int) -> int:
        """Takes over the height of a row that changed; returns by how much it grew."""
        return self.heights.set(number, self.rows[number].height(self.looks))

    @property
    def total(self) -> int:
        """The height of everything."""
        return self.heights.total + self.end_gap if self.entries else 0

    # -- documents --------------------------------------------------------------------------------------------------

    def piece(self, row: Row, part: int, index: int) -> Piece:
        """The laid out document of a chunk."""
        return self.pieces.get(row, part, index, self.looks, self.width)

    def code_around(self, row_id: str, part: int, piece: Piece) -> tuple[str, int]:
        """The code block around a piece of code, as Part.code_around has it."""
        row = self.rows.get(self.numbers.get(row_id, -1))
        if row is None:
            return piece.code_text(), 0
        return row.parts[part].code_around(piece.chunk.start, growing=row.state.live)

    @property
    def laid_out(self) -> int:
        """Documents made since the start."""
        return self.pieces.made

    def ready(self, row: Row, part: int, index: int) -> bool:
        """Whether a chunk can be painted without making its document first."""
        return row.parts[part].known[index] and self.pieces.has(row, part, index)

    def restyle(self, looks: Looks, width: int) -> None:
        """Another look or width: heights become guesses, documents are made again."""
        if looks is not self.looks:
            self.pieces.clear()
        self.looks, self.width = looks, width
        for row in self.rows.values():
            for part in row.parts:
                part.forget()
            row.measure_notes(looks, width)

    # -- where things are -------------------------------------------------------------------------------------------

    def y_of(self, place: Place) -> int:
        """The top of a chunk, or of a row."""
        if place.chunk < 0:
            return self.heights.top(place.row)
        row = self.row(place.row)
        top = self.heights.top(place.row)
        part = row.parts[place.part]
        if place.chunk >= len(part.chunks):
            return top + row.part_top(place.part) + part.height
        return top + row.part_top(place.part) + part.tops[place.chunk]

    def rows_between(self, top: int, bottom: int, *, read: bool = True) -> Iterator[tuple[int, Row, int]]:
        """The rows that touch [top, bottom): number, row, top of the row. Without `read` only those that are there."""
        number = self.heights.find(max(0, top))
        if number < 0:
            return
        y = self.heights.top(number)
        while number < len(self.entries) and y < bottom:
            row = self.row(number) if read else self.rows.get(number)
            if row is not None:
                yield number, row, y
            y += self.heights[number]
            number += 1

    def chunks_between(self, row: Row, top: int, bottom: int) -> Iterator[tuple[int, int, int]]:
        """The chunks of a row that touch [top, bottom) of the row: part, number, top in the row."""
        for part in row.shown_parts():
            whole, base = row.parts[part], row.part_top(part)
            tops, heights = whole.tops, whole.heights
            low, high = 0, len(whole.chunks)
            while low < high:  # the first chunk whose bottom lies below `top`
                middle = (low + high) // 2
                if base + tops[middle] + heights[middle] <= top:
                    low = middle + 1
                else:
                    high = middle
            for index in range(low, len(whole.chunks)):
                y = base + tops[index]
                if y >= bottom:
                    break
                yield part, index, y

    # -- laying out near the view -----------------------------------------------------------------------------------

    def anchor(self, top: int, bottom: int) -> Anchor | None:
        """The first chunk on the screen whose height is true; the top of the first row when there is none."""
        number = self.heights.find(max(0, top))
        if number < 0:
            return None
        first = number
        y = self.heights.top(number)
        while number < len(self.entries) and y < bottom:
            row = self.rows.get(number)
            if row is not None:
                for part, index, inside in self.chunks_between(row, top - y, bottom - y):
                    if row.parts[part].known[index]:
                        return Anchor(Place(number, part, index), y + inside - top)
            y += self.heights[number]
            number += 1
        return Anchor(Place(first, ANSWER, -1), self.heights.top(first) - top)

    def settle(self, top: int, height: int, anchor: Anchor | None, *, to_end: bool, until: float = inf) -> int:
        """Makes everything on the screen true; returns the top of the view that keeps the anchor where it was.

        What would not be done at `until` (perf_counter) is not begun, but for one document: then it is not `complete`.
        """
        self.complete = True
        self._begun_at = self.laid_out
        while True:
            if to_end:
                top = max(0, self.total - height)
            elif anchor is not None:
                top = self.y_of(anchor.place) - anchor.below_top
            top = max(0, min(top, self.total - height))
            if not self._lay_out_first_unknown(top, top + height, until):
                return top

    def _lay_out_first_unknown(self, top: int, bottom: int, until: float) -> bool:
        """Lays out all unknown chunks of the first row on the screen that has some; whether a height changed."""
        number = self._seen = self.heights.find(max(0, top))
        if number < 0:
            return False
        y = self.heights.top(number)
        while number < len(self.entries) and y < bottom:
            fresh = number not in self.rows
            if fresh and perf_counter() > until:
                self.complete = False
                return False
            before = self.heights[number]
            row = self.row(number)
            changed = fresh and self.heights[number] != before
            for part, index, _inside in list(self.chunks_between(row, top - y, bottom - y)):
                if not self.ready(row, part, index):
                    if self._late(row, part, index, until):
                        self.complete = False
                        break
                    changed = self._make(row, part, index) or changed
            if changed:
                self.measure(number)
                return True
            y += self.heights[number]
            number += 1
        return False

    def _late(self, row: Row, part: int, index: int, until: float) -> bool:
        """Whether a document is to wait: there is always time for the first one, if there is any."""
        expected = self.pieces.expected_s(row, part, index) if self.laid_out > self._begun_at else 0.0
        return perf_counter() + expected > until

    def _make(self, row: Row, part: int, index: int) -> bool:
        """Makes a document; whether the height of its chunk was another one."""
        whole = row.parts[part]
        old = whole.heights[index]
        whole.set_height(index, self.piece(row, part, index).height)
        return whole.heights[index] != old

    def prefetch(self, top: int, bottom: int) -> bool:
        """Makes one more document between `top` and `bottom`; False when all exist. Heights may change."""
        # once the cache is full, a wider reach would push out what is on the screen
        kept = len(self.pieces)
        wanted = KEPT_PIECES // 2 if kept >= KEPT_PIECES - 8 else KEPT_PIECES - 8
        seen = 0
        for number, row, y in self.rows_between(top, bottom):
            for part, index, _inside in self.chunks_between(row, top - y, bottom - y):
                seen += 1
                if seen > wanted:
                    return False
                if not self.ready(row, part, index):
                    self._make(row, part, index)
                    self.measure(number)
                    return True
        return False

    # -- code that is wider than the column -------------------------------------------------------------------------

    def shift_key(self, row: Row, part: int, index: int) -> tuple[str, int, int]:
        """What all chunks of one code block have in common."""
        first, _last = row.parts[part].code_block(index)
        return row.id, part, row.parts[part].chunks[first].start

    def shift(self, row: Row, part: int, index: int) -> int:
        """How far a code block is scrolled to the right."""
        return self._shifts.get(self.shift_key(row, part, index), 0) if self._shifts else 0

    def set_shift(self, row: Row, part: int, index: int, shift: int) -> bool:
        """Scrolls a code block; whether it moved."""
        widest = self.code_width(row, part, index)
        shift = max(0, min(shift, widest - self.width))
        key = self.shift_key(row, part, index)
        if self._shifts.get(key, 0) == shift:
            return False
        self._shifts[key] = shift
        return True

    def code_width(self, row: Row, part: int, index: int) -> int:
        """The widest line of a code block, as far as it is laid out."""
        first, last = row.parts[part].code_block(index)
        return max(
            self.piece(row, part, i).content_width
            for i in range(first, last + 1)
            if i == index or self.pieces.has(row, part, i)
        )
