"""What happens when a spot is used, and the menu of a place: wishes go out as signals, copies go to the clipboard."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QPoint, QRect, QTimer
from PySide6.QtGui import QGuiApplication, QKeySequence
from PySide6.QtWidgets import QMenu

from app.ui.components.transcript.chunks import Kind
from app.ui.components.transcript.column import Column
from app.ui.components.transcript.rows import Row
from app.ui.components.transcript.selection import Point
from app.ui.components.transcript.spots import (
    AGAIN,
    COPY,
    COPY_CODE,
    EARLIER,
    EDIT,
    FOLDING,
    LATER,
    REGENERATE,
    Spot,
    code_of_spot,
)
from app.ui.components.transcript.standing import OFFERS, add_verbs
from app.ui.components.transcript.words import adapter_lines, device_lines

if TYPE_CHECKING:
    from app.ui.components.transcript.transcript import Transcript

CHECK_MS = 1500


class Deeds(QObject):
    """Acts for the transcript."""

    def __init__(self, transcript: Transcript) -> None:
        super().__init__(transcript)
        self._transcript = transcript
        self._unchecking = QTimer(self)
        self._unchecking.setSingleShot(True)
        self._unchecking.setInterval(CHECK_MS)
        self._unchecking.timeout.connect(self._uncheck)

    def forget(self) -> None:
        """Rows have other numbers now."""
        state = self._transcript.state
        state.hovered_row = state.focused_row = -1
        state.hovered = state.focused = None
        state.copied = None

    def use(self, number: int, spot: Spot) -> None:
        """Does what a spot is for."""
        transcript = self._transcript
        row = transcript.column.row(number)
        if spot.kind == FOLDING:
            self.fold(number)
        elif spot.kind == COPY_CODE:
            QGuiApplication.clipboard().setText(code_of_spot(row, spot, transcript.column))
            self._check(row.id, spot)
        elif spot.kind == COPY:
            transcript.copy_requested.emit(row.id)
            self._check(row.id, spot)
        elif spot.kind == EDIT:
            transcript.edit_requested.emit(row.id)
        elif spot.kind in OFFERS and spot.kind != AGAIN:
            transcript.wished.emit(spot.kind, row.id)
        elif spot.kind in (REGENERATE, AGAIN):
            transcript.regenerate_requested.emit(row.id)
        elif spot.kind in (EARLIER, LATER):
            siblings = transcript.siblings(row.id)
            at = siblings.index(row.id) + (1 if spot.kind == LATER else -1)
            if 0 <= at < len(siblings):
                transcript.sibling_requested.emit(siblings[at])

    def fold(self, number: int) -> None:
        """Shows or hides the thinking of a reply; what is read stays where it is."""
        transcript = self._transcript
        row = transcript.column.row(number)
        transcript.selection.clear()
        transcript.hold_row(number)
        row.unfolded = not row.unfolded
        transcript.column.measure(number)
        transcript.finding.again()  # what is folded away is not found
        transcript.changed()

    def _check(self, message_id: str, spot: Spot) -> None:
        self._transcript.state.copied = (message_id, spot.key)
        self._unchecking.start()
        self._transcript.viewport().update()

    def _uncheck(self) -> None:
        self._transcript.state.copied = None
        self._transcript.viewport().update()

    def menu(self, where: QPoint) -> QMenu:
        """The menu of a place of the viewport. It deletes itself when it closes."""
        transcript = self._transcript
        menu = QMenu(transcript)
        menu.aboutToHide.connect(menu.deleteLater)
        copy = menu.addAction("Copy", transcript.copy)
        copy.setShortcut(QKeySequence(QKeySequence.StandardKey.Copy))
        copy.setEnabled(transcript.selection.bounds is not None)
        url = transcript.pointing.link_at(where)
        if url:
            menu.addAction("Copy link address", lambda: QGuiApplication.clipboard().setText(url))
        point = transcript.pointing.point_at(where)
        if point is not None:
            row = transcript.column.row(point.row)
            spot = _code_at(row, point, transcript.column)
            if spot is not None:
                code = code_of_spot(row, spot, transcript.column)
                menu.addAction("Copy code", lambda: QGuiApplication.clipboard().setText(code))
            menu.addAction("Copy message", lambda: transcript.copy_requested.emit(row.id))
            menu.addSeparator()
            if row.question:
                menu.addAction("Edit and send again", lambda: transcript.edit_requested.emit(row.id))
            elif row.state.live:
                menu.addAction("Stop", lambda: transcript.stop_requested.emit(row.id))
            else:
                menu.addAction("Write the reply again", lambda: transcript.regenerate_requested.emit(row.id))
            if not row.question:
                _tell(menu, "Computed on", device_lines(row.facts))
                _tell(menu, "Adapters", adapter_lines(row.facts))
            if not row.state.live:
                add_verbs(menu, transcript, row.id, question=row.question)
        menu.addSeparator()
        everything = menu.addAction("Select all", transcript.select_all)
        everything.setShortcut(QKeySequence(QKeySequence.StandardKey.SelectAll))
        everything.setEnabled(bool(transcript.column.entries))
        return menu


def _code_at(row: Row, point: Point, column: Column) -> Spot | None:
    """The Copy of the code block that a point lies in."""
    if point.chunk >= len(row.parts[point.part].chunks):
        return None
    piece = column.piece(row, point.part, point.chunk)
    box = piece.box_at(point.position)
    inside = box >= 0 or piece.chunk.kind is Kind.CODE
    return Spot(COPY_CODE, QRect(), point.part, point.chunk, box) if inside else None


def _tell(menu: QMenu, title: str, lines: list[str]) -> None:
    """A menu below that only tells."""
    if lines:
        told = menu.addMenu(title)
        for line in lines:
            told.addAction(line).setEnabled(False)
