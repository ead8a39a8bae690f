"""All downloads in their order: those under way with what will be left on the disk, and those that have ended."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import msgspec
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from app.base.errors import InglenookError
from app.base.sizes import size_words
from app.hub.values import Download, DownloadState
from app.ui import model_words, words
from app.ui.components.models.download_rows import ACCESS, KEPT_BACK, DownloadRow, EndedRow
from app.ui.components.models.pace import WIDTH, PacePopover, pace_words
from app.ui.components.models.wishes import Wishes
from app.ui.models.traffic import UNDER_WAY, Traffic
from app.ui.ports import ApplicationPort
from app.ui.theme.theme import Theme
from app.ui.widgets.buttons import QUIET, SECONDARY, Button
from app.ui.widgets.indicators import Icon
from app.ui.widgets.labels import Label, Paragraph
from app.ui.widgets.surfaces import Hairline

MOST_ENDED = 50
NOTHING = "Nothing is being downloaded. What you choose under Find comes here, one after the other."


class DownloadList(QWidget):
    """Rows stay the same widgets while their download stays: the focus is not lost with every change."""

    def __init__(self, application: ApplicationPort, theme: Theme, wishes: Wishes, traffic: Traffic) -> None:
        super().__init__()
        self._application, self._theme, self._wishes, self._traffic = application, theme, wishes, traffic
        self.rows: dict[str, DownloadRow] = {}
        self.ended: dict[str, EndedRow] = {}
        self._pace: PacePopover | None = None
        self.all_button = Button("Pause all", theme, QUIET)
        self.all_button.clicked.connect(self._all)
        self.summary = Paragraph("", theme, "secondary", "ink2")
        self.change = Button("Change", theme, QUIET)
        self.change.set_accent(True)
        self.change.setAccessibleName("Change the pace of downloads")
        self.change.clicked.connect(self._open_pace)
        self.nothing = Paragraph(NOTHING, theme, "body", "ink2")
        self.find_one = Button("Find a model", theme, SECONDARY)
        self.find_one.clicked.connect(lambda: wishes.tab_wanted.emit("find"))
        self.clear = Button("Clear the list", theme, QUIET)
        self.clear.clicked.connect(lambda: self._do(application.downloading.clear_finished))
        self.promise = Paragraph("", theme, "secondary", "ink2")
        self._lay_out()
        traffic.changed.connect(self.reload)
        traffic.progressed.connect(self._progressed)
        self.reload()

    def _lay_out(self) -> None:
        theme = self._theme
        self._top = QWidget()
        head = QHBoxLayout()
        head.addWidget(Label("Under way", theme, "section", "ink"))
        head.addStretch()
        head.addWidget(self.all_button)
        line = QHBoxLayout()
        line.setSpacing(10)
        line.addWidget(Icon("clock", theme, size=16), 0, Qt.AlignmentFlag.AlignTop)
        line.addWidget(self.summary, 1)
        line.addWidget(self.change, 0, Qt.AlignmentFlag.AlignVCenter)
        top = QVBoxLayout(self._top)
        top.setContentsMargins(0, 0, 0, 0)
        top.setSpacing(6)
        top.addLayout(head)
        top.addLayout(line)
        top.addSpacing(6)
        top.addWidget(Hairline(theme))
        self._running = QVBoxLayout()
        self._running.setSpacing(0)
        self._below = QWidget()
        finished = QHBoxLayout()
        finished.addWidget(Label("Finished", theme, "section", "ink"))
        finished.addStretch()
        finished.addWidget(self.clear)
        self._over = QVBoxLayout()
        self._over.setSpacing(0)
        below = QVBoxLayout(self._below)
        below.setContentsMargins(0, 26, 0, 0)
        below.setSpacing(4)
        below.addLayout(finished)
        below.addWidget(Hairline(theme))
        below.addLayout(self._over)
        self._foot = QWidget()
        foot = QHBoxLayout(self._foot)
        foot.setContentsMargins(0, 22, 0, 0)
        foot.setSpacing(10)
        foot.addWidget(Icon("shield-check", theme, "moss", size=16), 0, Qt.AlignmentFlag.AlignTop)
        foot.addWidget(self.promise, 1)
        self._none = QWidget()
        none = QVBoxLayout(self._none)
        none.setContentsMargins(0, 12, 0, 0)
        none.setSpacing(14)
        none.addWidget(self.nothing)
        none.addWidget(self.find_one, 0, Qt.AlignmentFlag.AlignLeft)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 8, 0, 32)
        column.setSpacing(0)
        column.addWidget(self._none)
        column.addWidget(self._top)
        column.addLayout(self._running)
        column.addWidget(self._below)
        column.addWidget(self._foot)
        column.addStretch()

    # --- what is shown ----------------------------------------------------------------------------------------------

    def reload(self) -> None:
        """Shows the downloads as they stand."""
        running = self._traffic.open
        over = [one for one in self._traffic.downloads if one not in running]
        over.sort(key=lambda one: (one.state is not DownloadState.FAILED, -one.finished_ms))
        over = over[:MOST_ENDED]
        self._settle(self.rows, self._running, running, self._new_row)
        self._settle(self.ended, self._over, over, self._new_ended)
        self._show_rows(running)
        today = datetime.date.today()
        for download in over:
            when = words.moment(download.finished_ms, today) if download.finished_ms else ""
            if download.code == KEPT_BACK and self._application.network.token_goes_to_hub:
                download = msgspec.structs.replace(download, code="")  # it was allowed meanwhile: trying again is next
            self.ended[download.id].show_download(download, when)
        self._top.setVisible(bool(running))
        self._below.setVisible(bool(over))
        self._none.setVisible(not running and not over)
        self.clear.setVisible(any(one.state is DownloadState.DONE for one in over))
        busy = any(one.state in UNDER_WAY for one in running)
        self.all_button.setText("Pause all" if busy else "Go on with all")
        self.all_button.set_icon_name("pause" if busy else "play")
        host = urlsplit(self._application.network.endpoint).netloc
        self.promise.setText(
            f"While downloads run, Inglenook speaks only to {host} and the file servers it leads to. Every request is "
            "in the ledger on the Privacy page."
        )
        self._foot.setVisible(bool(running))
        self._show_summary()

    def _show_rows(self, running: list[Download]) -> None:
        waiting_before = False
        name = ""
        for download in running:
            row = self.rows[download.id]
            waits = download.state is DownloadState.WAITING
            row.show_download(
                download, self._traffic.figures.get(download.id), before=name, can_rise=waits and waiting_before
            )
            waiting_before = True
            if download.state in UNDER_WAY:
                name = model_words.model_name(download.repo)

    def _progressed(self, id: str) -> None:
        download, row = self._traffic.get(id), self.rows.get(id)
        if download is not None and row is not None:
            row.show_download(download, self._traffic.figures.get(id), can_rise=not row.up.isHidden())

    def _show_summary(self) -> None:
        wanted = self._application.downloading.free_bytes(when_done=True)
        left = f" {size_words(wanted)} will be left when all are done." if wanted >= 0 else ""
        if wanted < 0 and self._application.downloading.free_bytes() >= 0:
            left = " There is not enough room on the disk for all of them."
        self.summary.setText(f"{pace_words(self._application.settings.current.downloads)}{left}")
        self.summary.updateGeometry()

    def _settle(
        self,
        rows: dict[str, Any],
        column: QVBoxLayout,
        wanted: list[Download],
        make: Callable[[Download], QWidget],
    ) -> None:
        """Makes `rows` and the column hold exactly these, in this order."""
        ids = [download.id for download in wanted]
        for known in [one for one in rows if one not in ids]:
            gone = rows.pop(known)
            column.removeWidget(gone)
            gone.hide()
            gone.deleteLater()
        for place, download in enumerate(wanted):
            row = rows.get(download.id)
            if row is not None and row.download.state is not download.state and isinstance(row, EndedRow):
                column.removeWidget(row)
                row.hide()
                row.deleteLater()
                row = None
            if row is None:
                row = rows[download.id] = make(download)
            if column.indexOf(row) != place:
                column.removeWidget(row)
                column.insertWidget(place, row)
                row.show()

    def _new_row(self, download: Download) -> DownloadRow:
        downloading = self._application.downloading
        row = DownloadRow(download, self._theme)
        row.paused.connect(lambda one: self._do(lambda: downloading.pause(one)))
        row.resumed.connect(lambda one: self._do(lambda: downloading.resume(one)))
        row.moved_up.connect(lambda one: self._do(lambda: downloading.move_up(one)))
        row.cancelled.connect(self._cancel)
        return row

    def _new_ended(self, download: Download) -> EndedRow:
        row = EndedRow(download, self._theme)
        row.taken.connect(self._take)
        row.forgotten.connect(lambda one: self._do(lambda: self._application.downloading.cancel(one)))
        return row

    # --- what is done -----------------------------------------------------------------------------------------------

    def _do(self, deed: Callable[[], object]) -> None:
        try:
            deed()
        except InglenookError as error:
            self._wishes.said.emit(error.sentence)

    def _all(self) -> None:
        downloading = self._application.downloading
        busy = any(one.state in UNDER_WAY for one in self._traffic.open)
        self._do(downloading.pause_all if busy else downloading.resume_all)

    def _cancel(self, id: str) -> None:
        """What came would be lost: the row asks in its own place before it goes."""
        download = self._traffic.get(id)
        if download is None or not download.done_bytes:
            self._do(lambda: self._application.downloading.cancel(id))
        else:
            self._wishes.loss_wanted.emit(
                f"Cancel {model_words.model_name(download.repo)}?",
                f"The {size_words(download.done_bytes)} that arrived are removed.",
                "Cancel the download",
                lambda: self._do(lambda: self._application.downloading.cancel(id)),
            )

    def _take(self, id: str) -> None:
        download = self._traffic.get(id)
        if download is None:
            return
        if download.state is DownloadState.DONE:
            self._wishes.library_wanted.emit(download.repo, download.files[0].path)
        elif download.code == KEPT_BACK and not self._application.network.token_goes_to_hub:
            self._wishes.hosts_wanted.emit()
        elif download.code in ACCESS:
            self._wishes.link_wanted.emit(f"{download.endpoint}/{download.repo}")
        else:
            self._do(lambda: self._application.downloading.resume(id))

    def _open_pace(self) -> None:
        if self._pace is None:
            self._pace = PacePopover(self._theme, self.window(), self._set_option)
        if self._pace.isVisible():
            self._pace.close_popover()
            return
        self._pace.show_options(self._application.settings.current.downloads)
        self._pace.open_below(self.change, WIDTH, first=self._pace.count)

    def _set_option(self, name: str, value: object) -> None:
        self._do(lambda: self._application.settings.change(name, value))
        self._show_summary()
