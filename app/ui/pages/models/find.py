"""Find: searching at the left, one model at the right."""

from __future__ import annotations

from PySide6.QtCore import Qt

from app.services.changes import Change, MachineMeasured
from app.ui.components.models.detail import DetailPane
from app.ui.components.models.judging import Judging
from app.ui.components.models.search_pane import SearchPane
from app.ui.components.models.wishes import Wishes
from app.ui.models.results import Row
from app.ui.models.traffic import Traffic
from app.ui.pages.models.columns import ListAndDetail
from app.ui.ports import ApplicationPort
from app.ui.theme.theme import Theme


class FindTab(ListAndDetail):
    """Until somebody chooses, the first row's own words are shown, and nobody is asked for more."""

    def __init__(self, application: ApplicationPort, theme: Theme, wishes: Wishes, traffic: Traffic) -> None:
        self.judging = Judging(application)
        self.search = SearchPane(application, theme, wishes)
        self._judge()
        self.detail = DetailPane(application, theme, wishes, traffic, self.judging)
        super().__init__(self.search, self.detail, theme)
        self.judging.setParent(self)
        application.fitting.prepare()
        self.search.row_chosen.connect(self._choose)
        self.search.taken.connect(self._take)
        wishes.search_wanted.connect(self.search.look_for)
        self.search.model.modelReset.connect(self._preview)
        self._preview()

    def apply(self, change: Change) -> None:
        """Follows what happened."""
        if isinstance(change, MachineMeasured):
            self.judging.look_again()
            self._judge()
            self.detail.getting.show_outlooks()
        self.search.apply(change)
        self.detail.apply(change)

    def _judge(self) -> None:
        self.search.set_judge(self.judging.judge, self.judging.machine.memory_total_bytes)

    def take_focus(self) -> None:
        """Puts the cursor into the field."""
        self.search.field.setFocus(Qt.FocusReason.OtherFocusReason)

    def _preview(self) -> None:
        """The first row's own words, as long as nobody chose another."""
        if self.search.model.rows and not self.detail.chosen:
            self.detail.show_row(self.search.model.rows[0], ask=False)

    def _choose(self, row: Row) -> None:
        self.detail.show_row(row)

    def _take(self, row: Row) -> None:
        self.detail.show_row(row)
        self.detail.take_focus()
