"""The accessible tree: the transcript is a list, each message a list item with its speaker, its state and its text.

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

from app.ui.components.transcript.rows import ANSWER
from app.ui.components.transcript.speaking import spoken
from app.ui.components.transcript.words import spoken_name

if TYPE_CHECKING:
    from app.ui.components.transcript.transcript import Transcript

_installed: list[Any] = []
_MOST_CHARS = 100_000


class MessageItem(QAccessibleInterface):
    """One message. Its number may change with the path; its id does not."""

    def __init__(self, transcript: Transcript, message_id: str) -> None:
        super().__init__()
        self._transcript = transcript
        self._id = message_id

    @property
    def _number(self) -> int:
        return self._transcript.column.numbers.get(self._id, -1)

    def isValid(self) -> bool:
        return self._number >= 0

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

    def role(self) -> QAccessible.Role:
        return QAccessible.Role.ListItem

    def state(self) -> QAccessible.State:
        state = QAccessible.State()
        number = self._number
        if number < 0:
            state.invalid = True
            return state
        state.focusable = state.readOnly = state.multiLine = True
        state.focused = self._transcript.state.focused_row == number and self._transcript.hasFocus()
        row = self._transcript.column.rows.get(number)
        state.busy = row is not None and row.state.live
        state.offscreen = not self.rect().intersects(self._transcript.screen_rect())
        return state

    def text(self, kind: QAccessible.Text) -> str:
        number = self._number
        if number < 0:
            return ""
        row = self._transcript.column.row(number)
        who = spoken_name(row.question, row.state, row.facts)
        words = row.parts[ANSWER].text[:_MOST_CHARS]
        if kind == QAccessible.Text.Name:
            said = words if row.question else spoken(words)
            return f"{who}: {said}" if said else who
        if kind == QAccessible.Text.Value:
            return words
        if kind == QAccessible.Text.Description:
            standing = self._transcript.column.standings.spoken(row.id)
            version = f"Version {row.entry.sibling + 1} of {row.entry.siblings}" if row.entry.siblings > 1 else ""
            return ". ".join(part for part in (standing, version) if part)
        return ""

    def setText(self, kind: QAccessible.Text, text: str) -> None:
        """Messages are read only."""

    def rect(self) -> QRect:
        return self._transcript.row_rect(self._number)

    def foregroundColor(self) -> QColor:
        return self._transcript.looks.colour("ink")

    def backgroundColor(self) -> QColor:
        return self._transcript.looks.colour("page")


class Items:
    """The items that were asked for, by message id."""

    def __init__(self) -> None:
        self._items: dict[str, MessageItem] = {}

    def get(self, transcript: Transcript, message_id: str) -> MessageItem:
        """The item of a message, always the same one."""
        item = self._items.get(message_id)
        if item is None:
            item = self._items[message_id] = MessageItem(transcript, message_id)
        return item

    def release(self) -> None:
        """Ends all items.

        WORKAROUND: Qt's cache keeps a bare pointer to an interface without a QObject, and frees it again at exit when
        Python freed it before (PySide6 6.11). Deleted through the cache, both know. Can go with the one below.
        """
        items, self._items = self._items, {}
        for item in items.values():
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
        return child._number if isinstance(child, MessageItem) else -1

    def childAt(self, x: int, y: int) -> QAccessibleInterface | None:  # type: ignore[override]
        return self._item(self._transcript.row_at_global(x, y))

    def focusChild(self) -> QAccessibleInterface | None:  # type: ignore[override]
        return self._item(self._transcript.state.focused_row)

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


def focus_moved(transcript: QWidget, number: int) -> None:
    """The keyboard stands on another message."""
    if QAccessible.isActive():
        event = QAccessibleEvent(transcript, QAccessible.Event.Focus)
        event.setChild(number)
        QAccessible.updateAccessibility(event)
