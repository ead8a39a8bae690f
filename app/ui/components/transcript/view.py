"""The scrolled and painted view: keeps the reader's place, settles what is on the screen, paints it. Holds no wishes.

The scroll bar follows the column: guessed heights that become true never move what a person reads.
"""

from __future__ import annotations

from math import inf

from PySide6.QtCore import QPoint, QRect, QSize, Qt, QTimer
from PySide6.QtGui import QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import QAbstractScrollArea, QFrame, QWidget

from app.ui.components.transcript.canvas import Canvas
from app.ui.components.transcript.column import Column
from app.ui.components.transcript.finding import Finding
from app.ui.components.transcript.idle import Idle
from app.ui.components.transcript.looks import END_GAP, OVERHANG, Looks, ThemeLike
from app.ui.components.transcript.piece import Piece
from app.ui.components.transcript.places import Anchor, ConversationsLike, Place
from app.ui.components.transcript.rows import ANSWER, text_width
from app.ui.components.transcript.selection import Selection
from app.ui.components.transcript.standing import Standings
from app.ui.components.transcript.surroundings import State


class View(QAbstractScrollArea):
    """A column of messages that scrolls."""

    def __init__(self, conversations: ConversationsLike, theme: ThemeLike, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.viewport().setMouseTracking(True)
        self.viewport().setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.verticalScrollBar().setSingleStep(24)
        self.theme = theme
        self._wanted_column = 720
        self._text_size = 15
        self._line_height = 1.6
        self._top = 0
        self._following = True
        self._held: Anchor | None = None
        self._syncing = False
        self.on_jump = False
        self.looks = Looks(theme)
        self.column = Column(conversations, self.looks)
        self.selection = Selection()
        self.finding = Finding(self.column, conversations, self)
        self.state = State(self.selection, self._marks)
        self.canvas = Canvas(self)
        self.idle = Idle(self.column, self._prefetch, self.canvas.coloured, self)
        self._sync_later = QTimer(self)
        self._sync_later.setSingleShot(True)
        self._sync_later.setInterval(0)
        self._sync_later.timeout.connect(self.sync_bar)
        theme.changed.connect(self._restyle)

    # -- sizes -------------------------------------------------------------------------------------------------------

    def set_column(self, width: int) -> None:
        """The width of filled blocks; text is 32 px narrower."""
        self._wanted_column = width
        self._refit()

    def set_text_size(self, px: int) -> None:
        """The size of body text in pixels; everything else keeps its proportion."""
        if px != self._text_size:
            self._text_size = px
            self._restyle()

    def set_line_height(self, factor: float) -> None:
        """The distance of lines of body text, as a multiple of its size."""
        if factor != self._line_height:
            self._line_height = factor
            self._restyle()

    def set_end_gap(self, extra: int) -> None:
        """Free pixels behind the last message, for what floats above the composer."""
        self.hold()
        self.column.end_gap = END_GAP + extra
        self.changed()

    def show_standings(self, standings: Standings) -> None:
        """Marks how the messages stand with the model's window."""
        if standings != self.column.standings:
            self.column.standings = standings
            self.viewport().update()

    def _restyle(self) -> None:
        self.hold()
        self.looks = Looks(self.theme, self._text_size, self._line_height)
        self.column.restyle(self.looks, self.column.width)
        self._remeasure()

    def _refit(self) -> None:
        width = text_width(self.width(), self._wanted_column)
        if width != self.column.width:
            self.hold()
            self.column.restyle(self.looks, width)
            self._remeasure()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """The column keeps to the middle; only another width lays out again."""
        super().resizeEvent(event)
        self._refit()
        self.changed()

    def _remeasure(self) -> None:
        for number in self.column.rows:
            self.column.measure(number)
        self.changed()

    # -- scrolling --------------------------------------------------------------------------------------------------

    @property
    def top(self) -> int:
        """The first visible pixel of the column."""
        return self._top

    @property
    def left(self) -> int:
        """The text's left edge; independent of the scroll bar."""
        return (self.width() - self.column.width + 1) // 2  # rounded as layouts do, to stand above the composer's text

    @property
    def following(self) -> bool:
        """Whether the view stays at the end while a reply grows."""
        return self._following

    def hold(self) -> None:
        """Remembers the reader's place before heights change."""
        if self._held is None and not self._following:
            self._held = self.column.anchor(self._top, self._top + self.viewport().height())

    def hold_row(self, number: int) -> None:
        """Keeps the top of a row where it is, whatever happens inside it."""
        self._following = False
        self._held = Anchor(Place(number, ANSWER, -1), self.column.heights.top(number) - self._top)

    def scroll_by(self, pixels: int) -> None:
        """Moves the view down, or up."""
        self.scroll_pixels(self._top + pixels)

    def scroll_pixels(self, top: int) -> None:
        """Shows the column from this pixel on."""
        end = max(0, self.column.total - self.viewport().height())
        self._following = top >= end
        self._held = None
        before, self._top = self._top, max(0, min(top, end))
        self.canvas.scrolled(before)

    def scroll_to_end(self) -> None:
        """Shows the end and follows it."""
        self._following, self._held = True, None
        self.changed()

    def scroll_to(self, message_id: str) -> None:
        """Shows a message from its beginning."""
        number = self.column.numbers.get(message_id)
        if number is not None:
            self.show_place(Place(number, ANSWER, -1), 0)

    def show_place(self, place: Place, below_top: int) -> None:
        """Puts the top of a chunk that many pixels below the top of the view."""
        self._following = False
        self._held = Anchor(place, below_top)
        self.changed()
        self.settle()

    def settle(self, until: float = inf, anchor: Anchor | None = None) -> None:
        """Makes true what is on the screen, with the reader's place kept; not all of it when that takes too long."""
        height = self.viewport().height()
        anchor = self._held or anchor or self.column.anchor(self._top, self._top + height)
        before = self._top
        self._top = self.column.settle(self._top, height, anchor, to_end=self._following, until=until)
        self.canvas.settled(self._top - before)
        self._held = None
        self.sync()

    def changed(self) -> None:
        """Something moved or looks different: it is settled with the next painting."""
        self.viewport().update()
        self.sync()

    def sync(self) -> None:
        """The scroll bar learns of it, a little later."""
        if not self._sync_later.isActive():
            self._sync_later.start()

    def sync_bar(self) -> None:
        """The scroll bar follows the column, never the other way round in here."""
        self._sync_later.stop()
        bar, height = self.verticalScrollBar(), self.viewport().height()
        self._syncing = True
        bar.setPageStep(height)
        bar.setRange(0, max(0, self.column.total - height))
        bar.setValue(self._top if not self._following else bar.maximum())
        self._syncing = False
        self.canvas.offer()

    def scrollContentsBy(self, dx: int, dy: int) -> None:
        """The scroll bar was moved."""
        if self._syncing:
            return
        bar = self.verticalScrollBar()
        if self._held is not None:
            self._held = self._held._replace(below_top=self._held.below_top + dy)
        self._following = bar.value() >= bar.maximum()
        before, self._top = self._top, 0 if bar.value() <= 0 else self._top - dy
        if self._held is None:
            self.canvas.scrolled(before)
        else:
            self.viewport().update()

    def _prefetch(self) -> bool:
        height = self.viewport().height()
        self.hold()
        made = self.column.prefetch(self._top - height * 3 // 2, self._top + height * 5 // 2)
        held, before = self._held, self._top
        self.settle()
        moved = self._top - before if held is None else self._top + held.below_top - self.column.y_of(held.place)
        if moved:  # else what is on the screen stays where it is, whatever became true above it
            self.viewport().update()
        return made

    def row_rect(self, number: int) -> QRect:
        """The rectangle of a row on the screen of the computer."""
        if not 0 <= number < len(self.column.entries):
            return QRect()
        y = self.column.heights.top(number) - self._top
        corner = self.viewport().mapToGlobal(QPoint(self.left - OVERHANG, y))
        return QRect(corner, QSize(self.column.width + 2 * OVERHANG, self.column.heights[number]))

    def row_at_global(self, x: int, y: int) -> int:
        """The row at a place of the screen; -1 beside all rows."""
        inside = self._top + self.viewport().mapFromGlobal(QPoint(x, y)).y()
        return self.column.heights.find(inside) if 0 <= inside < self.column.heights.total else -1

    def screen_rect(self) -> QRect:
        """Where the viewport is on the screen of the computer."""
        return QRect(self.viewport().mapToGlobal(QPoint(0, 0)), self.viewport().size())

    # -- painting ---------------------------------------------------------------------------------------------------

    def _marks(self, number: int, part: int, index: int, piece: Piece) -> list[tuple[int, int, str]]:
        row = self.column.rows.get(number)
        if self.finding.pattern is None or row is None:
            return []
        return self.finding.marks(number, row, part, index, piece)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paints what the event asks for."""
        self.canvas.paint(event.region())

    def paint_over(self, painter: QPainter) -> None:
        """For what stands above the messages."""
