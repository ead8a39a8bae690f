"""The accessible tree: the transcript is a list, each message a list item with its speaker, its state and its text.

What can be done with a message are buttons in it, while it is near the view.

Items exist only while somebody asks for them, so that ten thousand messages cost nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, QRect
from PySide6.QtGui import (
    QAccessible,
    QAccessibleEvent,
    QAccessibleInterface,
    QAccessibleStateChangeEvent,
    QColor,
    QWindow,
)
from PySide6.QtWidgets import QAccessibleWidget, QWidget
from shiboken6 import isValid

from app.ui.components.transcript.looks import OVERHANG
from app.ui.components.transcript.rows import ANSWER, THINKING, Row
from app.ui.components.transcript.speaking import spoken
from app.ui.components.transcript.spots import FOLDING, Spot, SpotKey, spots
from app.ui.components.transcript.words import spoken_name

if TYPE_CHECKING:
    from app.ui.components.transcript.transcript import Transcript

_installed: list[Any] = []
_MOST_CHARS = 100_000


class _Item(QAccessibleInterface):
    """Something of a message. The message's number may change with the path; its id does not."""

    def __init__(self, transcript: Transcript, message_id: str) -> None:
        super().__init__()
        self._transcript = transcript
        self._id = message_id

    @property
    def number(self) -> int:
        return self._transcript.column.numbers.get(self._id, -1)

    @property
    def _row(self) -> Row | None:
        return self._transcript.column.rows.get(self.number)

    @property
    def spots(self) -> list[Spot]:
        """What can be done with it; nothing while it is far away."""
        row = self._row
        return spots(row, self._transcript.column) if row is not None else []

    def isValid(self) -> bool:
        return self.number >= 0

    def object(self) -> QObject | None:  # type: ignore[override]
        return None

    def window(self) -> QWindow | None:  # type: ignore[override]
        return self._transcript.window().windowHandle()

    def parent(self) -> QAccessibleInterface:
        return QAccessible.queryAccessibleInterface(self._transcript)

    def child(self, index: int) -> QAccessibleInterface | None:  # type: ignore[override]
        return None

    def childAt(self, x: int, y: int) -> QAccessibleInterface | None:  # type: ignore[override]
        return None

    def childCount(self) -> int:
        return 0

    def indexOfChild(self, child: QAccessibleInterface) -> int:
        return -1

    def setText(self, kind: QAccessible.Text, text: str) -> None:
        """Messages are read only."""

    def foregroundColor(self) -> QColor:
        return self._transcript.looks.colour("ink")

    def backgroundColor(self) -> QColor:
        return self._transcript.looks.colour("page")


class SpotItem(_Item):
    """A button of a message."""

    def __init__(self, transcript: Transcript, message_id: str, key: SpotKey) -> None:
        super().__init__(transcript, message_id)
        self._key = key

    @property
    def spot(self) -> Spot | None:
        return next((spot for spot in self.spots if spot.key == self._key), None)

    def isValid(self) -> bool:
        return self.spot is not None

    def parent(self) -> QAccessibleInterface:
        return self._transcript.items.get(self._transcript, self._id)

    def role(self) -> QAccessible.Role:
        return QAccessible.Role.Button

    def state(self) -> QAccessible.State:
        state = QAccessible.State()
        spot, row = self.spot, self._row
        if spot is None or row is None:
            state.invalid = True
            return state
        focused, number = self._transcript.state.focused, self._transcript.state.focused_row
        state.focusable = True
        state.focused = number == self.number and focused == spot and self._transcript.hasFocus()
        state.offscreen = not self.rect().intersects(self._transcript.screen_rect())
        if spot.kind == FOLDING:
            state.expandable, state.expanded, state.collapsed = True, row.unfolded, not row.unfolded
        return state

    def text(self, kind: QAccessible.Text) -> str:
        spot = self.spot
        return spot.name if spot is not None and kind == QAccessible.Text.Name else ""

    def rect(self) -> QRect:
        spot = self.spot
        corner = self._transcript.row_rect(self.number).topLeft()
        return spot.rect.translated(corner.x() + OVERHANG, corner.y()) if spot is not None else QRect()


class MessageItem(_Item):
    """One message."""

    def child(self, index: int) -> QAccessibleInterface | None:  # type: ignore[override]
        found = self.spots
        return self._button(found[index]) if 0 <= index < len(found) else None

    def childAt(self, x: int, y: int) -> QAccessibleInterface | None:  # type: ignore[override]
        buttons = map(self._button, self.spots)
        return next((button for button in buttons if button.rect().contains(x, y)), None)

    def childCount(self) -> int:
        return len(self.spots)

    def indexOfChild(self, child: QAccessibleInterface) -> int:
        spot = child.spot if isinstance(child, SpotItem) else None
        return self.spots.index(spot) if spot is not None else -1

    def focusChild(self) -> QAccessibleInterface | None:  # type: ignore[override]
        state = self._transcript.state
        return self._button(state.focused) if state.focused and state.focused_row == self.number else None

    def _button(self, spot: Spot) -> SpotItem:
        return self._transcript.items.button(self._transcript, self._id, spot)

    def role(self) -> QAccessible.Role:
        return QAccessible.Role.ListItem

    def state(self) -> QAccessible.State:
        state = QAccessible.State()
        number, row = self.number, self._row
        if number < 0:
            state.invalid = True
            return state
        state.focusable = state.readOnly = state.multiLine = True
        state.focused = self._transcript.state.focused_row == number and self._transcript.hasFocus()
        state.busy = row is not None and row.state.live
        state.offscreen = not self.rect().intersects(self._transcript.screen_rect())
        return state

    def text(self, kind: QAccessible.Text) -> str:
        number = self.number
        if number < 0:
            return ""
        row = self._transcript.column.row(number)
        who = spoken_name(row.question, row.state, row.facts)
        words = row.parts[ANSWER].text[:_MOST_CHARS]
        if kind == QAccessible.Text.Name:
            said = words if row.question else spoken(words)
            return f"{who}: {said}" if said else who
        if kind == QAccessible.Text.Value:
            return f"{row.parts[THINKING].text[:_MOST_CHARS]}\n\n{words}" if row.unfolded else words
        if kind == QAccessible.Text.Description:
            standing = self._transcript.column.standings.spoken(row.id)
            version = f"Version {row.entry.sibling + 1} of {row.entry.siblings}" if row.entry.siblings > 1 else ""
            return ". ".join(part for part in (standing, version) if part)
        return ""

    def rect(self) -> QRect:
        return self._transcript.row_rect(self.number)


