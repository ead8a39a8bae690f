"""How messages stand with the model's window, as the transcript shows it: quiet marks, one line, and ways on after a
refusal. Decides nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from PySide6.QtCore import QRect, QRectF, Qt
from PySide6.QtGui import QFontMetrics, QPainter
from PySide6.QtWidgets import QMenu

from app.chat.context_view import ContextView, Standing
from app.ui.components.transcript.looks import ACTIONS, QUESTION_GAP, Looks
from app.ui.theme import icons

if TYPE_CHECKING:
    from app.ui.components.transcript.transcript import Transcript

GROW, SUMMARISE, LEAVE_OUT_OLDEST, AGAIN = "grow", "summarise", "leave_out_oldest", "again"
OFFERS = {
    GROW: "Use a longer context",
    SUMMARISE: "Summarise older turns",
    LEAVE_OUT_OLDEST: "Leave out the oldest",
    AGAIN: "Try again",
}
WAYS_ON = {
    "message_too_large": (GROW, AGAIN),
    "context_full": (GROW, SUMMARISE, LEAVE_OUT_OLDEST, AGAIN),
}
"""What can be done about a refusal, by the code of its error."""

BUTTON = 32
_GAP = 8
_INDENT = 24
_MARKS = {Standing.PINNED: ("pin", "Pinned"), Standing.OUTSIDE: ("prohibit", "Left out")}


@dataclass(frozen=True)
class Standings:
    """`marks`: messages that a person pinned or left out. Above `first_seen` stands what the model no longer sees; in
    its place it reads a note if `noted`. `can_grow`: a longer context is to be had."""

    marks: Mapping[str, Standing] = field(default_factory=dict)
    first_seen: str = ""
    noted: bool = False
    can_grow: bool = False

    @property
    def line(self) -> str:
        """The words of the line between what the model sees and what it does not."""
        seen = "reads a note of what is above" if self.noted else "no longer sees what is above"
        pinned = ", and what is pinned" if self.noted else ", except what is pinned"
        return f"The model {seen}{pinned if Standing.PINNED in self.marks.values() else ''}"

    def spoken(self, message_id: str) -> str:
        """What a screen reader says of a message's standing, besides its text."""
        said = [_MARKS[self.marks[message_id]][1]] if message_id in self.marks else []
        if message_id == self.first_seen:
            said.append(self.line)
        return ". ".join(said)


def standings_of(view: ContextView | None) -> Standings:
    """What the transcript shows of a view."""
    if view is None:
        return Standings()
    marks: dict[str, Standing] = {}
    first_seen, gone = "", False
    for entry in view.entries:
        standing = entry.standing
        if (standing is Standing.KEPT and not gone) or entry.kind != "message" or not entry.message_id:
            continue
        if standing is Standing.PINNED or (standing is Standing.OUTSIDE and entry.own_tokens):
            marks[entry.message_id] = standing
        elif standing in (Standing.TRIMMED, Standing.SUMMARISED):
            gone, first_seen = True, ""
        elif gone and not first_seen and standing is Standing.KEPT and entry.role == "user":
            first_seen = entry.message_id
    return Standings(marks=marks, first_seen=first_seen, noted=bool(view.note), can_grow=bool(view.grow_to))


def flowed(kinds: Sequence[str], looks: Looks, width: int) -> list[tuple[str, QRect]]:
    """The buttons of a refusal from its first line of them on, as many in a line as there is room for."""
    metrics = QFontMetrics(looks.button)
    made: list[tuple[str, QRect]] = []
    x, y = _INDENT, 0
    for kind in kinds:
        wide = metrics.horizontalAdvance(OFFERS[kind]) + 28
        if x > _INDENT and x + wide > width:
            x, y = _INDENT, y + BUTTON + _GAP
        made.append((kind, QRect(x, y, wide, BUTTON)))
        x += wide + _GAP
    return made


def add_verbs(menu: QMenu, transcript: Transcript, message_id: str, *, question: bool) -> None:
    """Pin, leave out, and for a reply what the model saw, at the end of a message's menu."""
    wish = transcript.wished.emit
    menu.addSeparator()
    standing = transcript.column.standings.marks.get(message_id)
    if standing is Standing.PINNED:
        menu.addAction("Unpin", lambda: wish("unmark", message_id))
    else:
        menu.addAction("Pin: the model always sees it", lambda: wish("pin", message_id))
    if standing is Standing.OUTSIDE:
        menu.addAction("Put back into what the model sees", lambda: wish("unmark", message_id))
    else:
        menu.addAction("Leave out of what the model sees", lambda: wish("leave_out", message_id))
    if not question:
        menu.addAction("What the model saw", lambda: wish("seen", message_id))


def paint_line(painter: QPainter, looks: Looks, words: str, left: int, top: int, width: int) -> None:
    """A hairline with words in the free space above a question."""
    painter.setFont(looks.caption_plain)
    wide = painter.fontMetrics().horizontalAdvance(words)
    middle = top + QUESTION_GAP // 2 - 4
    start = left + (width - wide) // 2
    painter.fillRect(QRect(left, middle, start - 12 - left, 1), looks.colour("line2"))
    painter.fillRect(QRect(start + wide + 12, middle, left + width - start - wide - 12, 1), looks.colour("line2"))
    painter.setPen(looks.colour("ink3"))
    painter.drawText(QRectF(start, middle - 10, wide + 2, 20), int(Qt.AlignmentFlag.AlignVCenter), words)


def paint_mark(painter: QPainter, looks: Looks, standing: Standing, right: int, top: int) -> None:
    """A small icon with a word in the line of actions, ending at `right`."""
    icon, word = _MARKS[standing]
    painter.setFont(looks.caption_plain)
    wide = painter.fontMetrics().horizontalAdvance(word)
    line = QRectF(right - wide, top, wide + 2, ACTIONS)
    painter.setPen(looks.colour("ink3"))
    painter.drawText(line, int(Qt.AlignmentFlag.AlignVCenter), word)
    role = "ember" if standing is Standing.PINNED else "ink3"
    icons.paint(painter, icon, QRectF(right - wide - 17, top + ACTIONS / 2 - 6, 12, 12), looks.colour(role))
