"""What a person can do on the conversation page, handed down to the services; a refusal becomes words on the page.

What only a click needs is imported by the click, so that the first frame does not wait for it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QWidget

from app.base.errors import InglenookError
from app.services.changes import EngineChanged, EngineState
from app.services.errors import NoModelFound, NotOpen
from app.ui.components.banner import Banner
from app.ui.components.composer import Composer
from app.ui.ports import ApplicationPort

if TYPE_CHECKING:
    from app.ui.components.model_picker import ModelPicker
    from app.ui.pages.conversation.choosing import Choosing
    from app.ui.pages.conversation.own_values import OwnValues
    from app.ui.pages.conversation.seeing import Seeing

ENGINE = "engine"
BACK = "back"
SEND = "send"
NO_MODEL = "no_model"
EXCERPT = 80


class Page(Protocol):
    """The parts of the page that these verbs need."""

    conversation_id: str
    live_id: str
    banner: Banner
    composer: Composer

    @property
    def seeing(self) -> Seeing: ...
    @property
    def choosing(self) -> Choosing: ...
    @property
    def picker(self) -> ModelPicker: ...
    @property
    def own(self) -> OwnValues: ...
    def has(self, part: str) -> bool: ...
    def open(self, conversation_id: str | None) -> None: ...
    def say(self, text: str, *, icon_name: str = "", undo: Callable[[], None] | None = None) -> None: ...
    def toggle_picker(self) -> None: ...
    def show_sent(self, reply_id: str) -> None: ...
    def show_plan(self, model_id: str) -> None: ...
    def flush_panel(self) -> None: ...
    def window(self) -> QWidget: ...


class Verbs:
    """One object per page."""

    def __init__(self, application: ApplicationPort, page: Page) -> None:
        self._application = application
        self._page = page
        self.editing = ""
        self._draft = ""
        self._opened = self._waiting = False
        self._died = False
        self._stepped = ("", "")

    def send(self, text: str) -> None:
        """Sends what was written; the text stays in the field if it is refused."""
        page, sending = self._page, self._application.sending
        try:
            if self.editing:
                sent = sending.edit(self.editing, text)
            else:
                page.flush_panel()
                choices = None if page.conversation_id or not page.has("own") else page.own.take_choices()
                sent = sending.send(page.conversation_id or None, text, choices=choices)
        except NoModelFound:
            page.banner.say(
                NO_MODEL,
                "There is no model on this computer yet",
                "Find one under Models, or open a GGUF file. What you wrote stays here until then.",
                action="Open a model",
                act=self.open_model_file,
            )
            return
        except InglenookError as error:
            self._waiting = isinstance(error, NotOpen) and not self._opened
            if self._waiting:
                page.banner.say(SEND, "Your message is sent in a moment", error.sentence, kind="tint")
            else:
                page.banner.say(SEND, "The message was not sent", error.sentence, kind="rose")
            return
        page.banner.unsay(SEND)
        if self.editing:
            self.end_edit()
        else:
            page.composer.set_text("")
        page.open(sent.conversation_id)
        page.show_sent(sent.reply_id)

    def store_opened(self, *, alone: bool) -> None:
        """The conversations can be read: what was to be sent before is sent, if it stands alone in the field."""
        self._opened, waiting, self._waiting = True, self._waiting, False
        if not waiting:
            return
        self._page.banner.unsay(SEND)
        if alone and (text := self._page.composer.text().strip()):
            self.send(text)

    def stop(self, reply_id: str = "") -> None:
        """Stops a reply, or the one that is being written here."""
        if wanted := reply_id or self._page.live_id:
            self._application.sending.stop(wanted)

    def regenerate(self, reply_id: str) -> None:
        """Asks for another reply. That is the one to stop then, also while one that is out of sight is written."""
        self._try(lambda: self._page.show_sent(self._application.sending.regenerate(reply_id)))

    def choose(self, message_id: str) -> None:
        """Shows the path through a sibling."""
        conversation_id = self._page.conversation_id
        self._try(lambda: self._application.conversations.choose(conversation_id, message_id))

    def wish(self, what: str, message_id: str) -> None:
        """A wish about a message and the model's window, from its menu or from a reply that was refused."""
        if what == "seen":
            self._page.seeing.show_seen(message_id, self.excerpt(message_id))
        elif what in ("pin", "leave_out", "unmark"):
            self._page.choosing.mark(what, [message_id])
        else:
            self._page.choosing.take_for(what, message_id)

    def excerpt(self, message_id: str) -> str:
        """The first words of a message, in one line."""
        try:
            text, _ = self._application.conversations.body(message_id)
        except InglenookError:
            return ""
        from app.ui.components.transcript.speaking import spoken

        return " ".join(spoken(text[: 5 * EXCERPT]).split())[:EXCERPT]

    def copy(self, message_id: str) -> None:
        """Puts the text of a message on the clipboard."""
        try:
            text, _ = self._application.conversations.body(message_id)
        except InglenookError as error:
            self._page.say(error.sentence)
            return
        QGuiApplication.clipboard().setText(text)
        self._page.say("Copied", icon_name="copy")

    def begin_edit(self, message_id: str) -> None:
        """Puts an earlier message, or what was made of it so far, into the composer; the draft there is kept aside."""
        conversations, composer = self._application.conversations, self._page.composer
        composer.flush_draft()
        try:
            text = conversations.draft(self._page.conversation_id, message_id) or conversations.body(message_id)[0]
        except InglenookError as error:
            self._page.say(error.sentence)
            return
        self._edit(message_id)
        composer.put(text)

    def resume_edit(self) -> None:
        """Goes on with the wording that was left unsent in this conversation."""
        if left := self._application.conversations.edit_draft(self._page.conversation_id):
            self._edit(left[0])
            self._page.composer.set_text(left[1])

    def _edit(self, message_id: str) -> None:
        if not self.editing:
            self._draft = self._page.composer.text()
        self.editing = message_id
        self._page.composer.show_editing(True)

    def leave_edit(self) -> None:
        """Brings the draft back that stood there before; what was made of the message is kept for the next visit."""
        if self.editing:
            self.editing = ""
            self._page.composer.show_editing(False)
            self._page.composer.set_text(self._draft)

    def end_edit(self) -> None:
        """The same for good: nothing of the other wording is kept."""
        if self.editing:
            self._application.conversations.set_draft(self._page.conversation_id, "", self.editing)
            self.leave_edit()

    def warm(self) -> None:
        """A message is being written: the model may be loaded meanwhile."""
        self._application.loading.warm()

    def open_link(self, url: str) -> None:
        """Hands a link to the browser; only what a browser is for."""
        from PySide6.QtCore import QUrl
        from PySide6.QtGui import QDesktopServices

        target = QUrl(url)
        if target.scheme() in ("http", "https", "mailto"):
            QDesktopServices.openUrl(target)
        else:
            self._page.say("This kind of link is not opened from a conversation")

    def open_model_file(self) -> None:
        """Lets a person choose a GGUF file, adds it and loads it."""
        from PySide6.QtCore import QStandardPaths
        from PySide6.QtWidgets import QFileDialog

        start = QStandardPaths.writableLocation(QStandardPaths.StandardLocation.DownloadLocation)
        name, _ = QFileDialog.getOpenFileName(self._page.window(), "Open a model", start, "GGUF models (*.gguf)")
        if name:
            self.add_model(Path(name))

    def add_model(self, path: Path) -> None:
        """Adds a GGUF file and loads it; a refusal is shown in the list of models."""
        if not self._page.picker.isVisible():
            self._page.toggle_picker()
        self._page.picker.add(path)

    def engine_changed(self, change: EngineChanged) -> None:
        """Says when the engine died, came back, or refused a model."""
        banner = self._page.banner
        if change.state in (EngineState.LOADING, EngineState.READY):
            banner.unsay(NO_MODEL)
        if change.restarted and change.state is EngineState.STARTING:
            self._died = True
            banner.say(
                ENGINE,
                "The model stopped unexpectedly and is being started again",
                change.sentence or "What was written is kept.",
            )
        elif change.state is EngineState.READY:
            stepped = (change.model_id, change.stepped_down)
            if change.stepped_down and stepped != self._stepped:  # said once, not at every load of what was kept
                banner.say(
                    ENGINE,
                    f"{change.model_name} is loaded with less than planned",
                    f"{change.stepped_down} Nothing you wrote was lost.",
                    action="See the plan",
                    act=lambda: self._page.show_plan(change.model_id),
                )
            elif self._died:
                banner.say(
                    BACK,
                    "The model is back",
                    "What was written is kept. A reply that broke off can be asked for again.",
                    kind="moss",
                )
            elif not change.sentence:  # else another model was refused just now, and this one stays
                banner.unsay(ENGINE)
                banner.unsay(BACK)
            self._died, self._stepped = False, stepped
        elif change.state is EngineState.FAILED and not (self._page.has("picker") and self._page.picker.isVisible()):
            title = (
                f"{change.model_name} could not be loaded" if change.model_name else "The model could not be started"
            )
            if change.can_insist:
                self._offer_to_insist(title, change)
                return
            banner.say(
                ENGINE, title, change.sentence, kind="rose", action="Choose a model", act=self._page.toggle_picker
            )

    def _offer_to_insist(self, title: str, change: EngineChanged) -> None:
        """It would push other programs out of memory; the person may want that."""
        insist = partial(self._application.plans.load, change.model_id, insist=True)
        self._page.banner.say(ENGINE, title, change.sentence, action="Load anyway", act=lambda: self._try(insist))

    def _try(self, call: Callable[[], object]) -> None:
        try:
            call()
        except InglenookError as error:
            self._page.say(error.sentence)
