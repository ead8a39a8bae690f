"""The right side of Find: one model. It asks for a repository when it is to be shown, and follows the answers."""

from __future__ import annotations

from urllib.parse import urlsplit

from PySide6.QtCore import QRect, Qt, QTimer
from PySide6.QtWidgets import QFrame, QScrollArea, QVBoxLayout, QWidget

from app.hub.errors import token_hint
from app.hub.values import ModelPage
from app.services.changes import (
    AccountChanged,
    CardAnswered,
    Change,
    LibraryChanged,
    ModelAnswered,
    ModelFailed,
    NetworkChanged,
    PictureAnswered,
    SettingsChanged,
)
from app.ui.components.models import obstacles
from app.ui.components.models.about import About
from app.ui.components.models.getting import Getting
from app.ui.components.models.head import Head
from app.ui.components.models.judging import Judging
from app.ui.components.models.notice import Notice
from app.ui.components.models.versions import OVERHANG
from app.ui.components.models.wishes import Wishes
from app.ui.models.results import Row
from app.ui.models.traffic import Traffic
from app.ui.ports import ApplicationPort
from app.ui.theme.theme import Theme
from app.ui.widgets.labels import Paragraph
from app.ui.widgets.surfaces import SCROLL_BAR, reserve_bar

ASK_AFTER_MS = 180  # while arrow keys run through the list, nobody is asked
NOTHING = "Choose a model to see what it is good for and which version suits this computer."


