"""The left side: wordmark, new, search, the list, models, privacy, settings, and what may leave this computer."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtGui import QKeySequence
from PySide6.QtWidgets import QHBoxLayout, QStackedWidget, QVBoxLayout, QWidget

from app.base.errors import InglenookError
from app.chat.messages import SearchHit
from app.services.changes import Change, ConversationsChanged, ReplyChanged
from app.ui.components.conversation_list import ConversationList
from app.ui.components.sidebar_parts import Footer, ModelsIcon, ModelsRow, NavigationRow, Wordmark
from app.ui.models.conversations import ConversationListModel
from app.ui.ports import ApplicationPort
from app.ui.theme import tokens
from app.ui.theme.theme import Theme
from app.ui.widgets.buttons import IconButton
from app.ui.widgets.labels import Paragraph
from app.ui.widgets.search_field import SearchField
from app.ui.widgets.surfaces import Hairline, Surface

if TYPE_CHECKING:
    from app.ui.components.search_results import SearchResults

SEARCH_AFTER_MS = 120
DAYS_LOOKED_AT_MS = 5 * 60 * 1000


def native(sequence: str) -> str:
    """A shortcut as this desktop writes it, with spaces instead of plus signs."""
    return QKeySequence(sequence).toString(QKeySequence.SequenceFormat.NativeText).replace("+", " ")


class Sidebar(Surface):
    """Wishes go out as signals; the list follows the changes."""

    open_requested = Signal(str)
    hit_chosen = Signal(object)
    new_requested = Signal()
    delete_requested = Signal(str)
    models_requested = Signal()
    privacy_requested = Signal()
    settings_requested = Signal()
    fold_requested = Signal()
    failed = Signal(str)
    left = Signal()

    def __init__(self, application: ApplicationPort, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(theme, "side", parent=parent)
        self._application = application
        self._known = False
        self.model = ConversationListModel(self)
        self._wait = QTimer(self)
        self._wait.setSingleShot(True)
        self._wait.setInterval(SEARCH_AFTER_MS)
        self._wait.timeout.connect(self._search)

        self._days = QTimer(self)  # at midnight, yesterday's conversations get another heading
        self._days.setTimerType(Qt.TimerType.VeryCoarseTimer)
        self._days.setInterval(DAYS_LOOKED_AT_MS)
        self._days.timeout.connect(self.model.refresh_days)
        self._days.start()

        self.fold = IconButton("sidebar", "Hide the sidebar", theme)
        self.fold.clicked.connect(self.fold_requested)
        self.new = IconButton("note-pencil", "New conversation", theme, shortcut=native("Ctrl+N"))
        self.new.clicked.connect(self.new_requested)
        self.search = SearchField("Search", native("Ctrl+K"), theme)
        self.search.textChanged.connect(self._typed)
        self.search.stepped.connect(self._step)
        self.search.escaped.connect(self._leave_search)
        self.search.returnPressed.connect(self._take_hit)
        self.list = ConversationList(self.model, theme)
        self.list.open_requested.connect(self.open_requested)
        self.list.delete_requested.connect(self.delete_requested)
        self.list.rename_requested.connect(self._rename)
        self.models = ModelsRow(theme)
        self.models.clicked.connect(lambda: self.models_requested.emit())
        self.privacy = NavigationRow("shield-check", "Privacy", theme)
        self.privacy.clicked.connect(self.privacy_requested)
        self.settings = NavigationRow("gear", "Settings", theme)
        self.settings.clicked.connect(self.settings_requested)
        self.footer = Footer(theme)

        self.note = Paragraph("", theme, "secondary", "ink2")
        self._stack = QStackedWidget()
        self._stack.addWidget(self.list)
        self._note_page = QWidget()
        box = QVBoxLayout(self._note_page)
        box.setContentsMargins(20, 28, 20, 0)
        box.addWidget(self.note)
        box.addStretch()
        self._stack.addWidget(self._note_page)
        self._lay_out(theme)

    def _lay_out(self, theme: Theme) -> None:
        top = QHBoxLayout()
        top.setContentsMargins(20, 10, 10, 10)
        top.setSpacing(8)
        top.addWidget(Wordmark(theme))
        top.addStretch()
        top.addWidget(self.fold)
        top.addWidget(self.new)
        field = QHBoxLayout()
        field.setContentsMargins(12, 0, 12, 6)
        field.addWidget(self.search)
        ways = QVBoxLayout()
        ways.setContentsMargins(8, 8, 8, 8)
        ways.setSpacing(0)
        ways.addWidget(self.models)
        ways.addWidget(self.privacy)
        ways.addWidget(self.settings)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addLayout(top)
        column.addLayout(field)
        column.addWidget(self._stack, 1)
        for part in (ways, None):
            line = QHBoxLayout()
            line.setContentsMargins(8, 0, 8, 0)
            line.addWidget(Hairline(theme))
            column.addLayout(line)
            if part is not None:
                column.addLayout(part)
        column.addWidget(self.footer)

    @cached_property
    def results(self) -> SearchResults:
        """What the search found, in the place of the list; built by the first search."""
        from app.ui.components.search_results import SearchResults

        made = SearchResults(self._theme)
        made.hit_chosen.connect(self.hit_chosen)
        self._stack.addWidget(made)
        return made

    def apply(self, change: Change) -> None:
        """Follows what happened."""
        if isinstance(change, ConversationsChanged):
            self.reload()
        elif isinstance(change, ReplyChanged):
            self.model.set_live(change.conversation_id, change.message_id, change.state.live)

    def reload(self) -> None:
        """Reads the list again. Until it was read once, the sidebar claims nothing."""
        self._known = True
        self.model.show(self._application.conversations.list())
        self.list.show_opened(self.list.opened)
        self._show_page()

    def focus_search(self) -> None:
        """Puts the cursor into the search field."""
        self.search.setFocus(Qt.FocusReason.ShortcutFocusReason)
        self.search.selectAll()

    def take_focus(self) -> None:
        """Puts the focus on the list, or into the search field where no list is shown."""
        first = self.list if self.list.isVisible() else self.search
        first.setFocus(Qt.FocusReason.OtherFocusReason)

    def _show_page(self) -> None:
        text = self.search.text().strip()
        if text and self.results.count():
            self._stack.setCurrentWidget(self.results)
        elif text:
            self.note.setText(f"Nothing found for “{text}”. Titles and messages were searched.")
            self._stack.setCurrentWidget(self._note_page)
        elif self.model.rowCount() or not self._known:
            self._stack.setCurrentWidget(self.list)
        else:
            self.note.setText("Your conversations will be listed here. They are kept on this computer only.")
            self._stack.setCurrentWidget(self._note_page)

    def _typed(self, text: str) -> None:
        if text.strip():
            self._wait.start()
        else:
            self._wait.stop()
            self._show_page()

    def _search(self) -> None:
        self._wait.stop()
        text = self.search.text().strip()
        hits: list[SearchHit] = []
        try:
            hits = self._application.conversations.search(text) if text else []
        except InglenookError as error:
            self.failed.emit(error.sentence)
        self.results.show_hits(hits)
        self._show_page()

    def _step(self, by: int) -> None:
        if self.search.text().strip():
            self.results.step(by)

    def _take_hit(self) -> None:
        if self._wait.isActive():
            self._search()
        if self.search.text().strip():
            self.results.choose_current()

    def _leave_search(self) -> None:
        if self.search.text():
            self.search.clear()
            self.take_focus()
        else:
            self.left.emit()

    def _rename(self, conversation_id: str, title: str) -> None:
        try:
            self._application.conversations.rename(conversation_id, title)
        except InglenookError as error:
            self.failed.emit(error.sentence)


class Rail(Surface):
    """The sidebar where there is no room for it: icons only."""

    unfold_requested = Signal()
    new_requested = Signal()
    search_requested = Signal()
    models_requested = Signal()
    privacy_requested = Signal()
    settings_requested = Signal()

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(theme, "side", parent=parent)
        self.setFixedWidth(tokens.RAIL)
        self.models = ModelsIcon(theme)
        self.privacy = IconButton("shield-check", "Privacy", theme, side=36)
        self.privacy.setCheckable(True)
        self.settings = IconButton("gear", "Settings", theme, side=36)
        self.settings.setCheckable(True)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 12, 0, 0)
        column.setSpacing(8)
        middle = Qt.AlignmentFlag.AlignHCenter
        column.addWidget(Wordmark(theme, name=False), 0, middle)
        column.addSpacing(6)
        for icon_name, name, signal in (
            ("sidebar", "Back to the conversations", self.unfold_requested),
            ("note-pencil", "New conversation", self.new_requested),
            ("magnifying-glass", "Search", self.search_requested),
        ):
            button = IconButton(icon_name, name, theme)
            button.clicked.connect(signal)
            column.addWidget(button, 0, middle)
        column.addStretch()
        self.models.clicked.connect(lambda: self.models_requested.emit())
        column.addWidget(self.models, 0, middle)
        self.privacy.clicked.connect(self.privacy_requested)
        column.addWidget(self.privacy, 0, middle)
        self.settings.clicked.connect(self.settings_requested)
        column.addWidget(self.settings, 0, middle)
        self.footer = Footer(theme, word=False)
        column.addWidget(self.footer)