class Items:
    """The items that were asked for, by message id."""

    def __init__(self) -> None:
        self._items: dict[str, MessageItem] = {}
        self._buttons: dict[tuple[str, SpotKey], SpotItem] = {}

    def get(self, transcript: Transcript, message_id: str) -> MessageItem:
        """The item of a message, always the same one."""
        item = self._items.get(message_id)
        if item is None:
            item = self._items[message_id] = MessageItem(transcript, message_id)
        return item

    def button(self, transcript: Transcript, message_id: str, spot: Spot) -> SpotItem:
        """The item of a button, always the same one."""
        made = self._buttons.get((message_id, spot.key))
        if made is None:
            made = self._buttons[message_id, spot.key] = SpotItem(transcript, message_id, spot.key)
        return made

    def release(self) -> None:
        """Ends all items.

        WORKAROUND: Qt's cache keeps a bare pointer to an interface without a QObject, and frees it again at exit when
        Python freed it before (PySide6 6.11). Deleted through the cache, both know. Can go with the one below.
        """
        items: list[_Item] = [*self._buttons.values(), *self._items.values()]
        self._items, self._buttons = {}, {}
        for item in items:
            if isValid(item):
                QAccessible.deleteAccessibleInterface(QAccessible.uniqueId(item))


class TranscriptInterface(QAccessibleWidget):
    """The list of messages."""

    def __init__(self, transcript: Transcript) -> None:
        super().__init__(transcript, QAccessible.Role.List, "Conversation")
        self._transcript = transcript

    def _item(self, number: int) -> MessageItem | None:
        entries = self._transcript.column.entries
        if not 0 <= number < len(entries):
            return None
        return self._transcript.items.get(self._transcript, entries[number].id)

    def childCount(self) -> int:
        return len(self._transcript.column.entries)

    def child(self, index: int) -> QAccessibleInterface | None:  # type: ignore[override]
        return self._item(index)

    def indexOfChild(self, child: QAccessibleInterface) -> int:
        return child.number if isinstance(child, MessageItem) else -1

    def childAt(self, x: int, y: int) -> QAccessibleInterface | None:  # type: ignore[override]
        return self._item(self._transcript.row_at_global(x, y))

    def focusChild(self) -> QAccessibleInterface | None:  # type: ignore[override]
        item = self._item(self._transcript.state.focused_row)
        return item.focusChild() or item if item is not None else None

    def state(self) -> QAccessible.State:
        state = super().state()
        state.readOnly = True
        state.focusable = True
        return state


_made: list[TranscriptInterface] = []


def _factory(key: str, thing: QObject) -> QAccessibleInterface | None:
    from app.ui.components.transcript.transcript import Transcript

    if not isinstance(thing, Transcript):
        return None
    # WORKAROUND: Qt's cache keeps a bare pointer to what a factory returns, and PySide lets Python free it all the same
    # (6.11). So it is referred to until Qt has deleted it. Can go when PySide transfers the ownership.
    _made[:] = [made for made in _made if isValid(made)]
    _made.append(TranscriptInterface(thing))
    return _made[-1]


def install() -> None:
    """Makes transcripts speak; once per process."""
    if not _installed:
        _installed.append(_factory)
        QAccessible.installFactory(_factory)


def children_changed(transcript: QWidget) -> None:
    """Messages came or went."""
    if QAccessible.isActive():
        QAccessible.updateAccessibility(QAccessibleEvent(transcript, QAccessible.Event.ObjectReorder))


def state_changed(transcript: QWidget, number: int) -> None:
    """A reply is in another state."""
    if QAccessible.isActive() and number >= 0:
        changed = QAccessible.State()
        changed.busy = True
        event = QAccessibleStateChangeEvent(transcript, changed)
        event.setChild(number)
        QAccessible.updateAccessibility(event)


def focus_moved(transcript: QWidget, number: int, *, button: bool) -> None:
    """The keyboard stands on another message, or on a button of one."""
    if QAccessible.isActive():
        found = QAccessible.queryAccessibleInterface(transcript).child(number)
        if found is not None:
            found = found.focusChild() or found if button else found
            QAccessible.updateAccessibility(QAccessibleEvent(found, QAccessible.Event.Focus))
