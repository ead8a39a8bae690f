"""The window: frame, navigation between pages. Nothing about chats or models is decided here."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtGui import QCloseEvent, QGuiApplication, QPaintEvent
from PySide6.QtWidgets import QMainWindow, QStackedWidget, QWidget

from app.chat.messages import SearchHit
from app.services.changes import Change, ConversationsChanged, SettingsChanged, TroubleChanged
from app.ui import window_state
from app.ui.components.sidebar import Rail, Sidebar
from app.ui.deeds import Deleted, connect, deeds
from app.ui.frame import Frame
from app.ui.menus import Actions
from app.ui.pages.conversation.page import ConversationPage
from app.ui.pages.trouble.codes import OPENING
from app.ui.ports import ApplicationPort
from app.ui.theme import tokens
from app.ui.theme.theme import Theme
from app.ui.visits import Visits
from app.ui.widgets.focus_ring import FocusRing

if TYPE_CHECKING:
    from app.ui.pages.settings.page import SettingsPage
    from app.ui.pages.trouble.page import TroublePage


class Window(QMainWindow):
    """Follows changes handed to `apply`; tells `painted` once, after the first frame."""

    painted = Signal()
    retry_requested = Signal()

    def __init__(self, application: ApplicationPort, theme: Theme, ring: FocusRing, data: Path, state_file: Path):
        super().__init__()
        self.application = application
        self._theme = theme
        self._ring = ring
        self._state_file = state_file
        self._state = window_state.read(state_file)
        self._painted = self._opened = self._refused = False
        self.deleted: list[Deleted] = []
        self.setWindowTitle("Inglenook")
        self.setMinimumSize(*tokens.MINIMUM_SIZE)
        self.sidebar = Sidebar(application, theme)
        self.rail = Rail(theme)
        self.conversation = ConversationPage(application, theme)
        self.pages = QStackedWidget()
        self.pages.addWidget(self.conversation)
        self.frame = Frame(theme, self.sidebar, self.rail, self.pages)
        self.setCentralWidget(self.frame)
        self.visits = Visits(self, theme, data)
        self.visits.traffic.usual_bytes_per_s = self._state.bytes_per_s
        self.actions_ = Actions(self, deeds(self))
        self.visits.show_network(application.network.state)
        connect(self)
        if not window_state.restore(self, self._state):
            self.resize(*tokens.FIRST_SIZE)
        self.frame.set_wanted(self._state.sidebar)
        self.conversation.show_panel(self._state.panel)
        if self._state.conversation_id:
            self.conversation.expect_conversation()
        self.apply_appearance()
        self.go(self.conversation)
        self.conversation.composer.field.setFocus()

    @property
    def settings(self) -> SettingsPage:
        """The settings, built at the first visit."""
        return self.visits.settings

    @property
    def trouble(self) -> TroublePage:
        """The page for a store that cannot be opened, built when it is needed."""
        return self.visits.trouble

    # --- navigation -------------------------------------------------------------------------------------------------

    def open(self, conversation_id: str | None, message_id: str | None = None) -> None:
        """Shows a conversation, at a message if one is given; None is the beginning of a new one."""
        self.go(self.conversation)
        self.frame.overlay(False)
        self.conversation.open(conversation_id, message_id=message_id)
        self.conversation.composer.field.setFocus(Qt.FocusReason.OtherFocusReason)

    def new(self) -> None:
        """Shows the beginning of a new conversation."""
        self.open(None)

    def show_settings(self, section: str) -> None:
        """Shows the settings, at a section if one is given."""
        if section:
            self.settings.show_section(section)
        self.go(self.settings)

    def show_privacy(self) -> None:
        """Shows the switch and the ledger."""
        self.go(self.visits.privacy)

    def show_models(self, tab: str = "") -> None:
        """Shows the models: finding them, those on this computer, downloads."""
        if tab:
            self.visits.models.show_tab(tab)
        self.go(self.visits.models)
        self.visits.models.take_focus()

    def rename(self, conversation_id: str) -> None:
        """Opens the title of a conversation for writing, in the list."""
        if conversation_id:
            self.go(self.conversation)
            self.frame.set_wanted(True)
            self.sidebar.search.clear()
            self.sidebar.list.rename(conversation_id)

    def go(self, page: QWidget) -> None:
        """Shows a page; without conversations there is only one."""
        if self._refused and not self._opened:
            page = self.trouble
        self.visits.leave(page)
        self.pages.setCurrentWidget(page)
        there = self.visits.mark(page)
        alone = page is not self.conversation and not there
        panel = page is self.conversation and self.conversation.panel_shown
        self.frame.show_for(railed=there, alone=alone, panel=panel)
        self.conversation.header.show_unfold(not self.frame.sidebar_visible)
        self.actions_.enable(conversation=bool(self.conversation.conversation_id), usable=not alone)

    def conversation_shown(self, conversation_id: str) -> None:
        """The page shows another conversation now."""
        self.sidebar.list.show_opened(conversation_id)
        self._show_title()
        self.actions_.enable(conversation=bool(conversation_id), usable=True)
        if self._opened:
            self._keep_state()  # a kill must not cost the place either

    def _show_title(self) -> None:
        title = self.conversation.header.title.text()
        self.setWindowTitle(f"{title} – Inglenook" if title else "Inglenook")

    def open_hit(self, hit: SearchHit) -> None:
        """Jumps to what was found."""
        self.open(hit.conversation_id, hit.message_id)

    def show_find(self) -> None:
        """Opens the find bar."""
        self.go(self.conversation)
        self.conversation.find_bar.come()

    def show_search(self) -> None:
        """Puts the cursor into the search field."""
        self.go(self.conversation)
        self.frame.set_wanted(True)
        self.sidebar.focus_search()

    # --- what happened ----------------------------------------------------------------------------------------------

    def apply(self, change: Change) -> None:
        """Follows a change."""
        if isinstance(change, TroubleChanged):
            self._trouble(change)
            return
        if isinstance(change, SettingsChanged):
            self.apply_appearance()
            self.conversation.reload()
        self.sidebar.apply(change)
        self.conversation.apply(change)
        if isinstance(change, ConversationsChanged):
            self._show_title()
        self.visits.apply(change)

    def apply_appearance(self) -> None:
        """Takes theme and type from the settings."""
        appearance = self.application.settings.current.appearance
        self._theme.set_preference(appearance.theme)
        self._theme.set_less_motion(appearance.less_motion)
        self.conversation.apply_appearance()

    def store_settled(self) -> None:
        """The attempt to open the conversations is over; what went wrong was told before."""
        if self._refused:
            return
        first, self._opened = not self._opened, True
        self.sidebar.reload()
        last = self._state.conversation_id if first and not self.conversation.conversation_id else ""
        self.conversation.store_opened(last if last and self.application.conversations.get(last) else "")
        self.go(self.conversation)

    def _trouble(self, change: TroubleChanged) -> None:
        if change.code in OPENING and not self._opened:
            self._refused = bool(change.sentence)
            if self._refused:
                self.trouble.tell(change.code, change.sentence, change.detail)
                self.go(self.trouble)
        elif change.sentence:
            self.conversation.banner.say(change.code, change.sentence, kind="rose")
        else:
            self.conversation.banner.unsay(change.code)

    def retry(self) -> None:
        """Tries to open the conversations again."""
        self._refused = False
        self.retry_requested.emit()

    # --- coming and going -------------------------------------------------------------------------------------------

    def keep(self) -> None:
        """Keeps everything typed, and how the window stands."""
        self.visits.leave()
        self.conversation.flush()
        self._keep_state()

    def _keep_state(self) -> None:
        shown = self.conversation.conversation_id if self._opened else self._state.conversation_id
        pace = self.visits.traffic.usual_bytes_per_s
        state = window_state.state_of(self, self.frame.wanted, self.conversation.panel_shown, shown, pace)
        window_state.write(self._state_file, state)

    def come_forward(self) -> None:
        """Shows the window in front of others, where the person is."""
        state, handle = self.windowState() & ~Qt.WindowState.WindowMinimized, self.windowHandle()
        if QGuiApplication.platformName() == "xcb" and handle is not None and not handle.isExposed():
            self.hide()  # on another desktop it would stay there: shown anew, it comes to this one
            self.setWindowState(Qt.WindowState.WindowNoState)  # which its manager makes of it just then
            self.show()
        self.setWindowState(state)
        self.show()
        self.raise_()
        self.activateWindow()

    def focusNextPrevChild(self, following: bool) -> bool:
        focused = self.focusWidget()
        self._ring.moving = focused is None or focused.isVisible()  # else it was hidden, and Qt looks for another
        try:
            return super().focusNextPrevChild(following)
        finally:
            self._ring.moving = False

    def closeEvent(self, event: QCloseEvent) -> None:
        self.keep()
        super().closeEvent(event)

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        if not self._painted:
            self._painted = True
            QTimer.singleShot(0, self.painted.emit)
