"""What the model would see now, between the service that knows it and gauge, panel and transcript that show it.

Views are asked for when something changed or a person paused in typing, one at a time. While a reply grows, its size is
reckoned from its characters; nothing here happens per key.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from typing import TYPE_CHECKING, Protocol

from PySide6.QtCore import QObject, QTimer, Signal
from shiboken6 import isValid

from app.base.errors import InglenookError
from app.chat.context_view import ContextView
from app.services.changes import (
    Change,
    ContextChanged,
    EngineChanged,
    EngineState,
    NoteGrew,
    PathChanged,
    ReplyChanged,
    ReplyGrew,
    ReplyProgressed,
)
from app.ui.components.composer import Composer
from app.ui.ports import ApplicationPort

if TYPE_CHECKING:
    from app.ui.components.side_panel import SidePanel
    from app.ui.components.transcript.transcript import Transcript

SOON_MS = 60
GROWTH_MS = 250
CHARACTERS = 4
"""Characters of a token, about; for a reply that is being written only."""


class Page(Protocol):
    """The parts of the page that views are shown in."""

    conversation_id: str
    live_id: str
    composer: Composer

    @property
    def panel(self) -> SidePanel: ...
    @property
    def panel_shown(self) -> bool: ...
    @property
    def transcript(self) -> Transcript: ...
    @property
    def editing(self) -> bool: ...
    def has(self, part: str) -> bool: ...
    def show_panel(self, shown: bool) -> None: ...
    def say(self, text: str) -> None: ...


class Seeing(QObject):
    """Belongs to one page. `begin` is called once conversations can be read."""

    viewed = Signal(object)
    _arrived = Signal(str, object)
    _found = Signal(str, object)

    def __init__(self, application: ApplicationPort, page: Page, parent: QObject) -> None:
        super().__init__(parent)
        self._application = application
        self._page = page
        self._begun = self._asking = self._stale = False
        self._shown_in_panel = False
        self.view: ContextView | None = None
        self._past: tuple[ContextView, str] | None = None
        self._prompt = self._written = self._thought = 0
        self._soon = _single_shot(self, SOON_MS, self._ask)
        self._growth = _single_shot(self, GROWTH_MS, self._show_growth)
        self._arrived.connect(self._take)
        self._found.connect(self._take_past)

    # -- asking -----------------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """The conversations can be read."""
        self._begun = True
        self.soon()

    def open(self) -> None:
        """Another conversation is shown."""
        self.view = self._past = None
        self._prompt = self._written = self._thought = 0
        self._shown_in_panel = False
        self._show()
        self.soon()

    @property
    def settled(self) -> bool:
        """Whether what is shown is the newest view, with nothing on the way and no reply growing."""
        moving = self._asking or self._stale or self._soon.isActive() or self._growth.isActive()
        return not (moving or self._written or self._thought or self._page.live_id)

    def soon(self) -> None:
        """Something changed: a view is asked for in a moment, one for everything that changes until then."""
        if self._begun and not self._soon.isActive():
            self._soon.start()

    def _ask(self) -> None:
        if self._asking:
            self._stale = True
            return
        page = self._page
        where, draft = page.conversation_id, "" if page.editing else page.composer.text()
        try:
            asked = self._application.contexts.view(where, draft)
        except InglenookError:
            return  # what cannot be read now is said elsewhere; the next change asks again
        self._asking = True
        asked.add_done_callback(lambda done: self._tell(where, done))

    def _tell(self, where: str, done: Future[ContextView]) -> None:
        """On the thread of the service; the window may be gone."""
        if isValid(self):
            self._arrived.emit(where, done)

    def _take(self, where: str, done: Future[ContextView]) -> None:
        self._asking = False
        stale, self._stale = self._stale, False
        try:
            view = done.result()
        except (InglenookError, CancelledError):
            view = None
        if view is not None and where == self._page.conversation_id:
            self.view = view
            if not self._page.live_id:
                self._prompt = self._written = self._thought = 0
            self._show()
        if stale or where != self._page.conversation_id:
            self._ask()

    # -- showing ----------------------------------------------------------------------------------------------------

    def _show(self) -> None:
        view = self.view
        self._show_gauge()
        if self._page.has("transcript"):
            from app.ui.components.transcript.standing import standings_of

            self._page.transcript.show_standings(standings_of(view))
        self._shown_in_panel = False
        self.show_in_panel()
        self.viewed.emit(view)

    def show_in_panel(self) -> None:
        """Fills the panel if it is there to be seen and does not show the newest view yet."""
        page = self._page
        if self._shown_in_panel or not page.has("panel") or not page.panel_shown or page.panel.tab != "context":
            return
        self._shown_in_panel = True
        if self._past is not None:
            page.panel.context.show_view(self._past[0], seen_of=self._past[1])
        else:
            page.panel.context.show_view(self.view)
            page.panel.context.show_growth(self._written // CHARACTERS, self._thought // CHARACTERS)

    def _show_gauge(self) -> None:
        view = self.view
        if view is None:
            self._page.composer.gauge.show_fill(self._prompt, self._application.loading.context_limit())
            return
        growing = bool(self._page.live_id)
        used = (self._prompt if growing and self._prompt else view.used) + (
            (self._written + self._thought) // CHARACTERS
        )
        exact = view.exact and not (self._written or self._thought)
        self._page.composer.gauge.show_fill(used, view.limit, exact=exact)

    def _show_growth(self) -> None:
        self._show_gauge()
        page = self._page
        if page.has("panel") and page.panel_shown:
            page.panel.context.show_growth(self._written // CHARACTERS, self._thought // CHARACTERS)

    # -- what happened ----------------------------------------------------------------------------------------------

    def apply(self, change: Change) -> None:
        """Follows what happened."""
        page = self._page
        if isinstance(change, EngineChanged):
            if change.state in (EngineState.READY, EngineState.OFF, EngineState.FAILED):
                self.soon()
        elif isinstance(change, NoteGrew):
            if change.conversation_id == page.conversation_id and page.has("panel"):
                page.panel.context.show_note_growth(change.text, change.done, change.total)
        elif isinstance(change, ContextChanged | PathChanged):
            if change.conversation_id == page.conversation_id:
                self.soon()
        elif isinstance(change, ReplyGrew | ReplyProgressed | ReplyChanged):
            self._reply(change)

    def _reply(self, change: ReplyGrew | ReplyProgressed | ReplyChanged) -> None:
        if change.conversation_id != self._page.conversation_id:
            return
        if isinstance(change, ReplyChanged):
            if not change.state.live:
                self.soon()
            return
        if change.message_id != self._page.live_id:
            return
        if isinstance(change, ReplyProgressed):
            self._prompt = change.total
        elif change.thinking:
            self._thought = change.offset + len(change.text)
        else:
            self._written = change.offset + len(change.text)
        if not self._growth.isActive():
            self._growth.start()

    # -- what a reply saw -------------------------------------------------------------------------------------------

    def show_seen(self, reply_id: str, excerpt: str) -> None:
        """Opens the panel at exactly what the model saw for a reply."""
        asked = self._application.contexts.seen_by(reply_id)
        asked.add_done_callback(lambda done: self._tell_past(excerpt, done))

    def _tell_past(self, excerpt: str, done: Future[ContextView]) -> None:
        """On the thread of the service; the window may be gone."""
        if isValid(self):
            self._found.emit(excerpt, done)

    def _take_past(self, excerpt: str, done: Future[ContextView]) -> None:
        try:
            view = done.result()
        except InglenookError as error:
            self._page.say(error.sentence)
            return
        except CancelledError:
            return
        if view.conversation_id == self._page.conversation_id:
            self._past = (view, excerpt)
            self.open_panel()

    def show_now(self) -> None:
        """Back to what the model would see now."""
        self._past = None
        self._shown_in_panel = False
        self.show_in_panel()

    def show_message(self, message_id: str) -> None:
        """Shows a message in the conversation."""
        self._page.transcript.scroll_to(message_id)

    def open_panel(self) -> None:
        """Opens the panel at its tab Context."""
        self._shown_in_panel = False
        self._page.show_panel(True)
        self._page.panel.show_tab("context")
        self.show_in_panel()


def _single_shot(parent: QObject, milliseconds: int, act: Callable[[], None]) -> QTimer:
    made = QTimer(parent)
    made.setSingleShot(True)
    made.setInterval(milliseconds)
    made.timeout.connect(act)
    return made
