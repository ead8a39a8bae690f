"""One conversation: header, banner, transcript, composer, side panel. Composition, and who is told what; no rules."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

from PySide6.QtCore import QEvent, Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QWidget

from app.base.errors import InglenookError
from app.chat.messages import Conversation
from app.services.changes import (
    Change,
    ConversationsChanged,
    EngineChanged,
    EngineState,
    LibraryChanged,
    PathChanged,
    ReplyChanged,
    ReplyGrew,
    ReplyProgressed,
)
from app.ui import words
from app.ui.components.model_choice import model_in_use
from app.ui.pages.conversation.choosing import Choosing
from app.ui.pages.conversation.own_values import OwnValues
from app.ui.pages.conversation.parts import Parts
from app.ui.pages.conversation.seeing import Seeing
from app.ui.pages.conversation.verbs import BACK, Verbs
from app.ui.ports import ApplicationPort
from app.ui.theme import tokens
from app.ui.theme.theme import Theme

NEW = "new"


class ConversationPage(Parts):
    """Shows one conversation, or the beginning of a new one (`conversation_id` is empty then)."""

    conversation_shown = Signal(str)
    panel_toggled = Signal(bool)

    def __init__(self, application: ApplicationPort, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(application, theme, parent)
        self._opened = False
        self._known = False
        self.conversation_id = ""
        self.live_id = ""
        self.seeing = Seeing(application, self, self)
        self.choosing = Choosing(application, self, self.seeing)
        self.verbs = Verbs(application, self)
        self.header.model_requested.connect(self.toggle_picker)
        self.greeting.model_requested.connect(self.toggle_picker)
        self.greeting.find_requested.connect(self.models_requested)
        self.greeting.file_requested.connect(self.verbs.open_model_file)
        self.header.panel_requested.connect(lambda: self.show_panel(not self.panel_shown))
        for row in self.suggestions:
            row.chosen.connect(self.composer.put)
        self.composer.draft_changed.connect(self._keep_draft)
        self.composer.typing_started.connect(self.verbs.warm)
        self.composer.edit_ended.connect(self.verbs.end_edit)
        self.composer.gauge_pressed.connect(self.toggle_context)
        self.composer.send_requested.connect(self.verbs.send)
        self.composer.stop_requested.connect(self.verbs.stop)
        self.open(None)

    # --- what is shown ----------------------------------------------------------------------------------------------

    def open(self, conversation_id: str | None, *, message_id: str | None = None) -> None:
        """Shows a conversation, or a new one; unsaved words of the one before are kept first."""
        if self.conversation_id == (conversation_id or "") and self._opened:
            if message_id:
                self.transcript.scroll_to(message_id)
            return
        self.flush()
        self._opened = True
        self.verbs.leave_edit()
        self.conversation_id = conversation_id or ""
        if self.has("find_bar"):
            self.find_bar.leave()
        if conversation_id or self.has("transcript"):
            self.transcript.open(conversation_id)
        self.composer.set_text(self._application.conversations.draft(conversation_id or NEW))
        if conversation_id:
            self.verbs.resume_edit()
        live = self._application.sending.live_reply(conversation_id) if conversation_id else None
        self._show_live(live.message_id if live is not None else "")
        self._show_kind()
        self.reload()
        self.seeing.open()
        if message_id:
            self.transcript.scroll_to(message_id)
        self._application.conversations.opened(self.conversation_id)
        self.conversation_shown.emit(self.conversation_id)

    def conversation(self) -> Conversation | None:
        """The conversation that is shown, as it is listed now."""
        return self._application.conversations.get(self.conversation_id) if self.conversation_id else None

    def store_opened(self, last: str = "") -> None:
        """The conversations can be read now: what was empty for want of them is filled, and `last` is shown. What was
        typed or sent meanwhile was meant for that."""
        typed = self.composer.text()
        self._known = True
        self.seeing.begin()
        self._arrangement.hold("transcript", False)
        if last:
            self.composer.set_text("")
            self.open(last)
            before = self.composer.text()
        else:
            self._show_kind()
            self.reload()
            before = self._application.conversations.draft(NEW)
        self.composer.set_text("\n".join(part for part in dict.fromkeys((before, typed)) if part))
        if typed:
            self._keep_draft(self.composer.text())
        self.verbs.store_opened(alone=not before)

    def expect_conversation(self) -> None:
        """A stored conversation will be opened in a moment: its place is kept instead of greeting."""
        self._arrangement.show_empty(False)
        for widget in (self.greeting, *self.suggestions, self.hint):
            self._arrangement.show(widget, False)
        self._arrangement.hold("transcript", True)

    def reload(self) -> None:
        """Reads title and own values again."""
        conversation = self.conversation()
        self.header.show_title(conversation.title if conversation is not None else "")
        if self.has("own"):
            self.own.show(conversation)
        self._show_model()
        self.seeing.soon()

    def apply(self, change: Change) -> None:
        """Follows what happened."""
        if isinstance(change, PathChanged | ReplyGrew | ReplyProgressed | ReplyChanged):
            if change.conversation_id == self.conversation_id:
                self.transcript.apply(change)
                if isinstance(change, ReplyChanged):
                    self._reply_changed(change)
        elif isinstance(change, ConversationsChanged):
            if self.conversation_id and (not change.ids or self.conversation_id in change.ids):
                self.reload()
        elif isinstance(change, EngineChanged | LibraryChanged):
            if self.has("picker"):
                self.picker.apply(change)
            self._show_model()
            if self.has("own") and (isinstance(change, LibraryChanged) or change.state is EngineState.READY):
                self.own.adapters.look_again()
            if isinstance(change, EngineChanged):
                self.verbs.engine_changed(change)
        self.seeing.apply(change)

    def apply_appearance(self) -> None:
        """Takes column width and text size from the settings."""
        appearance = self._application.settings.current.appearance
        width = tokens.COLUMNS[appearance.column]
        self._arrangement.set_width(width)
        self.composer.field.set_text_size(appearance.text_size)
        if self.has("transcript"):
            self.transcript.set_column(width)
            self.transcript.set_text_size(appearance.text_size)
            self.transcript.set_line_height(tokens.LINE_HEIGHTS[tokens.line_height(appearance.line_height)])

    @property
    def panel_shown(self) -> bool:
        """Whether the side panel is open."""
        return self.has("panel") and not self.panel.isHidden()

    def show_panel(self, shown: bool) -> None:
        """Opens or closes the side panel."""
        before = self.panel_shown
        if shown and not self.has("own"):
            self.panel.closed.connect(lambda: self.show_panel(False))
            self.own.show(self.conversation())
        if self.has("panel"):
            self.panel.setVisible(shown)
        self.header.panel.setChecked(shown)
        self.seeing.show_in_panel()
        if before is not shown:
            self.panel_toggled.emit(shown)

    def toggle_context(self) -> None:
        """Opens the panel at what fills the model's window, or closes it there."""
        if self.panel_shown and self.panel.tab == "context":
            self.show_panel(False)
        else:
            self.seeing.open_panel()

    @property
    def editing(self) -> bool:
        """Whether the composer holds an earlier message."""
        return bool(self.verbs.editing)

    def regenerate(self, reply_id: str) -> None:
        """Asks for a reply again."""
        self.verbs.regenerate(reply_id)

    def toggle_picker(self) -> None:
        """Opens or closes the list of models."""
        if self.picker.isVisible():
            self.picker.close_popover()
        else:
            self.picker.open_at(self.header.pill)

    def say(self, text: str, *, icon_name: str = "", undo: Callable[[], None] | None = None) -> None:
        """A toast over the composer; the conversation gains room so that it covers no words."""
        self._place_toast()
        if self.has("transcript"):
            self.transcript.set_end_gap(tokens.TOAST_HEIGHT + 16)
        self.toast.show_text(text, icon_name=icon_name, undo=undo)

    def show_plan(self, model_id: str) -> None:
        """How a model is loaded is wanted to be seen."""
        self.plan_requested.emit(model_id)

    def show_sent(self, reply_id: str) -> None:
        """A reply is on its way: Escape and the button stop it from now on."""
        self._show_live(reply_id)

    @cached_property
    def own(self) -> OwnValues:
        """What the panel shows and changes."""
        return OwnValues(self._application, self.panel, self.say)

    def flush_panel(self) -> None:
        """Hands over what was changed in the panel and not told yet."""
        if self.has("panel"):
            self.panel.flush()

    def flush(self) -> None:
        """Keeps everything that was typed and not kept yet."""
        self.composer.flush_draft()
        self.flush_panel()

    # --- parts ------------------------------------------------------------------------------------------------------

    def _show_kind(self) -> None:
        empty = not self.conversation_id
        for widget in (self.greeting, *self.suggestions, self.hint):
            self._arrangement.show(widget, empty)
        if not empty or self.has("transcript"):
            self.transcript.setVisible(not empty)
        if empty:
            self.greeting.greet()
        self._arrangement.show_empty(empty)

    def _show_model(self) -> None:
        state = self._application.loading.state
        models = self._application.library.list()
        model = model_in_use(state, models, self._application.settings.current.general.last_model_id)
        name = words.model_title(model) if model is not None else state.model_name
        self.header.pill.show_state(state, name, words.model_version(model) if model is not None else "")
        self.greeting.show_model(state, model, known=self._application.library.refreshed.is_set())
        self.composer.set_hint("Ask anything" if not self.conversation_id else f"Reply to {name}" if name else "Reply")

    def _show_live(self, message_id: str) -> None:
        self.live_id = message_id
        self.composer.set_streaming(bool(message_id))
        if message_id:
            self.banner.unsay(BACK)  # it shows

    def _reply_changed(self, change: ReplyChanged) -> None:
        if change.state.live:
            self._show_live(change.message_id)
        elif change.message_id == self.live_id:
            live = self._application.sending.live_reply(self.conversation_id)
            self._show_live(live.message_id if live is not None else "")

    def _keep_draft(self, text: str) -> None:
        self.seeing.soon()
        try:
            self._application.conversations.set_draft(self.conversation_id or NEW, text, self.verbs.editing)
        except InglenookError as error:
            self.say(error.sentence)

    def _place_toast(self) -> None:
        bottom = self.height() - 12  # of a new conversation, where the middle is full of words
        if self.conversation_id:
            bottom = self.composer.mapTo(self, self.composer.rect().topLeft()).y() - 12
        centre = self.composer.mapTo(self, self.composer.rect().center()).x()
        self.toast.place(centre, max(bottom, tokens.TOAST_HEIGHT + 12), self.composer.width())

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() != Qt.Key.Key_Escape:
            super().keyPressEvent(event)
        elif self.has("find_bar") and self.find_bar.isVisible():
            self.find_bar.leave()
        else:
            self.verbs.stop()

    def event(self, event: QEvent) -> bool:
        """The parts were laid out before: what they need, or the room there is, has changed."""
        if event.type() in (QEvent.Type.LayoutRequest, QEvent.Type.Resize):
            if not self.conversation_id:
                self._arrangement.make_room((*reversed(self.suggestions), self.hint))
            if self.has("toast") and self.toast.isVisible():
                self._place_toast()
        return super().event(event)
