"""The left side of Find: the field, the filters, what stands in the way, and the list. Holds no model's page.

Waits until somebody stops typing, asks, and fills the list as answers come. Without the network, and before anything
is asked, the first choices are shown, which came along with Inglenook.
"""

from __future__ import annotations

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtWidgets import QVBoxLayout, QWidget

from app.services.changes import (
    AccountChanged,
    Change,
    LibraryChanged,
    NetworkChanged,
    SearchAnswered,
    SearchFailed,
)
from app.ui.components.models import obstacles
from app.ui.components.models.filters import Filters
from app.ui.components.models.notice import Notice
from app.ui.components.models.results import PAD, ResultsView
from app.ui.components.models.wishes import Wishes
from app.ui.models.results import Judge, ResultsModel, Row, row_of_choice, row_of_summary
from app.ui.ports import ApplicationPort
from app.ui.theme.theme import Theme
from app.ui.widgets.labels import Label
from app.ui.widgets.search_field import SearchField
from app.ui.widgets.surfaces import SCROLL_BAR

ASK_AFTER_MS = 250
MOST_TURNS = 6  # asked for by itself while a filter of this machine's leaves nothing


class SearchPane(QWidget):
    """`row_chosen` carries the row that is to be shown; `taken`: it is to be shown and to get the focus."""

    row_chosen = Signal(object)
    taken = Signal(object)

    def __init__(self, application: ApplicationPort, theme: Theme, wishes: Wishes) -> None:
        super().__init__()
        self._application = application
        self._wishes = wishes
        self._number = 0
        self._more = False
        self._turns = 0
        self._failed: SearchFailed | None = None
        self._memory_bytes = 0
        browsing = application.browsing
        self._wait = QTimer(self)
        self._wait.setSingleShot(True)
        self._wait.setInterval(ASK_AFTER_MS)
        self._wait.timeout.connect(self.look)
        self.field = SearchField("Search models on Hugging Face", "", theme)
        self.field.textChanged.connect(lambda _text: self._wait.start())
        self.field.escaped.connect(self._escaped)
        self.field.stepped.connect(self._step)
        self.field.returnPressed.connect(self._take)
        self.filters = Filters(
            browsing.families(), {licence.id: licence.name for licence in browsing.licences()}, theme
        )
        self.filters.changed.connect(self.look)
        self.notice = Notice(theme)
        self.status = Label("", theme, "caption", "ink2", elide=True)
        self.model = ResultsModel(self)
        self.list = ResultsView(self.model, theme)
        self.list.row_chosen.connect(self.row_chosen)
        self.list.row_taken.connect(self.taken)
        self.list.more_wanted.connect(self._want_more)
        top = QVBoxLayout()
        top.setContentsMargins(PAD, 0, PAD + SCROLL_BAR, 0)
        top.setSpacing(12)
        top.addWidget(self.field)
        top.addWidget(self.filters)
        top.addWidget(self.notice)
        top.addWidget(self.status)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(14)
        column.addLayout(top)
        column.addWidget(self.list, 1)
        self._show_installed()
        self.look()

    # --- asking -----------------------------------------------------------------------------------------------------

    @property
    def asked(self) -> bool:
        """Whether somebody looks for something, instead of looking at the first choices."""
        wanted = self.filters.wanted()
        return bool(self.field.text().strip() or wanted.further)

    def look(self) -> None:
        """Asks for what is wanted now, or shows the first choices."""
        self._wait.stop()
        self._failed, self._turns, self._more = None, 0, False
        if self.asked and self._application.network.state.online:
            self._number = self._application.browsing.search(self.filters.wanted().query(self.field.text().strip()))
            self._say("Asking the hub…")
        else:
            if self._number:
                self._application.browsing.stop_search()
            self._number = 0
            self._show_choices()
        self._show_obstacle()

    def look_for(self, text: str) -> None:
        """Looks for these words now."""
        self.field.setText(text)
        self.field.setFocus(Qt.FocusReason.OtherFocusReason)
        self.look()

    def set_judge(self, judge: Judge, memory_bytes: int) -> None:
        """How well a model would do on this machine, which has so much memory."""
        self._memory_bytes = memory_bytes
        self.model.set_judge(judge)
        self.filters.show_fits(True)
        if not self._number:
            self.look()

    def _show_choices(self) -> None:
        text = self.field.text().strip().lower()
        wanted = self.filters.wanted()
        query = wanted.query(text)
        browsing = self._application.browsing
        able = browsing.first_choices(self._memory_bytes) if self._memory_bytes else []
        choices = [*able, *(choice for choice in browsing.first_choices() if choice not in able)]
        rows = [row_of_choice(choice) for choice in choices]
        found = [
            row
            for row in rows
            if all(word in f"{row.name} {row.maker} {row.repo} {row.line}".lower() for word in text.split())
            and set(query.capabilities) <= set(row.capabilities)
            and query.min_params <= row.params <= (query.max_params or row.params)
            and (not query.license or row.license == query.license)
            and (not query.family or query.family.lower() in f"{row.name} {row.repo}".lower())
            and self._fits(row)
        ]
        self._replace(found)
        self._say("" if found else "None of the first choices is like this.")

    def _fits(self, row: Row) -> bool:
        if not self.filters.wanted().fits:
            return True
        judged = self.model.judged(row)
        return judged is not None and judged.fits

    def _replace(self, rows: list[Row]) -> None:
        current = self.list.currentIndex()
        before = self.model.rows[current.row()].repo if current.isValid() else ""
        if [row.repo for row in rows] == [row.repo for row in self.model.rows]:
            return
        self.model.show(rows)
        at = self.model.row_of(before) if before else -1
        if at >= 0:
            self.list.setCurrentIndex(self.model.index(at))
        else:
            self.list.scrollToTop()

    def _want_more(self) -> None:
        if self._number and self._more and self._application.browsing.more():
            self._more = False
            self._say("Asking for more…")

    # --- answers ----------------------------------------------------------------------------------------------------

    def apply(self, change: Change) -> None:
        """Follows what happened."""
        if isinstance(change, SearchAnswered) and change.number == self._number:
            self._answered(change)
        elif isinstance(change, SearchFailed) and change.number == self._number:
            self._failed = change
            self._say("")
            self._show_obstacle()
        elif isinstance(change, NetworkChanged) or (isinstance(change, AccountChanged) and self._failed is not None):
            self.look()
        elif isinstance(change, LibraryChanged):
            self._show_installed()

    def _answered(self, change: SearchAnswered) -> None:
        rows = [row for row in map(row_of_summary, change.models) if self._fits(row)]
        if change.first:
            self._replace(rows)
        else:
            self.model.add(rows)
        self._more = change.more and change.done
        if not change.done:
            return
        self._say("" if self.model.rows or self._more else "Nothing was found. Fewer words or filters find more.")
        self._turns = 0 if rows else self._turns + 1
        if self._turns < MOST_TURNS:
            self.list.look_ahead(even_if_empty=not self.model.rows)

    def _show_installed(self) -> None:
        self.model.set_installed(model.repo for model in self._application.library.list() if model.repo)

    def _show_obstacle(self) -> None:
        state = self._application.network.state
        if self._failed is not None:
            obstacles.search_failed(self.notice, self._failed, self._wishes, self.look)
        elif not state.online:
            obstacles.offline(self.notice, state, self._wishes)
        else:
            self.notice.unsay()

    def _say(self, words: str) -> None:
        self.status.setText(words)
        self.status.setVisible(bool(words))

    # --- keys -------------------------------------------------------------------------------------------------------

    def _escaped(self) -> None:
        if self.field.text():
            self.field.clear()
            self.look()

    def _step(self, by: int) -> None:
        self.list.by_keyboard = True
        self.list.step(by)

    def _take(self) -> None:
        if self._wait.isActive():
            self.look()
        else:
            self.list.take_current()
