"""Work for when nothing else happens: documents near the view, then colours of code, in slices of 4 ms."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from time import perf_counter

from PySide6.QtCore import QObject, QTimer

from app.ui.components.transcript.column import Column
from app.ui.components.transcript.highlighting import Span, colour, spans
from app.ui.components.transcript.piece import Piece

SLICE_S = 0.004


class Idle(QObject):
    """Runs slices between events. `prefetch` makes one document and says whether it did; `repaint` shows colours."""

    def __init__(
        self, column: Column, prefetch: Callable[[], bool], repaint: Callable[[], None], parent: QObject
    ) -> None:
        super().__init__(parent)
        self._column = column
        self._prefetch = prefetch
        self._repaint = repaint
        self._piece: Piece | None = None
        self._lexing: Iterator[Span] = iter(())
        self._found: list[Span] = []
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self._slice)

    def wake(self, delay_ms: int = 0) -> None:
        """There may be something to do."""
        if not self._timer.isActive():
            self._timer.start(delay_ms)

    def rest(self) -> None:
        """Nothing is to be done any more."""
        self._timer.stop()
        self._piece = None

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
            self._timer.start(1)

    def _colour(self, end: float) -> bool:
        """Goes on finding colours; whether there are more to find."""
        if self._piece is None:
            waiting = self._column.uncoloured()
            if not waiting:
                return False
            self._piece = waiting[0]
            self._found = []
            self._lexing = spans(self._piece.code_text(), self._piece.chunk.language)
        piece = self._piece
        source = piece.source
        for count, span in enumerate(self._lexing):
            self._found.append(span)
            if count % 16 == 15 and perf_counter() > end:
                return True
        self._piece = None
        if piece.source == source and not piece.coloured:
            piece.coloured = True
            if self._found:
                colour(piece.document, self._found, piece.looks)
                self._repaint()
        return True
