"""The pages beside the conversation, each built at its first visit, and which of them is shown in sidebar and rail."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtWidgets import QWidget

from app.services.changes import Change, ConversationsChanged, NetworkChanged, NetworkState
from app.ui.deeds import chat_with, copy_diagnostics, turn_network
from app.ui.models.traffic import Traffic
from app.ui.theme.theme import Theme

if TYPE_CHECKING:
    from app.ui.pages.models.page import ModelsPage
    from app.ui.pages.privacy.page import PrivacyPage
    from app.ui.pages.settings.page import SettingsPage
    from app.ui.pages.trouble.page import TroublePage
    from app.ui.window import Window

_WITH_A_WAY = ("settings", "privacy", "models")


class Visits:
    """A page that nobody asked for does not exist."""

    def __init__(self, window: Window, theme: Theme, data: Path) -> None:
        self._window = window
        self._theme = theme
        self._data = data
        self.traffic = Traffic(lambda: window.application.downloading.list(), window)  # built after the first frame
        self.traffic.changed.connect(self._show_traffic)
        self.traffic.progressed.connect(lambda _id: self._show_traffic())

    @cached_property
    def settings(self) -> SettingsPage:
        """The settings."""
        from app.ui.pages.settings.page import SettingsPage

        window = self._window
        page = SettingsPage(window.application, self._theme, self._data)
        page.left.connect(lambda: window.open(window.conversation.conversation_id))
        page.diagnostics_requested.connect(lambda: copy_diagnostics(window))
        page.quit_requested.connect(window.close)
        window.pages.addWidget(page)
        return page

    @cached_property
    def privacy(self) -> PrivacyPage:
        """The switch, the ledger, and what is kept."""
        from app.ui.pages.privacy.page import PrivacyPage

        window = self._window
        page = PrivacyPage(window.application, self._theme)
        page.left.connect(lambda: window.go(window.conversation))
        page.online_wanted.connect(lambda online: turn_network(window, online=online))
        window.pages.addWidget(page)
        return page

    @cached_property
    def models(self) -> ModelsPage:
        """Finding models, those on this computer, and downloads."""
        from app.ui.pages.models.page import ModelsPage

        window = self._window
        page = ModelsPage(window.application, self._theme, self.traffic)
        page.left.connect(lambda: window.go(window.conversation))
        wishes = page.wishes
        wishes.online_wanted.connect(lambda: turn_network(window, online=True))
        wishes.offline_wanted.connect(lambda: turn_network(window, online=False))
        wishes.privacy_wanted.connect(window.show_privacy)
        wishes.login_wanted.connect(self._show_login)
        wishes.hosts_wanted.connect(self._show_hosts)
        wishes.chat_wanted.connect(lambda model_id: chat_with(window, model_id))
        window.pages.addWidget(page)
        return page

    @cached_property
    def trouble(self) -> TroublePage:
        """The page for a store that cannot be opened."""
        from app.ui.pages.trouble.page import TroublePage

        page = TroublePage(self._theme, self._data)
        page.retry_requested.connect(self._window.retry)
        page.quit_requested.connect(self._window.close)
        self._window.pages.addWidget(page)
        return page

    def apply(self, change: Change) -> None:
        """Every page that exists follows what happened, and so do the ways to them."""
        if isinstance(change, NetworkChanged):
            self.show_network(change.state)
        elif isinstance(change, ConversationsChanged) and not change.ids:
            self.traffic.reload()  # the store was opened, or another process wrote into it
        self.traffic.apply(change)
        for name in _WITH_A_WAY:
            if name in self.__dict__:
                getattr(self, name).apply(change)

    def show_network(self, state: NetworkState) -> None:
        """Sidebar, rail and menu say how the network stands."""
        for side in (self._window.sidebar, self._window.rail):
            side.footer.show_state(state.words, online=state.online)
        self._window.actions_.show_offline(not state.online, forced=bool(state.forced_by))

    def _show_login(self) -> None:
        self._window.show_settings("network")
        self.settings.network.account.take_focus()

    def _show_hosts(self) -> None:
        self._window.show_settings("network")
        self.settings.network.take_to_hosts()

    def _show_traffic(self) -> None:
        under_way = self.traffic.under_way
        for side in (self._window.sidebar, self._window.rail):
            side.models.show_progress(self.traffic.share, len(under_way))

    def leave(self, to: QWidget | None = None) -> None:
        """What was typed on a page and not told yet is told, unless it is the one that is gone to."""
        if "settings" in self.__dict__ and to is not self.settings:
            self.settings.leave()

    def mark(self, shown: QWidget) -> bool:
        """Fills the row and the icon of the page that is shown; returns whether it has any."""
        found = False
        for name in _WITH_A_WAY:
            there = self.__dict__.get(name) is shown
            found = found or there
            for side in (self._window.sidebar, self._window.rail):
                getattr(side, name).setChecked(there)
        return found
