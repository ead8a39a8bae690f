"""The left side: wordmark, new, search, the list, settings, and what leaves this computer."""

from __future__ import annotations

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtGui import QKeySequence
from PySide6.QtWidgets import QHBoxLayout, QStackedWidget, QVBoxLayout, QWidget

from app.base.errors import InglenookError
from app.chat.messages import SearchHit
from app.services.changes import Change, ConversationsChanged, ReplyChanged
from app.ui.components.conversation_list import ConversationList
from app.ui.components.search_results import SearchResults
from app.ui.components.sidebar_parts import Footer, NavigationRow, Wordmark
from app.ui.models.conversations import ConversationListModel
from app.ui.models.search import SearchModel
from app.ui.ports import ApplicationPort
from app.ui.theme import tokens
from app.ui.theme.theme import Theme
from app.ui.widgets.buttons import IconButton
from app.ui.widgets.labels import Paragraph
from app.ui.widgets.search_field import SearchField
from app.ui.widgets.surfaces import Hairline, Surface

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
    settings_requested = Signal()
    fold_requested = Signal()
    failed = Signal(str)

    def __init__(self, application: ApplicationPort, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(theme, "side", parent=parent)
        self._application = application
        self._known = False
        self.model = ConversationListModel(self)
        self._search_model = SearchModel(self)
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
        self.results = SearchResults(self._search_model, theme)
        self.results.hit_chosen.connect(self.hit_chosen)
        self.settings = NavigationRow("gear", "Settings", theme)
        self.settings.clicked.connect(self.settings_requested)

        self._empty = Paragraph("", theme, "secondary", "ink2")
        self._nothing = Paragraph("", theme, "secondary", "ink2")
        self._stack = QStackedWidget()
        for page in (self._note(self._empty), self.list, self.results, self._note(self._nothing)):
            self._stack.addWidget(page)
        self._stack.setCurrentWidget(self.list)
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
        settings = QHBoxLayout()
        settings.setContentsMargins(8, 8, 8, 8)
        settings.addWidget(self.settings)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addLayout(top)
        column.addLayout(field)
        column.addWidget(self._stack, 1)
        for part in (settings, None):
            line = QHBoxLayout()
            line.setContentsMargins(8, 0, 8, 0)
            line.addWidget(Hairline(theme))
            column.addLayout(line)
            if part is not None:
                column.addLayout(part)
        column.addWidget(Footer(theme))

    @staticmethod
    def _note(paragraph: Paragraph) -> QWidget:
        page = QWidget()
        box = QVBoxLayout(page)
        box.setContentsMargins(20, 28, 20, 0)
        box.addWidget(paragraph)
        box.addStretch()
        return page

    def apply(self, change: Change) -> None:
        """Follows what happened."""
        if isinstance(change, ConversationsChanged):
            self.reload()
        elif isinstance(change, ReplyChanged):
            self.model.set_live(change.conversation_id, change.state.live)

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

    def _show_page(self) -> None:
        if self.search.text().strip():
            self._stack.setCurrentIndex(2 if self._search_model.rowCount() else 3)
        elif self.model.rowCount() or not self._known:
            self._stack.setCurrentIndex(1)
        else:
            self._empty.setText("Your conversations will be listed here. They are kept on this computer only.")
            self._stack.setCurrentIndex(0)

    def _typed(self, text: str) -> None:
        if text.strip():
            self._wait.start()
        else:
            self._wait.stop()
            self._search_model.show([])
            self._show_page()

    def _search(self) -> None:
        self._wait.stop()
        text = self.search.text().strip()
        try:
            hits: list[SearchHit] = self._application.conversations.search(text) if text else []
        except InglenookError as error:
            self.failed.emit(error.sentence)
            hits = []
        self._search_model.show(hits)
        self._nothing.setText(f"Nothing found for “{text}”. Titles and messages were searched.")
        self._show_page()

    def _step(self, by: int) -> None:
        if self._stack.currentWidget() is self.results:
            self.results.step(by)

    def _take_hit(self) -> None:
        if self._wait.isActive():
            self._search()
        self.results.choose_current()

    def _leave_search(self) -> None:
        self.search.clear()
        self.list.setFocus(Qt.FocusReason.OtherFocusReason)

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
    settings_requested = Signal()

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(theme, "side", parent=parent)
        self.setFixedWidth(tokens.RAIL)
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
        self.settings.clicked.connect(self.settings_requested)
        column.addWidget(self.settings, 0, middle)
        column.addWidget(Footer(theme, word=False))
