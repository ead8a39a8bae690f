"""Work for when nothing else happens: documents near the view, then colours of code, in slices of 3 ms, one a frame.

A language that is met for the first time is loaded on another thread; its code stays plain until then.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import ceil
from time import perf_counter

from PySide6.QtCore import QObject, QTimer

from app.ui.components.transcript.column import Column
from app.ui.components.transcript.highlighting import Span, colour, load, loaded, spans
from app.ui.components.transcript.piece import Piece

SLICE_S = 0.003
PAUSE_MS = 14  # between slices: a frame that is due meanwhile has most of its time for itself
LOOK_MS = 40
LEXERS = "inglenook-lexers"

Start = Callable[[str, Callable[[], None]], None]


class Idle(QObject):
    """Runs slices between events. `prefetch` makes one document and says whether it did; `repaint` shows colours."""

    def __init__(
        self, column: Column, prefetch: Callable[[], bool], repaint: Callable[[Piece], None], parent: QObject
    ) -> None:
        super().__init__(parent)
        self._column = column
        self._prefetch = prefetch
        self._repaint = repaint
        self._piece: Piece | None = None
        self._done: Piece | None = None  # has its colours, but they are not painted yet
        self._lexing: Iterator[Span] = iter(())
        self._found: list[Span] = []
        self._asked: set[str] = set()
        self.start_thread: Start | None = None
        self._not_before = 0.0
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self._slice)

    def wake(self, delay_ms: float = 0) -> None:
        """There may be something to do."""
        due = ceil(max(delay_ms, (self._not_before - perf_counter()) * 1000))
        if not self._timer.isActive() or self._timer.remainingTime() > due:
            self._timer.start(due)

    def put_off(self, delay_ms: float) -> None:
        """What there is to do would be in the way now, or soon be for nothing: it waits at least so long."""
        self._not_before = max(self._not_before, perf_counter() + delay_ms / 1000)
        self._timer.start(max(ceil((self._not_before - perf_counter()) * 1000), 0))

    def rest(self) -> None:
        """Nothing is to be done any more."""
        self._timer.stop()
        self._piece = self._done = None

    @property
    def busy(self) -> bool:
        """Whether something is still to be done."""
        return self._timer.isActive()

    def _slice(self) -> None:
        end = perf_counter() + SLICE_S
        more = self._colour(end)
        while not more and perf_counter() < end:
            if not self._prefetch():
                break
            more = True
        if more:
            self.put_off(PAUSE_MS)
        elif self._column.pieces.uncoloured():
            self._timer.start(LOOK_MS)  # a lexer is being loaded

    def _ready(self, piece: Piece) -> bool:
        """Whether the lexer of a piece of code is loaded; if it was never asked for, it is now."""
        language = piece.chunk.language
        if not loaded(language) and language not in self._asked:
            self._asked.add(language)
            code = piece.code_text()
            if self.start_thread is None:
                load(language, code)
            else:
                self.start_thread(LEXERS, lambda: load(language, code))
        return loaded(language)

    def _colour(self, end: float) -> bool:
        """Goes on finding colours; whether there are more to find. Finding, laying over and painting go one by one."""
        if self._done is not None:
            self._repaint(self._done)
            self._done = None
            return True
        if self._piece is None:
            piece = next((one for one in self._column.pieces.uncoloured() if self._ready(one)), None)
            if piece is None:
                return False
            self._piece = piece
            self._found = []
            self._lexing = spans(piece.code_text(), piece.chunk.language)
        piece = self._piece
        source = piece.source
        for count, span in enumerate(self._lexing):
            self._found.append(span)
            if count % 16 == 15 and perf_counter() > end:
                return True
        if perf_counter() > end - SLICE_S / 2:  # laying the colours over the text has a slice of its own
            return True
        self._piece = None
        if piece.source == source and not piece.coloured:
            piece.coloured = True
            if self._found:
                colour(piece.document, self._found, piece.looks)
                self._done = piece
        return True
