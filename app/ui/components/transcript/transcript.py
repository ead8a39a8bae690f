"""The transcript widget: shows one conversation, follows its changes, says what a person wishes. Decides nothing else.

The parts: column (what is where), painting, pointing (mouse), keys, streaming, finding, idle, accessible.
"""

from __future__ import annotations

from PySide6.QtCore import QEvent, Signal
from PySide6.QtGui import (
    QClipboard,
    QContextMenuEvent,
    QFocusEvent,
    QGuiApplication,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QWheelEvent,
)
from PySide6.QtWidgets import QWidget

from app.services.changes import Change, PathChanged, ReplyChanged, ReplyGrew, ReplyProgressed
from app.ui.components.transcript import accessible
from app.ui.components.transcript.deeds import Deeds
from app.ui.components.transcript.idle import Start
from app.ui.components.transcript.keys import Keys
from app.ui.components.transcript.looks import ThemeLike
from app.ui.components.transcript.places import Anchor, ConversationsLike, Place
from app.ui.components.transcript.pointing import Pointing
from app.ui.components.transcript.rows import ANSWER
from app.ui.components.transcript.selection import START, copied_text, end_of
from app.ui.components.transcript.speaking import Speaking
from app.ui.components.transcript.streaming import Streaming
from app.ui.components.transcript.view import View


