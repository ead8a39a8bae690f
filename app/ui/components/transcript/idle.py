"""Work for when nothing else happens: documents near the view, then colours of code, in slices of 3 ms, one a frame.

A language that is met for the first time is loaded on another thread; its code stays plain until then.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from math import ceil, inf
from time import perf_counter

from PySide6.QtCore import QObject, QTimer

from app.ui.components.transcript.chunks import Kind
from app.ui.components.transcript.column import Column
from app.ui.components.transcript.highlighting import Lexing, Span, load, loaded
from app.ui.components.transcript.piece import Code, Piece
from app.ui.components.transcript.pieces import Key

SLICE_S = 0.003
PAUSE_MS = 14  # between slices: a frame that is due meanwhile has most of its time for itself
LOOK_MS = 40
AGAIN_S = 0.3  # code that grows gets its colours so often
AGAIN_CHARS = 4000  # ... or more rarely, when it is longer
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
        self._lexing = Lexing("", "")
        self._jobs: list[tuple[str, int, Code]] = []  # each code in it, the text around that and where it begins there
        self._found: list[list[Span]] = []
        self._asked: set[str] = set()
        self.start_thread: Start | None = None
        self._not_before = 0.0
        self._ran = 0.0
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self._slice)

    def wake(self, delay_ms: float = 0) -> None:
        """There may be something to do."""
        due = ceil(max(delay_ms, (self._not_before - perf_counter()) * 1000))
        if not self._timer.isActive() or self._timer.remainingTime() > due:
            self._timer.start(due)

    def put_off(self, delay_ms: float, longest_ms: float = inf) -> None:
        """What there is to do would be in the way now, or soon be for nothing: it waits at least so long.

        But not longer than `longest_ms` since something was done.
        """
        now = perf_counter()
        self._not_before = max(self._not_before, now + delay_ms / 1000)
        self._not_before = min(self._not_before, max(now, self._ran + longest_ms / 1000))
        self._timer.start(max(ceil((self._not_before - now) * 1000), 0))

    def rest(self) -> None:
        """Nothing is to be done any more."""
        self._timer.stop()
        self._piece = self._done = None
        self._lexing = Lexing("", "")

    @property
    def busy(self) -> bool:
        """Whether something is still to be done."""
        return self._timer.isActive()

    def _slice(self) -> None:
        self._ran = perf_counter()
        end = self._ran + SLICE_S
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
        """Whether the lexers of a piece of code are loaded; those that were never asked for, are now."""
        codes = piece.codes()
        for code in codes:
            if not loaded(code.language) and code.language not in self._asked:
                self._asked.add(code.language)
                if self.start_thread is None:
                    load(code.language, code.text)
                else:
                    self.start_thread(LEXERS, partial(load, code.language, code.text))
        return all(loaded(code.language) for code in codes)

    def _next(self) -> tuple[Key, Piece] | None:
        """Code without colours; then code that has grown since it had some."""
        now, grown = perf_counter(), None
        for key, piece in self._column.pieces.uncoloured():
            due = now - piece.coloured_at > AGAIN_S * (1 + len(piece.source) / AGAIN_CHARS)
            if (piece.coloured_at and (grown or not due)) or not self._ready(piece):
                continue
            if not piece.coloured_at:
                return key, piece
            grown = key, piece
        return grown

    def _begin(self, key: Key, piece: Piece) -> None:
        self._piece, self._jobs = piece, []
        if piece.chunk.kind is Kind.CODE:
            around, start = self._column.code_around(key[0], key[1], piece)
            self._jobs.append((around, start, piece.codes()[0]))
        else:
            self._jobs += [(f"{code.text}\n", 0, code) for code in piece.codes()]
        self._found = []

    def _colour(self, end: float) -> bool:
        """Goes on finding colours; whether there are more to find. Finding, laying over and painting go one by one."""
        if self._done is not None:
            self._repaint(self._done)
            self._done = None
            return True
        if self._piece is None:
            found = self._next()
            if found is None:
                return False
            self._begin(*found)
        for around, start, code in self._jobs[len(self._found) :]:
            if (self._lexing.code, self._lexing.language) != (around, code.language):
                self._lexing = Lexing(around, code.language)
            if not self._lexing.goes_to(start + len(code.text), end):
                return True
            self._found.append(self._lexing.within(start, start + len(code.text)))
        if perf_counter() > end - SLICE_S / 2:  # laying the colours over the text has a slice of its own
            return True
        piece, self._piece = self._piece, None
        if piece is not None:
            jobs = zip(self._jobs, self._found, strict=True)
            whole = [piece.colour(index, job[2].text, found) for index, (job, found) in enumerate(jobs)]
            piece.coloured, piece.coloured_at = all(whole), perf_counter()
            self._done = piece if any(self._found) else None
        return True
