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
    from app.ui.pages.plan.page import PlanPage
    from app.ui.pages.privacy.page import PrivacyPage
    from app.ui.pages.settings.page import SettingsPage
    from app.ui.pages.trouble.page import TroublePage
    from app.ui.window import Window

_WITH_A_WAY = {"settings": "settings", "privacy": "privacy", "models": "models", "plan": "models"}
"""Each page with the way in sidebar and rail that is filled while it is shown."""


class Visits:
    """A page that nobody asked for does not exist."""

    def __init__(self, window: Window, theme: Theme, data: Path) -> None:
        self._window = window
        self._theme = theme
        self._data = data
        self.traffic = Traffic(lambda: window.application.downloading.list(), window)  # built after the first frame
        self.traffic.changed.connect(self._show_traffic)
        self.traffic.progressed.connect(lambda _id: self._show_traffic())
        self._before_plan: QWidget = window.conversation
        window.conversation.plan_requested.connect(self.show_plan)

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
        wishes.plan_wanted.connect(self.show_plan)
        window.pages.addWidget(page)
        return page

    @cached_property
    def plan(self) -> PlanPage:
        """How one model is loaded."""
        from app.ui.pages.plan.page import PlanPage

        window = self._window
        page = PlanPage(window.application, self._theme)
        page.left.connect(lambda: window.go(self._before_plan))
        page.models_wanted.connect(lambda: window.show_models("library"))
        page.chat_wanted.connect(lambda _model_id: window.new())
        window.pages.addWidget(page)
        return page

    def show_plan(self, model_id: str) -> None:
        """Shows how a model is loaded; the way back leads to where that was asked."""
        shown = self._window.pages.currentWidget()
        self._before_plan = shown if shown is not None and shown is not self.plan else self._before_plan
        self.plan.show_model(model_id)
        self._window.go(self.plan)
        self.plan.take_focus()

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
        filled = {way for name, way in _WITH_A_WAY.items() if self.__dict__.get(name) is shown}
        for way in _WITH_A_WAY.values():
            for side in (self._window.sidebar, self._window.rail):
                getattr(side, way).setChecked(way in filled)
        return bool(filled)
