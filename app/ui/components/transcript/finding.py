"""Find in the conversation: over the stored text of all messages, a slice of time at a time. Paints nothing.

What is folded away is not searched.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from time import perf_counter
from typing import NamedTuple

from PySide6.QtCore import QObject, QTimer, Signal

from app.ui.components.transcript.column import Column
from app.ui.components.transcript.piece import Piece
from app.ui.components.transcript.places import ConversationsLike, Place
from app.ui.components.transcript.rows import ANSWER, Row

FIRST_SLICE_S = 0.06
SLICE_S = 0.006


_SIGNS = r"[*_`~\u202f]*"
_BOUNDARY = re.compile(r"\s+|(?<=\w)(?=[^\w\s])|(?<=[^\w\s])(?=\w)")


class Hit(NamedTuple):
    """A match in the stored text of a row."""

    row: int
    part: int
    start: int


def pattern_of(text: str) -> re.Pattern[str]:
    """Matches what a person sees, in the text as shown and in its Markdown: signs may stand between words."""
    parts: list[str] = []
    at = 0
    for found in _BOUNDARY.finditer(text):
        gap = rf"{_SIGNS}\s{_SIGNS}\s*" if found.group() else _SIGNS
        parts += (re.escape(text[at : found.start()]), gap)
        at = found.end()
    return re.compile("".join([*parts, re.escape(text[at:])]), re.IGNORECASE)


class Finding(QObject):
    """All hits of one text, in order. `changed`: the count so far and the current hit (1-based, 0 for none)."""

    changed = Signal(int, int)

    def __init__(self, column: Column, conversations: ConversationsLike, parent: QObject) -> None:
        super().__init__(parent)
        self._column = column
        self._conversations = conversations
        self.pattern: re.Pattern[str] | None = None
        self.text = ""
        self.hits: list[Hit] = []
        self.current = -1
        self._rows: Iterator[int] = iter(())
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self._go_on)

    @property
    def complete(self) -> bool:
        """Whether every message was searched."""
        return not self._timer.isActive()

    def start(self, text: str) -> int:
        """Searches; returns the hits found at once. In a very long conversation more follow with `changed`."""
        self.clear()
        self.text = text
        if text:
            self.pattern = pattern_of(text)
            self._rows = iter(range(len(self._column.entries)))
            self._search(FIRST_SLICE_S)
        return len(self.hits)

    def again(self) -> None:
        """What can be found is not the same as before; the current hit stays what it is, if it is still there."""
        if self.pattern is None:
            return
        current = self.hits[self.current] if self.current >= 0 else None
        self.start(self.text)
        self.current = self.hits.index(current) if current in self.hits else -1
        self.changed.emit(len(self.hits), self.current + 1)

    def clear(self) -> None:
        """Nothing is searched for."""
        self._timer.stop()
        self.pattern, self.hits, self.current = None, [], -1

    def _go_on(self) -> None:
        before = len(self.hits)
        self._search(SLICE_S)
        if len(self.hits) != before or self.complete:
            self.changed.emit(len(self.hits), self.current + 1)

    def _search(self, time_s: float) -> None:
        pattern, column = self.pattern, self._column
        if pattern is None:
            return
        end = perf_counter() + time_s
        for number in self._rows:
            row = column.rows.get(number)
            if row is not None:
                texts = [(part, row.parts[part].text) for part in row.shown_parts()]
            else:
                texts = [(ANSWER, self._conversations.body(column.entries[number].id)[0])]
            for part, text in texts:
                self.hits.extend(Hit(number, part, match.start()) for match in pattern.finditer(text))
            if perf_counter() > end:
                self._timer.start(0)
                return

    def step(self, forward: bool, from_row: int) -> Hit | None:
        """The next or previous hit, around the end; the first step begins at `from_row`."""
        if not self.hits:
            return None
        if self.current < 0:
            after = bisect_right(self.hits, Hit(from_row, -1, -1))
            self.current = after % len(self.hits) if forward else (after - 1) % len(self.hits)
        else:
            self.current = (self.current + (1 if forward else -1)) % len(self.hits)
        self.changed.emit(len(self.hits), self.current + 1)
        return self.hits[self.current]

    def place(self, hit: Hit) -> Place:
        """The chunk in which a hit lies."""
        chunks = self._column.row(hit.row).parts[hit.part].chunks
        index = bisect_right([chunk.start for chunk in chunks], hit.start) - 1
        return Place(hit.row, hit.part, max(0, index))

    def marks(self, number: int, row: Row, part: int, index: int, piece: Piece) -> list[tuple[int, int, str]]:
        """What to mark in a piece: start, end, role. The current hit stands out."""
        if self.pattern is None or piece.blank or piece.empty_code:
            return []
        text = piece.document.toPlainText()
        found = [(match.start(), match.end(), "ochre_tint") for match in self.pattern.finditer(text)]
        if found and 0 <= self.current < len(self.hits) and self.hits[self.current][:2] == (number, part):
            start = self.hits[self.current].start
            chunk = row.parts[part].chunks[index]
            if chunk.start <= start < chunk.end:
                source = row.parts[part].text[chunk.start : chunk.end]
                nth = sum(1 for match in self.pattern.finditer(source) if match.start() + chunk.start < start)
                nth = min(nth, len(found) - 1)
                found[nth] = (*found[nth][:2], "selection")
        return found