class Transcript(View):
    """A conversation, painted. Signals are wishes with message ids; `announced` is what a screen reader was told.

    `start` runs something on a thread of a name; without it, slow first uses are done at once.
    """

    copy_requested = Signal(str)
    regenerate_requested = Signal(str)
    edit_requested = Signal(str)
    sibling_requested = Signal(str)
    link_activated = Signal(str)
    stop_requested = Signal(str)
    wished = Signal(str, str)  # pin, leave_out, unmark, seen, or one of standing.OFFERS; message id
    hits_changed = Signal(int, int)
    announced = Signal(str)

    def __init__(
        self,
        conversations: ConversationsLike,
        theme: ThemeLike,
        parent: QWidget | None = None,
        *,
        start: Start | None = None,
    ) -> None:
        super().__init__(conversations, theme, parent)
        self.idle.start_thread = start
        accessible.install()
        self.setAccessibleName("Conversation")
        self.items = accessible.Items()
        self.destroyed.connect(self.items.release)
        self._conversations = conversations
        self._conversation_id: str | None = None
        self._places: dict[str, tuple[str, int]] = {}
        self.streaming = Streaming(self.column, conversations, self)
        self.speaking = Speaking(self)
        self.deeds = Deeds(self)
        self.pointing = Pointing(self)
        self.keys = Keys(self)
        self.streaming.about_to_grow.connect(self.hold)
        self.streaming.grown.connect(self.canvas.grown)
        self.streaming.said.connect(self.speaking.said)
        self.finding.changed.connect(self._hits_changed)

    # -- what is shown ----------------------------------------------------------------------------------------------

    @property
    def conversation_id(self) -> str | None:
        """The conversation that is open."""
        return self._conversation_id

    def open(self, conversation_id: str | None) -> None:
        """Shows a conversation where it was left, at first at its end; None shows nothing."""
        if conversation_id == self._conversation_id:
            if conversation_id is not None:
                self._reload()
            return
        self._remember_place()
        self._conversation_id = conversation_id
        self._close_rows()
        if conversation_id is not None:
            self.column.show(self._conversations.path(conversation_id))
            self._following, self._top = True, self.column.total
            self.canvas.forget()
            left = self._places.get(conversation_id)
            if left and left[0] in self.column.numbers:
                self._following = False
                self._held = Anchor(Place(self.column.numbers[left[0]], ANSWER, -1), left[1])
        self.changed()

    def _close_rows(self) -> None:
        self.items.release()
        self.selection.clear()
        self.finding.clear()
        self.streaming.clear()
        self.idle.rest()
        self.speaking.clear()
        self.deeds.forget()
        self.column.clear()
        self._held = None

    def _remember_place(self) -> None:
        if self._conversation_id is None or not self.column.entries:
            return
        self._places.pop(self._conversation_id, None)
        if not self._following:
            number = self.column.heights.find(self._top)
            self._places[self._conversation_id] = (
                self.column.entries[number].id,
                self.column.heights.top(number) - self._top,
            )

    def _reload(self) -> None:
        """The path is another one, at least in part."""
        if self._conversation_id is None:
            return
        self.streaming.flush()
        self.hold()
        before = [entry.id for entry in self.column.entries]
        entries = self._conversations.path(self._conversation_id)
        self.column.show(entries)
        now = [entry.id for entry in entries]
        if now[: len(before)] != before:
            self.selection.clear()
            self.deeds.forget()
        if self._held and self._held.place.row >= len(entries):
            self._held = None
        if entries and entries[-1].state.live and entries[-1].id not in before:
            self._following = True  # one's own new message is always seen
        for number in list(self.column.rows):
            row, entry = self.column.rows[number], entries[number]
            if row.state is not entry.state and not entry.state.live:
                self.column.reread(number)
        self.finding.again()
        accessible.children_changed(self)
        self.changed()

    def apply(self, change: Change) -> None:
        """Follows a change; those of other conversations are ignored."""
        if not isinstance(change, PathChanged | ReplyGrew | ReplyProgressed | ReplyChanged):
            return
        if change.conversation_id != self._conversation_id:
            return
        if isinstance(change, PathChanged):
            self._reload()
        elif isinstance(change, ReplyGrew):
            self.streaming.grew(change)
        elif isinstance(change, ReplyProgressed):
            self.streaming.progressed(change)
        else:
            self.streaming.changed(change)
            if not change.state.live:
                self.finding.again()
            accessible.state_changed(self, self.column.numbers.get(change.message_id, -1))

    # -- finding, selecting, copying --------------------------------------------------------------------------------

    def find(self, text: str) -> int:  # type: ignore[override]
        """Marks all places with this text; returns how many. In a very long conversation `hits_changed` tells more."""
        found = self.finding.start(text)
        self.viewport().update()
        return found

    def find_next(self) -> None:
        """Shows the next hit."""
        self._find(forward=True)

    def find_previous(self) -> None:
        """Shows the hit before."""
        self._find(forward=False)

    def _find(self, *, forward: bool) -> None:
        self.settle()
        hit = self.finding.step(forward, self.column.heights.find(self._top))
        if hit is not None:
            place = self.finding.place(hit)
            self.show_place(place, self.viewport().height() // 3)

    def _hits_changed(self, total: int, current: int) -> None:
        self.hits_changed.emit(total, current)
        self.viewport().update()

    def clear_find(self) -> None:
        """Nothing is marked any more."""
        self.finding.clear()
        self.viewport().update()

    def select_all(self) -> None:
        """Selects every message."""
        if self.column.entries:
            self.selection.set(START, end_of(self.column))
            self.selected()

    def selected(self) -> None:
        """The selection changed: shown, and offered to the middle mouse button where the system knows that."""
        self.viewport().update()

    def selected_text(self) -> str:
        """What copying gives."""
        bounds = self.selection.bounds
        return copied_text(self.column, self._conversations, *bounds) if bounds else ""

    def copy(self) -> None:
        """Puts the selected text on the clipboard."""
        text = self.selected_text()
        if text:
            QGuiApplication.clipboard().setText(text)

    def offer_selection(self) -> None:
        """Gives the selection to the middle mouse button, where the system knows that."""
        clipboard = QGuiApplication.clipboard()
        if clipboard.supportsSelection():
            clipboard.setText(self.selected_text(), QClipboard.Mode.Selection)

    def siblings(self, message_id: str) -> list[str]:
        """All versions of a message, by age."""
        return self._conversations.siblings(message_id)

    # -- events -----------------------------------------------------------------------------------------------------

    def paint_over(self, painter: QPainter) -> None:
        """What stands above the messages."""
        self.keys.paint_caret(painter)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Selects, or acts on what lies there."""
        self.pointing.pressed(event)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        """Selects a word."""
        self.pointing.double_clicked(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Goes on selecting, or shows what lies there."""
        self.pointing.moved(event)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """Ends selecting, or acts."""
        self.pointing.released(event)

    def leaveEvent(self, event: QEvent) -> None:
        """Nothing is hovered any more."""
        self.pointing.left_view()

    def viewportEvent(self, event: QEvent) -> bool:
        """Tool tips and leaving, which come to the viewport."""
        if event.type() == QEvent.Type.Leave:
            self.pointing.left_view()
        elif event.type() == QEvent.Type.ToolTip:
            return self.pointing.tool_tip(event)
        return bool(super().viewportEvent(event))

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Sideways over wide code scrolls the code, everything else the view."""
        if not self.pointing.wheel_over_code(event):
            super().wheelEvent(event)

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        """The menu of the place under the mouse, or of what has the keyboard."""
        keyboard = event.reason() == QContextMenuEvent.Reason.Keyboard
        where = self.keys.menu_place() if keyboard else self.viewport().mapFromGlobal(event.globalPos())
        self.deeds.menu(where).popup(self.viewport().mapToGlobal(where))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Scrolls, selects, copies, acts."""
        if not self.keys.pressed(event):
            event.ignore()

    def focusNextPrevChild(self, forward: bool) -> bool:
        """Tab goes through the actions on the screen first."""
        return self.keys.tab(forward) or bool(super().focusNextPrevChild(forward))

    def focusInEvent(self, event: QFocusEvent) -> None:
        """Tab arrives at the first action on the screen."""
        super().focusInEvent(event)
        self.keys.focused_in(event.reason())

    def focusOutEvent(self, event: QFocusEvent) -> None:
        """The ring goes where the keyboard goes."""
        super().focusOutEvent(event)
        self.keys.focused_out()