class DetailPane(QScrollArea):
    """Follows the row that is current in the list."""

    def __init__(
        self, application: ApplicationPort, theme: Theme, wishes: Wishes, traffic: Traffic, judging: Judging
    ) -> None:
        super().__init__()
        self._application, self._wishes = application, wishes
        self._row: Row | None = None
        self._page: ModelPage | None = None
        self._failed: ModelFailed | None = None
        self._wanted = False
        self._wait = QTimer(self)
        self._wait.setSingleShot(True)
        self._wait.setInterval(ASK_AFTER_MS)
        self._wait.timeout.connect(self._ask)
        self._licences = {licence.id: licence.name for licence in application.browsing.licences()}
        self.head = Head(theme, wishes)
        self.notice = Notice(theme)
        self.getting = Getting(application, theme, wishes, traffic, judging)
        self.getting.row_reached.connect(self._follow)
        self.about = About(application, theme, wishes)
        self.nothing = Paragraph(NOTHING, theme, "body", "ink2")
        self.setObjectName("bare")
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setWidgetResizable(True)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._lay_out()
        reserve_bar(self)
        self._show_parts()

    def _lay_out(self) -> None:
        inside = QWidget()
        column = QVBoxLayout(inside)
        column.setContentsMargins(32 - OVERHANG, 2, 28 - SCROLL_BAR - OVERHANG, 32)
        column.setSpacing(0)
        text = QVBoxLayout()
        text.setContentsMargins(OVERHANG, 0, OVERHANG, 0)
        text.setSpacing(16)
        text.addWidget(self.nothing)
        text.addWidget(self.head)
        text.addWidget(self.notice)
        column.addLayout(text)
        column.addSpacing(18)
        column.addWidget(self.getting)
        below = QVBoxLayout()
        below.setContentsMargins(OVERHANG, 28, OVERHANG, 0)
        below.addWidget(self.about)
        column.addLayout(below)
        column.addStretch()
        self.setWidget(inside)

    # --- what is shown ----------------------------------------------------------------------------------------------

    def show_row(self, row: Row, *, ask: bool = True) -> None:
        """Shows a model; without `ask`, only what the list knows of it."""
        if self._row is not None and row.repo == self._row.repo and (self._page is not None or not ask):
            return
        self._row, self._page, self._failed, self._wanted = row, None, None, ask
        self.head.show_row(row, self._web(row.repo), self._licences.get(row.license, row.license))
        self.about.clear()
        self.verticalScrollBar().setValue(0)
        if ask:
            self._wait.start()
        self._show_parts()

    def take_focus(self) -> None:
        """Puts the focus on what one goes on with."""
        goal: QWidget = self.getting.table if self.getting.isVisible() else self.notice.action
        if not goal.isVisible():
            goal = self.head.on_web
        goal.setFocus(Qt.FocusReason.OtherFocusReason)

    @property
    def page(self) -> ModelPage | None:
        """What is shown, once it is there."""
        return self._page

    @property
    def chosen(self) -> bool:
        """Whether somebody chose what is shown."""
        return self._wanted

    def _web(self, repo: str) -> str:
        return f"{self._application.network.endpoint}/{repo}"

    def _ask(self) -> None:
        self._wait.stop()
        self._wanted = True
        if self._row is not None and self._application.network.state.online:
            self._failed = None
            self._application.browsing.open_model(self._row.repo)
            self._show_parts()

    def _show_parts(self) -> None:
        there = self._row is not None
        self.nothing.setVisible(not there)
        self.head.setVisible(there)
        self.getting.setVisible(self._page is not None)
        self.about.setVisible(self._page is not None)
        state = self._application.network.state
        if self._failed is not None:
            choice = self._row.choice.name if self._row is not None and self._row.choice is not None else ""
            obstacles.model_failed(self.notice, self._failed, self._wishes, self._ask, choice)
        elif there and self._page is None and not state.online:
            obstacles.offline_page(self.notice)
        elif there and self._page is None and not self._wanted:
            self.notice.say("Its versions are listed online", action="Show its versions", act=self._ask)
        elif self._page is not None and self._page.summary.gated:
            self._show_gate(self._page)
        else:
            self.notice.unsay()

    def _show_gate(self, page: ModelPage) -> None:
        wishes, network = self._wishes, self._application.network
        asked = "; they answer each request themselves." if page.summary.gated == "manual" else "."
        goes = network.token_goes_to_hub
        host = urlsplit(network.endpoint).netloc or network.endpoint
        self.notice.say(
            "Its makers want to know who uses it",
            f"Log in with an access token and accept their terms on its page{asked}"
            + ("" if goes else f" {token_hint(host)}"),
            kind="ochre",
            action="Open its page",
            act=lambda: wishes.link_wanted.emit(self._web(page.summary.repo)),
            past="Log in" if goes else obstacles.NAME_HOST,
            go_past=wishes.login_wanted.emit if goes else wishes.hosts_wanted.emit,
        )

    def apply(self, change: Change) -> None:
        """Follows what happened."""
        if isinstance(change, NetworkChanged):
            self._show_parts()
            if change.state.online and self._row is not None and self._page is None and self._wanted:
                self._ask()
        elif isinstance(change, SettingsChanged):
            if "network.token_hosts" in change.names:
                self._ask() if self._failed is not None else self._show_parts()
        elif isinstance(change, AccountChanged) and self._failed is not None:
            self._ask()
        elif isinstance(change, LibraryChanged):
            self.getting.follow_library()
        elif self._row is None:
            return
        elif isinstance(change, ModelAnswered) and change.repo == self._row.repo:
            self._answered(change.page)
        elif isinstance(change, ModelFailed) and change.repo == self._row.repo:
            if change.card:
                self.about.failed(change)
            else:
                self._failed = change
                self._show_parts()
        elif isinstance(change, CardAnswered) and change.repo == self._row.repo:
            self.about.show_card(change.card, change.repo, self._web(change.repo))
        elif isinstance(change, PictureAnswered) and change.repo == self._row.repo:
            self.about.show_picture(change)

    def _answered(self, page: ModelPage) -> None:
        row = self._row
        assert row is not None
        first, self._page, self._failed = self._page is None, page, None
        self.head.show_page(page, row, self._web(page.summary.repo))
        self.getting.show_page(page, row.choice.label if row.choice is not None else "")
        self._show_parts()
        if first:
            self._application.browsing.open_card(row.repo)

    def _follow(self, row: QRect) -> None:
        """Scrolls to the row that the keyboard reached."""
        inside = self.widget()
        assert inside is not None
        top = self.getting.mapTo(inside, row.topLeft())
        self.ensureVisible(top.x(), top.y() + row.height() // 2, 0, row.height())
